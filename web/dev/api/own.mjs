// DEVELOPMENT ONLY. A made-up patient's own page, and the same person's requests as the data-protection office sees them.
import { randomBytes } from "node:crypto";
import { fail, file } from "../fake-api.mjs";

const id = () => randomBytes(16).toString("hex");
const DAY = 86_400e6;
const now = () => Date.now() * 1000;

const WHAT = {
  access: ["Auskunft und Kopie (Art. 15 DSGVO)", "access and a copy (Art. 15 GDPR)"],
  "treatment-file": ["Behandlungsakte (§ 630g BGB)", "treatment file (§ 630g BGB)"],
  rectification: ["Berichtigung (Art. 16 DSGVO)", "correction (Art. 16 GDPR)"],
  erasure: ["Löschung (Art. 17 DSGVO)", "erasure (Art. 17 GDPR)"],
  restriction: ["Einschränkung (Art. 18 DSGVO)", "restriction (Art. 18 GDPR)"],
  portability: ["Übertragung (Art. 20 DSGVO)", "portability (Art. 20 GDPR)"],
  objection: ["Widerspruch (Art. 21 DSGVO)", "objection (Art. 21 GDPR)"],
};
const FIRM = { id: "pump-maker", name: "Pumpen AG" };

export default () => {
  const forms = [
    { form: "research", version: "2", text: { de: "Ich bin einverstanden, dass meine Messwerte unter einem Decknamen für die Forschung an Blutvergiftung genutzt werden.", en: "I agree that my readings are used under a pseudonym for research on sepsis." }, purpose: { de: "Forschung an Blutvergiftung", en: "research on sepsis" }, latest: null },
    { form: "relatives", version: "1", text: { de: "Ich bin einverstanden, dass meine Angehörigen meine Werte sehen.", en: "I agree that my relatives see my values." }, purpose: { de: "Ansicht für Angehörige", en: "view for relatives" }, latest: { case: id(), signed: now() - DAY, expires: now() + 300 * DAY, state: "in-force" } },
  ];
  const notices = [{ notice: "ward", version: "3", text: { de: "Auf dieser Station werden Ihre Vitalzeichen zur Behandlung überwacht und gespeichert.", en: "On this ward your vital signs are monitored and stored for your treatment." }, acknowledged: null }];
  const request = (kind, more = {}) => ({
    case: id(), subject: "5e".repeat(16), kind, channel: "letter", requester: null, text: "", received: now() - 9 * DAY, due: now() + 21 * DAY, overdue: false, warned: false, offered: kind !== "portability",
    restricted: false, identified: null, extension: null, steps: [], outcome: null, alerts: [],
    recipients: ["rectification", "erasure", "restriction"].includes(kind) ? [{ ...FIRM, told: null }] : [], ...more,
  });
  const requests = [
    request("rectification", { received: now() - 32 * DAY, due: now() - DAY, overdue: true, identified: { at: now() - 30 * DAY, how: "Ausweis" } }),
    request("access", { channel: "own", identified: { at: now() - 9 * DAY, how: "signed in" } }),
    request("portability"),
    request("erasure", { outcome: { state: "refused", at: now() - DAY, ground: "retention-duty", text: "§ 630f BGB" } }),
  ];
  const own = (request) => ({ ...request, what: { de: WHAT[request.kind][0], en: WHAT[request.kind][1] } });
  const mine = ({ can }, made) => (can("own-view") ? made() : fail(403, "refused"));
  const theirs = (ask, made) => {
    if (!ask.can("request-manage")) return fail(403, "refused");
    const found = requests.find((each) => each.case === ask.params.case);
    return found === undefined ? fail(404, "no_such_case") : made(found);
  };
  const STEPS = {
    identify: (row, body) => { row.identified = { at: now(), how: body.text }; },
    extend: (row, body) => { row.extension = { at: now(), reason: body.text }; row.due += 61 * DAY; },
    refuse: (row, body) => { row.outcome = { state: "refused", at: now(), ground: body.ground, text: body.text }; },
    correct: (row, body) => { row.steps.push({ at: now(), text: `personal details corrected, version 2: ${body.reason}` }); },
    restrict: (row) => { row.restricted = true; },
    unrestrict: (row) => { row.restricted = false; },
    told: (row, body) => { row.recipients = row.recipients.map((each) => (each.id === body.recipient ? { ...each, told: { at: now(), how: body.text } } : each)); },
    fulfil: (row, body) => { row.outcome = { state: "fulfilled", at: now(), ground: null, text: body.text }; },
  };
  return [
    ["GET", "/own", (ask) => mine(ask, () => ({
      family: "Muster", given: "Erika", birth_date: "1952-02-29", house: "Klinikum Musterstadt gGmbH", dpo: { name: "Datenschutzbeauftragte", email: "datenschutz@klinikum-musterstadt.example", phone: "+49 30 555 100" },
      authority: "Die Landesbeauftragte für den Datenschutz Musterland", stays: [{ ward: "Station 3", bed: "3.01-1", from: now() - 2 * DAY, to: null }], kinds: Object.keys(WHAT).filter((each) => each !== "portability"), restricted: false,
      codes: [{ code: "MDC_ECG_HEART_RATE", name: { de: "Herzfrequenz", en: "heart rate" }, unit: "/min", first: now() - DAY, last: now() }, { code: "MDC_TEMP_BODY", name: { de: "Körpertemperatur", en: "body temperature" }, unit: "°C", first: now() - DAY, last: now() }],
    }))],
    ["GET", "/own/readings", (ask) => mine(ask, () => ({ count: 86_400, points: Array.from({ length: 96 }, (_, at) => ({ at: now() - DAY + at * 900e6, low: String(58 + (at % 7)), high: String(88 + (at % 11)), last: String(70 + (at % 5)) })) }))],
    ["GET", "/own/accesses", (ask) => mine(ask, () => {
      const en = ask.query.get("lang") === "en";
      const look = (index, more) => ({ index, at: now() - index * 3600e6, who: en ? "nurse, Klinikum Musterstadt" : "Pflegefachperson, Klinikum Musterstadt", what: en ? "Looked at stored values" : "Gespeicherte Werte angesehen", why: en ? "monitoring for treatment" : "Überwachung zur Behandlung", data: [en ? "heart rate" : "Herzfrequenz"], from: en ? "screen" : "Bildschirm", emergency: false, refused: false, ...more });
      return { accesses: [look(3, {}), look(2, { emergency: true }), look(1, { refused: true })], next: null };
    })],
    ["GET", "/own/consents", (ask) => mine(ask, () => ({ forms }))],
    ["POST", "/own/consents", (ask) => mine(ask, () => {
      const form = forms.find((each) => each.form === ask.body.form);
      if (form === undefined) return fail(409, "form");
      form.latest = { case: id(), signed: now(), expires: now() + 365 * DAY, state: ask.body.decision === "given" ? "in-force" : "refused" };
      return { forms };
    })],
    ["POST", "/own/consents/:case/withdraw", (ask) => mine(ask, () => {
      const form = forms.find((each) => each.latest?.case === ask.params.case);
      if (form === undefined) return fail(403, "refused");
      form.latest.state = "withdrawn";
      return { forms };
    })],
    ["GET", "/own/notices", (ask) => mine(ask, () => ({ notices }))],
    ["POST", "/own/notices", (ask) => mine(ask, () => {
      for (const each of notices) if (each.notice === ask.body.notice) each.acknowledged = now();
      return { notices };
    })],
    ["GET", "/own/requests", (ask) => mine(ask, () => ({ requests: requests.map(own) }))],
    ["POST", "/own/requests", (ask) => mine(ask, () => {
      requests.unshift(request(ask.body.kind, { channel: "own", text: ask.body.text, received: now(), due: now() + 31 * DAY, identified: { at: now(), how: "signed in" } }));
      return { requests: requests.map(own) };
    })],
    ["GET", "/own/copy", (ask) => mine(ask, () => file("text/plain", "made up"))],
    ["GET", "/requests", (ask) => (ask.can("request-manage") ? { requests } : fail(403, "refused"))],
    ["POST", "/requests", (ask) => {
      if (!ask.can("request-manage")) return fail(403, "refused");
      const made = request(ask.body.kind, { channel: ask.body.channel, text: ask.body.text, requester: ask.body.representative, received: now(), due: now() + 31 * DAY });
      requests.unshift(made);
      return made;
    }],
    ["GET", "/requests/:case", (ask) => theirs(ask, (row) => row)],
    ["GET", "/requests/:case/copy", (ask) => theirs(ask, (row) => (row.identified === null ? fail(409, "not_identified") : file("text/plain", "made up")))],
    ...Object.entries(STEPS).map(([step, act]) => ["POST", `/requests/:case/${step}`, (ask) => theirs(ask, (row) => {
      if (step === "fulfil" && row.recipients.some((each) => each.told === null)) return fail(409, "recipients_not_told");
      act(row, ask.body);
      return row;
    })]),
  ];
};
