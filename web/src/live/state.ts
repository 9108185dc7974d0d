/**
 * What may be shown as what: pure rules from (stream, last value, time, device, link) to a look. Unknown is never normal.
 *
 * What always holds: a value older than twice its period, or of a device without a live session, or behind a dead link, is never `current`.
 */
import type { Parameter } from "./parameters.ts";
import type { Bed, DeviceState, NumericStream, Tick } from "./protocol.ts";
import { doubtful, notes, unusable, type QualityNote } from "./quality.ts";

/** The last thing a stream said. Times: server µs. */
export interface Latest {
  readonly takenAt: number;
  readonly receivedAt: number;
  readonly value: number | null;
  readonly quality: number;
}

export type Link = "connecting" | "live" | "lost";

/** Without a period from the server a value counts as current for this long, seconds of ward time. */
export const PERIOD_ASSUMED = 5;
/** A value whose time lies this far in the future has a wrong clock, seconds. */
const FUTURE_TOLERATED = 5;

/** Looks from best to worst; `combine` takes the worst. */
export const LOOKS = ["current", "suspect", "unusable", "stale", "device", "none", "link"] as const;
export type Look = (typeof LOOKS)[number];

export interface PartView {
  readonly look: Look;
  /** What may be shown as the value; `null` is shown as "--". */
  readonly value: number | null;
  /** The last known value when `value` may not be shown; only ever shown struck through and with its age. */
  readonly last: number | null;
  /** Seconds of ward time since it was taken. */
  readonly ageSeconds: number | null;
  readonly places: number;
  readonly notes: readonly QualityNote[];
}

export interface Situation {
  /** Server time now, µs. */
  readonly now: number;
  readonly link: Link;
  readonly device: DeviceState;
}

/** Age in seconds: by when it was taken or when it came in, whichever is longer ago, so that a clock in the future cannot keep a value young. */
export function age(latest: Pick<Latest, "takenAt" | "receivedAt">, now: number): number {
  return Math.max(0, now - latest.takenAt, now - latest.receivedAt) / 1e6;
}

/** Whether a device in this state may have current values. A device the server does not mention may not. */
export function speaks(state: DeviceState): boolean {
  return state === "online";
}

export function viewPart(stream: NumericStream, latest: Latest | undefined, at: Situation): PartView {
  const places = stream.places;
  if (latest === undefined) {
    const look: Look = at.link === "live" ? "none" : "link";
    return { look, value: null, last: null, ageSeconds: null, places, notes: [] };
  }
  const ageSeconds = age(latest, at.now);
  const found = notes(latest.quality);
  const future = latest.takenAt - latest.receivedAt > FUTURE_TOLERATED * 1e6;
  if (future && !found.includes("clock-suspect")) found.push("clock-suspect");
  const hidden = (look: Look): PartView => ({ look, value: null, last: latest.value, ageSeconds, places, notes: found });
  if (at.link !== "live") return hidden("link");
  if (!speaks(at.device)) return hidden("device");
  if (ageSeconds > 2 * (stream.period ?? PERIOD_ASSUMED)) return hidden("stale");
  if (latest.value === null || unusable(latest.quality)) return { ...hidden("unusable"), last: null };
  const look: Look = doubtful(latest.quality) || future ? "suspect" : "current";
  return { look, value: latest.value, last: null, ageSeconds, places, notes: found };
}

export interface ParameterView {
  readonly parameter: Parameter;
  /** State of the device it comes from; says why when `look` is `device`. */
  readonly device: DeviceState;
  /** The worst look of its parts: what the whole is shown as. */
  readonly look: Look;
  /** Same order and length as `parameter.parts`. */
  readonly parts: readonly (PartView | null)[];
  readonly ageSeconds: number | null;
  readonly notes: readonly QualityNote[];
}

export function viewParameter(parameter: Parameter, latest: ReadonlyMap<number, Latest>, at: Situation): ParameterView {
  const parts = parameter.parts.map((stream) => (stream === null ? null : viewPart(stream, latest.get(stream.index), at)));
  const known = parts.filter((part) => part !== null);
  const ages = known.map((part) => part.ageSeconds).filter((each) => each !== null);
  return {
    parameter,
    device: at.device,
    look: combine(known.map((part) => part.look)),
    parts,
    ageSeconds: ages.length === 0 ? null : Math.max(...ages),
    notes: [...new Set(known.flatMap((part) => part.notes))],
  };
}

function combine(looks: readonly Look[]): Look {
  let worst = 0;
  for (const look of looks) worst = Math.max(worst, LOOKS.indexOf(look));
  return looks.length === 0 ? "none" : (LOOKS[worst] ?? "none");
}

export interface DeviceView {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  readonly lifeSupporting: boolean;
  readonly state: DeviceState;
  /** Seconds of ward time since its last message. */
  readonly heardSeconds: number | null;
}

/** Behind a dead link no state of a device is known any more. */
export function viewDevices(bed: Bed, tick: Tick | null, link: Link, now: number): DeviceView[] {
  return bed.devices.map((device) => {
    const told = tick?.devices.get(device.id);
    return {
      id: device.id,
      kind: device.kind,
      model: device.model,
      lifeSupporting: device.lifeSupporting,
      state: link === "live" ? (told?.state ?? "unknown") : "unknown",
      heardSeconds: told?.heardAt == null ? null : Math.max(0, (now - told.heardAt) / 1e6),
    };
  });
}

/** What the bed as a whole is, worst first; drives the tile's frame and its words. */
export type BedState = "link" | "dead" | "impaired" | "empty" | "unbound" | "no-devices" | "well";

export function bedState(bed: Bed, link: Link, devices: readonly DeviceView[], hasData: boolean): BedState {
  if (link !== "live") return "link";
  if (!bed.occupied && !hasData) return "empty";
  if (devices.length === 0) return "no-devices";
  const speaking = devices.filter((device) => speaks(device.state)).length;
  if (speaking === 0) return "dead";
  if (speaking < devices.length) return "impaired";
  return bed.occupied ? "well" : "unbound";
}

export type CurveState = "live" | "link" | "device" | "silent" | "sensor-off" | "suspect";

/** Longest a curve may stand still before it is hatched, real seconds beyond the playout delay. */
const SILENCE_SECONDS = 2;

/** `headTime`: time of its newest sample (µs) or `null`; `blockSeconds`: length of its blocks; `delaySeconds`: the playout's, real seconds. */
export function curveState(
  headTime: number | null,
  quality: number,
  blockSeconds: number,
  delaySeconds: number,
  speed: number,
  at: Situation,
): CurveState {
  if (at.link !== "live") return "link";
  if (!speaks(at.device)) return "device";
  const allowed = Math.min(SILENCE_SECONDS + Math.max(delaySeconds, blockSeconds / speed), 4);
  if (headTime === null || (at.now - headTime) / 1e6 / speed > allowed) return "silent";
  if (unusable(quality)) return "sensor-off";
  return doubtful(quality) ? "suspect" : "live";
}
