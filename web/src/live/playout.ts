/**
 * When to draw what: how far the sweep of a bed stays behind the ward's time so that it runs evenly although blocks come in bursts.
 *
 * One for each bed, so all curves of a bed stay aligned in time and one slow device does not delay the others.
 * What always holds: the drawn time never runs backwards except after a jump of the clock, and never lies more than `DELAY_MS_MAX` behind.
 */

export const DELAY_MS_MIN = 600;
/** Later than this is not waited for: it is a gap, filled in if the block comes while its place is still on the screen. */
export const DELAY_MS_MAX = 2500;
const MARGIN_MS = 120;
/** How fast a delay that is no longer needed is given back, ms per second: 2 % faster sweep, not visible. */
const RECOVER = 20;
/** Blocks later than this say nothing about the next one: the link was down. */
const OUTLIER_MS = 5000;

export class Playout {
  #delay = DELAY_MS_MIN;
  #drawn: number | null = null;
  #local = 0;
  #worst = 0;
  #worstAt = 0;

  get delayMs(): number {
    return this.#delay;
  }

  /** A block came in whose first sample is `lateMs` old in real milliseconds. */
  arrival(lateMs: number, local: number): void {
    if (lateMs > OUTLIER_MS || lateMs < 0) return;
    if (lateMs >= this.#worst || local - this.#worstAt > 10_000) {
      this.#worst = lateMs;
      this.#worstAt = local;
    }
  }

  /** The ward time (µs) to draw up to at this frame. */
  advance(wardNow: number, speed: number, local: number): number {
    const needed = Math.min(Math.max(this.#worst + MARGIN_MS, DELAY_MS_MIN), DELAY_MS_MAX);
    const passed = Math.max(0, local - this.#local);
    this.#local = local;
    if (needed > this.#delay) this.#delay = needed;
    else this.#delay = Math.max(needed, this.#delay - (passed / 1000) * RECOVER);
    const wanted = wardNow - this.#delay * 1000 * speed;
    const jump = this.#drawn === null || Math.abs(wanted - this.#drawn) > 5e6 * speed;
    this.#drawn = jump ? wanted : Math.max(this.#drawn ?? wanted, wanted);
    return this.#drawn;
  }
}
