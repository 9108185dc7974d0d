//! How good a signal is, with the reason.
//!
//! Unknown is never normal: a signal of unknown quality has no beats to speak of, and says nothing about their absence. *Not* the flags a
//! device sends ([`obhut_model::Quality`]); those are one of the inputs.
//!
//! Sources: Li Q, Mark RG, Clifford GD, "Robust heart rate estimation from multiple asynchronous noisy sources using signal quality indices
//! and a Kalman filter", Physiol Meas 29 (2008) 15–32 (agreement of two detectors, kurtosis, flat line); Orphanidou C et al.,
//! "Signal-quality indices for the electrocardiogram and photoplethysmogram", IEEE J Biomed Health Inform 19 (2015) 832–838 (likeness to the
//! mean beat).

/// State of one channel over the last ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalQuality {
    /// Usable.
    Good,
    /// Usable with the reason shown beside it.
    Doubtful(Doubt),
    /// Not usable: nothing can be said from it, neither that something is there nor that it is not.
    Unknown(Lack),
}

impl SignalQuality {
    /// Whether anything may be said from the signal.
    #[must_use]
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// Whether the signal is good.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good)
    }
}

/// Why a signal is doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doubt {
    /// Some samples are missing.
    PartlyMissing,
    /// Some samples stand at the end of the range.
    Clipping,
    /// Disturbance too large beside what is measured.
    Noise,
    /// Two independent ways of finding beats disagree.
    DetectorsDisagree,
    /// Beats do not look like each other.
    Shape,
    /// Values no body has, or leaps between beats.
    Implausible,
    /// The device flags the signal as questionable.
    DeviceDoubts,
}

/// Why nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lack {
    /// Too little has been seen yet.
    Starting,
    /// Most samples are missing.
    Missing,
    /// Nothing has come for a while.
    Stale,
    /// The same value all the time: not even the noise of a living connection.
    FlatLine,
    /// At the end of the range most of the time.
    Saturated,
    /// The device says the sensor is off, calibrating or wrong.
    SensorOff,
}

/// A bounded summary of one second of samples; all judgements about quality are made from these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Second<X> {
    /// Microseconds since 1970, after its last sample.
    pub(crate) end: i64,
    pub(crate) samples: u32,
    pub(crate) missing: u32,
    pub(crate) sensor_off: u32,
    pub(crate) doubted: u32,
    pub(crate) clipped: u32,
    pub(crate) lowest: i16,
    pub(crate) highest: i16,
    /// What the kind of channel adds.
    pub(crate) more: X,
}

impl<X> Second<X> {
    /// Whether enough of it is there to say that something was not: at most one sample in 25 missing, and none at the end of the range.
    pub(crate) const fn is_whole(&self) -> bool {
        self.missing.saturating_mul(25) <= self.samples && self.clipped == 0
    }
}

/// For how many microseconds up to `at` the newest of `seconds` are whole, without a gap between them.
pub(crate) fn unbroken<X>(seconds: &[&Second<X>], at: i64) -> i64 {
    let mut from = at;
    for (n, second) in seconds.iter().rev().enumerate() {
        let apart = from.saturating_sub(second.end);
        if !second.is_whole() || apart > if n == 0 { 1_100_000 } else { 100_000 } {
            break;
        }
        from = second.end.saturating_sub(1_000_000);
    }
    at.saturating_sub(from)
}

/// Sums up a second, sample by sample.
#[derive(Debug, Clone)]
pub(crate) struct Summing {
    wanted: u32,
    plateau_min: u32,
    samples: u32,
    missing: u32,
    sensor_off: u32,
    doubted: u32,
    lowest: i16,
    highest: i16,
    run: (i16, u32),
    low_run: u32,
    high_run: u32,
}

/// A curve narrower than this many steps of its converter is too coarse to speak of clipping.
const CLIP_SPAN_MIN: i32 = 16;

