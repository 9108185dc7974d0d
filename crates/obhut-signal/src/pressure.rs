//! Arterial pressure, beat by beat, and whether a beat can be one.
//!
//! Sources: onsets as in [`crate::pulse`]; gating after Sun JX, Reisner AT, Mark RG, "A signal abnormality index for arterial blood pressure
//! waveforms", Computers in Cardiology 33 (2006) 13–16 (and Sun's thesis, MIT 2006; called jSQI). Its numbers are for adults; a ward for children
//! needs others, so they are a parameter.

use crate::beat::Beat;
use crate::filter::median;
use obhut_model::DeviceTime;

/// What a pressure beat must be to be believed. mmHg and seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Highest systolic pressure.
    pub systolic_max: f64,
    /// Lowest diastolic pressure.
    pub diastolic_min: f64,
    /// Lowest mean pressure.
    pub mean_min: f64,
    /// Highest mean pressure.
    pub mean_max: f64,
    /// Smallest pulse pressure.
    pub pulse_min: f64,
    /// Lowest pulse rate, per minute.
    pub rate_min: f64,
    /// Highest pulse rate, per minute.
    pub rate_max: f64,
    /// Largest change of the systolic pressure from beat to beat.
    pub systolic_leap: f64,
    /// Largest change of the diastolic pressure from beat to beat.
    pub diastolic_leap: f64,
    /// Largest change of the interval from beat to beat.
    pub interval_leap_s: f64,
}

impl Gate {
    /// Sun 2006, table 1; for adults.
    #[must_use]
    pub const fn sun_2006() -> Self {
        Self {
            systolic_max: 300.0,
            diastolic_min: 20.0,
            mean_min: 30.0,
            mean_max: 200.0,
            pulse_min: 20.0,
            rate_min: 20.0,
            rate_max: 200.0,
            systolic_leap: 20.0,
            diastolic_leap: 20.0,
            interval_leap_s: 2.0 / 3.0,
        }
    }
}

/// Why a pressure beat is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Systolic, diastolic, mean or pulse pressure outside the gate.
    Pressure,
    /// Rate outside the gate.
    Rate,
    /// Too different from the beat before.
    Leap,
}

/// Pressures of one beat, mmHg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureBeat {
    /// Onset of the pulse.
    pub at: DeviceTime,
    /// When the next onset was known, and with it the end of this beat.
    pub found_at: DeviceTime,
    /// Highest.
    pub systolic: f64,
    /// At the foot before.
    pub diastolic: f64,
    /// Area under the curve from onset to onset, over its length.
    pub mean: f64,
    /// What is wrong with it, if anything.
    pub flaw: Option<Flaw>,
}

/// Systolic, diastolic and mean pressure, mmHg: medians of the believable beats of the last ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pressures {
    /// Systolic.
    pub systolic: f64,
    /// Diastolic.
    pub diastolic: f64,
    /// Mean.
    pub mean: f64,
    /// From how many beats.
    pub beats: usize,
}

impl Pressures {
    /// Needs three believable beats, and half of all.
    pub(crate) fn of<'a>(beats: impl Iterator<Item = &'a PressureBeat>) -> Option<Self> {
        let all: Vec<&PressureBeat> = beats.collect();
        let good: Vec<&PressureBeat> = all.iter().copied().filter(|beat| beat.flaw.is_none()).collect();
        if good.len() < 3 || good.len() * 2 < all.len() {
            return None;
        }
        let of = |what: fn(&PressureBeat) -> f64| median(good.iter().map(|beat| what(beat)));
        Some(Self {
            systolic: of(|b| b.systolic)?,
            diastolic: of(|b| b.diastolic)?,
            mean: of(|b| b.mean)?,
            beats: good.len(),
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Open {
    at: DeviceTime,
    foot: f64,
    peak: f64,
}

/// Closes each beat when the next one begins, and looks whether it can be one.
#[derive(Debug, Clone)]
pub(crate) struct Gating {
    gate: Gate,
    open: Option<Open>,
    /// Systolic, diastolic, interval of the beat before.
    before: Option<(f64, f64, f64)>,
}

impl Gating {
    pub(crate) const fn new(gate: Gate) -> Self {
        Self { gate, open: None, before: None }
    }

    pub(crate) fn gap(&mut self) {
        self.open = None;
        self.before = None;
    }

    /// A pulse began; `mean` is that of the interval before it.
    pub(crate) fn push(&mut self, beat: &Beat, foot: f64, peak: f64, mean: Option<f64>) -> Option<PressureBeat> {
        let open = self.open.replace(Open { at: beat.at, foot, peak });
        let (Some(open), Some(mean), Some(interval)) = (open, mean, beat.interval) else {
            self.before = None;
            return None;
        };
        let seconds = interval as f64 / 1e6;
        let flaw = self.flaw(&open, mean, seconds);
        self.before = Some((open.peak, open.foot, seconds));
        Some(PressureBeat {
            at: open.at,
            found_at: beat.found_at,
            systolic: open.peak,
            diastolic: open.foot,
            mean,
            flaw,
        })
    }

    fn flaw(&self, open: &Open, mean: f64, seconds: f64) -> Option<Flaw> {
        let gate = &self.gate;
        let rate = 60.0 / seconds.max(1e-3);
        if open.peak > gate.systolic_max
            || open.foot < gate.diastolic_min
            || !(gate.mean_min..=gate.mean_max).contains(&mean)
            || open.peak - open.foot < gate.pulse_min
        {
            return Some(Flaw::Pressure);
        }
        if !(gate.rate_min..=gate.rate_max).contains(&rate) {
            return Some(Flaw::Rate);
        }
        let (systolic, diastolic, interval) = self.before?;
        let leaps = (open.peak - systolic).abs() > gate.systolic_leap
            || (open.foot - diastolic).abs() > gate.diastolic_leap
            || (seconds - interval).abs() > gate.interval_leap_s;
        leaps.then_some(Flaw::Leap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaws(beats: &[(f64, f64, f64)]) -> Vec<Option<Flaw>> {
        let mut gating = Gating::new(Gate::sun_2006());
        let beat = Beat {
            at: DeviceTime::from_micros(0),
            found_at: DeviceTime::from_micros(0),
            interval: Some(800_000),
            height: 40.0,
            likeness: None,
        };
        beats
            .iter()
            .chain([&(0.0, 0.0, 0.0)])
            .scan(0.0, |mean, &(foot, peak, next)| {
                let done = gating.push(&beat, foot, peak, Some(*mean));
                *mean = next;
                Some(done)
            })
            .flatten()
            .map(|done| done.flaw)
            .collect()
    }

    #[test]
    fn the_gate_opens_for_bodies_only() {
        let fine = (80.0, 120.0, 93.0);
        assert_eq!(flaws(&[fine, fine]), [None, None]);
        assert_eq!(flaws(&[(80.0, 310.0, 120.0)]), [Some(Flaw::Pressure)]);
        assert_eq!(flaws(&[(15.0, 60.0, 40.0)]), [Some(Flaw::Pressure)]);
        assert_eq!(flaws(&[(80.0, 95.0, 85.0)]), [Some(Flaw::Pressure)]);
        assert_eq!(flaws(&[fine, (80.0, 150.0, 100.0)]), [None, Some(Flaw::Leap)]);
    }
}
