// DEVELOPMENT ONLY. Made-up alarms that speak docs/alarms.md: they start, escalate, end, latch, are acknowledged and paused. Nothing here decides about a patient.
const SECOND = 1e6;
const RANK = { high: 3, medium: 2, low: 1 };
const MARKS = { high: "***", medium: "**", low: "*" };

/** Rule → what an alarm of it is about. `set` makes the made-up patient agree with the alarm. */
const RULES = {
  "heart-rate-high": { priority: "medium", code: "MDC_ECG_HEART_RATE", de: "HF", en: "HR", sign: ">", limit: 120, unit: "/min", name: ["Herzfrequenz", "heart rate"], side: "high", set: (p, v) => { p.rate = v; } },
  "heart-rate-low": { priority: "high", code: "MDC_ECG_HEART_RATE", de: "HF", en: "HR", sign: "<", limit: 50, unit: "/min", name: ["Herzfrequenz", "heart rate"], side: "low", set: (p, v) => { p.rate = v; } },
  "saturation-low": { priority: "high", code: "MDC_PULS_OXIM_SAT_O2", de: "SpO2", en: "SpO2", sign: "<", limit: 90, unit: "%", name: ["Sauerstoffsättigung", "oxygen saturation"], side: "low", set: (p, v) => { p.spo2 = v; } },
  "respiration-high": { priority: "medium", code: "MDC_TTHOR_RESP_RATE", de: "AF", en: "RR", sign: ">", limit: 24, unit: "/min", name: ["Atemfrequenz", "respiration rate"], side: "high", set: (p, v) => { p.breaths = v; } },
  "temperature-high": { priority: "low", code: "MDC_TEMP_BODY", de: "Temp", en: "Temp", sign: ">", limit: 38.5, unit: "°C", name: ["Körpertemperatur", "body temperature"], side: "high", set: (p, v) => { p.temp = v; } },
  asystole: { priority: "high", code: "MDC_ECG_HEART_RATE", text: { de: "Asystolie", en: "Asystole" } },
  "lead-off": { priority: "low", kind: "technical", code: "MDC_ECG_HEART_RATE", text: { de: "EKG-Elektrode ab", en: "ECG lead off" } },
  "device-lost": { priority: "medium", kind: "technical", code: null, text: { de: "Monitor antwortet nicht", en: "Monitor does not answer" } },
  "store-lost": { priority: "medium", kind: "technical", code: null, text: { de: "Speicher ausgefallen", en: "Store failed" } },
};

