import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange } from "../src/live/parameters.ts";
import type { Bed, DeviceState, NumericStream, Stream, Tick } from "../src/live/protocol.ts";
import { age, bedState, curveState, viewDevices, viewParameter, viewPart, type Latest, type Look, type Situation } from "../src/live/state.ts";

const S = 1e6;
const NOW = 1764000000 * S;
const AT: Situation = { now: NOW, link: "live", device: "online" };

function numeric(code: number, index = 0, period: number | null = 1): NumericStream {
  return { kind: "numeric", index, device: "mon-01", code, reference: null, label: "X", name: { de: "x", en: "x" }, unit: "/min", places: 0, period };
}

function wave(code: number, index: number): Stream {
  return { kind: "waveform", index, device: "mon-01", code, reference: null, label: "W", name: { de: "w", en: "w" }, unit: "mV", rate: 250, gain: 1, baseline: 0 };
}

/** A value taken and received `seconds` ago. */
function taken(seconds: number, value: number | null = 72, quality = 0): Latest {
  return { takenAt: NOW - seconds * S, receivedAt: NOW - seconds * S, value, quality };
}

test("how a value looks, by age, period, quality, device and link", () => {
  const check = (name: string, latest: Latest | undefined, expected: Look, at: Partial<Situation> = {}, period: number | null = 1): void => {
    const view = viewPart(numeric(147842, 0, period), latest, { ...AT, ...at });
    assert.equal(view.look, expected, name);
    assert.equal(view.value !== null, expected === "current" || expected === "suspect", `${name}: a value is shown only when it is one`);
  };
  check("fresh", taken(0.5), "current");
  check("just within twice the period", taken(1.99), "current");
  check("older than twice the period", taken(2.01), "stale");
  check("cuff, 20 minutes, period 15", taken(1200), "current", {}, 900);
  check("cuff, 31 minutes, period 15", taken(1860), "stale", {}, 900);
  check("period unknown, 9 s", taken(9), "current", {}, null);
  check("period unknown, 11 s", taken(11), "stale", {}, null);
  check("never a value", undefined, "none");
  check("never a value, link lost", undefined, "link", { link: "lost" });
  check("fresh, but the link is lost", taken(0.1), "link", { link: "lost" });
  check("connecting is not live", taken(0.1), "link", { link: "connecting" });
  for (const device of ["silent", "offline", "revoked", "invited", "unknown"] as DeviceState[]) check(`fresh, but the device is ${device}`, taken(0.1), "device", { device });
  check("no value", taken(0.1, null), "unusable");
  check("sensor off, though a number is there", taken(0.1, 72, 4), "unusable");
  check("invalid", taken(0.1, 72, 2), "unusable");
  check("questionable", taken(0.1, 72, 1), "suspect");
  check("calibrating", taken(0.1, 72, 8), "suspect");
  check("clock suspect", taken(0.1, 72, 32), "suspect");
  check("late or test alone casts no doubt", taken(0.1, 72, 16 + 64), "current");
  check("a flag this page does not know", taken(0.1, 72, 128), "suspect");
});

test("a device clock in the future cannot keep a value young, and is doubted", () => {
  const ahead: Latest = { takenAt: NOW + 3600 * S, receivedAt: NOW - 10 * S, value: 72, quality: 0 };
  assert.equal(age(ahead, NOW), 10);
  assert.equal(viewPart(numeric(147842), ahead, AT).look, "stale");
  const fresh = viewPart(numeric(147842), { ...ahead, receivedAt: NOW }, AT);
  assert.equal(fresh.look, "suspect");
  assert.ok(fresh.notes.includes("clock-suspect"));
});

test("a stale value keeps its last number for the struck-through place only", () => {
  const view = viewPart(numeric(147842), taken(30), AT);
  assert.deepEqual([view.value, view.last, view.ageSeconds], [null, 72, 30]);
});

function bed(streams: Stream[], occupied = true): Bed {
  return { id: "bed-01", label: "1.1", occupied, since: null, devices: [{ id: "mon-01", model: "m", kind: "monitor", lifeSupporting: false }], streams };
}

