import type { Page } from "../../kit/page.ts";
import Devices from "./Devices.svelte";

export const pages: readonly Page[] = [{ path: "/devices", title: "devices-title", needs: ["device-view"], kinds: ["staff"], nav: { group: "devices", order: 10 }, component: Devices }];
