/** What the server answers about a bed's limits, history and score (docs/alarms.md). */
import { any, flag, list, maybe, number, object, or, text, time, type Of } from "../../api/shape.ts";
import { Alarm, Score } from "../../live/alarms.ts";

const Set_ = object({ by: text, at: time, to: any, reason: maybe(text) });
export const Limit = object({
  rule: text,
  code: text,
  label: maybe(text),
  name: object({ de: maybe(text), en: maybe(text) }),
  unit: maybe(text),
  side: text,
  over: maybe(number),
  priority: text,
  /** `null`: off. */
  limit: maybe(number),
  profile: maybe(number),
  settable: maybe(object({ from: maybe(number), to: maybe(number) })),
  delay: maybe(number),
  set: maybe(Set_),
});
export type Limit = Of<typeof Limit>;
export const Limits = object({ profile: text, audio_pause_max: number, alarm_pause_max: number, audio_off_allowed: or(flag, false), limits: list(Limit) });
export type Limits = Of<typeof Limits>;

export const HistoryRecord = object({
  seq: number,
  at: time,
  bed: maybe(text),
  what: text,
  phase: maybe(text),
  alarm: any,
  rule: maybe(text),
  priority: maybe(text),
  to: any,
  by: any,
  reason: maybe(text),
  pause: maybe(text),
  until: maybe(time),
});
export type HistoryRecord = Of<typeof HistoryRecord>;
export const History = object({ records: list(HistoryRecord) });

/** The alarm a record tells of; some name it only. */
export function alarmOf(record: HistoryRecord): Alarm | null {
  if (typeof record.alarm !== "object" || record.alarm === null) return null;
  try {
    return Alarm(record.alarm, "history.alarm");
  } catch {
    return null; // Of an older version: the record itself is still shown.
  }
}

export const ScorePage = object({
  score: Score,
  scale: number,
  version: maybe(text),
  approver: maybe(text),
  caveats: or(list(text), []),
  parts: list(object({ parameter: text, state: text, points: maybe(number), value: any, at: maybe(time), age: maybe(number), by: maybe(object({ device: maybe(text), person: maybe(text) })) })),
});
export type ScorePage = Of<typeof ScorePage>;
