// The pictures of README, taken from a running demonstration: node e2e/pictures.mjs WHAT DIRECTORY LINK, with WHAT one of ward (a nurse's link), own (a nurse's
// link: invites a patient and shows that person's page on a phone), ledger (that of data protection). Both languages each time.
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { launch, open } from "./browser.mjs";
import { securityKey } from "./passkey.mjs";
import { smaller } from "./png.mjs";
import { t as words } from "./words.mjs";

const [what, directory, link] = process.argv.slice(2);
if (!["ward", "own", "ledger"].includes(what) || !directory || !link) {
  console.error("node e2e/pictures.mjs ward|own|ledger DIRECTORY LINK");
  process.exit(2);
}
const origin = new URL(link).origin;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const browser = await launch();

async function picture(page, language) {
  const file = join(directory, `${what}-${language}.png`);
  await writeFile(file, await smaller(browser, await page.screenshot()));
  console.log(file);
}
/** The page as it is when the reader speaks `language`. */
async function speak(page, language) {
  if ((await page.evaluate(() => document.documentElement.lang)) !== language) await page.keyboard.press("l");
}

const { page } = await open(browser, origin, { language: "de", width: 1366, height: 768 });
await page.goto(link);
await page.waitForSelector(".inside main");
if (what === "ward") {
  for (const language of ["de", "en"]) {
    await speak(page, language);
    await pause(12_000); // A whole sweep.
    await picture(page, language);
  }
} else if (what === "ledger") {
  await page.evaluate(() => { location.hash = "#/ledger"; });
  await page.waitForSelector("tbody tr");
  for (const language of ["de", "en"]) {
    await speak(page, language);
    await pause(1500);
    await picture(page, language);
  }
} else {
  const t = words("de");
  const { patients } = await page.evaluate(async () => (await fetch("/api/v1/patients")).json());
  const subject = patients.find((each) => each.subject !== null).subject;
  await page.evaluate((to) => { location.hash = to; }, `#/patients/${subject}`);
  await page.getByRole("button", { name: t("patient-invite") }).click();
  await page.getByRole("button", { name: t("patient-invite-make") }).click();
  const invitation = await page.locator(".secret code").innerText();
  const own = await open(browser, origin, { language: "de", width: 390, height: 1000, scale: 1.5 });
  await securityKey(own.page);
  await own.page.goto(invitation);
  await own.page.locator('[data-page="register"] button.main').click();
  await own.page.locator(".own-open button.main").click();
  await own.page.waitForSelector(".own-values .trend path.line");
  for (const language of ["de", "en"]) {
    await speak(own.page, language);
    await pause(9000); // Until the thanks are gone.
    await picture(own.page, language);
  }
}
await browser.close();
