// Both languages have the same messages with the same arguments, file by file, and every message a component names exists. Run by `npm run check`.
import { readFile, readdir } from "node:fs/promises";
import { FluentResource } from "@fluent/bundle";

const root = new URL("../src/", import.meta.url);
const problems = [];

/** Language → id → arguments, over all files. */
const messages = { de: new Map(), en: new Map() };
/** Areas with a file: `null` stands for `de.ftl` and `en.ftl`. */
const areas = new Set();
for (const name of (await readdir(new URL("i18n/", root))).sort()) {
  if (!name.endsWith(".ftl")) continue;
  const [, area = null, language] = /^(?:([a-z0-9-]+)\.)?(de|en)\.ftl$/.exec(name) ?? [];
  if (!language) {
    problems.push(`${name}: is neither <area>.de.ftl nor <area>.en.ftl`);
    continue;
  }
  areas.add(area);
  const source = await readFile(new URL(`i18n/${name}`, root), "utf8");
  for (const [line] of source.matchAll(/^[^\s#}.][^\n]*$/gm)) if (!/^-?[a-zA-Z][a-zA-Z0-9_-]* =/.test(line)) problems.push(`${name}: not understood: ${line.slice(0, 60)}`);
  for (const entry of new FluentResource(source).body) {
    if (messages[language].has(entry.id)) problems.push(`${name}: ${entry.id} stands there twice, also in ${messages[language].get(entry.id).name}`);
    // A prefix of its own keeps areas out of each other's way; words for the server's codes may come from anywhere.
    if (area !== null && !entry.id.startsWith(`${area}-`) && !entry.id.startsWith("problem-")) problems.push(`${name}: ${entry.id} does not begin with ${area}-`);
    const args = [...new Set([...JSON.stringify(entry.value).matchAll(/"type":"var","name":"([^"]+)"/g)].map((match) => match[1]))].sort().join();
    messages[language].set(entry.id, { args, area, name });
  }
}
for (const [a, b] of [["de", "en"], ["en", "de"]]) {
  for (const [id, { args, area, name }] of messages[a]) {
    const other = messages[b].get(id);
    if (!other || other.area !== area) problems.push(`${name}: ${id} is missing in ${b}`);
    else if (other.args !== args) problems.push(`${id}: arguments differ (${args} / ${other.args})`);
  }
}
for (const name of await readdir(root, { recursive: true })) {
  if (!/\.(svelte|ts)$/.test(name)) continue;
  const source = await readFile(new URL(name, root), "utf8");
  for (const [, id] of source.matchAll(/\bt\(\s*["']([a-z0-9_-]+)["']/gi)) if (!messages.de.has(id)) problems.push(`${name}: no message ${id}`);
  for (const [, id] of source.matchAll(/\btitle: "([a-z0-9_]+-[a-z0-9_-]+)"/gi)) if (/pages\/[^/]+\/index\.ts$/.test(name) && !messages.de.has(id)) problems.push(`${name}: no message ${id}`);
  // Ids put together: some message must begin like that.
  const starts = [...source.matchAll(/\bt\(\s*`([a-z0-9_-]+-)\$\{/gi), ...[...source.matchAll(/\bwords\.code\(\s*"([a-z0-9_-]+)"/gi)].map(([all, id]) => [all, `${id}-`])];
  for (const [, start] of starts) if (![...messages.de.keys()].some((id) => id.startsWith(start))) problems.push(`${name}: no message ${start}…`);
}
// Every reason the door counts has words for the reader.
const door = await readFile(new URL("../../crates/obhut-gateway/src/refusal.rs", import.meta.url), "utf8").catch(() => "");
for (const [, name] of door.matchAll(/^\s+[A-Z]\w+ = "([a-z0-9_]+)", 0x/gm)) if (!messages.de.has(`refusal-${name}`)) problems.push(`no words for the refusal ${name}`);
// Every refusal of the server that a page can meet, too: what has no words here would be said in English on a German page.
const rust = new URL("../../crates/", import.meta.url);
const sources = [new URL("obhut-register/src/command.rs", rust)];
for (const name of await readdir(new URL("obhut-http/src/api/", rust), { recursive: true }).catch(() => [])) if (name.endsWith(".rs")) sources.push(new URL(`obhut-http/src/api/${name}`, rust));
for (const file of sources) {
  const source = await readFile(file, "utf8").catch(() => "");
  for (const [, a, b] of source.matchAll(/ApiError::(?:bad|conflict|unknown|new)\(\s*(?:StatusCode::\w+,\s*)?"([a-z_]+)"|Self::\w+(?:\(_\)| \{ \.\. \})? => "([a-z_]+)",/g)) {
    const code = a ?? b;
    if (!messages.de.has(`problem-${code}`)) problems.push(`no words for the server's ${code} (${file.pathname.replace(/.*\/crates\//, "")})`);
  }
}
for (const problem of problems) console.error(problem);
console.log(`messages: ${messages.de.size} in each language, ${areas.size} files each, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
