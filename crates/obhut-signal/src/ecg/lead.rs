//! One ECG lead: both detectors, the usual shape, what each second was like, and the judgement of its quality.

use super::elgendi::Elgendi;
use super::fibrillation::{Look, Watch};
use super::hamilton::{Found, Hamilton, RESPONSE};
use super::{Band, PER_MV};
use crate::beat::{Beat, Template, within};
use crate::filter::{SQUARED_MAX, fixed, median, samples_in};
use crate::limits;
use crate::quality::{Doubt, Lack, QualityLimits, Second, SignalQuality, of_samples};
use crate::ring::Ring;
use crate::timeline::Clock;
use obhut_model::SampleRate;

/// What an ECG adds to a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EcgSecond {
    /// Highest value after the filters.
    energy: i64,
    /// Height of usual beats at its end; zero if none are known.
    usual: i64,
    /// Mean of what the low-pass takes away.
    ripple: i64,
    pub(crate) look: Option<Look>,
    learnt: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Lead {
    rate: SampleRate,
    floor: i64,
    band: Band,
    first: Hamilton,
    second: Elgendi,
    watch: Watch,
    template: Template,
    values: Ring<i64>,
    ripple: (i64, i64),
    found: Vec<Found>,
    pub(crate) beats: Ring<Beat>,
    other: Ring<(i64, i64)>,
}

/// How the last ten seconds of a lead are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    pub(crate) quality: SignalQuality,
    /// Seconds since the last beat or since the record began, whichever is later, as far as they were quiet and good.
    pub(crate) quiet_s: f64,
    /// Height of the largest complex that could hide in the quiet, mV.
    pub(crate) quiet_mv: f64,
    /// Agreement of the two detectors, percent.
    pub(crate) agreement: Option<u32>,
}

impl Lead {
    pub(crate) fn new(rate: SampleRate, floor_mv: f64) -> Self {
        let band = Band::new(rate);
        let floor = fixed(floor_mv * RESPONSE, PER_MV, SQUARED_MAX).max(1);
        Self {
            rate,
            floor,
            first: Hamilton::new(rate, floor, band.delay()),
            second: Elgendi::new(rate, band.delay()),
            watch: Watch::new(rate),
            template: Template::new(),
            values: Ring::new(samples_in(rate, 25)),
            ripple: (0, 0),
            found: Vec::with_capacity(16),
            beats: Ring::new(limits::BEATS_KEPT),
            other: Ring::new(limits::BEATS_KEPT),
            band,
        }
    }

    pub(crate) fn gap(&mut self) {
        self.band.gap();
        self.first.gap();
        self.second.gap();
        self.watch.gap();
        self.values.clear();
    }

    pub(crate) fn push(&mut self, value: f64, clock: &Clock) {
        let value = fixed(value, PER_MV, SQUARED_MAX);
        let band = self.band.push(value);
        self.watch.push(&self.band.smooth);
        self.values.push(value);
        if let (Some(then), Some(smooth)) =
            (self.values.back(self.band.delay() - self.band.lag), self.band.smooth.back(0))
        {
            self.ripple = (self.ripple.0 + (then - smooth).abs(), self.ripple.1 + 1);
        }
        self.first.push(band, &self.band.smooth, self.band.lag, &mut self.found);
        let now = clock.now();
        for n in 0..self.found.len() {
            let Some(found) = self.found.get(n).copied() else { break };
            let likeness = self.likeness(found.at, clock.index());
            self.beats.push(Beat {
                at: clock.at(found.at),
                found_at: now,
                interval: found.follows.map(|samples| self.rate.offset_micros(samples.unsigned_abs())),
                height: found.height as f64 / PER_MV,
                likeness,
            });
        }
        self.found.clear();
        if let Some(at) = self.second.push(band) {
            self.other.push((clock.at(at).micros(), now.micros()));
        }
    }

    /// Compares 100 ms before to 150 ms after a beat, if that is still there.
    fn likeness(&mut self, at: i64, index: i64) -> Option<f64> {
        let (before, after) = (samples_in(self.rate, 100), samples_in(self.rate, 150));
        let smooth = &self.band.smooth;
        let back = usize::try_from(index - at).ok()?.checked_sub(self.band.delay() - self.band.lag)?;
        let last = back.checked_sub(after)?;
        let len = before + after;
        self.template.compare(len, |n| smooth.back(last + len - n).copied())
    }

    pub(crate) fn second(&mut self) -> EcgSecond {
        let (sum, count) = std::mem::take(&mut self.ripple);
        EcgSecond {
            energy: self.first.take_energy(),
            usual: self.first.usual_height().unwrap_or(0),
            ripple: sum / count.max(1),
            look: self.watch.look(),
            learnt: self.first.has_learnt(),
        }
    }

