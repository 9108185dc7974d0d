//! A second opinion about an arrhythmia alarm, from every curve of the bed.
//!
//! Idea: PhysioNet/CinC Challenge 2015, and there above all Plesinger F et al., "Taming of the monitors: reducing false alarms in intensive
//! care units", Physiol Meas 37 (2016) 1313–1325, and Fallet S et al., "Multimodal detection of life-threatening arrhythmias", same issue: regular
//! beats or pulses in one trustworthy signal contradict the alarm; where nothing is trustworthy, the alarm stands.
//!
//! *Not* a decision: a contradicted alarm is to be shown with a lower priority and the reason beside it, never hidden. What always holds:
//! only what is seen contradicts; a missing signal never does.

mod witness;

use crate::bed::is_pulse;
use crate::channel::{Channel, View};
use crate::events;
use crate::settings::EventLimits;
use obhut_model::{Code, DeviceTime};
use witness::{Witness, witnesses};

/// What somebody says there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// No beats.
    Asystole,
    /// Beats too far apart.
    ExtremeBradycardia,
    /// Beats too close together.
    ExtremeTachycardia,
    /// Ventricular fibrillation or flutter.
    VentricularFibrillation,
}

/// What the curves say to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It is there.
    Confirmed(Support),
    /// It is not there. The alarm is lowered with this reason shown, never hidden.
    Contradicted(Against),
    /// Neither can be said. The alarm stands.
    Unclear(Uncertainty),
}

/// What confirms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Support {
    /// Neither beats in a good ECG nor pulses.
    NeitherBeatsNorPulses {
        /// The ECG lead.
        lead: Code,
        /// The pulse curve.
        pulse: Code,
    },
    /// The rate is seen beyond the limit.
    Rate {
        /// Where.
        code: Code,
        /// Per minute.
        rate: f64,
    },
    /// The ECG looks like it and there are no pulses.
    FibrillationWithoutPulses {
        /// The ECG lead.
        lead: Code,
        /// The pulse curve.
        pulse: Code,
    },
    /// No pulses in a second curve either, or no beats.
    SecondSignalAgrees {
        /// Which.
        code: Code,
    },
}

/// What contradicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Against {
    /// Pulses go on regularly.
    PulsesGoOn {
        /// The pulse curve.
        code: Code,
        /// Pulses per minute.
        rate: f64,
        /// How many were seen.
        pulses: usize,
        /// Longest stretch without one, seconds.
        pause_s: f64,
    },
    /// Beats go on in a good ECG lead.
    BeatsGoOn {
        /// The lead.
        code: Code,
        /// Beats per minute.
        rate: f64,
        /// How many were seen.
        beats: usize,
        /// Longest stretch without one, seconds.
        pause_s: f64,
    },
    /// The rate never was beyond the limit.
    RateWithinLimit {
        /// Where it was seen.
        code: Code,
        /// The most extreme rate, per minute.
        rate: f64,
        /// The limit.
        limit: f64,
    },
    /// A good ECG lead has complexes that are alike.
    RhythmOrganised {
        /// The lead.
        code: Code,
        /// Beats per minute.
        rate: f64,
    },
}

/// Why nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uncertainty {
    /// No curve is usable.
    NoUsableSignal,
    /// One curve says so and no independent one can be asked.
    NoSecondSignal,
    /// Curves say different things.
    SignalsDisagree,
    /// What can be seen neither shows nor excludes it.
    NotConclusive,
}

pub(crate) fn verify(
    claim: Claim,
    limits: &EventLimits,
    channels: &[Channel],
    views: &[View],
    at: DeviceTime,
) -> Verdict {
    let witnesses = witnesses(channels, views, at.micros());
    if !witnesses.iter().any(|witness| witness.view.quality.is_known()) {
        return Verdict::Unclear(Uncertainty::NoUsableSignal);
    }
    match claim {
        Claim::Asystole => asystole(&witnesses, limits),
        Claim::ExtremeBradycardia => slow(&witnesses, limits.bradycardia_below),
        Claim::ExtremeTachycardia => fast(&witnesses, limits.tachycardia_above),
        Claim::VentricularFibrillation => fibrillation(&witnesses, limits),
    }
}

