/**
 * Which streams of a bed belong together on the screen: a parameter is one number (heart rate) or a pressure as systolic / diastolic (mean),
 * and may have a curve beside it. Codes are MDC as in `obhut-model`; a code this page does not know is shown under its own label, never hidden.
 */
import type { Bed, NumericStream, WaveStream } from "./protocol.ts";

/** Colour family of a curve and its number; the theme gives each its colour. */
export type Hue = "ecg" | "art" | "pleth" | "resp" | "co2" | "cvp" | "nibp" | "temp" | "pump" | "move" | "other";

/** How a curve is scaled; see `sweep/scale.ts`. */
export type ScaleKind = "ecg" | "pressure" | "free";

/** Sensible places for a parameter: beside a curve, or in the strip below. Also the reading order. */
const RANK = ["hr", "spo2", "abp", "bp", "rr", "etco2", "cvp", "icp", "nibp", "pr", "temp", "tcore", "pi", "rate", "remain", "vtbi", "timeleft", "move", "inbed", "other"] as const;
export type ParameterKind = (typeof RANK)[number];

export interface Parameter {
  /** Stable over layouts: kind, device and code. */
  readonly key: string;
  readonly kind: ParameterKind;
  readonly label: string;
  readonly hue: Hue;
  readonly device: string;
  readonly unit: string;
  /** One stream, or systolic, diastolic, mean (any may be missing). */
  readonly parts: readonly (NumericStream | null)[];
}

export interface Curve {
  readonly stream: WaveStream;
  readonly hue: Hue;
  readonly scale: ScaleKind;
  /** Slow curves are swept at a quarter of the speed, as on bedside monitors. */
  readonly slow: boolean;
  readonly rank: number;
}

const SINGLE: Readonly<Record<number, readonly [ParameterKind, Hue]>> = {
  147842: ["hr", "ecg"],
  149514: ["pr", "pleth"],
  149530: ["pr", "pleth"],
  150456: ["spo2", "pleth"],
  150488: ["pi", "pleth"],
  151562: ["rr", "resp"],
  151578: ["rr", "resp"],
  151594: ["rr", "co2"],
  151708: ["etco2", "co2"],
  150087: ["cvp", "cvp"],
  153608: ["icp", "other"],
  150344: ["temp", "temp"],
  150364: ["temp", "temp"],
  150368: ["tcore", "temp"],
  157784: ["rate", "pump"],
  157872: ["remain", "pump"],
  157884: ["vtbi", "pump"],
  157916: ["timeleft", "pump"],
  67170305: ["move", "move"],
  67170306: ["inbed", "move"],
};

/** Code → pressure it belongs to and its place in systolic, diastolic, mean. */
const PRESSURE: Readonly<Record<number, readonly [ParameterKind, number]>> = {
  150017: ["bp", 0],
  150018: ["bp", 1],
  150019: ["bp", 2],
  150021: ["nibp", 0],
  150022: ["nibp", 1],
  150023: ["nibp", 2],
  150033: ["abp", 0],
  150034: ["abp", 1],
  150035: ["abp", 2],
  150037: ["abp", 0],
  150038: ["abp", 1],
  150039: ["abp", 2],
};
const PRESSURE_HUE: Partial<Record<ParameterKind, Hue>> = { bp: "art", abp: "art", nibp: "nibp" };
const PRESSURE_LABEL: Partial<Record<ParameterKind, string>> = { bp: "BP", abp: "ABP", nibp: "NIBP" };

/** The bed's parameters in reading order. */
export function parameters(bed: Bed): Parameter[] {
  const found: Parameter[] = [];
  const pressures = new Map<string, { kind: ParameterKind; device: string; unit: string; parts: (NumericStream | null)[] }>();
  for (const stream of bed.streams) {
    if (stream.kind !== "numeric") continue;
    const pressure = PRESSURE[stream.code];
    if (pressure) {
      const [kind, place] = pressure;
      const key = `${kind}:${stream.device}`;
      const group = pressures.get(key) ?? { kind, device: stream.device, unit: stream.unit, parts: [null, null, null] };
      group.parts[place] = stream;
      pressures.set(key, group);
      continue;
    }
    const [kind, hue] = SINGLE[stream.code] ?? (["other", "other"] as const);
    found.push({ key: `${kind}:${stream.device}:${stream.code}`, kind, hue, label: stream.label, device: stream.device, unit: stream.unit, parts: [stream] });
  }
  for (const [key, group] of pressures) {
    found.push({ key, ...group, hue: PRESSURE_HUE[group.kind] ?? "art", label: PRESSURE_LABEL[group.kind] ?? "BP" });
  }
  return found.sort((a, b) => RANK.indexOf(a.kind) - RANK.indexOf(b.kind));
}

