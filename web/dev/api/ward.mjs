// DEVELOPMENT ONLY. Made-up people in beds and their made-up past.
import { fail } from "../fake-api.mjs";

const PEOPLE = [["Muster", "Erika", "1951-03-08"], ["Berger", "Hans-Joachim", "1944-11-30"], ["Yılmaz", "Ayşe", "1968-07-19"], ["Nowak", "Piotr", "1979-01-02"], ["von der Heide-Lindenthal", "Maria Magdalena", "1938-12-24"], ["Okafor", "Chidi", "1990-05-05"], ["Schmidt", "Anna", "1962-09-14"], ["Lê", "Văn Minh", "1957-04-21"]];
export const subjectOf = (bed) => `5ub${bed.replaceAll(/\D/g, "").padStart(29, "0")}`;
const HOUR = 3600e6;

export default (world) => {
  const { ward } = world;
  const occupied = () => ward.beds.filter((bed) => bed.occupied);
  const personOf = (bed) => world.admitted?.[bed.id] ?? PEOPLE[ward.beds.indexOf(bed) % PEOPLE.length];
  const bedOf = (subject) => occupied().find((bed) => subjectOf(bed.id) === subject);
  const name = (bed) => { const [family, given, birth_date] = personOf(bed); return { family, given, birth_date }; };
  const mine = (session, bed) => session.role[0] === "physician" && [1, 4].includes(ward.beds.indexOf(bed));
  const may = (session, bed, right) => session.permissions.includes(right) && (session.role[0] !== "physician" || mine(session, bed) || session.emergencies.some((each) => each.subject === subjectOf(bed.id)));

  return [
    ["GET", "/patients", ({ session, query, can }) => can("live-view") || can("identity-view") ? {
      ward: { id: "station-3", name: "Station 3" },
      patients: ward.beds.map((bed) => ({
        bed: bed.id, label: bed.label, subject: bed.occupied ? subjectOf(bed.id) : null, mine: mine(session, bed),
        name: bed.occupied && query.get("names") === "1" && may(session, bed, "identity-view") ? name(bed) : null,
      })),
    } : fail(403, "refused")],
    ["GET", "/patients/:subject", ({ params, session }) => {
      const bed = bedOf(params.subject);
      if (!bed || !may(session, bed, "identity-view")) return fail(403, "refused");
      return { subject: params.subject, ...name(bed), record_number: `F-2026-${String(ward.beds.indexOf(bed) * 731 + 10234)}`, stays: [{ bed: bed.id, from: ward.now() - 31 * HOUR, to: null }] };
    }],
    ["GET", "/patients/:subject/codes", ({ params, session }) => {
      const bed = bedOf(params.subject);
      if (!bed || !may(session, bed, "history-view")) return fail(403, "refused");
      return { subject: params.subject, codes: bed.streams.map((each) => ({ code: each.ref, name: each.name, unit: each.unit, kind: each.kind, first: ward.now() - 31 * HOUR, last: ward.now() })) };
    }],
    ["GET", "/patients/:subject/readings", ({ params, session, query }) => {
      const bed = bedOf(params.subject);
      if (!bed || !may(session, bed, "history-view")) return fail(403, "refused");
      const stream = bed.streams.find((each) => each.ref === query.get("code"));
      if (!stream) return fail(400, "code");
      const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
      const begin = Math.max(from, ward.now() - 31 * HOUR);
      const step = Math.max(stream.period * 1e6, (to - begin) / 900);
      const points = [];
      for (let at = begin; at < Math.min(to, ward.now()); at += step) {
        const hours = (at - ward.epoch) / HOUR;
        if (hours > -7 && hours < -6.2) continue; // a gap: nobody was connected
        const value = stream.value(bed.patient, hours * 60) * (1 + 0.04 * Math.sin(hours * 1.7) + 0.02 * Math.sin(hours * 11));
        const spread = 10 ** -stream.places * (stream.places === 0 ? 2 : 1);
        points.push([Math.round(at), Number((value - spread).toFixed(stream.places)), Number((value + spread).toFixed(stream.places)), 0]);
      }
      return { kind: "numeric", thinned: true, points };
    }],
    ["GET", "/patients/:subject/cases", ({ params, session, can }) => {
      const bed = bedOf(params.subject);
      if (!can("bind") || !bed) return fail(403, "refused");
      const physician = { physician: "p-physician", name: "Dr. Beispiel", mine: session.role[0] === "physician" };
      return { cases: [1, 4].includes(ward.beds.indexOf(bed)) ? [physician] : [], staff: [physician, { physician: "p-other", name: "Dr. Zweite", mine: false }] };
    }],
    ["PUT", "/beds/:bed/patient", ({ params, body, can }) => {
      if (!can("bind")) return fail(403, "refused");
      const bed = ward.beds.find((each) => each.id === params.bed);
      if (!bed) return fail(404, "bed");
      if (bed.occupied) return fail(409, "conflict");
      world.admitted = { ...world.admitted, [bed.id]: [body.family, body.given, body.birth_date] };
      bed.occupied = true;
      ward.fault({ layout: true });
      return { bed: bed.id, subject: subjectOf(bed.id) };
    }],
    ["DELETE", "/beds/:bed/patient", ({ params, can }) => {
      if (!can("bind")) return fail(403, "refused");
      const bed = ward.beds.find((each) => each.id === params.bed);
      if (!bed?.occupied) return fail(404, "bed_empty");
      bed.occupied = false;
      ward.fault({ layout: true });
    }],
    ["GET", "/break-glass/reasons", () => ({ reasons: [
      { id: "resuscitation", text: { de: "Reanimation, akute Lebensgefahr", en: "Resuscitation, acute danger to life" } },
      { id: "cover", text: { de: "Vertretung, Behandelnde nicht erreichbar", en: "Cover, treating physician not reachable" } },
      { id: "consult", text: { de: "Konsil, dringend", en: "Urgent consult" } },
    ] })],
    ["POST", "/break-glass", ({ body, session, can }) => {
      if (!can("break-glass")) return fail(403, "refused");
      const bed = ward.beds.find((each) => each.id === body.bed);
      if (!bed?.occupied) return fail(404, "bed_empty");
      const made = { case: `case${Date.now()}`, subject: subjectOf(bed.id), bed: bed.id, until: Date.now() * 1000 + 4 * HOUR };
      session.emergencies.push(made);
      return made;
    }],
    ["DELETE", "/break-glass/:case", ({ params, session }) => {
      session.emergencies = session.emergencies.filter((each) => each.case !== params.case);
    }],
    ["GET", "/system", ({ can }) => can("system-view") ? {
      store: ward.faults.store, charter: { state: ward.faults.charter, name: "demo", fingerprint: "ab12f09c77d0431e9a5b" }, ledger: "good",
      frames: 128345, refused: ward.faults.refused, screens: ward.clients.size, version: "0.2.0",
    } : fail(403, "refused")],
  ];
};
