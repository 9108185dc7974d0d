// Each role's day, in both languages, against the development server: what the page offers, what it keeps covered, where emergency access is, what locking
// and the end of a session do. axe on every page of every role, at three sizes. Against the real server see real.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../dev/fake-server.mjs";
import { assertAccessible } from "./axe.mjs";
import { launch, open, until } from "./browser.mjs";
import { securityKey } from "./passkey.mjs";

const skip = process.env.OBHUT_URL ? "OBHUT_URL is set: only the real server is tested" : false;
const WORDS = {
  de: { names: "Namen zeigen", name: "Name zeigen", hide: "Namen verdecken", course: "Verlauf", table: "Als Tabelle", emergency: "Notfallzugriff", end: "Beenden", lock: "Sperren", unlock: "Entsperren", switch: "Person wechseln", admit: "Aufnehmen", discharge: "Entlassen", day: "24 h" },
  en: { names: "Show names", name: "Show name", hide: "Cover names", course: "Course", table: "As a table", emergency: "Emergency access", end: "End", lock: "Lock", unlock: "Unlock", switch: "Switch person", admit: "Admit", discharge: "Discharge", day: "24 h" },
};
/** Every family name of the made-up ward. */
const NAMES = /Muster|Berger|Yılmaz|Nowak|Heide|Okafor|Schmidt|Văn Minh/;

let browser;
before(async () => { if (!skip) browser = await launch(); });
after(async () => browser?.close());

async function scene(role, options, body) {
  const { language = "de", tolerate = [], server: more = {}, ...window } = options;
  const server = await start({ beds: 8, ...more });
  const { context, page, trouble } = await open(browser, server.address, { language, bypassCSP: true, ...window });
  try {
    await page.goto(`${server.address}/#enter=${role}`);
    await page.waitForSelector(".inside main");
    await body({ server, page, w: WORDS[language], go: (to) => page.evaluate((hash) => { location.hash = hash; }, to) });
    assert.deepEqual(trouble.filter((each) => !tolerate.some((pattern) => pattern.test(each))), []);
  } finally {
    await context.close();
    await server.close();
  }
}
const text = (page) => page.locator("body").innerText();
const button = (page, name) => page.getByRole("button", { name, exact: true });

