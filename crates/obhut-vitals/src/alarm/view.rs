//! What a screen asks about a bed: alarms, limits with who set them and why, what is silenced and for how long, who answers.

use super::duty::Offer;
use super::engine::Engine;
use super::output::{Alarm, Output};
use super::profile::{Condition, Delays, ProfileId, RuleId, Side};
use super::quiet::{Quiet, SoundOff};
use super::stay::{LimitSet, StandbySince};
use super::words::Priority;
use crate::Seconds;
use obhut_model::{BedId, Code, PersonId, ServerTime, Subject};

/// One bed as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct BedView<'a> {
    /// Who lies there.
    pub subject: Option<Subject>,
    /// Which profile holds.
    pub profile: &'a ProfileId,
    /// Alarms, most urgent first, then newest first.
    pub alarms: Vec<&'a Alarm>,
    /// Time left of an audio pause.
    pub audio_paused: Option<Seconds>,
    /// Time left of an alarm pause.
    pub alarms_paused: Option<Seconds>,
    /// Sound that is off, by whom and why.
    pub audio_off: Option<&'a SoundOff>,
    /// Standby, by whom and why.
    pub standby: Option<&'a StandbySince>,
    /// All limits, those switched off among them.
    pub limits: Vec<Limits>,
    /// Who is responsible.
    pub responsible: Option<PersonId>,
    /// To whom the bed is offered.
    pub offer: Option<&'a Offer>,
}

/// One limit of one bed.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The rule.
    pub rule: RuleId,
    /// Of what.
    pub code: Code,
    /// On which side.
    pub side: Side,
    /// Window of a trend in seconds; `None` for a plain limit.
    pub over: Option<Seconds>,
    /// How urgent.
    pub priority: Priority,
    /// The limit that holds; `None`: switched off.
    pub limit: Option<f64>,
    /// The profile's limit.
    pub profile: f64,
    /// After how long.
    pub delays: Delays,
    /// Who set it at the bedside, when and why.
    pub set: Option<LimitSet>,
}

impl Engine {
    /// One bed; `None` if there is none of that name.
    #[must_use]
    pub fn bed(&self, id: &BedId) -> Option<BedView<'_>> {
        let bed = self.beds.get(id)?;
        let Quiet { audio, alarms: paused, off } = &bed.stay.quiet;
        let left = |until: ServerTime| Seconds::from_micros_up(until.since(self.now));
        let mut alarms: Vec<&Alarm> = bed.alarms().collect();
        alarms.sort_by_key(|alarm| (std::cmp::Reverse(alarm.priority), std::cmp::Reverse(alarm.raised_at)));
        Some(BedView {
            subject: bed.stay.subject,
            profile: &bed.stay.profile,
            alarms,
            audio_paused: audio.as_ref().map(|pause| left(pause.until)),
            alarms_paused: paused.as_ref().map(|pause| left(pause.until)),
            audio_off: off.as_ref(),
            standby: bed.stay.standby.as_ref(),
            limits: self.limits(id),
            responsible: bed.duty.responsible,
            offer: bed.duty.offer.as_ref(),
        })
    }

    /// Every limit of a bed, with who set it and why.
    #[must_use]
    pub fn limits(&self, id: &BedId) -> Vec<Limits> {
        let (Some(bed), Some(profile)) = (self.beds.get(id), self.profile_of(id)) else { return Vec::new() };
        let mut all = Vec::new();
        for rule in &profile.rules {
            let (code, side, over) = match &rule.condition {
                Condition::Limit { code, side, .. } => (*code, *side, None),
                Condition::Trend { code, side, over, .. } => (*code, *side, Some(*over)),
                _ => continue,
            };
            for ((own, signal), held) in rule.condition.signals().zip(bed.stay.steps(rule)) {
                all.push(Limits {
                    rule: rule.id.clone(),
                    code,
                    side,
                    over,
                    priority: signal.priority,
                    limit: held.map(|(limit, _)| limit),
                    profile: own.unwrap_or_default(),
                    delays: signal.delays,
                    set: bed.stay.limits.get(&(rule.id.clone(), signal.priority)).cloned(),
                });
            }
        }
        all
    }

    /// What happened to the patient in a bed, oldest first, as far as it is kept in memory.
    pub fn history(&self, id: &BedId) -> impl Iterator<Item = &Output> {
        self.beds.get(id).into_iter().flat_map(|bed| &bed.stay.history).map(AsRef::as_ref)
    }
}
