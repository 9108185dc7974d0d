//! What people do, as pages write it, and as the alarms take it. Two lists, for what is done at a bed and what is set needs different rights.

use obhut_model::{BedId, Code, PersonId};
use obhut_vitals::Seconds;
use obhut_vitals::alarm::{AlarmId, Deed, Judgement, Priority, ProfileId, RuleId, Setting};
use serde::Deserialize;
use serde_json::Value;

/// Done at a bed.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum AtBed {
    Acknowledge { alarm: String, judged: Option<Judged> },
    PauseAudio { seconds: u32 },
    Resume {},
    Standby { reason: String },
    Back {},
    Take {},
    Offer { to: PersonId },
    AcceptBed {},
    RejectBed { reason: String },
    Accept { alarm: String },
    Reject { alarm: String, reason: String },
    Escalate { alarm: String },
}

/// Whether it called for action.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Judged {
    Actionable,
    NotActionable,
}

impl AtBed {
    /// In a word, for the entry.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Acknowledge { alarm, .. } => format!("acknowledge {alarm}"),
            Self::PauseAudio { seconds } => format!("pause-audio {seconds} s"),
            Self::Resume {} => "resume".to_owned(),
            Self::Standby { .. } => "standby".to_owned(),
            Self::Back {} => "back".to_owned(),
            Self::Take {} => "take".to_owned(),
            Self::Offer { to } => format!("offer {to}"),
            Self::AcceptBed {} => "accept-bed".to_owned(),
            Self::RejectBed { .. } => "reject-bed".to_owned(),
            Self::Accept { alarm } => format!("accept {alarm}"),
            Self::Reject { alarm, .. } => format!("reject {alarm}"),
            Self::Escalate { alarm } => format!("escalate {alarm}"),
        }
    }

    /// About an alarm; `None` if it is about a bed, or the name is none.
    pub(super) fn about_alarm(self) -> Option<Deed> {
        let id = |text: String| text.parse::<AlarmId>().ok();
        Some(match self {
            Self::Acknowledge { alarm, judged } => Deed::Acknowledge {
                alarm: id(alarm)?,
                judged: judged.map(|judged| match judged {
                    Judged::Actionable => Judgement::Actionable,
                    Judged::NotActionable => Judgement::NotActionable,
                }),
            },
            Self::Accept { alarm } => Deed::Accept { alarm: id(alarm)? },
            Self::Reject { alarm, reason } => Deed::Reject { alarm: id(alarm)?, reason },
            Self::Escalate { alarm } => Deed::Escalate { alarm: id(alarm)? },
            _ => return None,
        })
    }

    /// At this bed; `None` if an alarm's name is none.
    pub(super) fn into_deed(self, bed: &BedId) -> Option<Deed> {
        let bed = bed.clone();
        Some(match self {
            Self::PauseAudio { seconds } => Deed::PauseAudio { bed, length: Seconds(seconds) },
            Self::Resume {} => Deed::Resume { bed },
            Self::Standby { reason } => Deed::Standby { bed, reason },
            Self::Back {} => Deed::Back { bed },
            Self::Take {} => Deed::Take { bed },
            Self::Offer { to } => Deed::Offer { bed, to },
            Self::AcceptBed {} => Deed::AcceptBed { bed },
            Self::RejectBed { reason } => Deed::RejectBed { bed, reason },
            about => return about.about_alarm(),
        })
    }
}

/// Set at a bed.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum AtLimits {
    SetLimit { rule: String, priority: String, to: Value, reason: String },
    PauseAlarms { seconds: u32, reason: String },
    AudioOff { reason: String },
    Watch { code: String, expected: bool, reason: String },
    UseProfile { profile: String, reason: String },
}

impl AtLimits {
    /// In words, for the entry; the reason stands in the history.
    pub(super) fn said(&self) -> String {
        match self {
            Self::SetLimit { rule, priority, to, .. } => format!("set-limit {rule} {priority} {to}"),
            Self::PauseAlarms { seconds, .. } => format!("pause-alarms {seconds} s"),
            Self::AudioOff { .. } => "audio-off".to_owned(),
            Self::Watch { code, expected, .. } => format!("watch {code} {expected}"),
            Self::UseProfile { profile, .. } => format!("use-profile {profile}"),
        }
    }

    /// At this bed; `None` if a word is none.
    pub(super) fn into_deed(self, bed: &BedId) -> Option<Deed> {
        let bed = bed.clone();
        Some(match self {
            Self::SetLimit { rule, priority, to, reason } => Deed::SetLimit {
                bed,
                rule: RuleId::new(&rule).ok()?,
                priority: priority_of(&priority)?,
                to: setting_of(&to)?,
                reason,
            },
            Self::PauseAlarms { seconds, reason } => Deed::PauseAlarms { bed, length: Seconds(seconds), reason },
            Self::AudioOff { reason } => Deed::AudioOff { bed, reason },
            Self::Watch { code, expected, reason } => {
                Deed::Watch { bed, code: Code::by_reference_id(&code)?, expected, reason }
            }
            Self::UseProfile { profile, reason } => {
                Deed::UseProfile { bed, profile: ProfileId::new(&profile).ok()?, reason }
            }
        })
    }
}

fn priority_of(word: &str) -> Option<Priority> {
    Some(match word {
        "low" => Priority::Low,
        "medium" => Priority::Medium,
        "high" => Priority::High,
        _ => return None,
    })
}

fn setting_of(value: &Value) -> Option<Setting> {
    match value.as_str() {
        Some("off") => Some(Setting::Off),
        Some("profile") => Some(Setting::Profile),
        Some(_) => None,
        None => value.as_f64().map(Setting::At),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn acts_are_read_as_they_are_described() {
        let bed = BedId::new("bed-01").unwrap();
        let name = "bed-01.heart-rate-high._._.1763990000000000.12";
        let read = |value: Value| from_value::<AtBed>(value).unwrap().into_deed(&bed);
        assert!(matches!(
            read(json!({"do": "acknowledge", "alarm": name, "judged": "not-actionable"})),
            Some(Deed::Acknowledge { judged: Some(Judgement::NotActionable), .. })
        ));
        assert!(matches!(read(json!({"do": "pause-audio", "seconds": 60})), Some(Deed::PauseAudio { .. })));
        assert!(matches!(read(json!({"do": "take"})), Some(Deed::Take { .. })));
        assert!(read(json!({"do": "accept", "alarm": "something"})).is_none());
        assert!(from_value::<AtBed>(json!({"do": "pause-alarms", "seconds": 60, "reason": "x"})).is_err());
        assert!(from_value::<AtBed>(json!({"do": "take", "bed": "bed-02"})).is_err());
        let set = |to: Value| {
            let value = json!({"do": "set-limit", "rule": "heart-rate-high", "priority": "medium", "to": to, "reason": "fever"});
            from_value::<AtLimits>(value).unwrap().into_deed(&bed)
        };
        assert!(matches!(set(json!(130)), Some(Deed::SetLimit { to: Setting::At(130.0), .. })));
        assert!(matches!(set(json!("off")), Some(Deed::SetLimit { to: Setting::Off, .. })));
        assert!(set(json!("of")).is_none() && set(json!(null)).is_none());
    }
}
