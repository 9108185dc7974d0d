//! What happened, as it is kept and as it is shown: history of a patient, statistics of the ward.
//!
//! Kept is every beginning, end and change of an alarm, everything people did and every move; not that the value of a running alarm moved, which stands in the readings.

use super::row;
use obhut_store::AlarmRecord;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::statistics::{Statistics, Suggestion, Yardstick};
use obhut_vitals::alarm::{Callee, Cause, Output, PauseKind, Phase, Place, Setting, What};
use serde_json::{Value, json};

/// Whether it is kept.
pub(super) fn is_worth(output: &Output) -> bool {
    match &output.what {
        What::Refused { .. } => false,
        What::Alarm { phase, cause, .. } => {
            let moved_only = *phase == Phase::Update && *cause == Cause::Value;
            *phase != Phase::Continue && !moved_only
        }
        _ => true,
    }
}

/// Reads records back. One that an older or newer program wrote otherwise is left out and said in the log.
fn outputs(records: &[AlarmRecord]) -> Vec<Output> {
    let read = |record: &AlarmRecord| match serde_json::from_slice(&record.bytes) {
        Ok(output) => Some(output),
        Err(error) => {
            tracing::error!(%error, "a record of an alarm is not understood");
            None
        }
    };
    records.iter().filter_map(read).collect()
}

/// A patient's history, oldest first.
#[must_use]
pub fn history(records: &[AlarmRecord]) -> Vec<Value> {
    outputs(records).iter().map(shown).collect()
}

fn shown(output: &Output) -> Value {
    let bed = match &output.place {
        Place::Ward => None,
        Place::Bed(bed) => Some(bed),
    };
    let mut value = match &output.what {
        What::Alarm { phase, cause, alarm } => {
            json!({"what": "alarm", "phase": phase.word(), "cause": self::cause(cause), "alarm": row::alarm(alarm, bed, *phase)})
        }
        What::Paused { pause, until, by, reason } => {
            json!({"what": "paused", "pause": paused(*pause), "until": until.map(|at| at.micros()), "by": by, "reason": reason})
        }
        What::Resumed { pause, cause } => {
            json!({"what": "resumed", "pause": paused(*pause), "cause": self::cause(cause)})
        }
        What::LimitSet { rule, priority, to, by, reason } => {
            json!({"what": "limit-set", "rule": rule.as_str(), "priority": row::word_of(*priority), "to": setting(to), "by": by, "reason": reason})
        }
        What::WatchSet { code, expected, by, reason } => {
            json!({"what": "watch-set", "code": code.to_string(), "expected": expected, "by": by, "reason": reason})
        }
        What::Standby { on, by, reason } => json!({"what": "standby", "on": on, "by": by, "reason": reason}),
        What::ProfileUsed { profile, by, reason } => {
            json!({"what": "profile-used", "profile": profile.as_str(), "by": by, "reason": reason})
        }
        What::Admitted => json!({"what": "admitted"}),
        What::Moved { from } => json!({"what": "moved", "from": from.as_str()}),
        What::Discharged => json!({"what": "discharged"}),
        What::Responsible { who, before } => json!({"what": "responsible", "who": who, "before": before}),
        What::Offered { to, by } => json!({"what": "offered", "to": to, "by": by}),
        What::OfferRejected { by, reason } => json!({"what": "offer-rejected", "by": by, "reason": reason}),
        What::Called { alarm, step, to, person, cause } => {
            let to = match to {
                Callee::Responsible => "responsible",
                Callee::Role(role) => role.as_str(),
            };
            json!({"what": "called", "alarm": alarm.to_string(), "step": step, "to": to, "person": person, "cause": self::cause(cause)})
        }
        What::Answered { alarm, by, rejected } => {
            json!({"what": "answered", "alarm": alarm.to_string(), "by": by, "rejected": rejected})
        }
        What::Unanswered { alarm } => json!({"what": "unanswered", "alarm": alarm.to_string()}),
        What::Refused { act, why } => json!({"what": "refused", "act": act, "why": why.to_string()}),
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("seq".into(), json!(output.seq));
        fields.insert("at".into(), json!(output.at.micros()));
        fields.insert("bed".into(), json!(bed.map(obhut_model::BedId::as_str)));
    }
    value
}

/// What a limit was set to.
pub(crate) fn setting(to: &Setting) -> Value {
    match to {
        Setting::At(limit) => json!(limit),
        Setting::Off => json!("off"),
        Setting::Profile => json!("profile"),
    }
}

const fn paused(pause: PauseKind) -> &'static str {
    match pause {
        PauseKind::Audio => "audio",
        PauseKind::Alarms => "alarms",
        PauseKind::AudioOff => "audio-off",
    }
}

fn cause(cause: &Cause) -> Value {
    let word = match cause {
        Cause::Person(person) => return json!({"person": person}),
        Cause::Alarm(alarm) => return json!({"alarm": alarm.to_string()}),
        Cause::Condition => "condition",
        Cause::Value => "value",
        Cause::Opinion => "opinion",
        Cause::Elapsed => "elapsed",
        Cause::Superseded => "superseded",
        Cause::FoundLate => "found-late",
        Cause::LimitSet => "limit-set",
        Cause::Standby => "standby",
        Cause::NotExpected => "not-expected",
        Cause::Patient => "patient",
        Cause::Profile => "profile",
        Cause::Restart => "restart",
        Cause::First => "first",
    };
    json!(word)
}

/// How loud the ward was.
#[must_use]
pub fn statistics(records: &[AlarmRecord], yardstick: &Yardstick) -> Value {
    let outputs = outputs(records);
    let counted = Statistics::of(&outputs, yardstick);
    let days: Vec<Value> = counted
        .days
        .iter()
        .map(|(place, day, counts)| {
            let bed = match place {
                Place::Ward => None,
                Place::Bed(bed) => Some(bed.as_str()),
            };
            json!({"bed": bed, "day": day, "high": counts.high, "medium": counts.medium, "low": counts.low, "technical": counts.technical})
        })
        .collect();
    let noise: Vec<Value> = counted
        .noise
        .iter()
        .map(|noise| {
            let suggestion = noise.suggestion.as_ref().map(|suggestion| match suggestion {
                Suggestion::LongerDelay { by, avoids } => json!({"longer_delay": by.0, "avoids": avoids}),
                Suggestion::ShiftLimit { to, avoids } => json!({"shift_limit": to, "avoids": avoids}),
                Suggestion::CheckSensor { alarms } => json!({"check_sensor": alarms}),
            });
            json!({"rule": noise.rule.as_str(), "alarms": noise.alarms, "short": noise.short, "suggestion": suggestion})
        })
        .collect();
    let seconds = |length: Option<Seconds>| length.map(|length| length.0);
    json!({
        "alarms": counted.alarms, "acknowledged": counted.acknowledged, "judged": counted.judged, "actionable": counted.actionable,
        "actionable_share": counted.actionable_share(), "acknowledged_median": seconds(counted.acknowledged_median),
        "acknowledged_p90": seconds(counted.acknowledged_p90), "days": days, "noise": noise,
    })
}
