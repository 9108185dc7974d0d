import assert from "node:assert/strict";
import { test } from "node:test";
import { barOf, choose, roundStep, Scale } from "../src/sweep/scale.ts";
import { layOut } from "../src/ui/grid.ts";

test("steps are round", () => {
  assert.deepEqual([0.03, 0.2, 0.21, 3, 8, 10].map(roundStep), [0.05, 0.2, 0.5, 5, 10, 10]);
});

test("a range is round, holds the curve, and does not magnify noise", () => {
  const pressure = choose("pressure", { min: 63, max: 121 });
  assert.ok(pressure.low % 10 === 0 && pressure.high % 10 === 0 && pressure.low <= 63 && pressure.high >= 121);
  const flat = choose("ecg", { min: 0.01, max: 0.03 });
  assert.ok(flat.high - flat.low >= 1.5);
  assert.equal(choose("pressure", { min: 2, max: 9 }).low, 0);
  assert.ok(barOf({ low: -0.5, high: 1.5 }) === 0.5);
});

test("the scale waits: a single spike changes nothing, a lasting one does, and shrinking is slower still", () => {
  const scale = new Scale("ecg");
  assert.equal(scale.consider({ min: -0.3, max: 1 }, 0), true);
  const first = scale.range;
  assert.equal(scale.consider({ min: -0.3, max: 4 }, 500), false);
  assert.equal(scale.consider({ min: -0.3, max: 1 }, 1000), false);
  assert.equal(scale.range, first);
  scale.consider({ min: -0.3, max: 4 }, 2000);
  assert.equal(scale.consider({ min: -0.3, max: 4 }, 3300), true);
  let changed = 0;
  for (let local = 4000; local < 12_000; local += 500) if (scale.consider({ min: -0.3, max: 1 }, local)) changed += 1;
  assert.equal(changed, 0);
  for (let local = 12_000; local < 30_000; local += 500) if (scale.consider({ min: -0.3, max: 1 }, local)) changed += 1;
  assert.equal(changed, 1);
});

test("8 to 32 beds are on one screen, laptop and wall; a phone scrolls in one column", () => {
  for (const beds of [1, 8, 12, 16, 24, 32]) {
    for (const [width, height] of [[1350, 695], [2544, 1380]] as const) {
      const grid = layOut(beds, width, height);
      assert.equal(grid.scrolls, false, `${beds} beds on ${width}×${height}`);
      assert.ok(grid.columns * Math.ceil(beds / grid.columns) >= beds);
    }
  }
  assert.deepEqual([layOut(8, 374, 690).columns, layOut(8, 374, 690).scrolls], [1, true]);
  assert.equal(layOut(0, 1000, 700).columns >= 1, true);
});
