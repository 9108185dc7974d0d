//! The slow state of a patient, one step a second, and where each activity draws it.

use super::course::Activity;
use super::patient::Person;
use crate::rng::Rng;

/// What beats and breaths are made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vitals {
    /// Beats a minute.
    pub heart_rate: f64,
    /// Breaths a minute.
    pub respiratory_rate: f64,
    /// Oxygen saturation, %.
    pub saturation: f64,
    /// Systolic arterial pressure, mmHg.
    pub systolic: f64,
    /// Diastolic arterial pressure, mmHg.
    pub diastolic: f64,
    /// Core temperature, °C.
    pub temperature: f64,
    /// Blood flow in the finger, 1 at rest.
    pub perfusion: f64,
    /// Depth of breath, 1 at rest.
    pub depth: f64,
    /// How much the heart rate varies, 1 at rest.
    pub variability: f64,
    /// Share of time in movement, 0 to 1.
    pub movement: f64,
}

/// A quantity's time constant and the size and pace of its own wandering.
struct Pace {
    tau: f64,
    wander: f64,
    wander_tau: f64,
}

const PACES: [Pace; FIELDS] = [
    Pace { tau: 22.0, wander: 1.6, wander_tau: 50.0 },
    Pace { tau: 28.0, wander: 0.7, wander_tau: 60.0 },
    Pace { tau: 40.0, wander: 0.35, wander_tau: 80.0 },
    Pace { tau: 35.0, wander: 2.8, wander_tau: 90.0 },
    Pace { tau: 35.0, wander: 1.7, wander_tau: 90.0 },
    Pace { tau: 1200.0, wander: 0.05, wander_tau: 900.0 },
    Pace { tau: 50.0, wander: 0.06, wander_tau: 40.0 },
    Pace { tau: 15.0, wander: 0.05, wander_tau: 30.0 },
    Pace { tau: 40.0, wander: 0.08, wander_tau: 60.0 },
    Pace { tau: 4.0, wander: 0.01, wander_tau: 10.0 },
];
const FIELDS: usize = 10;

impl Vitals {
    const fn to_array(self) -> [f64; FIELDS] {
        [
            self.heart_rate,
            self.respiratory_rate,
            self.saturation,
            self.systolic,
            self.diastolic,
            self.temperature,
            self.perfusion,
            self.depth,
            self.variability,
            self.movement,
        ]
    }

    const fn from_array(
        [
            heart_rate,
            respiratory_rate,
            saturation,
            systolic,
            diastolic,
            temperature,
            perfusion,
            depth,
            variability,
            movement,
        ]: [f64; FIELDS],
    ) -> Self {
        Self {
            heart_rate,
            respiratory_rate,
            saturation,
            systolic,
            diastolic,
            temperature,
            perfusion,
            depth,
            variability,
            movement,
        }
    }

    /// Where `activity` draws this person.
    pub(super) fn target(person: &Person, activity: Activity) -> Self {
        let rest = Self {
            heart_rate: person.heart_rate,
            respiratory_rate: person.respiratory_rate,
            saturation: person.saturation,
            systolic: person.systolic,
            diastolic: person.diastolic,
            temperature: person.temperature,
            perfusion: 1.0,
            depth: 1.0,
            variability: 1.0,
            movement: 0.10,
        };
        match activity {
            Activity::Awake => rest,
            Activity::Asleep => Self {
                heart_rate: rest.heart_rate - 9.0,
                respiratory_rate: rest.respiratory_rate - 2.0,
                saturation: rest.saturation - 0.8,
                systolic: rest.systolic - 14.0,
                diastolic: rest.diastolic - 9.0,
                temperature: rest.temperature - 0.3,
                perfusion: 1.15,
                depth: 0.9,
                variability: 1.35,
                movement: 0.01,
            },
            Activity::Obstructed => Self {
                heart_rate: rest.heart_rate - 4.0,
                respiratory_rate: rest.respiratory_rate - 4.0,
                saturation: rest.saturation - 19.0,
                perfusion: 0.85,
                depth: 0.3,
                variability: 1.4,
                movement: 0.02,
                ..rest
            },
            Activity::Exertion => Self {
                heart_rate: rest.heart_rate + 36.0,
                respiratory_rate: rest.respiratory_rate + 9.0,
                saturation: rest.saturation - 0.7,
                systolic: rest.systolic + 26.0,
                diastolic: rest.diastolic + 5.0,
                perfusion: 1.2,
                depth: 1.6,
                variability: 0.4,
                movement: 0.65,
                ..rest
            },
            Activity::OutOfBed => Self {
                heart_rate: rest.heart_rate + 20.0,
                respiratory_rate: rest.respiratory_rate + 4.0,
                systolic: rest.systolic + 6.0,
                depth: 1.3,
                variability: 0.6,
                movement: 0.4,
                ..rest
            },
            Activity::Deteriorating(stage) => {
                let s = stage.clamp(0.0, 1.0);
                Self {
                    heart_rate: rest.heart_rate + 54.0 * s,
                    respiratory_rate: rest.respiratory_rate + 15.0 * s,
                    saturation: rest.saturation - 8.5 * s,
                    systolic: rest.systolic - 42.0 * s,
                    diastolic: rest.diastolic - 27.0 * s,
                    temperature: rest.temperature + 2.2 * s,
                    perfusion: 1.0 - 0.65 * s,
                    depth: 1.0 - 0.15 * s,
                    variability: 1.0 - 0.75 * s,
                    movement: 0.08,
                }
            }
        }
    }

    /// One second on: drawn towards `target`, wandering a little.
    pub(super) fn step(self, target: Self, wander: &mut [f64; FIELDS], rng: &mut Rng) -> Self {
        let mut now = self.to_array();
        for (((value, goal), drift), pace) in now.iter_mut().zip(target.to_array()).zip(wander).zip(&PACES) {
            // Ornstein–Uhlenbeck: standard deviation `wander`, correlation time `wander_tau`.
            let keep = (-1.0 / pace.wander_tau).exp();
            let before = *drift;
            *drift = before * keep + pace.wander * (1.0 - keep * keep).sqrt() * rng.normal();
            *value += (goal - (*value - before)) * (1.0 - (-1.0 / pace.tau).exp()) + (*drift - before);
        }
        let mut next = Self::from_array(now);
        next.saturation = next.saturation.clamp(50.0, 100.0);
        next.movement = next.movement.clamp(0.0, 1.0);
        next.heart_rate = next.heart_rate.clamp(25.0, 210.0);
        next.respiratory_rate = next.respiratory_rate.clamp(5.0, 50.0);
        next.diastolic = next.diastolic.clamp(15.0, 150.0);
        next.systolic = next.systolic.clamp(next.diastolic + 12.0, 250.0);
        next.perfusion = next.perfusion.clamp(0.08, 2.0);
        next
    }
}