const ECG_ORDER = [131330, 131329, 131389, 131335, 131331, 131332, 131333, 131334, 131336, 131390, 131391, 131392, 131328];
const CURVE: Readonly<Record<number, readonly [Hue, ScaleKind, boolean, number]>> = {
  150032: ["art", "pressure", false, 20],
  150036: ["art", "pressure", false, 20],
  150452: ["pleth", "free", false, 30],
  151552: ["resp", "free", true, 40],
  151700: ["co2", "pressure", true, 50],
  150084: ["cvp", "pressure", false, 60],
};

/** The bed's curves in the order monitors show them. */
export function curves(bed: Bed): Curve[] {
  const found: Curve[] = [];
  for (const stream of bed.streams) {
    if (stream.kind !== "waveform") continue;
    const lead = ECG_ORDER.indexOf(stream.code);
    if (lead >= 0) {
      found.push({ stream, hue: "ecg", scale: "ecg", slow: false, rank: lead });
      continue;
    }
    const [hue, scale, slow, rank] = CURVE[stream.code] ?? (["other", "free", false, 90] as const);
    found.push({ stream, hue, scale, slow, rank });
  }
  return found.sort((a, b) => a.rank - b.rank);
}

/** Which parameter stands beside a curve. */
const BESIDE: Readonly<Record<Hue, readonly ParameterKind[]>> = {
  ecg: ["hr"],
  art: ["abp", "bp"],
  pleth: ["spo2", "pr"],
  resp: ["rr"],
  co2: ["etco2", "rr"],
  cvp: ["cvp"],
  nibp: [],
  temp: [],
  pump: [],
  move: [],
  other: [],
};

/** A parameter with what belongs to it and needs no place of its own in a small tile: pulse rate with saturation, the rest with the infusion rate. */
export interface Group {
  readonly parameter: Parameter;
  readonly companions: readonly Parameter[];
}

export interface Row {
  readonly curve: Curve;
  readonly group: Group | null;
}

export interface Arrangement {
  readonly rows: readonly Row[];
  /** Everything without a curve of its own. */
  readonly strip: readonly Group[];
}

const COMPANIONS: Partial<Record<ParameterKind, readonly ParameterKind[]>> = {
  spo2: ["pr", "pi"],
  rate: ["remain", "timeleft", "vtbi"],
  move: ["inbed"],
};

/** Folds companions of the same device into the parameter they belong to; without `fold` each stands alone. */
function groups(all: readonly Parameter[], fold: boolean): Group[] {
  const taken = new Set<Parameter>();
  const found: Group[] = [];
  for (const parameter of all) {
    const wanted = fold ? (COMPANIONS[parameter.kind] ?? []) : [];
    const companions = wanted.flatMap((kind) => all.filter((other) => other.kind === kind && other.device === parameter.device && !taken.has(other)));
    for (const companion of companions) taken.add(companion);
    found.push({ parameter, companions });
  }
  return found.filter((group) => !taken.has(group.parameter));
}

/**
 * At most `limit` curves with their numbers beside them. First one curve of each colour, most telling first; further ECG leads only if there is room.
 * Parameters whose curve found no place go to the strip: a number is never dropped for want of a curve.
 */
export function arrange(bed: Bed, limit: number, fold = false): Arrangement {
  const all = curves(bed);
  const firsts = all.filter((curve, at) => all.findIndex((other) => other.hue === curve.hue) === at);
  const rest = all.filter((curve) => !firsts.includes(curve));
  const chosen = [...firsts, ...rest].slice(0, Math.max(limit, 0)).sort((a, b) => a.rank - b.rank);
  const left = groups(parameters(bed), fold);
  const rows = chosen.map((curve): Row => {
    const at = left.findIndex((group) => BESIDE[curve.hue].includes(group.parameter.kind));
    return { curve, group: at < 0 ? null : (left.splice(at, 1)[0] ?? null) };
  });
  return { rows, strip: left };
}
