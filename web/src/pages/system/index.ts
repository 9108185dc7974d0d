import type { Page } from "../../kit/page.ts";
import SystemPage from "./SystemPage.svelte";

export const pages: readonly Page[] = [{ path: "/system", title: "system-title", needs: ["system-view"], nav: { group: "house", order: 10 }, component: SystemPage }];
