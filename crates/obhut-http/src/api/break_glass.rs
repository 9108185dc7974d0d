//! Emergency access: open, stop, explain; and the queue in which a second person judges every single one.
//!
//! Opening is a decision, a ledger entry (spooled if the ledger is down) and a change of the register that is in force before it is written. It needs no
//! provider, no working policy, no working log. What it opens is `obhut-access`'s to say.
//!
//! INVARIANT: an emergency access is opened only after its entry is durable or spooled, and everybody who judges sees it in the queue from that moment.

use super::session::execute;
use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::{delete, get, post};
use obhut_access::{Action, Patient, Resource};
use obhut_ledger::{Actor, Event, EventKind, Outcome, ResourceRef};
use obhut_model::{BedId, CaseId, DeviceTime, Subject};
use obhut_register::emergencies::{Command, Due, Emergency, Limits, Verdict};
use obhut_register::{By, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long the answer waits for the register's disk. The access is in force by then.
const DISK_WAIT: Duration = Duration::from_secs(1);
/// How often the timer looks for reminders, escalations, and rows that wait to be written.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The reason of a page that could not load the charter's.
const REASON_WITHOUT_LIST: &str = "emergency";
/// How many judged accesses the queue still shows.
const JUDGED_MAX: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    use Needs::{Permit, Session};
    vec![
        route(Method::GET, "/break-glass/reasons", Session, get(reasons)),
        route(Method::POST, "/break-glass", Permit(Action::BreakGlass), post(open)),
        route(Method::GET, "/break-glass", Session, get(own)),
        route(Method::DELETE, "/break-glass/{case}", Session, delete(stop)),
        route(Method::POST, "/break-glass/{case}/explain", Session, post(explain)),
        route(Method::GET, "/break-glass/reviews", Permit(Action::BreakGlassReview), get(reviews)),
        route(Method::POST, "/break-glass/{case}/review", Permit(Action::BreakGlassReview), post(review)),
    ]
}

/// The reasons one may choose, in the charter's order.
async fn reasons(State(state): State<Arc<AppState>>, _: Who) -> Json<Value> {
    let charter = state.charter.load();
    let rows: Vec<Value> = charter
        .checked
        .access()
        .break_glass_reasons
        .iter()
        .map(|reason| json!({"id": reason.id.as_str(), "text": {"de": reason.text.de, "en": reason.text.en}}))
        .collect();
    Json(json!({"reasons": rows}))
}

/// What the charter allows. Reminders go out at half and at six sevenths of the period for the judgement: after 3½ and 6 of 7 days.
fn limits(state: &AppState) -> Limits {
    let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000);
    let charter = state.charter.load();
    let access = charter.checked.access();
    let review_micros = micros(access.review_within.seconds());
    // A page that could not load the reasons must still be able to open one.
    let reasons = access.break_glass_reasons.iter().map(|reason| Arc::from(reason.id.as_str()));
    Limits {
        micros_max: micros(access.break_glass_max.seconds()),
        review_micros,
        reasons: reasons.chain([Arc::from(REASON_WITHOUT_LIST)]).collect(),
        remind_micros: vec![review_micros / 2, review_micros / 7 * 6],
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    bed: Option<String>,
    record_number: Option<String>,
    birth_date: Option<String>,
    reason: String,
    #[serde(default)]
    text: String,
}

async fn open(
    State(state): State<Arc<AppState>>,
    who: Who,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let person = who.person().ok_or_else(ApiError::refused)?;
    let limits = limits(&state);
    // Before anything is written: what would be refused must not look like an access in the ledger.
    if !limits.reasons.iter().any(|known| **known == *wanted.reason) {
        return Err(Refusal::UnknownReason.into());
    }
    let (subject, bed) = whom(&state, &wanted).await?;
    // The records may be what is broken: then there are no stays to tell, and the access is opened all the same.
    let patient = match state.desk.patient(subject).await {
        Ok(patient) => patient,
        Err(_) => {
            let (cases, restricted) =
                state.desk.register.read(|register| (register.cases_of(subject), register.restricted(subject)));
            Patient { subject, stays: Vec::new(), cases, restricted }
        }
    };
    let case = state.desk.new_case();
    let ask = Ask::new(Action::BreakGlass, Resource::Patient(patient)).case(case);
    let _ = state.desk.permit(&who, ask.note(format!("{}: {}", wanted.reason, wanted.text.trim()))).await?;
    let command = Command::Open {
        case,
        person,
        subject,
        bed,
        reason: wanted.reason.as_str().into(),
        text: wanted.text.trim().into(),
        limits,
    };
    let now = real_now();
    let case = match state.desk.register.put_into_force(who.by(), now, command) {
        Ok(_) => case,
        // Pressed twice: the running one is what was wanted.
        Err(Refusal::AlreadyOpen) => state
            .desk
            .register
            .read(|register| register.emergency_of(person, subject, now).map(|running| running.case))
            .ok_or_else(ApiError::refused)?,
        Err(refusal) => return Err(refusal.into()),
    };
    settle(&state).await;
    let until = state.desk.register.read(|register| register.emergency(case).map(Emergency::end));
    Ok(Json(json!({"case": case, "subject": subject, "until": until})))
}

