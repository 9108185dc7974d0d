//! The ledger for those who watch over it: entries, one entry with its proof, and, for anybody, checkpoint and tiles to verify with.
//!
//! Every look is itself an entry, with what was looked for. What one member of the staff did is shown only to who asked for it with a reason, after
//! somebody else said yes, for a short while (four eyes: works-council law, SDM module 43). Checkpoint and tiles hold commitments and signatures and nothing else; they are open
//! so that whoever keeps a copy elsewhere can do so without an account.

use super::session::execute;
use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use obhut_access::{Action, Resource};
use obhut_ledger::{Actor, EventKind, Names, Outcome};
use obhut_model::{CaseId, PersonId, ServerTime, Subject};
use obhut_register::outside::{Answer, Approval, Command, Question};
use obhut_scribe::{Entry, LookError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Entries of one page.
const PAGE: usize = 50;
/// Lines of one answer of an export.
const EXPORT_LINES: u64 = 1000;
/// How long a question to a second person waits, microseconds.
const ASKED_FOR: i64 = 24 * 3_600 * 1_000_000;
/// How long what was approved can be looked at, microseconds.
const OPEN_FOR: i64 = 30 * 60 * 1_000_000;

pub(super) fn routes() -> Vec<Route> {
    let view = || Needs::Permit(Action::LedgerView);
    vec![
        route(Method::GET, "/ledger", view(), get(list)),
        route(Method::GET, "/ledger/entries/{index}", view(), get(entry)),
        route(Method::GET, "/ledger/entries/{index}/proof", view(), get(proof)),
        route(Method::GET, "/ledger/export", view(), get(export)),
        route(Method::GET, "/ledger/search", view(), get(searches)),
        route(Method::POST, "/ledger/search", view(), post(ask)),
        route(Method::GET, "/ledger/search/{case}", view(), get(found)),
        route(Method::POST, "/ledger/search/{case}/answer", view(), post(answer)),
        route(Method::GET, "/ledger/key", Needs::Nothing, get(key)),
        route(Method::GET, "/ledger/checkpoint", Needs::Nothing, get(checkpoint)),
        route(Method::GET, "/ledger/tile/{*path}", Needs::Nothing, get(tile)),
    ]
}

impl core::convert::From<LookError> for ApiError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Down(_) => Self::ledger_unavailable(),
            LookError::NoEntry(index) => {
                Self::unknown("unknown", format!("there is no entry {index}"), "look at the list and choose again")
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "the ledger could not be read");
                Self::internal("the ledger could not be read")
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    subject: Option<Subject>,
    /// Refused here: what one person did needs a second person's yes.
    person: Option<PersonId>,
    kind: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    before: Option<u64>,
}

/// One page of a query, in the store's own words.
fn page(person: Option<PersonId>, wanted: &Wanted) -> Result<obhut_scribe::Query, ApiError> {
    let kinds = wanted.kind.as_deref().map_or(Ok(Vec::new()), |kind| {
        let known = EventKind::from_word(kind);
        known
            .map(|kind| vec![kind])
            .ok_or_else(|| ApiError::bad("kind", "there is no such kind of entry", "choose one of the list"))
    })?;
    Ok(obhut_scribe::Query {
        subject: wanted.subject,
        person,
        kinds,
        from: wanted.from.map(ServerTime::from_micros),
        to: wanted.to.map(ServerTime::from_micros),
        before: wanted.before,
        limit: PAGE,
    })
}

async fn rows(state: &Arc<AppState>, query: obhut_scribe::Query) -> Result<Json<Value>, ApiError> {
    let scribe = state.desk.scribe.clone();
    let found = blocking(move || Ok(scribe.find(&query)?)).await?;
    let older = (found.len() == PAGE).then(|| found.last().map(|entry| entry.index)).flatten();
    let rows: Vec<Value> = found.iter().map(|entry| row(state, entry, false)).collect();
    Ok(Json(json!({"entries": rows, "older": older, "state": state.desk.ledger_word(), "size": size(state)})))
}

fn size(state: &AppState) -> u64 {
    state.desk.scribe.checkpoint().lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
}

/// Entries, newest first. What was looked for stands in the entry this makes.
async fn list(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let said = format!(
        "subject {}, kind {}, from {}, to {}, before {}",
        wanted.subject.map_or_else(|| "any".to_owned(), |subject| subject.to_string()),
        wanted.kind.as_deref().filter(|kind| EventKind::from_word(kind).is_some()).unwrap_or("any"),
        wanted.from.unwrap_or_default(),
        wanted.to.unwrap_or_default(),
        wanted.before.unwrap_or_default(),
    );
    may(&state, &who, said, None).await?;
    if wanted.person.is_some() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "second_person",
            "what one person did is shown only after a second person agreed",
            "ask for it with a reason",
        ));
    }
    rows(&state, page(None, &wanted)?).await
}

