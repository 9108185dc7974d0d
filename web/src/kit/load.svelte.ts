/**
 * Something from the server that a page shows: loading, there, or refused. Made in a component:
 *
 *     const people = load(() => api.get("/people", list(Person)));
 *
 * It is fetched when the component appears and again whenever what the function reads changes; an answer that comes late for an older question is dropped.
 */
import type { Answer, Problem } from "../api/client.ts";

export type Loaded<T> = { readonly is: "loading" } | { readonly is: "there"; readonly value: T } | { readonly is: "failed"; readonly problem: Problem };

export class Load<T> {
  state = $state.raw<Loaded<T>>({ is: "loading" });
  readonly #fetch: () => Promise<Answer<T>>;
  #asked = 0;

  constructor(fetch: () => Promise<Answer<T>>) {
    this.#fetch = fetch;
  }

  /** What is there, or `null`. */
  get value(): T | null {
    return this.state.is === "there" ? this.state.value : null;
  }

  /** Asks again; what is there stays on the screen meanwhile. */
  async again(): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    const answer = await this.#fetch();
    if (asked !== this.#asked) return;
    this.state = answer.ok ? { is: "there", value: answer.value } : { is: "failed", problem: answer.problem };
  }

  /** Late answers are dropped from now on. */
  drop(): void {
    this.#asked += 1;
  }
}

export function load<T>(fetch: () => Promise<Answer<T>>): Load<T> {
  const made = new Load(fetch);
  $effect(() => {
    void made.again();
    return () => { made.drop(); };
  });
  return made;
}
