//! QRS detection after Hamilton, following Pan and Tompkins.
//!
//! Sources: Pan J, Tompkins WJ, "A real-time QRS detection algorithm", IEEE Trans Biomed Eng 32 (1985) 230–236; Hamilton PS, Tompkins WJ,
//! IEEE Trans Biomed Eng 33 (1986) 1157–1165; Hamilton PS, "Open source ECG analysis", Computers in Cardiology 29 (2002) 101–104.
//! Band-pass, slope over 10 ms, magnitude, mean over 80 ms; a peak counts when nothing larger follows within 200 ms; thresholds between
//! the medians of the last eight beats and the last eight noise peaks; T waves by slope; steps of the baseline by slopes that do not
//! balance; searching back after one and a half intervals; new thresholds after eight seconds without a beat.
//!
//! Ours: learning takes 2 s instead of 8 and its peaks are judged afterwards, so the first beats are not lost; searching back is cut short
//! so that no beat is reported later than [`super::DELAY_MS_MAX`]; a floor in millivolts, as IEC 60601-2-27 asks that complexes below
//! 0.15 mV be no beats.

use crate::filter::{MovingSum, median, samples_in};
use crate::ring::Ring;
use obhut_model::SampleRate;

/// Where between noise and beat the threshold lies, in 1/10000 (Hamilton 2002).
const THRESHOLD: i64 = 3125;

/// What the filters leave of a triangular complex 80 ms wide, as a share of its height: a fifth.
pub(crate) const RESPONSE: f64 = 0.2;

/// A beat as the detector sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Sample of its steepest part, counted from the first sample pushed.
    pub(crate) at: i64,
    /// How many samples before there was a beat, if it is known that none lay between.
    pub(crate) follows: Option<i64>,
    /// Its height after the filters.
    pub(crate) height: i64,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    at: i64,
    height: i64,
    slope: i64,
    /// A step of the baseline, not a complex.
    step: bool,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: i64,
    slope: i64,
}

/// Lengths in samples.
#[derive(Debug, Clone)]
struct Lengths {
    slope: usize,
    window: usize,
    hold: i64,
    peak_wait: i64,
    refractory: i64,
    t_wave: i64,
    learning: i64,
    second: i64,
    relearning: i64,
    search_max: i64,
}

/// The detector. Feed it what [`super::Band`] gives.
#[derive(Debug, Clone)]
pub(crate) struct Hamilton {
    n: Lengths,
    floor: i64,
    delay: i64,
    index: i64,
    band: Ring<i64>,
    integral: MovingSum,
    rising: Rising,
    held: Option<(Candidate, i64)>,
    /// `Some` while learning: the peaks so far and when it began.
    learning: Option<(Vec<Candidate>, i64)>,
    beats: Ring<i64>,
    noise: Ring<i64>,
    intervals: Ring<i64>,
    threshold: i64,
    last: Option<Last>,
    /// Whether an interval may be counted from `last`.
    joined: bool,
    missed: Option<Candidate>,
    background: Ring<i64>,
    background_now: i64,
    background_from: i64,
    quiet_from: i64,
    /// Highest value after the filters since it was last taken.
    energy: i64,
}

/// Hamilton's search for a local maximum: it counts once the curve has fallen to half, or after 95 ms.
#[derive(Debug, Clone, Copy, Default)]
struct Rising {
    max: i64,
    max_at: i64,
    before: i64,
}

impl Rising {
    fn step(&mut self, value: i64, index: i64, wait: i64) -> Option<(i64, i64)> {
        let mut peak = None;
        if value > self.before && value > self.max {
            self.max = value;
            self.max_at = index;
        } else if self.max > 0 && (value < self.max / 2 || index - self.max_at > wait) {
            peak = Some((self.max, self.max_at));
            self.max = 0;
        }
        self.before = value;
        peak
    }
}

impl Hamilton {
    /// `floor`: height after the filters below which nothing is a beat; `delay`: of the band-pass, in samples.
    pub(crate) fn new(rate: SampleRate, floor: i64, delay: usize) -> Self {
        let n = |ms| samples_in(rate, ms);
        let long = |ms| samples_in(rate, ms) as i64;
        let lengths = Lengths {
            slope: n(10),
            window: n(80),
            hold: long(200),
            peak_wait: long(95),
            refractory: long(200),
            t_wave: long(360),
            learning: long(2000),
            second: long(1000),
            relearning: long(8000),
            search_max: long(2000),
        };
        Self {
            floor: floor.max(1),
            delay: delay as i64,
            index: -1,
            band: Ring::new(n(420)),
            integral: MovingSum::new(lengths.window),
            rising: Rising::default(),
            held: None,
            learning: Some((Vec::with_capacity(16), 0)),
            beats: Ring::new(8),
            noise: Ring::new(8),
            intervals: Ring::new(8),
            threshold: floor.max(1),
            last: None,
            joined: false,
            missed: None,
            background: Ring::new(8),
            background_now: 0,
            background_from: 0,
            quiet_from: 0,
            energy: 0,
            n: lengths,
        }
    }

