/**
 * One animation loop for all strips of the page. With many beds each strip is drawn on every second frame, half of them at a time: at 95 pixels a
 * second nobody sees the difference, and a slow machine keeps its frame rate.
 */

export interface Strip {
  /** Whether the strip can be seen; strips scrolled away cost nothing. */
  visible: boolean;
  draw(local: number): void;
}

const EVERY_FRAME_MAX = 12;

const strips = new Set<Strip>();
let handle: number | null = null;
let count = 0;

export function add(strip: Strip): () => void {
  strips.add(strip);
  handle ??= requestAnimationFrame(step);
  return () => {
    strips.delete(strip);
    if (strips.size === 0 && handle !== null) {
      cancelAnimationFrame(handle);
      handle = null;
    }
  };
}

function step(local: number): void {
  // First, so that a strip that fails cannot stop the others.
  handle = requestAnimationFrame(step);
  count += 1;
  const alternate = strips.size > EVERY_FRAME_MAX;
  let at = 0;
  for (const strip of strips) {
    at += 1;
    if (!strip.visible || (alternate && (at + count) % 2 === 0)) continue;
    strip.draw(local);
  }
}
