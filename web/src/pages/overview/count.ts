/** Counting what an overview shows: how many there are, how many are late. Only counts leave here; what stands in the rows is not kept. */

export interface Count {
  readonly all: number;
  readonly late: number;
}

type Row = Readonly<Record<string, unknown>>;

const isRow = (each: unknown): each is Row => typeof each === "object" && each !== null && !Array.isArray(each);

/** The rows of an answer: `{"<name>": […]}`. */
export function rows(answer: unknown, name: string): readonly Row[] {
  if (!isRow(answer)) return [];
  const found = answer[name];
  return Array.isArray(found) ? found.filter(isRow) : [];
}

/** Rows that are still open, and those of them whose `due` lies before `now` (µs). */
export function open(found: readonly Row[], due: string, now: number, closed: readonly string[]): Count {
  const left = found.filter((row) => closed.every((key) => row[key] === undefined || row[key] === null || row[key] === false));
  return { all: left.length, late: left.filter((row) => typeof row[due] === "number" && row[due] < now).length };
}
