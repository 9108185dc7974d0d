/**
 * What the page knows of the ward. Fast things (samples, last values) lie in plain maps; what the screen shows is looked at four times a second through
 * `now`, so a value is at most 250 ms late on the screen and a frame never waits for the screen.
 *
 * What always holds: the link is `live` only while understood messages come; everything else follows from that in `state.ts`.
 */
import { SvelteMap } from "svelte/reactivity";
import { apply, type WardAlarms } from "./alarms.ts";
import { WardClock } from "./clock.ts";
import { Connection, SILENCE_MS_MAX, type SessionCheck } from "./connection.ts";
import { curves } from "./parameters.ts";
import { Playout } from "./playout.ts";
import type { Layout, Message, Stream, Tick, WaveStream } from "./protocol.ts";
import { WaveRing } from "./ring.ts";
import type { Latest, Link } from "./state.ts";

const REFRESH_MS = 250;
/** µs a value's time may lie ahead of the server's before it is no longer believed. */
const CLOCK_AHEAD = 1e6;
/** Longest sweep a curve is drawn with, real seconds, plus the playout delay; slow curves are drawn four times as long. */
const RING_SECONDS = 18;
const RING_SECONDS_SLOW = 66;

export class Ward {
  layout = $state.raw<Layout | null>(null);
  tick = $state.raw<Tick | null>(null);
  link = $state<Link>("connecting");
  /** Alarms of the ward; `null` while the server has told none, as older servers never do. */
  alarms = $state.raw<WardAlarms | null>(null);
  /** Server time in µs at the last refresh. */
  now = $state<number | null>(null);
  /** Real seconds since the link was lost. */
  lostSeconds = $state(0);
  /** Messages of the server this page did not understand. */
  misunderstood = new SvelteMap<string, number>();
  ended = $state(false);

  readonly clock = new WardClock();
  latest: Map<number, Latest> = new Map();
  readonly #rings = new Map<number, { ring: WaveRing; bed: string }>();
  readonly #playouts = new Map<string, Playout>();
  #keys = new Map<string, number>();
  /** Numeric stream → since when the bed's present patient lies there, µs. */
  #since = new Map<number, number>();
  #heard: number | null = null;
  #lostAt: number | null = null;
  #open = false;
  #timer: ReturnType<typeof setInterval> | null = null;
  readonly #connection: Connection;

  /** `check` asks whether the session still holds, when the stream was refused or broke off. */
  constructor(check: SessionCheck) {
    const scheme = location.protocol === "http:" ? "ws:" : "wss:";
    this.#connection = new Connection(
      `${scheme}//${location.host}/api/v1/live`,
      {
        message: (message, local) => { this.#take(message, local); },
        refused: (reason) => { this.misunderstood.set(reason, (this.misunderstood.get(reason) ?? 0) + 1); },
        closed: () => {
          this.#open = false;
          this.#refresh();
        },
        unauthorised: () => { this.ended = true; },
      },
      check,
    );
  }

  start(): void {
    this.#connection.start();
    this.#timer = setInterval(() => { this.#refresh(); }, REFRESH_MS);
  }

  stop(): void {
    this.#connection.stop();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  ring(stream: number): WaveRing | null {
    return this.#rings.get(stream)?.ring ?? null;
  }

  playout(bed: string): Playout {
    const known = this.#playouts.get(bed);
    if (known) return known;
    const made = new Playout();
    this.#playouts.set(bed, made);
    return made;
  }

