/** What the server says of the deletion concept, of holds and of erasures. */
import { shape, t, words, type Of } from "../../kit/index.ts";

const { bilingual, flag, list, maybe, number, object, text, time } = shape;

export const Line = object({
  kind: text, class: maybe(text), with: maybe(text), start: maybe(text), period: maybe(text), basis: maybe(bilingual), kept: maybe(number), bytes: maybe(number),
  due: number, held: number, overdue: number, removed: number,
});
export type Line = Of<typeof Line>;
export const Report = object({ at: time, dry: flag, lines: list(Line), unknown: list(text), due: number, overdue: number, removed: number });
export type Report = Of<typeof Report>;
export const Concept = object({
  charter: object({ name: text, fingerprint: text }), controller: text, now: Report, last_run: maybe(Report),
  progress: maybe(object({ since: time, what: text, done: number, total: number })),
});

export const Hold = object({
  case: text, scope: object({ subject: maybe(text), class: maybe(text) }), reason: text, number: text, requester: text, proposed: time, approved: maybe(time),
  approve_by: time, review: time, released: maybe(time), holds: flag, review_due: flag,
});
export type Hold = Of<typeof Hold>;

export const Erasure = object({ case: text, decided: time, reason: text, request: maybe(text), done: flag });
export type Erasure = Of<typeof Erasure>;

/** The rule in a few words: class and period, or what it goes with. */
export function rule(line: Line): string {
  if (line.with !== null) return t("retention-with", { kind: words.code("retention-kind", line.with) });
  if (line.period === null) return line.class ?? t("retention-technical");
  return t("retention-period", { period: period(line.period), start: words.code("retention-start", line.start ?? "") });
}

const UNITS: Readonly<Record<string, string>> = { s: "second", min: "minute", h: "hour", d: "day", w: "week", months: "month", month: "month", m: "month", y: "year" };
/** A period as the charter writes it (`72 h`, `10 y`), in words. */
export function period(charter: string): string {
  const [, count = "", unit = ""] = /^(\d+) ?([a-z]+)$/.exec(charter) ?? [];
  const named = UNITS[unit];
  return named === undefined ? charter : new Intl.NumberFormat(words.locale, { style: "unit", unit: named, unitDisplay: "long" }).format(Number(count));
}

/** A retention class has no name but the charter's word for it. */
export const classNamed = (id: string): string => t("retention-class-named", { class: id });
