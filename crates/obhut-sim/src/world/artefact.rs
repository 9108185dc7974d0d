//! What goes wrong at the sensor rather than in the patient.

use super::SECOND;
use super::course::Activity;
use crate::rng::Rng;
use std::collections::VecDeque;

/// A disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artefact {
    /// The patient moves: electrodes, finger and chest signals are disturbed.
    Motion,
    /// An ECG electrode is off: no ECG, no impedance respiration.
    ElectrodeOff,
    /// The finger sensor is off: no plethysmogram, no saturation.
    ProbeOff,
    /// The arterial line is flushed: the pressure shows the flush bag.
    LineFlush,
}

/// A disturbance and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) kind: Artefact,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// All disturbances of late and of the next seconds.
#[derive(Debug, Clone)]
pub(super) struct Spells {
    rng: Rng,
    list: VecDeque<Spell>,
}

impl Spells {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, list: VecDeque::new() }
    }

    pub(super) fn add(&mut self, spell: Spell) {
        self.list.push_back(spell);
    }

    /// Draws what begins in the second from `at`. Mean times between spells in seconds; a moving patient disturbs more.
    pub(super) fn draw(&mut self, at: i64, activity: Activity) {
        let motion = match activity {
            Activity::Exertion => 12.0,
            Activity::OutOfBed => 15.0,
            Activity::Awake => 150.0,
            Activity::Deteriorating(_) => 240.0,
            Activity::Asleep | Activity::Obstructed => 900.0,
        };
        for (kind, mean, shortest, longest) in [
            (Artefact::Motion, motion, 3.0, 10.0),
            (Artefact::ElectrodeOff, 2700.0, 15.0, 50.0),
            (Artefact::ProbeOff, 1500.0, 10.0, 35.0),
            (Artefact::LineFlush, 2400.0, 2.5, 4.0),
        ] {
            // Always the same number of draws, so that one spell does not move all later ones.
            let (begins, offset, length) =
                (self.rng.chance(1.0 / mean), self.rng.unit(), self.rng.between(shortest, longest));
            let from = at + (offset * 1e6) as i64;
            if begins && !self.list.iter().any(|spell| spell.kind == kind && spell.to > from) {
                self.list.push_back(Spell { kind, from, to: from + (length * 1e6) as i64 });
            }
        }
    }

    pub(super) fn forget(&mut self, before: i64) {
        self.list.retain(|spell| spell.to >= before);
    }

    /// Whether `kind` is on at `at`.
    pub(super) fn on(&self, kind: Artefact, at: i64) -> bool {
        self.list.iter().any(|spell| spell.kind == kind && spell.from <= at && at < spell.to)
    }

    /// Whether `kind` is on anywhere in `from..to`.
    pub(super) fn touches(&self, kind: Artefact, from: i64, to: i64) -> bool {
        self.list.iter().any(|spell| spell.kind == kind && spell.from < to && from < spell.to)
    }

    /// How strongly `kind` disturbs at `at`: 0 to 1, swelling and fading within half a second.
    pub(super) fn strength(&self, kind: Artefact, at: i64) -> f64 {
        let edge = |spell: &Spell| {
            let inside = (at - spell.from).min(spell.to - at) as f64 / (0.5 * SECOND as f64);
            inside.clamp(0.0, 1.0)
        };
        self.list.iter().filter(|spell| spell.kind == kind).map(edge).fold(0.0, f64::max)
    }
}
