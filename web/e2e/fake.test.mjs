// The pages against the development server, which can be broken on purpose: every honest state, keys, accessibility, frame rate.
// For the real server see real.test.mjs; with OBHUT_URL set only that one runs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../dev/fake-server.mjs";
import { assertAccessible } from "./axe.mjs";
import { launch, open, pixels, until } from "./browser.mjs";

const skip = process.env.OBHUT_URL ? "OBHUT_URL is set: only the real server is tested" : false;
/** The bound: what is dead is visibly dead within 5 s. */
const DEAD_MS_MAX = 5000;

let browser;
before(async () => { if (!skip) browser = await launch(); });
after(async () => browser?.close());

/** A server, a page that has entered, and afterwards: no policy violation, no error, no foreign request. */
async function scene(options, body) {
  const { beds = 8, token = "demo", tolerate = [], ...more } = options;
  const server = await start({ beds });
  const { context, page, trouble } = await open(browser, server.address, more);
  try {
    await page.goto(`${server.address}/#enter=${token}`);
    if (token === "demo") await page.waitForSelector(".tile canvas");
    await body({ server, page, fault: (change) => server.ward.fault(change) });
    assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "content security policy");
    assert.deepEqual(trouble.filter((each) => !tolerate.some((pattern) => pattern.test(each))), []);
  } finally {
    await context.close();
    await server.close();
  }
}

const REFUSED = /status of 40[13]/;
const NETWORK = /WebSocket|ERR_|status of 503/;
const value = (page, bed, kind) => page.locator(`[data-bed="${bed}"] [data-kind="${kind}"]`).first();

test("entering: the token leaves the address bar, beds appear, curves move, numbers come with unit and age", { skip }, () =>
  scene({}, async ({ page, server }) => {
    assert.equal(page.url(), `${server.address}/`);
    assert.equal(await page.locator(".tile").count(), 8);
    const canvas = page.locator('[data-bed="bed-01"] canvas');
    await until("a curve", async () => (await pixels(canvas)).lit > 300);
    const one = await pixels(canvas);
    await until("the curve moves", async () => (await pixels(canvas)).sum !== one.sum, 2000);
    const hr = value(page, "bed-01", "hr");
    await until("a heart rate", async () => /^\d{2,3}$/.test(await hr.locator(".number").innerText()));
    assert.equal(await hr.getAttribute("data-look"), "current");
    assert.equal(await hr.locator(".unit").innerText(), "/min");
    assert.equal(await hr.locator(".age").innerText(), "jetzt");
    assert.match(await value(page, "bed-01", "temp").locator(".number").innerText(), /^\d\d,\d$/, "German decimal comma");
    assert.match(await value(page, "bed-01", "nibp").locator(".main").innerText(), /^\d+\/\d+\s*\(\d+\)$/);
    await page.waitForSelector('[data-bed="bed-07"][data-state="empty"]');
  }));

test("a used link says so, no link says how to start, and the token is not kept", { skip }, async () => {
  await scene({ token: "used", tolerate: [REFUSED] }, async ({ page, server }) => {
    await page.waitForSelector('[role=alert][data-reason="refused"]');
    assert.match(await page.locator("main").innerText(), /schon verwendet[\s\S]*Einmal-Link/);
    assert.equal(page.url(), `${server.address}/`);
    await page.goto(server.address);
    await page.waitForSelector('[data-page="signin"]');
    assert.equal(await page.locator("[role=alert]").count(), 0);
    await page.evaluate(() => { location.hash = "#enter=demo"; });
    await page.waitForSelector(".tile");
  });
});

test("a session that ends shows the way back in", { skip }, () =>
  scene({ tolerate: [REFUSED, NETWORK] }, async ({ page, fault, server }) => {
    await fetch(`${server.address}/dev/fault`, { method: "POST", body: JSON.stringify({ endSessions: true }) });
    fault({ disconnect: true });
    await page.waitForSelector('[data-reason="ended"]');
  }));

