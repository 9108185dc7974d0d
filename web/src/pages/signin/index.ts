import type { Page } from "../../kit/page.ts";
import Sessions from "./Sessions.svelte";
export { default as SignIn } from "./SignIn.svelte";

export const pages: readonly Page[] = [{ path: "/sessions", title: "signin-sessions-title", needs: [], nav: { group: "house", order: 90 }, component: Sessions }];
