/** Which page a fragment names, and which pages a person is offered. Pure; the pages come from `pages/registry.ts`. */
import { GROUPS, type Group, type Page } from "./page.ts";

export interface Found {
  readonly page: Page;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

function match(pattern: string, parts: readonly string[]): Record<string, string> | null {
  const wanted = pattern.split("/").filter((part) => part !== "");
  if (wanted.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [at, want] of wanted.entries()) {
    const part = parts[at] ?? "";
    if (want.startsWith(":")) params[want.slice(1)] = part;
    else if (want !== part) return null;
  }
  return params;
}

/** The page a fragment (`#/requests/7f…?tab=copy`) names. Fixed words win over `:name`. */
export function find(hash: string, pages: readonly Page[]): Found | null {
  const [before = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  let parts: string[];
  try {
    parts = before.split("/").filter((part) => part !== "").map(decodeURIComponent);
  } catch {
    return null;
  }
  const order = [...pages].sort((a, b) => colons(a.path) - colons(b.path));
  for (const page of order) {
    const params = match(page.path, parts);
    if (params) return { page, params, query: new URLSearchParams(search) };
  }
  return null;
}

function colons(pattern: string): number {
  return pattern.split(":").length;
}

/** The navigation of someone with these permissions: groups that have something, in order. */
export function navigation(can: (needs: readonly string[]) => boolean, pages: readonly Page[]): { group: Group; pages: Page[] }[] {
  return GROUPS.map((group) => ({
    group,
    pages: pages.filter((page) => page.nav?.group === group && can(page.needs)).sort((a, b) => (a.nav?.order ?? 0) - (b.nav?.order ?? 0)),
  })).filter((each) => each.pages.length > 0);
}

/** Where work begins for those who may do this, first hit first: the ward, one's own data, devices for those who look after them, oversight, the system. */
const HOMES: readonly (readonly [path: string, permission: string])[] = [
  ["/ward", "live-view"],
  ["/own", "own-view"],
  ["/devices", "device-manage"],
  ["/service", "device-maintain"],
  ["/overview", "ledger-view"],
  ["/system", "system-view"],
  ["/overview", "evidence-view"],
  ["/requests", "request-manage"],
];

/** What `#/` shows: the page the server names, if it may be seen; otherwise the first of `HOMES`, otherwise of the navigation. `home` is a path or its first word. */
export function homeOf(home: string | null, groups: readonly { readonly pages: readonly Page[] }[], pages: readonly Page[], can: (needs: readonly string[]) => boolean): Page | null {
  const wanted = HOMES.filter(([, permission]) => can([permission])).map(([path]) => path);
  if (home !== null) wanted.unshift(`/${home.replace(/^[#/]+/, "")}`);
  for (const path of wanted) {
    const found = pages.find((page) => page.path === path && can(page.needs));
    if (found) return found;
  }
  return groups[0]?.pages[0] ?? null;
}