for (const state of ["silent", "offline", "revoked"]) {
  test(`a device that is ${state} is shown so, its values are no longer values`, { skip }, () =>
    scene({}, async ({ page, fault }) => {
      const hr = value(page, "bed-01", "hr");
      await until("a heart rate", async () => (await hr.getAttribute("data-look")) === "current");
      fault({ devices: { "mon-01": state } });
      const { ms } = await until("the look", async () => (await hr.getAttribute("data-look")) === "device", DEAD_MS_MAX);
      assert.equal(await hr.locator(".number").innerText(), "--");
      assert.equal(await page.locator('[data-device="mon-01"]').getAttribute("data-state"), state);
      assert.equal(await page.locator('[data-bed="bed-01"]').getAttribute("data-state"), "impaired");
      assert.equal(await page.locator('[data-bed="bed-01"] .lane-device .word').count() > 0, true);
      console.log(`# ${state}: visible after ${ms} ms`);
      fault({ reset: true });
      await until("recovery", async () => (await hr.getAttribute("data-look")) === "current", 5000);
    }));
}

test("a value older than twice its period is never shown as current, even while the device claims to be online", { skip }, () =>
  scene({}, async ({ page, server }) => {
    const hr = value(page, "bed-01", "hr");
    await until("a heart rate", async () => (await hr.getAttribute("data-look")) === "current");
    const stream = server.ward.streams.find((each) => each.device === "mon-01" && each.code === 147842);
    const began = performance.now();
    stream.sentAt = Number.MAX_SAFE_INTEGER; // no further values
    await until("stale", async () => (await hr.getAttribute("data-look")) === "stale", DEAD_MS_MAX);
    const ms = Math.round(performance.now() - began);
    assert.equal(await hr.locator(".number").innerText(), "--");
    assert.match(await hr.locator("s.last").innerText(), /^\d+$/);
    console.log(`# stale after ${ms} ms (period 1 s)`);
    assert.equal(await value(page, "bed-01", "spo2").getAttribute("data-look"), "current", "only the one that is late");
  }));

test("curves without samples are hatched within 5 s while numbers go on", { skip }, () =>
  scene({}, async ({ page, fault }) => {
    await until("curves", async () => (await page.locator('[data-bed="bed-01"] .lane-live').count()) === 3);
    fault({ waveGap: "mon-01" });
    const { ms } = await until("hatch", async () => (await page.locator('[data-bed="bed-01"] .lane-silent').count()) === 3, DEAD_MS_MAX);
    console.log(`# curve silent after ${ms} ms`);
    assert.equal(await value(page, "bed-01", "hr").getAttribute("data-look"), "current");
  }));

test("doubt, sensor off, no value and test signals have words of their own", { skip }, () =>
  scene({ language: "en" }, async ({ page, fault }) => {
    fault({ quality: { "mon-01": 1, "mon-02": 4, "mon-04": 16 }, missing: { "mon-03": true } });
    const hr = value(page, "bed-01", "hr");
    await until("suspect", async () => (await hr.getAttribute("data-look")) === "suspect");
    assert.match(await hr.innerText(), /\?[\s\S]*questionable/);
    await until("sensor off", async () => (await value(page, "bed-02", "hr").getAttribute("data-look")) === "unusable");
    assert.match(await value(page, "bed-02", "hr").innerText(), /--[\s\S]*sensor off/);
    await until("no value", async () => (await value(page, "bed-03", "hr").getAttribute("data-look")) === "unusable");
    assert.match(await value(page, "bed-03", "hr").innerText(), /no value/);
    await until("test signal", async () => /Test signal/.test(await page.locator('[data-bed="bed-04"]').innerText()));
  }));

test("store full, store failed and a refused charter are said over the whole width", { skip }, () =>
  scene({}, async ({ page, fault }) => {
    for (const [change, id, word] of [
      [{ store: "disk_full" }, "disk_full", /Speicher voll/],
      [{ store: "failed" }, "failed", /Speicher ausgefallen/],
      [{ charter: "reload_refused" }, "reload_refused", /Neue Charter abgelehnt/],
    ]) {
      fault(change);
      const { ms } = await until(id, () => page.locator(`[data-banner="${id}"]`).isVisible(), DEAD_MS_MAX);
      assert.match(await page.locator(`[data-banner="${id}"]`).innerText(), word);
      assert.equal(await value(page, "bed-01", "hr").getAttribute("data-look"), "current", "monitoring goes on");
      console.log(`# ${id}: visible after ${ms} ms`);
      fault({ reset: true });
      await until("healed", async () => (await page.locator(`[data-banner="${id}"]`).count()) === 0);
    }
  }));