    /// Judges `seconds`, those of `all` in the last ten before `at`.
    pub(crate) fn judge(
        &self,
        all: &Ring<Second<EcgSecond>>,
        seconds: &[&Second<EcgSecond>],
        at: i64,
        limits: &QualityLimits,
    ) -> Judged {
        let bare = of_samples(seconds, at, limits);
        let mut judged = Judged { quality: bare, quiet_s: 0.0, quiet_mv: 0.0, agreement: None };
        let (Some(newest), Some(oldest)) = (seconds.last(), seconds.first()) else { return judged };
        if !bare.is_known() {
            return judged;
        }
        if !newest.more.learnt {
            judged.quality = SignalQuality::Unknown(Lack::Starting);
            return judged;
        }
        let from = oldest.end.saturating_sub(1_000_000);
        let last = within(&self.beats, i64::MIN, at, at).next_back().map(|beat| beat.at.micros());
        let silent_from = last.unwrap_or(from).max(from);
        let silence = at.saturating_sub(silent_from);
        // Up to two seconds a beat may still be on its way. The second in which the last beat was is not silent.
        let silent: Vec<_> =
            seconds.iter().copied().filter(|s| s.end.saturating_sub(1_300_000) > silent_from).collect();
        if silence > 2_500_000 && !silent.is_empty() {
            // The lowest height beats were known to have: after disturbances the latest is too high, and small beats would pass for silence.
            let usual = all.iter().filter(|s| s.end <= at && s.more.usual > 0).map(|s| s.more.usual).min();
            return self.judge_silence(judged, &silent, usual, silent_from, at);
        }
        let agreement = self.agreement(from, at);
        judged.agreement = agreement;
        let alike = self.mean_likeness(from, at);
        let doubt = if agreement.is_some_and(|percent| percent < limits.agreement_percent) {
            Some(Doubt::DetectorsDisagree)
        } else if alike.is_some_and(|alike| alike * 100.0 < f64::from(limits.ecg_likeness_percent)) {
            Some(Doubt::Shape)
        } else if is_noisy(seconds) || self.is_uneven(from, at) {
            Some(Doubt::Noise)
        } else {
            None
        };
        if let (SignalQuality::Good, Some(doubt)) = (bare, doubt) {
            judged.quality = SignalQuality::Doubtful(doubt);
        }
        judged
    }

    /// No beats for a while. That is worth something only if the curve is there, moves a little, and nothing in it is anywhere near a beat:
    /// what is large and no beat is disturbance, and beats may hide in it.
    fn judge_silence(
        &self,
        mut judged: Judged,
        silent: &[&Second<EcgSecond>],
        usual: Option<i64>,
        from: i64,
        at: i64,
    ) -> Judged {
        let allowed = usual.map_or(self.floor.saturating_mul(2), |usual| (usual / 3).max(self.floor));
        let disturbed = silent.iter().any(|s| s.more.energy > allowed || s.more.ripple > allowed.saturating_mul(2));
        if disturbed {
            judged.quality = SignalQuality::Doubtful(Doubt::Noise);
            return judged;
        }
        if !silent.iter().all(|s| s.is_whole()) {
            if judged.quality.is_good() {
                judged.quality = SignalQuality::Doubtful(Doubt::PartlyMissing);
            }
            return judged;
        }
        // What was wrong before the silence does not matter to it.
        judged.quality = SignalQuality::Good;
        judged.quiet_s = at.saturating_sub(from) as f64 / 1e6;
        let largest = silent.iter().map(|s| s.more.energy).max().unwrap_or(0);
        judged.quiet_mv = largest as f64 / PER_MV / RESPONSE;
        judged
    }

    /// Li 2008: beats both detectors found within 150 ms, as a share of all. The last second is left out; one of them may be late.
    fn agreement(&self, from: i64, at: i64) -> Option<u32> {
        let to = at.saturating_sub(1_000_000);
        let inside = |micros: i64| micros >= from && micros <= to;
        let one: Vec<i64> = within(&self.beats, from, to, at).map(|beat| beat.at.micros()).collect();
        let other = || self.other.iter().filter(|(at_other, found)| inside(*at_other) && *found <= at);
        let both = other().filter(|(time, _)| one.iter().any(|beat| beat.abs_diff(*time) <= 150_000)).count();
        let all = (one.len() + other().count()).checked_sub(both)?;
        if all < 3 {
            return None;
        }
        u32::try_from(both * 100 / all).ok()
    }

    fn mean_likeness(&self, from: i64, at: i64) -> Option<f64> {
        crate::beat::Rhythm::of(within(&self.beats, from, at, at), from, at).likeness
    }

    /// More than a fifth of the beats are not half to twice as high as the middle one: ectopic beats are rarer, disturbances are not.
    fn is_uneven(&self, from: i64, at: i64) -> bool {
        let heights = || within(&self.beats, from, at, at).map(|beat| beat.height);
        let Some(usual) = median(heights()) else { return false };
        let odd = heights().filter(|height| *height > usual * 2.0 || *height < usual / 2.0).count();
        odd * 5 > heights().count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.band.bytes()
            + self.first.bytes()
            + self.second.bytes()
            + self.watch.bytes()
            + self.values.bytes()
            + self.beats.bytes()
            + self.other.bytes()
            + self.found.capacity() * size_of::<Found>()
    }
}

/// A second in which the curve is steeper than four times what is usual in these seconds, or trembles at twice the height of beats, is noise:
/// ectopic beats are two or three times as steep.
fn is_noisy(seconds: &[&Second<EcgSecond>]) -> bool {
    let energy = median(seconds.iter().map(|s| s.more.energy)).unwrap_or(0);
    let usual = median(seconds.iter().map(|s| s.more.usual)).unwrap_or(0);
    seconds
        .iter()
        .any(|s| s.more.energy > energy.saturating_mul(4) || (usual > 0 && s.more.ripple > usual.saturating_mul(2)))
}
