import type { Page } from "../../kit/page.ts";
import Erasures from "./Erasures.svelte";
import Holds from "./Holds.svelte";
import Retention from "./Retention.svelte";

export const pages: readonly Page[] = [
  { path: "/retention", title: "retention-title", needs: ["retention-manage"], nav: { group: "oversight", order: 40 }, component: Retention },
  { path: "/retention/holds", title: "retention-holds", needs: ["hold-manage"], component: Holds },
  { path: "/erasures", title: "retention-erasures", needs: ["retention-manage"], component: Erasures },
];
