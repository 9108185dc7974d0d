import type { Page } from "../../kit/page.ts";
import Charter from "./Charter.svelte";
import WardPage from "./WardPage.svelte";

export const pages: readonly Page[] = [
  { path: "/ward", title: "ward-title", needs: ["live-view"], nav: { group: "ward", order: 10 }, component: WardPage, full: true },
  { path: "/bed/:bed", title: "ward-title", needs: ["live-view"], component: WardPage, full: true },
  { path: "/charter", title: "charter-title", needs: [], nav: { group: "house", order: 90 }, component: Charter },
];
