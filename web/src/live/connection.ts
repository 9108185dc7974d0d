/**
 * The page's one WebSocket: opens it, notices when it has died, opens it again. Not for: understanding what comes, see `protocol.ts`.
 *
 * What always holds: `SILENCE_MS_MAX` without an understood message means lost, whatever the socket itself believes.
 */
import { decode, type Message, type Refusal } from "./protocol.ts";

/** docs/live-stream.md: a page that hears nothing for 3 s shows itself as disconnected. */
export const SILENCE_MS_MAX = 3000;
/** A socket that stays silent this long is given up and opened anew. */
const GIVE_UP_MS = 8000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 8000;

export interface Hooks {
  message(message: Message, local: number): void;
  refused(reason: Refusal): void;
  /** The stream is over; the next attempt will come by itself. */
  closed(): void;
  /** The session is over: only a new one-time link helps. */
  unauthorised(): void;
}

/** Asks whether the session still holds: a WebSocket does not say why it was refused. */
export type SessionCheck = () => Promise<"valid" | "ended" | "unreachable">;

export class Connection {
  #socket: WebSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #attempts = 0;
  #heard = 0;
  #stopped = false;
  readonly #url: string;
  readonly #hooks: Hooks;
  readonly #check: SessionCheck;

  constructor(url: string, hooks: Hooks, check: SessionCheck) {
    this.#url = url;
    this.#hooks = hooks;
    this.#check = check;
  }

  start(): void {
    this.#stopped = false;
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#drop();
  }

  /** Call about four times a second. A dead TCP connection says nothing, so the page must look. */
  watch(local: number): void {
    if (this.#socket !== null && local - this.#heard > GIVE_UP_MS) {
      this.#drop();
      this.#lost();
    }
  }

  #open(): void {
    this.#retry = null;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heard = performance.now();
    socket.onmessage = (event: MessageEvent<unknown>) => {
      const decoded = event.data instanceof ArrayBuffer ? decode(event.data) : ({ ok: false, reason: "malformed" } as const);
      if (!decoded.ok) {
        this.#hooks.refused(decoded.reason);
        return;
      }
      this.#heard = performance.now();
      this.#attempts = 0;
      this.#hooks.message(decoded.message, this.#heard);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#lost();
    };
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #lost(): void {
    this.#hooks.closed();
    if (this.#stopped) return;
    void this.#check().then((session) => {
      if (this.#stopped) return;
      if (session === "ended") this.#hooks.unauthorised();
      else this.#again();
    });
  }

  #again(): void {
    // Half fixed, half random: the pages of a whole hospital must not come back in the same instant.
    const ceiling = Math.min(RETRY_MS_MIN * 2 ** this.#attempts, RETRY_MS_MAX);
    this.#attempts += 1;
    this.#retry = setTimeout(() => { this.#open(); }, ceiling / 2 + (Math.random() * ceiling) / 2);
  }
}
