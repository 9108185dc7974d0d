//! One patient: state, beats, breaths, disturbances; and every curve and number a device can take from them.

use super::artefact::{Artefact, Spell, Spells};
use super::beat::{Beats, FINGER_DELAY};
use super::breath::Breaths;
use super::course::{Activity, Course, Timeline};
use super::curve::{ARTERIAL, FINGER};
use super::ecg;
use super::noise;
use super::vitals::Vitals;
use super::{SECOND, seconds};
use crate::rng::Rng;
use obhut_model::DeviceTime;
use std::collections::VecDeque;

pub use super::ecg::Lead;

/// How far ahead of any question beats and breaths are laid down, seconds. A pulse ends where the next begins, so the next must be known.
const AHEAD: i64 = 4;
/// How far back questions may reach, seconds.
const BACK: i64 = 150;
/// Pressure of the flush bag behind an arterial line, mmHg.
const FLUSH: f64 = 285.0;

/// What is usual for a person at rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    /// Beats a minute.
    pub heart_rate: f64,
    /// Breaths a minute.
    pub respiratory_rate: f64,
    /// Saturation, %.
    pub saturation: f64,
    /// Systolic pressure, mmHg.
    pub systolic: f64,
    /// Diastolic pressure, mmHg.
    pub diastolic: f64,
    /// Core temperature, °C.
    pub temperature: f64,
    /// How the heart beats.
    pub rhythm: Rhythm,
}

/// How a heart beats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rhythm {
    /// Regular, from the sinus node.
    Sinus,
    /// Sinus with early beats, as shares of all beats.
    Ectopic {
        /// From the ventricles.
        ventricular: f64,
        /// From the atria.
        atrial: f64,
    },
    /// Irregular, no P waves.
    AtrialFibrillation,
}

/// A curve a device can sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// Electrocardiogram, mV.
    Ecg(Lead),
    /// Finger plethysmogram, no unit, about 0 to 1.
    Pleth,
    /// Chest impedance without its resting value, Ω.
    Respiration,
    /// Arterial pressure, mmHg.
    ArterialPressure,
}

/// Numbers as a monitor computes them from what its sensors see.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// From the ECG, beats a minute.
    pub heart_rate: Option<f64>,
    /// From the finger, pulses a minute.
    pub pulse_rate: Option<f64>,
    /// Saturation, %.
    pub saturation: Option<f64>,
    /// From the chest, breaths a minute.
    pub respiratory_rate: Option<f64>,
    /// Arterial line: systolic, diastolic, mean, mmHg.
    pub pressure: Option<(f64, f64, f64)>,
    /// Core temperature, °C.
    pub temperature: f64,
}

impl Person {
    /// Somebody, by chance: an adult in a hospital bed.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let systolic = rng.between(108.0, 146.0);
        Self {
            heart_rate: rng.between(60.0, 86.0),
            respiratory_rate: rng.between(12.5, 17.5),
            saturation: rng.between(95.5, 98.8),
            systolic,
            diastolic: systolic * rng.between(0.56, 0.64),
            temperature: rng.between(36.4, 37.3),
            rhythm: Rhythm::Sinus,
        }
    }
}

/// A patient. Cloning one gives a second observer of the same body.
#[derive(Debug, Clone)]
pub struct Patient {
    person: Person,
    timeline: Timeline,
    rng: Rng,
    noise: u64,
    build: [f64; 6],
    /// The second that is laid down next.
    next: i64,
    vitals: Vitals,
    wander: [f64; 10],
    past: VecDeque<(i64, Vitals, Activity)>,
    beats: Beats,
    breaths: Breaths,
    spells: Spells,
}

impl Patient {
    /// `person` from `start` on. They were lying there before, so the first second is like any other.
    #[must_use]
    pub fn new(seed: u64, person: Person, course: Course, start: DeviceTime) -> Self {
        let rng = Rng::new(seed);
        let mut timeline = Timeline::new(course, rng.fork("course"));
        let mut shape = rng.fork("build");
        let build = std::array::from_fn(|_| shape.between(0.82, 1.15));
        let first = timeline.next();
        let start = start.micros().div_euclid(SECOND) * SECOND - 25 * SECOND;
        let mut patient = Self {
            person,
            timeline,
            noise: rng.fork("noise").bits(),
            build,
            next: start,
            vitals: Vitals::target(&person, first),
            wander: [0.0; 10],
            past: VecDeque::new(),
            beats: Beats::new(rng.fork("heart"), person.rhythm, start),
            breaths: Breaths::new(rng.fork("breath"), start - SECOND),
            spells: Spells::new(rng.fork("artefact")),
            rng: rng.fork("vitals"),
        };
        patient.advance(DeviceTime::from_micros(start + 25 * SECOND));
        patient
    }

