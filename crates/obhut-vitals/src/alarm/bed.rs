//! One bed: its devices, the patient in it, and how values become facts about conditions.

use super::board::{Board, Latest, TrackKey, UNTIL_TAKEN_BACK};
use super::duty::Duty;
use super::input::{Finding, Place, Reading, SecondOpinion, Technical};
use super::output::{AlarmKey, Cause, Refusal, What};
use super::profile::{Condition, Profile, Rule, Side, Step, TechnicalKind, Term};
use super::stay::{Stay, Value, hold_of, steps_of_profile, technical_key, with_plan};
use super::track::Class;
use crate::limits::{CLOCK_AHEAD_MAX, SOURCES_MAX};
use obhut_model::{BedId, Code, DeviceId, DeviceTime, Quality, ServerTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bed {
    pub(crate) place: Place,
    /// Alarms of the equipment at this bed; they stay when the patient goes.
    pub(crate) devices: Board,
    pub(crate) stay: Stay,
    /// How many alarms there have been for each key; the bed's own, so that no number comes twice.
    #[serde(with = "crate::form::pairs")]
    pub(crate) numbers: BTreeMap<AlarmKey, u32>,
    pub(crate) duty: Duty,
}

/// The time and where records go, for one step at one bed.
pub(crate) struct Moment<'a> {
    pub(crate) now: ServerTime,
    pub(crate) epoch: i64,
    pub(crate) profile: &'a Profile,
    pub(crate) out: &'a mut Vec<What>,
}

/// Which of a bed's two boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Devices,
    Patient,
}

/// Splits a bed into a board and what is around it.
macro_rules! parts {
    ($bed:expr, $which:expr, $moment:expr) => {{
        let $crate::alarm::bed::Bed { place, devices, stay, numbers, .. } = $bed;
        let $crate::alarm::stay::Stay { board, quiet, .. } = stay;
        let around = $crate::alarm::board::Around {
            now: $moment.now,
            place,
            epoch: $moment.epoch,
            profile: $moment.profile,
            numbers,
            quiet,
            out: &mut *$moment.out,
        };
        (if $which == $crate::alarm::bed::Which::Devices { devices } else { board }, around)
    }};
}
pub(crate) use parts;

impl Bed {
    pub(crate) fn new(id: BedId, stay: Stay) -> Self {
        Self { place: Place::Bed(id), devices: Board::default(), stay, numbers: BTreeMap::new(), duty: Duty::default() }
    }

    /// Brings one alarm up to what is known.
    pub(crate) fn settle(&mut self, which: Which, rule: &Rule, key: &AlarmKey, cause: Cause, moment: &mut Moment<'_>) {
        // In standby facts are kept and nothing is raised, but that there are values at all.
        let heard = matches!(rule.condition, Condition::Technical { kind: TechnicalKind::StandbyValues, .. });
        if self.stay.standby.is_some() && !heard {
            return;
        }
        let steps = if which == Which::Devices { steps_of_profile(rule) } else { self.stay.steps(rule) };
        let profile = moment.profile;
        let (board, mut around) = parts!(self, which, moment);
        with_plan(rule, &steps, profile, key, |plan| board.settle(key, plan, cause, &mut around));
    }

    /// A value. `// REQ-ALM-001 REQ-ALM-005`
    pub(crate) fn reading(&mut self, reading: &Reading, moment: &mut Moment<'_>) {
        let known = self.stay.values.contains_key(&(reading.code.number(), reading.source.clone()));
        if !known && self.stay.of_code(reading.code).count() >= SOURCES_MAX {
            moment.out.push(What::Refused { act: None, why: Refusal::TooManySources });
            return;
        }
        let (at, quality) = self.clock(reading, moment);
        let flawed = quality.has(Quality::INVALID) || quality.has(Quality::SENSOR_OFF);
        let value = reading.value.filter(|value| value.is_finite() && !flawed);
        let newest = self.take(reading, at, value, quality);
        self.flags(reading, at, value, quality, moment);
        if self.stay.standby.is_some() {
            self.values_in_standby(value.is_some(), at, reading.code, moment);
            return;
        }
        let profile = moment.profile;
        for rule in &profile.rules {
            match &rule.condition {
                Condition::Limit { code, .. } | Condition::Trend { code, .. } if *code == reading.code => {
                    if let Some(value) = value {
                        self.compare(rule, &reading.source, at, value, quality, moment);
                    }
                    self.settle(Which::Patient, rule, &plain(rule), Cause::Condition, moment);
                }
                Condition::Combined { terms, .. } if terms.iter().any(|term| term.code == reading.code) => {
                    if newest {
                        self.combine(rule, at, moment);
                    }
                    self.settle(Which::Patient, rule, &plain(rule), Cause::Condition, moment);
                }
                _ => {}
            }
        }
        self.silence_of(reading.code, moment);
    }

