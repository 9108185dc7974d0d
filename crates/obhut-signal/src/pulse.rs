//! Pulses in a pressure curve or a plethysmogram.
//!
//! Source: Zong W, Heldt T, Moody GB, Mark RG, "An open-source algorithm to detect onset of arterial blood pressure pulses", Computers in
//! Cardiology 30 (2003) 259–262: low-pass, sum of upward slopes over 128 ms, adaptive threshold, onset searched backwards. The same serves the
//! plethysmogram. Ours: 2 s of learning; a pulse counts when its peak is known; a floor, kept for 15 s after the last pulse, at a share of the
//! usual pulse, so that a sensor's noise does not become a pulse the moment pulses stop.
//!
//! *Not* for pressures ([`crate::pressure`]). What always holds: a pulse is reported at most [`DELAY_MS_MAX`] after its onset.

pub(crate) mod curve;

use crate::filter::{MovingSum, Triangle, median, samples_in};
use crate::ring::Ring;
use obhut_model::SampleRate;

/// The longest a pulse waits, from its onset, before it is reported.
pub const DELAY_MS_MAX: u32 = 1_000;

/// Share of the usual height, percent, below which a rise is no pulse.
const HEIGHT_PERCENT: i64 = 15;

/// A pulse as the detector sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Sample of the foot, counted from the first pushed.
    pub(crate) onset: i64,
    /// Samples from half height to half height, since the pulse before, if it is known that none lay between. The foot may lie in a flat or
    /// tilted curve; half way up a rise is sharp.
    pub(crate) follows: Option<i64>,
    /// Samples from foot to foot, likewise.
    pub(crate) length: Option<i64>,
    pub(crate) foot: i64,
    pub(crate) peak: i64,
}

/// A rise that has crossed the threshold; its peak is not known yet.
#[derive(Debug, Clone, Copy)]
struct Rise {
    crossed: i64,
    onset: i64,
    foot: i64,
    peak: i64,
}

#[derive(Debug, Clone)]
struct Lengths {
    search: usize,
    blind: i64,
    peak_wait: i64,
    learning: i64,
    decay_after: i64,
    relearn_after: i64,
    second: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Slopes {
    n: Lengths,
    low: Triangle,
    /// Low-passed curve, three seconds.
    pub(crate) smooth: Ring<i64>,
    rises: MovingSum,
    floor: i64,
    index: i64,
    fresh: bool,
    /// Mean of the slope sums of pulses; the threshold is a share of it.
    base: i64,
    learning: Option<(i64, i64, i64)>,
    heights: Ring<i64>,
    crossing: Option<i64>,
    rise: Option<Rise>,
    /// Foot and half height of the last pulse.
    last: Option<(i64, i64)>,
    joined: bool,
    quiet_from: i64,
    sum_max: i64,
}

impl Slopes {
    /// `floor`: smallest height of a pulse, in steps.
    pub(crate) fn new(rate: SampleRate, floor: i64) -> Self {
        let long = |ms| samples_in(rate, ms) as i64;
        Self {
            n: Lengths {
                search: samples_in(rate, 250),
                blind: long(250),
                peak_wait: long(400),
                learning: long(2000),
                decay_after: long(2500),
                relearn_after: long(15_000),
                second: long(1000),
            },
            low: Triangle::new(samples_in(rate, 20)),
            smooth: Ring::new(samples_in(rate, 3000)),
            rises: MovingSum::new(samples_in(rate, 128)),
            floor: floor.max(1),
            index: -1,
            fresh: true,
            base: 0,
            learning: Some((0, 0, 0)),
            heights: Ring::new(8),
            crossing: None,
            rise: None,
            last: None,
            joined: false,
            quiet_from: 0,
            sum_max: 0,
        }
    }

    /// How far the low-passed curve lags.
    pub(crate) fn delay(&self) -> i64 {
        self.low.delay() as i64
    }

    pub(crate) fn has_learnt(&self) -> bool {
        self.learning.is_none()
    }

    pub(crate) fn gap(&mut self) {
        self.index = self.index.saturating_add(1);
        if let (true, Some((from, _, _))) = (self.fresh, &mut self.learning) {
            *from = from.saturating_add(1);
        }
        self.fresh = true;
        self.crossing = None;
        self.rise = None;
        self.joined = false;
        self.smooth.clear();
        self.quiet_from = self.quiet_from.saturating_add(1);
    }

