/**
 * The ward's time as the page knows it: the server's time at reception plus the time the page has measured since, times the ward's speed.
 *
 * Not for: wall clocks; the page's own date never enters. All local times are `performance.now()` in milliseconds.
 * What always holds: without news from the server the clock runs on, so everything on the page grows older and nothing stands still.
 */

/** A new estimate this far from the running one is a jump of the server's clock, not jitter. */
const JUMP_MS = 10_000;
/** Share of the difference taken over when a message says it is earlier than we think: it was merely delayed, or the local clock drifts. */
const DRIFT_SHARE = 0.02;

export class WardClock {
  #speed = 1;
  /** Server µs minus local ms × 1000 × speed. */
  #offset: number | null = null;

  get speed(): number {
    return this.#speed;
  }

  /** Whether a server time is known. */
  get known(): boolean {
    return this.#offset !== null;
  }

  setSpeed(speed: number): void {
    if (speed === this.#speed) return;
    this.#speed = speed;
    this.#offset = null;
  }

  /** The server said `time` (µs) in a message that came in at `local`. The least delayed message is the best witness. */
  witness(time: number, local: number): void {
    const offset = time - local * 1000 * this.#speed;
    const late = this.#offset === null ? 0 : (this.#offset - offset) / (1000 * this.#speed);
    if (this.#offset === null || late < 0 || late > JUMP_MS) this.#offset = offset;
    else this.#offset += (offset - this.#offset) * DRIFT_SHARE;
  }

  /** After a reconnect the old estimate must not outlive the old connection. */
  reset(): void {
    this.#offset = null;
  }

  /** Server time in µs at the local instant, or `null` while unknown. */
  at(local: number): number | null {
    return this.#offset === null ? null : this.#offset + local * 1000 * this.#speed;
  }
}
