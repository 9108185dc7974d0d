// What concerns a patient's rights, from beginning to end against a real server and in both languages: who treats, the patient's own page, a hold, an erasure
// with its certificate. Called by real.test.mjs, last.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { assertAccessible } from "./axe.mjs";
import { open, until } from "./browser.mjs";
import { securityKey } from "./passkey.mjs";
import { t as words } from "./words.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const dialog = (page) => page.locator("dialog[open]").last();
const json = (page, path) => page.evaluate(async (to) => (await fetch(`/api/v1${to}`)).json(), path);
/** Sends the form of the open window and waits until it is gone. */
async function send(page) {
  await dialog(page).locator("button[type=submit]").click();
  await page.waitForSelector("dialog[open]", { state: "detached" });
}
const lying = async (page) => (await json(page, "/patients")).patients.filter((each) => each.subject !== null);

/** `staff` and `browser` are functions, because both come to be only when the tests begin. */
export function rights({ skip, staff, browser }) {
  // Each language has patients of its own, counted from the end of the ward.
  for (const [language, from] of [["de", -1], ["en", -2]]) {
    const t = words(language);

    test(`who treats (${language}): closed, taken over, open, handed on`, { skip }, () =>
      staff().as("physician", { language, tolerate: [/status of 403/] }, async ({ page, go }) => {
        const { subject } = (await lying(page)).at(from);
        await go(`#/patients/${subject}`);
        await page.waitForSelector('[data-treating="false"]');
        assert.equal(await button(page, t("patient-export")).count(), 0, "nothing to take out of a closed course");
        await button(page, t("patient-take-over")).click();
        await page.waitForSelector('[data-treating="true"]');
        await page.waitForSelector(".trend path.line", { timeout: 20_000 });
        await assertAccessible(page, `treating ${language}`);
        await button(page, t("patient-hand-on")).click();
        await send(page);
        await page.waitForSelector('[data-treating="false"]');
        assert.equal(await page.locator(".trend").count(), 0);
      }));

    test(`own page (${language}): invited, read, agreed, taken back, and who looked`, { skip }, async () => {
      let link = "";
      await staff().as("nurse", { language }, async ({ page, go }) => {
        const { subject } = (await lying(page)).at(from);
        await go(`#/patients/${subject}`);
        await button(page, t("patient-invite")).click();
        await button(page, t("patient-invite-make")).click();
        link = await page.locator(".secret code").innerText();
      });
      const { context, page, trouble } = await open(browser(), new URL(link).origin, { language, width: 390, height: 844, bypassCSP: true });
      await securityKey(page);
      await page.goto(link);
      await page.locator('[data-page="register"] button.main').click();
      await page.waitForSelector('[data-page="own"] .own-values .trend path.line', { timeout: 20_000 });
      await assertAccessible(page, `own ${language}`);
      const research = '[data-form="research"]';
      await page.locator(`${research} button`).first().click();
      await page.waitForSelector(`${research}[data-state="in-force"]`);
      await page.locator(`${research} button`).first().click();
      await page.waitForSelector(`${research}[data-state="withdrawn"]`);
      await page.evaluate(() => { location.hash = "#/own/accesses"; });
      await page.waitForSelector(".own-looks li");
      assert.deepEqual(trouble, []);
      await context.close();
    });

    test(`a hold and an erasure (${language}): held, released with a reason, discharged, erased, proved`, { skip }, async () => {
      let patient = {};
      let bed = "";
      await staff().as("nurse", { language }, async ({ page }) => {
        const last = (await lying(page)).at(from);
        ({ bed } = last);
        patient = await json(page, `/patients/${last.subject}`);
      });
      const erasing = async ({ page, go }) => {
        await go("#/requests");
        await page.locator("tbody a", { hasText: t("requests-kind-erasure") }).first().click();
        await page.getByRole("link", { name: t("requests-to-erasure") }).click();
        await dialog(page).waitFor();
      };
      await staff().as("records", { language, bypassCSP: true, tolerate: [/status of 409/] }, async (at) => {
        const { page, go } = at;
        await go("#/requests");
        await button(page, t("requests-enter")).click();
        const form = dialog(page);
        await form.locator("select").selectOption("erasure");
        await form.getByLabel(t("requests-channel-letter")).check();
        await form.getByLabel(t("requests-record")).fill(patient.record_number);
        await form.getByLabel(t("requests-birth")).fill(patient.birth_date);
        await send(page);
        await button(page, t("requests-identify")).click();
        await dialog(page).locator("textarea").fill("x");
        await send(page);

        await page.getByRole("link", { name: t("requests-to-hold") }).click();
        const hold = page.locator('[data-page="holds"] form');
        await hold.waitFor();
        const number = `7 O 12/26 ${language}`;
        await hold.getByLabel(t("retention-number")).fill(number);
        await hold.locator("textarea").fill("x");
        await hold.getByLabel(t("retention-requester")).fill("x");
        await hold.locator("input[type=date]").fill("2030-01-31");
        await hold.locator("button[type=submit]").click();
        const row = page.locator("tbody tr", { hasText: number });
        await row.waitFor();
        await assertAccessible(page, `holds ${language}`);
        await row.getByRole("button", { name: t("retention-approve") }).click();
        assert.equal(await row.locator(".failed").innerText(), t("problem-second_person"), "a second person approves, not the same one");

        await erasing(at);
        await button(dialog(page), t("retention-erase-now")).click();
        await page.locator("dialog [data-problem]").waitFor();
        await page.keyboard.press("Escape");

        await go("#/retention/holds");
        await row.getByRole("button", { name: t("retention-release") }).click();
        assert.equal(await dialog(page).locator("button[type=submit]").isDisabled(), true, "no release without a reason");
        await dialog(page).locator("textarea").fill("x");
        await send(page);
        await until("released", async () => (await row.innerText()).includes(t("retention-released")));

        await go("#/retention");
        await page.waitForSelector('[data-page="retention"] tbody tr');
        await assertAccessible(page, `retention ${language}`);
        await button(page, t("retention-dry-run")).click();
        await page.locator(".said.shown").waitFor();
        await button(page, t("retention-run")).click();
        await until("a run is on the page", async () => (await page.getByText(t("retention-no-run")).count()) === 0);
      });
      await staff().as("nurse", { language }, async ({ page, go }) => {
        await go(`#/bed/${bed}`);
        await button(page, t("ward-discharge")).click();
        await dialog(page).locator("form button[type=submit]").click();
        await button(page, t("ward-admit")).waitFor();
      });
      await staff().as("records", { language, bypassCSP: true, acceptDownloads: true, tolerate: [/status of 409/] }, async (at) => {
        const { page } = at;
        await erasing(at);
        await button(dialog(page), t("retention-erase-now")).click();
        await page.locator('dialog [data-problem="treatment_record"]').waitFor();
        await dialog(page).getByLabel(t("retention-elsewhere")).fill("x");
        await button(dialog(page), t("retention-erase-now")).click();
        await page.waitForSelector("dialog[open]", { state: "detached", timeout: 30_000 });
        const [download] = await Promise.all([page.waitForEvent("download"), page.locator("tbody tr").first().getByRole("button", { name: t("retention-certificate") }).click()]);
        const certificate = await readFile(await download.path(), "utf8");
        for (const what of [patient.family, patient.record_number, patient.subject]) assert.equal(certificate.includes(what), false, "the certificate names nobody");
        JSON.parse(certificate);
        await assertAccessible(page, `erasures ${language}`);
      });
      await staff().as("nurse", { language, tolerate: [/status of 403/] }, async ({ page }) => {
        assert.equal((await page.evaluate(async (to) => (await fetch(`/api/v1${to}`)).status, `/patients/${patient.subject}`)) >= 400, true, "nothing of this person is left");
      });
    });
  }
}
