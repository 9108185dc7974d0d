// DEVELOPMENT ONLY. Serves web/dist with the real Content-Security-Policy and speaks docs/live-stream.md with made-up patients.
// No TLS, no real session, no protection of any kind: bound to the loopback address, never shipped.
//
//   node dev/fake-server.mjs --beds 8 --port 5080 --speed 1        then open the address it prints; #enter=physician, =privacy, … for other roles
//   curl -d '{"store":"disk_full"}' localhost:5080/dev/fault         switches: see WELL in fake-ward.mjs
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { api, fail, PEOPLE } from "./fake-api.mjs";
import { FakeWard } from "./fake-ward.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

const CHARTER = {
  de: "Charter „demo“ der Station 3\n\nWer verantwortlich ist\n  Klinikum Beispielstadt gGmbH. Datenschutzbeauftragte: Dr. A. Muster.\n\nZweck „Überwachung am Bett“\n  Rechtsgrundlage: Art. 6 Abs. 1 Buchst. b und Art. 9 Abs. 2 Buchst. h DSGVO.\n\nWas der Monitor monitor-m1 senden darf\n  · Herzfrequenz, höchstens einmal je Sekunde: ohne sie ist keine Überwachung möglich.\n  · EKG Ableitung II, höchstens 250 Werte je Sekunde; nach 72 Stunden gelöscht.\n\nWas hier nicht steht, wird abgewiesen und gezählt.",
  en: "Charter “demo” of ward 3\n\nWho is responsible\n  Klinikum Beispielstadt gGmbH. Data protection officer: Dr A. Muster.\n\nPurpose “monitoring at the bedside”\n  Legal basis: Art. 6(1)(b) and Art. 9(2)(h) GDPR.\n\nWhat the monitor monitor-m1 may send\n  · Heart rate, at most once a second: without it there is no monitoring.\n  · ECG lead II, at most 250 values a second; erased after 72 hours.\n\nWhat does not stand here is refused and counted.",
};

/** Starts a server on `port` (0: any). The tokens in `PEOPLE` work as often as one likes, `used` never. */
export async function start({ port = 0, beds = 8, speed = 1, free = true, sessionMs = 8 * 3600e3, idleLock = null, alarms = false } = {}) {
  const ward = new FakeWard({ beds, speed, free, alarms });
  const sessions = new Map();
  let down = false;
  let ledger = true;
  const known = (request) => sessions.get(/(?:^|; )obhut=([^;]+)/.exec(request.headers.cookie ?? "")?.[1]);
  const world = { ward, sessions };
  const answerApi = await api(world);

  const server = createServer((request, response) => {
    void answer(request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });

  async function answer(request, response) {
    const url = new URL(request.url, "http://localhost");
    const json = (status, value) => response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" }).end(JSON.stringify(value));
    if (url.pathname === "/dev/fault" && request.method === "POST") {
      const change = JSON.parse(await body(request));
      if (change.endSessions) sessions.clear();
      if ("down" in change) down = change.down;
      if ("ledger" in change) ledger = change.ledger;
      ward.fault(change);
      return json(200, ward.faults);
    }
    // {"raise": ["bed-01", "heart-rate-high", {"value": 134}]}, {"end": id}, {"escalate": [id, "high"]}: alarms by hand
    if (url.pathname === "/dev/alarm" && request.method === "POST") {
      const change = JSON.parse(await body(request));
      const made = Object.entries(change).map(([what, args]) => ward.alarms?.[what]?.(...[args].flat(1)) ?? null);
      return json(200, made);
    }
    if (url.pathname === "/api/v1/session/link" && request.method === "POST") {
      const { token } = JSON.parse(await body(request));
      const person = PEOPLE[token];
      if (!person) return json(403, { error: "invitation_used", message: "this link was already used; ask for a new one", hint: "ask for a new link" });
      const id = randomUUID();
      sessions.set(id, { id, token, ...person, emergencies: [], locked: false, ends: Date.now() + sessionMs });
      response.setHeader("Set-Cookie", `obhut=${id}; HttpOnly; SameSite=Strict; Path=/`);
      return json(200, { next: "session" });
    }
    if (url.pathname === "/api/v1/session/ways") return json(200, { passkey: true, oidc: null });
    const session = known(request);
    if (url.pathname.startsWith("/api/v1/session") && !url.pathname.startsWith("/api/v1/session/all")) {
      if (!session) return json(401, { error: "signed_out", message: "nobody is signed in", hint: "sign in" });
      const [, act] = /^\/api\/v1\/session\/?(.*)$/.exec(url.pathname);
      if (request.method === "DELETE" || act === "switch") {
        sessions.delete(session.id);
        return json(200, null);
      }
      if (act === "lock") {
        session.locked = true;
        return json(200, null);
      }
      if (act === "passkey/begin") return json(200, { ceremony: "c", options: { publicKey: { challenge: "AAAA" } } });
      if (act === "unlock") {
        session.locked = false;
        return json(200, null);
      }
      if (session.locked) return json(423, { error: "locked", message: "this workstation is locked", hint: "unlock it" });
      const [id, de, en] = session.role;
      return json(200, {
        person: { id: `0${session.token}`, name: session.name, kind: session.token === "patient" ? "patient" : "staff" }, roles: [{ id, text: { de, en }, asleep: null }], permissions: session.permissions,
        assurance: "passkey", ends: Math.round(session.ends * 1000), locked: false, idle_lock: idleLock, home: session.home, emergencies: session.emergencies,
        ward: session.permissions.includes("live-view") ? { id: "station-3", name: "Station 3" } : null,
      });
    }
    if (url.pathname === "/api/v1/charter") {
      if (!session) return json(401, { error: "signed_out" });
      return json(200, { fingerprint: "ab12f09c77d0431e9a5b", name: "demo", text: CHARTER[url.searchParams.get("lang")] ?? CHARTER.de });
    }
    if (url.pathname.startsWith("/api/")) {
      const text = await body(request);
      if (!session) return json(401, { error: "signed_out" });
      if (session.locked) return json(423, { error: "locked" });
      const made = ledger ? ((await answerApi(request.method, url, session, text)) ?? fail(404, "not_found")) : fail(503, "ledger_unavailable");
      return response.writeHead(made.status, { ...made.headers, "Cache-Control": "no-store" }).end(made.body);
    }
    const path = normalize(url.pathname === "/" ? "/index.html" : url.pathname);
    try {
      const file = await readFile(join(DIST, path));
      response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff" }).end(file);
    } catch {
      response.writeHead(404).end("not found; is web/dist built?");
    }
  }

  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    const sameOrigin = request.headers.origin === `http://${request.headers.host}`;
    if (down || request.url !== "/api/v1/live" || !sameOrigin || !known(request)?.permissions.includes("live-view")) {
      socket.end(`HTTP/1.1 ${down ? 503 : sameOrigin ? 401 : 403} no\r\nConnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => ward.join(client));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = `http://localhost:${server.address().port}`;
  return {
    address,
    ward,
    world,
    async close() {
      ward.stop();
      for (const client of ward.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { beds: { type: "string", default: "8" }, port: { type: "string", default: "5080" }, speed: { type: "string", default: "1" }, quiet: { type: "boolean", default: false } } });
  const { address, ward } = await start({ beds: Number(values.beds), port: Number(values.port), speed: Number(values.speed), alarms: true });
  if (!values.quiet) ward.alarms.scene();
  console.log(`development server, made-up patients: ${address}/#enter=demo`);
}
