import type { Page } from "../../kit/page.ts";
import Service from "./Service.svelte";
import Tickets from "./Tickets.svelte";

export const pages: readonly Page[] = [
  { path: "/tickets", title: "tickets-title", needs: ["ticket-manage"], nav: { group: "devices", order: 30 }, component: Tickets },
  { path: "/service", title: "tickets-service", needs: ["device-maintain"], kinds: ["external"], nav: { group: "devices", order: 40 }, component: Service },
];
