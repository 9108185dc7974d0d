/**
 * Who is signed in, as far as the page needs to know: what to offer and when it ends. What a person may do is decided by the server, each time; the
 * permissions here only keep pages out of the way that would be refused.
 *
 * What always holds: the server's word counts. After an answer of 401 nothing of the session is on the page, after 423 only the lock screen.
 */
import { words } from "../i18n/language.svelte.ts";
import { api, path, serverNow, watch, type Answer, type Problem } from "./client.ts";
import { bilingual, flag, list, maybe, nothing, number, object, or, text, time, type Of, type Shape } from "./shape.ts";

/** A word in both languages, or one word for both. */
const label: Shape<{ readonly de: string; readonly en: string }> = (value, place) => (typeof value === "string" ? { de: value, en: value } : bilingual(value, place));

export const Emergency = object({ case: text, subject: text, bed: maybe(text), until: time });
export type Emergency = Of<typeof Emergency>;

export const SessionInfo = object({
  person: object({ id: text, name: text, kind: text }),
  roles: list(object({ id: text, text: label, asleep: maybe(text) })),
  permissions: list(text),
  assurance: text,
  ends: time,
  locked: or(flag, false),
  /** Real seconds without a key or a touch after which the page locks itself; `null`: never. */
  idle_lock: maybe(time),
  home: maybe(text),
  emergencies: or(list(Emergency), []),
  /** Emergency accesses that wait for a judgement; `null` for those who judge none. */
  reviews: maybe(number),
  ward: maybe(object({ id: text, name: text })),
});
export type SessionInfo = Of<typeof SessionInfo>;

/** Why nobody is signed in. */
export type OutReason = "none" | "ended" | "signed-out" | "switched";

export type SessionState =
  | { readonly is: "checking" }
  | { readonly is: "out"; readonly reason: OutReason }
  | { readonly is: "failed"; readonly problem: Problem }
  | { readonly is: "locked"; readonly info: SessionInfo | null }
  | { readonly is: "in"; readonly info: SessionInfo };

/** How often the page asks what the session is, ms: roles, emergencies and its end may change meanwhile. */
const ASK_MS = 30_000;

class Session {
  state = $state.raw<SessionState>({ is: "checking" });
  /** Whether the ledger took what the last answer needed. */
  ledgerWorks = $state(true);
  readonly info = $derived(this.state.is === "in" ? this.state.info : null);
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor() {
    watch({
      signedOut: () => { this.#out("ended"); },
      locked: () => { this.#locked(); },
      ledger: (works) => { if (this.ledgerWorks !== works) this.ledgerWorks = works; },
    });
  }

  /** Whether any of these is among the person's permissions; an empty list asks only for someone signed in. */
  can(...permissions: readonly string[]): boolean {
    const { info } = this;
    if (info === null) return false;
    return permissions.length === 0 || permissions.some((each) => info.permissions.includes(each));
  }

  /** A wall display may look and nothing else. */
  get wall(): boolean {
    const { info } = this;
    return info !== null && info.permissions.length > 0 && info.permissions.every((each) => each === "live-view");
  }

  /** Asks the server. Called at the start, now and then, and after anything that changes the session. */
  async refresh(): Promise<Answer<SessionInfo>> {
    const answer = await api.get("/session", SessionInfo);
    this.#timer ??= setInterval(() => { if (this.state.is === "in") void this.refresh(); }, ASK_MS);
    if (answer.ok) {
      this.state = answer.value.locked ? { is: "locked", info: answer.value } : { is: "in", info: answer.value };
    } else if (answer.problem.code === "signed_out") {
      this.#out(this.state.is === "in" || this.state.is === "locked" ? "ended" : "none");
    } else if (answer.problem.code !== "locked" && this.state.is === "checking") {
      this.state = { is: "failed", problem: answer.problem }; // Later, a session that was good stays on the screen; the live link says that the server is gone.
    }
    return answer;
  }

  /** Locks the page at once, whether the server hears it or not. */
  async lock(): Promise<void> {
    this.#locked();
    await api.post("/session/lock", {}, nothing);
  }

  /** Somebody is at the page: keeps the server from locking it. */
  async active(): Promise<void> {
    await api.post("/session/active", {}, nothing);
  }

  /** The next person at the same workstation: this session ends, the sign-in page comes. */
  async switchUser(): Promise<void> {
    const answer = await api.post("/session/switch", {}, nothing);
    if (answer.ok || answer.problem.status === 401) this.#out("switched");
    else await this.signOut();
  }

  async signOut(): Promise<void> {
    await api.delete("/session", nothing);
    this.#out("signed-out");
  }

  /** Ends one emergency access. */
  async endEmergency(id: string): Promise<Answer<null>> {
    const answer = await api.delete(path`/break-glass/${id}`, nothing);
    await this.refresh();
    return answer;
  }

  /** µs until the session ends by itself. */
  get left(): number {
    return this.info === null ? 0 : this.info.ends - serverNow();
  }

  #locked(): void {
    this.state = { is: "locked", info: this.state.is === "in" || this.state.is === "locked" ? this.state.info : null };
  }

  #out(reason: OutReason): void {
    if (this.state.is !== "out" || reason === "ended") this.state = { is: "out", reason };
  }
}

export const session = new Session();

/** The person's roles in the reader's language. */
export function roleNames(info: SessionInfo): string {
  return info.roles.map((role) => words.of(role.text)).join(", ");
}