    /// Puts a disturbance in.
    pub fn disturb(&mut self, kind: Artefact, from: DeviceTime, seconds: f64) {
        self.spells.add(Spell { kind, from: from.micros(), to: from.micros() + (seconds * 1e6) as i64 });
    }

    /// Lets time pass until everything up to `to` can be asked. Questions further back than 150 s answer "no value".
    pub fn advance(&mut self, to: DeviceTime) {
        let until = to.micros() + AHEAD * SECOND;
        while self.next < until {
            self.second();
        }
        let before = to.micros() - BACK * SECOND;
        self.beats.forget(before);
        self.breaths.forget(before);
        self.spells.forget(before);
        while self.past.front().is_some_and(|(second, ..)| *second < before) {
            self.past.pop_front();
        }
    }

    fn second(&mut self) {
        let at = self.next;
        self.next += SECOND;
        let activity = self.timeline.next();
        let target = Vitals::target(&self.person, activity);
        self.vitals = self.vitals.step(target, &mut self.wander, &mut self.rng);
        if !self.timeline.is_steady() {
            self.spells.draw(at, activity);
        }
        self.past.push_back((at, self.vitals, activity));
        self.breaths.extend(self.next + SECOND, &self.vitals);
        self.beats.extend(self.next, &self.vitals, &self.breaths);
    }

    /// State and activity in the second of `at`.
    #[must_use]
    pub fn state(&self, at: DeviceTime) -> Option<(Vitals, Activity)> {
        let at = at.micros();
        let index = self.past.partition_point(|(second, ..)| *second <= at).checked_sub(1)?;
        self.past.get(index).map(|(_, vitals, activity)| (*vitals, *activity))
    }

    /// What `curve` is at `at`; `None` while its sensor is off.
    #[must_use]
    pub fn sample(&self, curve: Curve, at: DeviceTime) -> Option<f64> {
        let at = at.micros();
        match curve {
            Curve::Ecg(lead) => (!self.spells.on(Artefact::ElectrodeOff, at)).then(|| self.ecg(lead, at)),
            Curve::Pleth => (!self.spells.on(Artefact::ProbeOff, at)).then(|| self.pleth(at)),
            Curve::Respiration => (!self.spells.on(Artefact::ElectrodeOff, at)).then(|| self.respiration(at)),
            Curve::ArterialPressure => Some(self.pressure(at)),
        }
    }

    /// Whether a sensor of `curve` was off, or something disturbed it, anywhere in `from..to`: `(off, disturbed)`.
    #[must_use]
    pub fn trouble(&self, curve: Curve, from: DeviceTime, to: DeviceTime) -> (bool, bool) {
        let touches = |kind| self.spells.touches(kind, from.micros(), to.micros());
        match curve {
            Curve::Ecg(_) | Curve::Respiration => (touches(Artefact::ElectrodeOff), touches(Artefact::Motion)),
            Curve::Pleth => (touches(Artefact::ProbeOff), touches(Artefact::Motion)),
            Curve::ArterialPressure => (false, touches(Artefact::LineFlush)),
        }
    }

    /// Whether `kind` is on at `at`.
    #[must_use]
    pub fn disturbed(&self, kind: Artefact, at: DeviceTime) -> bool {
        self.spells.on(kind, at.micros())
    }

    /// What a monitor would say at `at`, from what its sensors saw of late.
    #[must_use]
    pub fn measured(&self, at: DeviceTime) -> Measured {
        let Some((vitals, _)) = self.state(at) else { return Measured::default() };
        let at = at.micros();
        let electrodes = !self.spells.touches(Artefact::ElectrodeOff, at - SECOND, at);
        let probe = !self.spells.touches(Artefact::ProbeOff, at - SECOND, at);
        // An oximeter in motion reads low.
        let moving = self.spells.strength(Artefact::Motion, at);
        let pressure = self.beats.pressures(at).map(|(peak, foot)| (peak, foot, self.mean_pressure(at)));
        Measured {
            heart_rate: self.beats.rate(at).filter(|_| electrodes),
            pulse_rate: self.beats.pulse_rate(at).filter(|_| probe),
            saturation: probe.then(|| (vitals.saturation - 2.5 * moving).min(100.0)),
            respiratory_rate: self.breaths.rate(at).filter(|_| electrodes),
            pressure: pressure.filter(|_| !self.spells.touches(Artefact::LineFlush, at - 4 * SECOND, at)),
            temperature: vitals.temperature,
        }
    }

