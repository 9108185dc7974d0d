//! Conditions seen in the curves themselves, beside whatever the devices say.
//!
//! *Not* alarms: when a condition becomes a signal, with which priority, latched or not, is decided elsewhere. What always holds: no beats
//! are reported only where an ECG is good and shows why; asystole takes a second signal without pulses; a condition that another signal
//! contradicts is still here, with the contradiction in it.

use crate::bed::is_pulse;
use crate::channel::{Channel, Sort, View};
use crate::ecg::PER_MV;
use crate::settings::EventLimits;
use crate::verify::{self, Claim, Verdict};
use obhut_model::{Code, DeviceTime};

/// What is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ConditionKind {
    /// A good ECG shows no beats, and a pulse curve of known quality shows no pulses.
    Asystole {
        /// The ECG lead.
        lead: Code,
        /// The pulse curve.
        pulse: Code,
        /// For how long, seconds; the shorter of both.
        seconds: f64,
        /// Nothing in the ECG was higher than a complex of so many mV.
        largest_mv: f64,
    },
    /// A good ECG shows no beats; no other signal says the same.
    NoBeats {
        /// The ECG lead.
        lead: Code,
        /// For how long, seconds.
        seconds: f64,
        /// Nothing in the ECG was higher than a complex of so many mV.
        largest_mv: f64,
    },
    /// Slower than the limit.
    Bradycardia {
        /// Where it is seen.
        code: Code,
        /// Per minute.
        rate: f64,
    },
    /// Faster than the limit.
    Tachycardia {
        /// Where it is seen.
        code: Code,
        /// Per minute.
        rate: f64,
    },
    /// An ECG looks like ventricular fibrillation (or another rhythm without complexes).
    FibrillationLike {
        /// The ECG lead.
        lead: Code,
        /// For how many seconds in a row, as far as they are looked at.
        seconds: u32,
    },
    /// A pulse curve that had pulses has none any more, and its quality is known.
    PulseLost {
        /// The curve.
        code: Code,
        /// For how long, seconds.
        seconds: f64,
    },
}

/// A condition and what the other signals say to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// What is there.
    pub kind: ConditionKind,
    /// The second opinion.
    pub verdict: Verdict,
}

pub(crate) fn conditions(limits: &EventLimits, channels: &[Channel], views: &[View], at: DeviceTime) -> Vec<Condition> {
    let opinion = |claim| verify::verify(claim, limits, channels, views, at);
    let mut all = Vec::new();
    if let Some(kind) = silence(limits, views) {
        all.push(Condition { kind, verdict: opinion(Claim::Asystole) });
    }
    if let Some((lead, seconds)) = fibrillation(limits, views) {
        let kind = ConditionKind::FibrillationLike { lead, seconds };
        all.push(Condition { kind, verdict: opinion(Claim::VentricularFibrillation) });
    }
    if let Some((code, rate)) = rate(views) {
        if rate < limits.bradycardia_below {
            let verdict = opinion(Claim::ExtremeBradycardia);
            all.push(Condition { kind: ConditionKind::Bradycardia { code, rate }, verdict });
        }
        if rate > limits.tachycardia_above {
            let verdict = opinion(Claim::ExtremeTachycardia);
            all.push(Condition { kind: ConditionKind::Tachycardia { code, rate }, verdict });
        }
    }
    for view in views.iter().filter(|view| is_pulse(view.sort) && pulse_lost(limits, view)) {
        let kind = ConditionKind::PulseLost { code: view.code, seconds: view.quiet_s };
        all.push(Condition { kind, verdict: verify::pulse_lost(view, views, limits) });
    }
    all
}

/// No beats in any lead that is known, at least one of them good; with a pulse curve that agrees and none that does not, asystole.
fn silence(limits: &EventLimits, views: &[View]) -> Option<ConditionKind> {
    let leads = || views.iter().filter(|view| view.sort == Sort::Ecg && view.quality.is_known());
    let lead = leads().filter(|view| is_silent(limits, view)).max_by(|a, b| a.quiet_s.total_cmp(&b.quiet_s))?;
    let beating = |view: &View| view.quality.is_good() && !is_silent(limits, view);
    if leads().any(beating) {
        return None;
    }
    let pulses = || views.iter().filter(|view| is_pulse(view.sort) && view.quality.is_known());
    let without = |view: &View| view.had_beats && view.quiet_s >= limits.asystole_s;
    let pulse = pulses().find(|view| without(view)).filter(|_| pulses().all(without));
    let (lead, seconds, largest_mv) = (lead.code, lead.quiet_s, lead.quiet_mv);
    Some(match pulse {
        Some(pulse) => {
            ConditionKind::Asystole { lead, pulse: pulse.code, seconds: seconds.min(pulse.quiet_s), largest_mv }
        }
        None => ConditionKind::NoBeats { lead, seconds, largest_mv },
    })
}

pub(crate) fn is_silent(limits: &EventLimits, view: &View) -> bool {
    view.sort == Sort::Ecg && view.quality.is_good() && view.quiet_s >= limits.asystole_s
}

pub(crate) fn pulse_lost(limits: &EventLimits, view: &View) -> bool {
    view.quality.is_known() && view.had_beats && view.quiet_s >= limits.pulse_lost_s
}

/// Newest seconds in a row that look like fibrillation.
pub(crate) fn fibrillating(limits: &EventLimits, view: &View) -> u32 {
    let like = view.looks.iter().rev().take_while(|look| {
        look.is_some_and(|look| {
            look.leakage <= limits.leakage_max
                && look.crossing >= limits.crossing_min_percent
                && look.hertz >= limits.fibrillation_hertz_min
                && look.height as f64 / PER_MV >= limits.fibrillation_min_mv
        })
    });
    u32::try_from(like.count()).unwrap_or(u32::MAX)
}

fn fibrillation(limits: &EventLimits, views: &[View]) -> Option<(Code, u32)> {
    views
        .iter()
        .filter(|view| view.sort == Sort::Ecg && view.quality.is_known())
        .map(|view| (view.code, fibrillating(limits, view)))
        .filter(|(_, seconds)| *seconds >= limits.fibrillation_s)
        .max_by_key(|(_, seconds)| *seconds)
}

/// Mean rate of the window for events: of a good lead, else of a good pulse curve, else of a doubtful lead.
fn rate(views: &[View]) -> Option<(Code, f64)> {
    let find = |sort: fn(Sort) -> bool, good: bool| {
        views.iter().find_map(|view| {
            let usable = if good { view.quality.is_good() } else { view.quality.is_known() };
            let rate = view.recent.mean_rate.filter(|_| sort(view.sort) && usable)?;
            Some((view.code, rate))
        })
    };
    let ecg = |sort| sort == Sort::Ecg;
    find(ecg, true).or_else(|| find(is_pulse, true)).or_else(|| find(ecg, false))
}
