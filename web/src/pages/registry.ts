/** All pages there are, found in the areas' folders (`pages/<area>/index.ts`). */
import type { Component } from "svelte";
import type { Page, SignInProps } from "../kit/page.ts";

interface Area {
  readonly pages?: readonly Page[];
  readonly SignIn?: Component<SignInProps>;
}

const AREAS = import.meta.glob<Area>("./*/index.ts", { eager: true });

export const PAGES: readonly Page[] = Object.values(AREAS).flatMap((area) => area.pages ?? []);
export const SIGN_IN: Component<SignInProps> | null = Object.values(AREAS).find((area) => area.SignIn !== undefined)?.SignIn ?? null;
