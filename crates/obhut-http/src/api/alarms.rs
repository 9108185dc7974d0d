//! Alarms for those who work by them: what holds, what they do about it, limits, history, statistics, scores. Formats: `docs/alarms.md`.
//!
//! What is done at a bed asks about the ward and never waits for a disk: its record may go to the spool. Limits and scales ask about the patient and wait for theirs.
//!
//! INVARIANT: an act reaches the alarms only after its decision stands in the ledger or its spool, under the identifier its page gave it.

mod deeds;
mod scores;

use super::ward::declared_bed;
use super::{ApiError, Needs, Route, blocking, route};
use crate::alarms::{history as shown, setting, statistics as counted, word_of};
use crate::desk::Ask;
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use deeds::{AtBed, AtLimits};
use obhut_access::{Action, Resource};
use obhut_model::{BedId, PersonId, RequestId, ServerTime};
use obhut_vitals::Seconds;
use obhut_vitals::alarm::statistics::Yardstick;
use obhut_vitals::alarm::{Act, AlarmId, BedView, Deed, Place, Profile, Refusal, Side};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) use scores::completed_years;

/// Most records of a history in one answer.
const HISTORY_MAX: usize = 2_000;
/// Most records statistics are made from.
const COUNTED_MAX: usize = 100_000;
/// Most days statistics go back.
const DAYS_MAX: i64 = 31;
const DAY_MICROS: i64 = 86_400_000_000;

pub(super) fn routes() -> Vec<Route> {
    use Needs::Permit;
    vec![
        route(Method::GET, "/alarms", Permit(Action::LiveView), get(ward)),
        route(Method::POST, "/alarms/acts", Permit(Action::AlarmAcknowledge), post(act_on_ward)),
        route(Method::GET, "/alarms/statistics", Permit(Action::LiveView), get(statistics)),
        route(Method::GET, "/beds/{bed}/alarms/history", Permit(Action::HistoryView), get(history)),
        route(Method::POST, "/beds/{bed}/alarms/acts", Permit(Action::AlarmAcknowledge), post(act)),
        route(Method::GET, "/beds/{bed}/limits", Permit(Action::LiveView), get(limits)),
        route(Method::POST, "/beds/{bed}/limits", Permit(Action::AlarmLimits), post(act_on_limits)),
        route(Method::GET, "/beds/{bed}/score", Permit(Action::LiveView), get(scores::look)),
        route(Method::POST, "/beds/{bed}/score/inputs", Permit(Action::AlarmAcknowledge), post(scores::enter)),
        route(Method::POST, "/beds/{bed}/score/scale", Permit(Action::AlarmLimits), post(scores::scale)),
    ]
}

/// Alarms of every bed and of the ward, with pauses, standby and who is responsible.
async fn ward(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::LiveView, state.desk.ward())).await?;
    Ok(Json(state.alarms.snapshot()))
}

/// An act as a page sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent<T> {
    id: RequestId,
    what: T,
}

fn not_understood(error: &serde_json::Error) -> ApiError {
    ApiError::bad("act", format!("the act is not understood: {error}"), "see the description of the alarms")
}

/// Alarms are people's to answer; the console has no hands at the bed.
fn person(who: &Who) -> Result<PersonId, ApiError> {
    who.person().ok_or_else(ApiError::refused)
}

async fn act(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    let ask = Ask::new(Action::AlarmAcknowledge, state.desk.ward());
    let sent = serde_json::from_slice::<Sent<AtBed>>(&body);
    let note = sent.as_ref().map(|sent| format!("{bed}: {}", sent.what.said())).unwrap_or_default();
    state.desk.permit(&who, ask.note(note)).await?;
    let Sent { id, what } = sent.map_err(|error| not_understood(&error))?;
    let bed = declared_bed(&state, &bed)?;
    let deed = what.into_deed(&bed).ok_or_else(unknown_alarm)?;
    if let Some(alarm) = alarm_of(&deed) {
        belongs(&state, alarm, &Place::Bed(bed.clone()))?;
    }
    done(&state, Act { id, who: person(&who)?, what: deed })?;
    Ok(Json(json!({"bed": state.alarms.bed(&bed)})))
}

