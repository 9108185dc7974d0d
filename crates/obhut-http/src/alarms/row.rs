//! Alarms as pages are told them: `docs/alarms.md`. Labels and pseudonyms, never a name.

use super::{Message, Watching};
use obhut_model::{BedId, Quality, ServerTime};
use obhut_vitals::alarm::{Alarm, AlarmType, BedView, Evidence, Inactivation, Judgement, Lang, Phase, Place, Priority};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ALARMS: u8 = 5;

/// A message of the stream.
pub(super) fn tagged(value: &Value) -> Message {
    let mut message = vec![ALARMS];
    message.extend_from_slice(value.to_string().as_bytes());
    Message::from(message)
}

/// Everything.
pub(super) fn whole(watching: &Watching, now: ServerTime) -> Value {
    let beds: Vec<Value> = watching.labels.iter().filter_map(|(id, _)| bed(watching, id, now)).collect();
    json!({"t": now.micros(), "whole": true, "watching": watching.engine.is_some(), "ward": ward(watching), "beds": beds})
}

/// What changed.
pub(super) fn changes(watching: &Watching, beds: &BTreeSet<BedId>, with_ward: bool, now: ServerTime) -> Value {
    let beds: Vec<Value> = beds.iter().filter_map(|id| bed(watching, id, now)).collect();
    let mut message = json!({"t": now.micros(), "whole": false, "watching": watching.engine.is_some(), "beds": beds});
    if let (true, Some(fields)) = (with_ward, message.as_object_mut()) {
        fields.insert("ward".into(), ward(watching));
    }
    message
}

/// Alarms of what serves all beds.
pub(super) fn ward(watching: &Watching) -> Value {
    let mut alarms: Vec<&Alarm> = watching
        .engine
        .iter()
        .flat_map(|engine| engine.alarms())
        .filter(|(place, _)| *place == Place::Ward)
        .map(|(_, alarm)| alarm)
        .collect();
    alarms.sort_by_key(|alarm| (std::cmp::Reverse(alarm.priority), std::cmp::Reverse(alarm.raised_at)));
    let rows: Vec<Value> = alarms.iter().map(|alarm| self::alarm(alarm, None, phase(watching, alarm))).collect();
    json!({"alarms": rows, "sound": sound(alarms.into_iter())})
}

fn phase(watching: &Watching, alarm: &Alarm) -> Phase {
    watching.phases.get(&alarm.id).copied().unwrap_or(Phase::Continue)
}

/// One bed.
pub(super) fn bed(watching: &Watching, id: &BedId, now: ServerTime) -> Option<Value> {
    let (_, label) = watching.labels.iter().find(|(known, _)| known == id)?;
    let Some(view) = watching.engine.as_ref().and_then(|engine| engine.bed(id)) else {
        return Some(
            json!({"bed": id.as_str(), "label": label, "occupied": watching.lying.contains_key(id), "alarms": [], "sound": null}),
        );
    };
    let rows: Vec<Value> =
        view.alarms.iter().map(|alarm| self::alarm(alarm, Some(id), phase(watching, alarm))).collect();
    let BedView { audio_paused, alarms_paused, .. } = &view;
    let until = |left: &Option<obhut_vitals::Seconds>| left.map(|left| now.micros().saturating_add(left.micros()));
    Some(json!({
        "bed": id.as_str(), "label": label, "occupied": view.subject.is_some(), "profile": view.profile.as_str(),
        "alarms": rows, "sound": if view.standby.is_some() { None } else { sound(view.alarms.iter().copied()) },
        "audio_paused_until": until(audio_paused), "alarms_paused_until": until(alarms_paused), "audio_off": view.audio_off.is_some(),
        "standby_since": view.standby.map(|standby| standby.since.micros()),
        "responsible": view.responsible, "offer": view.offer.map(|offer| json!({"to": offer.to, "by": offer.by})),
        "limits_set": view.limits.iter().filter(|limit| limit.set.is_some()).count(),
        "limits_off": view.limits.iter().filter(|limit| limit.limit.is_none()).count(),
        "score": watching.score_row(id, now), "signals": watching.signals(id),
    }))
}

/// The most urgent alarm that is to be heard.
fn sound<'a>(alarms: impl Iterator<Item = &'a Alarm>) -> Option<&'static str> {
    let heard = alarms.filter(|alarm| alarm.inactivation == Inactivation::Enabled).map(|alarm| alarm.priority).max();
    heard.and_then(|priority| (priority != Priority::None).then(|| word_of(priority)))
}

pub(crate) const fn word_of(priority: Priority) -> &'static str {
    match priority {
        Priority::None => "none",
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
    }
}

pub(super) fn judged(judged: Judgement) -> &'static str {
    match judged {
        Judgement::Actionable => "actionable",
        Judgement::NotActionable => "not-actionable",
    }
}

/// One alarm.
pub(super) fn alarm(alarm: &Alarm, bed: Option<&BedId>, phase: Phase) -> Value {
    let reason = &alarm.reason;
    let code = reason.code().map(|code| code.info().map_or_else(|| code.to_string(), |i| i.reference_id.to_owned()));
    json!({
        "id": alarm.id.to_string(), "bed": bed.map(BedId::as_str), "rule": alarm.id.rule().as_str(),
        "kind": match alarm.kind {
            AlarmType::Physiological => "physiological",
            AlarmType::Technical => "technical",
            AlarmType::Advisory => "advisory",
        },
        "priority": word_of(alarm.priority), "declared": word_of(alarm.declared), "marks": alarm.priority.marks(),
        "state": alarm.state.word(), "inactivation": alarm.inactivation.word(), "phase": phase.word(),
        "text": {"de": reason.short(Lang::De), "en": reason.short(Lang::En)},
        "code": code, "value": reason.value(), "worst": alarm.worst, "limit": reason.limit(), "unit": reason.unit(),
        "since": alarm.onset.micros(), "raised": alarm.raised_at.micros(), "ended": alarm.ended.map(|at| at.micros()), "late": alarm.late,
        "evidence": if alarm.evidence == Evidence::Known { "known" } else { "unknown" },
        "quality": Quality::bits(alarm.quality), "source": alarm.source.as_ref().map(obhut_model::DeviceId::as_str),
        "downgraded": alarm.downgraded, "delay": alarm.delays.total().0, "rule_version": alarm.rule_version,
        "acknowledged": alarm.acknowledged.as_ref().map(|seen| json!({"by": seen.by, "at": seen.at.micros(), "judged": seen.judged.map(judged)})),
        "calling": alarm.calling.as_ref().map(|call| json!({
            "step": call.step, "next_at": call.next_at.map(|at| at.micros()), "accepted": call.accepted, "unanswered": call.unanswered,
        })),
    })
}
