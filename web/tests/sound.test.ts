import assert from "node:assert/strict";
import { test } from "node:test";
import { PRIORITIES, type Priority } from "../src/live/alarms.ts";
import { burst } from "../src/sound/burst.ts";
import { RANGES, SIGNALS } from "../src/sound/table.ts";

const RATE = 48_000;

function within(what: string, value: number, [least, most]: readonly [number, number]): void {
  assert.ok(value >= least && value <= most, `${what}: ${value.toFixed(2)} outside ${least}–${most}`);
}

/** Pulses as found in the samples, by where they rise above `level` of the highest: begin and end, ms. */
function pulses(samples: Float32Array, level: number): [number, number][] {
  const window = RATE / 200; // 5 ms: longer than a period of the fundamentals
  const found: [number, number][] = [];
  const highest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let begin: number | null = null;
  for (let i = 0; i < samples.length; i++) {
    let here = 0;
    for (let k = i; k < Math.min(i + window, samples.length); k += 1) here = Math.max(here, Math.abs(samples[k] ?? 0));
    if (here > level * highest) begin ??= i;
    else if (begin !== null) {
      found.push([(begin * 1000) / RATE, (i * 1000) / RATE]);
      begin = null;
    }
  }
  if (begin !== null) found.push([(begin * 1000) / RATE, (samples.length * 1000) / RATE]);
  return found;
}

/** Radix-2 FFT; returns magnitudes of the first half. */
function spectrum(from: Float32Array): Float64Array {
  const n = from.length;
  const re = Float64Array.from(from, (value, i) => value * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n)));
  const im = new Float64Array(n);
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j]] = [re[j] ?? 0, re[i] ?? 0];
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let base = 0; base < n; base += size) {
      for (let k = 0; k < size / 2; k++) {
        const angle = (-2 * Math.PI * k) / size;
        const [a, b] = [base + k, base + k + size / 2];
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        const [tr, ti] = [(re[b] ?? 0) * cos - (im[b] ?? 0) * sin, (re[b] ?? 0) * sin + (im[b] ?? 0) * cos];
        [re[b], im[b]] = [(re[a] ?? 0) - tr, (im[a] ?? 0) - ti];
        [re[a], im[a]] = [(re[a] ?? 0) + tr, (im[a] ?? 0) + ti];
      }
    }
  }
  return Float64Array.from({ length: n / 2 }, (_, i) => Math.hypot(re[i] ?? 0, im[i] ?? 0));
}

for (const priority of PRIORITIES) {
  test(`the ${priority} burst keeps the standard's times, measured from its samples`, () => {
    const samples = burst(priority, RATE);
    // Near the foot of a pulse and near its top: the standard's ranges hold by either reading.
    for (const level of [0.05, 0.88]) {
      const found = pulses(samples, level);
      assert.equal(found.length, { high: 10, medium: 3, low: 2 }[priority]);
      for (const [at, [begin, end]] of found.entries()) {
        within(`pulse ${at + 1} at ${level}`, end - begin, RANGES.pulseMs[priority]);
        const next = found[at + 1];
        if (!next) continue;
        const silence = next[0] - end;
        if (priority === "high" && at === 4) within("pause", silence, RANGES.pauseMs);
        else if (priority === "high" && (at === 2 || at === 7)) within("3 to 4", silence, [2 * 50 + 75, 2 * 125 + 200]);
        else within(`spacing after ${at + 1} at ${level}`, silence, RANGES.spacingMs[priority]);
      }
    }
    within("interval", SIGNALS[priority].intervalMs, RANGES.intervalMs[priority]);
  });

  test(`the ${priority} burst: rise, loudness, fundamental and harmonics by FFT`, () => {
    const samples = burst(priority, RATE);
    const { pulseMs, fundamentalHz } = SIGNALS[priority];
    const [tenth, nine] = [0.1, 0.9].map((level) => pulses(samples, level)[0]?.[0] ?? NaN) as [number, number];
    within("rise", (nine - tenth) / pulseMs, [0.08, RANGES.rise[1]]);
    const heights = pulses(samples, 0.05).map(([from, to]) => samples.slice((from * RATE) / 1000, (to * RATE) / 1000).reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    assert.ok(20 * Math.log10(Math.max(...heights) / Math.min(...heights)) <= RANGES.pulsesDb, "pulses equally loud");
    assert.ok(Math.max(...heights) <= 1, "not clipped");

    const size = 4096;
    const middle = Math.round(((pulseMs / 1000) * RATE) / 2);
    const found = spectrum(samples.slice(middle - size / 2, middle + size / 2));
    const bin = RATE / size;
    const near = (hz: number): number => Math.max(...found.slice(Math.floor(hz / bin) - 2, Math.ceil(hz / bin) + 3));
    const lowest = found.findIndex((value, i) => value > near(fundamentalHz) * 0.1 && value >= (found[i + 1] ?? 0)) * bin;
    within("fundamental", lowest, RANGES.fundamentalHz);
    assert.ok(Math.abs(lowest - fundamentalHz) < 1.5 * bin, `fundamental is ${lowest} Hz`);
    const harmonics = Array.from({ length: 8 }, (_, at) => fundamentalHz * (at + 2)).filter((hz) => {
      const db = 20 * Math.log10(near(hz) / near(fundamentalHz));
      return hz >= RANGES.harmonicsHz[0] && hz <= RANGES.harmonicsHz[1] && Math.abs(db) <= RANGES.harmonicsDb;
    });
    assert.ok(harmonics.length >= RANGES.harmonicsMin, `${harmonics.length} harmonics`);
  });
}

test("priorities cannot be taken for each other", () => {
  const heard = PRIORITIES.map((each: Priority) => `${SIGNALS[each].pulses} ${SIGNALS[each].fundamentalHz}`);
  assert.equal(new Set(heard).size, PRIORITIES.length);
});
