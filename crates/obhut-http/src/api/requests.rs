//! Requests of patients for those who answer them: the list with its clocks, and every step from receipt to answer.
//!
//! For: Art. 12, 15 to 21 GDPR and § 630g BGB. Not for the state machine (`obhut-register` keeps it), and not for erasing itself (`retention`).
//!
//! INVARIANT: nothing leaves before the requester was identified. A portable copy holds only what the law lets be taken along. A correction adds a
//! version and never writes over one. Correction, erasure and restriction are not done before each recipient was told, or it is written down why that
//! was not possible (Art. 19).

use super::copy::{self, HouseTime, Wanted, rights_of};
use super::session::{body, execute};
use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use obhut_access::{Action, Permit, Resource};
use obhut_interop::Right;
use obhut_interop::rights::request_clock;
use obhut_ledger::{Actor, Event, EventKind, ResourceRef};
use obhut_model::{CaseId, Code, DeviceTime, ServerTime, Subject, TimeRange};
use obhut_register::requests::{Channel, Command, Ground, Kind, Outcome, Request, Requester};
use obhut_register::rights;
use obhut_register::{By, Private};
use obhut_store::Run;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    let needs = || Needs::Permit(Action::RequestManage);
    vec![
        route(Method::GET, "/requests", needs(), get(list)),
        route(Method::POST, "/requests", needs(), post(open)),
        route(Method::GET, "/requests/{case}", needs(), get(show)),
        route(Method::GET, "/requests/{case}/copy", needs(), get(copied)),
        route(Method::POST, "/requests/{case}/identify", needs(), post(identify)),
        route(Method::POST, "/requests/{case}/extend", needs(), post(extend)),
        route(Method::POST, "/requests/{case}/refuse", needs(), post(refuse)),
        route(Method::POST, "/requests/{case}/fulfil", needs(), post(fulfil)),
        route(Method::POST, "/requests/{case}/correct", needs(), post(correct)),
        route(Method::POST, "/requests/{case}/restrict", needs(), post(restrict)),
        route(Method::POST, "/requests/{case}/unrestrict", needs(), post(unrestrict)),
        route(Method::POST, "/requests/{case}/told", needs(), post(told)),
    ]
}

/// How a step begins that is a receipt of a recipient.
const TOLD: &str = "told ";

/// The purposes of `codes`' data that carry `right`; the codes of these.
fn codes_with(state: &AppState, right: Right) -> BTreeSet<Code> {
    let charter = state.charter.load();
    let offers = |id: &str| charter.checked.purpose(id).is_some_and(|purpose| rights_of(purpose).offers(right));
    charter.checked.all_data().iter().filter(|data| offers(data.purpose.as_str())).map(|data| *data.code).collect()
}

/// Whether the law gives this kind of request anything to reach here.
pub(super) fn is_offered(state: &AppState, kind: Kind) -> bool {
    let right = match kind {
        Kind::Portability => Right::Portability,
        Kind::Objection => Right::Objection,
        _ => return true,
    };
    let charter = state.charter.load();
    let purposes = copy::purposes_of(state);
    purposes.iter().filter_map(|id| charter.checked.purpose(id)).any(|purpose| rights_of(purpose).offers(right))
}

/// Whom a change of the data concerns besides the house.
fn recipients(state: &AppState, request: &Request) -> Vec<Value> {
    if !matches!(request.kind, Kind::Rectification | Kind::Erasure | Kind::Restriction) {
        return Vec::new();
    }
    let charter = state.charter.load();
    let receipt = |id: &str| {
        request.steps.iter().rev().find_map(|step| {
            let (who, how) = step.text.as_str().strip_prefix(TOLD)?.split_once(": ")?;
            (who == id).then(|| json!({"at": step.at.micros(), "how": how}))
        })
    };
    charter
        .checked
        .recipients()
        .iter()
        .map(|firm| json!({"id": firm.id.as_str(), "name": firm.name.as_str(), "told": receipt(firm.id.as_str())}))
        .collect()
}