test("a dead connection is unmistakable within 5 s, on every tile, and heals by itself", { skip }, () =>
  scene({ tolerate: [NETWORK] }, async ({ page, fault }) => {
    const hr = value(page, "bed-01", "hr");
    await until("a heart rate", async () => (await hr.getAttribute("data-look")) === "current");
    fault({ mute: true }); // the socket stays open and says nothing
    const { ms } = await until("the banner", () => page.locator('[data-banner="lost"]').isVisible(), DEAD_MS_MAX);
    console.log(`# silence of the server: visible after ${ms} ms`);
    assert.equal(await page.locator('.tile[data-state="link"]').count(), 8);
    assert.equal(await page.locator('.value[data-look="current"], .value[data-look="suspect"]').count(), 0);
    assert.equal(await hr.locator(".number").innerText(), "--");
    const canvas = page.locator('[data-bed="bed-01"] canvas');
    const frozen = await pixels(canvas);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepEqual(await pixels(canvas), frozen, "the picture stands still");
    fault({ mute: false });
    await until("recovery", async () => (await hr.getAttribute("data-look")) === "current", 12_000);

    fault({ disconnect: true });
    await until("closed", async () => (await page.locator(".inside").getAttribute("data-link")) !== "live", DEAD_MS_MAX).catch(() => undefined);
    await until("recovery", async () => (await hr.getAttribute("data-look")) === "current", 12_000);
  }));

test("a server that answers but speaks nonsense does not count as alive", { skip }, () =>
  scene({}, async ({ page, fault, server }) => {
    await until("a heart rate", async () => (await value(page, "bed-01", "hr").getAttribute("data-look")) === "current");
    fault({ bad: true, devices: Object.fromEntries(server.ward.beds.flatMap((bed) => bed.devices).map(({ id }) => [id, "offline"])) });
    await until("lost", () => page.locator('[data-banner="lost"]').isVisible(), DEAD_MS_MAX);
    assert.equal(await page.locator('[data-banner="misunderstood"]').isVisible(), true);
  }));

test("values and curves survive a new layout", { skip }, () =>
  scene({}, async ({ page, fault }) => {
    const hr = value(page, "bed-01", "hr");
    await until("a heart rate", async () => (await hr.getAttribute("data-look")) === "current");
    const canvas = page.locator('[data-bed="bed-01"] canvas');
    await until("a curve", async () => (await pixels(canvas)).lit > 900);
    fault({ layout: true });
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(await hr.getAttribute("data-look"), "current");
    assert.equal((await pixels(canvas)).lit > 800, true);
  }));

test("everything by keyboard: move, open, close, help, language", { skip }, () =>
  scene({}, async ({ page }) => {
    const focused = () => page.evaluate(() => document.activeElement?.closest("[data-bed]")?.getAttribute("data-bed") ?? null);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter"); // the button that skips the header
    assert.equal(await focused(), "bed-01");
    for (const [key, bed] of [["ArrowRight", "bed-02"], ["ArrowDown", "bed-06"], ["ArrowLeft", "bed-05"], ["ArrowUp", "bed-01"], ["End", "bed-08"], ["Home", "bed-01"], ["ArrowLeft", "bed-01"]]) {
      await page.keyboard.press(key);
      assert.equal(await focused(), bed, key);
    }
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement.closest(".tile")).outlineStyle);
    assert.equal(outline, "solid", "the focus is visible");
    await page.keyboard.press("Enter");
    await page.waitForSelector('dialog[open] [data-bed-large="bed-01"]');
    assert.match(await page.locator("dialog").innerText(), /monitor-m1[\s\S]*verbunden und in Betrieb/);
    await page.keyboard.press("Escape");
    await until("closed", async () => (await page.locator("dialog").count()) === 0);
    assert.equal(await focused(), "bed-01", "the focus comes back");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open] kbd");
    await page.keyboard.press("Escape");
    await page.keyboard.press("l");
    await until("English", async () => (await page.locator("html").getAttribute("lang")) === "en");
    assert.match(await page.locator("footer").innerText(), /not to be relied on as primary alarm/);
    await page.reload();
    await page.waitForSelector(".tile");
    assert.equal(await page.locator("html").getAttribute("lang"), "en", "the choice is kept");
  }));

