/** What the server says of an entry, and the sentence a reader gets for it. */
import { shape, t, words, type Of } from "../../kit/index.ts";

const { bilingual, flag, list, maybe, number, object, text, time } = shape;

export const Row = object({
  index: number, at: time, kind: text, action: text, actor: object({ kind: text, id: text, name: maybe(text) }), role: maybe(text), role_text: maybe(bilingual), purpose_text: maybe(bilingual), organisation: maybe(text),
  purpose: maybe(text), resource: object({ kind: text, id: maybe(text) }), subject: maybe(text), categories: list(text), outcome: text, why: maybe(text),
  channel: text, address: maybe(text), policies: list(text), case: maybe(text), request: text, note: maybe(text), note_removed: flag,
});
export type Row = Of<typeof Row>;
export const Rows = object({ entries: list(Row), older: maybe(number), state: text, size: number });

export const KINDS = [
  "access", "denial", "sign-in", "sign-out", "break-glass-start", "break-glass-stop", "break-glass-review", "consent", "request", "erasure", "retention", "backup", "people",
  "charter", "device", "key", "export", "search", "system",
] as const;

export const kind = (id: string): string => words.code("ledger-kind", id);
/** Whoever acted: a name if it is known, else what it is and the beginning of its identifier. */
export const actor = (row: Row): string => row.actor.name !== null && row.actor.name !== "" ? row.actor.name : row.actor.kind === "system" || row.actor.kind === "console" ? words.code("ledger-actor", row.actor.kind) : `${words.code("ledger-actor", row.actor.kind)} ${row.actor.id.slice(0, 8)}`;
/** What was done, in words; what has none (a role's own word, say) stays as it is. */
export const action = (id: string): string => (words.has(`ledger-action-${id}`) ? t(`ledger-action-${id}`) : id);
/** On what: the kind in words, and which one. */
export const resource = (row: Row): string => {
  const { kind: of, id } = row.resource;
  const named = words.has(`ledger-resource-${of}`) ? t(`ledger-resource-${of}`) : of;
  return id === null ? named : `${named} ${id}`;
};
export const why = (id: string): string => (words.has(`ledger-why-${id}`) ? t(`ledger-why-${id}`) : id);
export const outcome = (row: Row): string => words.code("ledger-outcome", row.outcome);

/** One sentence in plain words: when, who, what, to whose data, with what result. */
export function sentence(row: Row): string {
  const whose = row.subject === null ? "" : t("ledger-sentence-subject", { subject: row.subject.slice(0, 8) });
  return t("ledger-sentence", { when: words.moment(row.at), who: actor(row), kind: kind(row.kind), action: action(row.action), whose, outcome: outcome(row) });
}
