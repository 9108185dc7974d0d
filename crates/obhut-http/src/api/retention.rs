//! The deletion concept, the deletion job, legal holds, and erasures with their certificates.
//!
//! Not for deciding how long (the charter) nor what stands in the way (`obhut-retention`). Whoever looks at the concept sees kinds and counts, never a
//! patient; a hold names one by pseudonym, and so does an erasure until it is done.
//!
//! INVARIANT: a patient is erased only after the decision to is on record, and once begun it ends, whether or not the caller waits.

use super::session::execute;
use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use obhut_access::{Action, Resource};
use obhut_model::{CaseId, DeviceTime, ServerTime, Subject};
use obhut_register::keeping::{Command, Hold, HoldProposed, Scope};
use obhut_retention::{Forbidden, Order, Report, Retention, RetentionError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// How long a hold that nobody else approved yet holds: a week.
const APPROVE_WITHIN_MICROS: i64 = 7 * 86_400_000_000;

pub(super) fn routes() -> Vec<Route> {
    let manage = || Needs::Permit(Action::RetentionManage);
    let hold = || Needs::Permit(Action::HoldManage);
    vec![
        route(Method::GET, "/retention", manage(), get(show)),
        route(Method::POST, "/retention/run", manage(), post(run)),
        route(Method::GET, "/retention/holds", hold(), get(holds)),
        route(Method::POST, "/retention/holds", hold(), post(propose)),
        route(Method::POST, "/retention/holds/{case}/approve", hold(), post(approve)),
        route(Method::POST, "/retention/holds/{case}/review", hold(), post(review)),
        route(Method::POST, "/retention/holds/{case}/release", hold(), post(release)),
        route(Method::GET, "/erasures", manage(), get(erasures)),
        route(Method::POST, "/erasures", Needs::Permit(Action::Erase), post(erase)),
        route(Method::GET, "/erasures/{case}/certificate", manage(), get(certificate)),
    ]
}

pub(super) fn room(state: &AppState) -> Result<Arc<Retention>, ApiError> {
    state
        .retention
        .get()
        .cloned()
        .ok_or_else(|| ApiError::internal("this program was opened without its deletion concept"))
}

pub(super) fn failed(error: RetentionError) -> ApiError {
    tracing::error!(error = &error as &dyn std::error::Error, "keeping or erasing failed");
    match error {
        RetentionError::LedgerDown => ApiError::ledger_unavailable(),
        RetentionError::Register(refusal) => {
            ApiError::conflict("refused_by_register", refusal.to_string(), "look at what there is and try again")
        }
        other => ApiError::internal(other.to_string()),
    }
}

fn told(report: &Report) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("due".to_owned(), json!(report.due()));
        object.insert("overdue".to_owned(), json!(report.overdue()));
        object.insert("removed".to_owned(), json!(report.removed()));
    }
    value
}

async fn walk(state: Arc<AppState>, dry: bool) -> Result<Report, ApiError> {
    let room = room(&state)?;
    blocking(move || {
        let charter = state.charter.load();
        room.run(&charter.checked, state.clock.now(), dry).map_err(failed)
    })
    .await
}

/// Every kind of data with its rule, and where it stands.
async fn show(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::RetentionManage, Resource::Retention)).await?;
    let room = room(&state)?;
    let now = walk(state.clone(), true).await?;
    let charter = state.charter.load();
    let progress = room.progress();
    Ok(Json(json!({
        "charter": {"name": charter.name, "fingerprint": charter.rules.fingerprint},
        "controller": charter.checked.charter().controller.name.to_string(),
        "now": told(&now),
        "last_run": room.last_run().as_ref().map(told),
        "progress": progress.since.map(|since| json!({"since": since.micros(), "what": progress.what, "done": progress.done, "total": progress.total})),
    })))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HowToRun {
    dry: bool,
}

async fn run(
    State(state): State<Arc<AppState>>,
    who: Who,
    how: Option<Json<HowToRun>>,
) -> Result<Json<Value>, ApiError> {
    let dry = how.is_some_and(|Json(how)| how.dry);
    let note = if dry { "dry run" } else { "run" };
    let _ = state.desk.permit(&who, Ask::new(Action::RetentionManage, Resource::Retention).note(note)).await?;
    // In a task of its own: what is begun ends, whether or not the caller waits.
    let report = tokio::spawn(walk(state, dry)).await.map_err(|_| ApiError::internal("the job broke off"))??;
    Ok(Json(told(&report)))
}

