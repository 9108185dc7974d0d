import type { Page } from "../../kit/page.ts";
import Reviews from "./Reviews.svelte";

export const pages: readonly Page[] = [
  { path: "/break-glass/reviews", title: "breakglass-title", needs: ["break-glass-review"], nav: { group: "oversight", order: 20 }, waiting: (info) => info.reviews, component: Reviews },
];
