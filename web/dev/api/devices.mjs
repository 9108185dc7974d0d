// DEVELOPMENT ONLY. Made-up devices: the ones of the made-up ward, one invited, one revoked.
import { fail } from "../fake-api.mjs";

export default ({ ward }) => [
  ["GET", "/devices", ({ can }) => {
    if (!can("device-view")) return fail(403, "refused");
    const soon = Date.now() * 1000 + 20 * 3600e6;
    const used = ward.beds.flatMap((bed) => bed.devices.map(({ id, model }, at) => ({
      id, model, serial: `SN-${id.slice(-2)}${at}7`, bed: bed.id, state: "enrolled", online: (ward.faults.devices[id] ?? "online") === "online", certificate_ends: soon - at * 3600e6,
    })));
    return { devices: [
      ...used,
      { id: "mon-90", model: "monitor-m1", serial: "SN-9001", bed: null, state: "invited", online: false, certificate_ends: null },
      { id: "pump-91", model: "pump-p1", serial: "SN-9102", bed: null, state: "revoked", online: false, certificate_ends: soon },
    ] };
  }],
];
