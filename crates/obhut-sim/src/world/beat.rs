//! Heart beats: when each comes, of what kind, and what pulse it makes.

use super::breath::Breaths;
use super::patient::Rhythm;
use super::vitals::Vitals;
use super::{SECOND, seconds};
use crate::rng::Rng;
use std::collections::VecDeque;

/// Where a beat comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The sinus node.
    Sinus,
    /// Elsewhere in the atria: early, narrow.
    Atrial,
    /// The ventricles: early, wide, hardly a pulse.
    Ventricular,
    /// Through fibrillating atria: no P wave.
    Fibrillation,
}

/// One beat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    /// The R peak.
    pub(super) at: i64,
    /// Seconds since the beat before.
    pub(super) before: f64,
    pub(super) origin: Origin,
    /// Ejected volume, 1 for an ordinary beat.
    pub(super) stroke: f64,
    /// Pressure at the foot of its pulse.
    pub(super) foot: f64,
    /// Pressure at the peak of its pulse.
    pub(super) peak: f64,
    /// Blood flow in the finger.
    pub(super) perfusion: f64,
    /// Seconds from the R peak to the foot of the pulse in the radial artery.
    pub(super) delay: f64,
    /// How full the lungs were: moves the heart's axis and the pulses.
    pub(super) lungs: f64,
}

/// How much later the pulse arrives in the finger than in the radial artery.
pub(super) const FINGER_DELAY: f64 = 0.055;

impl Beat {
    /// When its pulse arrives in the radial artery.
    pub(super) fn radial(&self) -> i64 {
        self.at + (self.delay * 1e6) as i64
    }
}

/// The beats of late and of the next seconds.
#[derive(Debug, Clone)]
pub(super) struct Beats {
    rng: Rng,
    rhythm: Rhythm,
    list: VecDeque<Beat>,
    next: i64,
    next_origin: Origin,
    /// The pause that makes up for an early ventricular beat, seconds.
    pause: Option<f64>,
}

impl Beats {
    pub(super) fn new(mut rng: Rng, rhythm: Rhythm, start: i64) -> Self {
        let next = start + rng.whole(0, SECOND);
        Self { rng, rhythm, list: VecDeque::new(), next, next_origin: Origin::Sinus, pause: None }
    }

    /// Makes beats until one comes after `until`. `breaths` must reach that far.
    pub(super) fn extend(&mut self, until: i64, vitals: &Vitals, breaths: &Breaths) {
        while self.next <= until {
            let beat = self.make(vitals, breaths);
            self.list.push_back(beat);
            self.schedule(vitals, &beat);
        }
    }

    fn make(&mut self, vitals: &Vitals, breaths: &Breaths) -> Beat {
        let at = self.next;
        let usual = 60.0 / vitals.heart_rate;
        let before = self.list.back().map_or(usual, |last| seconds(last.at, at));
        // Filling time sets the volume: an early beat ejects little, the one after a pause more.
        let filling = (before / usual).clamp(0.3, 2.0);
        let mut stroke = if filling < 1.0 { filling.powf(1.2) } else { 1.0 + 0.22 * (filling - 1.0) };
        if self.next_origin == Origin::Ventricular {
            stroke *= 0.45;
        }
        let lungs = breaths.volume(at);
        let mean = vitals.diastolic + (vitals.systolic - vitals.diastolic) / 3.0;
        let foot = vitals.diastolic - 9.0 * (filling - 1.0).clamp(-0.6, 0.8) - 1.5 * lungs;
        let pulse = (vitals.systolic - vitals.diastolic) * stroke;
        Beat {
            at,
            before,
            origin: self.next_origin,
            stroke,
            foot,
            peak: foot + pulse - 2.0 * lungs,
            perfusion: vitals.perfusion * stroke,
            // Stiffer arteries under higher pressure conduct faster.
            delay: 0.165 * (1.0 - (mean - 93.0) / 500.0).clamp(0.75, 1.35),
            lungs,
        }
    }

