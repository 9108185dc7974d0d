// DEVELOPMENT ONLY. Serves web/dist with the real Content-Security-Policy and speaks docs/live-stream.md with made-up patients.
// No TLS, no real session, no protection of any kind: bound to the loopback address, never shipped.
//
//   node dev/fake-server.mjs --beds 8 --port 5080 --speed 1        then open the address it prints
//   curl -d '{"store":"disk_full"}' localhost:5080/dev/fault         switches: see WELL in fake-ward.mjs
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
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

/** Starts a server on `port` (0: any). The token `demo` works as often as one likes, `used` never. */
export async function start({ port = 0, beds = 8, speed = 1, free = true } = {}) {
  const ward = new FakeWard({ beds, speed, free });
  const sessions = new Set();
  let down = false;
  const known = (request) => sessions.has(/(?:^|; )obhut=([^;]+)/.exec(request.headers.cookie ?? "")?.[1]);

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
      ward.fault(change);
      return json(200, ward.faults);
    }
    if (url.pathname === "/api/v1/session") {
      if (request.method === "POST") {
        const { token } = JSON.parse(await body(request));
        if (token !== "demo") return json(403, { error: "token_refused" });
        const id = randomUUID();
        sessions.add(id);
        return response.writeHead(204, { "Set-Cookie": `obhut=${id}; HttpOnly; SameSite=Strict; Path=/` }).end();
      }
      if (request.method === "DELETE") {
        sessions.clear();
        return response.writeHead(204).end();
      }
      return known(request) ? json(200, { ends: Date.now() * 1000 + 3.6e9 }) : json(401, { error: "no_session" });
    }
    if (url.pathname === "/api/v1/charter") {
      if (!known(request)) return json(401, { error: "no_session" });
      return json(200, { fingerprint: "ab12f09c77d0431e9a5b", name: "demo", text: CHARTER[url.searchParams.get("lang")] ?? CHARTER.de });
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
    if (down || request.url !== "/api/v1/live" || !sameOrigin || !known(request)) {
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
  const { values } = parseArgs({ options: { beds: { type: "string", default: "8" }, port: { type: "string", default: "5080" }, speed: { type: "string", default: "1" } } });
  const { address } = await start({ beds: Number(values.beds), port: Number(values.port), speed: Number(values.speed) });
  console.log(`development server, made-up patients: ${address}/#enter=demo`);
}
