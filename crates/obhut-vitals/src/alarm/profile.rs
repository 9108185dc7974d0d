//! What a ward watches for, and how: plain data, compiled from the charter ([`crate::from_charter`]) and checked before an engine takes it.
//!
//! Nothing here has a default: a limit, delay or pause length that nobody declared does not exist.
//! Delays are disclosed per rule (IEC 60601-1-8, 6.4): *condition* until the alarm condition is recognised, *signal* from there to the signal.

use super::words::Priority;
use crate::Seconds;
use obhut_model::{Code, IdError, WardId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! label {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses `[a-z0-9][a-z0-9-]*`, at most 63 bytes, like every identifier of the house.
            ///
            /// # Errors
            /// [`IdError`] saying which character or length is wrong.
            pub fn new(text: &str) -> Result<Self, IdError> {
                // One alphabet for all identifiers; the vocabulary knows it.
                WardId::new(text).map(|id| Self(Arc::from(id.as_str())))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

label! {
    /// Names a rule inside its profile.
    RuleId
    /// Names a profile.
    ProfileId
    /// Names a role of the charter or a group that can be called.
    RoleId
}

/// Everything a bed's alarms follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub id: ProfileId,
    /// Which version of it; the charter's fingerprint. Every alarm carries it.
    pub version: String,
    /// What is watched for.
    pub rules: Vec<Rule>,
    /// Which codes must not fall silent.
    pub watched: Vec<Watched>,
    /// How long signals may be silenced.
    pub pauses: Pauses,
    /// Who is called when nobody answers.
    pub escalation: Vec<Escalation>,
    /// How soon an unchanged alarm's new value is reported again, at the earliest.
    pub update_every: Seconds,
    /// Early-warning score of this ward, by the identifier of its table.
    pub score: Option<ScoreOrder>,
}

/// Which score, and how often at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreOrder {
    /// Identifier of the table.
    pub table: String,
    /// Longest time between two complete scores, before the score itself asks for more.
    pub every: Seconds,
}

/// One thing to watch for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name. Alarms, limits and statistics refer to it.
    pub id: RuleId,
    /// When it fires.
    pub condition: Condition,
    /// Inside which bounds a bedside limit may be set; absent: not at all.
    pub settable: Option<Bounds>,
}

/// When a rule fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// A value beyond a limit.
    Limit {
        /// Of what.
        #[serde(with = "crate::form::code")]
        code: Code,
        /// On which side.
        side: Side,
        /// How far back inside a value must come before the condition is over, in the code's unit.
        hysteresis: f64,
        /// The limits, each more urgent than the one before and further out.
        steps: Vec<Step>,
    },
    /// A change within a window: how far the newest value lies above the lowest, or below the highest, of the window.
    Trend {
        /// Of what.
        #[serde(with = "crate::form::code")]
        code: Code,
        /// A rise is `High`, a fall is `Low`.
        side: Side,
        /// Length of the window.
        over: Seconds,
        /// As for a limit, on the change.
        hysteresis: f64,
        /// The changes, each more urgent than the one before and larger.
        steps: Vec<Step>,
    },
    /// What a detector found.
    Finding {
        /// What.
        finding: FindingKind,
        /// How it is signalled.
        signal: Signalling,
    },
    /// Several values at once.
    Combined {
        /// The parts.
        terms: Vec<Term>,
        /// How many must hold.
        at_least: u8,
        /// How it is signalled.
        signal: Signalling,
    },
    /// Equipment, link or signal.
    Technical {
        /// What.
        kind: TechnicalKind,
        /// How it is signalled.
        signal: Signalling,
    },
}

/// On which side of the limit the alarm lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    /// Alarm when lower than the limit.
    Low,
    /// Alarm when higher than the limit.
    High,
}

/// One limit and how passing it is signalled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// In the code's unit. The limit itself is still normal.
    pub limit: f64,
    /// How it is signalled.
    pub signal: Signalling,
}

