/**
 * Entering with the one-time link and asking whether the session still holds. The token lives in the URL fragment, which no server ever sees in a log,
 * and leaves the address bar before it is used.
 */

/** Message ids of the enter page. */
export type EnterFailure = "no-link" | "refused" | "unreachable" | "server";
export type EnterResult = { readonly ok: true } | { readonly ok: false; readonly reason: EnterFailure };

/** Takes the token out of the address bar, if there is one. */
export function takeToken(): string | null {
  const match = /^#enter=(.+)$/.exec(location.hash);
  if (!match) return null;
  history.replaceState(null, "", location.pathname);
  return decodeURIComponent(match[1] ?? "");
}

export async function enter(token: string): Promise<EnterResult> {
  try {
    const answer = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      credentials: "same-origin",
    });
    if (answer.ok) return { ok: true };
    return { ok: false, reason: answer.status === 403 || answer.status === 401 ? "refused" : "server" };
  } catch {
    return { ok: false, reason: "unreachable" };
  }
}

export async function session(): Promise<"valid" | "ended" | "unreachable"> {
  try {
    const answer = await fetch("/api/v1/session", { credentials: "same-origin", cache: "no-store" });
    if (answer.ok) return "valid";
    return answer.status === 401 || answer.status === 403 ? "ended" : "unreachable";
  } catch {
    return "unreachable";
  }
}

export async function leave(): Promise<void> {
  try {
    await fetch("/api/v1/session", { method: "DELETE", credentials: "same-origin" });
  } catch {
    // The session ends by itself; leaving is a courtesy.
  }
}

export interface CharterText {
  readonly fingerprint: string;
  readonly name: string;
  readonly text: string;
}
export type CharterResult = { readonly ok: true; readonly charter: CharterText } | { readonly ok: false; readonly reason: "ended" | "unreachable" };

export async function charter(language: "de" | "en"): Promise<CharterResult> {
  try {
    const answer = await fetch(`/api/v1/charter?lang=${language}`, { credentials: "same-origin" });
    if (answer.status === 401) return { ok: false, reason: "ended" };
    if (!answer.ok) return { ok: false, reason: "unreachable" };
    const from: unknown = await answer.json();
    if (typeof from === "object" && from !== null && "fingerprint" in from && "name" in from && "text" in from) {
      const { fingerprint, name, text } = from;
      if (typeof fingerprint === "string" && typeof name === "string" && typeof text === "string") return { ok: true, charter: { fingerprint, name, text } };
    }
    return { ok: false, reason: "unreachable" };
  } catch {
    return { ok: false, reason: "unreachable" };
  }
}
