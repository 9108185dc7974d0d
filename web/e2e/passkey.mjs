// A security key for browser tests: Chromium's own virtual authenticator (Chrome DevTools Protocol, domain WebAuthn). Ceremonies are real; only the
// finger on the key is simulated.
//
//     const key = await securityKey(page);
//     await page.getByRole("button", { name: "Mit Passkey anmelden" }).click();

/**
 * A security key that is plugged into `page`: keeps passkeys, and has a PIN its owner knows.
 *
 * - `refuse(true)`: from now on the PIN is wrong (no user verification).
 * - `passkeys()`: what is on it. `copyTo(other)`: a copy of the key, as a thief would make one; its counter stays behind.
 * - `remove()`: unplugged.
 */
export async function securityKey(page, { transport = "internal" } = {}) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable", { enableUI: false });
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", ctap2Version: "ctap2_1", transport, hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  const passkeys = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
  return {
    passkeys,
    async refuse(yes) {
      await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: !yes });
    },
    async add(credential) {
      await cdp.send("WebAuthn.addCredential", { authenticatorId, credential });
    },
    async copyTo(other) {
      for (const credential of await passkeys()) await other.add(credential);
    },
    async remove() {
      await cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
    },
  };
}

/** Registers the passkey a one-time link allows, in a page with a security key. Returns when the person is signed in. */
export async function registerByLink(page, link) {
  await page.goto(link);
  await page.locator('[data-page="register"] button.main').click();
  await page.locator('[data-page="register"]').waitFor({ state: "detached" });
}

/** Signs in with the passkey on the page's security key. */
export async function signIn(page, origin) {
  await page.goto(origin);
  await page.locator('[data-page="signin"] button.main').click();
  await page.locator('[data-page="signin"]').waitFor({ state: "detached" });
}
