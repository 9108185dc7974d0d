/**
 * Who lies where: pseudonyms always, names only after a deliberate look, which the server records, and only for a short while.
 *
 * What always holds: names live in `names` and nowhere else, and are forgotten after `SHOWN_SECONDS`, on locking and on leaving the page.
 */
import { api } from "../../api/client.ts";
import type { Answer } from "../../api/client.ts";
import { flag, list, maybe, object, or, text, type Of } from "../../api/shape.ts";

export const Name = object({ family: text, given: text, birth_date: text });
export type Name = Of<typeof Name>;
const Lying = object({
  bed: text,
  label: text,
  subject: maybe(text),
  name: maybe(Name),
  /** One of the asker's own cases. */
  mine: or(flag, false),
});
export type Lying = Of<typeof Lying>;
const Answered = object({ ward: object({ id: text, name: text }), patients: list(Lying) });

/** How long names stay on a shared screen, seconds. */
export const SHOWN_SECONDS = 60;

export class WardPatients {
  lying = $state.raw<readonly Lying[]>([]);
  names = $state.raw<ReadonlyMap<string, Name>>(new Map());
  /** Seconds the names are still shown. */
  left = $state(0);
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Who lies where, without names. */
  async look(): Promise<Answer<unknown>> {
    const answer = await api.get("/patients", Answered);
    if (answer.ok) this.lying = answer.value.patients;
    return answer;
  }

  /** Asks the server for the names this person may see. */
  async reveal(): Promise<Answer<unknown>> {
    const answer = await api.get("/patients", Answered, { names: 1 });
    if (answer.ok) {
      this.lying = answer.value.patients.map((each) => ({ ...each, name: null }));
      this.names = new Map(answer.value.patients.flatMap((each) => (each.name === null ? [] : [[each.bed, each.name]])));
      this.left = SHOWN_SECONDS;
      this.#timer ??= setInterval(() => {
        this.left -= 1;
        if (this.left <= 0) this.mask();
      }, 1000);
    }
    return answer;
  }

  mask(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.left = 0;
    this.names = new Map();
  }

  at(bed: string): Lying | null {
    return this.lying.find((each) => each.bed === bed) ?? null;
  }
}

/** "Muster, Erika". */
export function fullName(name: Pick<Name, "family" | "given">): string {
  return name.given === "" ? name.family : `${name.family}, ${name.given}`;
}

/** A calendar date as the server writes it (YYYY-MM-DD), in the reader's way. */
export function birthDate(iso: string, locale: string): string {
  const at = Date.parse(`${iso}T12:00:00Z`);
  return Number.isNaN(at) ? iso : new Intl.DateTimeFormat(locale, { day: "2-digit", month: "2-digit", year: "numeric", timeZone: "UTC" }).format(at);
}
