// Signing in and looking after people, against the development server: words, keys, accessibility in both languages. Ceremonies that count are tried in
// Rust with a software authenticator; here a virtual security key shows that the page asks the browser for the right thing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../dev/fake-server.mjs";
import { assertAccessible } from "./axe.mjs";
import { launch, open, until } from "./browser.mjs";
import { securityKey } from "./passkey.mjs";

const skip = process.env.OBHUT_URL ? "OBHUT_URL is set: only the real server is tested" : false;

let browser;
before(async () => { if (!skip) browser = await launch(); });
after(async () => browser?.close());

async function scene(options, body) {
  const { token = "administrator", at = "", ...more } = options;
  const server = await start({ beds: 4 });
  const { context, page } = await open(browser, server.address, more);
  try {
    await page.goto(`${server.address}/${token === null ? "" : `#enter=${token}`}`);
    if (token !== null) await page.locator("nav, [data-page]").first().waitFor();
    if (at !== "") {
      await until("signed in", async () => (await page.evaluate(() => location.hash)) !== `#enter=${token}`);
      await page.evaluate((to) => { location.hash = to; }, at);
    }
    await body({ server, page });
    assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "content security policy");
  } finally {
    await context.close();
    await server.close();
  }
}

for (const language of ["de", "en"]) {
  test(`the sign-in page offers a passkey and asks for no name and no secret (${language})`, { skip }, () =>
    scene({ token: null, language, bypassCSP: true }, async ({ page }) => {
      await page.waitForSelector('[data-page="signin"]');
      assert.equal(await page.locator("input, textarea").count(), 0);
      await assertAccessible(page, `sign-in ${language}`);
      await page.locator('[data-page="signin"] button.main').focus();
      await page.keyboard.press("Enter");
      // Nobody is there to touch a key in this test: the page says so and stays usable.
      await page.waitForSelector("[role=alert]", { timeout: 20_000 });
    }));

  test(`people, one person, and an invitation that is shown once (${language})`, { skip }, () =>
    scene({ language, at: "#/people", bypassCSP: true }, async ({ page }) => {
      await page.waitForSelector('[data-page="people"] tbody tr');
      await assertAccessible(page, `people ${language}`);
      await page.locator('[data-page="people"] button.main').click();
      await page.locator("dialog input").first().fill("Nora Neu");
      await page.locator('dialog label:has-text("IT-"), dialog label:has-text("IT administration")').first().click();
      await page.locator('dialog label:has-text("Datenschutz"), dialog label:has-text("data-protection")').first().click();
      // The charter keeps the two apart; the page says so before the server has to.
      await page.waitForSelector("dialog [role=alert]");
      assert.equal(await page.locator("dialog button[type=submit]").isDisabled(), true);
      await page.locator('dialog label:has-text("Datenschutz"), dialog label:has-text("data-protection")').first().click();
      await assertAccessible(page, `invitation ${language}`);
      await page.locator("dialog button[type=submit]").click();
      const link = page.locator("dialog").getByText("#enter=");
      await link.waitFor();
      await assertAccessible(page, `link ${language}`);
      await page.locator("dialog button.main").last().click();
      await page.locator('tbody tr:has-text("Nora Neu") a').click();
      await page.waitForSelector('[data-page="person"]');
      assert.doesNotMatch(page.url(), /Nora|Neu/, "no name in the address");
      assert.equal(await page.getByText("#enter=").count(), 0, "the link is gone");
      await assertAccessible(page, `person ${language}`);
    }));

  test(`one's own sessions (${language})`, { skip }, () =>
    scene({ language, at: "#/sessions", bypassCSP: true }, async ({ page }) => {
      await page.waitForSelector('[data-page="sessions"] tbody tr');
      await assertAccessible(page, `sessions ${language}`);
      await page.locator('[data-row="fedcba9876543210"] button').click();
      await until("one is left", async () => (await page.locator('[data-page="sessions"] tbody tr').count()) === 1);
    }));
}

test("a security key of the browser is asked for a passkey", { skip }, () =>
  scene({ token: null }, async ({ page }) => {
    await page.waitForSelector('[data-page="signin"]');
    const key = await securityKey(page);
    assert.equal((await key.passkeys()).length, 0);
    const made = await page.evaluate(async () => {
      const credential = await navigator.credentials.create({ publicKey: {
        challenge: new Uint8Array(32), rp: { id: "localhost", name: "Obhut" }, user: { id: new Uint8Array(16), name: "a", displayName: "a" },
        pubKeyCredParams: [{ type: "public-key", alg: -7 }], authenticatorSelection: { residentKey: "required", userVerification: "required" },
      } });
      return credential.toJSON().type;
    });
    assert.equal(made, "public-key");
    assert.equal((await key.passkeys())[0].isResidentCredential, true);
  }));