    /// The time a value counts for, and a technical alarm if the device's clock runs ahead or is not trusted.
    fn clock(&mut self, reading: &Reading, moment: &mut Moment<'_>) -> (i64, Quality) {
        let now = moment.now.micros();
        let at = reading.taken_at.micros();
        let ahead = at.saturating_sub(now) > CLOCK_AHEAD_MAX;
        let (at, quality) =
            if ahead { (now, reading.quality.with(Quality::CLOCK_SUSPECT)) } else { (at, reading.quality) };
        let wrong = quality.has(Quality::CLOCK_SUSPECT);
        self.state(TechnicalKind::ClockOff, None, Some(&reading.source), at, wrong, moment);
        (at, quality)
    }

    /// Keeps the newest value of a device; says whether this is it.
    fn take(&mut self, reading: &Reading, at: i64, value: Option<f64>, quality: Quality) -> bool {
        let known = self.stay.values.entry((reading.code.number(), reading.source.clone())).or_insert(Value {
            at: i64::MIN,
            good_at: None,
            value: None,
            quality,
        });
        if value.is_some() {
            known.good_at = known.good_at.max(Some(at));
        }
        if at < known.at {
            return false;
        }
        (known.at, known.value, known.quality) = (at, value, quality);
        true
    }

    /// Technical conditions that travel as flags of a value. `// REQ-ALM-011`
    fn flags(&mut self, reading: &Reading, at: i64, value: Option<f64>, quality: Quality, moment: &mut Moment<'_>) {
        let (code, source) = (Some(reading.code), Some(&reading.source));
        if quality.has(Quality::SENSOR_OFF) || value.is_some() {
            self.state(TechnicalKind::LeadOff, code, source, at, quality.has(Quality::SENSOR_OFF), moment);
        }
        let doubtful = quality.has(Quality::QUESTIONABLE) || quality.has(Quality::INVALID);
        if doubtful || value.is_some() {
            self.state(TechnicalKind::SuspectData, code, source, at, doubtful, moment);
        }
    }

    /// Takes in that something about the equipment is wrong, or right. That it is right is only kept where it was ever wrong.
    fn state(
        &mut self,
        kind: TechnicalKind,
        code: Option<Code>,
        source: Option<&DeviceId>,
        at: i64,
        wrong: bool,
        moment: &mut Moment<'_>,
    ) {
        let profile = moment.profile;
        let Some((rule, key)) = technical_key(profile, kind, code, source.cloned()) else { return };
        let track = TrackKey { alarm: key.clone(), step: 0, source: None };
        if !wrong && !self.devices.tracks.contains_key(&track) {
            return;
        }
        self.devices.note(track, at, if wrong { Class::Breach } else { Class::Clear }, UNTIL_TAKEN_BACK);
        self.settle(Which::Devices, rule, &key, Cause::Condition, moment);
    }

    /// Equipment or link of this bed. `// REQ-ALM-011`
    pub(crate) fn technical(&mut self, technical: &Technical, moment: &mut Moment<'_>) {
        let profile = moment.profile;
        let found = technical_key(profile, technical.kind, technical.code, technical.source.clone());
        let Some((rule, key)) = found else { return };
        let class = if technical.present { Class::Breach } else { Class::Clear };
        let track = TrackKey { alarm: key.clone(), step: 0, source: None };
        self.devices.note(track, technical.at.micros(), class, UNTIL_TAKEN_BACK);
        self.settle(Which::Devices, rule, &key, Cause::Condition, moment);
    }

    /// Values while the patient is said to be away: after a while that is an alarm of its own. `// REQ-ALM-009`
    fn values_in_standby(&mut self, good: bool, at: i64, code: Code, moment: &mut Moment<'_>) {
        let stale = moment.profile.stale_after(code).map_or(0, |stale| stale.micros());
        let fresh = moment.now.micros().saturating_sub(at) <= stale;
        if good && fresh {
            self.own_state(TechnicalKind::StandbyValues, None, true, moment);
        }
    }

    /// A technical condition this bed finds by itself, as of now.
    fn own_state(&mut self, kind: TechnicalKind, code: Option<Code>, wrong: bool, moment: &mut Moment<'_>) {
        let profile = moment.profile;
        let Some((rule, key)) = technical_key(profile, kind, code, None) else { return };
        let track = TrackKey { alarm: key.clone(), step: 0, source: None };
        let was = self.stay.board.tracks.get(&track).and_then(|track| track.last()).is_some_and(|(_, calm)| !calm);
        if was != wrong {
            let class = if wrong { Class::Breach } else { Class::Clear };
            self.stay.board.note(track, moment.now.micros(), class, UNTIL_TAKEN_BACK);
        }
        if wrong || was {
            self.settle(Which::Patient, rule, &key, Cause::Condition, moment);
        }
    }