/// Beats or pulses up to now, without a pause. What ended three seconds ago witnesses nothing.
///
/// Pulses first: an ECG can show beats without a circulation, pulses need a heart.
fn goes_on(witnesses: &[Witness<'_>], limits: &EventLimits, pulse: bool) -> Option<Against> {
    // A good ECG that is silent is a strong witness for the alarm.
    let strictly =
        pulse && witnesses.iter().any(|w| w.is_ecg() && w.view.quality.is_good() && w.paused(limits.asystole_s));
    let witness =
        witnesses.iter().filter(|witness| if pulse { witness.is_pulse() } else { witness.is_ecg() }).find(|w| {
            w.is_regular(strictly) && w.rhythm.pause_s < limits.asystole_s && w.since_s < limits.asystole_s - 1.0
        })?;
    let (code, rhythm) = (witness.view.code, &witness.rhythm);
    let rate = rhythm.rate?;
    Some(if pulse {
        Against::PulsesGoOn { code, rate, pulses: rhythm.beats, pause_s: rhythm.pause_s }
    } else {
        Against::BeatsGoOn { code, rate, beats: rhythm.beats, pause_s: rhythm.pause_s }
    })
}

/// A pulse curve of known quality without pulses for `seconds`, and no other with them.
fn without_pulses(witnesses: &[Witness<'_>], seconds: f64) -> Option<Code> {
    let known = || witnesses.iter().filter(|w| w.is_pulse() && w.view.quality.is_known() && w.view.had_beats);
    known().all(|w| w.paused(seconds)).then(|| known().next().map(|w| w.view.code)).flatten()
}

fn asystole(witnesses: &[Witness<'_>], limits: &EventLimits) -> Verdict {
    if let Some(against) = goes_on(witnesses, limits, true) {
        return Verdict::Contradicted(against);
    }
    let lead = witnesses.iter().find(|w| w.is_ecg() && w.view.quality.is_good() && w.paused(limits.asystole_s));
    let beats = goes_on(witnesses, limits, false);
    match (lead, without_pulses(witnesses, limits.asystole_s), beats) {
        (Some(lead), Some(pulse), None) => {
            Verdict::Confirmed(Support::NeitherBeatsNorPulses { lead: lead.view.code, pulse })
        }
        (None, None, Some(against)) => Verdict::Contradicted(against),
        (Some(_), None, None) | (None, Some(_), None) => Verdict::Unclear(Uncertainty::NoSecondSignal),
        (_, _, Some(_)) => Verdict::Unclear(Uncertainty::SignalsDisagree),
        (None, None, None) => Verdict::Unclear(Uncertainty::NotConclusive),
    }
}

/// A heart cannot beat more slowly than its pulses.
fn slow(witnesses: &[Witness<'_>], limit: f64) -> Verdict {
    let rates = |pulse: bool| {
        witnesses
            .iter()
            .filter(move |w| if pulse { w.is_pulse() } else { w.is_ecg() })
            .filter(|w| w.is_trusted())
            .filter_map(|w| Some((w.view.code, w.slowest?)))
    };
    let not_below = |(code, rate): (Code, f64)| Against::RateWithinLimit { code, rate, limit };
    if let Some(pulse) = rates(true).find(|(_, rate)| *rate >= limit) {
        return Verdict::Contradicted(not_below(pulse));
    }
    let below = rates(false).chain(rates(true)).find(|(_, rate)| *rate < limit);
    let above = rates(false).find(|(_, rate)| *rate >= limit);
    match (below, above) {
        (Some((code, rate)), None) => Verdict::Confirmed(Support::Rate { code, rate }),
        (None, Some(above)) => Verdict::Contradicted(not_below(above)),
        (Some(_), Some(_)) => Verdict::Unclear(Uncertainty::SignalsDisagree),
        (None, None) => Verdict::Unclear(Uncertainty::NotConclusive),
    }
}

/// A heart may beat faster than its pulses, so pulses contradict only where no good ECG says otherwise.
fn fast(witnesses: &[Witness<'_>], limit: f64) -> Verdict {
    let rates = |pulse: bool| {
        witnesses
            .iter()
            .filter(move |w| if pulse { w.is_pulse() } else { w.is_ecg() })
            .filter(|w| w.is_trusted())
            .filter_map(|w| Some((w.view.code, w.fastest?)))
    };
    let all = || rates(false).chain(rates(true));
    let above = all().find(|(_, rate)| *rate > limit);
    let below = all().find(|(_, rate)| *rate <= limit);
    match (above, below) {
        (Some((code, rate)), None) => Verdict::Confirmed(Support::Rate { code, rate }),
        (None, Some((code, rate))) => Verdict::Contradicted(Against::RateWithinLimit { code, rate, limit }),
        (Some(_), Some(_)) => Verdict::Unclear(Uncertainty::SignalsDisagree),
        (None, None) => Verdict::Unclear(Uncertainty::NotConclusive),
    }
}

fn fibrillation(witnesses: &[Witness<'_>], limits: &EventLimits) -> Verdict {
    if let Some(against) = goes_on(witnesses, limits, true) {
        return Verdict::Contradicted(against);
    }
    let like = witnesses.iter().find(|w| {
        w.is_ecg() && w.view.quality.is_known() && events::fibrillating(limits, w.view) >= limits.fibrillation_s
    });
    let organised = witnesses.iter().find(|w| w.is_ecg() && w.view.quality.is_good() && w.is_regular(false));
    match (like, without_pulses(witnesses, limits.asystole_s), organised) {
        (Some(lead), Some(pulse), _) => {
            Verdict::Confirmed(Support::FibrillationWithoutPulses { lead: lead.view.code, pulse })
        }
        (Some(_), None, None) => Verdict::Unclear(Uncertainty::NoSecondSignal),
        (None, None, Some(w)) => match w.rhythm.rate {
            Some(rate) => Verdict::Contradicted(Against::RhythmOrganised { code: w.view.code, rate }),
            None => Verdict::Unclear(Uncertainty::NotConclusive),
        },
        (_, _, Some(_)) => Verdict::Unclear(Uncertainty::SignalsDisagree),
        (None, _, None) => Verdict::Unclear(Uncertainty::NotConclusive),
    }
}

/// What the others say to a lost pulse: a second pulse curve with pulses contradicts it (the sensor, not the patient); a silent ECG or a
/// second curve without pulses confirms it. An ECG with beats says nothing: hearts beat without moving blood.
pub(crate) fn pulse_lost(lost: &View, views: &[View], limits: &EventLimits) -> Verdict {
    let others = || views.iter().filter(|view| view.code != lost.code && view.quality.is_known());
    let pulses =
        |view: &&View| is_pulse(view.sort) && view.quality.is_good() && view.quiet_s < 3.0 && view.rhythm.beats >= 5;
    if let Some(view) = others().find(pulses)
        && let Some(rate) = view.rhythm.rate
    {
        let (pulses, pause_s) = (view.rhythm.beats, view.rhythm.pause_s);
        return Verdict::Contradicted(Against::PulsesGoOn { code: view.code, rate, pulses, pause_s });
    }
    let agrees =
        |view: &&View| events::is_silent(limits, view) || (is_pulse(view.sort) && events::pulse_lost(limits, view));
    match others().find(agrees) {
        Some(view) => Verdict::Confirmed(Support::SecondSignalAgrees { code: view.code }),
        None => Verdict::Unclear(Uncertainty::NoSecondSignal),
    }
}
