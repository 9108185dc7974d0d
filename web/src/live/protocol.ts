/**
 * What the server says on the live stream, decoded and checked once (docs/live-stream.md). Not for: connecting, keeping state, drawing.
 *
 * What always holds: a message is understood whole or refused with a reason; nothing is guessed. Times stay in microseconds of the server's clock.
 */

import { Mismatch } from "../api/shape.ts";
import { AlarmsMessage } from "./alarms.ts";

/** What an unknown or malformed message is called; the page counts these and does not take them for a sign of life. */
export type Refusal = "empty" | "unknown_type" | "unknown_version" | "malformed";

export interface Device {
  readonly id: string;
  readonly model: string;
  readonly kind: string;
  readonly lifeSupporting: boolean;
}

interface StreamCommon {
  /** The stream's number until the next layout. */
  readonly index: number;
  readonly device: string;
  /** MDC code. */
  readonly code: number;
  /** Its reference identifier, as alarms name it; `null` where the server does not say. */
  readonly reference: string | null;
  readonly label: string;
  readonly name: { readonly de: string; readonly en: string };
  readonly unit: string;
}

export interface WaveStream extends StreamCommon {
  readonly kind: "waveform";
  /** Samples per second of ward time. */
  readonly rate: number;
  /** Physical value = (sample - baseline) / gain. */
  readonly gain: number;
  readonly baseline: number;
}

export interface NumericStream extends StreamCommon {
  readonly kind: "numeric";
  /** Decimal places shown. */
  readonly places: number;
  /** Seconds of ward time between two values, if the server knows. */
  readonly period: number | null;
}

export type Stream = WaveStream | NumericStream;

export interface Bed {
  readonly id: string;
  readonly label: string;
  readonly occupied: boolean;
  /** Since when its present patient lies there, µs; `null` where the server does not say. */
  readonly since: number | null;
  readonly devices: readonly Device[];
  readonly streams: readonly Stream[];
}

export interface Layout {
  readonly ward: { readonly id: string; readonly name: string; readonly timeZone: string | null };
  readonly serverTime: number;
  /** Seconds of ward time per real second. */
  readonly speed: number;
  readonly charter: { readonly fingerprint: string; readonly name: string };
  readonly beds: readonly Bed[];
}

export interface WaveBlock {
  readonly stream: number;
  readonly quality: number;
  /** Time of the first sample, µs. */
  readonly start: number;
  /** Raw samples; `NO_VALUE` where the device had none. */
  readonly samples: Int16Array;
}

export interface NumberEntry {
  readonly stream: number;
  readonly takenAt: number;
  readonly value: number | null;
  readonly quality: number;
}

export const DEVICE_STATES = ["online", "silent", "offline", "revoked", "invited"] as const;
/** `unknown` is what the page makes of a state it does not know, or of a device the server does not mention. */
export type DeviceState = (typeof DEVICE_STATES)[number] | "unknown";
export type StoreState = "good" | "disk_full" | "failed" | "unknown";
export type CharterState = "in_force" | "reload_refused" | "unknown";

export interface Tick {
  readonly time: number;
  readonly store: StoreState;
  readonly charter: CharterState;
  readonly devices: ReadonlyMap<string, { readonly state: DeviceState; readonly heardAt: number | null }>;
  readonly refused: ReadonlyMap<string, number>;
}

export type Message =
  | { readonly type: "layout"; readonly layout: Layout }
  | { readonly type: "waves"; readonly blocks: readonly WaveBlock[] }
  | { readonly type: "numbers"; readonly time: number; readonly numbers: readonly NumberEntry[] }
  | { readonly type: "tick"; readonly tick: Tick }
  | { readonly type: "alarms"; readonly alarms: AlarmsMessage };

export type Decoded = { readonly ok: true; readonly message: Message } | { readonly ok: false; readonly reason: Refusal };

export const NO_VALUE = -32768;
const WAVES_HEADER_BYTES = 4;
const BLOCK_HEADER_BYTES = 14;

/** Thrown inside this module only; `decode` turns it into a reason. */
class Malformed extends Error {}

function refused(reason: Refusal): Decoded {
  return { ok: false, reason };
}