    /// Whether thresholds are known.
    pub(crate) fn has_learnt(&self) -> bool {
        self.learning.is_none()
    }

    /// The height of usual beats, if any were seen.
    pub(crate) fn usual_height(&self) -> Option<i64> {
        median(self.beats.iter().copied())
    }

    /// Highest value after the filters since this was last asked.
    pub(crate) fn take_energy(&mut self) -> i64 {
        std::mem::take(&mut self.energy)
    }

    /// A sample that is not there. Filters begin anew after it; thresholds stay.
    pub(crate) fn gap(&mut self) {
        self.index = self.index.saturating_add(1);
        if self.band.len() > 0 {
            self.forget();
        }
        if let Some((_, from)) = &mut self.learning {
            *from = from.saturating_add(1);
        }
        self.quiet_from = self.quiet_from.saturating_add(1);
        self.background_from = self.background_from.saturating_add(1);
    }

    fn forget(&mut self) {
        self.band.clear();
        self.integral.restart(0);
        self.rising = Rising::default();
        self.held = None;
        self.missed = None;
        self.joined = false;
    }

    /// The next band-passed sample; `smooth` and `lag` as in [`super::Band`]. Beats go to `out`, oldest first.
    pub(crate) fn push(&mut self, band: i64, smooth: &Ring<i64>, lag: usize, out: &mut Vec<Found>) {
        self.index = self.index.saturating_add(1);
        self.band.push(band);
        let slope = band - self.band.back(self.n.slope).copied().unwrap_or(band);
        let value = self.integral.mean(slope.abs());
        self.energy = self.energy.max(value);
        let peak = self.rising.step(value, self.index, self.n.peak_wait);
        let new = peak
            .filter(|(height, _)| *height >= self.floor)
            .map(|(height, at)| self.candidate(height, at, smooth, lag));
        if let Some(candidate) = self.hold(new) {
            self.background_now = self.background_now.max(candidate.height);
            match &mut self.learning {
                Some((seen, _)) => {
                    if seen.len() < 16 {
                        seen.push(candidate);
                    }
                }
                None => self.judge(candidate, out),
            }
        }
        self.learn(out);
        if self.learning.is_none() {
            self.search_back(out);
            self.watch_background();
        }
    }

    /// Finds the complex below a peak of the filtered curve.
    fn candidate(&self, height: i64, peak_at: i64, smooth: &Ring<i64>, lag: usize) -> Candidate {
        let back = usize::try_from(self.index - peak_at).unwrap_or(0);
        let span = self.n.window + self.n.slope;
        let mut best = (0, 0);
        let mut slope = 0;
        let mut before: Option<i64> = None;
        for (distance, &value) in self.band.between(back + span, back) {
            if value.abs() > best.0 {
                best = (value.abs(), distance);
            }
            if let Some(before) = before {
                slope = slope.max((value - before).abs());
            }
            before = Some(value);
        }
        Candidate {
            at: self.index - best.1 as i64 - self.delay,
            height,
            slope,
            step: self.is_step(smooth, best.1 + lag),
        }
    }

    /// Hamilton's test for a shift of the baseline: around a complex the curve goes up about as steeply as down, and soon. `middle`:
    /// how many samples ago the complex was, in the low-passed curve.
    fn is_step(&self, smooth: &Ring<i64>, middle: usize) -> bool {
        let half = self.n.window + self.n.slope * 3;
        let slopes = smooth
            .between(middle + half, middle.saturating_sub(half))
            .filter_map(|(at, value)| Some((at as i64, value - smooth.back(at + self.n.slope)?)));
        let (mut up, mut down) = ((0, 0), (0, 0));
        for (at, slope) in slopes {
            if slope > up.0 {
                up = (slope, at);
            }
            if slope < down.0 {
                down = (slope, at);
            }
        }
        let (rise, fall) = (up.0, -down.0);
        !(rise > fall / 8 && fall > rise / 8 && (up.1 - down.1).abs() < self.n.window as i64 * 2)
    }