/// The patient meant: whoever lies in the bed, or by two identifiers.
async fn whom(state: &Arc<AppState>, wanted: &Wanted) -> Result<(Subject, Option<BedId>), ApiError> {
    let records = state.records.clone();
    match (&wanted.bed, &wanted.record_number, &wanted.birth_date) {
        (Some(bed), None, None) => {
            let bed = state.charter.load().beds.iter().map(|(id, _)| id).find(|id| id.as_str() == bed).cloned();
            let bed = bed.ok_or_else(|| {
                ApiError::unknown("bed", "the charter knows no such bed", "choose a bed of this ward")
            })?;
            let now = DeviceTime::from_micros(state.clock.now().micros());
            let (_, stays) = blocking(move || Ok(records.bindings()?)).await?;
            let lies =
                stays.iter().find(|stay| stay.bed == bed && stay.from <= now && stay.to.is_none_or(|to| now < to));
            let lies =
                lies.ok_or_else(|| ApiError::unknown("bed_empty", "nobody lies in this bed", "choose another bed"))?;
            Ok((lies.subject, Some(bed)))
        }
        (None, Some(number), Some(birth)) => {
            let (number, birth) = (number.trim().to_owned(), birth.clone());
            let found = blocking(move || Ok(records.find_subject(&number, &birth)?)).await?;
            let subject = found.ok_or_else(|| {
                ApiError::unknown("patient", "no patient has these two identifiers", "compare them with the wristband")
            })?;
            Ok((subject, None))
        }
        _ => {
            Err(ApiError::bad("patient", "it is not said which patient", "give a bed, or record number and birth date"))
        }
    }
}

/// Lets the register write what is in force. Waits a moment, because most of the time that is enough, and never longer.
async fn settle(state: &Arc<AppState>) {
    let register = state.desk.register.clone();
    let writing = tokio::task::spawn_blocking(move || register.settle());
    if !matches!(tokio::time::timeout(DISK_WAIT, writing).await, Ok(Ok(Ok(())))) {
        tracing::error!(
            "a change of the register is in force and not yet written; it will be written as soon as the disk allows"
        );
    }
}

/// The asker's own running ones.
async fn own(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let person = who.person().ok_or_else(ApiError::refused)?;
    let now = real_now();
    let rows: Vec<Value> = state.desk.register.read(|register| {
        let mine = register.emergencies_of(person, now);
        mine.map(|e| json!({"case": e.case, "subject": e.subject, "bed": label(&state, e), "until": e.end(), "reason": e.reason}))
            .collect()
    });
    Ok(Json(json!({"emergencies": rows})))
}

fn label(state: &AppState, emergency: &Emergency) -> Option<String> {
    let bed = emergency.bed.as_ref()?;
    state.charter.load().beds.iter().find(|(id, _)| id == bed).map(|(_, label)| label.clone())
}

/// The emergency access, if it is the asker's.
fn mine(state: &AppState, who: &Who, case: CaseId) -> Result<Emergency, ApiError> {
    let found = state.desk.register.read(|register| register.emergency(case).cloned());
    found.filter(|emergency| Some(emergency.person) == who.person()).ok_or_else(|| {
        let mut event = Event::new(state.desk.new_request(), real_now(), EventKind::Denial, who.actor(), "break-glass");
        event.resource = ResourceRef::new("register", None);
        event.case = Some(case);
        event.origin = who.origin.clone();
        event.outcome = Outcome::Denied("not-yours".into());
        state.desk.tell(event);
        ApiError::refused()
    })
}

async fn stop(State(state): State<Arc<AppState>>, who: Who, Path(case): Path<CaseId>) -> Result<StatusCode, ApiError> {
    let emergency = mine(&state, &who, case)?;
    let now = real_now();
    match state.desk.register.put_into_force(who.by(), now, Command::Stop { case }) {
        Ok(_) => {}
        // It ran out a moment ago.
        Err(Refusal::NotRunning) => return Ok(StatusCode::NO_CONTENT),
        Err(refusal) => return Err(refusal.into()),
    }
    let mut event = about(&state, EventKind::BreakGlassStop, who.actor(), "break-glass", &emergency);
    event.origin = who.origin.clone();
    state.desk.tell(event);
    settle(&state).await;
    Ok(StatusCode::NO_CONTENT)
}

