// Alarms on the screens, against the development server: what is shown, how fast it flashes (counted from the browser's frames), what people do about it, sound.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../dev/fake-server.mjs";
import { assertAccessible } from "./axe.mjs";
import { launch, open, until } from "./browser.mjs";

const skip = process.env.OBHUT_URL ? "OBHUT_URL is set: only the real server is tested" : false;
let browser;
before(async () => { if (!skip) browser = await launch(); });
after(async () => browser?.close());

async function scene(options, body) {
  const { beds = 8, token = "demo", alarms = true, tolerate = [], init = null, ...more } = options;
  const server = await start({ beds, alarms });
  const { context, page, trouble } = await open(browser, server.address, more);
  try {
    if (init !== null) await page.addInitScript(init);
    await page.goto(`${server.address}/#enter=${token}`);
    await page.waitForSelector(".tile canvas");
    await body({ server, page, alarms: server.ward.alarms, fault: (change) => server.ward.fault(change) });
    assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "content security policy");
    assert.deepEqual(trouble.filter((each) => !tolerate.some((pattern) => pattern.test(each))), []);
  } finally {
    await context.close();
    await server.close();
  }
}
const REFUSED = /status of (409|503)/;
const line = (page, bed) => page.locator(`[data-bed="${bed}"] .alarm`);

/** Looks at the ground (or the frame) of something at every frame for a while: flashes a second and the share of time it is lit. */
const flashing = (page, selector, seconds, of = "backgroundColor") =>
  page.evaluate(
    ([selector, seconds, of]) =>
      new Promise((resolve) => {
        const found = [];
        const node = document.querySelector(selector);
        const began = performance.now();
        const step = () => {
          const now = performance.now();
          found.push([now, getComputedStyle(node)[of]]);
          if (now - began < seconds * 1000) requestAnimationFrame(step);
          else {
            const lit = found[0] && [...new Set(found.map(([, colour]) => colour))].sort((a, b) => sum(b) - sum(a))[0];
            const rises = found.filter(([, colour], i) => i > 0 && colour === lit && found[i - 1][1] !== lit).map(([time]) => time);
            let on = 0;
            for (let i = 1; i < found.length; i++) if (found[i][0] > rises[0] && found[i][0] <= rises.at(-1) && found[i - 1][1] === lit) on += found[i][0] - found[i - 1][0];
            resolve({ colours: new Set(found.map(([, colour]) => colour)).size, hz: rises.length < 2 ? 0 : (1000 * (rises.length - 1)) / (rises.at(-1) - rises[0]), duty: on / (rises.at(-1) - rises[0]), frames: found.length });
          }
        };
        const sum = (colour) => (colour.match(/\d+/g) ?? []).slice(0, 3).reduce((all, each) => all + Number(each), 0);
        requestAnimationFrame(step);
      }),
    [selector, seconds, of],
  );

test("without alarms from the server the page is as it was", { skip }, () =>
  scene({ alarms: false }, async ({ page }) => {
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(await page.locator(".alarm-row, .alarm, .heart, [data-banner], [data-sound], .score").count(), 0);
  }));

