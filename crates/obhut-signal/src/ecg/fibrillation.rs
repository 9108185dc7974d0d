//! Does a stretch of ECG look like ventricular fibrillation?
//!
//! Sources: VF-filter leakage, Kuo S, Dillman R, "Computer detection of ventricular fibrillation", Computers in Cardiology 1978, 347–349, as
//! given by Amann A, Tratnig R, Unterkofler K, "Reliability of old and new ventricular fibrillation detection algorithms for automated
//! external defibrillators", BioMed Eng OnLine 4 (2005) 60; threshold crossing sample count (TCSC), Arafat MA, Chowdhury AW, Hasan MK,
//! "A simple time domain algorithm for the detection of ventricular fibrillation in electrocardiogram", Signal Image Video Process 5 (2011) 1–10.
//! Ours: four-second windows each second, at about 62.5 samples a second, and both must agree.

use crate::filter::{MovingSum, samples_in};
use crate::ring::Ring;
use obhut_model::SampleRate;

/// Length of a window, milliseconds.
const WINDOW_MS: u32 = 4000;

/// What a window looked like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// VF-filter leakage, 0 (a sine wave) to 1.
    pub(crate) leakage: f64,
    /// Share of samples beyond a fifth of the largest, percent.
    pub(crate) crossing: f64,
    /// Peak to peak, fixed-point steps.
    pub(crate) height: i64,
    /// Mean frequency by the same estimate the leakage rests on, hertz.
    pub(crate) hertz: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Watch {
    baseline: MovingSum,
    lag: usize,
    every: usize,
    phase: usize,
    window: Ring<i64>,
    wanted: usize,
    taper: usize,
    per_second: f64,
}

impl Watch {
    pub(crate) fn new(rate: SampleRate) -> Self {
        let every = (rate.microhertz() as usize / 62_500_000).max(1);
        let baseline = MovingSum::new(samples_in(rate, 1000));
        let wanted = samples_in(rate, WINDOW_MS) / every;
        Self {
            lag: baseline.len() / 2,
            baseline,
            every,
            phase: 0,
            window: Ring::new(wanted),
            wanted,
            taper: (wanted / 16).max(1),
            per_second: rate.hertz() / every as f64,
        }
    }

    pub(crate) fn gap(&mut self) {
        self.window.clear();
        self.phase = 0;
    }

    /// The next low-passed sample is the newest of `smooth`.
    pub(crate) fn push(&mut self, smooth: &Ring<i64>) {
        let newest = smooth.back(0).copied().unwrap_or(0);
        if self.window.len() == 0 && self.phase == 0 {
            self.baseline.restart(newest);
        }
        let mean = self.baseline.mean(newest);
        self.phase += 1;
        if self.phase >= self.every {
            self.phase = 0;
            let middle = smooth.back(self.lag.min(smooth.len().saturating_sub(1))).copied().unwrap_or(newest);
            self.window.push(middle - mean);
        }
    }

    /// What the last four seconds look like; `None` until they are there without a gap.
    pub(crate) fn look(&self) -> Option<Look> {
        if self.window.len() < self.wanted {
            return None;
        }
        let (low, high) = self.window.iter().fold((i64::MAX, i64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        let half = self.half_period()?;
        Some(Look {
            leakage: self.leakage(half)?,
            crossing: self.crossing()?,
            height: high - low,
            hertz: self.per_second / (2.0 * half),
        })
    }

    /// Half the mean period, in samples of the window (Kuo and Dillman); `None` of a curve that does not move.
    fn half_period(&self) -> Option<f64> {
        let size: i64 = self.window.iter().map(|x| x.abs()).sum();
        let change: i64 = self.window.iter().zip(self.window.iter().skip(1)).map(|(a, b)| (b - a).abs()).sum();
        (change > 0).then(|| (std::f64::consts::PI * size as f64 / change as f64).max(0.5))
    }

    /// Kuo and Dillman: shift by half the mean period and add; of a sine wave nothing is left.
    fn leakage(&self, half: f64) -> Option<f64> {
        let half = (half + 0.5) as usize;
        let (mut left, mut all) = (0i64, 0i64);
        for (a, b) in self.window.iter().zip(self.window.iter().skip(half.max(1))) {
            left += (a + b).abs();
            all += a.abs() + b.abs();
        }
        (all > 0).then(|| left as f64 / all as f64)
    }

    /// Arafat: how much of the time the tapered curve is beyond 20 % of its maximum.
    fn crossing(&self) -> Option<f64> {
        let last = self.wanted.saturating_sub(1);
        let tapered = || {
            self.window.iter().enumerate().map(move |(at, &x)| {
                let edge = at.min(last - at.min(last)) as f64 / self.taper as f64;
                let weight = if edge < 1.0 { (1.0 - (std::f64::consts::PI * edge).cos()) / 2.0 } else { 1.0 };
                x.abs() as f64 * weight
            })
        };
        let top = tapered().fold(0.0, f64::max);
        let beyond = tapered().filter(|x| *x > top * 0.2).count();
        (top > 0.0).then(|| beyond as f64 * 100.0 / self.wanted.max(1) as f64)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.baseline.bytes() + self.window.bytes()
    }
}
