/**
 * Calm automatic scales: a curve fills its lane, the scale changes seldom, in round steps, and is always shown.
 *
 * Grows when the curve has been cut off for `GROW_MS`, shrinks when it has used less than half of its lane for `SHRINK_MS`.
 */
import type { ScaleKind } from "../live/parameters.ts";

const GROW_MS = 1200;
const SHRINK_MS = 9000;
const USED_MIN = 0.45;
/** Air above and below the curve when a scale is chosen, share of its height. */
const AIR = 0.08;

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Smallest span a lane may show, so that noise on a silent sensor does not fill it. */
const SPAN_MIN: Readonly<Record<ScaleKind, number>> = { ecg: 1.5, pressure: 20, free: 1e-3 };

export class Scale {
  readonly kind: ScaleKind;
  #range: Range | null = null;
  #clippedSince: number | null = null;
  #smallSince: number | null = null;

  constructor(kind: ScaleKind) {
    this.kind = kind;
  }

  get range(): Range | null {
    return this.#range;
  }

  /** `seen`: extremes of the last seconds; `local`: ms. Returns whether the scale changed. */
  consider(seen: { min: number; max: number } | null, local: number): boolean {
    if (seen === null) {
      this.#clippedSince = null;
      this.#smallSince = null;
      return false;
    }
    const range = this.#range;
    if (range === null) {
      this.#range = choose(this.kind, seen);
      return true;
    }
    const clipped = seen.min < range.low || seen.max > range.high;
    const small = seen.max - seen.min < USED_MIN * (range.high - range.low);
    this.#clippedSince = clipped ? (this.#clippedSince ?? local) : null;
    this.#smallSince = small ? (this.#smallSince ?? local) : null;
    const grow = this.#clippedSince !== null && local - this.#clippedSince >= GROW_MS;
    const shrink = this.#smallSince !== null && local - this.#smallSince >= SHRINK_MS;
    if (!grow && !shrink) return false;
    const next = choose(this.kind, seen);
    this.#clippedSince = null;
    this.#smallSince = null;
    if (next.low === range.low && next.high === range.high) return false;
    this.#range = next;
    return true;
  }
}

/** A round range that holds `seen` with some air. */
export function choose(kind: ScaleKind, seen: { min: number; max: number }): Range {
  const span = Math.max(seen.max - seen.min, SPAN_MIN[kind]);
  const middle = (seen.max + seen.min) / 2;
  const step = roundStep((span * (1 + 2 * AIR)) / 8);
  const low = Math.floor((middle - span * (0.5 + AIR)) / step) * step;
  const high = Math.ceil((middle + span * (0.5 + AIR)) / step) * step;
  // A pressure that never went below zero needs no room there.
  return { low: clean(kind === "pressure" && seen.min >= 0 ? Math.max(low, 0) : low), high: clean(high) };
}

/** 1, 2 or 5 times a power of ten, at least `value`. */
export function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 5]) if (factor * power >= value * 0.999) return factor * power;
  return 10 * power;
}

/** Height of the calibration bar for curves without an absolute zero: a round amount between a sixth and a half of the lane. */
export function barOf(range: Range): number {
  return roundStep((range.high - range.low) / 6);
}

function clean(value: number): number {
  return Number(value.toPrecision(9)) + 0;
}