/// How a condition is signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signalling {
    /// How urgent.
    pub priority: Priority,
    /// After how long.
    pub delays: Delays,
    /// Whether the signal stays after the condition ended, until acknowledged.
    pub latching: bool,
}

/// The two delays of IEC 60601-1-8; a signal comes after their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Delays {
    /// How long the condition must hold.
    pub condition: Seconds,
    /// How long after that the signal comes.
    pub signal: Seconds,
}

impl Delays {
    /// From the first value beyond the limit to the signal.
    #[must_use]
    pub const fn total(self) -> Seconds {
        self.condition.plus(self.signal)
    }
}

/// One part of a combined rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Of what.
    #[serde(with = "crate::form::code")]
    pub code: Code,
    /// On which side.
    pub side: Side,
    /// In the code's unit; the limit itself does not hold.
    pub limit: f64,
}

/// Bounds of a bedside setting, both allowed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Least.
    pub from: f64,
    /// Most.
    pub to: f64,
}

/// A code that must not fall silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Which.
    #[serde(with = "crate::form::code")]
    pub code: Code,
    /// How long a value stands for the present: twice its period (decision 0042).
    pub stale_after: Seconds,
    /// From when on.
    pub expect: Expect,
}

/// From when on a code is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// From admission on.
    Always,
    /// From its first value on, until someone says that it is no longer measured.
    OnceSeen,
}

/// How long signals may be silenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Longest audio pause.
    pub audio_max: Seconds,
    /// Longest alarm pause.
    pub alarm_max: Seconds,
    /// Which new alarm ends an audio pause.
    pub broken_by: Breaks,
    /// Whether the sound of a bed may be switched off without an end.
    pub audio_off_allowed: bool,
}

/// Which new alarm ends an audio pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breaks {
    /// One more urgent than every alarm that was there when the pause began.
    MoreUrgent,
    /// Any.
    Any,
}

/// Who is called about alarms of one priority, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Alarms of this priority.
    pub priority: Priority,
    /// First, second, … The last one stays called.
    pub steps: Vec<Call>,
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Whom.
    pub to: Callee,
    /// How long until the next step, unless someone accepts or acknowledges.
    pub answer_within: Seconds,
}

/// Who can be called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Callee {
    /// Whoever is responsible for the bed. Nobody: the next step comes at once.
    Responsible,
    /// Everybody in a role of the charter.
    Role(RoleId),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal $en:literal $de:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As the charter writes it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// As the charter writes it, read back.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.word() == word)
            }

            /// Short text for a banner, English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)* }
            }

            /// Short text for a banner, German.
            #[must_use]
            pub const fn de(self) -> &'static str {
                match self { $(Self::$variant => $de,)* }
            }
        }
    )*};
}

