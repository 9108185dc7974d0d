/**
 * How an area offers its pages. `pages/<area>/index.ts` exports `pages`; the app finds it by itself, so nobody edits a shared list.
 *
 *     export const pages: readonly Page[] = [
 *       { path: "/tickets", title: "tickets-title", needs: ["ticket-manage"], nav: { group: "devices", order: 30 }, component: Tickets },
 *       { path: "/tickets/:case", title: "tickets-one", needs: ["ticket-manage"], component: Ticket },
 *     ];
 */
import type { Component } from "svelte";

export interface PageProps {
  /** Parts of the path written `:name`. */
  readonly params: Readonly<Record<string, string>>;
  /** What stands behind `?` in the fragment. */
  readonly query: URLSearchParams;
}

/** Groups of the navigation, in their order. */
export const GROUPS = ["ward", "own", "devices", "patients", "oversight", "house"] as const;
export type Group = (typeof GROUPS)[number];

/** What the session says of work that waits. */
export interface Waiting {
  readonly reviews: number | null;
}

export interface Page {
  /** Fragment after `#`; `:name` stands for one part. */
  readonly path: string;
  /** Message id: heading, title of the window and words in the navigation. */
  readonly title: string;
  /** Any one of these permissions; empty: everyone who is signed in. The server decides again. */
  readonly needs: readonly string[];
  /** Only for these kinds of people (`staff`, `external`, `patient`), whatever they may do; absent: for all. */
  readonly kinds?: readonly string[];
  /** How much waits there, for the navigation; `null`: nothing to say. */
  readonly waiting?: (info: Waiting) => number | null;
  /** Place in the navigation; without it the page is reached from others. */
  readonly nav?: { readonly group: Group; readonly order: number };
  /** Gets [`PageProps`]; may leave them unread. */
  readonly component: Component<never>;
  /** Needs the whole window: no navigation at its side, only behind the menu. */
  readonly full?: boolean;
}

/** What `pages/signin/index.ts` exports as `SignIn`: the page for people who are not signed in. */
export interface SignInProps {
  /** One-time token out of the link (`#enter=…`), already taken out of the address bar. */
  readonly token: string | null;
  /** Why nobody is signed in: `none`, `ended`, `signed-out`, `switched`. */
  readonly reason: string;
  /** To be called when the server says that someone is. */
  readonly onsignedin: () => void;
}
