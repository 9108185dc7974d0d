/** One bed as the screen shows it at this instant: pure rules of `live/state.ts` applied to what the page knows. */
import type { Arrangement, Curve, Group, Parameter } from "../live/parameters.ts";
import type { Bed, DeviceState } from "../live/protocol.ts";
import { TEST } from "../live/quality.ts";
import {
  bedState,
  curveState,
  speaks,
  viewDevices,
  viewParameter,
  type BedState,
  type CurveState,
  type DeviceView,
  type ParameterView,
  type Situation,
} from "../live/state.ts";
import type { Ward } from "../live/ward.svelte.ts";
import type { SignName } from "./Sign.svelte";

export interface GroupView {
  readonly main: ParameterView;
  readonly companions: readonly ParameterView[];
}

export interface RowView {
  readonly curve: Curve;
  readonly state: CurveState;
  /** Message id of what stands over the curve, if anything. */
  readonly word: string | null;
  readonly group: GroupView | null;
}

export interface BedView {
  readonly state: BedState;
  readonly devices: readonly DeviceView[];
  readonly rows: readonly RowView[];
  readonly strip: readonly GroupView[];
  /** Message id of what must be said about the bed as a whole. */
  readonly headline: string | null;
  readonly sign: SignName;
  /** Some stream carries a test or demonstration signal. */
  readonly test: boolean;
}

/** Streams heard within this many seconds count as data on a bed without a patient. */
const HEARD_SECONDS = 10;

export function view(ward: Ward, bed: Bed, arrangement: Arrangement): BedView {
  const now = ward.now ?? 0;
  const link = ward.now === null ? (ward.link === "live" ? "connecting" : ward.link) : ward.link;
  const devices = viewDevices(bed, ward.tick, link, now);
  const stateOf = (id: string): DeviceState => devices.find((device) => device.id === id)?.state ?? "unknown";
  const situation = (device: string): Situation => ({ now, link, device: stateOf(device) });
  const viewOne = (parameter: Parameter): ParameterView => viewParameter(parameter, ward.latest, situation(parameter.device));
  const viewGroup = (group: Group): GroupView => ({ main: viewOne(group.parameter), companions: group.companions.map(viewOne) });
  const rows = arrangement.rows.map((row): RowView => {
    const { stream } = row.curve;
    const ring = ward.ring(stream.index);
    const at = situation(stream.device);
    const state = curveState(ring?.headTime ?? null, ring?.headQuality ?? 0, ring?.blockSeconds ?? 0, ward.playout(bed.id).delayMs / 1000, ward.clock.speed, at);
    return {
      curve: row.curve,
      state,
      word: state === "live" || state === "link" ? null : state === "device" ? `source-${at.device}` : `curve-${state}`,
      group: row.group && viewGroup(row.group),
    };
  });
  const strip = arrangement.strip.map(viewGroup);
  const state = bedState(bed, link, devices, heard(ward, bed, now));
  return { state, devices, rows, strip, ...said(state, devices), test: testing(ward, bed) };
}

function heard(ward: Ward, bed: Bed, now: number): boolean {
  return bed.streams.some((stream) => {
    const at = stream.kind === "numeric" ? ward.latest.get(stream.index)?.takenAt : ward.ring(stream.index)?.headTime;
    return at != null && now - at < HEARD_SECONDS * 1e6 * ward.clock.speed;
  });
}

function testing(ward: Ward, bed: Bed): boolean {
  return bed.streams.some((stream) => {
    const quality = stream.kind === "numeric" ? ward.latest.get(stream.index)?.quality : ward.ring(stream.index)?.headQuality;
    return ((quality ?? 0) & TEST) !== 0;
  });
}

function said(state: BedState, devices: readonly DeviceView[]): { headline: string | null; sign: SignName } {
  switch (state) {
    case "link":
      return { headline: "bed-link", sign: "lost" };
    case "dead":
      return { headline: "bed-dead", sign: devices.every((device) => device.state === "silent") ? "silent" : "offline" };
    case "unbound":
      return { headline: "bed-unbound", sign: "empty" };
    case "impaired": // The chip of the device in question says it.
    case "empty":
    case "no-devices":
    case "well":
      return { headline: null, sign: "unknown" };
  }
}

/** Whether anything on this bed needs a look: for announcements. */
export function trouble(devices: readonly DeviceView[]): readonly DeviceView[] {
  return devices.filter((device) => !speaks(device.state));
}
