/**
 * Plays the bursts of what is to be heard, again and again, until it is not. Not for: deciding what is to be heard.
 *
 * What always holds: `ready` is true only while the browser's audio clock is seen to run. A browser that has not been touched yet, that put the page to sleep or
 * that has no audio at all is not ready, and the page says so; silence is never mistaken for quiet.
 */
import { PRIORITIES, type Priority } from "../live/alarms.ts";
import { burst } from "./burst.ts";
import { SIGNALS } from "./table.ts";

const LOOK_MS = 100;
/** The audio clock may stand still this long before it counts as stopped. */
const STOPPED_MS = 1500;

class Siren {
  ready = $state(false);
  /** Bursts begun; for tests and for who wants to see that it works. */
  bursts = $state(0);
  #wanted: Priority | null = null;
  #context: AudioContext | null = null;
  readonly #buffers = new Map<Priority, AudioBuffer>();
  #playing: { readonly node: AudioBufferSourceNode; readonly priority: Priority; readonly nextAt: number } | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #clock = { audio: -1, local: 0 };

  start(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => { this.#look(); }, LOOK_MS);
    for (const kind of ["pointerdown", "keydown"] as const) addEventListener(kind, this.#touched, { passive: true });
    this.unlock();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const kind of ["pointerdown", "keydown"] as const) removeEventListener(kind, this.#touched);
    this.#silence();
    void this.#context?.close();
    this.#context = null;
    this.#buffers.clear();
    this.ready = false;
  }

  /** The most urgent thing to be heard, or `null`. More urgent ones interrupt. */
  want(priority: Priority | null): void {
    this.#wanted = priority;
    this.#look();
  }

  /** Asks the browser for sound; it gives it once somebody has touched the page. */
  unlock(): void {
    try {
      this.#context ??= new AudioContext();
    } catch {
      return; // No audio here: `ready` stays false.
    }
    if (this.#context.state !== "running") this.#context.resume().catch(() => undefined); // Refused until a touch; `ready` says so.
  }

  readonly #touched = (): void => { if (!this.ready) this.unlock(); };

  #look(): void {
    const local = performance.now();
    const context = this.#context;
    if (context !== null && context.currentTime !== this.#clock.audio) this.#clock = { audio: context.currentTime, local };
    this.ready = context !== null && context.state === "running" && this.#clock.audio > 0 && local - this.#clock.local < STOPPED_MS;
    if (context === null || !this.ready || this.#wanted === null) {
      this.#silence();
      return;
    }
    const playing = this.#playing;
    if (playing !== null && playing.priority === this.#wanted && local < playing.nextAt) return;
    // A less urgent one that takes over keeps its distance by ending what is heard now.
    if (playing !== null && PRIORITIES.indexOf(playing.priority) !== PRIORITIES.indexOf(this.#wanted)) this.#silence();
    this.#play(context, this.#wanted, local);
  }

  #play(context: AudioContext, priority: Priority, local: number): void {
    const node = context.createBufferSource();
    node.buffer = this.#bufferOf(context, priority);
    node.connect(context.destination);
    node.start();
    this.bursts += 1;
    this.#playing = { node, priority, nextAt: local + node.buffer.duration * 1000 + SIGNALS[priority].intervalMs };
  }

  #bufferOf(context: AudioContext, priority: Priority): AudioBuffer {
    const known = this.#buffers.get(priority);
    if (known) return known;
    const samples = burst(priority, context.sampleRate);
    const made = context.createBuffer(1, samples.length, context.sampleRate);
    made.copyToChannel(samples, 0);
    this.#buffers.set(priority, made);
    return made;
  }

  #silence(): void {
    this.#playing?.node.stop();
    this.#playing = null;
  }
}

export const siren = new Siren();
