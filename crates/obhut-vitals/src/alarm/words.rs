//! The words of an alarm: priority, type, phase, state, inactivation, as IHE Alert Communication Management spells them.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The word of the profile, as messages carry it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    )*};
}

words! {
    /// How urgent (IEC 60601-1-8; IHE ACM facet `MDC_ATTR_ALARM_PRIORITY`). Ordered: none is least.
    Priority {
        /// Not an alarm.
        None = "PN",
        /// Awareness.
        Low = "PL",
        /// Prompt response.
        Medium = "PM",
        /// Immediate response.
        High = "PH",
    }

    /// About the patient or about the equipment (IHE ACM facet `MDC_ATTR_ALARM_TYPE`).
    AlarmType {
        /// About the patient.
        Physiological = "SP",
        /// About equipment and signals.
        Technical = "ST",
        /// Advice: something is to be done, nothing is wrong.
        Advisory = "SA",
    }

    /// What a message about an alarm reports (IHE ACM facet `MDC_ATTR_EVENT_PHASE`).
    Phase {
        /// The alarm begins.
        Start = "start",
        /// It still holds; said again, for example after a restart.
        Continue = "continue",
        /// The condition is over.
        End = "end",
        /// Something else about it changed.
        Update = "update",
        /// Its priority rose.
        Escalate = "escalate",
        /// Its priority fell.
        Deescalate = "deescalate",
        /// A latched signal was let go.
        Reset = "reset",
    }

    /// Whether the condition holds (IHE ACM facet `MDC_ATTR_ALARM_STATE`).
    State {
        /// Over.
        Inactive = "inactive",
        /// The condition holds, or nobody knows that it does not.
        Active = "active",
        /// The condition is over; the signal stays until acknowledged.
        Latched = "latched",
    }

    /// What silences the signal (IHE ACM facet `MDC_ATTR_ALARM_INACTIVATION_STATE`).
    Inactivation {
        /// Nothing.
        Enabled = "enabled",
        /// The sound, for a while.
        AudioPaused = "audio-paused",
        /// The sound, until someone puts it back.
        AudioOff = "audio-off",
        /// The alarm, for a while.
        AlarmPaused = "alarm-paused",
        /// The alarm, until someone puts it back.
        AlarmOff = "alarm-off",
        /// Someone has seen it.
        Acknowledged = "alert-acknowledged",
    }
}

impl Priority {
    /// The mark beside the text, so that priority never rests on colour alone.
    #[must_use]
    pub const fn marks(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Low => "*",
            Self::Medium => "**",
            Self::High => "***",
        }
    }

    /// One step less urgent. A low alarm stays low: nothing is downgraded out of sight.
    #[must_use]
    pub const fn one_lower(self) -> Self {
        match self {
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
            Self::None => Self::None,
        }
    }
}

/// The language of a short form. German short names differ (decision 0043).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// German.
    De,
    /// English.
    En,
}
