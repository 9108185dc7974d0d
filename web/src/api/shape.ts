/**
 * What an answer of the server looks like, said once: the type for the compiler and the check at the edge. After the check the type is the proof.
 *
 * A key the page does not know is ignored; a key that is missing or of another kind makes the whole answer "not understood", with its place.
 *
 *     const Person = object({ id: text, name: text, until: maybe(time) });
 *     type Person = Of<typeof Person>;
 */

/** Thrown inside `api/` only; says where in the answer, never what stood there. */
export class Mismatch extends Error {
  constructor(place: string) {
    super(`answer not understood at ${place}`);
  }
}

export type Shape<T> = (value: unknown, place: string) => T;
/** The type a shape proves. */
export type Of<S> = S extends Shape<infer T> ? T : never;

export const text: Shape<string> = (value, place) => {
  if (typeof value !== "string") throw new Mismatch(place);
  return value;
};

export const number: Shape<number> = (value, place) => {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Mismatch(place);
  return value;
};

/** Microseconds since 1970. */
export const time = number;

export const flag: Shape<boolean> = (value, place) => {
  if (typeof value !== "boolean") throw new Mismatch(place);
  return value;
};

/** Anything: for what is passed on unread. */
export const any: Shape<unknown> = (value) => value;

/** For answers without a body that matters. */
export const nothing: Shape<null> = () => null;

/** `null` or not there reads as `null`. */
export const maybe =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, place) =>
    value === null || value === undefined ? null : shape(value, place);

/** What stands for a missing value. */
export const or =
  <T>(shape: Shape<T>, otherwise: T): Shape<T> =>
  (value, place) =>
    value === null || value === undefined ? otherwise : shape(value, place);

export const list =
  <T>(shape: Shape<T>): Shape<readonly T[]> =>
  (value, place) => {
    if (!Array.isArray(value)) throw new Mismatch(place);
    return value.map((each, at) => shape(each, `${place}[${at}]`));
  };

export const tuple =
  <A, B>(a: Shape<A>, b: Shape<B>): Shape<readonly [A, B]> =>
  (value, place) => {
    if (!Array.isArray(value) || value.length < 2) throw new Mismatch(place);
    return [a(value[0], `${place}[0]`), b(value[1], `${place}[1]`)];
  };

/** Keys that are not known beforehand. */
export const map =
  <T>(shape: Shape<T>): Shape<ReadonlyMap<string, T>> =>
  (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Mismatch(place);
    return new Map(Object.entries(value).map(([key, each]) => [key, shape(each, `${place}.${key}`)]));
  };

/** One of these words. A word the page does not know is not guessed at. */
export const word =
  <const T extends string>(...words: readonly T[]): Shape<T> =>
  (value, place) => {
    const found = words.find((each) => each === value);
    if (found === undefined) throw new Mismatch(place);
    return found;
  };

/** Text in both languages; `in_` of the language store picks. */
export interface Bilingual {
  readonly de: string;
  readonly en: string;
}

export function object<const S extends Record<string, Shape<unknown>>>(shapes: S): Shape<{ readonly [K in keyof S]: Of<S[K]> }> {
  return (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Mismatch(place);
    const from = value as Record<string, unknown>;
    const made: Record<string, unknown> = {};
    for (const [key, shape] of Object.entries(shapes)) made[key] = shape(from[key], `${place}.${key}`);
    return made as { readonly [K in keyof S]: Of<S[K]> };
  };
}

export const bilingual: Shape<Bilingual> = object({ de: text, en: text });
