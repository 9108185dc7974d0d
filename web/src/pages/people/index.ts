import type { Page } from "../../kit/page.ts";
import People from "./People.svelte";
import Person from "./Person.svelte";

export const pages: readonly Page[] = [
  { path: "/people", title: "people-title", needs: ["people-manage"], nav: { group: "house", order: 10 }, component: People },
  { path: "/people/:id", title: "people-one", needs: ["people-manage"], component: Person },
];
