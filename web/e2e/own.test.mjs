// The patient's own page and the office's page of requests, against the development server: phone first, both languages, accessible.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../dev/fake-server.mjs";
import { assertAccessible } from "./axe.mjs";
import { launch, open, until } from "./browser.mjs";

const skip = process.env.OBHUT_URL ? "OBHUT_URL is set: only the real server is tested" : false;

let browser;
before(async () => { if (!skip) browser = await launch(); });
after(async () => browser?.close());

async function scene(token, at, options, body) {
  const server = await start({ beds: 4 });
  const { context, page } = await open(browser, server.address, options);
  try {
    await page.goto(`${server.address}/#enter=${token}`);
    await page.locator("[data-page]").first().waitFor();
    await until("signed in", async () => (await page.evaluate(() => location.hash)) !== `#enter=${token}`);
    await page.evaluate((to) => { location.hash = to; }, at);
    await body(page);
    assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "content security policy");
  } finally {
    await context.close();
    await server.close();
  }
}

for (const language of ["de", "en"]) {
  test(`a patient reads a notice, agrees, takes it back, asks, and sees who looked (${language})`, { skip }, () =>
    scene("patient", "#/own", { language, bypassCSP: true, viewport: { width: 390, height: 844 } }, async (page) => {
      await page.waitForSelector('[data-page="own"] [data-form]');
      await page.waitForSelector(".own-values .trend path.line");
      await page.locator(".own-values summary").click();
      await page.waitForSelector(".own-values tbody tr");
      await assertAccessible(page, `own ${language}`);
      await page.locator(".own-open button.main").click();
      await page.locator(".own-open").waitFor({ state: "detached" });
      const research = '[data-form="research"]';
      await page.locator(`${research} button`).first().click();
      await page.waitForSelector(`${research}[data-state="in-force"]`);
      // As easy as giving: one press.
      await page.locator(`${research} button`).first().click();
      await page.waitForSelector(`${research}[data-state="withdrawn"]`);
      const before = await page.locator("[data-case]").count();
      await page.locator('section[aria-labelledby="own-requests"] select').selectOption("access");
      await page.locator('section[aria-labelledby="own-requests"] button[type=submit]').click();
      await until("the request stands in the list", async () => (await page.locator("[data-case]").count()) === before + 1);
      await page.evaluate(() => { location.hash = "#/own/accesses"; });
      await page.waitForSelector(".own-looks li.emergency");
      await assertAccessible(page, `accesses ${language}`);
    }));

  test(`the office identifies before anything leaves, and tells recipients before it closes (${language})`, { skip }, () =>
    scene("privacy", "#/requests", { language, bypassCSP: true }, async (page) => {
      await page.waitForSelector('[data-page="requests"] tbody tr');
      await assertAccessible(page, `requests ${language}`);
      // The overdue correction stands first.
      await page.locator("tbody tr a").first().click();
      await page.waitForSelector('[data-page="request"] .steps');
      await assertAccessible(page, `request ${language}`);
      const press = async (label, text) => {
        await page.locator(".steps button, ul button").filter({ hasText: label }).first().click();
        if (text !== null) await page.locator("dialog textarea").fill(text);
        await page.locator("dialog button[type=submit]").click();
      };
      await press(/Erledigt|Done/, null);
      await page.waitForSelector("dialog [role=alert]");
      await page.keyboard.press("Escape");
      await press(/Unterrichtet|Told/, "mail, confirmed");
      await page.locator("dialog").waitFor({ state: "detached" });
      await press(/Erledigt|Done/, "corrected");
      await page.locator(".steps").waitFor({ state: "detached" });
    }));
}
