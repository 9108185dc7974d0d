// Pictures of every page in both languages and three sizes: npm run screenshots -- DIRECTORY [only]
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { start } from "../dev/fake-server.mjs";
import { launch, open } from "./browser.mjs";

const directory = process.argv[2];
if (!directory) {
  console.error("say where to: npm run screenshots -- DIRECTORY [ONLY_NAMES_CONTAINING]");
  process.exit(2);
}
const only = process.argv[3] ?? "";
await mkdir(directory, { recursive: true });
const SIZES = { office: [1920, 1080], laptop: [1366, 768], wall: [2560, 1440], phone: [390, 844] };
/** Long enough for a full sweep and calm scales. */
const SETTLE_MS = 9000;

const scenes = [
  { name: "ward", beds: 8 },
  { name: "ward-32", beds: 32, sizes: ["laptop", "office", "wall"] },
  { name: "ward-16", beds: 16, sizes: ["laptop"], languages: ["de"] },
  { name: "alarms", beds: 8, alarms: true },
  { name: "alarms-4", beds: 4, alarms: true, sizes: ["wall"], languages: ["de"] },
  { name: "alarms-16", beds: 16, alarms: true, sizes: ["laptop", "wall"], languages: ["de"] },
  { name: "alarms-32", beds: 32, alarms: true, sizes: ["laptop", "wall"], languages: ["de"] },
  { name: "alarms-wall", beds: 8, alarms: true, token: "wall", sizes: ["wall"] },
  { name: "alarms-light", beds: 8, alarms: true, theme: "light", sizes: ["laptop"], languages: ["de"] },
  { name: "alarms-lost", beds: 8, alarms: true, fault: { mute: true }, sizes: ["laptop"] },
  { name: "alarms-bed", beds: 8, alarms: true, go: "#/bed/bed-01" },
  { name: "bed", beds: 8, go: "#/bed/bed-02" },
  { name: "charter", beds: 8, go: "#/charter", settle: 500 },
  { name: "light", beds: 8, theme: "light", sizes: ["laptop"], languages: ["de"] },
  { name: "help", beds: 8, key: "?", sizes: ["laptop", "phone"] },
  { name: "refusals", beds: 8, click: "[data-state=refused] button", sizes: ["laptop"] },
  {
    name: "faults",
    beds: 8,
    fault: {
      store: "disk_full", charter: "reload_refused",
      devices: { "mon-01": "offline", "pump-02": "silent", "mon-04": "revoked", "mon-05": "silent", "bed-03": "invited", "pump-01": "offline" },
      quality: { "mon-03": 1, "mon-06": 4, "mon-08": 16 }, refused: { undeclared_code: 3, rate_values: 17 },
    },
  },
  { name: "faults-32", beds: 32, sizes: ["laptop"], languages: ["de"], fault: { store: "failed", devices: { "mon-01": "offline", "pump-02": "silent", "mon-04": "revoked" }, quality: { "mon-03": 1, "mon-06": 4 } } },
  { name: "lost", beds: 8, fault: { mute: true } },
  { name: "bed-faults", beds: 8, go: "#/bed/bed-02", sizes: ["laptop"], languages: ["de"], fault: { devices: { "pump-02": "silent" }, quality: { "mon-02": 1 } } },
  { name: "enter-used", token: "used", beds: 1, settle: 300 },
];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const browser = await launch();

/** One picture: its own page and server, so that a software-rendered page never waits for another. */
async function shoot(scene, language, size) {
  const [width, height] = SIZES[size];
  const server = await start({ beds: scene.beds, alarms: scene.alarms ?? false });
  if (scene.alarms) server.ward.alarms.scene();
  const { context, page, trouble } = await open(browser, server.address, { language, width, height, scale: size === "phone" ? 2 : 1 });
  if (scene.theme) await page.addInitScript((theme) => { localStorage.setItem("obhut.theme", theme); }, scene.theme);
  await page.goto(`${server.address}/#enter=${scene.token ?? "demo"}`);
  if (scene.token !== "used") {
    await page.waitForSelector(".tile");
    if (scene.go) await page.evaluate((go) => { location.hash = go; }, scene.go);
    if (scene.key) await page.keyboard.press(scene.key);
    if (scene.click) await page.click(scene.click);
  }
  await pause(scene.settle ?? SETTLE_MS);
  if (scene.fault) {
    server.ward.fault(scene.fault);
    await pause(5000);
  }
  const file = join(directory, `${scene.name}-${size}-${language}.png`);
  await page.screenshot({ path: file });
  for (const each of trouble) if (!scene.token) console.error(file, each);
  console.log(file);
  await context.close();
  await server.close();
}

for (const scene of scenes) {
  if (!scene.name.includes(only)) continue;
  for (const language of scene.languages ?? ["de", "en"]) for (const size of scene.sizes ?? ["laptop", "wall", "phone"]) await shoot(scene, language, size);
}
await browser.close();
