import type { Page } from "../../kit/page.ts";
import LedgerEntry from "./LedgerEntry.svelte";
import LedgerPage from "./LedgerPage.svelte";
import LedgerSearch from "./LedgerSearch.svelte";

export const pages: readonly Page[] = [
  { path: "/ledger", title: "ledger-title", needs: ["ledger-view"], nav: { group: "oversight", order: 10 }, component: LedgerPage },
  { path: "/ledger/person", title: "ledger-search", needs: ["ledger-view"], component: LedgerSearch },
  { path: "/ledger/:index", title: "ledger-one", needs: ["ledger-view"], component: LedgerEntry },
];
