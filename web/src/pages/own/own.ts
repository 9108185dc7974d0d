/** What the server says about oneself. */
import { api, shape, type Of } from "../../kit/index.ts";

const { bilingual, flag, list, maybe, number, object, text, time } = shape;

export const Mine = object({
  family: text,
  given: text,
  birth_date: text,
  house: text,
  dpo: object({ name: text, email: text, phone: maybe(text) }),
  authority: maybe(text),
  stays: list(object({ ward: text, bed: maybe(text), from: time, to: maybe(time) })),
  codes: list(object({ code: text, name: bilingual, unit: text, first: time, last: time })),
  kinds: list(text),
  restricted: flag,
});
export type Mine = Of<typeof Mine>;

export const Points = object({ points: list(object({ at: time, low: text, high: text, last: text })), count: number });
export type Points = Of<typeof Points>;

export const Forms = object({
  forms: list(object({
    form: text,
    version: text,
    text: bilingual,
    purpose: maybe(bilingual),
    latest: maybe(object({ case: text, signed: time, expires: time, state: text })),
  })),
});
export type Forms = Of<typeof Forms>;
export type ConsentForm = Forms["forms"][number];

export const Notices = object({ notices: list(object({ notice: text, version: text, text: bilingual, acknowledged: maybe(time) })) });
export type Notices = Of<typeof Notices>;

export const Requests = object({
  requests: list(object({
    case: text,
    what: bilingual,
    text: text,
    received: time,
    due: time,
    extension: maybe(object({ at: time, reason: text })),
    outcome: maybe(object({ state: text, at: time, text: maybe(text) })),
  })),
});
export type Requests = Of<typeof Requests>;

export const Looks = object({
  accesses: list(object({ index: number, at: time, who: text, what: text, why: text, data: list(text), from: text, emergency: flag, refused: flag })),
  next: maybe(number),
});
export type Looks = Of<typeof Looks>;

type Point = Points["points"][number];
/** One hour of a reading. The figures stay as the server wrote them: exact. */
export interface Hour {
  readonly at: number;
  readonly low: string;
  readonly high: string;
  readonly last: string;
}

/** Smallest, largest and last of each hour, oldest first. */
export function byHour(points: readonly Point[]): readonly Hour[] {
  const HOUR = 3600e6;
  const found = new Map<number, Hour>();
  for (const { at, low, high, last } of points) {
    const hour = Math.floor(at / HOUR) * HOUR;
    const known = found.get(hour);
    found.set(hour, known === undefined ? { at: hour, low, high, last } : { at: hour, low: Number(low) < Number(known.low) ? low : known.low, high: Number(high) > Number(known.high) ? high : known.high, last });
  }
  return [...found.values()];
}

type Access = Looks["accesses"][number];
/** Looks of one person at one time for one purpose, which a reader takes as one. */
export interface Look extends Access {
  readonly count: number;
}

/** Opening one page asks for many readings, and each is an entry of its own; here they stand as one look. Newest first, as they come. */
export function gathered(rows: readonly Access[]): readonly Look[] {
  const MINUTE = 60e6;
  const found: Look[] = [];
  for (const row of rows) {
    const before = found.at(-1);
    const same = before !== undefined && (["who", "what", "why", "from", "emergency", "refused"] as const).every((key) => before[key] === row[key]) && Math.abs(before.at - row.at) < MINUTE;
    if (same) found[found.length - 1] = { ...before, data: [...new Set([...before.data, ...row.data])], count: before.count + 1 };
    else found.push({ ...row, count: 1 });
  }
  return found;
}

export const mine = () => api.get("/own", Mine);
export const forms = () => api.get("/own/consents", Forms);
export const notices = () => api.get("/own/notices", Notices);
export const requests = () => api.get("/own/requests", Requests);
