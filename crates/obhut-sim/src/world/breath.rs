//! Breaths: when each begins, how long and how deep.

use super::curve::decay;
use super::vitals::Vitals;
use super::{SECOND, seconds};
use crate::rng::Rng;
use std::collections::VecDeque;

#[derive(Debug, Clone, Copy)]
struct Breath {
    from: i64,
    to: i64,
    depth: f64,
}

/// The breaths of late and of the next seconds.
#[derive(Debug, Clone)]
pub(super) struct Breaths {
    rng: Rng,
    list: VecDeque<Breath>,
    next: i64,
}

/// Share of a breath that is inspiration.
const INSPIRATION: f64 = 0.38;

impl Breaths {
    pub(super) fn new(rng: Rng, start: i64) -> Self {
        Self { rng, list: VecDeque::new(), next: start }
    }

    /// Makes breaths until one ends after `until`.
    pub(super) fn extend(&mut self, until: i64, vitals: &Vitals) {
        while self.next <= until {
            let unsteady = 0.05 * vitals.variability + 0.02;
            let sigh = self.rng.chance(0.006);
            let length = 60.0 / vitals.respiratory_rate
                * (1.0 + unsteady * self.rng.normal()).clamp(0.7, 1.4)
                * if sigh { 1.3 } else { 1.0 };
            let depth = vitals.depth
                * (1.0 + 1.3 * unsteady * self.rng.normal()).clamp(0.6, 1.5)
                * if sigh { 1.8 } else { 1.0 };
            let to = self.next + (length * SECOND as f64) as i64;
            self.list.push_back(Breath { from: self.next, to, depth });
            self.next = to;
        }
    }

    pub(super) fn forget(&mut self, before: i64) {
        while self.list.front().is_some_and(|breath| breath.to < before) {
            self.list.pop_front();
        }
    }

    /// How full the lungs are: 0 after a breath out, about 1 after a breath in.
    pub(super) fn volume(&self, at: i64) -> f64 {
        let index = self.list.partition_point(|breath| breath.to <= at);
        let Some(breath) = self.list.get(index).filter(|breath| breath.from <= at) else { return 0.0 };
        let x = seconds(breath.from, at) / seconds(breath.from, breath.to);
        let share = if x < INSPIRATION {
            0.5 - 0.5 * (std::f64::consts::PI * x / INSPIRATION).cos()
        } else {
            decay((x - INSPIRATION) / (1.0 - INSPIRATION), 4.0, 0.3)
        };
        share * breath.depth
    }

    /// Breaths a minute over the last six breaths that ended by `at`; `None` before the second.
    pub(super) fn rate(&self, at: i64) -> Option<f64> {
        let ended = self.list.partition_point(|breath| breath.to <= at);
        let recent: Vec<&Breath> = self.list.iter().take(ended).rev().take(6).collect();
        let (last, first) = (recent.first()?, recent.last()?);
        (recent.len() >= 2).then(|| 60.0 * recent.len() as f64 / seconds(first.from, last.to))
    }
}
