// People who came in by one-time links at a real server, kept for the tests: each link works once, and a session goes on from where it was left.
import assert from "node:assert/strict";
import { open } from "./browser.mjs";

/** Signs everybody in whose link is given. `as(role, options, body)` goes on as one of them; `sessions`: role id → what a browser needs for that. */
export async function signIn(browser, links) {
  const sessions = new Map();
  const origin = new URL(links[0]).origin;
  for (const link of links) {
    const { context, page } = await open(browser, origin);
    await page.goto(link);
    await page.waitForSelector(".inside main", { timeout: 30_000 });
    assert.equal(page.url().includes("enter"), false, "the token left the address bar");
    const info = await page.evaluate(async () => (await fetch("/api/v1/session")).json());
    for (const role of info.roles) sessions.set(role.id, { state: await context.storageState(), info });
    await context.close();
  }
  console.log(`# signed in as ${[...sessions.keys()].join(", ")}`);

  /** Every request of the page to foreign places, every error and every breach of the policy counts; `tolerate` names what the test provokes. */
  async function as(role, options, body) {
    const known = sessions.get(role);
    if (!known) {
      console.log(`# no link for ${role}: not looked at`);
      return;
    }
    const { tolerate = [], ...more } = options;
    const { context, page, trouble } = await open(browser, origin, { language: "de", storageState: known.state, ...more });
    try {
      await page.goto(origin);
      await page.waitForSelector(".inside main", { timeout: 20_000 });
      await body({ page, info: known.info, go: (to) => page.evaluate((hash) => { location.hash = hash; }, to), ask: (path, init) => page.evaluate(async ([to, how]) => (await fetch(`/api/v1${to}`, how)).status, [path, init]) });
      assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "content security policy");
      assert.deepEqual(trouble.filter((each) => !tolerate.some((pattern) => pattern.test(each))), []);
    } finally {
      known.state = await context.storageState();
      await context.close();
    }
  }
  return { sessions, as };
}
