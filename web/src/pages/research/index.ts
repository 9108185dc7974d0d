import type { Page } from "../../kit/page.ts";
import Crosswalk from "./Crosswalk.svelte";
import Projects from "./Projects.svelte";

export const pages: readonly Page[] = [
  { path: "/research", title: "research-title", needs: ["research-export"], nav: { group: "patients", order: 70 }, component: Projects },
  { path: "/crosswalk", title: "research-crosswalk-title", needs: ["crosswalk"], nav: { group: "oversight", order: 60 }, component: Crosswalk },
];
