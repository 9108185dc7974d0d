import type { Page } from "../../kit/page.ts";
import OverviewPage from "./OverviewPage.svelte";

export const pages: readonly Page[] = [{ path: "/overview", title: "overview-title", needs: ["break-glass-review", "ledger-view", "request-manage"], nav: { group: "oversight", order: 5 }, component: OverviewPage }];