async fn act_on_ward(
    State(state): State<Arc<AppState>>,
    who: Who,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    let ask = Ask::new(Action::AlarmAcknowledge, state.desk.ward());
    let sent = serde_json::from_slice::<Sent<AtBed>>(&body);
    let note = sent.as_ref().map(|sent| sent.what.said()).unwrap_or_default();
    state.desk.permit(&who, ask.note(note)).await?;
    let Sent { id, what } = sent.map_err(|error| not_understood(&error))?;
    let deed = what.about_alarm().ok_or_else(unknown_alarm)?;
    if let Some(alarm) = alarm_of(&deed) {
        belongs(&state, alarm, &Place::Ward)?;
    }
    done(&state, Act { id, who: person(&who)?, what: deed })?;
    Ok(Json(json!({"ward": state.alarms.ward()})))
}

async fn act_on_limits(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    let resource = about(&state, &bed).await?;
    let sent = serde_json::from_slice::<Sent<AtLimits>>(&body);
    let note = sent.as_ref().map(|sent| format!("{bed}: {}", sent.what.said())).unwrap_or_default();
    state.desk.permit(&who, Ask::new(Action::AlarmLimits, resource).note(note)).await?;
    let Sent { id, what } = sent.map_err(|error| not_understood(&error))?;
    let bed = declared_bed(&state, &bed)?;
    let deed = what.into_deed(&bed).ok_or_else(|| {
        ApiError::bad("act", "this is not a rule, code, priority, limit or profile", "take one of the bed's limits")
    })?;
    done(&state, Act { id, who: person(&who)?, what: deed })?;
    Ok(Json(json!({"bed": state.alarms.bed(&bed)})))
}

/// Whoever lies in a bed, or the ward if nobody does.
pub(super) async fn about(state: &AppState, bed: &str) -> Result<Resource, ApiError> {
    let subject = BedId::new(bed).ok().and_then(|bed| state.alarms.subject(&bed));
    match subject {
        Some(subject) => Ok(Resource::Patient(state.desk.patient(subject).await?)),
        None => Ok(state.desk.ward()),
    }
}

const fn alarm_of(deed: &Deed) -> Option<&AlarmId> {
    match deed {
        Deed::Acknowledge { alarm, .. }
        | Deed::Accept { alarm }
        | Deed::Reject { alarm, .. }
        | Deed::Escalate { alarm } => Some(alarm),
        _ => None,
    }
}

fn unknown_alarm() -> ApiError {
    refusal(&Refusal::UnknownAlarm)
}

/// An alarm that is somewhere else now is no alarm of this place. One that is nowhere is the alarms' to refuse: the act may have been done before.
fn belongs(state: &AppState, alarm: &AlarmId, place: &Place) -> Result<(), ApiError> {
    match state.alarms.place_of(alarm) {
        Some(found) if found != *place => Err(unknown_alarm()),
        _ => Ok(()),
    }
}

fn done(state: &AppState, act: Act) -> Result<(), ApiError> {
    state.alarms.act(act).map_err(|refused| refused.as_ref().map_or_else(not_watching, refusal))
}

pub(super) fn not_watching() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_watching",
        "the charter declares no alarms: nobody watches this ward",
        "declare `[alarms]` in the charter",
    )
}

fn refusal(why: &Refusal) -> ApiError {
    let (code, hint) = match why {
        Refusal::UnknownBed => ("unknown_bed", "choose a bed of this ward"),
        Refusal::UnknownAlarm => ("unknown_alarm", "look again: it may have ended, or be at another bed"),
        Refusal::UnknownRule => ("unknown_rule", "take one of the bed's limits"),
        Refusal::UnknownProfile => ("unknown_profile", "take one of the ward's profiles"),
        Refusal::Reason => ("reason", "say why, in at most 400 characters"),
        Refusal::PauseLength { .. } => ("pause_length", "choose a shorter pause"),
        Refusal::NotAllowed => ("not_allowed", "the charter's alarms do not allow it"),
        Refusal::Limit => ("limit", "stay inside the bounds, and more urgent limits outside less urgent ones"),
        Refusal::NotOffered => ("not_offered", "look again: the offer may be gone"),
        _ => ("not_done", "look again"),
    };
    ApiError::conflict(code, why.to_string(), hint)
}

/// Every limit of a bed; why it was set only for those who may set it, and recorded as such a look.
async fn limits(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::LiveView, state.desk.ward())).await?;
    let bed = declared_bed(&state, &bed)?;
    let any_set = state.alarms.look(&bed, |view, _, _| view.limits.iter().any(|limit| limit.set.is_some()));
    let reasons = any_set == Some(true) && {
        let ask = Ask::new(Action::AlarmLimits, about(&state, bed.as_str()).await?);
        state.desk.would_permit(&who, &ask) && state.desk.permit(&who, ask).await.is_ok()
    };
    state
        .alarms
        .look(&bed, |view, profile, all| limits_of(view, profile, all, reasons))
        .map(Json)
        .ok_or_else(not_watching)
}