test("flash rates and duty, counted from frames, lie in the standard's ranges; all flash in step", { skip }, () =>
  scene({}, async ({ page, alarms }) => {
    alarms.raise("bed-01", "saturation-low", { value: 84 });
    alarms.raise("bed-02", "heart-rate-high", { value: 134 });
    alarms.raise("bed-03", "temperature-high", { value: 38.9 });
    await until("three", async () => (await page.locator(".alarm").count()) === 3);
    const at = (bed) => `[data-bed="${bed}"] .alarm`;
    const high = await flashing(page, at("bed-01"), 6);
    const medium = await flashing(page, at("bed-02"), 9);
    const low = await flashing(page, at("bed-03"), 3);
    console.log(`# high ${high.hz.toFixed(2)} Hz ${(100 * high.duty).toFixed(0)} % (${high.frames} frames), medium ${medium.hz.toFixed(2)} Hz ${(100 * medium.duty).toFixed(0)} % (${medium.frames} frames)`);
    assert.ok(high.hz >= 1.4 && high.hz <= 2.8, `high ${high.hz} Hz`);
    assert.ok(medium.hz >= 0.4 && medium.hz <= 0.8, `medium ${medium.hz} Hz`);
    for (const { duty } of [high, medium]) assert.ok(duty >= 0.2 && duty <= 0.6, `lit ${duty}`);
    assert.equal(low.colours, 1, "low is constant");
    alarms.raise("bed-04", "saturation-low", { value: 82 });
    await until("four", async () => (await page.locator(".alarm").count()) === 4);
    await until("in step", () => page.evaluate(() => new Set([...document.querySelectorAll(".alarm-high")].flatMap((node) => node.getAnimations()).map((animation) => animation.startTime)).size === 1), 3000);
  }));

test("an alarm on the tile: text in the reader's language, marks, the number it is about; escalated, over, gone", { skip }, () =>
  scene({}, async ({ page, alarms }) => {
    const id = alarms.raise("bed-01", "heart-rate-high", { value: 134, latching: true });
    await until("shown", async () => (await line(page, "bed-01").getAttribute("data-priority").catch(() => null)) === "medium", 2000);
    assert.match(await line(page, "bed-01").innerText(), /\*\*[\s\S]*HF 134 > 120/);
    assert.equal(await page.locator('[data-bed="bed-01"] [data-kind="hr"].in-alarm.alarm-medium').count(), 1);
    await page.keyboard.press("l");
    await until("English", async () => /HR 134 > 120/.test(await line(page, "bed-01").innerText()));
    alarms.escalate(id, "high");
    await until("escalated", async () => (await line(page, "bed-01").getAttribute("data-priority")) === "high");
    assert.match(await line(page, "bed-01").innerText(), /\*\*\*/);
    alarms.end(id);
    await until("over", async () => (await line(page, "bed-01").getAttribute("data-standing")) === "latched");
    assert.match(await line(page, "bed-01").innerText(), /over/);
    await line(page, "bed-01").click();
    await until("gone", async () => (await line(page, "bed-01").count()) === 0);
    alarms.raise("bed-02", "asystole", { downgraded: "Pleth 74/min" });
    await until("why", async () => /downgraded: Pleth 74\/min/.test(await page.locator('[data-bed="bed-02"] .alarm-why').innerText().catch(() => "")));
  }));

test("acknowledged with one press or one key; a failed act says so, the alarm stays, and trying again is the same act", { skip }, () =>
  scene({ tolerate: [REFUSED] }, async ({ page, alarms }) => {
    alarms.raise("bed-01", "saturation-low", { value: 84 });
    alarms.raise("bed-02", "heart-rate-high", { value: 134 });
    await line(page, "bed-01").click();
    await until("acknowledged", async () => (await line(page, "bed-01").getAttribute("data-standing")) === "acknowledged");
    assert.equal((await flashing(page, '[data-bed="bed-01"] .alarm', 1.5)).colours, 1, "what is acknowledged does not flash");
    assert.match(await line(page, "bed-01").innerText(), /quittiert/);

    alarms.refuse = "ledger_unavailable";
    await page.locator('[data-bed="bed-02"] .open').focus();
    const sent = [];
    page.on("request", (request) => { if (request.url().endsWith("/alarms/acts")) sent.push(JSON.parse(request.postData()).id); });
    await page.keyboard.press("a");
    await page.waitForSelector('[data-bed="bed-02"] .alarm-failed');
    assert.match(await page.locator('[data-bed="bed-02"] .alarm-failed').innerText(), /Nicht quittiert. Der Alarm besteht weiter/);
    assert.equal(await line(page, "bed-02").getAttribute("data-standing"), "active");
    alarms.refuse = null;
    await page.locator('[data-bed="bed-02"] .alarm-failed button').first().click();
    await until("acknowledged", async () => (await line(page, "bed-02").getAttribute("data-standing")) === "acknowledged");
    assert.equal(sent.length, 2);
    assert.equal(sent[0], sent[1], "one act, one identifier");
    assert.equal(await page.locator(".alarm-failed").count(), 0);
  }));