async fn may(state: &AppState, who: &Who, note: String, case: Option<CaseId>) -> Result<(), ApiError> {
    let ask = Ask::new(Action::LedgerView, Resource::Ledger).about(&["access-log"]).note(note);
    let ask = match case {
        Some(case) => ask.case(case),
        None => ask,
    };
    state.desk.permit(who, ask).await.map(drop)
}

fn row(state: &AppState, entry: &Entry, with_note: bool) -> Value {
    let event = &entry.event;
    let actor = match &event.actor {
        Actor::Person(person) => {
            let name = state.desk.register.read(|r| r.person(*person).map(|p| p.name.as_str().to_owned()));
            json!({"kind": "person", "id": person.to_string(), "name": name})
        }
        Actor::Console { uid } => json!({"kind": "console", "id": uid.to_string(), "name": null}),
        Actor::Device(device) => json!({"kind": "device", "id": device.as_str(), "name": null}),
        Actor::System => json!({"kind": "system", "id": "system", "name": null}),
    };
    let charter = state.charter.load();
    let both = |text: &obhut_charter::schema::Text| json!({"de": text.de, "en": text.en});
    let role = event.role.as_deref().and_then(|role| charter.checked.role(role)).map(|role| both(&role.text));
    let purpose =
        event.purpose.as_deref().and_then(|id| charter.checked.purpose(id)).map(|purpose| both(&purpose.text));
    let (outcome, why) = match &event.outcome {
        Outcome::Success => ("success", None),
        Outcome::Denied(why) => ("denied", Some(why)),
        Outcome::Failed(why) => ("failed", Some(why)),
    };
    json!({
        "index": entry.index, "at": event.at.micros(), "kind": event.kind.word(), "action": &*event.action, "actor": actor,
        "role": event.role.as_deref(), "role_text": role, "purpose_text": purpose, "organisation": event.organisation.as_deref(), "purpose": event.purpose.as_deref(),
        "resource": {"kind": &*event.resource.kind, "id": event.resource.id.as_deref()}, "subject": event.subject,
        "categories": event.categories.iter().map(|c| &**c).collect::<Vec<_>>(), "outcome": outcome, "why": why.map(|w| &**w),
        "channel": event.origin.channel.word(), "address": event.origin.address.map(|a| a.to_string()),
        "policies": event.policies.iter().map(|p| &**p).collect::<Vec<_>>(), "case": event.case, "request": event.request,
        "note": event.note.as_deref().filter(|_| with_note), "note_removed": entry.note_removed,
    })
}

struct Known<'a>(&'a AppState);

impl Names for Known<'_> {
    fn person(&self, person: PersonId) -> Option<String> {
        self.0.desk.register.read(|register| register.person(person).map(|p| p.name.as_str().to_owned()))
    }

    fn controller(&self) -> String {
        self.0.charter.load().ward.1.clone()
    }

    fn base(&self) -> String {
        "urn:obhut".to_owned()
    }
}

/// One entry in full, and the same as FHIR AuditEvent.
async fn entry(State(state): State<Arc<AppState>>, who: Who, Path(index): Path<u64>) -> Result<Json<Value>, ApiError> {
    may(&state, &who, format!("entry {index}"), None).await?;
    let scribe = state.desk.scribe.clone();
    let found = blocking(move || Ok(scribe.entry(index)?)).await?;
    let Some(found) = found else { return Ok(Json(json!({"index": index, "removed": true}))) };
    let fhir = found.event.to_fhir(&Known(&state));
    Ok(Json(json!({"index": index, "removed": false, "entry": row(&state, &found, true), "fhir": fhir})))
}

