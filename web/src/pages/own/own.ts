/** What the server says about oneself. */
import { api, shape, type Of } from "../../kit/index.ts";

const { bilingual, flag, list, maybe, number, object, text, time } = shape;

export const Mine = object({
  family: text,
  given: text,
  birth_date: text,
  house: text,
  dpo: object({ name: text, email: text, phone: maybe(text) }),
  authority: maybe(text),
  stays: list(object({ ward: text, bed: maybe(text), from: time, to: maybe(time) })),
  codes: list(object({ code: text, name: bilingual, unit: text, first: time, last: time })),
  kinds: list(text),
  restricted: flag,
});
export type Mine = Of<typeof Mine>;

export const Points = object({ points: list(object({ at: time, low: text, high: text, last: text })), count: number });
export type Points = Of<typeof Points>;

export const Forms = object({
  forms: list(object({
    form: text,
    version: text,
    text: bilingual,
    purpose: maybe(bilingual),
    latest: maybe(object({ case: text, signed: time, expires: time, state: text })),
  })),
});
export type Forms = Of<typeof Forms>;
export type ConsentForm = Forms["forms"][number];

export const Notices = object({ notices: list(object({ notice: text, version: text, text: bilingual, acknowledged: maybe(time) })) });
export type Notices = Of<typeof Notices>;

export const Requests = object({
  requests: list(object({
    case: text,
    what: bilingual,
    text: text,
    received: time,
    due: time,
    extension: maybe(object({ at: time, reason: text })),
    outcome: maybe(object({ state: text, at: time, text: maybe(text) })),
  })),
});
export type Requests = Of<typeof Requests>;

export const Looks = object({
  accesses: list(object({ index: number, at: time, who: text, what: text, why: text, data: list(text), from: text, emergency: flag, refused: flag })),
  next: maybe(number),
});
export type Looks = Of<typeof Looks>;

export const mine = () => api.get("/own", Mine);
export const forms = () => api.get("/own/consents", Forms);
export const notices = () => api.get("/own/notices", Notices);
export const requests = () => api.get("/own/requests", Requests);