impl Summing {
    /// `wanted`: samples in a second; `plateau_min`: how many equal samples at the extreme are a plateau.
    pub(crate) fn new(wanted: usize, plateau_min: usize) -> Self {
        Self {
            wanted: u32::try_from(wanted).unwrap_or(u32::MAX).max(1),
            plateau_min: u32::try_from(plateau_min).unwrap_or(u32::MAX).max(4),
            samples: 0,
            missing: 0,
            sensor_off: 0,
            doubted: 0,
            lowest: i16::MAX,
            highest: i16::MIN,
            run: (0, 0),
            low_run: 0,
            high_run: 0,
        }
    }

    /// Adds a sample; `true` when the second is full and [`Summing::take`] is due.
    pub(crate) fn push(&mut self, sample: Option<i16>, sensor_off: bool, doubted: bool) -> bool {
        self.samples += 1;
        self.sensor_off += u32::from(sensor_off);
        self.doubted += u32::from(doubted);
        match sample {
            None => self.missing += 1,
            Some(value) => self.value(value),
        }
        self.samples >= self.wanted
    }

    fn value(&mut self, value: i16) {
        if value != self.run.0 {
            self.run = (value, 0);
        }
        self.run.1 += 1;
        if value < self.lowest {
            (self.lowest, self.low_run) = (value, 0);
        }
        if value > self.highest {
            (self.highest, self.high_run) = (value, 0);
        }
        if value == self.lowest {
            self.low_run = self.low_run.max(self.run.1);
        }
        if value == self.highest {
            self.high_run = self.high_run.max(self.run.1);
        }
    }

    /// The second, and begins the next.
    pub(crate) fn take<X>(&mut self, end: i64, more: X) -> Second<X> {
        let span = i32::from(self.highest) - i32::from(self.lowest);
        let plateau = |run: u32| if span >= CLIP_SPAN_MIN && run >= self.plateau_min { run } else { 0 };
        let second = Second {
            end,
            samples: self.samples,
            missing: self.missing,
            sensor_off: self.sensor_off,
            doubted: self.doubted,
            clipped: plateau(self.low_run).saturating_add(plateau(self.high_run)).min(self.samples),
            lowest: self.lowest,
            highest: self.highest,
            more,
        };
        *self = Self::new(self.wanted as usize, self.plateau_min as usize);
        second
    }
}

/// How long a curve may stand still, and what counts how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityLimits {
    /// Whole seconds without any change before a curve is flat.
    pub flat_s: u32,
    /// Share of missing samples, percent, from which a signal is doubtful.
    pub missing_doubtful_percent: u32,
    /// Share of missing samples, percent, from which nothing is said.
    pub missing_unknown_percent: u32,
    /// Share of samples at the end of the range, percent, from which a signal is doubtful.
    pub clipped_doubtful_percent: u32,
    /// Share of samples at the end of the range, percent, from which nothing is said.
    pub clipped_unknown_percent: u32,
    /// Seconds without new samples before a channel is stale.
    pub stale_s: u32,
    /// Agreement of the two ECG detectors, percent, below which they disagree.
    pub agreement_percent: u32,
    /// Mean correlation with the usual beat, percent, below which an ECG is doubtful.
    pub ecg_likeness_percent: u32,
    /// The same for pulses.
    pub pulse_likeness_percent: u32,
}

impl QualityLimits {
    /// Likeness after Orphanidou 2015 (0.66 and 0.86), agreement as usual since Li 2008; the rest by decision 0170.
    #[must_use]
    pub const fn published() -> Self {
        Self {
            flat_s: 3,
            missing_doubtful_percent: 5,
            missing_unknown_percent: 50,
            clipped_doubtful_percent: 3,
            clipped_unknown_percent: 50,
            stale_s: 3,
            agreement_percent: 90,
            ecg_likeness_percent: 66,
            pulse_likeness_percent: 86,
        }
    }
}

