/**
 * The last seconds of one waveform, one slot per sample time, so that blocks which come late, twice or with holes lie where they belong.
 *
 * What always holds: a slot nothing came for is `MISSING`, a sample the device had no value for is `NaN`; neither is ever drawn as a value.
 * Slot numbers are absolute: round(time × rate), so they never restart.
 */
import { NO_VALUE, type WaveBlock, type WaveStream } from "./protocol.ts";

/** No sample came for this slot (yet). */
export const MISSING = Number.POSITIVE_INFINITY;
/** A block that starts this close to where the last one ended continues it: rounding and the drift of the device's clock are not gaps. */
const JOIN_SLOTS = 2;

/** Slots that changed, both ends included. */
export interface Written {
  readonly from: number;
  readonly to: number;
}

export class WaveRing {
  readonly rate: number;
  readonly #values: Float32Array;
  readonly #quality: Uint8Array;
  readonly #gain: number;
  readonly #baseline: number;
  /** Newest slot ever written, or -1. */
  head = -1;
  /** Flags of the newest block. */
  headQuality = 0;
  /** Seconds of ward time the newest block covers. */
  blockSeconds = 0;
  /** Called for each block; a renderer learns of late ones this way. */
  readonly listeners = new Set<(written: Written) => void>();

  constructor(stream: Pick<WaveStream, "rate" | "gain" | "baseline">, seconds: number) {
    this.rate = stream.rate;
    this.#gain = stream.gain;
    this.#baseline = stream.baseline;
    const size = Math.max(16, Math.ceil(stream.rate * seconds));
    this.#values = new Float32Array(size).fill(MISSING);
    this.#quality = new Uint8Array(size);
  }

  get size(): number {
    return this.#values.length;
  }

  /** Puts a block in its place. Older than the ring is long: dropped. Far ahead of the head: what lay between is `MISSING`. */
  write(block: Pick<WaveBlock, "start" | "samples" | "quality">): Written | null {
    const count = block.samples.length;
    if (count === 0) return null;
    let first = this.slotAt(block.start);
    if (this.head >= 0 && Math.abs(first - (this.head + 1)) <= JOIN_SLOTS) first = this.head + 1;
    const last = first + count - 1;
    const size = this.size;
    if (last <= this.head - size) return null;
    if (last > this.head) this.#advance(last);
    for (let i = Math.max(0, this.head - size + 1 - first); i < count; i++) {
      const sample = block.samples[i] ?? NO_VALUE;
      const at = (first + i) % size;
      this.#values[at] = sample === NO_VALUE ? Number.NaN : (sample - this.#baseline) / this.#gain;
      this.#quality[at] = block.quality;
    }
    if (last === this.head) {
      this.headQuality = block.quality;
      this.blockSeconds = count / this.rate;
    }
    const written = { from: first, to: last };
    for (const listener of this.listeners) listener(written);
    return written;
  }

  #advance(head: number): void {
    const size = this.size;
    const from = Math.max(this.head + 1, head - size + 1);
    for (let slot = from; slot <= head; slot++) this.#values[slot % size] = MISSING;
    this.head = head;
  }

  /** Value in a slot; `MISSING` outside the ring. */
  value(slot: number): number {
    if (slot > this.head || slot <= this.head - this.size || slot < 0) return MISSING;
    return this.#values[slot % this.size] ?? MISSING;
  }

  quality(slot: number): number {
    return this.#quality[slot % this.size] ?? 0;
  }

  slotAt(time: number): number {
    return Math.round((time / 1e6) * this.rate);
  }

  /** Time of the newest sample in µs, or `null` before the first. */
  get headTime(): number | null {
    return this.head < 0 ? null : (this.head / this.rate) * 1e6;
  }

  /** Smallest and largest value between two slots, or `null` if there is none. */
  extremes(from: number, to: number): { min: number; max: number } | null {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (let slot = from; slot <= to; slot++) {
      const value = this.value(slot);
      if (!Number.isFinite(value)) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    return min <= max ? { min, max } : null;
  }
}
