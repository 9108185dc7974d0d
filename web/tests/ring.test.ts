import assert from "node:assert/strict";
import { test } from "node:test";
import { MISSING, WaveRing } from "../src/live/ring.ts";

const RATE = 100;
const T0 = 1764000000e6;
const SLOT0 = (T0 / 1e6) * RATE;

function ring(): WaveRing {
  return new WaveRing({ rate: RATE, gain: 2, baseline: 10 }, 1);
}

/** Writes samples whose first lies `slot` slots after T0. */
function put(to: WaveRing, slot: number, samples: number[], quality = 0, jitter = 0): void {
  to.write({ start: T0 + (slot / RATE) * 1e6 + jitter, samples: Int16Array.from(samples), quality });
}

const read = (from: WaveRing, slot: number, count: number): number[] => Array.from({ length: count }, (_, i) => from.value(SLOT0 + slot + i));

test("samples become physical values; no value is NaN; what did not come is missing", () => {
  const to = ring();
  put(to, 0, [10, 12, -32768]);
  put(to, 20, [14], 1);
  assert.deepEqual(read(to, 0, 4), [0, 1, Number.NaN, MISSING]);
  assert.equal(to.value(SLOT0 + 20), 2);
  assert.equal(to.quality(SLOT0 + 20), 1);
  assert.equal(to.headQuality, 1);
});

test("rounding between blocks is not a gap, a lost block is one", () => {
  const to = ring();
  put(to, 0, [12, 12, 12]);
  put(to, 3, [14, 14, 14], 0, 14_000); // 1.4 slots late
  assert.deepEqual(read(to, 0, 6), [1, 1, 1, 2, 2, 2]);
  put(to, 12, [16]);
  assert.deepEqual(read(to, 6, 7), [MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, 3]);
});

test("a late block fills its gap and tells the listeners; one older than the ring is dropped", () => {
  const to = ring();
  const heard: number[] = [];
  to.listeners.add(({ from }) => heard.push(from - SLOT0));
  put(to, 0, [12]);
  put(to, 30, [12]);
  put(to, 10, [16, 16]);
  assert.deepEqual(read(to, 9, 4), [MISSING, 3, 3, MISSING]);
  assert.equal(to.head, SLOT0 + 30);
  put(to, 300, [12]);
  assert.deepEqual(read(to, 30, 1), [MISSING]);
  assert.equal(to.write({ start: T0, samples: Int16Array.from([12]), quality: 0 }), null);
  assert.deepEqual(heard, [0, 30, 10, 300]);
});

test("a block longer than the ring keeps its end", () => {
  const to = ring();
  put(to, 0, Array.from({ length: 250 }, (_, i) => 10 + 2 * i));
  assert.equal(to.value(SLOT0 + 249), 249);
  assert.equal(to.value(SLOT0 + 150), 150);
  assert.equal(to.value(SLOT0 + 149), MISSING);
  assert.deepEqual(to.extremes(SLOT0, SLOT0 + 400), { min: 150, max: 249 });
});
