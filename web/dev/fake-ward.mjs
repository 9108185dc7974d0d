// DEVELOPMENT ONLY. A made-up ward that speaks docs/live-stream.md, with switches for every state the pages must show honestly.
import { FakeAlarms } from "./fake-alarms.mjs";
import { Patient } from "./physiology.mjs";

const NO_VALUE = -32768;
const BLOCK_SECONDS = 0.25;

const wave = (code, ref, label, de, en, unit, rate, gain, baseline, sample) => ({ kind: "waveform", code, ref, label, name: { de, en }, unit, rate, gain, baseline, sample });
const numeric = (code, ref, label, de, en, unit, places, period, value) => ({ kind: "numeric", code, ref, label, name: { de, en }, unit, places, period, value });

const WAVES = {
  ecg: wave(131330, "MDC_ECG_ELEC_POTL_II", "II", "EKG Ableitung II", "ECG lead II", "mV", 250, 200, 0, (p, t) => p.ecg(t)),
  ecg5: wave(131335, "MDC_ECG_ELEC_POTL_V5", "V5", "EKG Ableitung V5", "ECG lead V5", "mV", 250, 200, 0, (p, t) => p.ecg(t, 0.8)),
  abp: wave(150036, "MDC_PRESS_BLD_ART_ABP", "ABP", "arterieller Druck", "arterial pressure", "mmHg", 125, 50, 0, (p, t) => p.pressure(t)),
  pleth: wave(150452, "MDC_PULS_OXIM_PLETH", "Pleth", "Plethysmogramm", "plethysmogram", "·", 125, 10000, 0, (p, t) => p.pleth(t)),
  resp: wave(151552, "MDC_RESP", "Resp", "Atmung, Impedanz", "respiration by impedance", "Ω", 62.5, 500, 0, (p, t) => p.resp(t)),
  cvp: wave(150084, "MDC_PRESS_BLD_VEN_CENT", "CVP", "zentralvenöser Druck", "central venous pressure", "mmHg", 62.5, 100, 0, (p, t) => p.cvp(t)),
};

const wander = (t, phase, size) => size * Math.sin(t / 23 + phase);
const NUMBERS = {
  hr: numeric(147842, "MDC_ECG_HEART_RATE", "HR", "Herzfrequenz", "heart rate", "/min", 0, 1, (p, t) => p.heart(t)),
  pr: numeric(149530, "MDC_PULS_OXIM_PULS_RATE", "PR", "Pulsfrequenz, oximetrisch", "pulse rate by oximeter", "/min", 0, 1, (p, t) => p.heart(t) + 0.4),
  spo2: numeric(150456, "MDC_PULS_OXIM_SAT_O2", "SpO2", "Sauerstoffsättigung, pulsoxymetrisch", "oxygen saturation by pulse oximetry", "%", 0, 1, (p, t) => Math.min(100, p.spo2 + wander(t, p.phase, 0.8))),
  rr: numeric(151578, "MDC_TTHOR_RESP_RATE", "RR", "Atemfrequenz, Impedanz", "respiration rate by impedance", "/min", 0, 2, (p, t) => p.breaths + wander(t, p.phase, 1)),
  absys: numeric(150037, "MDC_PRESS_BLD_ART_ABP_SYS", "ABP sys", "arterieller Druck, systolisch", "arterial pressure, systolic", "mmHg", 0, 1, (p, t) => p.sys + wander(t, p.phase, 3)),
  abdia: numeric(150038, "MDC_PRESS_BLD_ART_ABP_DIA", "ABP dia", "arterieller Druck, diastolisch", "arterial pressure, diastolic", "mmHg", 0, 1, (p, t) => p.dia + wander(t, p.phase, 2)),
  abmean: numeric(150039, "MDC_PRESS_BLD_ART_ABP_MEAN", "ABP mean", "arterieller Druck, Mittel", "arterial pressure, mean", "mmHg", 0, 1, (p, t) => (p.sys + 2 * p.dia) / 3 + wander(t, p.phase, 2)),
  nsys: numeric(150021, "MDC_PRESS_BLD_NONINV_SYS", "NIBP sys", "Manschettendruck, systolisch", "cuff pressure, systolic", "mmHg", 0, 900, (p) => p.sys - 4),
  ndia: numeric(150022, "MDC_PRESS_BLD_NONINV_DIA", "NIBP dia", "Manschettendruck, diastolisch", "cuff pressure, diastolic", "mmHg", 0, 900, (p) => p.dia + 2),
  nmean: numeric(150023, "MDC_PRESS_BLD_NONINV_MEAN", "NIBP mean", "Manschettendruck, Mittel", "cuff pressure, mean", "mmHg", 0, 900, (p) => (p.sys + 2 * p.dia) / 3),
  temp: numeric(150364, "MDC_TEMP_BODY", "Temp", "Körpertemperatur", "body temperature", "°C", 1, 60, (p, t) => p.temp + wander(t, p.phase, 0.1)),
  cvp: numeric(150087, "MDC_PRESS_BLD_VEN_CENT_MEAN", "CVP mean", "zentralvenöser Druck, Mittel", "central venous pressure, mean", "mmHg", 0, 2, (p, t) => 7 + wander(t, p.phase, 1)),
  rate: numeric(157784, "MDC_FLOW_FLUID_PUMP", "Rate", "Infusionsrate", "infusion rate", "mL/h", 1, 10, (p) => 4 + Math.round(p.phase * 3) / 2),
  remain: numeric(157872, "MDC_VOL_FLUID_TBI_REMAIN", "Remain", "verbleibendes Infusionsvolumen", "volume left to infuse", "mL", 0, 10, (p, t) => 250 - ((t / 60) % 200)),
  move: numeric(67170305, "OBHUT_BED_MOVEMENT", "Move", "Bewegung im Bett, Anteil der letzten Periode", "movement in bed, share of the last period", "%", 0, 10, (p, t) => Math.abs(wander(t, p.phase, 18))),
  inbed: numeric(67170306, "OBHUT_BED_OCCUPIED", "In bed", "Bett belegt, 0 oder 1", "bed occupied, 0 or 1", "·", 0, 10, () => 1),
};

