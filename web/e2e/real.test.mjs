// The pages against a real server. OBHUT_LINKS: its one-time links, one for each role, as `obhut demo --headless` prints them; OBHUT_BEDS: how many beds it has
// (8). OBHUT_URL alone is one link, the nurse's. scripts/browser-tests.sh sets them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible } from "./axe.mjs";
import { launch, pixels, until } from "./browser.mjs";
import { rights } from "./rights.mjs";
import { signIn } from "./staff.mjs";

const target = process.env.OBHUT_URL;
const skip = target ? false : "OBHUT_URL is not set";
const beds = Number(process.env.OBHUT_BEDS ?? "8");
const links = [...new Set([target, ...(process.env.OBHUT_LINKS ?? "").split(/\s+/)].filter(Boolean))];

let browser;
let staff = { sessions: new Map(), as: async () => undefined };
const as = (...how) => staff.as(...how);
before(async () => {
  if (skip) return;
  browser = await launch();
  staff = await signIn(browser, links);
});
after(async () => browser?.close());
const family = (page) => page.locator('[data-column="name"]').allInnerTexts();

test("the real ward: beds, curves, numbers, nothing foreign", { skip }, () =>
  as("nurse", {}, async ({ page }) => {
    await page.waitForSelector(".tile", { timeout: 20_000 });
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
  }));

test("a nurse's look at the real server: names on demand, the stored course", { skip }, () =>
  as("nurse", {}, async ({ page, go }) => {
    await go("#/patients");
    await page.waitForSelector('[data-page="patients"] tbody tr', { timeout: 20_000 });
    const covered = await family(page);
    await page.getByRole("button", { name: "Namen zeigen" }).click();
    await until("names", async () => (await family(page)).some((name, at) => name !== covered[at]));
    await page.getByRole("button", { name: "Namen verdecken" }).click();
    assert.deepEqual(await family(page), covered);
    await page.locator("tbody a").first().click();
    await page.waitForSelector('[data-page="patient"] .trend path.line', { timeout: 20_000 });
    await page.getByRole("button", { name: "1 h" }).click();
    await page.waitForSelector('[data-page="patient"] .trend path.line', { timeout: 20_000 });
  }));

test("emergency access at the real server: two presses, at most five seconds", { skip }, () =>
  as("physician", { tolerate: [/status of 40[34]/] }, async ({ page, go }) => {
    await go("#/ward");
    const bolt = page.locator(".tile .bolt").first();
    await bolt.waitFor({ timeout: 20_000 });
    const began = performance.now();
    await bolt.click();
    await page.locator("dialog [data-reason]").first().click();
    await page.waitForSelector('[data-banner="emergency"]');
    const ms = Math.round(performance.now() - began);
    console.log(`# emergency access: ${ms} ms after the first press`);
    assert.ok(ms < 5000);
    await page.waitForSelector('[data-page="patient"] .trend', { timeout: 20_000 });
    await page.locator('[data-banner="emergency"] button').click();
    await page.waitForSelector('[data-banner="emergency"]', { state: "detached" });
  }));

test("a technician and an administrator reach no patient at the real server", { skip }, async () => {
  for (const role of ["technician", "administrator"]) {
    await as(role, { tolerate: [/status of 40[34]/] }, async ({ page, ask }) => {
      const devices = await page.evaluate(async () => (await fetch("/api/v1/devices")).text());
      assert.doesNotMatch(devices, /subject|family|given|birth|record_number/);
      for (const path of ["/patients", "/patients?names=1"]) assert.equal(await ask(path), 403, `${role} ${path}`);
    });
  }
});

test("a wall display shows beds and offers nothing", { skip }, () =>
  as("wall", {}, async ({ page }) => {
    await page.waitForSelector(".tile canvas", { timeout: 20_000 });
    assert.equal(await page.locator("button, a, input").count(), 0);
  }));

for (const [width, height, language] of [[1366, 768, "de"], [390, 844, "en"]]) {
  test(`every page of every role at the real server, ${language}, ${width} wide: axe finds nothing`, { skip }, async () => {
    const answers = [];
    const common = new Set();
    for (const role of staff.sessions.keys()) {
      await as(role, { language, width, height, bypassCSP: true, tolerate: [/status of (40[34]|503)/] }, async ({ page, go, info }) => {
        page.on("response", (response) => { if (response.status() >= 400) answers.push(`${role} ${response.status()} ${new URL(response.url()).pathname}`); });
        const display = info.permissions.every((each) => each === "live-view");
        await assertAccessible(page, `${role} at home`);
        if (display) return;
        await page.keyboard.press("m");
        await page.waitForSelector("dialog.sheet");
        await assertAccessible(page, `${role} menu`);
        const hashes = await page.locator("dialog.sheet nav a").evaluateAll((all) => all.map((each) => each.hash));
        await page.keyboard.press("Escape");
        for (const hash of hashes) {
          if (common.has(hash)) continue; // The same for everybody.
          if (["#/sessions", "#/charter"].includes(hash)) common.add(hash);
          await go(hash);
          await page.waitForSelector("main[data-page]");
          await until("loaded", async () => (await page.locator(".loading").count()) === 0, 20_000);
          await assertAccessible(page, `${role} ${hash} ${language}`);
        }
      });
    }
    // A page that is offered and then refused is a fault of the navigation, or of the charter; it is said, not hidden.
    for (const each of new Set(answers)) console.log(`# ${each}`);
  });
}

// Last, because somebody is erased and beds are empty afterwards.
rights({ skip, staff: () => staff, browser: () => browser });