  #take(message: Message, local: number): void {
    if (!this.#open && message.type !== "layout") return; // The layout comes first; before it nothing has a meaning.
    this.#heard = local;
    switch (message.type) {
      case "layout":
        if (!this.#open) {
          this.clock.reset();
          this.alarms = null; // A new stream tells the whole again, or has none to tell.
        }
        this.#open = true;
        this.clock.setSpeed(message.layout.speed);
        this.clock.witness(message.layout.serverTime, local);
        this.#arrange(message.layout);
        break;
      case "waves": {
        const now = this.clock.at(local);
        for (const block of message.blocks) {
          const target = this.#rings.get(block.stream);
          if (!target || now === null) continue;
          target.ring.write(block);
          this.playout(target.bed).arrival((now - block.start) / 1000 / this.clock.speed, local);
        }
        break;
      }
      case "numbers":
        this.clock.witness(message.time, local);
        for (const entry of message.numbers) {
          if (entry.takenAt < (this.#since.get(entry.stream) ?? -Infinity)) continue; // Of whoever lay there before.
          const known = this.latest.get(entry.stream);
          // Late ones from a device's buffer do not replace what is newer, unless "newer" only means that the device's clock was ahead.
          if (known && known.takenAt > entry.takenAt && known.takenAt <= known.receivedAt + CLOCK_AHEAD) continue;
          this.latest.set(entry.stream, { takenAt: entry.takenAt, receivedAt: message.time, value: entry.value, quality: entry.quality });
        }
        break;
      case "tick":
        this.clock.witness(message.tick.time, local);
        this.tick = message.tick;
        break;
      case "alarms":
        this.clock.witness(message.alarms.t, local);
        this.alarms = apply(this.alarms, message.alarms);
        break;
    }
    if (this.link !== "live") this.#refresh();
  }

  /**
   * Stream numbers change with each layout; values and curves of streams that stay are kept, but never across patients: what was measured before somebody came
   * into the bed is not theirs.
   */
  #arrange(layout: Layout): void {
    const latest = new Map<number, Latest>();
    const rings = new Map<number, { ring: WaveRing; bed: string }>();
    const keys = new Map<string, number>();
    const since = new Map<number, number>();
    for (const bed of layout.beds) {
      const was = this.layout?.beds.find((each) => each.id === bed.id);
      const changed = was !== undefined && (was.occupied !== bed.occupied || was.since !== bed.since);
      const slow = new Set(curves(bed).filter((curve) => curve.slow).map((curve) => curve.stream.index));
      for (const stream of bed.streams) {
        const key = keyOf(bed.id, stream);
        const before = changed ? undefined : this.#keys.get(key);
        keys.set(key, stream.index);
        if (stream.kind === "numeric") {
          const kept = before === undefined ? undefined : this.latest.get(before);
          if (kept) latest.set(stream.index, kept);
          if (bed.since !== null) since.set(stream.index, bed.since);
        } else {
          const kept = before === undefined ? undefined : this.#rings.get(before);
          const seconds = slow.has(stream.index) ? RING_SECONDS_SLOW : RING_SECONDS;
          rings.set(stream.index, { ring: kept?.ring ?? new WaveRing(stream, seconds * layout.speed), bed: bed.id });
        }
      }
    }
    this.#keys = keys;
    this.#since = since;
    this.latest = latest;
    this.#rings.clear();
    for (const [index, ring] of rings) this.#rings.set(index, ring);
    this.layout = layout;
  }

  #refresh(): void {
    const local = performance.now();
    this.#connection.watch(local);
    const fresh = this.#heard !== null && local - this.#heard <= SILENCE_MS_MAX;
    if (this.#open && fresh) {
      this.link = "live";
      this.#lostAt = null;
    } else if (this.link === "live" || (this.link === "connecting" && local > SILENCE_MS_MAX)) {
      this.link = "lost";
      this.#lostAt = this.#heard ?? local;
    }
    this.lostSeconds = this.#lostAt === null ? 0 : Math.floor((local - this.#lostAt) / 1000);
    this.now = this.clock.at(local);
  }
}

function keyOf(bed: string, stream: Stream): string {
  const scale = stream.kind === "waveform" ? waveKey(stream) : "n";
  return `${bed}|${stream.device}|${stream.code}|${scale}`;
}

function waveKey(stream: WaveStream): string {
  return `${stream.rate}:${stream.gain}:${stream.baseline}`;
}
