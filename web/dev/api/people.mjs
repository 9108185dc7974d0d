// DEVELOPMENT ONLY. Made-up people with their roles, and one's own sessions.
import { randomBytes } from "node:crypto";
import { fail } from "../fake-api.mjs";

const id = () => randomBytes(16).toString("hex");
const DAY = 86_400e6;
const now = () => Date.now() * 1000;

const BRIEFING = { text: { de: "Einweisung in das Überwachungssystem (MPBetreibV)", en: "briefing on the monitoring system (MPBetreibV)" }, months: 12 };
const role = (name, de, en, more = {}) => ({ id: name, text: { de, en }, kind: "staff", recipient: null, wards: false, training: null, apart: [], ...more });
const ROLES = [
  role("nurse", "Pflegefachperson", "nurse", { wards: true, training: BRIEFING }),
  role("physician", "Ärztin, Arzt", "physician", { wards: true, training: BRIEFING }),
  role("wall", "Wandanzeige", "wall display", { wards: true }),
  role("technician", "Medizintechnik", "biomedical technician"),
  role("administrator", "IT-Administration", "IT administration", { apart: ["privacy"] }),
  role("privacy", "Datenschutzbeauftragte", "data-protection officer", { apart: ["administrator"] }),
  role("pump-service", "Servicetechnik des Pumpenherstellers", "service technician of the pump maker", { kind: "external", recipient: "pump-maker" }),
];
const held = (name, asleep = null, until = null) => ({ role: name, wards: ["station-3"], source: "hand", from: now() - 90 * DAY, until, asleep });
const someone = (name, more = {}) => ({ id: id(), name, kind: "staff", recipient: null, roles: [], trainings: [], pledged: null, disabled: null, passkeys: [], provider: false, invited: null, sessions: 0, ...more });
const passkey = () => ({ label: "", added: now() - 60 * DAY, used: now() - DAY });

export default () => {
  const people = [
    someone("Ada Min", { roles: [held("administrator")], passkeys: [passkey(), passkey()], sessions: 1 }),
    someone("Dr. Aydin Berg", { roles: [held("physician", null, now() + 200 * DAY)], trainings: [{ training: "physician", on: now() - 30 * DAY, until: now() + 335 * DAY }], passkeys: [passkey()], provider: true, sessions: 2 }),
    someone("Nele Pflug", { roles: [held("nurse", "training")], trainings: [{ training: "nurse", on: now() - 400 * DAY, until: now() - 35 * DAY }], passkeys: [passkey()] }),
    someone("S. Pumpen", { kind: "external", recipient: "pump-maker", roles: [held("pump-service", "pledge")], invited: now() + DAY }),
    someone("Walter Weg", { disabled: now() - 5 * DAY, passkeys: [passkey()] }),
  ];
  const own = [
    { id: "0123456789abcdef", began: now() - 3600e6, ends: now() + 7 * 3600e6, active: now(), locked: false, assurance: "passkey", this: true },
    { id: "fedcba9876543210", began: now() - 2 * 3600e6, ends: now() + 6 * 3600e6, active: now() - 1800e6, locked: true, assurance: "oidc", this: false },
  ];
  const link = (request) => ({ link: `${request.headers?.origin ?? "https://localhost:8443"}/#enter=${randomBytes(32).toString("base64url")}`, expires: now() + DAY });
  const one = (params) => people.find((person) => person.id === params.id);
  const may = (handler) => (request) => (request.can("people-manage") ? handler(request) : fail(403, "refused"));
  const change = (handler) => may((request) => {
    const person = one(request.params);
    return person === undefined ? fail(404, "no_such_person") : (handler(person, request) ?? {});
  });
  return [
    ["GET", "/people", may(() => ({ people, roles: ROLES, recipients: [{ id: "pump-maker", name: "Musterpumpen GmbH", in_force: true }], wards: [{ id: "station-3", name: "Station 3" }], oidc: null }))],
    ["POST", "/people", may((request) => {
      const { name, kind, recipient, roles } = request.body;
      const ids = roles.map((each) => each.role);
      if (ids.includes("administrator") && ids.includes("privacy")) return fail(409, "roles_apart");
      const made = someone(name, { kind, recipient, roles: ids.map((each) => held(each, each === "nurse" ? "training" : null)), invited: now() + DAY });
      people.push(made);
      return { id: made.id, ...link(request) };
    })],
    ["POST", "/people/:id/link", change((person, request) => { person.invited = now() + DAY; return link(request); })],
    ["POST", "/people/:id/grant", change((person, { body }) => { person.roles.push(held(body.role)); })],
    ["POST", "/people/:id/ungrant", change((person, { body }) => { person.roles = person.roles.filter((each) => each.role !== body.role); })],
    ["POST", "/people/:id/train", change((person, { body }) => {
      person.trainings = [{ training: body.role, on: body.on, until: body.on + 365 * DAY }];
      for (const each of person.roles) each.asleep = null;
    })],
    ["POST", "/people/:id/pledge", change((person, { body }) => { person.pledged = body.until; })],
    ["POST", "/people/:id/rename", change((person, { body }) => { person.name = body.name; })],
    ["POST", "/people/:id/disable", change((person) => { person.disabled = now(); person.sessions = 0; })],
    ["POST", "/people/:id/enable", change((person) => { person.disabled = null; })],
    ["POST", "/people/:id/sign-out", change((person) => { person.sessions = 0; })],
    ["GET", "/session/all", () => ({ sessions: own })],
    ["DELETE", "/session/all/:id", ({ params }) => { own.splice(own.findIndex((each) => each.id === params.id), 1); return {}; }],
  ];
};
