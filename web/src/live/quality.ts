/** What is known about how good a value is. The bits are those of the wire format (`obhut-model`, quality). */

export const QUESTIONABLE = 1;
export const INVALID = 2;
export const SENSOR_OFF = 4;
export const CALIBRATING = 8;
export const TEST = 16;
export const CLOCK_SUSPECT = 32;
export const LATE = 64;
const KNOWN = 127;

/** Message ids, most important first. */
export type QualityNote = "sensor-off" | "invalid" | "calibrating" | "questionable" | "unknown" | "clock-suspect" | "late" | "test";

/** The flags in words, most important first. A bit this page does not know is a doubt, not nothing. */
export function notes(bits: number): QualityNote[] {
  const found: QualityNote[] = [];
  if (bits & SENSOR_OFF) found.push("sensor-off");
  if (bits & INVALID) found.push("invalid");
  if (bits & CALIBRATING) found.push("calibrating");
  if (bits & QUESTIONABLE) found.push("questionable");
  if (bits & ~KNOWN) found.push("unknown");
  if (bits & CLOCK_SUSPECT) found.push("clock-suspect");
  if (bits & LATE) found.push("late");
  if (bits & TEST) found.push("test");
  return found;
}

/** The device itself says there is no usable value. */
export function unusable(bits: number): boolean {
  return (bits & (INVALID | SENSOR_OFF)) !== 0;
}

/** A flag casts doubt on the value or its time. */
export function doubtful(bits: number): boolean {
  return (bits & (QUESTIONABLE | INVALID | SENSOR_OFF | CALIBRATING | CLOCK_SUSPECT)) !== 0 || (bits & ~KNOWN) !== 0;
}
