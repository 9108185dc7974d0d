//! One pulse curve: pulses, their likeness, pressures where it is one, and the judgement of its quality.

use super::{Found, Slopes};
use crate::beat::{Beat, Rhythm, Template, within};
use crate::filter::{VALUE_MAX, fixed, samples_in};
use crate::limits;
use crate::pressure::{Gate, Gating, PressureBeat};
use crate::quality::{Doubt, Lack, QualityLimits, Second, SignalQuality, of_samples};
use crate::ring::Ring;
use crate::timeline::Clock;
use obhut_model::SampleRate;

/// What a pulse curve adds to a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PulseSecond {
    learnt: bool,
    /// Mean of the curve, in its unit.
    mean: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Curve {
    rate: SampleRate,
    per_unit: f64,
    slopes: Slopes,
    template: Template,
    sum: (f64, u32),
    pub(crate) beats: Ring<Beat>,
    /// For pressure curves.
    gating: Option<Gating>,
    pub(crate) pressures: Ring<PressureBeat>,
}

impl Curve {
    /// A plethysmogram: `floor` in its unit.
    pub(crate) fn pleth(rate: SampleRate, floor: f64) -> Self {
        Self::new(rate, 1e6, floor, None)
    }

    /// A pressure, mmHg.
    pub(crate) fn pressure(rate: SampleRate, floor: f64, gate: Gate) -> Self {
        Self::new(rate, 1e3, floor, Some(Gating::new(gate)))
    }

    fn new(rate: SampleRate, per_unit: f64, floor: f64, gating: Option<Gating>) -> Self {
        Self {
            rate,
            per_unit,
            slopes: Slopes::new(rate, fixed(floor, per_unit, VALUE_MAX)),
            template: Template::new(),
            sum: (0.0, 0),
            beats: Ring::new(limits::BEATS_KEPT),
            pressures: Ring::new(if gating.is_some() { limits::BEATS_KEPT } else { 1 }),
            gating,
        }
    }

    pub(crate) fn gap(&mut self) {
        self.slopes.gap();
        if let Some(gating) = &mut self.gating {
            gating.gap();
        }
    }

    pub(crate) fn push(&mut self, value: f64, clock: &Clock) {
        let steps = fixed(value, self.per_unit, VALUE_MAX);
        self.sum = (self.sum.0 + steps as f64 / self.per_unit, self.sum.1 + 1);
        let Some(found) = self.slopes.push(steps) else { return };
        let likeness = self.likeness(&found, clock.index());
        let beat = Beat {
            at: clock.at(found.onset),
            found_at: clock.now(),
            interval: found.follows.map(|samples| self.rate.offset_micros(samples.unsigned_abs())),
            height: (found.peak - found.foot) as f64 / self.per_unit,
            likeness,
        };
        self.beats.push(beat);
        self.weigh(&found, &beat, clock);
    }

    /// Compares the pulse before this one, from its foot over its usual length, because that one is complete.
    fn likeness(&mut self, found: &Found, index: i64) -> Option<f64> {
        let length = found.length.and_then(|samples| usize::try_from(samples).ok())?;
        let smooth = &self.slopes.smooth;
        let back = usize::try_from(index - found.onset - self.slopes.delay()).ok()? + length;
        // Up to 0.6 s of it: longer pulses end in a slope that says little.
        let len = length.min(samples_in(self.rate, 600));
        self.template.compare(len, |n| smooth.back(back.checked_sub(n)?).copied())
    }

    /// Hands a finished pressure beat to the gate.
    fn weigh(&mut self, found: &Found, beat: &Beat, clock: &Clock) {
        let Some(gating) = &mut self.gating else { return };
        let mean = found.length.and_then(|samples| {
            let len = usize::try_from(samples).ok()?;
            let end = usize::try_from(clock.index() - found.onset - self.slopes.delay()).ok()?;
            let smooth = &self.slopes.smooth;
            if smooth.len() <= end + len {
                return None;
            }
            let sum: i64 = smooth.between(end + len, end + 1).map(|(_, value)| *value).sum();
            Some(sum as f64 / len.max(1) as f64 / self.per_unit)
        });
        let (foot, peak) = (found.foot as f64 / self.per_unit, found.peak as f64 / self.per_unit);
        if let Some(done) = gating.push(beat, foot, peak, mean) {
            self.pressures.push(done);
        }
    }

    pub(crate) fn second(&mut self) -> PulseSecond {
        let (sum, count) = std::mem::take(&mut self.sum);
        PulseSecond { learnt: self.slopes.has_learnt(), mean: sum / f64::from(count.max(1)) }
    }

    pub(crate) fn judge(&self, seconds: &[&Second<PulseSecond>], at: i64, limits: &QualityLimits) -> SignalQuality {
        let bare = of_samples(seconds, at, limits);
        let (Some(newest), Some(oldest)) = (seconds.last(), seconds.first()) else { return bare };
        if !bare.is_known() {
            return bare;
        }
        if !newest.more.learnt {
            return SignalQuality::Unknown(Lack::Starting);
        }
        let from = oldest.end.saturating_sub(1_000_000);
        let rhythm = Rhythm::of(within(&self.beats, from, at, at), from, at);
        let pressures: Vec<_> = self.pressures_in(from, at).collect();
        let flawed = pressures.iter().filter(|beat| beat.flaw.is_some()).count();
        if !bare.is_good() {
            return bare;
        }
        if flawed * 2 > pressures.len() {
            return SignalQuality::Doubtful(Doubt::Implausible);
        }
        match rhythm.likeness {
            Some(alike) if alike * 100.0 < f64::from(limits.pulse_likeness_percent) => {
                SignalQuality::Doubtful(Doubt::Shape)
            }
            _ => SignalQuality::Good,
        }
    }

    pub(crate) fn pressures_in(&self, from: i64, at: i64) -> impl Iterator<Item = &PressureBeat> {
        self.pressures.iter().filter(move |beat| beat.at.micros() >= from && beat.found_at.micros() <= at)
    }

    /// Mean of the curve over `seconds`.
    pub(crate) fn level(seconds: &[&Second<PulseSecond>]) -> Option<f64> {
        let there: Vec<f64> = seconds.iter().filter(|s| s.missing < s.samples).map(|s| s.more.mean).collect();
        (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.slopes.bytes() + self.beats.bytes() + self.pressures.bytes()
    }
}
