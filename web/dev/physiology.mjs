// DEVELOPMENT ONLY. Curves that look about right, for working on the screens without a ward; nothing here is a model of a patient.

const bump = (x, at, width, height) => height * Math.exp(-(((x - at) / width) ** 2));

/** A patient's numbers, slowly wandering; `seed` makes patients differ. */
export class Patient {
  constructor(seed) {
    const random = mulberry(seed + 1);
    this.rate = 58 + random() * 40;
    this.breaths = 12 + random() * 8;
    this.sys = 104 + random() * 40;
    this.dia = 58 + random() * 22;
    this.spo2 = 94 + random() * 5;
    this.temp = 36.3 + random() * 1.6;
    this.phase = random() * 10;
    this.random = random;
  }

  heart(t) {
    return this.rate + 3 * Math.sin(t / 17 + this.phase) + 1.5 * Math.sin(t / 5);
  }

  /** Beats since the beginning, with breathing arrhythmia. */
  beats(t) {
    return (this.rate / 60) * t + 0.08 * Math.sin((2 * Math.PI * this.breaths * t) / 60) + this.phase;
  }

  breath(t) {
    return (this.breaths / 60) * t + this.phase;
  }

  ecg(t, lead = 1) {
    const x = this.beats(t) % 1;
    const shape =
      bump(x, 0.18, 0.025, 0.12) + bump(x, 0.29, 0.008, -0.12) + bump(x, 0.31, 0.011, 1.15) + bump(x, 0.335, 0.01, -0.26) + bump(x, 0.55, 0.05, 0.3);
    return lead * shape + 0.05 * Math.sin(2 * Math.PI * this.breath(t)) + 0.012 * (this.random() - 0.5);
  }

  pressure(t) {
    const x = (this.beats(t) - 0.42) % 1;
    const shape = bump(x, 0.18, 0.09, 0.92) + bump(x, 0.36, 0.12, 0.5) + bump(x, 0.5, 0.05, 0.1) + bump(x, 1.05, 0.3, 0.12);
    return this.dia - 3 + (this.sys - this.dia) * shape + 2 * Math.sin(2 * Math.PI * this.breath(t));
  }

  pleth(t) {
    const x = (this.beats(t) - 0.5) % 1;
    return 0.5 * (bump(x, 0.22, 0.12, 1) + bump(x, 0.5, 0.13, 0.42)) * (1 + 0.08 * Math.sin(2 * Math.PI * this.breath(t)));
  }

  resp(t) {
    return 0.8 * Math.sin(2 * Math.PI * this.breath(t)) + 0.12 * Math.sin(4 * Math.PI * this.breath(t)) + 30;
  }

  cvp(t) {
    const x = this.beats(t) % 1;
    return 7 + bump(x, 0.2, 0.06, 2) + bump(x, 0.4, 0.04, 1.2) + bump(x, 0.7, 0.08, 1.6) + 1.2 * Math.sin(2 * Math.PI * this.breath(t));
  }
}

function mulberry(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}
