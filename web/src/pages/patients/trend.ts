/**
 * From stored points to what a trend draws: which codes belong into one panel, how they are scaled, where the line breaks. Pure.
 *
 * What always holds: where nothing was measured nothing is drawn; a doubtful value is drawn as doubtful; the scale is always shown.
 */
import type { Hue } from "../../live/parameters.ts";
import { doubtful } from "../../live/quality.ts";

/** Time (µs), smallest and largest of the stretch, quality bits. */
export type Point = readonly [at: number, low: number, high: number, quality: number];

export interface CodeInfo {
  readonly code: string;
  readonly name: { readonly de: string | null; readonly en: string | null };
  readonly unit: string | null;
}

export interface Panel {
  readonly key: string;
  readonly hue: Hue;
  readonly unit: string;
  /** Systolic, diastolic, mean; or one. */
  readonly codes: readonly CodeInfo[];
}

/** Colour family by the reference identifier (ISO/IEEE 11073-10101), as on the ward. First hit counts. Also the order of the panels. */
const HUES: readonly (readonly [RegExp, Hue])[] = [
  [/ECG|HEART/, "ecg"],
  [/SAT_O2/, "pleth"],
  [/PRESS_BLD(_ART|$)/, "art"],
  [/NONINV/, "nibp"],
  [/RESP/, "resp"],
  [/CO2/, "co2"],
  [/PULS|PLETH|PERF/, "pleth"],
  [/VEN_CENT/, "cvp"],
  [/TEMP/, "temp"],
  [/PUMP|FLUID|INFUS|VOL_/, "pump"],
  [/BED|MOVE/, "move"],
];

function rank(code: string): number {
  const at = HUES.findIndex(([pattern]) => pattern.test(code));
  return at < 0 ? HUES.length : at;
}

export function hueOf(code: string): Hue {
  return HUES[rank(code)]?.[1] ?? "other";
}

/** How a unit is written on a screen; the server sends UCUM. What the page does not know stays as it is. */
const UNITS: Readonly<Record<string, string>> = { "mm[Hg]": "mmHg", Cel: "°C", "1": "", Ohm: "Ω", uV: "µV", "L/min": "l/min" };
export function unitShown(ucum: string | null): string {
  if (ucum === null) return "";
  return UNITS[ucum] ?? ucum.replaceAll(/\{[^}]*\}/g, "");
}

const PARTS = ["SYS", "DIA", "MEAN"];

/** Panels in reading order; the parts of a pressure share one. */
export function panels(codes: readonly CodeInfo[]): Panel[] {
  const found = new Map<string, CodeInfo[]>();
  for (const info of codes) {
    const stem = info.code.replace(/_(SYS|DIA|MEAN)$/, "");
    found.set(stem, [...(found.get(stem) ?? []), info]);
  }
  const part = (info: CodeInfo): number => PARTS.findIndex((each) => info.code.endsWith(`_${each}`));
  return [...found]
    .map(([key, infos]) => ({ key, hue: hueOf(key), unit: unitShown(infos[0]?.unit ?? null), codes: infos.sort((a, b) => part(a) - part(b)) }))
    .sort((a, b) => rank(a.key) - rank(b.key) || a.key.localeCompare(b.key));
}

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** Round bounds around everything that is drawn, with two to four marks. */
export function scale(points: readonly (readonly Point[])[]): Scale | null {
  let low = Infinity;
  let high = -Infinity;
  for (const series of points) {
    for (const [, least, most] of series) {
      low = Math.min(low, least);
      high = Math.max(high, most);
    }
  }
  if (low > high) return null;
  const span = Math.max(high - low, Math.abs(high) * 0.1, 1e-6);
  const rough = span / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? power * 10;
  const from = Math.floor(low / step) * step;
  const to = Math.max(Math.ceil(high / step) * step, from + step);
  const ticks: number[] = [];
  for (let at = from; at <= to + step / 2; at += step) ticks.push(Number(at.toPrecision(10)));
  return { low: from, high: to, ticks };
}

export interface Stretch {
  readonly doubtful: boolean;
  readonly points: readonly Point[];
}

/** A pause this many times as long as the usual distance is a gap. */
const GAP_TIMES = 3;

/** The unbroken stretches of a series. `period`: usual distance, µs; found from the points where unknown. */
export function stretches(points: readonly Point[]): Stretch[] {
  const usual = usualDistance(points);
  const found: { doubtful: boolean; points: Point[] }[] = [];
  for (const point of points) {
    const doubt = doubtful(point[3]);
    const last = found.at(-1);
    const before = last?.points.at(-1);
    if (last === undefined || before === undefined || last.doubtful !== doubt || point[0] - before[0] > GAP_TIMES * usual) found.push({ doubtful: doubt, points: [point] });
    else last.points.push(point);
  }
  return found;
}

function usualDistance(points: readonly Point[]): number {
  const distances = points.slice(1).map((point, at) => point[0] - (points[at]?.[0] ?? point[0]));
  return distances.sort((a, b) => a - b)[Math.floor(distances.length / 2)] ?? Infinity;
}

/** The point nearest to `at`, if one lies within a gap's length. */
export function nearest(points: readonly Point[], at: number): Point | null {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  const near = [points[low - 1], points[low]].filter((each) => each !== undefined).sort((a, b) => Math.abs(a[0] - at) - Math.abs(b[0] - at))[0];
  return near && Math.abs(near[0] - at) <= GAP_TIMES * usualDistance(points) ? near : null;
}

/** Marks of the time axis: round hours or minutes of the reader's clock, at most eight. `offsetMinutes`: of that clock from UTC. */
export function timeMarks(from: number, to: number, offsetMinutes: number): number[] {
  const MINUTE = 60e6;
  const steps = [5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200].map((minutes) => minutes * MINUTE);
  const step = steps.find((each) => (to - from) / each <= 8) ?? 14_400 * MINUTE;
  const shift = offsetMinutes * MINUTE;
  const marks: number[] = [];
  for (let at = Math.ceil((from + shift) / step) * step - shift; at <= to; at += step) marks.push(at);
  return marks;
}

/** Figures per hour for the table beside the picture: time, smallest, largest, last. */
export function hourly(points: readonly Point[]): (readonly [hour: number, low: number, high: number, last: number])[] {
  const HOUR = 3600e6;
  const found = new Map<number, [number, number, number, number]>();
  for (const [at, low, high] of points) {
    const hour = Math.floor(at / HOUR) * HOUR;
    const known = found.get(hour);
    if (known) {
      known[1] = Math.min(known[1], low);
      known[2] = Math.max(known[2], high);
      known[3] = (low + high) / 2;
    } else found.set(hour, [hour, low, high, (low + high) / 2]);
  }
  return [...found.values()];
}
