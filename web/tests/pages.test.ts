import assert from "node:assert/strict";
import test from "node:test";
import { list, map, maybe, Mismatch, number, object, or, text, word } from "../src/api/shape.ts";
import { find, homeOf, navigation } from "../src/kit/match.ts";
import type { Page } from "../src/kit/page.ts";
import { open, rows } from "../src/pages/overview/count.ts";
import { hourly, hueOf, nearest, panels, scale, stretches, timeMarks, unitShown, type Point } from "../src/pages/patients/trend.ts";

const component = null as unknown as Page["component"];
const PAGES: readonly Page[] = [
  { path: "/ward", title: "ward", needs: ["live-view"], nav: { group: "ward", order: 1 }, component },
  { path: "/people/:id", title: "person", needs: ["people-manage"], component },
  { path: "/people/new", title: "new", needs: ["people-manage"], component },
  { path: "/people", title: "people", needs: ["people-manage"], nav: { group: "house", order: 2 }, component },
  { path: "/system", title: "system", needs: ["system-view"], nav: { group: "house", order: 1 }, component },
  { path: "/charter", title: "charter", needs: [], nav: { group: "house", order: 9 }, component },
];
const can = (...permissions: string[]) => (needs: readonly string[]): boolean => needs.length === 0 || needs.some((each) => permissions.includes(each));

test("a fragment names a page, its parts and its query; what no page claims names none", () => {
  assert.equal(find("#/people", PAGES)?.page.title, "people");
  assert.equal(find("#/people/new", PAGES)?.page.title, "new", "a fixed word wins over a part");
  const one = find("#/people/a%2Fb?tab=roles&x=1", PAGES);
  assert.equal(one?.page.title, "person");
  assert.deepEqual(one.params, { id: "a/b" });
  assert.equal(one.query.get("tab"), "roles");
  for (const bad of ["#/nowhere", "#/people/a/b", "#/people/%E0%A4%A", ""]) assert.equal(find(bad, PAGES), null, bad);
});

test("the navigation offers what a person may see, in order, and nothing else", () => {
  assert.deepEqual(navigation(can("people-manage", "system-view"), PAGES).map(({ group, pages }) => [group, pages.map((page) => page.title)]), [["house", ["system", "people", "charter"]]]);
  assert.deepEqual(navigation(can(), PAGES).flatMap(({ pages }) => pages.map((page) => page.title)), ["charter"]);
});

test("home is what the server names if it may be seen, else where work begins", () => {
  const home = (name: string | null, ...permissions: string[]): string | undefined => homeOf(name, navigation(can(...permissions), PAGES), PAGES, can(...permissions))?.title;
  assert.equal(home("people", "people-manage", "live-view"), "people");
  assert.equal(home("people", "live-view"), "ward", "a home that is closed is no home");
  assert.equal(home(null, "people-manage", "system-view"), "system");
  assert.equal(home(null, "device-manage", "people-manage"), "people", "a home without a page is passed over");
  assert.equal(home(null), "charter");
});

test("an answer is understood whole or not at all, and the place is named without its content", () => {
  const Person = object({ id: text, age: maybe(number), state: word("in", "out"), tags: or(list(text), []), counts: map(number) });
  assert.deepEqual(Person({ id: "a", state: "in", counts: { x: 1 }, more: 1 }, "/p"), { id: "a", age: null, state: "in", tags: [], counts: new Map([["x", 1]]) });
  const place = (value: unknown): string => {
    try {
      Person(value, "/p");
    } catch (error) {
      if (error instanceof Mismatch) return error.message;
    }
    return "understood";
  };
  assert.match(place({ id: 7, state: "in", counts: {} }), /\/p\.id$/);
  assert.match(place({ id: "secret", state: "secret", counts: {} }), /\/p\.state$/);
  assert.match(place({ id: "a", state: "in", tags: ["x", 1], counts: {} }), /\/p\.tags\[1\]$/);
  for (const bad of [null, [], "x", 1]) assert.match(place(bad), /\/p$/);
});

