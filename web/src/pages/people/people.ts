/** What the server says of people, and the questions both pages ask it. */
import { api, shape, type Of } from "../../kit/index.ts";

const { bilingual, flag, list, maybe, number, object, text, time } = shape;

export const Held = object({ role: text, wards: list(text), source: text, from: time, until: maybe(time), asleep: maybe(text) });
export const Person = object({
  id: text,
  name: text,
  kind: text,
  recipient: maybe(text),
  roles: list(Held),
  trainings: list(object({ training: text, on: time, until: time })),
  pledged: maybe(time),
  disabled: maybe(time),
  passkeys: list(object({ label: text, added: time, used: maybe(time) })),
  provider: flag,
  /** Until when an open link may be used. */
  invited: maybe(time),
  sessions: number,
});
export const Role = object({
  id: text,
  text: bilingual,
  kind: text,
  recipient: maybe(text),
  wards: flag,
  training: maybe(object({ text: bilingual, months: number })),
  /** Roles nobody holds together with this one. */
  apart: list(text),
});
export const Everybody = object({
  people: list(Person),
  roles: list(Role),
  recipients: list(object({ id: text, name: text, in_force: flag })),
  wards: list(object({ id: text, name: text })),
  oidc: maybe(text),
});
export const Link = object({ link: text, expires: time });

export type Held = Of<typeof Held>;
export type Person = Of<typeof Person>;
export type Role = Of<typeof Role>;
export type Everybody = Of<typeof Everybody>;
export type Link = Of<typeof Link>;

export const everybody = () => api.get("/people", Everybody);

/** Roles somebody of this sort may have, beside those they hold. */
export function open(all: Everybody, kind: string, recipient: string | null, held: readonly string[]): readonly Role[] {
  return all.roles.filter((role) => role.kind === kind && role.recipient === recipient && !held.includes(role.id) && !held.some((other) => role.apart.includes(other)));
}

/** The beginning of a day as the browser's date field gives it, µs, or of as many days later; `null` if there is none. */
export function day(value: string, later = 0): number | null {
  const at = Date.parse(`${value}T00:00:00Z`);
  return Number.isNaN(at) ? null : (at + later * 86_400_000) * 1000;
}

export const today = (): string => new Date().toISOString().slice(0, 10);
