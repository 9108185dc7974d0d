/** Pure arithmetic of the ward grid: how many columns, and how much of a bed fits into a tile. */
import { arrange, curves } from "../live/parameters.ts";
import type { Bed } from "../live/protocol.ts";

export const GAP = 6;
/** A tile wants to be this much wider than high. */
const ASPECT = 1.28;
const WIDTH_MIN = 160;
const HEIGHT_MIN = 158;
/** Where not all beds fit, as on a phone, tiles are at least so large and the ward scrolls. */
const WIDTH_SCROLL = 300;
const HEIGHT_SCROLL = 290;
/** On a screen narrower than this, smaller tiles would be a poor overview: held in one hand, scrolling is better. */
const NARROW = 620;

export interface Grid {
  readonly columns: number;
  readonly width: number;
  readonly height: number;
  readonly scrolls: boolean;
}

/** All beds on one screen if tiles stay readable; else as many columns as are comfortable, and the ward scrolls. */
export function layOut(beds: number, width: number, height: number): Grid {
  let best: Grid | null = null;
  let bestScore = 0;
  for (let columns = 1; columns <= beds && width >= NARROW; columns++) {
    const rows = Math.ceil(beds / columns);
    const tileWidth = (width - GAP * (columns - 1)) / columns;
    const tileHeight = (height - GAP * (rows - 1)) / rows;
    if (tileWidth < WIDTH_MIN || tileHeight < HEIGHT_MIN) continue;
    const score = Math.min(tileWidth / ASPECT, tileHeight) - 0.2 * (columns * rows - beds);
    if (score > bestScore) {
      bestScore = score;
      best = { columns, width: tileWidth, height: tileHeight, scrolls: false };
    }
  }
  if (best) return best;
  const columns = Math.max(1, Math.floor((width + GAP) / (WIDTH_SCROLL + GAP)));
  return { columns, width: (width - GAP * (columns - 1)) / columns, height: HEIGHT_SCROLL, scrolls: true };
}

export type Density = "tiny" | "small" | "medium" | "large";

export interface Fit {
  readonly lanes: number;
  /** Columns of the strip below the curves. */
  readonly columns: number;
}

interface Measures {
  readonly head: number;
  readonly lane: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** Must agree with `styles/tile.css`. CSS pixels. */
const MEASURES: Readonly<Record<Density, Measures>> = {
  tiny: { head: 24, lane: 32, cellWidth: 74, cellHeight: 21 },
  small: { head: 28, lane: 40, cellWidth: 104, cellHeight: 42 },
  medium: { head: 34, lane: 56, cellWidth: 116, cellHeight: 50 },
  large: { head: 42, lane: 80, cellWidth: 132, cellHeight: 66 },
};
const LANES_MAX = 5;

const ALARM_HEIGHT: Readonly<Record<Density, number>> = { tiny: 0, small: 32, medium: 40, large: 52 };
/** Seen from across a room the line is so much higher. */
const FAR = 1.3;

/** Height of the line of alarms in a tile, CSS pixels. In the smallest tiles it stands in the head, where devices are named otherwise. */
export function alarmHeight(of: Density, far: boolean): number {
  return Math.round(ALARM_HEIGHT[of] * (far ? FAR : 1));
}

function density(width: number, height: number): Density {
  if (width < 230 || height < 190) return "tiny";
  if (width < 380 || height < 300) return "small";
  if (width < 560 || height < 440) return "medium";
  return "large";
}

const DENSITIES: readonly Density[] = ["large", "medium", "small", "tiny"];

/** The roomiest density at which every bed keeps all its numbers and at least two curves; failing that, one curve; failing that, tiny. One for the whole ward. */
export function densityFor(beds: readonly Bed[], width: number, height: number): Density {
  const possible = DENSITIES.slice(DENSITIES.indexOf(density(width, height)));
  for (const lanes of [2, 1]) {
    const found = possible.find((of) => beds.every((bed) => fits(bed, Math.min(lanes, curves(bed).length), of, width, height)));
    if (found) return found;
  }
  return "tiny";
}

function columnsOf(of: Density, width: number): number {
  return Math.max(2, Math.floor((width - 8) / MEASURES[of].cellWidth));
}

function fits(bed: Bed, lanes: number, of: Density, width: number, height: number): boolean {
  const { head, lane, cellHeight } = MEASURES[of];
  return height - head - stripRows(bed, lanes, columnsOf(of, width)) * cellHeight >= lanes * lane;
}

/** The most curves that leave every number its place. */
export function lanesThatFit(bed: Bed, of: Density, width: number, height: number): Fit {
  for (let lanes = LANES_MAX; lanes > 1; lanes--) if (fits(bed, lanes, of, width, height)) return { lanes, columns: columnsOf(of, width) };
  return { lanes: 1, columns: columnsOf(of, width) };
}

/** Rows of the strip when a pressure takes two columns and nothing is moved to fill holes. */
function stripRows(bed: Bed, lanes: number, columns: number): number {
  let rows = 0;
  let free = 0;
  for (const { parameter } of arrange(bed, lanes, true).strip) {
    const span = parameter.parts.length > 1 ? 2 : 1;
    if (span > free) {
      rows += 1;
      free = columns;
    }
    free -= span;
  }
  return rows;
}