const MINUTE = 60e6;
const minutes = (...at: number[]): Point[] => at.map((each) => [each * MINUTE, 10, 12, 0]);

test("a trend breaks where nothing was measured and where doubt begins", () => {
  assert.deepEqual(stretches(minutes(0, 1, 2, 3, 30, 31)).map(({ points }) => points.length), [4, 2]);
  const doubt: Point[] = [...minutes(0, 1), [2 * MINUTE, 9, 9, 1], ...minutes(3)];
  assert.deepEqual(stretches(doubt).map(({ doubtful, points }) => [doubtful, points.length]), [[false, 2], [true, 1], [false, 1]]);
  const late: Point[] = [[0, 9, 9, 64 | 16], [MINUTE, 9, 9, 0]];
  assert.equal(stretches(late).length, 1, "late or test is no doubt about the value");
  assert.deepEqual(stretches([]), []);
});

test("a scale is round and holds everything; without values there is none", () => {
  assert.deepEqual(scale([[[0, 61, 74, 0]]]), { low: 60, high: 75, ticks: [60, 65, 70, 75] });
  const flat = scale([[[0, 7, 7, 0]]]);
  assert.ok(flat !== null && flat.low <= 7 && flat.high >= 7 && flat.high > flat.low);
  assert.equal(scale([[], []]), null);
});

test("the value under the cursor is one that lies there, not one from beyond a gap", () => {
  const points = minutes(0, 1, 2, 30);
  assert.equal(nearest(points, 1.4 * MINUTE)?.[0], MINUTE);
  assert.equal(nearest(points, 15 * MINUTE), null);
  assert.equal(nearest([], 0), null);
});

test("pressures share a panel, in the order systolic, diastolic, mean; unknown codes are shown last, not hidden", () => {
  const info = (code: string) => ({ code, name: { de: code, en: code }, unit: "x" });
  const made = panels(["OBHUT_NEW", "MDC_PRESS_BLD_ART_ABP_MEAN", "MDC_PRESS_BLD_ART_ABP_SYS", "MDC_ECG_HEART_RATE", "MDC_PRESS_BLD_ART_ABP_DIA"].map(info));
  assert.deepEqual(made.map(({ key, codes }) => [key, codes.length]), [["MDC_ECG_HEART_RATE", 1], ["MDC_PRESS_BLD_ART_ABP", 3], ["OBHUT_NEW", 1]]);
  assert.match(made[1]?.codes[0]?.code ?? "", /SYS$/);
  assert.equal(hueOf("MDC_PULS_OXIM_SAT_O2"), "pleth");
  assert.equal(hueOf("SOMETHING"), "other");
});

test("units are written as on a monitor", () => {
  assert.deepEqual(["mm[Hg]", "Cel", "/min", "{beats}/min", "mL/h", null].map(unitShown), ["mmHg", "°C", "/min", "/min", "mL/h", ""]);
});

test("time marks are round on the reader's clock and few", () => {
  for (const hours of [1, 8, 24, 72, 744]) {
    const marks = timeMarks(1_000_000 * MINUTE, 1_000_000 * MINUTE + hours * 60 * MINUTE, 60);
    assert.ok(marks.length <= 9 && marks.length >= 2, `${hours} h: ${marks.length}`);
  }
});

test("the table tells least, most and last of each hour", () => {
  const points: Point[] = [[0, 5, 7, 0], [30 * MINUTE, 3, 9, 0], [61 * MINUTE, 1, 1, 0]];
  assert.deepEqual(hourly(points), [[0, 3, 9, 6], [60 * MINUTE, 1, 1, 1]]);
});

test("an overview counts what is open and what is late", () => {
  const found = rows({ reviews: [{ due: 5, reviewed: null }, { due: 50 }, { due: 5, reviewed: 7 }, "x"] }, "reviews");
  assert.deepEqual(open(found, "due", 10, ["reviewed"]), { all: 2, late: 1 });
  assert.deepEqual(rows(null, "reviews"), []);
});
