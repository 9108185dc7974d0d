// DEVELOPMENT ONLY. Acts about made-up alarms, and looks at them.
import { fail } from "../fake-api.mjs";
import { subjectOf } from "./ward.mjs";

export default (world) => {
  const { ward } = world;
  const alarms = () => ward.alarms;
  const known = (bed) => ward.beds.some((each) => each.id === bed);
  const act = (bed, { body, session }, needsReason = false) => {
    if (alarms() === null) return fail(503, "not_watching");
    if (needsReason && !body.what.reason?.trim()) return fail(409, "reason");
    const refused = alarms().act(bed, body.id, body.what, `0${session.token}`);
    if (refused !== null) return fail(refused === "ledger_unavailable" ? 503 : 409, refused);
    return bed === null ? { ward: alarms().wardRow() } : { bed: alarms().row(bed) };
  };
  const look = (bed, with_) => (alarms() === null ? fail(503, "not_watching") : known(bed) ? with_(alarms()) : fail(404, "unknown_bed"));
  return [
    ["GET", "/alarms", () => alarms()?.whole() ?? { t: ward.now(), whole: true, watching: false, ward: { alarms: [], sound: null }, beds: [] }],
    ["POST", "/alarms/acts", (asked) => (asked.can("alarm-acknowledge") ? act(null, asked) : fail(403, "refused"))],
    ["POST", "/beds/:bed/alarms/acts", (asked) => (asked.can("alarm-acknowledge") ? act(asked.params.bed, asked) : fail(403, "refused"))],
    ["GET", "/beds/:bed/limits", ({ params, can }) => look(params.bed, (from) => {
      const found = from.limitsOf(params.bed);
      return can("alarm-limits") ? found : { ...found, limits: found.limits.map((each) => ({ ...each, set: each.set && { ...each.set, reason: null } })) };
    })],
    ["POST", "/beds/:bed/limits", (asked) => (asked.can("alarm-limits") ? act(asked.params.bed, asked, true) : fail(403, "refused"))],
    ["GET", "/beds/:bed/alarms/history", ({ params, can }) => (can("history-view") ? look(params.bed, (from) => ({ subject: subjectOf(params.bed), records: from.records.filter((each) => each.bed === params.bed) })) : fail(403, "refused"))],
    ["GET", "/beds/:bed/score", ({ params }) => look(params.bed, (from) => from.scorePage(params.bed))],
  ];
};
