import type { Page } from "../../kit/page.ts";
import Accesses from "./Accesses.svelte";
import Own from "./Own.svelte";

export const pages: readonly Page[] = [
  { path: "/own", title: "own-title", needs: ["own-view"], nav: { group: "own", order: 10 }, component: Own },
  { path: "/own/accesses", title: "own-accesses-title", needs: ["own-view"], nav: { group: "own", order: 20 }, component: Accesses },
];
