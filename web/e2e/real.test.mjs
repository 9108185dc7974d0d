// The pages against a real server: OBHUT_URL is the https address with its one-time link (…/#enter=…), OBHUT_BEDS how many beds it has (8).
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible } from "./axe.mjs";
import { launch, open, pixels, until } from "./browser.mjs";

const target = process.env.OBHUT_URL;
const beds = Number(process.env.OBHUT_BEDS ?? "8");

test("the real ward: enter, beds, curves, numbers, nothing foreign, accessible", { skip: target ? false : "OBHUT_URL is not set" }, async () => {
  const url = new URL(target);
  const browser = await launch();
  try {
    const { context, page, trouble } = await open(browser, url.origin, { language: "de" });
    await page.goto(target);
    await page.waitForSelector(".tile", { timeout: 20_000 });
    assert.equal(page.url().includes("enter"), false, "the token left the address bar");
    await until(`${beds} beds`, async () => (await page.locator(".tile").count()) === beds, 20_000);
    const canvas = page.locator(".tile canvas").first();
    await until("a curve", async () => (await canvas.count()) > 0 && (await pixels(canvas)).lit > 300, 30_000);
    const drawn = await pixels(canvas);
    await until("the curve moves", async () => (await pixels(canvas)).sum !== drawn.sum, 3000);
    await until("current numbers", async () => (await page.locator('.value[data-look="current"]').count()) >= beds, 30_000);
    const texts = async () => (await page.locator('.value[data-look="current"] .number').allInnerTexts()).join();
    const first = await texts();
    await until("the numbers change", async () => (await texts()) !== first, 20_000);
    assert.equal(await page.locator('[data-banner="lost"], [data-banner="misunderstood"]').count(), 0);
    assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "content security policy");
    assert.deepEqual(trouble, []);

    // The session's cookie goes along; the one-time link would not work twice. axe needs a context without the policy.
    const second = await open(browser, url.origin, { language: "en", bypassCSP: true, storageState: await context.storageState() });
    await second.page.goto(url.origin);
    await second.page.waitForSelector('.value[data-look="current"]', { timeout: 20_000 });
    for (const language of ["en", "de"]) {
      await until(language, async () => (await second.page.locator("html").getAttribute("lang")) === language);
      await assertAccessible(second.page, `real ward ${language}`);
      await second.page.keyboard.press("l");
    }
    await second.page.evaluate(() => { location.hash = "#/charter"; });
    await second.page.waitForSelector("main[data-page=charter] pre", { timeout: 10_000 });
    await assertAccessible(second.page, "real charter");
  } finally {
    await browser.close();
  }
});
