// Signing in with the hospital's provider in a browser: the real server, the real `oidc-provider`, on another site, as in a hospital.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertAccessible } from "./axe.mjs";
import { launch, open } from "./browser.mjs";

const skip = process.env.OBHUT_URL ? "OBHUT_URL is set: only the ward's server is tested" : process.env.OBHUT ? false : "OBHUT names no program";
const WORDS = {
  de: { way: "Mit Musterstadt anmelden", training: /Schulung/, role: /Rolle/ },
  en: { way: "Sign in with Musterstadt", training: /training/i, role: /role/ },
};

const children = [];
let browser;
let origin;
let dir;

/** Starts a program; resolves with what `find` first finds in a line it prints. */
function run(command, args, env, find) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "ignore"] });
  children.push(child);
  return new Promise((found, failed) => {
    child.once("error", failed);
    child.once("exit", (status) => failed(new Error(`${command} ended with ${status}`)));
    createInterface({ input: child.stdout }).on("line", (line) => { if (find(line)) found(find(line)); });
  });
}

before(async () => {
  if (skip) return;
  dir = mkdtempSync(join(tmpdir(), "provider-"));
  const [cert, key, secret, data] = ["cert.pem", "key.pem", "secret", "data"].map((name) => join(dir, name));
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Musterstadt", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert], { stdio: "ignore" });
  writeFileSync(secret, "very-secret\n", { mode: 0o600 });
  mkdirSync(data, { mode: 0o700 });
  const here = fileURLToPath(new URL("provider.mjs", import.meta.url));
  const provider = { CERT: cert, KEY: key, HOST: "127.0.0.1", REDIRECT: "https://localhost/api/v1/session/oidc/callback", ANY_PORT: "1", CLIENT_SECRET: "very-secret" };
  const issuer = await run(process.execPath, [here], provider, (line) => /^listening (.+)$/.exec(line)?.[1]);
  writeFileSync(join(data, "obhut.toml"), `[identity.oidc]\nissuer = "${issuer}"\nclient_id = "obhut"\nclient_secret_file = "${secret}"\nname = "Musterstadt"\nca_file = "${cert}"\nscopes = ["groups"]\nroles = { "station-3-pflege" = "nurse", "medizintechnik" = "technician", "it" = "administrator" }\n`);
  const charter = fileURLToPath(new URL("../../charters/demo.toml", import.meta.url));
  const link = await run(process.env.OBHUT, ["--data", data, "serve", "--charter", charter, "--https", "127.0.0.1:0", "--gateway", "127.0.0.1:0"], {}, (line) => /https:\/\/[^\s"]+#enter=/.exec(line)?.[0]);
  origin = new URL(link).origin;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  for (const child of children.reverse()) {
    if (child.exitCode === null) {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await ended;
    }
  }
  if (dir) rmSync(dir, { recursive: true, force: true });
});

for (const language of ["de", "en"]) {
  const w = WORDS[language];
  /** Presses the way to the provider, and chooses somebody there. */
  async function come(page, name) {
    await page.goto(origin);
    await page.getByRole("button", { name: w.way, exact: true }).click();
    await page.getByRole("link", { name, exact: true }).click();
  }

  test(`the hospital's provider brings people in, and no further than their role and training (${language})`, { skip }, async () => {
    const { context, page } = await open(browser, origin, { language, bypassCSP: true });
    await page.goto(origin);
    await page.getByRole("button", { name: w.way, exact: true }).waitFor();
    await assertAccessible(page, `sign-in ${language}`);
    await come(page, "Anna Beispiel");
    await page.waitForSelector(".inside main", { timeout: 20_000 });
    assert.equal(page.url(), `${origin}/#/`.slice(0, page.url().length), "nothing of the way stays in the address");
    const session = await page.evaluate(async () => (await fetch("/api/v1/session")).json());
    assert.deepEqual([session.person.name, session.assurance, session.permissions], ["Anna Beispiel", "oidc", []]);
    // Nobody noted a training: the page says why there is nothing to see.
    await page.waitForSelector('[data-banner="role-rests"]');
    assert.match(await page.locator('[data-banner="role-rests"]').innerText(), w.training);
    await assertAccessible(page, `resting ${language}`);
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `resting-${language}.png`) });
    assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
    await context.close();
  });

  test(`somebody without a group of ours stays outside and is told why (${language})`, { skip }, async () => {
    const { context, page } = await open(browser, origin, { language, bypassCSP: true });
    await come(page, "Nina Niemand");
    const said = await page.locator("[role=alert]").innerText();
    assert.match(said, w.role);
    await assertAccessible(page, `refused ${language}`);
    assert.equal(await page.evaluate(async () => (await fetch("/api/v1/session")).status), 401);
    await context.close();
  });
}
