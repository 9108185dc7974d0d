import type { Page } from "../../kit/page.ts";
import Consents from "./Consents.svelte";

export const pages: readonly Page[] = [
  { path: "/patients/:subject/consents", title: "consents-title", needs: ["consent-manage"], component: Consents },
];