for (const language of ["de", "en"]) {
  test(`nurse (${language}): beds without names, names on demand and covered again, course, admission, discharge`, { skip }, () =>
    scene("nurse", { language }, async ({ page, w }) => {
      await page.waitForSelector('.tile canvas');
      assert.doesNotMatch(await text(page), NAMES);
      let asked = 0;
      page.on("request", (request) => { if (/patients\?names=1/.test(request.url())) asked += 1; });
      await button(page, w.names).click();
      await until("names", async () => NAMES.test(await text(page)));
      assert.equal(asked, 1, "the server was asked");
      await assertAccessible(page, `names ${language}`);
      await button(page, w.hide).click();
      await until("covered", async () => !NAMES.test(await text(page)));

      await page.locator('[data-bed="bed-02"] .open').click();
      await page.waitForSelector('[data-bed-large="bed-02"]');
      assert.doesNotMatch(await text(page), NAMES);
      await button(page.locator("dialog"), w.name).click();
      await until("the name", async () => /Berger/.test(await text(page)));
      await page.locator("dialog a", { hasText: w.course }).click();
      await page.waitForSelector('[data-page="patient"] .trend path.line');
      assert.doesNotMatch(await text(page), NAMES, "a new page begins covered");
      await button(page, w.day).click();
      await page.waitForSelector('[data-page="patient"] .trend path.line');
      await assertAccessible(page, `course ${language}`);
      await button(page, w.table).click();
      await page.waitForSelector('[data-page="patient"] table');
      await assertAccessible(page, `course as a table ${language}`);

      await page.evaluate(() => { location.hash = "#/bed/bed-07"; });
      await button(page, w.admit).click();
      const form = page.locator("dialog form");
      await assertAccessible(page, `admission ${language}`);
      await form.locator("input").nth(0).fill("F-1");
      await form.locator("input[type=date]").fill("1950-02-03");
      await form.locator("input").nth(2).fill("Neuling");
      await form.locator("button[type=submit]").click();
      await button(page, w.discharge).waitFor();
      assert.doesNotMatch(await text(page), /Neuling/, "the name is not repeated");
      await button(page, w.discharge).click();
      await page.locator("dialog form button[type=submit]").click();
      await button(page, w.admit).waitFor();
    }));

  test(`physician (${language}): own cases first; emergency access in two presses, with banner, and its end`, { skip }, () =>
    scene("physician", { language, tolerate: [/status of 403/] }, async ({ page, w, go }) => {
      await page.waitForSelector('[data-page="patients"] tbody tr');
      assert.deepEqual((await page.locator("tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.row))).slice(0, 2), ["bed-02", "bed-05"]);
      await button(page, w.names).click();
      await until("own names", async () => /Berger/.test(await text(page)));
      assert.doesNotMatch(await text(page), /Muster/, "names of others stay closed");
      await go("#/ward");
      await page.waitForSelector(".tile canvas");
      assert.deepEqual((await page.locator(".tile").evaluateAll((tiles) => tiles.map((tile) => tile.dataset.bed))).slice(0, 2), ["bed-02", "bed-05"]);

      const began = performance.now();
      await page.locator('[data-bed="bed-01"] .bolt').click(); // first press
      await page.locator('dialog [data-reason="resuscitation"]').click(); // second press
      await page.waitForSelector('[data-banner="emergency"]');
      await page.waitForSelector('[data-page="patient"] .trend path.line');
      const ms = Math.round(performance.now() - began);
      console.log(`# emergency access (${language}): two presses, course on the screen after ${ms} ms`);
      assert.ok(ms < 5000);
      await assertAccessible(page, `emergency ${language}`);
      await button(page.locator('[data-banner="emergency"]'), w.end).click();
      await page.waitForSelector('[data-banner="emergency"]', { state: "detached" });
      await go("#/ward");
      await page.locator('[data-bed="bed-01"] .bolt').click();
      await assertAccessible(page, `emergency dialog ${language}`);
    }));

  test(`technician (${language}): devices, and no patient anywhere`, { skip }, () =>
    scene("technician", { language, tolerate: [/status of 40[34]/] }, async ({ page, go }) => {
      await page.waitForSelector('[data-page="devices"] tbody tr');
      assert.doesNotMatch(await text(page), NAMES);
      const links = await page.locator("nav.side a").evaluateAll((all) => all.map((each) => each.hash));
      assert.equal(links.some((hash) => /patient|ward|people|ledger/.test(hash)), false, links.join());
      for (const closed of ["#/ward", "#/patients", "#/system", "#/overview", "#/people"]) {
        await go(closed);
        await page.waitForSelector('[data-page="not-here"]');
      }
      await assertAccessible(page, `not yours ${language}`);
    }));

  test(`IT administrator (${language}): the system, no clinical content`, { skip }, () =>
    scene("administrator", { language }, async ({ page, server, go }) => {
      await page.waitForSelector('[data-page="system"] [data-word="good"]');
      assert.equal(await page.locator(".tile, .trend").count(), 0);
      server.ward.fault({ store: "disk_full" });
      await go("#/charter");
      await page.waitForSelector("pre");
      await go("#/system");
      await page.waitForSelector('.part-bad[data-word="disk_full"]');
      await assertAccessible(page, `system ${language}`);
    }));

  test(`wall display (${language}): bed labels, no name, nothing to press`, { skip }, () =>
    scene("wall", { language, width: 2560, height: 1440 }, async ({ page, go }) => {
      await page.waitForSelector(".tile canvas");
      assert.equal(await page.locator("button, a, input, select").count(), 0);
      assert.doesNotMatch(await text(page), NAMES);
      await go("#/patients");
      await page.waitForSelector(".tile canvas");
      assert.equal(await page.locator('[data-page="patients"]').count(), 0);
      await assertAccessible(page, `wall ${language}`);
    }));

  test(`locking (${language}): values go on, the rest is covered; a key unlocks; the next person`, { skip }, () =>
    scene("nurse", { language, tolerate: [/status of 401/] }, async ({ page, w }) => {
      await page.waitForSelector(".tile canvas");
      await button(page, w.names).click();
      await until("names", async () => NAMES.test(await text(page)));
      await button(page, w.lock).first().click();
      await page.waitForSelector('[data-page="locked"]');
      assert.doesNotMatch(await text(page), NAMES);
      assert.ok((await page.locator('.value[data-look="current"]').count()) > 8, "the ward goes on");
      assert.equal(await page.locator(".tile button").count(), 0);
      await assertAccessible(page, `locked ${language}`);
      // A key of this person: made here, so that the browser has one to answer with.
      await securityKey(page);
      await page.evaluate(async () => {
        const bytes = new Uint8Array(16);
        await navigator.credentials.create({ publicKey: { challenge: bytes, rp: { name: "x", id: location.hostname }, user: { id: bytes, name: "x", displayName: "x" }, pubKeyCredParams: [{ type: "public-key", alg: -7 }], authenticatorSelection: { residentKey: "required", userVerification: "required" } } });
      });
      await button(page, w.unlock).click();
      await page.waitForSelector('[data-page="locked"]', { state: "detached" });
      assert.doesNotMatch(await text(page), NAMES, "names stay covered after unlocking");
      await button(page, w.lock).first().click();
      await button(page, w.switch).click();
      await page.waitForSelector('[data-page="signin"]');
      assert.equal(await page.locator(".tile").count(), 0);
    }));
}

test("idle: the page locks itself; a wall display does not", { skip }, async () => {
  await scene("nurse", { server: { idleLock: 2 } }, async ({ page }) => {
    await page.waitForSelector(".tile canvas");
    await page.waitForSelector('[data-page="locked"]', { timeout: 6000 });
  });
  await scene("wall", { server: { idleLock: 1 } }, async ({ page }) => {
    await page.waitForSelector(".tile canvas");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(await page.locator('[data-page="locked"]').count(), 0);
  });
});

test("a session that ends soon says so; one that has ended leaves nothing on the screen", { skip }, () =>
  scene("nurse", { server: { sessionMs: 120_000 }, tolerate: [/status of 401/, /WebSocket/] }, async ({ page, server, go }) => {
    await page.waitForSelector('[data-banner="session-ends"]');
    await go("#/patients");
    await page.waitForSelector("tbody tr");
    server.world.sessions.clear();
    await page.getByRole("button", { name: WORDS.de.names }).click();
    await page.waitForSelector('[data-page="signin"]');
    assert.equal(await page.locator("tbody tr, .tile").count(), 0);
    assert.equal(new URL(page.url()).hash, "");
  }));

test("the ledger cannot be written: stored data stay closed with clear words, the ward goes on", { skip }, () =>
  scene("nurse", { tolerate: [/status of 503/] }, async ({ page, server, go }) => {
    await page.waitForSelector(".tile canvas");
    await fetch(`${server.address}/dev/fault`, { method: "POST", body: JSON.stringify({ ledger: false }) });
    await go("#/patients");
    await page.waitForSelector('[data-problem="ledger_unavailable"]');
    await page.waitForSelector('[data-banner="ledger"]');
    assert.match(await text(page), /protokolliert/);
    await assertAccessible(page, "ledger down");
    await go("#/ward");
    await page.waitForSelector('.value[data-look="current"]');
    await fetch(`${server.address}/dev/fault`, { method: "POST", body: JSON.stringify({ ledger: true }) });
    await go("#/patients");
    await page.waitForSelector("tbody tr");
    await page.waitForSelector('[data-banner="ledger"]', { state: "detached" });
  }));

test("every page of every role, at three sizes: axe finds nothing and nothing is wider than the window", { skip }, async () => {
  const seen = [];
  /** The same for everybody: looked at once for each size. */
  const COMMON = ["#/sessions", "#/charter"];
  for (const [width, height, language] of [[390, 844, "de"], [1366, 768, "en"], [2560, 1440, "de"]]) {
    for (const role of ["nurse", "physician", "technician", "administrator", "privacy", "patient", "researcher", "service"]) {
      await scene(role, { language, width, height, tolerate: [/status of 40[34]/, /answer not understood/] }, async ({ page, go }) => {
        await page.keyboard.press("m");
        await page.waitForSelector("dialog.sheet");
        await assertAccessible(page, `menu ${role} ${width}`);
        const hashes = await page.locator("dialog.sheet nav a").evaluateAll((all) => all.map((each) => each.hash));
        await page.keyboard.press("Escape");
        for (const hash of hashes) {
          if (COMMON.includes(hash) && seen.some((each) => each.endsWith(` ${hash} ${width}`))) continue;
          await go(hash);
          await page.waitForSelector(`main[data-page]`);
          await until("loaded", async () => (await page.locator(".loading").count()) === 0);
          await assertAccessible(page, `${role} ${hash} ${width}`);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${role} ${hash} is ${over} px too wide at ${width}`);
          seen.push(`${role} ${hash} ${width}`);
        }
      });
    }
  }
  console.log(`# ${seen.length} pages looked at`);
});
