//! What comes into the engine.
//!
//! Everything may arrive twice or late. Readings and findings are told apart by what, source and time of measurement; states of equipment by
//! kind, source and time; acts of people by their request identifier. A second copy changes nothing.

use super::output::AlarmId;
use super::profile::{FindingKind, ProfileId, RuleId, TechnicalKind};
use super::words::Priority;
use crate::Seconds;
use obhut_model::{BedId, Code, DeviceId, DeviceTime, PersonId, Quality, RequestId, Subject};
use serde::{Deserialize, Serialize};

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A value.
    Reading(Reading),
    /// What a detector found, or no longer finds.
    Finding(Finding),
    /// Equipment, link or part of the system went wrong or came back.
    Technical(Technical),
    /// Time went by. At least once a second.
    Tick,
    /// Someone did something.
    Act(Act),
    /// A patient came, moved or went.
    Move(Move),
}

/// One value of one patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Where the device was.
    pub bed: BedId,
    /// Whose it is, by the binding when it was measured. It goes to where that patient lies now. `None`: whoever lies in the bed, if it was
    /// measured while they did.
    pub subject: Option<Subject>,
    /// What.
    #[serde(with = "crate::form::code")]
    pub code: Code,
    /// When, by the device.
    pub taken_at: DeviceTime,
    /// In the code's unit; `None`: measured, but without a value.
    pub value: Option<f64>,
    /// How good.
    #[serde(with = "crate::form::quality")]
    pub quality: Quality,
    /// By which device.
    pub source: DeviceId,
}

/// A detector's judgement at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Where the device was.
    pub bed: BedId,
    /// Whose it is, as for a [`Reading`].
    pub subject: Option<Subject>,
    /// What.
    pub kind: FindingKind,
    /// As of when.
    pub at: DeviceTime,
    /// Whether it holds.
    pub present: bool,
    /// What a second, independent signal says.
    pub opinion: SecondOpinion,
    /// On whose signal.
    pub source: DeviceId,
    /// How good that signal is.
    #[serde(with = "crate::form::quality")]
    pub quality: Quality,
}

/// What a second, independent signal says about an arrhythmia.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecondOpinion {
    /// It agrees.
    Confirmed,
    /// It disagrees: the alarm is one step less urgent and says why.
    Contradicted {
        /// Why, in words for the screen; no more than a sentence.
        reason: String,
    },
    /// It says nothing: the alarm stays as it is.
    Unclear {
        /// Why.
        reason: String,
    },
}

/// The state of equipment, a link or a part of the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Technical {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: TechnicalKind,
    /// About which code, if about one.
    #[serde(with = "crate::form::some_code")]
    pub code: Option<Code>,
    /// About which device or part of the system.
    pub source: Option<DeviceId>,
    /// Since when, by the server.
    pub at: DeviceTime,
    /// Whether it is wrong now.
    pub present: bool,
}

/// A bed, or the ward with everything that serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// The ward as a whole.
    Ward,
    /// One bed.
    Bed(BedId),
}

/// Something a person did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// The request it came with; a second one of the same identifier is ignored.
    pub id: RequestId,
    /// Who.
    pub who: PersonId,
    /// What.
    pub what: Deed,
}

/// What people do about alarms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Deed {
    /// Silence one alarm; let a latched one go.
    Acknowledge {
        /// Which.
        alarm: AlarmId,
        /// Whether it called for action, if the person says so.
        judged: Option<Judgement>,
    },
    /// Silence a bed's sound for a while.
    PauseAudio {
        /// Where.
        bed: BedId,
        /// How long, at most what the profile allows.
        length: Seconds,
    },
    /// Silence a bed's physiological alarms for a while.
    PauseAlarms {
        /// Where.
        bed: BedId,
        /// How long, at most what the profile allows.
        length: Seconds,
        /// Why.
        reason: String,
    },
    /// End both pauses and put the sound back.
    Resume {
        /// Where.
        bed: BedId,
    },
    /// Switch a bed's sound off without an end.
    AudioOff {
        /// Where.
        bed: BedId,
        /// Why.
        reason: String,
    },
    /// Set a limit of this patient.
    SetLimit {
        /// Where.
        bed: BedId,
        /// Of which rule.
        rule: RuleId,
        /// Of which of its steps.
        priority: Priority,
        /// To what.
        to: Setting,
        /// Why.
        reason: String,
    },
    /// Say that a code is measured, or no longer measured on purpose.
    Watch {
        /// Where.
        bed: BedId,
        /// Which.
        #[serde(with = "crate::form::code")]
        code: Code,
        /// Whether it is expected.
        expected: bool,
        /// Why.
        reason: String,
    },
    /// Begin standby: the patient is away.
    Standby {
        /// Where.
        bed: BedId,
        /// Why.
        reason: String,
    },
    /// End standby.
    Back {
        /// Where.
        bed: BedId,
    },
    /// Let another profile hold for this patient.
    UseProfile {
        /// Where.
        bed: BedId,
        /// Which.
        profile: ProfileId,
        /// Why.
        reason: String,
    },
    /// Take over a bed, oneself.
    Take {
        /// Where.
        bed: BedId,
    },
    /// Offer a bed to somebody else; it stays one's own until accepted.
    Offer {
        /// Where.
        bed: BedId,
        /// To whom.
        to: PersonId,
    },
    /// Take a bed that was offered.
    AcceptBed {
        /// Where.
        bed: BedId,
    },
    /// Do not take a bed that was offered.
    RejectBed {
        /// Where.
        bed: BedId,
        /// Why.
        reason: String,
    },
    /// "I am going": ends the escalation of this alarm.
    Accept {
        /// Which.
        alarm: AlarmId,
    },
    /// "I cannot": the next in line is called at once.
    Reject {
        /// Which.
        alarm: AlarmId,
        /// Why.
        reason: String,
    },
    /// Call the next in line now.
    Escalate {
        /// Which.
        alarm: AlarmId,
    },
}

/// What a limit is set to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Setting {
    /// This, in the code's unit.
    At(f64),
    /// Nothing: this step does not alarm, which is shown.
    Off,
    /// Back to the profile's.
    Profile,
}

/// Whether an alarm called for action, in the judgement of who answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Judgement {
    /// It did.
    Actionable,
    /// It did not.
    NotActionable,
}

/// A patient's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Move {
    /// Into a bed. Limits and history of an earlier stay come along.
    Admit {
        /// Who.
        subject: Subject,
        /// Where.
        bed: BedId,
    },
    /// To another bed, with limits, alarms and history.
    Transfer {
        /// Who.
        subject: Subject,
        /// Where to.
        to: BedId,
    },
    /// Out.
    Discharge {
        /// Who.
        subject: Subject,
    },
}
