/**
 * What people do about alarms: one act, one identifier. An act that got no answer may have been done; sent again it carries the same identifier, so it is never done twice.
 *
 * What always holds: nothing on the page changes by an act. The server tells what became of it; a failed act stays visible at its bed until it is tried again or dismissed.
 */
import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { api, path, type Answer, type Problem } from "./client.ts";
import { any } from "./shape.ts";

export type Deed =
  | { readonly do: "acknowledge"; readonly alarm: string; readonly judged?: "actionable" | "not-actionable" }
  | { readonly do: "pause-audio"; readonly seconds: number }
  | { readonly do: "resume" | "take" | "back" | "accept-bed" }
  | { readonly do: "standby" | "reject-bed"; readonly reason: string }
  | { readonly do: "accept" | "escalate"; readonly alarm: string }
  | { readonly do: "reject"; readonly alarm: string; readonly reason: string };

export type LimitDeed =
  | { readonly do: "set-limit"; readonly rule: string; readonly priority: string; readonly to: number | "off" | "profile"; readonly reason: string }
  | { readonly do: "pause-alarms"; readonly seconds: number; readonly reason: string }
  | { readonly do: "audio-off"; readonly reason: string };

export interface Failed {
  readonly id: string;
  readonly what: Deed;
  readonly problem: Problem;
  /** Tries the same again. */
  readonly again: () => void;
}

/** 32 hexadecimal digits, made up for one act. */
export function actId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Key of acts about what serves all beds. */
export const WARD = "";

class Acts {
  /** By bed: the last act that failed. */
  readonly failed = new SvelteMap<string, Failed>();
  /** Beds with an act under way. */
  readonly busy = new SvelteSet<string>();

  /** Does something at a bed, or with `WARD` about what serves all beds. A second press while the first is under way does nothing. */
  async at(bed: string, what: Deed): Promise<Answer<unknown> | null> {
    if (this.busy.has(bed)) return null;
    const before = this.failed.get(bed);
    const id = before !== undefined && JSON.stringify(before.what) === JSON.stringify(what) ? before.id : actId();
    this.busy.add(bed);
    const answer = await api.post(bed === WARD ? "/alarms/acts" : path`/beds/${bed}/alarms/acts`, { id, what }, any);
    this.busy.delete(bed);
    if (answer.ok) this.failed.delete(bed);
    else this.failed.set(bed, { id, what, problem: answer.problem, again: () => { void this.at(bed, what); } });
    return answer;
  }

  dismiss(bed: string): void {
    this.failed.delete(bed);
  }
}

export const acts = new Acts();

/** Sets something about a patient's limits. */
export function setAtLimits(bed: string, id: string, what: LimitDeed): Promise<Answer<unknown>> {
  return api.post(path`/beds/${bed}/limits`, { id, what }, any);
}