    /// Compares one value with one rule of limits or trends.
    pub(crate) fn compare(
        &mut self,
        rule: &Rule,
        source: &DeviceId,
        at: i64,
        value: f64,
        quality: Quality,
        moment: &Moment<'_>,
    ) {
        let (figure, side, hysteresis) = match &rule.condition {
            Condition::Limit { side, hysteresis, .. } => (value, *side, *hysteresis),
            Condition::Trend { side, over, hysteresis, .. } => {
                if !quality.is_trusted() {
                    return;
                }
                let window = self.stay.windows.entry((rule.id.clone(), source.clone())).or_default();
                (window.change(at, value, over.micros(), *side), Side::High, *hysteresis)
            }
            _ => return,
        };
        let hold = hold_of(&rule.condition, moment.profile);
        let key = plain(rule);
        let mut beyond = false;
        for (step, limit) in (0u8..).zip(self.stay.steps(rule)) {
            let Some((limit, _)) = limit else { continue };
            let class = classify(figure, side, limit, hysteresis);
            beyond |= class == Class::Breach;
            // A doubtful value may raise an alarm; it never ends one. `// REQ-ALM-005`
            if class == Class::Breach || quality.is_trusted() {
                let track = TrackKey { alarm: key.clone(), step, source: Some(source.clone()) };
                self.stay.board.note(track, at, class, hold);
            }
        }
        if beyond {
            self.stay.board.remember(
                &key,
                Latest {
                    at: DeviceTime::from_micros(at),
                    values: vec![Some(figure)],
                    source: Some(source.clone()),
                    quality,
                    opinion: SecondOpinion::Unclear { reason: String::new() },
                },
            );
        }
    }

    /// Several values at once, as of the newest. A part without a fresh value neither holds nor fails. `// REQ-ALM-003`
    fn combine(&mut self, rule: &Rule, at: i64, moment: &Moment<'_>) {
        let Condition::Combined { terms, at_least, .. } = &rule.condition else { return };
        let parts: Vec<Part> = terms.iter().map(|term| self.part(term, moment)).collect();
        let holding = parts.iter().filter(|part| part.holds == Some(true)).count();
        let possible = parts.iter().filter(|part| part.holds != Some(false)).count();
        let needed = usize::from(*at_least);
        let class = if holding >= needed {
            Class::Breach
        } else if possible < needed {
            Class::Clear
        } else {
            return;
        };
        let hold = hold_of(&rule.condition, moment.profile);
        let key = plain(rule);
        self.stay.board.note(TrackKey { alarm: key.clone(), step: 0, source: None }, at, class, hold);
        if class == Class::Breach {
            let quality = parts.iter().fold(Quality::GOOD, |all, part| all.with(part.quality));
            self.stay.board.remember(
                &key,
                Latest {
                    at: DeviceTime::from_micros(at),
                    values: parts.iter().map(|part| part.value).collect(),
                    source: None,
                    quality,
                    opinion: SecondOpinion::Unclear { reason: String::new() },
                },
            );
        }
    }

    fn part(&self, term: &Term, moment: &Moment<'_>) -> Part {
        let stale = moment.profile.stale_after(term.code).map_or(0, |stale| stale.micros());
        let fresh = |value: &&Value| moment.now.micros().saturating_sub(value.at) <= stale;
        let mut part = Part { value: None, quality: Quality::GOOD, holds: None };
        for value in self.stay.of_code(term.code).map(|(_, value)| value).filter(fresh) {
            let Some(number) = value.value else { continue };
            let holds = classify(number, term.side, term.limit, 0.0) == Class::Breach;
            // A doubtful calm value says nothing, a doubtful breach counts.
            if part.holds != Some(true) && (holds || value.quality.is_trusted()) {
                part = Part { value: Some(number), quality: value.quality, holds: Some(holds) };
            }
        }
        part
    }

    /// A watched code that has no fresh number. `// REQ-ALM-005`
    fn silence_of(&mut self, code: Code, moment: &mut Moment<'_>) {
        let Some(watched) = moment.profile.watched.iter().find(|watched| watched.code == code).copied() else { return };
        let silent = self
            .stay
            .silent_since(code, watched.expect)
            .is_some_and(|since| moment.now.micros().saturating_sub(since) > watched.stale_after.micros());
        self.own_state(TechnicalKind::NoSignal, Some(code), silent && self.stay.standby.is_none(), moment);
    }

