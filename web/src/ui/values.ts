/** How a parameter reads: the same words for the eye and for screen readers. */
import { words, t } from "../i18n/language.svelte.ts";
import type { Parameter } from "../live/parameters.ts";
import type { ParameterView, PartView } from "../live/state.ts";

/** A dose of typography: the label a nurse knows, in her language where there is one. */
export function label(parameter: Parameter): string {
  const own = `label-${parameter.kind}`;
  return words.has(own) ? t(own) : parameter.label;
}

/** Full name for the large view and for titles. */
export function fullName(parameter: Parameter): string {
  const pressure = `parameter-${parameter.kind}`;
  if (parameter.parts.length > 1 && words.has(pressure)) return t(pressure);
  return parameter.parts.find((part) => part !== null)?.name[words.language] ?? parameter.label;
}

/** Units that are no units. */
export function unit(parameter: Parameter): string {
  return parameter.unit === "1" || parameter.unit === "·" ? "" : parameter.unit;
}

function number(parameter: Parameter, part: PartView | null, which: "value" | "last"): string {
  const value = part?.[which] ?? null;
  if (part === null || value === null) return t("value-missing");
  if (parameter.kind === "inbed") return t(value >= 0.5 ? "in-bed-yes" : "in-bed-no");
  if (parameter.kind === "timeleft") return words.span(value);
  return words.value(value, part.places);
}

export interface Text {
  readonly main: string;
  /** The mean pressure, in brackets. */
  readonly mean: string | null;
  /** The last value that may no longer be shown as the value. */
  readonly last: string | null;
}

export function text(view: ParameterView): Text {
  const { parameter, parts } = view;
  const known = parts.some((part) => part?.last != null);
  if (parameter.parts.length === 1) {
    const part = parts[0] ?? null;
    return { main: number(parameter, part, "value"), mean: null, last: known ? number(parameter, part, "last") : null };
  }
  const [sys = null, dia = null, mean = null] = parts;
  const pair = (which: "value" | "last"): string => {
    const a = number(parameter, sys, which);
    const b = number(parameter, dia, which);
    return a === t("value-missing") && b === a ? a : `${a}/${b}`;
  };
  return {
    main: pair("value"),
    mean: mean === null || (mean.value === null && sys?.value == null) ? null : `(${number(parameter, mean, "value")})`,
    last: known ? pair("last") : null,
  };
}

/** Why the value is not simply current, in words; `null` when it is. */
export function reason(view: ParameterView): string | null {
  const told = view.notes.filter((note) => note !== "late" && note !== "test");
  switch (view.look) {
    case "current":
      return null;
    case "suspect":
      return told.length > 0 ? told.map((note) => t(`note-${note}`)).join(", ") : t("value-suspect");
    case "unusable":
      return told.length > 0 ? told.map((note) => t(`note-${note}`)).join(", ") : t("value-unusable");
    case "device":
      return t(`source-${view.device}`);
    case "stale":
    case "none":
    case "link":
      return t(`value-${view.look}`);
  }
}

/** The sentence a screen reader says. */
export function spoken(view: ParameterView): string {
  const shown = text(view);
  const args = { label: label(view.parameter), value: shown.mean === null ? shown.main : `${shown.main} ${shown.mean}`, unit: unit(view.parameter) };
  if (view.look === "current") return t("summary-value", args).trim();
  if (view.look === "suspect") return t("summary-suspect", args).trim();
  return t("summary-missing", args);
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/monitor/i, "monitor"],
  [/pump|infus/i, "infusion_pump"],
  [/move|motion|bed|beweg/i, "movement_sensor"],
];

/** The charter names device kinds freely; the page has words for the common ones. */
export function deviceKind(kind: string): string {
  const known = KINDS.find(([pattern]) => pattern.test(kind));
  return t(`device-kind-${known ? known[1] : "other"}`);
}