export class FakeAlarms {
  constructor(ward) {
    this.ward = ward;
    this.watching = true;
    this.refuse = null;
    this.seq = 0;
    this.acts = new Map();
    this.own = [];
    this.records = [];
    this.limits = new Map();
    this.rows = new Map(ward.beds.map((bed) => [bed.id, { alarms: [], audio_paused_until: null, alarms_paused_until: null, audio_off: false, standby_since: null, responsible: null, offer: null }]));
    this.timer = setInterval(() => this.#elapse(), 250);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** Begins an alarm at a bed, or with `null` one of the ward. Returns its identifier. */
  raise(bed, rule, { value = null, priority, latching = false, downgraded = null, evidence = "known" } = {}) {
    const of = RULES[rule];
    const now = this.ward.now();
    const at = this.ward.beds.find((each) => each.id === bed);
    if (value !== null) of.set?.(at.patient, value);
    const say = (language) => (of.text ? of.text[language] : `${of[language]} ${language === "de" ? String(value).replace(".", ",") : value} ${of.sign} ${language === "de" ? String(of.limit).replace(".", ",") : of.limit}`);
    const declared = priority ?? of.priority;
    const alarm = {
      id: `${bed ?? "ward"}.${rule}._._.${now}.${(this.seq += 1)}`, bed, rule, kind: of.kind ?? "physiological",
      priority: downgraded === null ? declared : { high: "medium", medium: "low", low: "low" }[declared], declared, marks: "", state: "active", inactivation: "enabled", phase: "start",
      text: { de: say("de"), en: say("en") }, code: of.code, value, worst: value, limit: of.limit ?? null, unit: of.unit ?? null,
      since: now - 5 * SECOND, raised: now, ended: null, late: false, evidence, quality: 0, source: at?.devices[0]?.id ?? null, downgraded, delay: 5, latching, rule_version: "ab12f09c77d0431e9a5b",
      acknowledged: null, calling: null,
    };
    (bed === null ? this.own : this.rows.get(bed).alarms).unshift(alarm);
    this.#record(bed, { what: "alarm", phase: "start", cause: "condition", alarm: this.#plain(alarm) });
    this.tell(bed);
    return alarm.id;
  }

  #find(id) {
    for (const alarms of [this.own, ...[...this.rows.values()].map((row) => row.alarms)]) {
      const alarm = alarms.find((each) => each.id === id);
      if (alarm) return { alarm, alarms };
    }
    return null;
  }

  escalate(id, priority) {
    const { alarm } = this.#find(id);
    Object.assign(alarm, { priority, declared: priority, phase: "escalate", inactivation: "enabled", acknowledged: null });
    this.#record(alarm.bed, { what: "alarm", phase: "escalate", cause: "value", alarm: this.#plain(alarm) });
    this.tell(alarm.bed);
  }

  /** Its condition is over: it goes, or stays as latched. */
  end(id) {
    const { alarm, alarms } = this.#find(id);
    Object.assign(alarm, { ended: this.ward.now(), phase: "end" });
    if (alarm.latching && alarm.acknowledged === null) alarm.state = "latched";
    else alarms.splice(alarms.indexOf(alarm), 1);
    this.#record(alarm.bed, { what: "alarm", phase: "end", cause: "condition", alarm: this.#plain(alarm) });
    this.tell(alarm.bed);
  }

  /** One act; the same identifier again does nothing. Returns an error's word, or `null`. */
  act(bed, id, what, who) {
    if (this.refuse !== null) return this.refuse;
    if (!/^[0-9a-f]{32}$/.test(id)) return "act";
    if (this.acts.has(id)) return null;
    const row = bed === null ? null : this.rows.get(bed);
    if (row === undefined) return "unknown_bed";
    const now = this.ward.now();
    switch (what.do) {
      case "acknowledge": {
        const found = this.#find(what.alarm);
        if (!found || found.alarm.bed !== bed) return "unknown_alarm";
        Object.assign(found.alarm, { acknowledged: { by: who, at: now, judged: what.judged ?? null }, inactivation: "alert-acknowledged" });
        if (found.alarm.state === "latched") found.alarms.splice(found.alarms.indexOf(found.alarm), 1);
        break;
      }
      case "pause-audio":
        if (what.seconds > 120) return "pause_length";
        row.audio_paused_until = now + what.seconds * SECOND;
        break;
      case "pause-alarms":
        if (what.seconds > 180) return "pause_length";
        row.alarms_paused_until = now + what.seconds * SECOND;
        break;
      case "audio-off":
        return "not_allowed";
      case "resume":
        Object.assign(row, { audio_paused_until: null, alarms_paused_until: null, audio_off: false });
        break;
      case "standby":
        row.standby_since = now;
        break;
      case "back":
        row.standby_since = null;
        break;
      case "take":
        row.responsible = who;
        break;
      case "set-limit": {
        const rule = RULES[what.rule];
        if (!rule?.limit) return "unknown_rule";
        if (typeof what.to === "number" && (what.to < rule.limit * 0.5 || what.to > rule.limit * 1.5)) return "limit";
        if (what.to === "profile") this.limits.delete(`${bed}.${what.rule}`);
        else this.limits.set(`${bed}.${what.rule}`, { by: who, at: now, to: what.to, reason: what.reason });
        this.#record(bed, { what: "limit-set", rule: what.rule, priority: what.priority, to: what.to, by: who, reason: what.reason });
        break;
      }
      default:
        return "act";
    }
    this.acts.set(id, what);
    this.tell(bed);
    return null;
  }

  limitsOf(bed) {
    const limits = Object.entries(RULES).filter(([, rule]) => rule.limit !== undefined).map(([id, rule]) => {
      const set = this.limits.get(`${bed}.${id}`) ?? null;
      return {
        rule: id, code: rule.code, label: rule.en, name: { de: rule.name[0], en: rule.name[1] }, unit: rule.unit, side: rule.side, over: null, priority: rule.priority,
        limit: set === null ? rule.limit : set.to === "off" ? null : set.to, profile: rule.limit, settable: { from: rule.limit * 0.5, to: rule.limit * 1.5 }, delay: 5, set,
      };
    });
    return { profile: "station-3", profiles: ["station-3"], audio_pause_max: 120, alarm_pause_max: 180, audio_off_allowed: false, limits };
  }

  #record(bed, what) {
    if (bed !== null) this.records.push({ seq: (this.seq += 1), at: this.ward.now(), bed, ...what });
  }