    fn schedule(&mut self, vitals: &Vitals, beat: &Beat) {
        let usual = 60.0 / vitals.heart_rate;
        // Respiratory sinus arrhythmia: faster while breathing in. Slower waves of a tenth of a hertz come from the vessels.
        let breathing = -0.045 * vitals.variability * (2.0 * beat.lungs - 0.8);
        let vessels =
            0.018 * vitals.variability * (seconds(0, beat.at % (1000 * SECOND)) * 0.1 * std::f64::consts::TAU).sin();
        let mut interval = usual * (1.0 + breathing + vessels + 0.008 * vitals.variability * self.rng.normal());
        let draw = self.rng.unit();
        let irregular = self.rng.normal();
        self.next_origin = Origin::Sinus;
        if let Some(pause) = self.pause.take() {
            interval = pause;
        } else {
            match self.rhythm {
                Rhythm::Sinus => {}
                Rhythm::Ectopic { ventricular, atrial } => {
                    if draw < ventricular {
                        interval *= 0.62;
                        self.pause = Some(2.0 * usual - interval);
                        self.next_origin = Origin::Ventricular;
                    } else if draw < ventricular + atrial {
                        interval *= 0.70;
                        self.next_origin = Origin::Atrial;
                    }
                }
                Rhythm::AtrialFibrillation => {
                    interval = usual * (1.0 + 0.23 * irregular).clamp(0.55, 1.7);
                    self.next_origin = Origin::Fibrillation;
                }
            }
        }
        self.next = beat.at + (interval.clamp(0.27, 2.2) * 1e6) as i64;
    }

    pub(super) fn forget(&mut self, before: i64) {
        while self.list.front().is_some_and(|beat| beat.at < before) {
            self.list.pop_front();
        }
    }

    /// Beats with their R peak in `from..to`.
    pub(super) fn within(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = &Beat> {
        let first = self.list.partition_point(|beat| beat.at < from);
        let last = self.list.partition_point(|beat| beat.at < to);
        self.list.range(first..last.max(first))
    }

    /// The pulse under way at `at`, shifted by `later` seconds, and the one after it.
    pub(super) fn pulse(&self, at: i64, later: f64) -> Option<(&Beat, &Beat)> {
        let at = at - (later * 1e6) as i64;
        let begun = self.list.partition_point(|beat| beat.radial() <= at);
        Some((self.list.get(begun.checked_sub(1)?)?, self.list.get(begun)?))
    }

    /// Beats a minute over the last eight intervals before `at`.
    pub(super) fn rate(&self, at: i64) -> Option<f64> {
        mean_rate(self.within(at - 20 * SECOND, at).rev().take(9).map(|beat| beat.at))
    }

    /// Pulses a minute over the last eight that the finger could feel.
    pub(super) fn pulse_rate(&self, at: i64) -> Option<f64> {
        let felt = self.within(at - 20 * SECOND, at).rev().filter(|beat| beat.stroke > 0.4);
        mean_rate(felt.take(9).map(Beat::radial))
    }

    /// Mean peak and foot of the pulses of the last six seconds.
    pub(super) fn pressures(&self, at: i64) -> Option<(f64, f64)> {
        let (mut peaks, mut feet, mut count) = (0.0, 0.0, 0.0);
        for beat in self.within(at - 6 * SECOND, at) {
            peaks += beat.peak;
            feet += beat.foot;
            count += 1.0;
        }
        (count > 0.0).then(|| (peaks / count, feet / count))
    }
}

/// Times latest first to events a minute.
fn mean_rate(latest_first: impl Iterator<Item = i64>) -> Option<f64> {
    let times: Vec<i64> = latest_first.collect();
    let (last, first) = (times.first()?, times.last()?);
    (times.len() >= 3).then(|| 60.0 * (times.len() - 1) as f64 / seconds(*first, *last))
}
