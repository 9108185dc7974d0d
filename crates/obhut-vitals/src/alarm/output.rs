//! What comes out of the engine: one record for everything that changed, in order. Screens, messages, calls, the ledger and the statistics
//! are all made from these records.

use super::input::{Judgement, Place, SecondOpinion, Setting};
use super::profile::{Callee, Delays, ProfileId, RuleId};
use super::reason::Reason;
use super::words::{AlarmType, Inactivation, Phase, Priority, State};
use obhut_model::{BedId, Code, DeviceId, DeviceTime, PersonId, Quality, RequestId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its number; grows by one from record to record of an engine, across restarts.
    pub seq: u64,
    /// When, by the server.
    pub at: ServerTime,
    /// Where.
    pub place: Place,
    /// About whom, if a patient was there.
    pub subject: Option<Subject>,
    /// What changed.
    pub what: What,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// Something about an alarm.
    Alarm {
        /// What of it.
        phase: Phase,
        /// Through what.
        cause: Cause,
        /// The alarm as it is now.
        alarm: Box<Alarm>,
    },
    /// A pause began or was set anew.
    Paused {
        /// Of what.
        pause: PauseKind,
        /// Until when; `None`: without an end.
        until: Option<ServerTime>,
        /// By whom.
        by: PersonId,
        /// Why, if a reason is asked for.
        reason: Option<String>,
    },
    /// A pause ended.
    Resumed {
        /// Of what.
        pause: PauseKind,
        /// Through what.
        cause: Cause,
    },
    /// A limit was set at the bedside.
    LimitSet {
        /// Of which rule.
        rule: RuleId,
        /// Of which step.
        priority: Priority,
        /// To what.
        to: Setting,
        /// By whom.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// A code is expected, or no longer.
    WatchSet {
        /// Which.
        #[serde(with = "crate::form::code")]
        code: Code,
        /// Whether it is expected.
        expected: bool,
        /// By whom.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// Standby began or ended.
    Standby {
        /// Whether it began.
        on: bool,
        /// By whom.
        by: PersonId,
        /// Why, when it began.
        reason: Option<String>,
    },
    /// Another profile holds.
    ProfileUsed {
        /// Which.
        profile: ProfileId,
        /// By whom.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// A patient came.
    Admitted,
    /// A patient came from another bed.
    Moved {
        /// From where.
        from: BedId,
    },
    /// A patient went.
    Discharged,
    /// Somebody is responsible for the bed now.
    Responsible {
        /// Who.
        who: PersonId,
        /// Who was before.
        before: Option<PersonId>,
    },
    /// A bed was offered.
    Offered {
        /// To whom.
        to: PersonId,
        /// By whom.
        by: PersonId,
    },
    /// An offered bed was not taken.
    OfferRejected {
        /// By whom.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// Somebody is called about an alarm.
    Called {
        /// Which.
        alarm: AlarmId,
        /// How often it was passed on before.
        step: u8,
        /// Whom.
        to: Callee,
        /// Who that is, if it is one person.
        person: Option<PersonId>,
        /// Why now.
        cause: Cause,
    },
    /// Somebody answered a call.
    Answered {
        /// Which alarm.
        alarm: AlarmId,
        /// Who.
        by: PersonId,
        /// Accepted, or why not.
        rejected: Option<String>,
    },
    /// Nobody answered to the end; the last ones stay called.
    Unanswered {
        /// Which alarm.
        alarm: AlarmId,
    },
    /// An act was not done.
    Refused {
        /// Which.
        act: Option<RequestId>,
        /// Why.
        why: Refusal,
    },
}

/// Of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PauseKind {
    /// The sound, for a while.
    Audio,
    /// Physiological alarms, for a while.
    Alarms,
    /// The sound, without an end.
    AudioOff,
}

/// Through what something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The condition itself.
    Condition,
    /// A new value, or that there is none.
    Value,
    /// What a second signal says.
    Opinion,
    /// A person.
    Person(PersonId),
    /// Time.
    Elapsed,
    /// A new alarm.
    Alarm(AlarmId),
    /// A newer alarm of the same rule took its place.
    Superseded,
    /// It was already over when its readings arrived.
    FoundLate,
    /// A limit was set.
    LimitSet,
    /// Standby.
    Standby,
    /// The code is no longer measured, on purpose.
    NotExpected,
    /// The patient came, moved or went.
    Patient,
    /// Another profile, in which the rule is missing or different.
    Profile,
    /// The engine was restarted.
    Restart,
    /// It is the first.
    First,
}

/// Why an act was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such bed here.
    #[error("there is no such bed")]
    UnknownBed,
    /// No such alarm now.
    #[error("there is no such alarm now")]
    UnknownAlarm,
    /// No such rule or step.
    #[error("there is no such rule or step")]
    UnknownRule,
    /// No such profile.
    #[error("there is no such profile")]
    UnknownProfile,
    /// No reason, or too long a one.
    #[error("a reason is needed, at most 400 characters")]
    Reason,
    /// Longer than the profile allows, or nothing.
    #[error("a pause lasts 1 to {max} s here")]
    PauseLength {
        /// Longest.
        max: u32,
    },
    /// The profile does not allow it.
    #[error("the profile does not allow this")]
    NotAllowed,
    /// Outside the bounds, or a more urgent limit inside a less urgent one.
    #[error("the limit lies outside its bounds, or limits would cross")]
    Limit,
    /// Somebody else lies there.
    #[error("another patient lies in this bed")]
    Occupied,
    /// The patient already lies in another bed.
    #[error("the patient lies in another bed")]
    Elsewhere,
    /// The patient lies in no bed.
    #[error("the patient lies in no bed here")]
    NotHere,
    /// Nothing was offered to this person.
    #[error("nothing was offered to this person")]
    NotOffered,
    /// More devices than [`crate::limits::SOURCES_MAX`].
    #[error("too many devices at one bed")]
    TooManySources,
}

/// Names one alarm for ever: place and rule it came from, first start of the engine, and a count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlarmId {
    pub(crate) place: Place,
    pub(crate) key: AlarmKey,
    pub(crate) epoch: i64,
    pub(crate) n: u32,
}