const MODELS = {
  monitor: { model: "monitor-m1", kind: "monitor", streams: ["hr", "pr", "spo2", "rr", "nsys", "ndia", "nmean", "temp"], waves: ["ecg", "pleth", "resp"] },
  icu: { model: "monitor-m2", kind: "monitor", streams: ["hr", "pr", "spo2", "rr", "absys", "abdia", "abmean", "temp", "cvp"], waves: ["ecg", "ecg5", "abp", "pleth", "resp", "cvp"] },
  pump: { model: "pump-p1", kind: "infusion-pump", streams: ["rate", "remain"], waves: [] },
  sensor: { model: "bedsense-1", kind: "movement-sensor", streams: ["move", "inbed"], waves: [] },
};

/** What a test or a developer can break. */
const WELL = {
  store: "good", charter: "in_force", mute: false, devices: {}, quality: {}, missing: {}, waveGap: null, refused: { undeclared_code: 3, rate_values: 0 }, bad: false, latencyMs: 0,
};

export class FakeWard {
  /** `alarms`: `false` speaks as a server that knows no alarms. */
  constructor({ beds = 8, speed = 1, free = true, alarms = false } = {}) {
    this.speed = speed;
    this.began = performance.now();
    this.epoch = Date.now() * 1000;
    this.faults = structuredClone(WELL);
    this.clients = new Set();
    this.beds = [];
    this.streams = [];
    this.epochOfLayout = 0;
    for (let bed = 0; bed < beds; bed++) this.#addBed(bed, free && beds > 6 && bed === beds - 2);
    this.alarms = alarms ? new FakeAlarms(this) : null;
    this.lastWave = this.now();
    this.timers = [setInterval(() => this.#waves(), BLOCK_SECONDS * 1000), setInterval(() => this.#numbers(), 250), setInterval(() => this.#tick(), 1000)];
  }

  #addBed(at, free) {
    const number = String(at + 1).padStart(2, "0");
    const bed = { id: `bed-${number}`, label: `${Math.floor(at / 2) + 1}.${(at % 2) + 1}`, occupied: !free, devices: [], streams: [], patient: new Patient(at * 7919) };
    const parts = free ? [] : [["mon", at % 3 === 1 ? "icu" : "monitor"], ...(at % 3 !== 2 ? [["pump", "pump"]] : []), ...(at % 2 === 0 ? [["bed", "sensor"]] : [])];
    for (const [prefix, name] of parts) {
      const id = `${prefix}-${number}`;
      const { model, kind, streams, waves } = MODELS[name];
      bed.devices.push({ id, model, kind, life_supporting: kind === "infusion-pump" });
      for (const each of [...waves.map((key) => WAVES[key]), ...streams.map((key) => NUMBERS[key])]) {
        const stream = { ...each, i: this.streams.length, device: id, bed, sentAt: 0, last: null };
        this.streams.push(stream);
        bed.streams.push(stream);
      }
    }
    this.beds.push(bed);
  }

  now() {
    return Math.round(this.epoch + (performance.now() - this.began) * 1000 * this.speed);
  }

  stop() {
    for (const timer of this.timers) clearInterval(timer);
    this.alarms?.stop();
  }

  /** Sets faults; what is not named stays. `{reset: true}` heals everything. */
  fault(change) {
    if (change.reset) this.faults = structuredClone(WELL);
    for (const [key, value] of Object.entries(change)) if (key in this.faults) this.faults[key] = value;
    if (change.disconnect) for (const client of this.clients) client.terminate();
    if (change.layout) this.#send(this.layout());
    this.#tick();
  }

  layout() {
    const plain = ({ i, device, code, ref, kind, label, name, unit, rate, gain, baseline, places, period }) =>
      kind === "waveform" ? { i, device, code, ref, kind, label, name, unit, rate, gain, baseline } : { i, device, code, ref, kind, label, name, unit, places, period };
    return text(1, {
      version: 1,
      ward: { id: "station-3", name: "Station 3" },
      server_time: this.now(),
      speed: this.speed,
      charter: { fingerprint: "ab12f09c77d0431e9a5b", name: "demo" },
      beds: this.beds.map(({ id, label, occupied, devices, streams }) => ({ id, label, occupied, devices, streams: streams.map(plain) })),
    });
  }

  join(client) {
    this.clients.add(client);
    client.on("close", () => this.clients.delete(client));
    client.send(this.layout());
    const known = this.streams.filter((stream) => stream.last).map((stream) => [stream.i, ...stream.last]);
    client.send(text(3, { t: this.now(), n: known }));
    client.send(this.#tickMessage());
    if (this.alarms) client.send(text(5, this.alarms.whole()));
  }

  sendAlarms(message) {
    this.#send(text(5, message));
  }

  #stateOf(device) {
    return this.faults.devices[device] ?? "online";
  }

  #send(message) {
    if (this.faults.mute) return;
    const deliver = () => { for (const client of this.clients) client.send(message); };
    if (this.faults.latencyMs > 0) setTimeout(deliver, this.faults.latencyMs * Math.random());
    else deliver();
  }