test("sound paused for as long as the profile allows, counted down; who took the bed", { skip }, () =>
  scene({}, async ({ page, alarms }) => {
    alarms.raise("bed-01", "saturation-low", { value: 84 });
    await page.locator('[data-bed="bed-01"] .alarm-mute').click();
    await until("paused", async () => /^[12]:\d\d$/.test(await page.locator('[data-bed="bed-01"] [data-rest="audio"] time').innerText().catch(() => "")));
    alarms.act("bed-02", "1".padStart(32, "0"), { do: "take" }, "0demo");
    await page.waitForSelector('[data-bed="bed-02"] [data-taken="0demo"]');
    assert.match(await page.locator('[data-bed="bed-02"] .taken').getAttribute("title"), /von Ihnen/);
  }));

/** What a test looks at counts as a touch to the browser; here only a real press does, as it is for people. */
function noSoundBeforePress() {
  let touched = false;
  addEventListener("pointerdown", (event) => { touched ||= event.isTrusted; }, { capture: true });
  const Real = globalThis.AudioContext;
  globalThis.AudioContext = class extends Real {
    constructor() {
      super();
      if (!touched) void this.suspend();
    }

    resume() {
      return touched ? super.resume() : Promise.reject(new DOMException("not before a touch", "NotAllowedError"));
    }
  };
}

test("without a touch the page says that it cannot be heard; after one it plays, more urgent first, and stops", { skip }, () =>
  scene({ init: noSoundBeforePress }, async ({ page, alarms }) => {
    const sound = () => page.locator("[data-sound]").getAttribute("data-sound");
    await page.waitForSelector('[data-banner="sound-blocked"]', { timeout: 6000 });
    assert.equal(await sound(), "blocked");
    await page.click('[data-banner="sound-blocked"]');
    await until("ready", async () => (await sound()) === "quiet", 5000);
    assert.equal(await page.locator('[data-banner="sound-blocked"]').count(), 0);
    const id = alarms.raise("bed-01", "heart-rate-high", { value: 134 });
    await until("heard", async () => (await sound()) === "medium" && Number(await page.locator("[data-sound]").getAttribute("data-bursts")) === 1, 2000);
    alarms.escalate(id, "high");
    await until("more urgent at once", async () => Number(await page.locator("[data-sound]").getAttribute("data-bursts")) === 2, 1500);
    await line(page, "bed-01").click();
    await until("quiet", async () => (await sound()) === "quiet", 2000);
  }));

test("the screen shows that it lives; without the server a warning stands over everything", { skip }, () =>
  scene({}, async ({ page, fault }) => {
    const beat = () => page.locator(".heart").getAttribute("data-beat");
    const one = await beat();
    await until("a beat", async () => (await beat()) !== one, 2000);
    fault({ mute: true });
    await page.waitForSelector('[data-over="lost"]', { timeout: 6000 });
    assert.equal(await beat(), "none");
    fault({ mute: false });
    await until("back", async () => (await page.locator("[data-over]").count()) === 0, 12_000);
  }));

test("alarms of the whole ward, and a ward nobody watches", { skip }, () =>
  scene({}, async ({ page, alarms }) => {
    alarms.raise(null, "store-lost");
    await page.locator('.ward-alarms [data-alarm="store-lost"]').click();
    await until("seen", async () => (await page.locator('.ward-alarms [data-alarm="store-lost"]').getAttribute("data-standing")) === "acknowledged");
    alarms.watching = false;
    alarms.tell("bed-01");
    await page.waitForSelector('[data-banner="not-watching"]');
  }));

