/**
 * Draws the curves of one bed as a bedside monitor does: a pen sweeps from left to right, an erase bar runs ahead of it, old lines stay until they are
 * overwritten. Only new samples are drawn in a frame; a lane is redrawn whole after a resize, a new scale, a late block or a stall.
 *
 * Not for: deciding whether a curve is alive (`state.ts`). What always holds: nothing is drawn where there is no sample; a gap is a gap.
 */
import { doubtful, unusable } from "../live/quality.ts";
import { MISSING, type WaveRing, type Written } from "../live/ring.ts";
import { barOf, Scale } from "./scale.ts";
import type { ScaleKind } from "../live/parameters.ts";

/** CSS pixels per real second: 25 mm/s at 96 dpi is 94.5; a little slower in small tiles so that a few beats are seen. */
const PX_PER_SECOND = 94.5;
const SWEEP_SECONDS_MIN = 3.6;
const SWEEP_SECONDS_MAX = 14;
const SLOW_FACTOR = 4;
const ERASE_PX = 14;
/** Up to so many slots without a sample are rounding, not a gap; see `JOIN_SLOTS`. */
const BRIDGE_SLOTS = 3;
const RESCALE_MS = 500;
/** Real seconds the scale looks back. */
const LOOK_BACK_SECONDS = 4;
const LOOK_BACK_SECONDS_SLOW = 12;

export interface LaneSpec {
  readonly ring: WaveRing;
  readonly label: string;
  readonly unit: string;
  readonly colour: string;
  readonly scale: ScaleKind;
  readonly slow: boolean;
}

export interface SweepTheme {
  readonly background: string;
  readonly text: string;
  readonly rule: string;
  readonly font: string;
}

interface Lane {
  readonly spec: LaneSpec;
  readonly scale: Scale;
  readonly listen: (written: Written) => void;
  top: number;
  height: number;
  sweepSeconds: number;
  /** Last slot drawn, or `null` when the lane must be drawn whole. */
  drawn: number | null;
  /** A block came for slots that were drawn already. */
  late: boolean;
  considered: number;
}

/** Width of the place for label and scale to the left of the curves, CSS pixels. */
export function gutterOf(width: number): number {
  return width < 140 ? 26 : width < 300 ? 32 : 40;
}

/** Formats a number of the scale in the page's language. */
export type Format = (value: number) => string;

export class Sweep {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #lanes: Lane[] = [];
  #theme: SweepTheme;
  #format: Format;
  #dpr = 1;
  #gutter = 0;
  #lineWidth = 1.5;
  #speed = 1;
  #last: { time: number; local: number } | null = null;

  constructor(canvas: HTMLCanvasElement, theme: SweepTheme, format: Format) {
    this.#canvas = canvas;
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("this browser draws no canvas");
    this.#context = context;
    this.#theme = theme;
    this.#format = format;
  }