/// What the samples alone say, before anybody looks for beats. `seconds`: newest last, all within the last ten seconds before `at`.
pub(crate) fn of_samples<X>(seconds: &[&Second<X>], at: i64, limits: &QualityLimits) -> SignalQuality {
    use SignalQuality::{Doubtful, Good, Unknown};
    let Some(newest) = seconds.last() else { return Unknown(Lack::Starting) };
    if at.saturating_sub(newest.end) > i64::from(limits.stale_s).saturating_mul(1_000_000) {
        return Unknown(Lack::Stale);
    }
    let share = |count: fn(&Second<X>) -> u32, of: &[&Second<X>]| {
        let all: u64 = of.iter().map(|s| u64::from(s.samples)).sum();
        let some: u64 = of.iter().map(|s| u64::from(count(s))).sum();
        u32::try_from(some.saturating_mul(100) / all.max(1)).unwrap_or(100)
    };
    let recent = seconds.get(seconds.len().saturating_sub(3)..).unwrap_or(seconds);
    if share(|s| s.sensor_off, recent) >= limits.missing_unknown_percent {
        return Unknown(Lack::SensorOff);
    }
    if share(|s| s.missing, recent) >= limits.missing_unknown_percent {
        return Unknown(Lack::Missing);
    }
    if seconds.len() < 3 {
        return Unknown(Lack::Starting);
    }
    let span = |s: &Second<X>| i32::from(s.highest) - i32::from(s.lowest);
    let still = seconds.iter().rev().take_while(|s| span(s) <= 1).count();
    let (low, high) =
        seconds.iter().fold((i16::MAX, i16::MIN), |(low, high), s| (low.min(s.lowest), high.max(s.highest)));
    if still >= limits.flat_s as usize {
        return Unknown(Lack::FlatLine);
    }
    // A second that is nothing but the extreme of its neighbours stands at the end of the range, too.
    let wide = i32::from(high) - i32::from(low) >= CLIP_SPAN_MIN;
    let clipped = |of: &[&Second<X>]| {
        let all: u64 = of.iter().map(|s| u64::from(s.samples)).sum();
        let at_end = |s: &Second<X>| wide && span(s) == 0 && (s.highest == high || s.lowest == low);
        let some: u64 = of.iter().map(|s| u64::from(if at_end(s) { s.samples } else { s.clipped })).sum();
        u32::try_from(some.saturating_mul(100) / all.max(1)).unwrap_or(100)
    };
    if clipped(recent) >= limits.clipped_unknown_percent {
        return Unknown(Lack::Saturated);
    }
    if share(|s| s.missing, seconds) >= limits.missing_doubtful_percent {
        return Doubtful(Doubt::PartlyMissing);
    }
    if clipped(seconds) >= limits.clipped_doubtful_percent {
        return Doubtful(Doubt::Clipping);
    }
    if share(|s| s.doubted, recent) > 0 {
        return Doubtful(Doubt::DeviceDoubts);
    }
    Good
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(curve: impl Fn(usize) -> Option<i16>) -> SignalQuality {
        let mut summing = Summing::new(100, 10);
        let mut seconds = Vec::new();
        for n in 0..1000 {
            if summing.push(curve(n), false, false) {
                seconds.push(summing.take((n as i64 + 1) * 10_000, ()));
            }
        }
        of_samples(&seconds.iter().collect::<Vec<_>>(), 10_000_000, &QualityLimits::published())
    }

    #[test]
    fn what_the_samples_say() {
        let wave = |n: usize| ((n as f64 / 10.0).sin() * 300.0) as i16;
        assert_eq!(judge(|n| Some(wave(n))), SignalQuality::Good);
        assert_eq!(judge(|_| Some(7)), SignalQuality::Unknown(Lack::FlatLine));
        assert_eq!(judge(|_| None), SignalQuality::Unknown(Lack::Missing));
        assert_eq!(judge(|n| (n % 10 != 0).then(|| wave(n))), SignalQuality::Doubtful(Doubt::PartlyMissing));
        assert_eq!(judge(|n| Some(wave(n).clamp(-250, 250))), SignalQuality::Doubtful(Doubt::Clipping));
        assert_eq!(judge(|n| Some(wave(n).clamp(-3000, -280))), SignalQuality::Unknown(Lack::Saturated));
        // Noise of two steps is a living connection.
        assert_eq!(judge(|n| Some([0, 1, 2, 1][n % 4])), SignalQuality::Good);
    }
}