pub(super) fn row(state: &AppState, request: &Request) -> Value {
    let now = real_now();
    let outcome = request.outcome.as_ref().map(|outcome| match outcome {
        Outcome::Fulfilled { at, text } => json!({"state": "fulfilled", "at": at.micros(), "text": text.as_str()}),
        Outcome::Refused { at, ground, text } => {
            json!({"state": "refused", "at": at.micros(), "ground": ground, "text": text.as_str()})
        }
        Outcome::Withdrawn { at } => json!({"state": "withdrawn", "at": at.micros()}),
    });
    json!({
        "case": request.case, "subject": request.subject, "kind": request.kind, "channel": request.channel,
        "requester": match &request.requester { Requester::Patient => Value::Null, Requester::Representative(name) => json!(name.as_str()) },
        "text": request.text.as_str(), "received": request.received.micros(), "due": request.due.micros(),
        "overdue": request.overdue(now), "alerts": request.alerts.iter().map(|at| at.micros()).collect::<Vec<_>>(),
        "warned": request.open() && request.alerts.iter().any(|at| *at <= now),
        "identified": request.identified.as_ref().map(|(at, how)| json!({"at": at.micros(), "how": how.as_str()})),
        "extension": request.extension.as_ref().map(|each| json!({"at": each.at.micros(), "reason": each.reason.as_str()})),
        "steps": request.steps.iter().map(|step| json!({"at": step.at.micros(), "text": step.text.as_str()})).collect::<Vec<_>>(),
        "offered": is_offered(state, request.kind), "recipients": recipients(state, request), "outcome": outcome,
    })
}

async fn list(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _way = state.desk.permit(&who, Ask::new(Action::RequestManage, Resource::Register).about(&["request"])).await?;
    let all: Vec<Request> = state.desk.register.read(|register| register.requests().into_iter().cloned().collect());
    let rows: Vec<Value> = all.iter().map(|request| row(&state, request)).collect();
    Ok(Json(json!({"requests": rows})))
}

/// The permit to work on one request, and the request.
async fn one(state: &Arc<AppState>, who: &Who, case: CaseId, what: &str) -> Result<(Permit, Request), ApiError> {
    let known = |state: &AppState| state.desk.register.read(|register| register.request(case).cloned());
    // Nobody learns from an answer whether a request is there: without the right, both are refused.
    let Some(request) = known(state) else {
        let ask = Ask::new(Action::RequestManage, Resource::Register).case(case).note(what);
        let _way = state.desk.permit(who, ask).await?;
        return Err(ApiError::unknown("no_such_case", "there is no such request", "look at the list again"));
    };
    let patient = state.desk.patient(request.subject).await?;
    let permit =
        state.desk.permit(who, copy::whole(state, Action::RequestManage, patient).case(case).note(what)).await?;
    let request = known(state).unwrap_or(request);
    Ok((permit, request))
}

async fn show(State(state): State<Arc<AppState>>, who: Who, Path(case): Path<CaseId>) -> Result<Json<Value>, ApiError> {
    let (_permit, request) = one(&state, &who, case, "show").await?;
    let restricted = state.desk.register.read(|register| register.restricted(request.subject));
    let mut row = row(&state, &request);
    if let Some(map) = row.as_object_mut() {
        map.insert("restricted".to_owned(), json!(restricted));
    }
    Ok(Json(row))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    /// Pseudonym, or the two identifiers below.
    subject: Option<Subject>,
    record_number: Option<String>,
    birth_date: Option<String>,
    kind: Kind,
    channel: Channel,
    /// Name of a representative; the patient if none.
    representative: Option<String>,
    #[serde(default)]
    text: String,
    /// When it reached the hospital; now if none.
    received: Option<i64>,
}

