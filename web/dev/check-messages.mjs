// Both languages have the same messages with the same arguments, and every message a component names exists. Run by `npm run check`.
import { readFile, readdir } from "node:fs/promises";
import { FluentResource } from "@fluent/bundle";

const root = new URL("../src/", import.meta.url);
const messages = {};
const problems = [];
for (const language of ["de", "en"]) {
  const source = await readFile(new URL(`i18n/${language}.ftl`, root), "utf8");
  const found = new Map();
  for (const entry of new FluentResource(source).body) {
    if (found.has(entry.id)) problems.push(`${language}: ${entry.id} stands there twice`);
    found.set(entry.id, [...JSON.stringify(entry.value).matchAll(/"type":"var","name":"([^"]+)"/g)].map((match) => match[1]).sort().join());
  }
  messages[language] = found;
}
for (const [a, b] of [["de", "en"], ["en", "de"]]) {
  for (const [id, args] of messages[a]) {
    if (!messages[b].has(id)) problems.push(`${b}: ${id} is missing`);
    else if (messages[b].get(id) !== args) problems.push(`${id}: arguments differ (${args} / ${messages[b].get(id)})`);
  }
}
for (const name of await readdir(root, { recursive: true })) {
  if (!/\.(svelte|ts)$/.test(name)) continue;
  const source = await readFile(new URL(name, root), "utf8");
  for (const [, id] of source.matchAll(/\bt\(\s*["']([a-z0-9_-]+)["']/gi)) if (!messages.de.has(id)) problems.push(`${name}: no message ${id}`);
  // Ids put together: some message must begin like that.
  for (const [, start] of source.matchAll(/\bt\(\s*`([a-z0-9_-]+-)\$\{/gi)) if (![...messages.de.keys()].some((id) => id.startsWith(start))) problems.push(`${name}: no message ${start}…`);
}
// Every reason the door counts has words for the reader.
const door = await readFile(new URL("../../crates/obhut-gateway/src/refusal.rs", import.meta.url), "utf8").catch(() => "");
for (const [, name] of door.matchAll(/^\s+[A-Z]\w+ = "([a-z0-9_]+)", 0x/gm)) if (!messages.de.has(`refusal-${name}`)) problems.push(`no words for the refusal ${name}`);
for (const problem of problems) console.error(problem);
console.log(`messages: ${messages.de.size} in each language, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