/// Which alarm of a place: there is at most one for each key at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlarmKey {
    /// The rule.
    pub rule: RuleId,
    /// The code, for technical alarms about one.
    #[serde(with = "crate::form::some_code")]
    pub code: Option<Code>,
    /// The device, for technical alarms about one.
    pub source: Option<DeviceId>,
}

/// The text is not an alarm's identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an alarm identifier")]
pub struct AlarmIdError;

impl AlarmId {
    /// Where it came from.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Its rule.
    #[must_use]
    pub const fn rule(&self) -> &RuleId {
        &self.key.rule
    }
}

impl fmt::Display for AlarmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Ward => f.write_str("_")?,
            Place::Bed(bed) => write!(f, "{bed}")?,
        }
        write!(f, ".{}.", self.key.rule)?;
        match self.key.code {
            Some(code) => write!(f, "{}.", code.number())?,
            None => f.write_str("_.")?,
        }
        match &self.key.source {
            Some(source) => write!(f, "{source}.")?,
            None => f.write_str("_.")?,
        }
        write!(f, "{}.{}", self.epoch, self.n)
    }
}

impl fmt::Debug for AlarmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for AlarmId {
    type Err = AlarmIdError;

    fn from_str(text: &str) -> Result<Self, AlarmIdError> {
        fn some<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, AlarmIdError> {
            if text == "_" { Ok(None) } else { parse(text).map(Some).ok_or(AlarmIdError) }
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [place, rule, code, source, epoch, n] = parts.as_slice() else { return Err(AlarmIdError) };
        Ok(Self {
            place: some(place, |bed| BedId::new(bed).ok())?.map_or(Place::Ward, Place::Bed),
            key: AlarmKey {
                rule: RuleId::new(rule).map_err(|_| AlarmIdError)?,
                code: some(code, |code| code.parse().ok().map(Code::new))?,
                source: some(source, |source| DeviceId::new(source).ok())?,
            },
            epoch: epoch.parse().map_err(|_| AlarmIdError)?,
            n: n.parse().map_err(|_| AlarmIdError)?,
        })
    }
}

impl TryFrom<String> for AlarmId {
    type Error = AlarmIdError;
    fn try_from(text: String) -> Result<Self, AlarmIdError> {
        text.parse()
    }
}

impl From<AlarmId> for String {
    fn from(id: AlarmId) -> Self {
        id.to_string()
    }
}

/// An alarm with everything that is known about it. `// REQ-ALM-004`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its name.
    pub id: AlarmId,
    /// About the patient, equipment, or advice.
    pub kind: AlarmType,
    /// How urgent now.
    pub priority: Priority,
    /// How urgent the rule makes it, before a second signal spoke against it.
    pub declared: Priority,
    /// Why it is less urgent than declared, if it is. Always shown.
    pub downgraded: Option<String>,
    /// Whether the condition holds.
    pub state: State,
    /// What silences it.
    pub inactivation: Inactivation,
    /// Why.
    pub reason: Reason,
    /// Version of the profile its rule stands in.
    pub rule_version: String,
    /// The delays of the step that holds, as disclosed.
    pub delays: Delays,
    /// On whose signal.
    pub source: Option<DeviceId>,
    /// Quality flags of the value it rests on.
    #[serde(with = "crate::form::quality")]
    pub quality: Quality,
    /// Whether the condition is known to hold now, or only not known to be over.
    pub evidence: Evidence,
    /// Since when the condition holds, by the device.
    pub onset: DeviceTime,
    /// When it was raised, by the server.
    pub raised_at: ServerTime,
    /// When the condition ended, if it has.
    pub ended: Option<DeviceTime>,
    /// The value furthest beyond the limit so far.
    pub worst: Option<f64>,
    /// Whether its readings arrived only after it was over.
    pub late: bool,
    /// Who has seen it.
    pub acknowledged: Option<Acknowledged>,
    /// Who is called about it.
    pub calling: Option<Calling>,
    pub(crate) step: u8,
    pub(crate) latched: Option<u8>,
    pub(crate) opinion: SecondOpinion,
    pub(crate) reported_at: ServerTime,
}

/// How sure it is that a condition still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Fresh values say so.
    Known,
    /// The values are stale, missing or doubtful; nothing says that it is over.
    Unknown,
}

/// Who has seen it, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: ServerTime,
    /// Whether it called for action, if said.
    pub judged: Option<Judgement>,
    /// How urgent it was then; a more urgent one sounds again.
    pub priority: Priority,
}

/// How far the escalation of an alarm has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calling {
    /// For which priority; a more urgent alarm is called anew.
    pub priority: Priority,
    /// Which step is called, from 0.
    pub step: u8,
    /// When the next one is.
    pub next_at: Option<ServerTime>,
    /// Who said that they are going.
    pub accepted: Option<PersonId>,
    /// Whether the end was reached without an answer.
    pub unanswered: bool,
}
