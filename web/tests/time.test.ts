import assert from "node:assert/strict";
import { test } from "node:test";
import { WardClock } from "../src/live/clock.ts";
import { DELAY_MS_MAX, DELAY_MS_MIN, Playout } from "../src/live/playout.ts";

const T0 = 1764000000e6;

test("the ward's clock runs on without news, at the ward's speed", () => {
  const clock = new WardClock();
  assert.equal(clock.at(0), null);
  clock.setSpeed(20);
  clock.witness(T0, 1000);
  assert.equal(clock.at(1000), T0);
  assert.equal(clock.at(6000), T0 + 100e6);
});

test("a delayed message does not turn the clock back; a faster one is believed", () => {
  const clock = new WardClock();
  clock.witness(T0, 0);
  clock.witness(T0 + 1e6, 1800); // 800 ms late
  assert.ok(Math.abs((clock.at(1800) ?? 0) - (T0 + 1.8e6)) < 0.02e6);
  clock.witness(T0 + 2.1e6, 2000);
  assert.equal(clock.at(2000), T0 + 2.1e6);
});

test("a jump of the server's clock is followed", () => {
  const clock = new WardClock();
  clock.witness(T0, 0);
  clock.witness(T0 - 3600e6, 1000);
  assert.equal(clock.at(1000), T0 - 3600e6);
});

test("the sweep stays behind as far as blocks need, never runs back, and has a bound", () => {
  const playout = new Playout();
  let before = playout.advance(T0, 1, 0);
  assert.equal(before, T0 - DELAY_MS_MIN * 1000);
  playout.arrival(1300, 100);
  for (let local = 100; local < 20000; local += 16) {
    const drawn = playout.advance(T0 + local * 1000, 1, local);
    assert.ok(drawn >= before);
    before = drawn;
  }
  assert.equal(playout.delayMs, 1420);
  playout.arrival(4900, 20000);
  playout.advance(T0 + 20000e3, 1, 20000);
  assert.equal(playout.delayMs, DELAY_MS_MAX);
  playout.arrival(60000, 20001);
  playout.arrival(700, 31000); // the worst one is forgotten after 10 s
  for (let local = 31000; local < 160000; local += 50) playout.advance(T0 + local * 1000, 1, local);
  assert.equal(playout.delayMs, 820);
});