test("the bed's page: why an alarm calls, limits with who and why, changing one needs a reason, history, score with the age of its inputs", { skip }, () =>
  scene({ language: "en", tolerate: [REFUSED] }, async ({ page, alarms }) => {
    alarms.raise("bed-01", "saturation-low", { value: 84 });
    await page.evaluate(() => { location.hash = "#/bed/bed-01"; });
    const card = page.locator('[data-alarm-card="saturation-low"]');
    await card.waitFor();
    assert.match(await card.innerText(), /SpO2 84 < 90[\s\S]*Value\s*84 %[\s\S]*Limit\s*90 %[\s\S]*Since[\s\S]*mon-01[\s\S]*version ab12f09c/);
    assert.match(await page.locator(".bed-score").innerText(), /3 points[\s\S]*consciousness[\s\S]*by hand/);

    const row = page.locator('[data-row="saturation-low-high"]');
    await row.locator("button").click();
    const form = page.locator('[data-limit-form="saturation-low"]');
    assert.equal(await form.locator("button[type=submit]").isDisabled(), true, "not without a reason");
    await form.locator("input[maxlength='12']").fill("30");
    await form.locator("input[maxlength='400']").fill("COPD, target 88 to 92");
    await form.locator("button[type=submit]").click();
    await until("refused", async () => /out of bounds/.test(await form.innerText()));
    await form.locator("input[maxlength='12']").fill("86");
    await form.locator("button[type=submit]").click();
    await until("set", async () => /86 %[\s\S]*by you[\s\S]*COPD, target 88 to 92/.test(await row.innerText()));

    await page.locator(".bed-history button").click();
    await until("history", async () => /limit set[\s\S]*begins[\s\S]*SpO2 84 < 90/.test(await page.locator(".bed-history").innerText()));
    await card.locator("button.main").click();
    await until("acknowledged", async () => /by you/.test(await card.innerText()));
  }));

test("a wall display shows alarms and offers nothing to press but sound", { skip }, () =>
  scene({ token: "wall", width: 2560, height: 1440 }, async ({ page, alarms }) => {
    alarms.scene();
    await until("alarms", async () => (await page.locator(".tile .alarm").count()) >= 7);
    assert.equal(await page.locator(".tile button").count(), 0);
    const size = await page.locator('[data-bed="bed-01"] .alarm').evaluate((node) => parseFloat(getComputedStyle(node).fontSize));
    assert.ok(size >= 30, `${size} px`);
  }));

test("with reduced motion nothing flashes and priorities still differ", { skip }, () =>
  scene({ reducedMotion: "reduce" }, async ({ page, alarms }) => {
    alarms.raise("bed-01", "saturation-low", { value: 84 });
    alarms.raise("bed-02", "heart-rate-high", { value: 134 });
    await until("two", async () => (await page.locator(".alarm").count()) === 2);
    for (const bed of ["bed-01", "bed-02"]) assert.equal((await flashing(page, `[data-bed="${bed}"] .alarm`, 1.2)).colours, 1);
    assert.equal(await page.locator('[data-bed="bed-01"] .marks').first().innerText(), "***");
  }));

test("axe finds nothing on a ward full of alarms, in both languages and themes", { skip }, async () => {
  for (const language of ["de", "en"]) {
    await scene({ language, bypassCSP: true }, async ({ page, alarms }) => {
      alarms.scene();
      alarms.raise(null, "store-lost");
      await until("alarms", async () => (await page.locator(".tile .alarm").count()) >= 7);
      for (const theme of ["dark", "light"]) {
        await assertAccessible(page, `alarms ${language} ${theme}`);
        await new Promise((resolve) => setTimeout(resolve, 300));
        await assertAccessible(page, `alarms ${language} ${theme}, the other half of a flash`);
        await page.evaluate(() => { location.hash = "#/bed/bed-01"; });
        await page.waitForSelector("dialog[open]");
        await assertAccessible(page, `bed with alarms ${language} ${theme}`);
        await page.keyboard.press("Escape");
        await page.keyboard.press("t");
      }
    });
  }
});
