/**
 * The auditory signals, one row for each priority. Every figure lies inside the range of IEC 60601-1-8 (2006 + A1 + A2) that `RANGES` repeats, measured from the
 * ends of a pulse as well as from where it has nine tenths of its height. Not for: when there is a sound (the server says), making it (`burst.ts`).
 */
import type { Priority } from "../live/alarms.ts";

export interface Signal {
  readonly pulses: number;
  /** One pulse with rise and fall, ms. */
  readonly pulseMs: number;
  /** Silence between neighbouring pulses, ms: x of the standard for high, y for medium and low. */
  readonly spacingMs: number;
  /** Silence between pulses 5 and 6 of a high burst, ms. */
  readonly pauseMs: number;
  /** From the end of a burst to the beginning of the next, ms. */
  readonly intervalMs: number;
  readonly fundamentalHz: number;
}

export const SIGNALS: Readonly<Record<Priority, Signal>> = {
  high: { pulses: 10, pulseMs: 150, spacingMs: 60, pauseMs: 600, intervalMs: 4000, fundamentalHz: 523.25 },
  medium: { pulses: 3, pulseMs: 240, spacingMs: 150, pauseMs: 0, intervalMs: 12_000, fundamentalHz: 440 },
  low: { pulses: 2, pulseMs: 240, spacingMs: 150, pauseMs: 0, intervalMs: 25_000, fundamentalHz: 349.23 },
};

/** Harmonics after the fundamental, dB against it; each within ±15 dB, between 300 and 4000 Hz. */
export const HARMONICS_DB: readonly number[] = [-3, -5, -7, -9, -11];
/** Share of a pulse taken by its straight rise, and as much by its fall; from a tenth to nine tenths that is 16 % of the pulse. */
export const RISE_SHARE = 0.2;
/** Highest sample; full scale is 1. */
export const PEAK = 0.9;

/** What the standard allows, as second-hand sources give it: [least, most]. */
export const RANGES = {
  pulseMs: { high: [75, 200], medium: [125, 250], low: [125, 250] },
  spacingMs: { high: [50, 125], medium: [125, 250], low: [125, 250] },
  pauseMs: [350, 1300],
  intervalMs: { high: [2500, 15_000], medium: [2500, 30_000], low: [15_000, Infinity] },
  fundamentalHz: [150, 1000],
  harmonicsHz: [300, 4000],
  harmonicsMin: 4,
  harmonicsDb: 15,
  rise: [0.1, 0.4],
  pulsesDb: 10,
} as const;
