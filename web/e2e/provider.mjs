// A hospital's sign-in provider for tests: the real `oidc-provider` over TLS, with a few invented people and their groups, and ways to misbehave.
//
// Environment: CERT and KEY (PEM files for TLS), HOST (under which it is known, by default localhost), REDIRECT (the one address it may send people back to; with ANY_PORT on any port), CLIENT_SECRET.
// Prints one line `listening <issuer>` and runs until its input ends. POST /misbehave/<how> changes what it does to the next identity tokens.
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const { CERT, KEY, REDIRECT, CLIENT_SECRET, HOST } = process.env;
const people = {
  anna: { name: "Anna Beispiel", groups: ["station-3-pflege", "alle"] },
  max: { name: "Max Muster", groups: ["medizintechnik", "it"] },
  none: { name: "Nina Niemand", groups: ["alle"] },
};

const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
const foreign = generateKeyPairSync("rsa", { modulusLength: 2048 });
const kid = randomUUID();
let misbehave = "not";

const server = createServer({ cert: readFileSync(CERT), key: readFileSync(KEY) });
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `https://${HOST ?? "localhost"}:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: "obhut", client_secret: CLIENT_SECRET, redirect_uris: [REDIRECT], grant_types: ["authorization_code"], response_types: ["code"] }],
  jwks: { keys: [{ ...own.privateKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] },
  claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
  scopes: ["openid", "profile", "groups"],
  conformIdTokenClaims: process.env.CLAIMS_IN !== "token",
  findAccount: (_context, id) => (people[id] ? { accountId: id, claims: () => ({ sub: id, ...people[id] }) } : undefined),
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: [randomUUID()] },
  ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 600, AccessToken: 600, AuthorizationCode: 60 },
  // The hospital has agreed once for everybody; nobody is asked on every sign-in.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
    grant.addOIDCScope("openid profile groups");
    await grant.save();
    return grant;
  },
});

if (process.env.ANY_PORT) {
  const same = (uri) => Object.assign(new URL(uri), { port: "" }).href;
  provider.Client.prototype.redirectUriAllowed = (uri) => same(uri) === same(REDIRECT);
}

const part = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** The same token with a fault, signed by whom `misbehave` says. */
function spoil(token) {
  const [head, body] = token.split(".").slice(0, 2).map((text) => JSON.parse(Buffer.from(text, "base64url")));
  const faults = {
    nonce: () => (body.nonce = "another"),
    audience: () => (body.aud = "somebody-else"),
    "more-audience": () => (body.aud = ["obhut", "somebody-else"]),
    issuer: () => (body.iss = "https://elsewhere.example"),
    expired: () => ((body.iat -= 7200), (body.exp = body.iat + 60)),
    future: () => (body.iat += 7200),
    "no-nonce": () => delete body.nonce,
    stale: () => (body.auth_time = body.iat - 3600),
    groups: () => (body.groups = ["station-3-pflege", "medizintechnik"]),
    none: () => (head.alg = "none"),
    secret: () => (head.alg = "HS256"),
  };
  faults[misbehave]?.();
  const signed = `${part(head)}.${part(body)}`;
  if (head.alg === "none") return `${signed}.`;
  if (head.alg === "HS256") return `${signed}.${createHmac("sha256", CLIENT_SECRET).update(signed).digest("base64url")}`;
  // The public key used as if it were a secret: the classic confusion of algorithms.
  if (misbehave === "confusion") {
    const confused = `${part({ ...head, alg: "HS256" })}.${part(body)}`;
    const pem = createPublicKey(own.privateKey).export({ type: "spki", format: "pem" });
    return `${confused}.${createHmac("sha256", pem).update(confused).digest("base64url")}`;
  }
  const key = misbehave === "signature" ? foreign.privateKey : own.privateKey;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}

provider.use(async (context, next) => {
  await next();
  if (misbehave !== "not" && context.path === "/token" && context.body?.id_token) {
    context.body = { ...context.body, id_token: spoil(context.body.id_token) };
  }
});

const answer = provider.callback();
server.on("request", (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  const chosen = /^\/interaction\/[^/]+\/as\/(\w+)$/.exec(pathname);
  const how = /^\/misbehave\/([\w-]+)$/.exec(pathname);
  if (how && request.method === "POST") {
    misbehave = how[1];
    response.end();
  } else if (chosen) {
    void provider.interactionFinished(request, response, { login: { accountId: chosen[1] } }, { mergeWithLastSubmission: false });
  } else if (pathname.startsWith("/interaction/")) {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>Musterstadt</title>${Object.keys(people).map((id) => `<p><a href="${pathname}/as/${id}">${people[id].name}</a>`).join("")}`);
  } else {
    answer(request, response);
  }
});

console.log(`listening ${issuer}`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