fn limits_of(view: &BedView<'_>, profile: &Profile, all: &[Profile], reasons: bool) -> Value {
    let rows: Vec<Value> = view
        .limits
        .iter()
        .map(|limit| {
            let info = limit.code.info();
            let settable = profile.rule(&limit.rule).and_then(|rule| rule.settable);
            let set = limit.set.as_ref().map(|set| {
                json!({"by": set.by, "at": set.at.micros(), "to": setting(&set.to), "reason": reasons.then_some(&set.reason)})
            });
            json!({
                "rule": limit.rule.as_str(), "code": info.map_or_else(|| limit.code.to_string(), |info| info.reference_id.to_owned()),
                "label": info.map(|info| info.label), "name": {"de": info.map(|info| info.name_de), "en": info.map(|info| info.name_en)},
                "unit": info.map(|info| info.unit_shown), "side": if limit.side == Side::High { "high" } else { "low" },
                "over": limit.over.map(|over| over.0), "priority": word_of(limit.priority), "limit": limit.limit, "profile": limit.profile,
                "settable": settable.map(|bounds| json!({"from": bounds.from, "to": bounds.to})),
                "delay": limit.delays.total().0, "set": set,
            })
        })
        .collect();
    let pauses = profile.pauses;
    json!({
        "profile": profile.id.as_str(), "profiles": all.iter().map(|profile| profile.id.as_str()).collect::<Vec<_>>(), "version": profile.version,
        "audio_pause_max": pauses.audio_max.0, "alarm_pause_max": pauses.alarm_max.0, "audio_off_allowed": pauses.audio_off_allowed, "limits": rows,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    from: Option<i64>,
    to: Option<i64>,
}

/// What happened to whoever lies in a bed now, wherever they lay before.
async fn history(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
    Query(wanted): Query<Stretch>,
) -> Result<Json<Value>, ApiError> {
    let subject = BedId::new(&bed).ok().and_then(|bed| state.alarms.subject(&bed));
    let resource = about(&state, &bed).await?;
    let permit = state.desk.permit(&who, Ask::new(Action::HistoryView, resource)).await?;
    let Some(subject) = subject else {
        return Err(ApiError::unknown("bed_empty", "nobody lies in this bed", "choose another bed"));
    };
    let within =
        ServerTime::from_micros(wanted.from.unwrap_or(0))..ServerTime::from_micros(wanted.to.unwrap_or(i64::MAX));
    let home = state.alarms.home();
    let sealed = blocking(move || Ok(home.alarm_records(subject, within, HISTORY_MAX)?)).await?;
    let records = state.desk.open(sealed, &permit)?;
    Ok(Json(json!({"subject": subject, "records": shown(&records)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    days: Option<i64>,
}

/// How loud the ward was and what would make it quieter; beds and counts, nothing about a patient.
async fn statistics(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(wanted): Query<Days>,
) -> Result<Json<Value>, ApiError> {
    let permit = state.desk.permit(&who, Ask::new(Action::LiveView, state.desk.ward())).await?;
    let days = wanted.days.unwrap_or(7);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(ApiError::bad("days", "statistics go back 1 to 31 days", "ask for fewer days"));
    }
    let to = state.alarms.now();
    let from = to.plus_micros(-days * DAY_MICROS);
    let home = state.alarms.home();
    let sealed = blocking(move || Ok(home.all_alarm_records(from..to, COUNTED_MAX)?)).await?;
    let records = state.desk.open(sealed, &permit)?;
    let mut answer = blocking(move || Ok(counted(&records, &yardstick(to)))).await?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("from".into(), json!(from.micros()));
        fields.insert("to".into(), json!(to.micros()));
    }
    Ok(Json(answer))
}

/// What counts as noise: alarms under ten seconds that nobody answered; a change is suggested if it would spare a third of at least twenty (decision 0188).
fn yardstick(now: ServerTime) -> Yardstick {
    Yardstick {
        short: Seconds(10),
        share: 1.0 / 3.0,
        delay_more_max: Seconds(15),
        alarms_min: 20,
        day_offset_minutes: scores::offset_minutes(now),
    }
}