    /// Holds a peak for 200 ms in case a larger one comes.
    fn hold(&mut self, new: Option<Candidate>) -> Option<Candidate> {
        match (&mut self.held, new) {
            (None, Some(new)) => {
                self.held = Some((new, self.index));
                None
            }
            (Some((held, since)), Some(new)) if new.height > held.height => {
                (*held, *since) = (new, self.index);
                None
            }
            (Some((held, since)), _) if self.index - *since >= self.n.hold => {
                let ready = *held;
                self.held = None;
                Some(ready)
            }
            _ => None,
        }
    }

    /// Ends learning after two seconds and judges what was seen meanwhile.
    fn learn(&mut self, out: &mut Vec<Found>) {
        let Some((seen, from)) = self.learning.take_if(|(_, from)| self.index - *from >= self.n.learning) else {
            return;
        };
        let middle = from + self.n.learning / 2;
        let top = |late: bool| {
            seen.iter().filter(|c| !c.step && (c.at >= middle) == late).map(|c| c.height).max().unwrap_or(0)
        };
        let (one, other) = (top(false).min(top(true)), top(false).max(top(true)));
        // One second may hold no beat, or an artefact; the lower maximum is trusted unless it is far lower.
        let level = if one.saturating_mul(10) >= other.saturating_mul(3) { one } else { other };
        if level > 0 {
            self.beats.push(level);
        }
        self.set_threshold();
        self.quiet_from = self.index;
        self.background_from = self.index;
        for candidate in seen {
            self.judge(candidate, out);
        }
    }

    fn judge(&mut self, candidate: Candidate, out: &mut Vec<Found>) {
        if candidate.step {
            return;
        }
        let since = self.last.filter(|_| self.joined).map(|last| candidate.at - last.at);
        if since.is_some_and(|since| since < self.n.refractory) {
            return;
        }
        let is_t_wave =
            self.last.zip(since).is_some_and(|(last, since)| since < self.n.t_wave && candidate.slope < last.slope / 2);
        if candidate.height > self.threshold && !is_t_wave {
            self.accept(candidate, out);
            return;
        }
        self.noise.push(candidate.height);
        self.set_threshold();
        let late_enough = since.is_some_and(|since| since >= self.n.t_wave);
        if late_enough && self.missed.is_none_or(|missed| candidate.height > missed.height) {
            self.missed = Some(candidate);
        }
    }

    fn accept(&mut self, candidate: Candidate, out: &mut Vec<Found>) {
        let follows = self.last.filter(|_| self.joined).map(|last| candidate.at - last.at);
        if let Some(interval) = follows {
            self.intervals.push(interval);
        }
        self.beats.push(candidate.height);
        self.set_threshold();
        self.last = Some(Last { at: candidate.at, slope: candidate.slope });
        self.joined = true;
        self.missed = None;
        self.quiet_from = self.index;
        self.background_from = self.index;
        self.background_now = 0;
        self.background.clear();
        out.push(Found { at: candidate.at, follows, height: candidate.height });
    }

    fn set_threshold(&mut self) {
        let noise = median(self.noise.iter().copied()).unwrap_or(0);
        let beat = self.usual_height().unwrap_or(0).max(noise);
        self.threshold = (noise + (beat - noise).saturating_mul(THRESHOLD) / 10_000).max(self.floor);
    }

    fn search_back(&mut self, out: &mut Vec<Found>) {
        let (Some(missed), Some(last)) = (self.missed, self.last) else { return };
        let usual = median(self.intervals.iter().copied()).unwrap_or(self.n.second);
        let waited = self.index - self.delay - last.at;
        let limit =
            (usual.saturating_mul(3) / 2 + self.n.hold / 2).min(self.n.search_max + self.n.t_wave - self.n.hold);
        if waited > limit {
            self.missed = None;
            if missed.height > self.threshold / 2 {
                self.accept(missed, out);
            }
        }
    }

    /// After eight seconds without a beat the thresholds follow what there is, as far as it is above the floor.
    fn watch_background(&mut self) {
        if self.index - self.background_from >= self.n.second {
            self.background.push(std::mem::take(&mut self.background_now));
            self.background_from = self.index;
        }
        if self.index - self.quiet_from >= self.n.relearning {
            self.quiet_from = self.index;
            let level = median(self.background.iter().copied()).unwrap_or(0);
            if level >= self.floor {
                self.beats.clear();
                self.noise.clear();
                self.beats.push(level);
                self.set_threshold();
            }
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.band.bytes() + self.integral.bytes() + 16 * size_of::<Candidate>() + 6 * 8 * size_of::<i64>()
    }
}