kinds! {
    /// What detectors find.
    FindingKind {
        /// No heart beat, by a detector that saw a usable signal.
        Asystole = "asystole" "asystole" "Asystolie",
        /// Ventricular fibrillation or flutter.
        VentricularFibrillation = "ventricular-fibrillation" "V-Fib" "Kammerflimmern",
        /// Ventricular tachycardia.
        VentricularTachycardia = "ventricular-tachycardia" "V-Tach" "Kammertachykardie",
        /// Extremely slow.
        ExtremeBradycardia = "extreme-bradycardia" "extreme brady" "extreme Bradykardie",
        /// Extremely fast.
        ExtremeTachycardia = "extreme-tachycardia" "extreme tachy" "extreme Tachykardie",
        /// No breath, by a detector that saw a usable signal.
        Apnoea = "apnoea" "apnoea" "Apnoe",
        /// The patient left a bed that is watched.
        BedExit = "bed-exit" "bed exit" "Bett verlassen",
        /// A fall.
        Fall = "fall" "fall" "Sturz",
        /// Time to turn the patient.
        RepositioningDue = "repositioning-due" "turn patient" "Lagerung fällig",
        /// An infusion ends soon.
        InfusionNearEnd = "infusion-near-end" "infusion near end" "Infusion bald leer",
        /// An infusion has ended.
        InfusionEnded = "infusion-ended" "infusion ended" "Infusion leer",
    }

    /// What can go wrong with equipment, links and signals.
    TechnicalKind {
        /// A sensor or electrode is off.
        LeadOff = "lead-off" "sensor off" "Sensor ab",
        /// A watched value is missing or stale.
        NoSignal = "no-signal" "no value" "kein Wert",
        /// The device or a detector doubts the value.
        SuspectData = "suspect-data" "doubtful value" "Wert zweifelhaft",
        /// A device is gone.
        DeviceLost = "device-lost" "device lost" "Gerät getrennt",
        /// The link to a bed is gone.
        LinkLost = "link-lost" "link lost" "Verbindung getrennt",
        /// A battery is low.
        LowBattery = "low-battery" "battery low" "Akku schwach",
        /// A device's clock is off.
        ClockOff = "clock-off" "clock off" "Uhr falsch",
        /// Values arrive from a bed in standby.
        StandbyValues = "standby-values" "values in standby" "Werte in Standby",
        /// Nobody answered to the end of the escalation.
        Unanswered = "unanswered" "nobody answers" "niemand antwortet",
        /// A gateway is gone.
        GatewayLost = "gateway-lost" "gateway lost" "Gateway ausgefallen",
        /// A server is gone.
        ServerLost = "server-lost" "server lost" "Server ausgefallen",
        /// The store does not store.
        StoreLost = "store-lost" "storage failed" "Speicher ausgefallen",
        /// The ledger does not record.
        LedgerLost = "ledger-lost" "ledger failed" "Protokoll ausgefallen",
        /// A display of the ward does not answer.
        DisplayLost = "display-lost" "display lost" "Anzeige ausgefallen",
    }
}

impl FindingKind {
    /// Whether a second, independent signal can speak against it and lower its priority.
    #[must_use]
    pub const fn is_arrhythmia(self) -> bool {
        matches!(
            self,
            Self::Asystole
                | Self::VentricularFibrillation
                | Self::VentricularTachycardia
                | Self::ExtremeBradycardia
                | Self::ExtremeTachycardia
        )
    }

    /// Whether it asks for an action at a time rather than reporting a state of the patient.
    #[must_use]
    pub const fn is_advice(self) -> bool {
        matches!(self, Self::RepositioningDue | Self::InfusionNearEnd)
    }
}

impl Condition {
    /// How each step is signalled, least urgent first, with its limit if it has one.
    pub fn signals(&self) -> impl Iterator<Item = (Option<f64>, Signalling)> + '_ {
        let (steps, one): (&[Step], Option<Signalling>) = match self {
            Self::Limit { steps, .. } | Self::Trend { steps, .. } => (steps, None),
            Self::Finding { signal, .. } | Self::Combined { signal, .. } | Self::Technical { signal, .. } => {
                (&[], Some(*signal))
            }
        };
        steps.iter().map(|step| (Some(step.limit), step.signal)).chain(one.map(|signal| (None, signal)))
    }

    /// The code it is about, if it is about one.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Limit { code, .. } | Self::Trend { code, .. } => Some(*code),
            Self::Finding { .. } | Self::Combined { .. } | Self::Technical { .. } => None,
        }
    }
}

impl Profile {
    /// One rule.
    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == *id)
    }

    /// The rule for a technical condition.
    #[must_use]
    pub fn technical(&self, wanted: TechnicalKind) -> Option<&Rule> {
        self.rules.iter().find(|rule| matches!(&rule.condition, Condition::Technical { kind, .. } if *kind == wanted))
    }

    /// How long a value of `code` stands for the present; `None`: the profile does not watch it.
    #[must_use]
    pub fn stale_after(&self, code: Code) -> Option<Seconds> {
        self.watched.iter().find(|watched| watched.code == code).map(|watched| watched.stale_after)
    }
}