/// The proof that an entry is in the signed log, checked before it is shown; with what its commitment is made of.
async fn proof(State(state): State<Arc<AppState>>, who: Who, Path(index): Path<u64>) -> Result<Json<Value>, ApiError> {
    may(&state, &who, format!("proof of entry {index}"), None).await?;
    let scribe = state.desk.scribe.clone();
    let (proof, line, leaf, key) =
        blocking(move || Ok((scribe.prove(index)?, scribe.line(index)?, scribe.leaf(index)?, scribe.public_key())))
            .await?;
    let checked = key.parse().ok().and_then(|key| proof.check(&key, &leaf).ok());
    let cosigned: Vec<&str> = proof.checkpoint.signatures.iter().skip(1).map(|line| line.name.as_str()).collect();
    Ok(Json(json!({"index": index, "good": checked.is_some(), "size": checked.map(|c| c.size), "key": key,
                   "cosigned": cosigned, "proof": proof.to_string(), "line": line.to_json()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    person: PersonId,
    reason: String,
}

/// What a second person is asked for.
#[derive(Serialize, Deserialize)]
struct Details {
    person: PersonId,
}

/// Asks a second person to agree to a look at what one person did.
async fn ask(State(state): State<Arc<AppState>>, who: Who, Json(asked): Json<Asked>) -> Result<Json<Value>, ApiError> {
    let case = state.desk.new_case();
    may(&state, &who, format!("asks to see what person {} did", asked.person), Some(case)).await?;
    let details = serde_json::to_string(&Details { person: asked.person }).unwrap_or_default();
    let command = Command::Ask {
        case,
        question: Question::PersonSearch,
        purpose: asked.reason.trim().into(),
        details: details.into(),
        until: real_now().plus_micros(ASKED_FOR),
    };
    execute(&state, who.by(), command).await??;
    Ok(Json(json!({"case": case})))
}

fn person_of(approval: &Approval) -> Option<PersonId> {
    serde_json::from_str::<Details>(approval.details.as_str()).ok().map(|details| details.person)
}

/// Questions that wait or were answered lately.
async fn searches(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    may(&state, &who, "questions about persons".to_owned(), None).await?;
    let (now, me) = (real_now(), who.person());
    let rows: Vec<Value> = state.desk.register.read(|register| {
        let name = |id: PersonId| register.person(id).map(|person| person.name.as_str().to_owned());
        let open = register.approvals().filter(|a| a.question == Question::PersonSearch && now < a.until);
        open.map(|a| {
            let state = match a.answer {
                None => "waiting",
                Some((_, _, Answer::Declined)) => "declined",
                Some((_, _, Answer::Approved)) if is_over(a, now) => "over",
                Some((_, _, Answer::Approved)) => "approved",
            };
            let person = person_of(a);
            json!({"case": a.case, "person": {"id": person, "name": person.and_then(name)},
                   "asked_by": {"id": a.asked_by, "name": name(a.asked_by)}, "asked": a.asked, "until": a.until,
                   "reason": a.purpose, "state": state, "mine": me == Some(a.asked_by)})
        })
        .collect()
    });
    Ok(Json(json!({"searches": rows})))
}

fn is_over(approval: &Approval, now: ServerTime) -> bool {
    approval.used.is_some_and(|used| now.since(used) > OPEN_FOR)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    agree: bool,
}

/// The second person's answer. The register refuses that of who asked.
async fn answer(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Json(answered): Json<Answered>,
) -> Result<StatusCode, ApiError> {
    let said = if answered.agree { "agrees to" } else { "declines" };
    may(&state, &who, format!("{said} a look at what one person did"), Some(case)).await?;
    let is_ours = state.desk.register.read(|r| r.approval(case).is_some_and(|a| a.question == Question::PersonSearch));
    if !is_ours {
        return Err(obhut_register::Refusal::NoSuchCase.into());
    }
    let answer = if answered.agree { Answer::Approved } else { Answer::Declined };
    execute(&state, who.by(), Command::Answer { case, answer }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// What one person did, for who asked, after somebody else agreed, for a short while.
async fn found(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let now = real_now();
    let approval = state.desk.register.read(|register| register.approval(case).cloned());
    let approval = approval.filter(|a| a.question == Question::PersonSearch && now < a.until);
    may(&state, &who, format!("what one person did, before {}", wanted.before.unwrap_or_default()), Some(case)).await?;
    let approval = approval.ok_or(obhut_register::Refusal::NoSuchCase)?;
    let person = person_of(&approval).ok_or(obhut_register::Refusal::NoSuchCase)?;
    if who.person() != Some(approval.asked_by) {
        return Err(obhut_register::Refusal::NotYours.into());
    }
    match approval.used {
        Some(_) if is_over(&approval, now) => return Err(obhut_register::Refusal::AlreadyUsed.into()),
        Some(_) => {}
        None => drop(execute(&state, who.by(), Command::Use { case }).await??),
    }
    rows(&state, page(Some(person), &wanted)?).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    from: u64,
}

/// Everything from an entry on, as lines to verify with. At the machine's own socket only, if the charter lets the console read the ledger: it shows what
/// every person did.
async fn export(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(Start { from }): Query<Start>,
) -> Result<Json<Value>, ApiError> {
    may(&state, &who, format!("export from entry {from}"), None).await?;
    if who.person().is_some() {
        return Err(ApiError::refused());
    }
    let scribe = state.desk.scribe.clone();
    let lines = blocking(move || Ok(scribe.lines(from, EXPORT_LINES)?)).await?;
    let next = lines.last().map(|line| line.index().saturating_add(1));
    let lines: Vec<Value> = lines.iter().map(obhut_ledger::export::Line::to_json).collect();
    Ok(Json(json!({"lines": lines, "next": next})))
}

async fn key(State(state): State<Arc<AppState>>) -> Json<Value> {
    Json(json!({"key": state.desk.scribe.public_key()}))
}

async fn checkpoint(State(state): State<Arc<AppState>>) -> Response {
    let text = state.desk.scribe.checkpoint();
    if text.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// A tile or bundle, at the path C2SP tlog-tiles gives it below `/api/v1/ledger`.
async fn tile(State(state): State<Arc<AppState>>, Path(path): Path<String>) -> Result<Response, ApiError> {
    let scribe = state.desk.scribe.clone();
    let bytes = blocking(move || Ok(scribe.tile(&format!("tile/{path}")))).await?;
    Ok(match bytes {
        Some(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from(bytes)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}
