/**
 * Alarms as the server tells them (docs/alarms.md): shapes, and the pure rules of what is shown first and as what. Not for: drawing, sound, acts.
 *
 * What always holds: an alarm is never lost for a word the page does not know; the word is then read as the graver one. Times are µs of the server's clock.
 */
import { any, bilingual, flag, list, maybe, number, object, or, text, time, type Of, type Shape } from "../api/shape.ts";

/** One of `words`; anything else reads as `otherwise`, which must be the graver one. */
const among =
  <const T extends string>(words: readonly T[], otherwise: NoInfer<T>): Shape<T> =>
  (value) =>
    words.find((each) => each === value) ?? otherwise;

export const PRIORITIES = ["high", "medium", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];
const priority = among(PRIORITIES, "high");

export const Alarm = object({
  id: text,
  bed: maybe(text),
  rule: text,
  kind: among(["physiological", "technical", "advisory"], "technical"),
  priority,
  declared: priority,
  marks: text,
  state: among(["active", "latched"], "active"),
  inactivation: among(["enabled", "audio-paused", "audio-off", "alarm-paused", "alarm-off", "alert-acknowledged"], "enabled"),
  phase: or(text, ""),
  text: bilingual,
  /** MDC reference identifier of what it is about. */
  code: maybe(text),
  value: maybe(number),
  worst: maybe(number),
  limit: maybe(number),
  unit: maybe(text),
  since: time,
  raised: time,
  ended: maybe(time),
  late: or(flag, false),
  evidence: among(["known", "unknown"], "unknown"),
  source: maybe(text),
  downgraded: maybe(text),
  delay: maybe(number),
  rule_version: maybe(text),
  acknowledged: maybe(object({ by: text, at: time, judged: maybe(text) })),
  calling: maybe(object({ step: number, next_at: maybe(time), accepted: maybe(any), unanswered: or(flag, false) })),
});
export type Alarm = Of<typeof Alarm>;

export const Score = object({
  table: text,
  complete: flag,
  total: maybe(number),
  at_least: maybe(number),
  band: maybe(text),
  text: maybe(bilingual),
  single: or(flag, false),
  missing: or(list(text), []),
  not_applicable: maybe(text),
  at: maybe(time),
});
export type Score = Of<typeof Score>;

export const BedRow = object({
  bed: text,
  label: text,
  occupied: or(flag, false),
  profile: maybe(text),
  alarms: list(Alarm),
  sound: maybe(priority),
  audio_paused_until: maybe(time),
  alarms_paused_until: maybe(time),
  audio_off: or(flag, false),
  standby_since: maybe(time),
  responsible: maybe(text),
  offer: maybe(object({ to: text, by: text })),
  limits_set: or(number, 0),
  limits_off: or(number, 0),
  score: maybe(Score),
});
export type BedRow = Of<typeof BedRow>;

const WardRow = object({ alarms: list(Alarm), sound: maybe(priority) });
export type WardRow = Of<typeof WardRow>;

export const AlarmsMessage = object({ t: time, whole: flag, watching: flag, ward: maybe(WardRow), beds: list(BedRow) });
export type AlarmsMessage = Of<typeof AlarmsMessage>;

/** What the page knows of the ward's alarms. */
export interface WardAlarms {
  readonly watching: boolean;
  readonly ward: WardRow;
  readonly beds: ReadonlyMap<string, BedRow>;
}

/** A message on top of what was known. Without a whole one before it, rows of single beds mean nothing: then nothing is known still. */
export function apply(before: WardAlarms | null, message: AlarmsMessage): WardAlarms | null {
  if (!message.whole && before === null) return null;
  const beds = new Map(message.whole ? [] : before?.beds);
  for (const row of message.beds) beds.set(row.bed, row);
  return { watching: message.watching, ward: message.ward ?? before?.ward ?? { alarms: [], sound: null }, beds };
}

/** How an alarm stands, for the eye: it calls; it is over and still calls; somebody has seen it; it is put to rest for a while. */
export type Standing = "active" | "latched" | "acknowledged" | "paused";

export function standing(alarm: Alarm): Standing {
  if (alarm.inactivation === "alert-acknowledged") return "acknowledged";
  if (alarm.inactivation === "alarm-paused" || alarm.inactivation === "alarm-off") return "paused";
  return alarm.state;
}

/** Whether a press on it would do something: what is acknowledged needs nothing more. */
export function answerable(alarm: Alarm): boolean {
  return alarm.inactivation !== "alert-acknowledged";
}

/** Alarms in the order they want to be seen: what nobody has answered before what somebody has, each by urgency; otherwise as the server told them. */
export function inOrder(alarms: readonly Alarm[]): Alarm[] {
  const rank = (alarm: Alarm): number => (answerable(alarm) ? 0 : PRIORITIES.length) + PRIORITIES.indexOf(alarm.priority);
  return [...alarms].sort((a, b) => rank(a) - rank(b));
}

/** The alarm that concerns one of these codes most urgently. */
export function concerning(alarms: readonly Alarm[], references: readonly (string | null)[]): Alarm | null {
  return inOrder(alarms).find((alarm) => alarm.code !== null && references.includes(alarm.code)) ?? null;
}

/** The most urgent alarm to be heard anywhere. */
export function loudest(known: WardAlarms): Priority | null {
  const heard = new Set([known.ward.sound, ...[...known.beds.values()].map((row) => row.sound)]);
  return PRIORITIES.find((each) => heard.has(each)) ?? null;
}

/** Seconds left, as `m:ss`; never below zero. */
export function countdown(until: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((until - now) / 1e6));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
