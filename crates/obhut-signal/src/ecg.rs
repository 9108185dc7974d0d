//! QRS complexes in one ECG lead.
//!
//! Two detectors share one band-pass and nothing else. One decides about beats: Pan and Tompkins 1985 with the rules of Hamilton and Tompkins 1986 and
//! Hamilton 2002. The other is asked only whether it agrees: Elgendi 2013 (agreement as a measure of quality: Li, Mark, Clifford 2008, bSQI).
//! References stand in `ecg/hamilton.rs`, `ecg/elgendi.rs` and, for ventricular fibrillation, `ecg/fibrillation.rs`. *Not* a classifier: a beat is a beat, whatever its shape. What always holds: a gap ends an interval and
//! never makes one; a beat is reported at most [`DELAY_MS_MAX`] after it happened.

pub(crate) mod elgendi;
pub(crate) mod fibrillation;
pub(crate) mod hamilton;
pub(crate) mod lead;

use crate::filter::{MovingSum, Triangle, samples_in};
use crate::ring::Ring;
use obhut_model::SampleRate;

/// The longest a beat waits before it is reported: 0.4 s as a rule, more where only searching back finds it.
pub const DELAY_MS_MAX: u32 = 2_200;

/// Fixed-point steps per millivolt.
pub(crate) const PER_MV: f64 = 4000.0;

/// The filters both detectors see through, after Hamilton 2002: a triangular low-pass of 50 ms and a high-pass that takes away the mean
/// of 125 ms; together some 5 to 16 Hz.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    low: Triangle,
    baseline: MovingSum,
    /// Low-passed samples, half a second and more.
    pub(crate) smooth: Ring<i64>,
    /// Samples the band lags behind the low-passed curve.
    pub(crate) lag: usize,
    fresh: bool,
}

impl Band {
    pub(crate) fn new(rate: SampleRate) -> Self {
        let baseline = MovingSum::new(samples_in(rate, 125));
        Self {
            low: Triangle::new(samples_in(rate, 25)),
            lag: baseline.len() / 2,
            baseline,
            smooth: Ring::new(samples_in(rate, 1000)),
            fresh: true,
        }
    }

    /// The next sample begins anew.
    pub(crate) fn gap(&mut self) {
        self.fresh = true;
    }

    /// The band-passed value, [`Band::delay`] samples late.
    pub(crate) fn push(&mut self, value: i64) -> i64 {
        if self.fresh {
            self.fresh = false;
            self.low.restart(value);
            self.baseline.restart(value);
            self.smooth.clear();
        }
        let low = self.low.push(value);
        self.smooth.push(low);
        let mean = self.baseline.mean(low);
        self.smooth.back(self.lag).map_or(0, |middle| middle - mean)
    }

    pub(crate) fn delay(&self) -> usize {
        self.low.delay() + self.lag
    }

    pub(crate) fn bytes(&self) -> usize {
        self.low.bytes() + self.baseline.bytes() + self.smooth.bytes()
    }
}
