/** One burst as samples: pure arithmetic over `table.ts`, the same for the browser and for the test that measures it. */
import type { Priority } from "../live/alarms.ts";
import { HARMONICS_DB, PEAK, RISE_SHARE, SIGNALS, type Signal } from "./table.ts";

/** When each pulse begins, ms after the burst does. A high burst is 3 + 2, a pause, 3 + 2. */
export function onsets({ pulses, pulseMs, spacingMs, pauseMs }: Signal): number[] {
  const found: number[] = [];
  let at = 0;
  for (let pulse = 1; pulse <= pulses; pulse++) {
    found.push(at);
    const wide = pulses === 10 && (pulse === 3 || pulse === 8);
    const silence = pulses === 10 && pulse === 5 ? pauseMs : wide ? 2 * spacingMs + pulseMs : spacingMs;
    at += pulseMs + silence;
  }
  return found;
}

/** Length of the whole burst, ms. */
export function burstMs(signal: Signal): number {
  return (onsets(signal).at(-1) ?? 0) + signal.pulseMs;
}

/** The burst of a priority, `rate` samples a second, between -1 and 1. */
export function burst(priority: Priority, rate: number): Float32Array<ArrayBuffer> {
  const signal = SIGNALS[priority];
  const samples = new Float32Array(Math.ceil((burstMs(signal) / 1000) * rate));
  const length = Math.round((signal.pulseMs / 1000) * rate);
  const partials = [0, ...HARMONICS_DB].map((db, at) => ({ gain: 10 ** (db / 20), step: (2 * Math.PI * signal.fundamentalHz * (at + 1)) / rate }));
  let highest = 0;
  for (const onset of onsets(signal)) {
    const begin = Math.round((onset / 1000) * rate);
    for (let i = 0; i < length; i++) {
      const envelope = Math.min(1, i / (length * RISE_SHARE), (length - i) / (length * RISE_SHARE));
      const value = envelope * partials.reduce((sum, { gain, step }) => sum + gain * Math.sin(step * i), 0);
      samples[begin + i] = value;
      highest = Math.max(highest, Math.abs(value));
    }
  }
  for (let i = 0; i < samples.length; i++) samples[i] = ((samples[i] ?? 0) / highest) * PEAK;
  return samples;
}
