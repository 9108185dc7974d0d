import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, NO_VALUE } from "../src/live/protocol.ts";

const text = (type: number, value: unknown): ArrayBuffer => Uint8Array.from([type, ...new TextEncoder().encode(JSON.stringify(value))]).buffer;

function waves(blocks: readonly { stream: number; quality: number; start: number; samples: readonly number[] }[], change?: (view: DataView) => void): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(4 + blocks.reduce((sum, block) => sum + 14 + 2 * block.samples.length, 0)));
  view.setUint8(0, 2);
  view.setUint8(1, 1);
  view.setUint16(2, blocks.length, true);
  let at = 4;
  for (const block of blocks) {
    view.setUint16(at, block.stream, true);
    view.setUint16(at + 2, block.samples.length, true);
    view.setUint8(at + 4, block.quality);
    view.setFloat64(at + 6, block.start, true);
    block.samples.forEach((sample, i) => { view.setInt16(at + 14 + 2 * i, sample, true); });
    at += 14 + 2 * block.samples.length;
  }
  change?.(view);
  return view.buffer;
}

const LAYOUT = {
  version: 1,
  ward: { id: "station-3", name: "Station 3" },
  server_time: 1764000000000000,
  speed: 1,
  charter: { fingerprint: "ab12", name: "demo" },
  beds: [
    {
      id: "bed-01", label: "1.1", occupied: true,
      devices: [{ id: "mon-01", model: "monitor-m1", kind: "monitor", life_supporting: false }],
      streams: [
        { i: 0, device: "mon-01", code: 131330, ref: "MDC_ECG_ELEC_POTL_II", kind: "waveform", label: "II", name: { de: "EKG", en: "ECG" }, unit: "mV", rate: 250, gain: 200, baseline: 0 },
        { i: 7, device: "mon-01", code: 147842, ref: "MDC_ECG_HEART_RATE", kind: "numeric", label: "HR", name: { de: "Herzfrequenz", en: "heart rate" }, unit: "/min", places: 0, period: 1 },
      ],
    },
  ],
};

function refusal(buffer: ArrayBuffer): string {
  const decoded = decode(buffer);
  return decoded.ok ? "accepted" : decoded.reason;
}

test("a layout as in the contract is understood", () => {
  const decoded = decode(text(1, LAYOUT));
  assert.ok(decoded.ok && decoded.message.type === "layout");
  const [bed] = decoded.message.layout.beds;
  assert.equal(bed?.label, "1.1");
  assert.equal(bed.streams[0]?.kind, "waveform");
  assert.deepEqual(bed.streams[1]?.kind === "numeric" && [bed.streams[1].period, bed.streams[1].places], [1, 0]);
});

test("a layout that lacks something, or of another version, is refused whole", () => {
  assert.equal(refusal(text(1, { ...LAYOUT, version: 2 })), "unknown_version");
  assert.equal(refusal(text(1, { ...LAYOUT, speed: 0 })), "malformed");
  assert.equal(refusal(text(1, { ...LAYOUT, beds: {} })), "malformed");
  const [bed] = LAYOUT.beds;
  assert.equal(refusal(text(1, { ...LAYOUT, beds: [{ ...bed, occupied: "yes" }] })), "malformed");
  assert.equal(refusal(text(1, { ...LAYOUT, beds: [{ ...bed, streams: [{ ...bed?.streams[0], gain: 0 }] }] })), "malformed");
});

test("wave blocks keep start, quality and missing samples", () => {
  const decoded = decode(waves([{ stream: 3, quality: 65, start: 1764000000123456, samples: [1, -2, NO_VALUE] }, { stream: 4, quality: 0, start: 5, samples: [] }]));
  assert.ok(decoded.ok && decoded.message.type === "waves");
  const [first, second] = decoded.message.blocks;
  assert.deepEqual([first?.stream, first?.quality, first?.start, [...(first?.samples ?? [])]], [3, 65, 1764000000123456, [1, -2, NO_VALUE]]);
  assert.equal(second?.samples.length, 0);
});

test("wave messages that are cut, too long or not finite are refused", () => {
  const good = waves([{ stream: 1, quality: 0, start: 1, samples: [1, 2, 3] }]);
  for (let end = 1; end < good.byteLength; end++) assert.equal(refusal(good.slice(0, end)), "malformed", `cut at ${end}`);
  assert.equal(refusal(Uint8Array.from([...new Uint8Array(good), 0]).buffer), "malformed");
  assert.equal(refusal(waves([{ stream: 1, quality: 0, start: Number.NaN, samples: [1] }])), "malformed");
  assert.equal(refusal(waves([], (view) => { view.setUint8(1, 9); })), "unknown_version");
});

test("numbers may be null, never anything else than numbers", () => {
  const decoded = decode(text(3, { t: 10, n: [[7, 9, 72.5, 0], [8, 9, null, 4]] }));
  assert.ok(decoded.ok && decoded.message.type === "numbers");
  assert.deepEqual(decoded.message.numbers, [{ stream: 7, takenAt: 9, value: 72.5, quality: 0 }, { stream: 8, takenAt: 9, value: null, quality: 4 }]);
  assert.equal(refusal(text(3, { t: 10, n: [[7, 9, "72", 0]] })), "malformed");
  assert.equal(refusal(text(3, { n: [] })), "malformed");
});

test("a tick with states this page does not know says unknown, not good", () => {
  const decoded = decode(text(4, { t: 1, store: "splendid", charter: "in_force", devices: [["a", "online", 1], ["b", "asleep", null]], refused: { rate: 2 }, frames: 1, clients: 1 }));
  assert.ok(decoded.ok && decoded.message.type === "tick");
  const { tick } = decoded.message;
  assert.equal(tick.store, "unknown");
  assert.equal(tick.devices.get("b")?.state, "unknown");
  assert.equal(tick.refused.get("rate"), 2);
});

test("noise is refused and never throws", () => {
  assert.equal(refusal(new ArrayBuffer(0)), "empty");
  assert.equal(refusal(Uint8Array.from([9, 1, 2]).buffer), "unknown_type");
  assert.equal(refusal(Uint8Array.from([1, 0xff, 0xfe]).buffer), "malformed");
  let state = 1;
  const next = (): number => (state = (state * 1103515245 + 12345) & 0x7fffffff) >>> 16;
  for (let round = 0; round < 20000; round++) {
    const bytes = Uint8Array.from({ length: next() % 64 }, () => next() & 255);
    if (bytes.length > 0 && round % 2 === 0) bytes[0] = 1 + (next() % 4);
    decode(bytes.buffer);
  }
});
