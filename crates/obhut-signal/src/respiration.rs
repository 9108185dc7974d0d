//! Breaths per minute from an impedance (or any other) breathing curve, or nothing.
//!
//! Source: Schäfer A, Kratky KW, "Estimation of breathing rate from respiratory sinus arrhythmia: comparison of various methods", Ann Biomed
//! Eng 36 (2008) 476–485, "count-orig": between two maxima above a fifth of the third quartile of all maxima lies exactly one minimum, below
//! zero. Ours: their 0.1–0.5 Hz band-pass would lose children and fast breathing, so the curve is smoothed over half a second and the mean of
//! ten seconds is taken away (about 0.06 to 1.2 Hz).
//!
//! *Not* an apnoea alarm: no rate means unclear, never "does not breathe". What always holds: a rate comes from at least [`BREATHS_MIN`]
//! whole breaths that fill most of the window and are alike in length.

use crate::filter::{MovingSum, Triangle, VALUE_MAX, fixed, median, samples_in};
use crate::ring::Ring;
use obhut_model::SampleRate;

/// Whole breaths needed.
pub const BREATHS_MIN: usize = 3;

/// Length of the window, seconds.
pub const WINDOW_S: u32 = 40;

/// Share of the window, from first to last maximum counted, that whole breaths must fill.
const FILLED_MIN: f64 = 0.6;

/// Largest median deviation of breath lengths from their median, as a share of it.
const DEVIATION_MAX: f64 = 0.25;

/// Samples a second the curve is thinned to.
const THINNED: u32 = 10_000_000;

/// Rate, and from how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breathing {
    /// Breaths per minute.
    pub rate: f64,
    /// Whole breaths counted.
    pub breaths: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Breaths {
    every: usize,
    phase: usize,
    per_second: f64,
    smooth: Triangle,
    baseline: MovingSum,
    thin: Ring<i64>,
    window: Ring<i64>,
    lag: usize,
    fresh: bool,
}

impl Breaths {
    pub(crate) fn new(rate: SampleRate) -> Self {
        let every = (rate.microhertz() / THINNED).max(1) as usize;
        let per_second = rate.hertz() / every as f64;
        let count = |seconds: f64| (per_second * seconds).round().clamp(1.0, 2000.0) as usize;
        let baseline = MovingSum::new(count(10.0));
        Self {
            every,
            phase: 0,
            per_second,
            smooth: Triangle::new(samples_in(rate, 250)),
            lag: baseline.len() / 2,
            thin: Ring::new(baseline.len()),
            baseline,
            window: Ring::new(count(f64::from(WINDOW_S))),
            fresh: true,
        }
    }

    pub(crate) fn gap(&mut self) {
        self.fresh = true;
    }

    pub(crate) fn push(&mut self, value: f64) {
        let value = fixed(value, 1e5, VALUE_MAX);
        if self.fresh {
            self.fresh = false;
            self.smooth.restart(value);
            self.baseline.restart(value);
            self.thin.clear();
            self.window.clear();
            self.phase = 0;
        }
        let smooth = self.smooth.push(value);
        self.phase += 1;
        if self.phase >= self.every {
            self.phase = 0;
            self.thin.push(smooth);
            let mean = self.baseline.mean(smooth);
            if let Some(middle) = self.thin.back(self.lag) {
                self.window.push(middle - mean);
            }
        }
    }

    /// The rate over the window, if it is clear. Until the window is full, over what there is.
    pub(crate) fn rate(&self) -> Option<Breathing> {
        let turns = self.turns();
        let maxima = || turns.iter().filter(|turn| turn.top && turn.value > 0);
        let mut heights: Vec<i64> = maxima().map(|turn| turn.value).collect();
        heights.sort_unstable();
        let threshold = heights.get(heights.len() * 3 / 4)? / 5;
        let mut lengths: Vec<f64> = Vec::new();
        let mut ends: Option<(usize, usize)> = None;
        let mut from: Option<usize> = None;
        let mut minima = 0;
        let mut below = false;
        for turn in &turns {
            if !turn.top {
                minima += 1;
                below |= turn.value < 0;
                continue;
            }
            if turn.value <= threshold {
                // A maximum in between: the breath is not a whole one.
                minima += 1;
                continue;
            }
            if let (Some(before), 1, true) = (from, minima, below) {
                lengths.push((turn.at - before) as f64 / self.per_second);
            }
            ends = Some((ends.map_or(turn.at, |(first, _)| first), turn.at));
            (from, minima, below) = (Some(turn.at), 0, false);
        }
        let (first, last) = ends?;
        let seen = (last - first) as f64 / self.per_second;
        let usual = median(lengths.iter().copied())?;
        let deviation = median(lengths.iter().map(|length| (length - usual).abs()))?;
        let clear = lengths.len() >= BREATHS_MIN
            && lengths.iter().sum::<f64>() >= seen * FILLED_MIN
            && deviation <= usual * DEVIATION_MAX
            && usual > 0.0;
        let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
        clear.then(|| Breathing { rate: 60.0 / mean, breaths: lengths.len() })
    }

    /// Where the curve turns, leaving out what is small beside it: turns nearer than a tenth of the whole span are no turns.
    fn turns(&self) -> Vec<Turn> {
        let (low, high) = self.window.iter().fold((0, 0), |(low, high), &x| (x.min(low), x.max(high)));
        let small = ((high - low) / 10).max(1);
        let mut turns: Vec<Turn> = Vec::new();
        let mut lowest = (i64::MAX, 0);
        let mut highest = (i64::MIN, 0);
        let mut rising: Option<bool> = None;
        for (at, &value) in self.window.iter().enumerate() {
            if value < lowest.0 {
                lowest = (value, at);
            }
            if value > highest.0 {
                highest = (value, at);
            }
            if rising != Some(false) && value < highest.0 - small {
                turns.push(Turn { at: highest.1, value: highest.0, top: true });
                rising = Some(false);
                lowest = (value, at);
            } else if rising != Some(true) && value > lowest.0 + small {
                turns.push(Turn { at: lowest.1, value: lowest.0, top: false });
                rising = Some(true);
                highest = (value, at);
            }
        }
        turns
    }

    pub(crate) fn bytes(&self) -> usize {
        self.smooth.bytes() + self.baseline.bytes() + self.thin.bytes() + self.window.bytes()
    }
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    at: usize,
    value: i64,
    top: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate_of(curve: impl Fn(f64) -> f64) -> Option<f64> {
        let mut breaths = Breaths::new(SampleRate::from_hertz(125).unwrap());
        (0..125 * 60).for_each(|n| breaths.push(curve(f64::from(n) / 125.0)));
        breaths.rate().map(|breathing| breathing.rate)
    }

    #[test]
    fn a_sine_wave_is_counted() {
        for rate in [8.0, 15.0, 30.0, 45.0] {
            let counted = rate_of(|t| 0.3 * (t * rate / 60.0 * std::f64::consts::TAU).sin() + 2.0).unwrap();
            assert!((counted - rate).abs() < 0.5, "{rate}: {counted}");
        }
    }

    #[test]
    fn nothing_clear_is_nothing() {
        assert_eq!(rate_of(|_| 1.0), None);
        // A walk without rhythm: steps by a generator of numbers that look random.
        let walk: Vec<f64> = (0..61)
            .scan(9u32, |state, _| {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some(f64::from(*state >> 16) / 65536.0)
            })
            .collect();
        let between = |t: f64| {
            let (n, part) = (t as usize, t.fract());
            walk[n] * (1.0 - part) + walk[n + 1] * part
        };
        assert_eq!(rate_of(between), None);
    }
}
