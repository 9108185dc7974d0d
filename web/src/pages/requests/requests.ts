/** Requests of patients as those who answer them see them. */
import { shape, t, type Of } from "../../kit/index.ts";

const { flag, list, maybe, object, or, text, time } = shape;

export const Row = object({
  case: text,
  subject: text,
  kind: text,
  channel: text,
  requester: maybe(text),
  text,
  received: time,
  due: time,
  overdue: flag,
  warned: flag,
  offered: flag,
  restricted: or(flag, false),
  identified: maybe(object({ at: time, how: text })),
  extension: maybe(object({ at: time, reason: text })),
  steps: list(object({ at: time, text })),
  recipients: list(object({ id: text, name: text, told: maybe(object({ at: time, how: text })) })),
  outcome: maybe(object({ state: text, at: time, ground: maybe(text), text: maybe(text) })),
});
export type Row = Of<typeof Row>;

export const KINDS = ["access", "treatment-file", "rectification", "erasure", "restriction", "portability", "objection"] as const;

/** Grounds the law knows, and the kinds each fits; the server decides again. */
const GROUNDS: Readonly<Record<string, readonly string[]>> = {
  unfounded: KINDS,
  excessive: KINDS,
  "not-identified": KINDS,
  "retention-duty": ["erasure"],
  "legal-claims": ["erasure", "objection"],
  therapeutic: ["treatment-file"],
  "third-party": ["access", "treatment-file", "portability"],
  "not-portable": ["portability"],
  "no-objection": ["objection"],
  accurate: ["rectification"],
  "no-case": ["erasure", "restriction"],
};

export function grounds(kind: string): readonly string[] {
  return Object.entries(GROUNDS).filter(([, kinds]) => kinds.includes(kind)).map(([ground]) => ground);
}

/** Steps the server writes down itself, in the reader's words; what people wrote stays as it is. */
export function step(row: Row, said: string): string {
  const [, version, why] = /^personal details corrected, version (\d+): (.*)$/s.exec(said) ?? [];
  if (version !== undefined) return t("requests-step-corrected", { version, why: why ?? "" });
  const [, firm, how] = /^told ([^:]+): (.*)$/s.exec(said) ?? [];
  if (firm !== undefined) return t("requests-step-told", { firm: row.recipients.find((each) => each.id === firm)?.name ?? firm, how: how ?? "" });
  return said === "copy handed out" ? t("requests-step-copy") : said;
}

/** Kinds that end with a copy. */
export function copies(row: Row): boolean {
  return row.kind === "access" || row.kind === "treatment-file" || (row.kind === "portability" && row.offered);
}
