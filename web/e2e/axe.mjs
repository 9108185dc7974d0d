// Accessibility: axe-core injected into the page (needs a context with bypassCSP), all rules, no exceptions.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function assertAccessible(page, what) {
  await page.evaluate(source);
  const findings = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} [${(node.any[0]?.message ?? node.all[0]?.message ?? "").slice(0, 160)}]`).join(" | ")} (${nodes.length})`);
  });
  assert.deepEqual(findings, [], `axe on ${what}`);
}