fn hold_row(hold: &Hold, now: ServerTime) -> Value {
    let scope = match &hold.scope {
        Scope::Subject(subject) => json!({"subject": subject}),
        Scope::Class(class) => json!({"class": class}),
    };
    json!({
        "case": hold.case, "scope": scope, "reason": hold.reason.as_str(), "number": hold.number.as_str(),
        "requester": hold.requester.as_str(), "proposed": hold.proposed.micros(),
        "approved": hold.approved.map(|(at, _)| at.micros()), "approve_by": hold.approve_by.micros(), "review": hold.review.micros(),
        "released": hold.released.as_ref().map(|(at, _)| at.micros()), "holds": hold.holds(now),
        "review_due": hold.holds(now) && hold.review <= now,
    })
}

async fn holds(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::HoldManage, Resource::Retention)).await?;
    let now = real_now();
    let rows: Vec<Value> = state.desk.register.read(|register| {
        let mut holds: Vec<&Hold> = register.holds().collect();
        holds.sort_by_key(|hold| (!hold.holds(now), hold.review));
        holds.into_iter().map(|hold| hold_row(hold, now)).collect()
    });
    Ok(Json(json!({"holds": rows})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    #[serde(default)]
    subject: Option<Subject>,
    #[serde(default)]
    class: Option<String>,
    reason: String,
    number: String,
    requester: String,
    review: ServerTime,
}

async fn propose(
    State(state): State<Arc<AppState>>,
    who: Who,
    Json(wanted): Json<Proposed>,
) -> Result<Json<Value>, ApiError> {
    let case = state.desk.new_case();
    let _ = state.desk.permit(&who, Ask::new(Action::HoldManage, Resource::Retention).case(case)).await?;
    let scope = match (wanted.subject, wanted.class) {
        (Some(subject), None) => Scope::Subject(subject),
        (None, Some(class)) => Scope::Class(class.into()),
        _ => {
            return Err(ApiError::bad(
                "scope",
                "a hold is about one patient or one class",
                "give `subject` or `class`",
            ));
        }
    };
    let approve_by = ServerTime::from_micros(real_now().micros() + APPROVE_WITHIN_MICROS);
    let proposed = HoldProposed {
        case,
        scope,
        reason: wanted.reason.trim().into(),
        number: wanted.number.trim().into(),
        requester: wanted.requester.trim().into(),
        approve_by,
        review: wanted.review,
    };
    execute(&state, who.by(), Command::ProposeHold(proposed)).await??;
    Ok(Json(json!({"case": case, "approve_by": approve_by.micros()})))
}

async fn approve(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
) -> Result<StatusCode, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::HoldManage, Resource::Retention).case(case)).await?;
    execute(&state, who.by(), Command::ApproveHold { case }).await??;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    review: ServerTime,
}

async fn review(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Json(next): Json<Next>,
) -> Result<StatusCode, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::HoldManage, Resource::Retention).case(case)).await?;
    execute(&state, who.by(), Command::ReviewHold { case, review: next.review }).await??;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: String,
}