/** Decodes one binary message. Never throws. */
export function decode(buffer: ArrayBuffer): Decoded {
  if (buffer.byteLength === 0) return refused("empty");
  try {
    switch (new DataView(buffer).getUint8(0)) {
      case 1:
        return decodeLayout(json(buffer));
      case 2:
        return decodeWaves(new DataView(buffer));
      case 3:
        return decodeNumbers(json(buffer));
      case 4:
        return decodeTick(json(buffer));
      case 5:
        return { ok: true, message: { type: "alarms", alarms: AlarmsMessage(json(buffer), "alarms") } };
      default:
        return refused("unknown_type");
    }
  } catch (error) {
    if (error instanceof Malformed || error instanceof Mismatch || error instanceof SyntaxError || error instanceof TypeError) return refused("malformed");
    throw error;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function json(buffer: ArrayBuffer): Fields {
  return fields(JSON.parse(utf8.decode(new Uint8Array(buffer, 1))));
}

function decodeLayout(from: Fields): Decoded {
  if (from["version"] !== 1) return refused("unknown_version");
  const ward = fields(from["ward"]);
  const charter = fields(from["charter"]);
  const layout: Layout = {
    ward: { id: text(ward["id"]), name: text(ward["name"]), timeZone: typeof ward["time_zone"] === "string" ? ward["time_zone"] : null },
    serverTime: number(from["server_time"]),
    speed: positive(from["speed"]),
    charter: { fingerprint: text(charter["fingerprint"]), name: text(charter["name"]) },
    beds: list(from["beds"]).map(bed),
  };
  return { ok: true, message: { type: "layout", layout } };
}

function bed(value: unknown): Bed {
  const from = fields(value);
  return {
    id: text(from["id"]),
    label: text(from["label"]),
    occupied: flag(from["occupied"]),
    since: typeof from["since"] === "number" ? from["since"] : null,
    devices: list(from["devices"]).map((each) => {
      const device = fields(each);
      return {
        id: text(device["id"]),
        model: text(device["model"]),
        kind: text(device["kind"]),
        lifeSupporting: device["life_supporting"] === true,
      };
    }),
    streams: list(from["streams"]).map(stream),
  };
}

function stream(value: unknown): Stream {
  const from = fields(value);
  const name = fields(from["name"]);
  const common: StreamCommon = {
    index: number(from["i"]),
    device: text(from["device"]),
    code: number(from["code"]),
    reference: typeof from["ref"] === "string" ? from["ref"] : null,
    label: text(from["label"]),
    name: { de: text(name["de"]), en: text(name["en"]) },
    unit: text(from["unit"]),
  };
  if (from["kind"] === "waveform") {
    return { ...common, kind: "waveform", rate: positive(from["rate"]), gain: nonzero(from["gain"]), baseline: number(from["baseline"]) };
  }
  if (from["kind"] === "numeric") {
    const period = from["period"];
    const places = from["places"];
    return {
      ...common,
      kind: "numeric",
      places: typeof places === "number" ? Math.min(Math.max(Math.round(places), 0), 4) : 0,
      period: typeof period === "number" && period > 0 ? period : null,
    };
  }
  throw new Malformed("kind");
}

function decodeWaves(view: DataView): Decoded {
  if (view.byteLength < WAVES_HEADER_BYTES) return refused("malformed");
  if (view.getUint8(1) !== 1) return refused("unknown_version");
  const count = view.getUint16(2, true);
  const blocks: WaveBlock[] = [];
  let at = WAVES_HEADER_BYTES;
  for (let block = 0; block < count; block++) {
    if (at + BLOCK_HEADER_BYTES > view.byteLength) return refused("malformed");
    const length = view.getUint16(at + 2, true);
    const from = at + BLOCK_HEADER_BYTES;
    const end = from + 2 * length;
    if (end > view.byteLength) return refused("malformed");
    const samples = new Int16Array(length);
    for (let i = 0; i < length; i++) samples[i] = view.getInt16(from + 2 * i, true);
    const start = view.getFloat64(at + 6, true);
    if (!Number.isFinite(start)) return refused("malformed");
    blocks.push({ stream: view.getUint16(at, true), quality: view.getUint8(at + 4), start, samples });
    at = end;
  }
  return at === view.byteLength ? { ok: true, message: { type: "waves", blocks } } : refused("malformed");
}

function decodeNumbers(from: Fields): Decoded {
  const numbers = list(from["n"]).map((each): NumberEntry => {
    const [index, takenAt, value, quality] = list(each);
    return { stream: number(index), takenAt: number(takenAt), value: value === null ? null : number(value), quality: number(quality) };
  });
  return { ok: true, message: { type: "numbers", time: number(from["t"]), numbers } };
}

function decodeTick(from: Fields): Decoded {
  const devices = new Map<string, { state: DeviceState; heardAt: number | null }>();
  for (const each of list(from["devices"])) {
    const [id, state, heardAt] = list(each);
    devices.set(text(id), { state: oneOf(DEVICE_STATES, state), heardAt: typeof heardAt === "number" ? heardAt : null });
  }
  const refusedCounts = new Map<string, number>();
  for (const [reason, count] of Object.entries(fields(from["refused"]))) refusedCounts.set(reason, number(count));
  const tick: Tick = {
    time: number(from["t"]),
    store: oneOf(["good", "disk_full", "failed"] as const, from["store"]),
    charter: oneOf(["in_force", "reload_refused"] as const, from["charter"]),
    devices,
    refused: refusedCounts,
  };
  return { ok: true, message: { type: "tick", tick } };
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed("object");
  return value as Fields;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Malformed("list");
  return value as readonly unknown[];
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new Malformed("text");
  return value;
}

function flag(value: unknown): boolean {
  if (typeof value !== "boolean") throw new Malformed("flag");
  return value;
}

function number(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Malformed("number");
  return value;
}

function positive(value: unknown): number {
  const checked = number(value);
  if (checked <= 0) throw new Malformed("positive");
  return checked;
}

function nonzero(value: unknown): number {
  const checked = number(value);
  if (checked === 0) throw new Malformed("nonzero");
  return checked;
}

function oneOf<const T extends string>(known: readonly T[], value: unknown): T | "unknown" {
  return known.find((each) => each === value) ?? "unknown";
}