fn about(state: &AppState, kind: EventKind, actor: Actor, action: &str, emergency: &Emergency) -> Event {
    let mut event = Event::new(state.desk.new_request(), real_now(), kind, actor, action);
    event.resource = ResourceRef::new("patient", None);
    event.subject = Some(emergency.subject);
    event.case = Some(emergency.case);
    event.purpose = Some("btg".into());
    event
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    text: String,
}

async fn explain(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Json(words): Json<Words>,
) -> Result<StatusCode, ApiError> {
    mine(&state, &who, case)?;
    execute(&state, who.by(), Command::Explain { case, text: words.text.trim().into() }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The queue: what waits, the most urgent first, and what was judged lately.
async fn reviews(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _ =
        state.desk.permit(&who, Ask::new(Action::BreakGlassReview, Resource::Register).about(&["access-log"])).await?;
    let now = real_now();
    let (rows, waiting, late) = state.desk.register.read(|register| {
        let mut shown = register.reviews_due();
        let (waiting, late) = (shown.len(), shown.iter().filter(|e| now >= e.review_due).count());
        let mut judged: Vec<&Emergency> = register.emergencies().filter(|e| e.review.is_some()).collect();
        judged.sort_by_key(|e| std::cmp::Reverse(e.opened));
        shown.extend(judged.into_iter().take(JUDGED_MAX));
        let name = |id| register.person(id).map(|person| person.name.as_str().to_owned());
        let rows: Vec<Value> = shown
            .into_iter()
            .map(|e| {
                json!({
                    "case": e.case, "subject": e.subject, "bed": label(&state, e), "person": {"id": e.person, "name": name(e.person)},
                    "reason": reason(&state, &e.reason), "text": e.text, "opened": e.opened, "end": e.end(), "running": e.runs(now),
                    "due": e.review_due, "reminded": e.reminded, "escalated": e.escalated, "mine": Some(e.person) == who.person(),
                    "reviewed": e.review.as_ref().map(|review| review.at),
                    "verdict": e.review.as_ref().map(|review| review.verdict), "judgement": e.review.as_ref().map(|review| &review.text),
                    "reviewer": e.review.as_ref().and_then(|review| name(review.by)),
                })
            })
            .collect();
        (rows, waiting, late)
    });
    Ok(Json(json!({"reviews": rows, "waiting": waiting, "late": late})))
}

/// The reason as the charter says it now, or its key if the charter no longer has it.
fn reason(state: &AppState, id: &str) -> Value {
    let charter = state.charter.load();
    let found = charter.checked.access().break_glass_reasons.iter().find(|reason| reason.id.as_str() == id);
    found.map_or_else(|| json!({"de": id, "en": id}), |found| json!({"de": found.text.de, "en": found.text.en}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judgement {
    verdict: Verdict,
    #[serde(default)]
    text: String,
}

async fn review(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Json(judgement): Json<Judgement>,
) -> Result<StatusCode, ApiError> {
    let ask = Ask::new(Action::BreakGlassReview, Resource::Register).about(&["access-log"]).case(case);
    let _ = state.desk.permit(&who, ask).await?;
    let Judgement { verdict, text } = judgement;
    execute(&state, who.by(), Command::Review { case, verdict, text: text.trim().into() }).await??;
    if let Some(emergency) = state.desk.register.read(|register| register.emergency(case).cloned()) {
        let mut event = about(&state, EventKind::BreakGlassReview, who.actor(), "break-glass-review", &emergency);
        event.origin = who.origin.clone();
        event.note = Some(text);
        state.desk.tell(event);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Reminds, escalates, and writes what is in force and not yet in the log, until the server stops.
pub async fn keep_register(state: Arc<AppState>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = look.tick() => {}
        }
        let work = state.clone();
        // A pass that fails is followed by the next.
        let _ = blocking(move || {
            pass(&work);
            Ok(())
        })
        .await;
    }
}

/// One pass of the timer.
pub(crate) fn pass(state: &AppState) {
    let register = &state.desk.register;
    if register.waiting() > 0 && register.settle().is_err() {
        tracing::error!(rows = register.waiting(), "changes of the register are in force and not yet written");
    }
    let now = real_now();
    super::requests::warn(state, now);
    for step in register.read(|register| register.emergency_steps(now)) {
        let (case, command, action) = match step {
            Due::Remind(case) => (case, Command::Remind { case }, "review-reminder"),
            Due::Escalate(case) => (case, Command::Escalate { case }, "review-escalation"),
        };
        if register.execute(By::System, now, command).is_err() {
            continue;
        }
        if let Some(emergency) = register.read(|register| register.emergency(case).cloned()) {
            tracing::warn!(case = %case, action, "an emergency access waits to be judged");
            state.desk.tell(about(state, EventKind::BreakGlassReview, Actor::System, action, &emergency));
        }
    }
}