  #waves() {
    const now = this.now();
    const blocks = [];
    for (const stream of this.streams) {
      if (stream.kind !== "waveform" || this.#stateOf(stream.device) !== "online") continue;
      if (this.faults.waveGap === stream.device) continue;
      const first = Math.ceil((this.lastWave / 1e6) * stream.rate);
      const end = Math.ceil((now / 1e6) * stream.rate);
      const samples = [];
      for (let slot = first; slot < end; slot++) {
        const value = stream.sample(stream.bed.patient, (slot / stream.rate) - this.epoch / 1e6);
        const raw = Math.round(value * stream.gain) + stream.baseline;
        samples.push(this.faults.missing[stream.device] ? NO_VALUE : Math.min(Math.max(raw, -32767), 32767));
      }
      blocks.push({ stream: stream.i, quality: this.faults.quality[stream.device] ?? 0, start: (first / stream.rate) * 1e6, samples });
    }
    this.lastWave = now;
    if (blocks.length > 0) this.#send(encodeWaves(blocks));
  }

  #numbers() {
    const now = this.now();
    const t = (now - this.epoch) / 1e6;
    const n = [];
    for (const stream of this.streams) {
      if (stream.kind !== "numeric" || this.#stateOf(stream.device) !== "online") continue;
      if (stream.sentAt !== 0 && now - stream.sentAt < stream.period * 1e6) continue;
      // Rare measurements happened some while before the page was opened.
      const takenAt = stream.sentAt === 0 ? now - Math.round(stream.period * 1e6 * (stream.period > 100 ? 0.3 : 0)) : now;
      stream.sentAt = takenAt;
      const value = this.faults.missing[stream.device] ? null : Number(stream.value(stream.bed.patient, t).toFixed(stream.places));
      stream.last = [takenAt, value, this.faults.quality[stream.device] ?? 0];
      n.push([stream.i, ...stream.last]);
    }
    if (n.length > 0) this.#send(text(3, { t: now, n }));
  }

  #tickMessage() {
    const now = this.now();
    const devices = this.beds.flatMap((bed) => bed.devices).map(({ id }) => {
      const state = this.#stateOf(id);
      if (state === "online") this.heard = { ...this.heard, [id]: now - 90000 };
      return [id, state, this.heard?.[id] ?? null];
    });
    return text(4, { t: now, store: this.faults.store, charter: this.faults.charter, devices, refused: this.faults.refused, frames: 12345, clients: this.clients.size });
  }

  #tick() {
    this.#send(this.faults.bad ? text(4, { t: "nonsense" }) : this.#tickMessage());
  }
}

function text(type, value) {
  return Buffer.concat([Buffer.from([type]), Buffer.from(JSON.stringify(value), "utf8")]);
}

function encodeWaves(blocks) {
  const bytes = Buffer.alloc(4 + blocks.reduce((sum, block) => sum + 14 + 2 * block.samples.length, 0));
  bytes.writeUInt8(2, 0);
  bytes.writeUInt8(1, 1);
  bytes.writeUInt16LE(blocks.length, 2);
  let at = 4;
  for (const { stream, quality, start, samples } of blocks) {
    bytes.writeUInt16LE(stream, at);
    bytes.writeUInt16LE(samples.length, at + 2);
    bytes.writeUInt8(quality, at + 4);
    bytes.writeDoubleLE(start, at + 6);
    samples.forEach((sample, i) => bytes.writeInt16LE(sample, at + 14 + 2 * i));
    at += 14 + 2 * samples.length;
  }
  return bytes;
}
