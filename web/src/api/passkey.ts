/**
 * Passkeys in the browser: the server's options as JSON in, the credential as JSON out (WebAuthn level 3, 5.1.8 to 5.1.10). What is asked and what
 * counts is the server's business.
 */

/** `cancelled`: the person or the browser said no. `unsupported`: this browser has no passkeys. */
export type PasskeyResult = { readonly ok: true; readonly credential: unknown } | { readonly ok: false; readonly reason: "cancelled" | "unsupported" };

/** The options may come wrapped as `{publicKey: …}`, as webauthn-rs makes them. */
function inner(options: unknown): unknown {
  return typeof options === "object" && options !== null && "publicKey" in options ? options.publicKey : options;
}

const supported = (): boolean => "credentials" in navigator && "PublicKeyCredential" in globalThis && "parseRequestOptionsFromJSON" in PublicKeyCredential;

async function run(ask: () => Promise<Credential | null>): Promise<PasskeyResult> {
  try {
    const made = await ask();
    if (!(made instanceof PublicKeyCredential)) return { ok: false, reason: "cancelled" };
    return { ok: true, credential: made.toJSON() };
  } catch {
    return { ok: false, reason: "cancelled" };
  }
}

/** Asks for a passkey that exists. */
export async function usePasskey(options: unknown): Promise<PasskeyResult> {
  if (!supported()) return { ok: false, reason: "unsupported" };
  return run(() => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(inner(options) as PublicKeyCredentialRequestOptionsJSON) }));
}

/** Makes a new one. */
export async function makePasskey(options: unknown): Promise<PasskeyResult> {
  if (!supported()) return { ok: false, reason: "unsupported" };
  return run(() => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(inner(options) as PublicKeyCredentialCreationOptionsJSON) }));
}