    /// What a cuff measures at `at`: systolic, diastolic, mean. A little off the arterial line, as cuffs are.
    #[must_use]
    pub fn cuff(&self, at: DeviceTime) -> Option<(f64, f64, f64)> {
        let at = at.micros();
        let (peak, foot) = self.beats.pressures(at)?;
        let error = 3.0 * noise::white(self.noise ^ 11, at);
        Some((peak - 3.0 + error, foot + 2.0 + 0.6 * error, self.mean_pressure(at) + 0.8 * error))
    }

    fn mean_pressure(&self, at: i64) -> f64 {
        let sum: f64 = (0..200).map(|n| self.arterial(at - n * 20_000)).sum();
        sum / 200.0
    }

    fn ecg(&self, lead: Lead, at: i64) -> f64 {
        let mut basis = [0.0; 4];
        for beat in self.beats.within(at - 700_000, at + 300_000) {
            for (total, part) in basis.iter_mut().zip(ecg::beat(beat, seconds(beat.at, at), &self.build)) {
                *total += part;
            }
        }
        if self.person.rhythm == Rhythm::AtrialFibrillation {
            let flicker = noise::smooth(self.noise ^ 1, at, 11.5);
            for (total, part) in basis.iter_mut().zip(ecg::FLICKER) {
                *total += flicker * part;
            }
        }
        let motion = self.spells.strength(Artefact::Motion, at);
        let seed = self.noise ^ 2;
        // Breathing and slow drift as a monitor's filter leaves them; muscle tremor; the movement itself.
        for (index, total) in basis.iter_mut().enumerate() {
            let own = seed ^ ((index as u64 + 1) << 32);
            *total += 0.030 * (self.breaths.volume(at) - 0.4)
                + 0.012 * noise::smooth(own, at, 0.4)
                + 0.006 * noise::white(own, at);
            if motion > 0.0 {
                *total += motion
                    * (0.45 * noise::smooth(own ^ 3, at, 2.3)
                        + 0.16 * noise::smooth(own ^ 4, at, 17.0)
                        + 0.05 * noise::white(own ^ 5, at));
            }
        }
        ecg::project(lead, basis)
    }

    fn pleth(&self, at: i64) -> f64 {
        let lungs = self.breaths.volume(at);
        let motion = self.spells.strength(Artefact::Motion, at);
        let seed = self.noise ^ 6;
        let pulse = self.beats.pulse(at, FINGER_DELAY).map_or(0.0, |(beat, next)| {
            let t = seconds(beat.radial(), at) - FINGER_DELAY;
            let height = beat.perfusion * (1.0 - 0.10 * beat.lungs);
            height * FINGER.at(t, seconds(beat.radial(), next.radial()), 0.0)
        });
        let moved = if motion > 0.0 {
            motion * (0.7 * noise::smooth(seed, at, 1.9) + 0.2 * noise::smooth(seed ^ 1, at, 6.0))
        } else {
            0.0
        };
        pulse - 0.05 * lungs + moved + 0.003 * noise::white(seed ^ 2, at)
    }

    fn respiration(&self, at: i64) -> f64 {
        let motion = self.spells.strength(Artefact::Motion, at);
        let seed = self.noise ^ 7;
        // The heart moves the chest a little too.
        let heart = self.beats.pulse(at, 0.0).map_or(0.0, |(beat, next)| {
            ARTERIAL.at(seconds(beat.radial(), at), seconds(beat.radial(), next.radial()), 0.0) * beat.stroke
        });
        let moved = if motion > 0.0 {
            motion * (0.9 * noise::smooth(seed, at, 1.3) + 0.2 * noise::smooth(seed ^ 1, at, 5.0))
        } else {
            0.0
        };
        1.1 * (self.breaths.volume(at) - 0.4)
            + 0.03 * heart
            + moved
            + 0.02 * noise::smooth(seed ^ 2, at, 0.7)
            + 0.004 * noise::white(seed ^ 3, at)
    }

    /// The pressure in the artery.
    fn arterial(&self, at: i64) -> f64 {
        self.beats.pulse(at, 0.0).map_or(self.person.diastolic, |(beat, next)| {
            let height = (beat.peak - beat.foot).max(1.0);
            let end = (next.foot - beat.foot) / height;
            beat.foot + height * ARTERIAL.at(seconds(beat.radial(), at), seconds(beat.radial(), next.radial()), end)
        })
    }

    /// The pressure the line shows.
    fn pressure(&self, at: i64) -> f64 {
        let flush = self.spells.strength(Artefact::LineFlush, at).powf(0.3);
        let true_pressure = self.arterial(at) + 0.25 * noise::white(self.noise ^ 8, at);
        true_pressure + (FLUSH - true_pressure) * flush
    }
}
