import type { Page } from "../../kit/page.ts";
import OneRequest from "./OneRequest.svelte";
import Requests from "./Requests.svelte";

export const pages: readonly Page[] = [
  { path: "/requests", title: "requests-title", needs: ["request-manage"], nav: { group: "patients", order: 40 }, component: Requests },
  { path: "/requests/:case", title: "requests-one", needs: ["request-manage"], component: OneRequest },
];