test("a pressure is as good as its worst part", () => {
  const streams = [numeric(150037, 1), numeric(150038, 2), numeric(150039, 3)];
  const { strip } = arrange(bed(streams), 4);
  const [group] = strip;
  assert.ok(group && strip.length === 1);
  const latest = new Map([[1, taken(0.5, 120)], [2, taken(5, 80)], [3, taken(0.5, 93)]]);
  const view = viewParameter(group.parameter, latest, AT);
  assert.equal(view.look, "stale");
  assert.deepEqual(view.parts.map((part) => part?.value), [120, null, 93]);
  assert.equal(view.ageSeconds, 5);
});

test("numbers stand beside their curves and none is lost when there is no room", () => {
  const streams = [wave(150452, 0), wave(131330, 1), wave(151552, 2), numeric(150456, 3), numeric(147842, 4), numeric(151578, 5), numeric(149530, 6), numeric(4711, 7)];
  const kinds = (limit: number, fold = false): unknown => {
    const { rows, strip } = arrange(bed(streams), limit, fold);
    return [rows.map((row) => `${row.curve.hue}:${row.group?.parameter.kind ?? ""}`), strip.map((group) => group.parameter.kind)];
  };
  assert.deepEqual(kinds(3), [["ecg:hr", "pleth:spo2", "resp:rr"], ["pr", "other"]]);
  assert.deepEqual(kinds(1), [["ecg:hr"], ["spo2", "rr", "pr", "other"]]);
  assert.deepEqual(kinds(3, true), [["ecg:hr", "pleth:spo2", "resp:rr"], ["other"]]);
  const { rows } = arrange(bed(streams), 3, true);
  assert.deepEqual(rows[1]?.group?.companions.map((companion) => companion.kind), ["pr"]);
});

test("more leads of the ECG come only after one curve of each kind", () => {
  const streams = [wave(131329, 0), wave(131330, 1), wave(131335, 2), wave(151552, 3)];
  const codes = (limit: number): number[] => arrange(bed(streams), limit).rows.map((row) => row.curve.stream.code);
  assert.deepEqual(codes(2), [131330, 151552]);
  assert.deepEqual(codes(3), [131330, 131329, 151552]);
});

function tick(state: DeviceState): Tick {
  return { time: NOW, store: "good", charter: "in_force", devices: new Map([["mon-01", { state, heardAt: NOW - S }]]), refused: new Map() };
}

test("the bed as a whole", () => {
  const one = bed([]);
  const state = (link: Situation["link"], now: Tick | null, occupied = true, data = true): string =>
    bedState({ ...one, occupied }, link, viewDevices(one, now, link, NOW), data);
  assert.equal(state("live", tick("online")), "well");
  assert.equal(state("live", tick("offline")), "dead");
  assert.equal(state("live", tick("silent")), "dead");
  assert.equal(state("live", null), "dead", "a device nobody speaks of is not well");
  assert.equal(state("lost", tick("online")), "link");
  assert.equal(state("live", tick("online"), false, false), "empty");
  assert.equal(state("live", tick("online"), false, true), "unbound", "values on a bed without a patient are shown and said so");
  assert.equal(bedState({ ...one, devices: [] }, "live", [], false), "no-devices");
  assert.equal(viewDevices(one, tick("online"), "lost", NOW)[0]?.state, "unknown", "behind a dead link no device is known to be well");
});

test("a curve without news is hatched within 5 s, whatever the device claims", () => {
  const state = (behind: number | null, quality = 0, at: Partial<Situation> = {}, speed = 1): string =>
    curveState(behind === null ? null : NOW - behind * S, quality, 1, 2.5, speed, { ...AT, ...at });
  assert.equal(state(1), "live");
  assert.equal(state(4.5), "silent");
  assert.equal(state(null), "silent");
  assert.equal(state(60, 0, {}, 20), "live");
  assert.equal(state(100, 0, {}, 20), "silent");
  assert.equal(state(1, 4), "sensor-off");
  assert.equal(state(1, 1), "suspect");
  assert.equal(state(1, 0, { device: "offline" }), "device");
  assert.equal(state(1, 0, { link: "lost" }), "link");
});
