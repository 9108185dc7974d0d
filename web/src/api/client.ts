/**
 * The one way from the page to the server. Answers are unions, never exceptions; what the answer looks like is checked (`shape.ts`).
 *
 * What is handled here for everyone: the session is over (401), the screen is locked (423), the ledger cannot be written (503 `ledger_unavailable`). Pages still
 * get the problem, and show it with `kit/Problem.svelte`; they need no words of their own for it.
 */
import { Mismatch, type Shape } from "./shape.ts";

const ROOT = "/api/v1";

/** What went wrong. `code` is the server's, or one of the page's own: `unreachable`, `not_understood`, `timeout`. */
export interface Problem {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly code: string;
  /** The server's English sentence, if it said one. */
  readonly message: string | null;
  readonly hint: string | null;
}

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export type QueryValue = string | number | boolean | null | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

/** What the app does about problems that concern the whole page. Set once by `session.svelte.ts`. */
export interface Watcher {
  signedOut(): void;
  locked(): void;
  /** The ledger: `false` after a `503 ledger_unavailable`, `true` after any answer that needed it. */
  ledger(works: boolean): void;
}
let watcher: Watcher | null = null;
export function watch(by: Watcher): void {
  watcher = by;
}

/** Longest wait for an answer, ms: a little more than the server gives itself. */
const ANSWER_MS_MAX = 15_000;

/** Server time minus this machine's, ms; from the `Date` of answers, so about a second exact. */
let offset = 0;
/** Real time by the server's clock, µs since 1970. Due dates and the end of a session are counted with this. */
export function serverNow(): number {
  return (Date.now() + offset) * 1000;
}

/** A path with its parts made safe: path`/patients/${subject}/readings`. */
export function path(fixed: TemplateStringsArray, ...parts: readonly (string | number)[]): string {
  return fixed.reduce((made, each, at) => made + each + (at < parts.length ? encodeURIComponent(String(parts[at])) : ""), "");
}

export function address(to: string, query: Query = {}): string {
  const asked = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(asked.map(([key, value]) => [key, String(value)])).toString();
  return `${ROOT}${to}${search === "" ? "" : `?${search}`}`;
}

function problem(status: number, code: string, message: string | null = null, hint: string | null = null): { ok: false; problem: Problem } {
  return { ok: false, problem: { status, code, message, hint } };
}

const BY_STATUS: Readonly<Record<number, string>> = { 401: "signed_out", 403: "refused", 404: "not_found", 408: "timeout", 413: "too_large", 423: "locked", 429: "too_many" };

/** Reads the refusal out of an answer that is not 2xx. */
function refusal(status: number, body: unknown): { ok: false; problem: Problem } {
  const from = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const word = (key: string): string | null => (typeof from[key] === "string" ? from[key] : null);
  return problem(status, word("error") ?? BY_STATUS[status] ?? (status >= 500 ? "server" : "refused"), word("message"), word("hint"));
}

function notice(failed: Problem, path: string): void {
  if (failed.code === "signed_out" && !path.startsWith("/session/")) watcher?.signedOut();
  if (failed.code === "locked") watcher?.locked();
  if (failed.code === "ledger_unavailable") watcher?.ledger(false);
}

async function send(method: string, to: string, query: Query, body: unknown): Promise<Response | Problem> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS_MAX) };
  if (body !== undefined) init.body = JSON.stringify(body);
  try {
    const answer = await fetch(address(to, query), init);
    const date = Date.parse(answer.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) offset = date - Date.now();
    return answer;
  } catch (error) {
    const code = error instanceof DOMException && error.name === "TimeoutError" ? "timeout" : "unreachable";
    return problem(0, code).problem;
  }
}

async function call<T>(method: string, to: string, shape: Shape<T>, query: Query, body?: unknown): Promise<Answer<T>> {
  const answer = await send(method, to, query, body);
  if (!(answer instanceof Response)) return { ok: false, problem: answer };
  const read: unknown = await answer.json().catch(() => null);
  if (!answer.ok) {
    const failed = refusal(answer.status, read);
    notice(failed.problem, to);
    return failed;
  }
  watcher?.ledger(true);
  try {
    return { ok: true, value: shape(read, to) };
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    console.error(error.message); // A place, never a value.
    return problem(answer.status, "not_understood", error.message);
  }
}

export const api = {
  get: <T>(to: string, shape: Shape<T>, query: Query = {}): Promise<Answer<T>> => call("GET", to, shape, query),
  post: <T>(to: string, body: unknown, shape: Shape<T>): Promise<Answer<T>> => call("POST", to, shape, {}, body),
  put: <T>(to: string, body: unknown, shape: Shape<T>): Promise<Answer<T>> => call("PUT", to, shape, {}, body),
  delete: <T>(to: string, shape: Shape<T>, body?: unknown): Promise<Answer<T>> => call("DELETE", to, shape, {}, body),

  /** A file. The browser's own download would show a refusal as a page of JSON, so the page fetches it and hands it over. */
  async download(to: string, name: string, query: Query = {}, body?: unknown): Promise<Answer<null>> {
    const answer = await send(body === undefined ? "GET" : "POST", to, query, body);
    if (!(answer instanceof Response)) return { ok: false, problem: answer };
    if (!answer.ok) {
      const failed = refusal(answer.status, await answer.json().catch(() => null));
      notice(failed.problem, to);
      return failed;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => { URL.revokeObjectURL(link.href); }, 60_000);
    return { ok: true, value: null };
  },
};