test("what was refused is told in plain words; the charter can be read", { skip }, () =>
  scene({}, async ({ page, fault }) => {
    fault({ refused: { undeclared_code: 3, rate_values: 17, something_new: 1 } });
    await until("the count", async () => /21/.test(await page.locator("[data-state=refused]").innerText()));
    await page.click("[data-state=refused] button");
    const rows = await page.locator("dialog tbody tr").allInnerTexts();
    assert.deepEqual(rows.map((row) => row.split("\t")[1]), ["17", "3", "1"]);
    assert.match(rows[0], /Mehr Messwerte je Sekunde/);
    await page.keyboard.press("Escape");
    await page.click("[data-state=charter] a");
    await until("the text", async () => /Rechtsgrundlage/.test(await page.locator("main[data-page=charter]").innerText()));
    await page.keyboard.press("l");
    await until("in English", async () => /Legal basis/.test(await page.locator("main[data-page=charter]").innerText()));
  }));

test("axe finds nothing, in both languages, both themes, well and broken, on every page", { skip }, async () => {
  for (const language of ["de", "en"]) {
    await scene({ language, bypassCSP: true, tolerate: [REFUSED, NETWORK] }, async ({ page, fault, server }) => {
      await until("numbers", async () => (await value(page, "bed-01", "hr").getAttribute("data-look")) === "current");
      for (const theme of ["dark", "light"]) {
        await assertAccessible(page, `ward ${language} ${theme}`);
        await page.evaluate(() => { location.hash = "#/bed/bed-02"; });
        await page.waitForSelector("dialog[open]");
        await assertAccessible(page, `bed ${language} ${theme}`);
        await page.keyboard.press("Escape");
        await page.keyboard.press("?");
        await page.waitForSelector("dialog[open] kbd");
        await assertAccessible(page, `help ${language} ${theme}`);
        await page.keyboard.press("Escape");
        await page.click("[data-state=refused] button");
        await page.waitForSelector("dialog[open] table");
        await assertAccessible(page, `refusals ${language} ${theme}`);
        await page.keyboard.press("Escape");
        fault({ store: "disk_full", charter: "reload_refused", devices: { "mon-01": "offline", "pump-02": "silent", "mon-04": "revoked", "bed-03": "invited" }, quality: { "mon-03": 1, "mon-06": 4, "mon-08": 16 } });
        await page.waitForSelector('[data-banner="disk_full"]');
        await until("faults", async () => (await value(page, "bed-03", "hr").getAttribute("data-look")) === "suspect");
        await assertAccessible(page, `faults ${language} ${theme}`);
        fault({ reset: true });
        fault({ mute: true });
        await page.waitForSelector('[data-banner="lost"]');
        await assertAccessible(page, `lost ${language} ${theme}`);
        fault({ reset: true });
        await until("recovery", async () => (await value(page, "bed-01", "hr").getAttribute("data-look")) === "current", 15_000);
        await page.evaluate(() => { location.hash = "#/charter"; });
        await page.waitForSelector("main[data-page=charter] pre");
        await assertAccessible(page, `charter ${language} ${theme}`);
        await page.evaluate(() => { location.hash = "#/"; });
        await page.waitForSelector(".tile");
        await page.keyboard.press("t");
      }
      await fetch(`${server.address}/dev/fault`, { method: "POST", body: JSON.stringify({ endSessions: true }) });
      await page.reload();
      await page.waitForSelector('[data-page="signin"]');
      await assertAccessible(page, `enter ${language}`);
    });
  }
});

test("the frame rate with 32 beds, printed", { skip }, () =>
  scene({ beds: 32, width: 1920, height: 1080 }, async ({ page }) => {
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const { fps, p99, max } = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const times = [];
          const step = (now) => {
            times.push(now);
            if (now - times[0] < 5000) requestAnimationFrame(step);
            else {
              const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
              resolve({ fps: (1000 * gaps.length) / (times.at(-1) - times[0]), p99: gaps[Math.floor(gaps.length * 0.99)], max: gaps.at(-1) });
            }
          };
          requestAnimationFrame(step);
        }),
    );
    const lanes = await page.locator(".lane").count();
    console.log(`# 32 beds, ${lanes} curves, 1920×1080, software rendering: ${fps.toFixed(1)} frames/s, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`);
  }));