    /// What a detector found.
    pub(crate) fn finding(&mut self, finding: &Finding, moment: &mut Moment<'_>) {
        let profile = moment.profile;
        let wanted =
            |rule: &&Rule| matches!(&rule.condition, Condition::Finding { finding: kind, .. } if *kind == finding.kind);
        let Some(rule) = profile.rules.iter().find(wanted) else { return };
        let key = plain(rule);
        let at = finding.at.micros();
        let track = TrackKey { alarm: key.clone(), step: 0, source: Some(finding.source.clone()) };
        if finding.present {
            self.stay.board.note(track, at, Class::Breach, UNTIL_TAKEN_BACK);
            self.stay.board.remember(
                &key,
                Latest {
                    at: finding.at,
                    values: Vec::new(),
                    source: Some(finding.source.clone()),
                    quality: finding.quality,
                    opinion: finding.opinion.clone(),
                },
            );
        } else if finding.quality.is_trusted() {
            self.stay.board.note(track, at, Class::Clear, UNTIL_TAKEN_BACK);
        }
        self.settle(Which::Patient, rule, &key, Cause::Condition, moment);
    }

    /// Time went by.
    pub(crate) fn tick(&mut self, moment: &mut Moment<'_>) {
        let paused = self.stay.quiet.alarms.is_some();
        self.stay.quiet.elapse(moment.now, moment.out);
        if paused && self.stay.quiet.alarms.is_none() {
            self.after_alarm_pause(moment);
        }
        if self.stay.standby.is_some() {
            let fresh = moment.profile.watched.iter().any(|watched| {
                let good = self.stay.good_at(watched.code);
                good.is_some_and(|at| moment.now.micros().saturating_sub(at) <= watched.stale_after.micros())
            });
            if !fresh {
                self.own_state(TechnicalKind::StandbyValues, None, false, moment);
            }
        }
        let profile = moment.profile;
        for watched in &profile.watched {
            self.silence_of(watched.code, moment);
        }
        for which in [Which::Devices, Which::Patient] {
            for key in if which == Which::Devices { self.devices.pending() } else { self.stay.board.pending() } {
                if let Some(rule) = profile.rule(&key.rule) {
                    self.settle(which, rule, &key, Cause::Condition, moment);
                }
            }
        }
        let unanswered = self.is_unanswered();
        self.own_state(TechnicalKind::Unanswered, None, unanswered, moment);
        self.refresh_silence(&Cause::Elapsed, moment);
    }

    /// An alarm that began in an alarm pause was never heard: it ends an audio pause as if it began now.
    fn after_alarm_pause(&mut self, moment: &mut Moment<'_>) {
        let rule = moment.profile.pauses.broken_by;
        let Stay { board, quiet, .. } = &mut self.stay;
        let unheard = board.alarms.values().filter(|alarm| {
            alarm.acknowledged.is_none() && alarm.inactivation == super::words::Inactivation::AlarmPaused
        });
        for alarm in unheard {
            quiet.alarm_raised(rule, alarm, moment.out);
        }
    }

    pub(crate) fn refresh_silence(&mut self, cause: &Cause, moment: &mut Moment<'_>) {
        for which in [Which::Devices, Which::Patient] {
            let (board, mut around) = parts!(self, which, moment);
            board.refresh_silence(cause, &mut around);
        }
    }

    /// All alarms there are now, equipment first.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &super::output::Alarm> {
        self.devices.alarms.values().chain(self.stay.board.alarms.values())
    }
}

struct Part {
    value: Option<f64>,
    quality: Quality,
    holds: Option<bool>,
}

/// The key of a rule that has one alarm.
pub(crate) fn plain(rule: &Rule) -> AlarmKey {
    AlarmKey { rule: rule.id.clone(), code: None, source: None }
}

/// The limit itself is normal; between it and the hysteresis nothing changes.
fn classify(value: f64, side: Side, limit: f64, hysteresis: f64) -> Class {
    let beyond = match side {
        Side::High => value - limit,
        Side::Low => limit - value,
    };
    if beyond > 0.0 {
        Class::Breach
    } else if beyond > -hysteresis {
        Class::Between
    } else {
        Class::Clear
    }
}

/// Whether the steps lie further and further out, so that a bedside limit cannot put a more urgent one inside a less urgent one.
pub(crate) fn in_order(side: Side, steps: &[Step]) -> bool {
    steps.iter().zip(steps.iter().skip(1)).all(|(inner, outer)| match side {
        Side::Low => outer.limit < inner.limit,
        Side::High => outer.limit > inner.limit,
    })
}