    /// The next sample; a pulse, when one is known.
    pub(crate) fn push(&mut self, value: i64) -> Option<Found> {
        self.index = self.index.saturating_add(1);
        if self.fresh {
            self.fresh = false;
            self.low.restart(value);
            self.rises.restart(0);
        }
        let before = self.smooth.back(0).copied();
        let low = self.low.push(value);
        self.smooth.push(low);
        let sum = self.rises.push(before.map_or(0, |before| (low - before).max(0)));
        if self.learn(sum) {
            return None;
        }
        self.forget_slowly();
        self.watch_crossing(sum);
        self.follow(low)
    }

    /// Two seconds: the largest slope sum of each, the lower one unless it is far lower.
    fn learn(&mut self, sum: i64) -> bool {
        let Some((from, first, second)) = &mut self.learning else { return false };
        let age = self.index - *from;
        if age < self.n.learning / 2 {
            *first = (*first).max(sum);
        } else {
            *second = (*second).max(sum);
        }
        if age < self.n.learning {
            return true;
        }
        let (low, high) = ((*first).min(*second), (*first).max(*second));
        self.base = if low.saturating_mul(10) >= high.saturating_mul(3) { low } else { high };
        self.learning = None;
        self.quiet_from = self.index;
        false
    }

    /// Without pulses the threshold sinks, halving about every two seconds, but not below what a small pulse would need; after
    /// [`Lengths::relearn_after`] it may sink to the floor.
    fn forget_slowly(&mut self) {
        let quiet = self.index - self.quiet_from;
        if quiet < self.n.decay_after {
            return;
        }
        if quiet >= self.n.relearn_after {
            self.heights.clear();
        }
        let least = self.least_height();
        if self.base > least {
            self.base = (self.base - self.base / self.n.second.max(1) / 3 - 1).max(least);
        }
    }

    /// The smallest rise that is a pulse now.
    fn least_height(&self) -> i64 {
        let usual = median(self.heights.iter().copied()).unwrap_or(0);
        (usual.saturating_mul(HEIGHT_PERCENT) / 100).max(self.floor)
    }

    fn watch_crossing(&mut self, sum: i64) {
        // Two fifths: between the 60 % of the paper and the third of its later program.
        let threshold = self.base.saturating_mul(2) / 5;
        if self.rise.is_some() || self.last_crossed().is_some_and(|at| self.index - at < self.n.blind) {
            self.sum_max = self.sum_max.max(sum);
            return;
        }
        if sum <= threshold || sum < self.floor / 2 {
            return;
        }
        let Some((foot, back)) = self.foot() else { return };
        self.crossing = Some(self.index);
        self.sum_max = sum;
        self.rise = Some(Rise { crossed: self.index, onset: self.index - back as i64, foot, peak: foot });
    }

    /// Walks back from the newest sample down to the foot of the rise: to where the curve, going back, has risen again by a twentieth. A notch
    /// before the rise is not its foot, even where it is lower.
    fn foot(&self) -> Option<(i64, usize)> {
        let top = *self.smooth.back(0)?;
        let mut lowest = (top, 0);
        for (back, &value) in self.smooth.between(self.n.search, 0).rev() {
            if value < lowest.0 {
                lowest = (value, back);
            } else if value - lowest.0 > (top - lowest.0) / 20 && lowest.0 < top {
                break;
            }
        }
        Some(lowest)
    }

    fn last_crossed(&self) -> Option<i64> {
        self.crossing
    }

    /// Follows a rise to its peak.
    fn follow(&mut self, low: i64) -> Option<Found> {
        let rise = self.rise.as_mut()?;
        rise.peak = rise.peak.max(low);
        let fallen = low < rise.peak - (rise.peak - rise.foot) / 3;
        if !fallen && self.index - rise.crossed < self.n.peak_wait {
            return None;
        }
        let rise = self.rise.take()?;
        let height = rise.peak - rise.foot;
        let onset = rise.onset - self.delay();
        if height < self.least_height() {
            return None;
        }
        let since_onset = usize::try_from(self.index - rise.onset).unwrap_or(0);
        let half = self.smooth.between(since_onset, 0).find(|(_, value)| **value - rise.foot >= height / 2);
        let middle = self.index - half.map_or(0, |(back, _)| back as i64) - self.delay();
        let before = self.last.filter(|_| self.joined);
        let follows = before.map(|(_, last)| middle - last);
        if follows.is_some_and(|samples| samples < self.n.blind) {
            return None;
        }
        let length = before.map(|(last, _)| onset - last).filter(|samples| *samples > 0);
        self.base = (self.base.saturating_mul(7) + self.sum_max) / 8;
        self.heights.push(height);
        self.last = Some((onset, middle));
        self.joined = true;
        self.quiet_from = self.index;
        Some(Found { onset, follows, length, foot: rise.foot, peak: rise.peak })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.low.bytes() + self.smooth.bytes() + self.rises.bytes() + self.heights.bytes()
    }
}