  /** What to draw and how; redraws everything, so only when something changed. */
  show(specs: readonly LaneSpec[], theme: SweepTheme, format: Format): void {
    this.#theme = theme;
    this.#format = format;
    const before = this.#lanes;
    this.#release();
    this.#lanes = specs.map((spec) => {
      const kept = before.find((lane) => lane.spec.ring === spec.ring && lane.spec.scale === spec.scale);
      const lane: Lane = {
        spec,
        scale: kept?.scale ?? new Scale(spec.scale),
        listen: (written) => { if (lane.drawn !== null && written.from <= lane.drawn) lane.late = true; },
        top: 0,
        height: 0,
        sweepSeconds: 1,
        drawn: null,
        late: false,
        considered: Number.NEGATIVE_INFINITY,
      };
      spec.ring.listeners.add(lane.listen);
      return lane;
    });
    this.#place();
  }

  resize(width: number, height: number, dpr: number): void {
    const w = Math.max(1, Math.round(width * dpr));
    const h = Math.max(1, Math.round(height * dpr));
    if (this.#canvas.width === w && this.#canvas.height === h && this.#dpr === dpr) return;
    this.#canvas.width = w;
    this.#canvas.height = h;
    this.#dpr = dpr;
    this.#place();
  }

  destroy(): void {
    this.#release();
    this.#lanes = [];
  }

  #release(): void {
    for (const lane of this.#lanes) lane.spec.ring.listeners.delete(lane.listen);
  }

  #place(): void {
    const { width, height } = this.#canvas;
    const cssWidth = width / this.#dpr;
    this.#gutter = Math.round(gutterOf(cssWidth) * this.#dpr);
    this.#lineWidth = (cssWidth > 500 ? 1.9 : 1.5) * this.#dpr;
    const seconds = Math.min(Math.max((cssWidth - this.#gutter / this.#dpr) / PX_PER_SECOND, SWEEP_SECONDS_MIN), SWEEP_SECONDS_MAX);
    const count = Math.max(1, this.#lanes.length);
    this.#lanes.forEach((lane, at) => {
      lane.top = Math.round((at * height) / count);
      lane.height = Math.round(((at + 1) * height) / count) - lane.top;
      lane.sweepSeconds = lane.spec.slow ? seconds * SLOW_FACTOR : seconds;
    });
    this.#dirty();
    this.#context.fillStyle = this.#theme.background;
    this.#context.fillRect(0, 0, width, height);
    // At once, not in the next frame: there is no flash, and a picture that is frozen because the link is lost stays the picture it was.
    if (this.#last !== null) this.frame(this.#last.time, this.#speed, this.#last.local);
  }

  #dirty(): void {
    for (const lane of this.#lanes) lane.drawn = null;
  }

  /** Draws up to `time` (server µs). Call once a frame while the bed is connected; not calling it freezes the picture. */
  frame(time: number, speed: number, local: number): void {
    this.#last = { time, local };
    if (speed !== this.#speed) {
      this.#speed = speed;
      this.#dirty();
    }
    for (const lane of this.#lanes) this.#frameLane(lane, time, local);
  }

  #frameLane(lane: Lane, time: number, local: number): void {
    const { ring, slow } = lane.spec;
    const to = Math.floor((time / 1e6) * ring.rate);
    if (local - lane.considered >= RESCALE_MS) {
      lane.considered = local;
      const back = (slow ? LOOK_BACK_SECONDS_SLOW : LOOK_BACK_SECONDS) * this.#speed * ring.rate;
      if (lane.scale.consider(ring.extremes(Math.floor(Math.max(to, ring.head) - back), ring.head), local)) lane.drawn = null;
    }
    const perSecond = ring.rate * this.#speed;
    const whole = lane.drawn === null || lane.late || to < lane.drawn || to - lane.drawn > perSecond * 0.75;
    if (whole) {
      this.#clear(lane, this.#gutter, this.#canvas.width);
      this.#drawGutter(lane);
      // The oldest part lies under the erase bar.
      const shown = lane.sweepSeconds * perSecond * (1 - (ERASE_PX * this.#dpr) / this.#plotWidth());
      this.#stroke(lane, to - Math.floor(shown), to);
    } else if (lane.drawn !== null && to > lane.drawn) {
      this.#eraseAhead(lane, lane.drawn, to);
      this.#stroke(lane, lane.drawn, to);
    }
    lane.drawn = to;
    lane.late = false;
  }

  #plotWidth(): number {
    return Math.max(1, this.#canvas.width - this.#gutter);
  }

  /** Position of a slot along an endless strip of paper, device pixels. */
  #along(lane: Lane, slot: number): number {
    return (slot / (lane.spec.ring.rate * this.#speed) / lane.sweepSeconds) * this.#plotWidth();
  }

  #eraseAhead(lane: Lane, from: number, to: number): void {
    const width = this.#plotWidth();
    const erase = ERASE_PX * this.#dpr;
    const start = Math.floor(this.#along(lane, from) + erase);
    const end = Math.floor(this.#along(lane, to) + erase);
    if (end <= start) return;
    const left = start % width;
    const length = Math.min(end - start, width);
    const right = Math.min(left + length, width);
    this.#clear(lane, this.#gutter + left, this.#gutter + right);
    if (left + length > width) this.#clear(lane, this.#gutter, this.#gutter + left + length - width);
  }

  #clear(lane: Lane, left: number, right: number): void {
    this.#context.fillStyle = this.#theme.background;
    this.#context.fillRect(left, lane.top, right - left, lane.height);
  }

  #stroke(lane: Lane, from: number, to: number): void {
    const range = lane.scale.range;
    if (range === null) return;
    const { ring, colour } = lane.spec;
    const context = this.#context;
    const width = this.#plotWidth();
    const pad = Math.min(4 * this.#dpr, lane.height * 0.08);
    const perUnit = (lane.height - 2 * pad) / (range.high - range.low);
    const bottom = lane.top + lane.height;
    const yOf = (value: number): number => Math.min(Math.max(lane.top + pad + (range.high - value) * perUnit, lane.top + 1), bottom - 1);
    const perColumn = (ring.rate * this.#speed * lane.sweepSeconds) / width;
    const dense = perColumn > 3;

    context.lineWidth = this.#lineWidth;
    context.lineJoin = "round";
    context.strokeStyle = colour;
    const firstAlong = this.#along(lane, from);
    let sheet = Math.floor(firstAlong / width);
    let open = false;
    let missing = 0;
    let dim = false;
    let column = Number.NaN;
    let low = 0;
    let high = 0;
    const flush = (): void => {
      if (!dense || Number.isNaN(column)) return;
      context.lineTo(column + 0.5, low);
      context.lineTo(column + 0.5, high);
      column = Number.NaN;
    };
    const finish = (): void => {
      if (!open) return;
      flush();
      context.globalAlpha = dim ? 0.45 : 1;
      context.stroke();
      open = false;
    };
    for (let slot = from; slot <= to; slot++) {
      const value = ring.value(slot);
      if (!Number.isFinite(value) || unusable(ring.quality(slot))) {
        missing += value === MISSING ? 1 : BRIDGE_SLOTS + 1;
        if (missing > BRIDGE_SLOTS) finish();
        continue;
      }
      missing = 0;
      const along = this.#along(lane, slot);
      const at = Math.floor(along / width);
      const suspect = doubtful(ring.quality(slot));
      if (at !== sheet || suspect !== dim) {
        finish();
        sheet = at;
        dim = suspect;
      }
      const x = this.#gutter + along - at * width;
      const y = yOf(value);
      if (!open) {
        context.beginPath();
        context.moveTo(x, y);
        open = true;
        column = Number.NaN;
        if (!dense) continue;
      }
      if (!dense) context.lineTo(x, y);
      else if (Math.floor(x) === column) {
        low = Math.max(low, y);
        high = Math.min(high, y);
      } else {
        flush();
        column = Math.floor(x);
        low = y;
        high = y;
      }
    }
    finish();
    context.globalAlpha = 1;
  }

  /** Label and scale to the left of the curve: two bounds for pressures, a bar of a round amount for the rest. */
  #drawGutter(lane: Lane): void {
    const context = this.#context;
    const { label, unit, colour } = lane.spec;
    const dpr = this.#dpr;
    const small = Math.max(9.5, Math.min(12, lane.height / dpr / 5)) * dpr;
    context.fillStyle = this.#theme.background;
    context.fillRect(0, lane.top, this.#gutter, lane.height);
    context.textBaseline = "top";
    context.textAlign = "left";
    context.fillStyle = colour;
    context.font = `600 ${small}px ${this.#theme.font}`;
    context.fillText(label, 3 * dpr, lane.top + 3 * dpr, this.#gutter - 4 * dpr);
    const range = lane.scale.range;
    if (range === null) return;
    const bottom = lane.top + lane.height;
    const pad = Math.min(4 * dpr, lane.height * 0.08);
    context.fillStyle = this.#theme.text;
    context.strokeStyle = this.#theme.text;
    context.lineWidth = dpr;
    context.font = `${small * 0.9}px ${this.#theme.font}`;
    if (lane.spec.scale === "pressure") {
      context.textAlign = "right";
      context.fillText(this.#format(range.high), this.#gutter - 4 * dpr, lane.top + 5 * dpr + small);
      context.textBaseline = "bottom";
      context.fillText(this.#format(range.low), this.#gutter - 4 * dpr, bottom - 2 * dpr);
      return;
    }
    // A curve without a unit of its own has a shape and no height worth a number.
    if (unit === "" || unit === "1" || unit === "·") return;
    const bar = barOf(range);
    const height = ((lane.height - 2 * pad) * bar) / (range.high - range.low);
    const x = this.#gutter - 5.5 * dpr;
    const base = bottom - pad - 1 * dpr;
    context.beginPath();
    context.moveTo(x - 3 * dpr, base);
    context.lineTo(x + 3 * dpr, base);
    context.moveTo(x, base);
    context.lineTo(x, base - height);
    context.moveTo(x - 3 * dpr, base - height);
    context.lineTo(x + 3 * dpr, base - height);
    context.stroke();
    context.textAlign = "right";
    context.textBaseline = "bottom";
    context.fillText(this.#format(bar), x - 4 * dpr, base - small * 0.85);
    context.fillText(unit, x - 4 * dpr, base + 1 * dpr);
  }
}