/// The command that enters a request.
pub(super) fn receive(
    case: CaseId,
    subject: Subject,
    (kind, channel): (Kind, Channel),
    requester: Requester,
    text: String,
    received: ServerTime,
) -> Command {
    let clock = request_clock(received);
    Command::Receive {
        case,
        subject,
        kind,
        channel,
        requester,
        text: Private::from(text),
        received,
        months: clock.months,
        alert_days: clock.alert_days.to_vec(),
        calendar: Arc::new(HouseTime::here()),
    }
}

async fn open(State(state): State<Arc<AppState>>, who: Who, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let new: New = body(&bytes)?;
    let ask = Ask::new(Action::RequestManage, Resource::Register).about(&["request"]).note("open");
    let _way = state.desk.permit(&who, ask).await?;
    if new.channel == Channel::Own {
        return Err(ApiError::bad("channel", "only patients use their own page", "choose letter, mail or spoken"));
    }
    let subject = match (new.subject, new.record_number, new.birth_date) {
        (Some(subject), ..) => Some(subject),
        (None, Some(number), Some(birth)) => {
            let records = state.records.clone();
            super::blocking(move || Ok(records.find_subject(&number, &birth)?)).await?
        }
        _ => None,
    }
    .ok_or_else(|| {
        ApiError::unknown("patient", "no patient has these identifiers", "check record number and birth date")
    })?;
    let requester =
        new.representative.map_or(Requester::Patient, |name| Requester::Representative(Private::from(name)));
    let received = new.received.map_or_else(real_now, ServerTime::from_micros);
    let case = state.desk.new_case();
    let command = receive(case, subject, (new.kind, new.channel), requester, new.text, received);
    tell(&state, &who, command).await?;
    answer(&state, case)
}

async fn tell(
    state: &Arc<AppState>,
    who: &Who,
    command: impl Into<obhut_register::Command> + Send + 'static,
) -> Result<(), ApiError> {
    Ok(execute(state, who.by(), command).await?.map(drop)?)
}