async fn release(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Json(why): Json<Why>,
) -> Result<StatusCode, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::HoldManage, Resource::Retention).case(case)).await?;
    execute(&state, who.by(), Command::ReleaseHold { case, reason: why.reason.trim().into() }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Every erasure; once done it names nobody.
async fn erasures(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::RetentionManage, Resource::Retention)).await?;
    let rows: Vec<Value> = state.desk.register.read(|register| {
        let mut all: Vec<_> = register.erasures().collect();
        all.sort_by_key(|erasure| std::cmp::Reverse(erasure.decided));
        all.into_iter()
            .map(|erasure| {
                let steps: Vec<Value> =
                    erasure.steps.iter().map(|(at, step)| json!({"at": at.micros(), "step": step})).collect();
                json!({"case": erasure.case, "decided": erasure.decided.micros(), "reason": erasure.reason, "request": erasure.request,
                       "done": erasure.certificate.is_some(), "steps": steps})
            })
            .collect()
    });
    Ok(Json(json!({"erasures": rows, "public_key": state.desk.scribe.public_key()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    subject: String,
    /// A word: `request`, `objection`, `unlawful`, `order`.
    reason: String,
    #[serde(default)]
    request: Option<CaseId>,
    /// Where the treatment record is kept instead, for the entry in the ledger; without it the ten years of § 630f(3) BGB stand in the way.
    #[serde(default)]
    record_kept_at: Option<String>,
}

fn forbidden(why: &Forbidden) -> ApiError {
    match why {
        Forbidden::Unknown => {
            ApiError::unknown("unknown", "the patient is not known, or erased already", "look at `obhut erasure list`")
        }
        Forbidden::InBed(bed) => ApiError::conflict(
            "in_bed",
            format!("the patient lies in bed `{bed}`"),
            "end the stay first: nobody is erased while being treated",
        ),
        Forbidden::Held => ApiError::conflict(
            "held",
            "a legal hold stands: nothing of this patient may be destroyed",
            "look at the hold; whoever is responsible for it can release it",
        ),
        Forbidden::TreatmentRecord { until, basis } => {
            let day = until.micros() / 86_400_000_000;
            ApiError::new(
                StatusCode::CONFLICT,
                "treatment_record",
                format!(
                    "the treatment record must be kept: {}; {} more days",
                    basis.1,
                    day - real_now().micros() / 86_400_000_000
                ),
                "if the record is kept in the hospital's own system, say where: that statement goes into the ledger, sealed, and the certificate says that it was made",
            )
        }
        _ => ApiError::conflict("forbidden", "something stands in the way", "look at holds and duties"),
    }
}

async fn erase(
    State(state): State<Arc<AppState>>,
    who: Who,
    Json(wanted): Json<Erase>,
) -> Result<Json<Value>, ApiError> {
    let case = state.desk.new_case();
    let subject: Subject = wanted
        .subject
        .parse()
        .map_err(|_| ApiError::bad("subject", "a patient is named by the pseudonym", "see `obhut bed list`"))?;
    let patient = state.desk.patient(subject).await?;
    let mut ask = Ask::new(Action::Erase, Resource::Patient(patient)).case(case);
    let elsewhere = wanted.record_kept_at.as_deref().map(str::trim).filter(|place| !place.is_empty());
    if let Some(place) = elsewhere {
        ask = ask.note(format!("treatment record kept at: {place}"));
    }
    if !wanted.reason.chars().all(|c| c.is_ascii_lowercase() || c == '-') || wanted.reason.len() > 32 {
        return Err(ApiError::bad(
            "reason",
            "the reason is one word",
            "write `request`, `objection`, `unlawful` or `order`",
        ));
    }
    let order = Order {
        case,
        subject,
        reason: wanted.reason.as_str().into(),
        request: wanted.request,
        by: who.by(),
        record_elsewhere: elsewhere.is_some(),
    };
    let _ = state.desk.permit(&who, ask).await?;
    let room = room(&state)?;
    let work = state.clone();
    let carried = tokio::spawn(blocking(move || {
        let charter = work.charter.load();
        let ward = DeviceTime::from_micros(work.clock.now().micros());
        let why = room.may_erase(&charter.checked, order.subject, ward, order.record_elsewhere).map_err(failed)?;
        if let Some(why) = why {
            return Err(forbidden(&why));
        }
        let done = room.erase(&charter.checked, &order).map_err(failed)?;
        work.refresh()?;
        // The alarms of whoever was here lately are in memory, too.
        work.alarms.forget(order.subject);
        Ok(done)
    }));
    let done =
        carried.await.map_err(|_| ApiError::internal("the erasure broke off; it goes on at the next start"))??;
    Ok(Json(json!({
        "case": done.case, "subject": subject, "key_destroyed_in": done.key_destroyed_in.map(|t| t.as_micros() as u64), "took": done.took.as_micros() as u64,
        "destroyed": done.body.destroyed, "bytes_overwritten": done.body.bytes_overwritten, "key_epoch": done.body.key_epoch, "copies": done.body.copies,
        "public_key": state.desk.scribe.public_key(),
    })))
}

async fn certificate(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
) -> Result<Response, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::RetentionManage, Resource::Retention).case(case)).await?;
    let found = state.desk.register.read(|register| register.erasure(case).map(|erasure| erasure.certificate.clone()));
    match found {
        None => Err(ApiError::unknown("erasure", "there is no such erasure", "look at the list of erasures")),
        Some(None) => Err(ApiError::conflict("not_done", "this erasure is not done yet", "wait, and look again")),
        Some(Some(certificate)) => {
            let name = format!("attachment; filename=\"erasure-{case}.json\"");
            let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)];
            Ok((headers, certificate).into_response())
        }
    }
}
