import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, BedRow, concerning, countdown, inOrder, loudest, standing, type Alarm } from "../src/live/alarms.ts";
import { decode } from "../src/live/protocol.ts";

function alarm(id: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id, bed: "bed-01", rule: "heart-rate-high", kind: "physiological", priority: "medium", declared: "medium", marks: "**", state: "active", inactivation: "enabled", phase: "start",
    text: { de: "HF 134 > 120", en: "HR 134 > 120" }, code: "MDC_ECG_HEART_RATE", value: 134, worst: 141, limit: 120, unit: "/min", since: 1, raised: 2, ended: null, late: false, evidence: "known", ...more,
  };
}
const row = (bed: string, alarms: unknown[], sound: string | null = null): Record<string, unknown> => ({ bed, label: bed, occupied: true, alarms, sound });
const message = (more: Record<string, unknown>): ReturnType<typeof decode> => {
  const made = JSON.stringify({ t: 5, whole: true, watching: true, ward: { alarms: [], sound: null }, beds: [], ...more });
  return decode(new Uint8Array([5, ...new TextEncoder().encode(made)]).buffer);
};
function told(more: Record<string, unknown>): Extract<Extract<ReturnType<typeof decode>, { ok: true }>["message"], { type: "alarms" }>["alarms"] {
  const decoded = message(more);
  assert.ok(decoded.ok && decoded.message.type === "alarms");
  return decoded.message.alarms;
}
const alarmsOf = (...made: Record<string, unknown>[]): readonly Alarm[] => BedRow(row("bed-01", made), "row").alarms;

test("a word the page does not know is read as the graver one; an alarm is never lost for it", () => {
  const [found] = alarmsOf(alarm("a", { priority: "extreme", state: "dreaming", inactivation: "snoozed", evidence: "maybe", kind: "cosmic" }));
  assert.ok(found);
  assert.deepEqual([found.priority, found.state, found.inactivation, found.evidence, found.kind], ["high", "active", "enabled", "unknown", "technical"]);
});

test("a message that lacks an alarm's text is refused whole", () => {
  assert.deepEqual(message({ beds: [row("bed-01", [alarm("a", { text: null })])] }), { ok: false, reason: "malformed" });
});

test("rows replace their bed and leave the others; before the whole nothing is known", () => {
  assert.equal(apply(null, told({ whole: false, beds: [row("bed-01", [alarm("a")])] })), null);
  const first = apply(null, told({ beds: [row("bed-01", [alarm("a")], "medium"), row("bed-02", [alarm("b")], "high")], ward: { alarms: [alarm("s")], sound: "low" } }));
  assert.ok(first);
  assert.equal(loudest(first), "high");
  const second = apply(first, told({ whole: false, ward: null, beds: [row("bed-02", [])] }));
  assert.ok(second);
  assert.deepEqual([...second.beds].map(([bed, { alarms }]) => [bed, alarms.length]), [["bed-01", 1], ["bed-02", 0]]);
  assert.equal(second.ward.alarms.length, 1, "the ward's own stay when a message does not speak of them");
  assert.equal(loudest(second), "medium");
  const third = apply(second, told({ beds: [] }));
  assert.equal(third?.beds.size, 0);
});

test("what nobody has answered comes first, each by urgency", () => {
  const seen = { inactivation: "alert-acknowledged" };
  const order = inOrder(alarmsOf(alarm("seen-high", { priority: "high", ...seen }), alarm("medium"), alarm("low", { priority: "low" }), alarm("high", { priority: "high" })));
  assert.deepEqual(order.map(({ id }) => id), ["high", "medium", "low", "seen-high"]);
});

test("how an alarm stands", () => {
  const check = (more: Record<string, unknown>, expected: string): void => {
    const [found] = alarmsOf(alarm("a", more));
    assert.ok(found);
    assert.equal(standing(found), expected);
  };
  check({}, "active");
  check({ state: "latched" }, "latched");
  check({ inactivation: "audio-paused" }, "active");
  check({ inactivation: "alarm-paused" }, "paused");
  check({ inactivation: "alert-acknowledged", state: "active" }, "acknowledged");
});

test("the value concerned is found by its code; time left never runs below zero", () => {
  const found = alarmsOf(alarm("a"), alarm("b", { code: "MDC_PULS_OXIM_SAT_O2", priority: "high" }));
  assert.equal(concerning(found, ["MDC_PULS_OXIM_SAT_O2"])?.id, "b");
  assert.equal(concerning(found, [null, "MDC_TEMP_BODY"]), null);
  assert.equal(countdown(92e6, 0), "1:32");
  assert.equal(countdown(0, 5e6), "0:00");
});
