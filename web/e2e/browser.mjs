// What the browser tests and the screenshots share: a Chromium, a page that reports violations, waiting for conditions.
import { chromium } from "playwright-core";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/**
 * A page in its own context. `trouble` collects what must not happen: policy violations, errors, requests to anywhere but `origin`.
 * `bypassCSP` is only for injecting axe.
 */
export async function open(browser, origin, { language = "de", width = 1366, height = 768, bypassCSP = false, scale = 1, ...more } = {}) {
  const context = await browser.newContext({
    locale: language === "de" ? "de-DE" : "en-GB",
    timezoneId: "Europe/Berlin",
    viewport: { width, height },
    deviceScaleFactor: scale,
    ignoreHTTPSErrors: true,
    bypassCSP,
    ...more,
  });
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (message) => { if (message.type() === "error") trouble.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => trouble.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && !["data:", "blob:"].includes(url.protocol)) trouble.push(`third party: ${request.url()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return { context, page, trouble };
}

/** Waits until `check` returns something truthy, at most `ms`; returns it and how long it took. */
export async function until(what, check, ms = 10_000) {
  const began = performance.now();
  for (;;) {
    const found = await check();
    if (found) return { found, ms: Math.round(performance.now() - began) };
    if (performance.now() - began > ms) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A fingerprint of the pixels of a canvas. */
export async function pixels(locator) {
  return locator.evaluate((canvas) => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let sum = 0;
    let lit = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] + data[i + 1] + data[i + 2] > 150) lit += 1;
      sum = (sum * 31 + data[i] + data[i + 1] * 3 + data[i + 2] * 7) >>> 0;
    }
    return { sum, lit };
  });
}