  #elapse() {
    const now = this.ward.now();
    for (const [bed, row] of this.rows) {
      if ((row.audio_paused_until ?? now + 1) > now && (row.alarms_paused_until ?? now + 1) > now) continue;
      if (row.audio_paused_until !== null && row.audio_paused_until <= now) row.audio_paused_until = null;
      if (row.alarms_paused_until !== null && row.alarms_paused_until <= now) row.alarms_paused_until = null;
      this.tell(bed);
    }
  }

  #plain(alarm, row = null) {
    const paused = alarm.inactivation !== "enabled" ? alarm.inactivation : row?.alarms_paused_until ? "alarm-paused" : row?.audio_off ? "audio-off" : row?.audio_paused_until ? "audio-paused" : "enabled";
    return { ...alarm, marks: MARKS[alarm.priority], inactivation: paused };
  }

  row(id) {
    const row = this.rows.get(id);
    const bed = this.ward.beds.find((each) => each.id === id);
    const alarms = sorted(row.alarms.map((alarm) => this.#plain(alarm, row)));
    const set = [...this.limits].filter(([key]) => key.startsWith(`${id}.`));
    return {
      ...row, bed: id, label: bed.label, occupied: bed.occupied, profile: "station-3", alarms, sound: row.standby_since === null ? sound(alarms) : null,
      limits_set: set.length, limits_off: set.filter(([, { to }]) => to === "off").length, score: bed.occupied ? this.scoreOf(id) : null,
    };
  }

  scoreOf(id) {
    const at = this.ward.beds.findIndex((bed) => bed.id === id);
    const base = { table: "news2", single: false, at: this.ward.now() };
    if (at % 4 === 3) return { ...base, complete: false, total: null, at_least: 2, band: "low", text: { de: "mindestens alle 4 bis 6 Stunden", en: "at least every 4 to 6 hours" }, missing: ["consciousness", "temperature"] };
    const total = [3, 7, 1, 0, 5, 2, 0, 9][at % 8];
    return { ...base, complete: true, total, at_least: total, band: total >= 7 ? "high" : total >= 5 ? "medium" : "low", text: { de: total >= 7 ? "durchgehend überwachen, ärztliche Beurteilung sofort" : "mindestens alle 4 bis 6 Stunden", en: total >= 7 ? "continuous monitoring, emergency assessment" : "at least every 4 to 6 hours" }, missing: [] };
  }

  scorePage(id) {
    const score = this.scoreOf(id);
    const now = this.ward.now();
    const part = (parameter, value, points, age, by, state = "scored") => ({ parameter, state: score.missing.includes(parameter) ? "missing" : state, points: score.missing.includes(parameter) ? null : points, value: score.missing.includes(parameter) ? null : value, at: now - age * SECOND, age, by });
    const monitor = { device: `mon-${id.slice(4)}` };
    const person = { person: "0nurse" };
    return {
      score, scale: 1, scale_by: null, version: "2017-12", approver: "Dr. A. Muster", caveats: ["not-pregnant-assumed"],
      parts: [part("respiration-rate", 18, 0, 2, monitor), part("oxygen-saturation", 95, 1, 1, monitor), part("breathing", "air", 0, 5400, person), part("systolic-pressure", 118, 0, 840, monitor), part("pulse", 96, 1, 1, monitor), part("consciousness", "alert", 0, 5400, person), part("temperature", 38.4, 1, 7500, monitor)],
    };
  }

  wardRow() {
    const alarms = sorted(this.own.map((alarm) => this.#plain(alarm)));
    return { alarms, sound: sound(alarms) };
  }

  whole() {
    return { t: this.ward.now(), whole: true, watching: this.watching, ward: this.wardRow(), beds: this.ward.beds.map((bed) => this.row(bed.id)) };
  }

  tell(bed) {
    this.ward.sendAlarms({ t: this.ward.now(), whole: false, watching: this.watching, beds: bed === null ? [] : [this.row(bed)], ...(bed === null ? { ward: this.wardRow() } : {}) });
  }

  /** A busy hour: one bed for every look. */
  scene() {
    const beds = this.ward.beds.filter((bed) => bed.occupied).map((bed) => bed.id);
    const at = (number) => beds[number % beds.length];
    this.raise(at(0), "saturation-low", { value: 84 });
    this.raise(at(0), "heart-rate-high", { value: 134 });
    this.raise(at(1), "heart-rate-high", { value: 126 });
    this.raise(at(2), "temperature-high", { value: 38.9 });
    const over = this.raise(at(3), "heart-rate-low", { value: 44, latching: true });
    this.ward.beds.find((bed) => bed.id === at(3)).patient.rate = 72;
    this.end(over);
    const seen = this.raise(at(4), "respiration-high", { value: 29 });
    this.act(at(4), "0".repeat(31) + "1", { do: "acknowledge", alarm: seen }, "0nurse");
    this.act(at(4), "0".repeat(31) + "2", { do: "take" }, "0demo");
    this.raise(at(5), "asystole", { downgraded: "Pleth 74/min" });
    this.raise(at(6), "device-lost");
    this.act(at(1), "0".repeat(31) + "3", { do: "pause-audio", seconds: 110 }, "0nurse");
    if (beds.length > 7) this.act(at(7), "0".repeat(31) + "4", { do: "pause-alarms", seconds: 170, reason: "turning" }, "0nurse");
  }
}

const sorted = (alarms) => [...alarms].sort((a, b) => RANK[b.priority] - RANK[a.priority] || b.raised - a.raised);
const sound = (alarms) => sorted(alarms.filter((alarm) => alarm.inactivation === "enabled"))[0]?.priority ?? null;