fn answer(state: &AppState, case: CaseId) -> Result<Json<Value>, ApiError> {
    let request = state.desk.register.read(|register| register.request(case).cloned());
    request
        .map(|request| Json(row(state, &request)))
        .ok_or_else(|| ApiError::unknown("no_such_case", "there is no such request", "look at the list again"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: String,
}

async fn identify(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let said: Said = body(&bytes)?;
    let _way = one(&state, &who, case, "identify").await?;
    tell(&state, &who, Command::Identify { case, how: Private::from(said.text) }).await?;
    answer(&state, case)
}

async fn extend(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let said: Said = body(&bytes)?;
    let (_permit, request) = one(&state, &who, case, "extend").await?;
    let months = request_clock(request.received).months_extended;
    let calendar = Arc::new(HouseTime::here());
    tell(&state, &who, Command::Extend { case, reason: Private::from(said.text), months, calendar }).await?;
    answer(&state, case)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct No {
    ground: Ground,
    text: String,
}

async fn refuse(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let no: No = body(&bytes)?;
    let _way = one(&state, &who, case, "refuse").await?;
    tell(&state, &who, Command::Refuse { case, ground: no.ground, text: Private::from(no.text) }).await?;
    answer(&state, case)
}

async fn fulfil(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let said: Said = body(&bytes)?;
    let (_permit, request) = one(&state, &who, case, "fulfil").await?;
    if !is_offered(&state, request.kind) {
        return Err(ApiError::conflict(
            "not_offered",
            "the law gives this right for none of the purposes here",
            "refuse with that ground",
        ));
    }
    if recipients(&state, &request).iter().any(|firm| firm.get("told").is_none_or(Value::is_null)) {
        return Err(ApiError::conflict(
            "recipients_not_told",
            "recipients must be told first (Art. 19 GDPR)",
            "tell each recipient, or write down why that is not possible",
        ));
    }
    tell(&state, &who, Command::Fulfil { case, text: Private::from(said.text) }).await?;
    answer(&state, case)
}

/// Who asks was identified, and the request waits: only then something may leave or change.
fn workable(request: &Request) -> Result<(), ApiError> {
    if !request.open() {
        return Err(ApiError::conflict("already_closed", "this request is closed", "open a new one"));
    }
    if request.identified.is_none() {
        return Err(ApiError::conflict(
            "not_identified",
            "whoever asks was not identified; nothing leaves before",
            "check an identity document and note it",
        ));
    }
    Ok(())
}

async fn copied(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let (permit, request) = one(&state, &who, case, "copy").await?;
    workable(&request)?;
    let only = match request.kind {
        Kind::Access | Kind::TreatmentFile => None,
        Kind::Portability if is_offered(&state, request.kind) => Some(codes_with(&state, Right::Portability)),
        _ => {
            return Err(ApiError::conflict(
                "no_copy",
                "this request does not ask for a copy, or the law gives none",
                "a copy belongs to access, treatment file and, where lawful, portability",
            ));
        }
    };
    let subject = request.subject;
    tell(&state, &who, Command::Step { case, text: Private::from("copy handed out") }).await?;
    copy::hand_out(state, who, permit, subject, &wanted, only).await
}

/// What is corrected: details of the person (only the given ones change), or one reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Right16 {
    reason: String,
    family: Option<String>,
    given: Option<Vec<String>>,
    birth_date: Option<String>,
    record_number: Option<String>,
    reading: Option<Reading>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading {
    code: String,
    at: i64,
    value: String,
}

async fn correct(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let wanted: Right16 = body(&bytes)?;
    let (permit, request) = one(&state, &who, case, "correct").await?;
    workable(&request)?;
    if request.kind != Kind::Rectification {
        return Err(ApiError::conflict(
            "not_rectification",
            "this request asks for no correction",
            "open one that does",
        ));
    }
    if wanted.reason.trim().is_empty() {
        return Err(ApiError::bad("reason", "a reason is needed", "say why it is wrong"));
    }
    let subject = request.subject;
    if let Some(reading) = &wanted.reading {
        let command = corrected_reading(&state, &permit, subject, case, reading, &wanted.reason).await?;
        tell(&state, &who, command).await?;
    } else {
        let text = corrected_person(&state, permit, subject, wanted).await?;
        tell(&state, &who, Command::Step { case, text: Private::from(text) }).await?;
    }
    answer(&state, case)
}

/// Adds a version of the identity; what it was before stays in the identity vault.
async fn corrected_person(
    state: &Arc<AppState>,
    permit: Permit,
    subject: Subject,
    wanted: Right16,
) -> Result<String, ApiError> {
    if wanted.birth_date.as_deref().is_some_and(|date| !crate::admin::is_iso_date(date)) {
        return Err(ApiError::bad("birth_date", "the birth date is not a date", "write it as YYYY-MM-DD"));
    }
    let state = state.clone();
    super::blocking(move || {
        let sealed = state.records.identity(subject)?.ok_or_else(ApiError::refused)?;
        let before = state.desk.open(sealed, &permit)?;
        let mut after = before.clone();
        after.family = wanted.family.unwrap_or(after.family);
        after.given = wanted.given.unwrap_or(after.given);
        after.birth_date = wanted.birth_date.unwrap_or(after.birth_date);
        after.record_number = wanted.record_number.unwrap_or(after.record_number);
        if after == before || after.family.trim().is_empty() || after.record_number.trim().is_empty() {
            return Err(ApiError::bad("nothing", "this corrects nothing", "give what is right"));
        }
        let version = state.records.correct_identity(subject, &after)?;
        Ok(format!("personal details corrected, version {version}: {}", wanted.reason))
    })
    .await
}

/// A correction of one number: the stored value stays, and the register holds what is right beside it.
async fn corrected_reading(
    state: &Arc<AppState>,
    permit: &Permit,
    subject: Subject,
    request: CaseId,
    reading: &Reading,
    reason: &str,
) -> Result<rights::Command, ApiError> {
    let code = Code::by_reference_id(&reading.code)
        .ok_or_else(|| ApiError::bad("code", "this is not a code", "take one of the patient's codes"))?;
    let value: obhut_model::Decimal = reading
        .value
        .parse()
        .map_err(|_| ApiError::bad("value", "this is not a number", "write digits with a point"))?;
    let from = DeviceTime::from_micros(reading.at);
    let store = state.readings.clone();
    let range = TimeRange { from, to: from.plus_micros(1) };
    let sealed = super::blocking(move || Ok(store.read(subject, code, range)?)).await?;
    let stored = state.desk.open(sealed, permit)?.into_iter().find_map(|run| match run {
        Run::Numerics { step, values } => {
            values.first().and_then(|(_, steps, _)| *steps).map(|steps| obhut_interop::exact(step, steps))
        }
        Run::Waveform { .. } => None,
    });
    let stored =
        stored.ok_or_else(|| ApiError::unknown("reading", "there is no such value", "give code and exact time"))?;
    let target: Arc<str> = Arc::from(format!("numeric/{}/{}", code.number(), reading.at));
    let original = state
        .desk
        .register
        .read(|register| register.correction(subject, &target).map(|earlier| earlier.latest().clone()))
        .unwrap_or_else(|| Private::from(stored));
    Ok(rights::Command::Correct {
        case: state.desk.new_case(),
        subject,
        target,
        original,
        value: Private::from(value.to_string()),
        reason: Private::from(reason),
        request: Some(request),
    })
}

async fn restrict(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let said: Said = body(&bytes)?;
    let (_permit, request) = one(&state, &who, case, "restrict").await?;
    workable(&request)?;
    let command = rights::Command::Restrict {
        case: state.desk.new_case(),
        subject: request.subject,
        reason: Private::from(said.text),
        request: Some(case),
    };
    tell(&state, &who, command).await?;
    answer(&state, case)
}

async fn unrestrict(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let said: Said = body(&bytes)?;
    let (_permit, request) = one(&state, &who, case, "unrestrict").await?;
    let open: Vec<CaseId> = state.desk.register.read(|register| {
        register.restrictions_of(request.subject).filter(|each| each.lifted.is_none()).map(|each| each.case).collect()
    });
    if open.is_empty() {
        return Err(ApiError::conflict("not_restricted", "processing is not restricted", "look at the request again"));
    }
    for restriction in open {
        let reason = Private::from(said.text.clone());
        tell(&state, &who, rights::Command::Lift { case: restriction, reason }).await?;
    }
    answer(&state, case)
}

/// A recipient was told of a correction, an erasure or a restriction, or could not be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    recipient: String,
    /// How and with what receipt, or why it was not possible.
    text: String,
}

async fn told(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let told: Told = body(&bytes)?;
    let _way = one(&state, &who, case, "told").await?;
    if state.charter.load().checked.recipient(&told.recipient).is_none() {
        return Err(ApiError::bad("recipient", "the charter knows no such recipient", "choose one of its recipients"));
    }
    if told.text.trim().is_empty() {
        return Err(ApiError::bad("receipt", "a receipt is needed", "say how they were told and what they answered"));
    }
    let text = format!("{TOLD}{}: {}", told.recipient, told.text);
    tell(&state, &who, Command::Step { case, text: Private::from(text) }).await?;
    answer(&state, case)
}

/// Warns of requests that come close to their due date: once for each of the days the clock names, in the log, in the ledger and on the page.
pub(super) fn warn(state: &AppState, now: ServerTime) {
    let due: Vec<(CaseId, Subject)> = state.desk.register.read(|register| {
        register.request_alerts(now).into_iter().map(|request| (request.case, request.subject)).collect()
    });
    for (case, subject) in due {
        if state.desk.register.execute(By::System, now, Command::Alert { case }).is_err() {
            continue;
        }
        tracing::warn!(case = %case, "a patient's request comes close to its due date");
        let mut event =
            Event::new(state.desk.new_request(), now, EventKind::Request, Actor::System, "request-reminder");
        event.resource = ResourceRef::new("request", None);
        event.subject = Some(subject);
        event.case = Some(case);
        event.categories = vec!["request".into()];
        state.desk.tell(event);
    }
}
