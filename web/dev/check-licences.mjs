// Every package in the lock file has a licence from the list and comes without a registry's name. Run by `npm run check`.
import { readFile } from "node:fs/promises";

const ALLOWED = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "MPL-2.0", "Python-2.0", "CC0-1.0", "BlueOak-1.0.0", "MIT OR Apache-2.0"]);
/** What reaches the browser must not carry file-level copyleft. */
const SHIPPED_NOT = new Set(["MPL-2.0"]);

const lock = JSON.parse(await readFile(new URL("../package-lock.json", import.meta.url), "utf8"));
const problems = [];
let count = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === "" || entry.link) continue;
  count += 1;
  if (!ALLOWED.has(entry.license)) problems.push(`${path}: licence ${entry.license ?? "unknown"}`);
  if (!entry.dev && SHIPPED_NOT.has(entry.license)) problems.push(`${path}: ${entry.license} in the shipped page`);
  if (entry.resolved) problems.push(`${path}: names a registry`);
  if (!entry.integrity) problems.push(`${path}: no hash`);
}
for (const problem of problems) console.error(problem);
console.log(`licences: ${count} packages, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
