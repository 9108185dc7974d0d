// DEVELOPMENT ONLY. Finds made-up answers of the JSON API in dev/api/<area>.mjs, so that a page can be looked at before the server has its part.
//
//   export default (world) => [["POST", "/tickets/:case/close", ({ params, body, query, session }) => ({ … })]];
//
// What a handler returns is the answer's JSON; `fail(409, "conflict")` makes a refusal, `file("text/csv", "a;b")` a file. `world` lives as long as the server.
import { readdir } from "node:fs/promises";

class Answer {
  constructor(status, body, headers = { "Content-Type": "application/json" }) {
    Object.assign(this, { status, body, headers });
  }
}
export const fail = (status, error, message = `made-up refusal: ${error}`, hint = "this is the development server") => new Answer(status, JSON.stringify({ error, message, hint }));
export const file = (type, body) => new Answer(200, body, { "Content-Type": type });

/** Who can sign in with which token; permissions as a charter might give them. */
const CARE = ["live-view", "history-view", "identity-view", "bind", "alarm-acknowledge", "alarm-limits", "break-glass", "device-view", "consent-manage"];
export const PEOPLE = {
  demo: { name: "Nele Pflug", role: ["nurse", "Pflegefachperson", "nurse"], permissions: CARE, home: "ward" },
  nurse: { name: "Nele Pflug", role: ["nurse", "Pflegefachperson", "nurse"], permissions: CARE, home: "ward" },
  physician: { name: "Dr. Aydin Berg", role: ["physician", "Ärztin, Arzt", "physician"], permissions: [...CARE, "export"], home: "patients" },
  technician: { name: "Tom Kessler", role: ["technician", "Medizintechnik", "biomedical technician"], permissions: ["device-view", "device-manage", "device-maintain", "ticket-manage"], home: "devices" },
  service: { name: "S. Pumpen", role: ["pump-service", "Servicetechnik", "service technician"], permissions: ["device-view", "device-maintain"], home: "service" },
  administrator: {
    name: "Ada Min", role: ["administrator", "IT-Administration", "IT administration"],
    permissions: ["charter-manage", "device-view", "system-view", "people-manage", "backup-manage", "retention-manage", "key-manage"], home: "system",
  },
  privacy: {
    name: "Dr. Petra Schild", role: ["privacy", "Datenschutzbeauftragte", "data-protection officer"],
    permissions: ["ledger-view", "evidence-view", "break-glass-review", "request-manage", "consent-manage", "hold-manage", "crosswalk"], home: "overview",
  },
  patient: { name: "Erika Muster", role: ["patient", "Patientin, Patient", "patient"], permissions: ["own-view"], home: "own" },
  researcher: { name: "Rita Forsch", role: ["researcher", "Forschung", "researcher"], permissions: ["research-export"], home: "projects" },
  wall: { name: "Wandanzeige", role: ["wall", "Wandanzeige", "wall display"], permissions: ["live-view"], home: "ward" },
};

const pattern = (path) => new RegExp(`^/api/v1${path.replace(/:([a-z_]+)/g, "(?<$1>[^/]+)")}$`);

/** Answers for `request`, or `null` where no area has one. */
export async function api(world) {
  const routes = [];
  for (const name of (await readdir(new URL("api/", import.meta.url))).sort()) {
    if (!name.endsWith(".mjs")) continue;
    const { default: area } = await import(new URL(`api/${name}`, import.meta.url));
    for (const [method, path, handler] of area(world)) routes.push({ method, pattern: pattern(path), handler });
  }
  return async (method, url, session, text) => {
    for (const route of routes) {
      const match = route.method === method ? route.pattern.exec(url.pathname) : null;
      if (!match) continue;
      const params = Object.fromEntries(Object.entries(match.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]));
      const made = await route.handler({ params, query: url.searchParams, body: text === "" ? {} : JSON.parse(text), session, can: (each) => session.permissions.includes(each) });
      return made instanceof Answer ? made : new Answer(200, JSON.stringify(made ?? null));
    }
    return null;
  };
}
