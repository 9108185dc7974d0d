/**
 * Words and numbers in the reader's language. German unless the browser asks for English; the choice is kept in this browser.
 *
 * Words lie in `de.ftl`, `en.ftl` and, for each area, `<area>.de.ftl`, `<area>.en.ftl`; all are one vocabulary. A message that is missing shows its id:
 * visible, never silently empty. `dev/check-messages.mjs` sees that both languages have the same messages.
 */
import { FluentBundle, FluentResource, type FluentVariable } from "@fluent/bundle";

export type Language = "de" | "en";
const KEPT = "obhut.language";

const SOURCES = import.meta.glob<string>("./*.ftl", { query: "?raw", import: "default", eager: true });

function bundle(language: Language): FluentBundle {
  // Isolation marks would end up in titles and labels that screen readers spell out.
  const made = new FluentBundle(language, { useIsolating: false });
  for (const [name, source] of Object.entries(SOURCES)) {
    if (name === `./${language}.ftl` || name.endsWith(`.${language}.ftl`)) made.addResource(new FluentResource(source));
  }
  return made;
}

const BUNDLES: Record<Language, FluentBundle> = { de: bundle("de"), en: bundle("en") };
const LOCALE: Record<Language, string> = { de: "de-DE", en: "en-GB" };

function initial(): Language {
  const kept = readKept();
  if (kept !== null) return kept;
  for (const wanted of navigator.languages) {
    if (wanted.startsWith("de")) return "de";
    if (wanted.startsWith("en")) return "en";
  }
  return "de";
}

function readKept(): Language | null {
  try {
    const kept = localStorage.getItem(KEPT);
    return kept === "de" || kept === "en" ? kept : null;
  } catch {
    return null; // Storage may be forbidden; then the choice lasts as long as the page.
  }
}

class Words {
  language = $state<Language>(initial());
  readonly locale = $derived(LOCALE[this.language]);
  readonly #numbers = new Map<string, Intl.NumberFormat>();
  readonly #times = new Map<string, Intl.DateTimeFormat>();

  switch(): void {
    this.language = this.language === "de" ? "en" : "de";
    try {
      localStorage.setItem(KEPT, this.language);
    } catch {
      // As above.
    }
  }

  /** The message, filled in. */
  t(id: string, args?: Record<string, FluentVariable>): string {
    const bundle = BUNDLES[this.language];
    const pattern = bundle.getMessage(id)?.value;
    return pattern ? bundle.formatPattern(pattern, args ?? null) : id;
  }

  has(id: string): boolean {
    return BUNDLES[this.language].hasMessage(id);
  }

  /** What the server says in both languages. */
  of(text: { readonly de: string; readonly en: string }): string {
    return text[this.language];
  }

  /** The message `id-what`, or `what` itself where there are no words for it: for codes of the server. */
  code(id: string, what: string): string {
    const full = `${id}-${what}`;
    return this.has(full) ? this.t(full) : what;
  }

  /** Day and time of a moment, µs since 1970: "24.11.2026, 14:05". */
  moment(micros: number): string {
    return this.#time("moment", { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit" }).format(micros / 1000);
  }

  /** With seconds, for records where the order counts. */
  instant(micros: number): string {
    return this.#time("instant", { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(micros / 1000);
  }

  /** "24.11.2026". */
  day(micros: number): string {
    return this.#time("day", { day: "2-digit", month: "2-digit", year: "numeric" }).format(micros / 1000);
  }

  /** "14:05". */
  clock(micros: number): string {
    return this.#time("clock", { hour: "2-digit", minute: "2-digit" }).format(micros / 1000);
  }

  #time(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
    const key = `${this.locale}:${name}`;
    const known = this.#times.get(key);
    if (known) return known;
    const made = new Intl.DateTimeFormat(this.locale, options);
    this.#times.set(key, made);
    return made;
  }

  /** A measured value with as many places as the server asks for. */
  value(value: number, places: number): string {
    return this.#format(String(places), { minimumFractionDigits: places, maximumFractionDigits: places, useGrouping: false }).format(value);
  }

  /** Formats are expensive to make and cheap to use. */
  #format(name: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
    const key = `${this.locale}:${name}`;
    const known = this.#numbers.get(key);
    if (known) return known;
    const made = new Intl.NumberFormat(this.locale, options);
    this.#numbers.set(key, made);
    return made;
  }

  /** A number of the page itself: counts, scale marks. */
  plain(value: number): string {
    return this.#format("plain", { maximumFractionDigits: 3 }).format(value);
  }

  /** An age, short: "jetzt", "12 s", "5 min", "3 h 5 min". */
  age(seconds: number): string {
    if (seconds < 3) return this.t("age-now");
    return this.span(seconds);
  }

  span(seconds: number): string {
    if (seconds < 60) return this.t("age-seconds", { n: Math.floor(seconds) });
    if (seconds < 3600) return this.t("age-minutes", { n: Math.floor(seconds / 60) });
    if (seconds < 48 * 3600) return this.t("age-hours", { h: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60) });
    return this.t("age-days", { n: Math.floor(seconds / 86400) });
  }
}

export const words = new Words();
/** Short form for templates; reads the reactive language. */
export const t = (id: string, args?: Record<string, FluentVariable>): string => words.t(id, args);
