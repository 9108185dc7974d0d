//! The way from a name in another domain back to the patient: asked by one person with a purpose, agreed to by another, used once.
//!
//! INVARIANT: nothing is looked up before both have said so and both are recorded; the answer opens only with a permit about the very patient, so that a restriction
//! stops it and the patient can see it.

use super::super::session::execute;
use super::super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::routing::{get, post};
use obhut_access::{Action, Resource};
use obhut_model::CaseId;
use obhut_register::outside::{Answer, Approval, Command, Question};
use obhut_register::{By, Private, Refusal};
use obhut_store::{Domain, Pseudonym};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// A question nobody has agreed to falls away after a day: whoever still needs it asks again.
const OPEN_MICROS: i64 = 24 * 3_600_000_000;

pub(super) fn routes() -> Vec<Route> {
    let needs = || Needs::Permit(Action::Crosswalk);
    vec![
        route(Method::GET, "/crosswalk", needs(), get(list)),
        route(Method::POST, "/crosswalk", needs(), post(ask)),
        route(Method::POST, "/crosswalk/{case}/approve", needs(), post(approve)),
        route(Method::POST, "/crosswalk/{case}/open", needs(), post(open)),
    ]
}

/// What exactly is asked, as the register keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Details {
    domain: String,
    pseudonym: String,
}

impl Details {
    fn of(approval: &Approval) -> Option<(Domain, Pseudonym)> {
        let details: Self = serde_json::from_str(approval.details.as_str()).ok()?;
        Some((details.domain.parse().ok()?, details.pseudonym.parse().ok()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    domain: String,
    pseudonym: String,
    purpose: String,
}

fn by(who: &Who) -> Result<By, ApiError> {
    who.person().map(By::Person).ok_or_else(|| {
        ApiError::conflict("needs_person", "this needs people who sign in", "two people do this, each with a passkey")
    })
}

async fn list(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::Crosswalk, Resource::Register)).await?;
    let (me, now) = (who.person(), real_now());
    let rows: Vec<Value> = state.desk.register.read(|register| {
        let open = register.approvals().filter(|a| a.question == Question::Crosswalk && now < a.until && a.used.is_none());
        open.map(|approval| {
            let details = Details::of(approval);
            let answer = approval.answer.map(|(_, _, answer)| match answer {
                Answer::Approved => "approved",
                Answer::Declined => "declined",
            });
            json!({
                "case": approval.case, "asked_by": approval.asked_by, "mine": me == Some(approval.asked_by), "asked": approval.asked.micros(),
                "until": approval.until.micros(), "purpose": approval.purpose.as_str(), "answer": answer,
                "domain": details.as_ref().map(|(domain, _)| domain.to_string()),
                "pseudonym": details.as_ref().map(|(_, pseudonym)| pseudonym.to_string()),
            })
        })
        .collect()
    });
    Ok(Json(json!({"questions": rows})))
}

async fn ask(
    State(state): State<Arc<AppState>>,
    who: Who,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let domain: Domain = wanted.domain.parse().map_err(|_| {
        ApiError::bad(
            "domain",
            "this is no domain",
            "write `project/` and the project, or `recipient/` and the recipient",
        )
    })?;
    let pseudonym: Pseudonym = wanted
        .pseudonym
        .trim()
        .parse()
        .map_err(|_| ApiError::bad("pseudonym", "this is no pseudonym", "it has 32 hexadecimal digits"))?;
    if wanted.purpose.trim().is_empty() {
        return Err(ApiError::bad("purpose", "a purpose is needed", "say why the patient must be known"));
    }
    let case = state.desk.new_case();
    let question = Ask::new(Action::Crosswalk, Resource::Register).case(case).note(wanted.purpose.trim());
    state.desk.permit(&who, question).await?;
    let details = Details { domain: domain.to_string(), pseudonym: pseudonym.to_string() };
    let details =
        serde_json::to_string(&details).map_err(|_| ApiError::internal("the question could not be written"))?;
    let until = real_now().plus_micros(OPEN_MICROS);
    let purpose = Private::from(wanted.purpose.trim());
    let command = Command::Ask { case, question: Question::Crosswalk, purpose, details: Private::from(details), until };
    execute(&state, by(&who)?, command).await??;
    Ok(Json(json!({"case": case, "until": until.micros(), "waits_for": "second_person"})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judged {
    approve: bool,
}

async fn approve(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    Json(judged): Json<Judged>,
) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::Crosswalk, Resource::Register).case(case)).await?;
    crosswalk(&state, case)?;
    let answer = if judged.approve { Answer::Approved } else { Answer::Declined };
    let done = execute(&state, by(&who)?, Command::Answer { case, answer }).await?;
    done?;
    Ok(Json(json!({"case": case, "answer": if judged.approve { "approved" } else { "declined" }})))
}

/// The question of this case, if it is one of these.
fn crosswalk(state: &AppState, case: CaseId) -> Result<Approval, ApiError> {
    let found = state.desk.register.read(|register| register.approval(case).cloned());
    found.filter(|approval| approval.question == Question::Crosswalk).ok_or_else(|| Refusal::NoSuchCase.into())
}

async fn open(State(state): State<Arc<AppState>>, who: Who, Path(case): Path<CaseId>) -> Result<Json<Value>, ApiError> {
    // Whether there is such a question is told only to who may ask.
    let approval = crosswalk(&state, case);
    let purpose = approval.as_ref().map_or("", |approval| approval.purpose.as_str());
    let about = Ask::new(Action::Crosswalk, Resource::Register).case(case).note(purpose);
    let permit = state.desk.permit(&who, about).await?;
    let approval = approval?;
    // Used up first: an answer that was lost on the way is asked for anew, by two people.
    execute(&state, by(&who)?, Command::Use { case }).await??;
    let (domain, pseudonym) =
        Details::of(&approval).ok_or_else(|| ApiError::internal("the question is not understood any more"))?;
    let records = state.records.clone();
    let sealed = blocking(move || Ok(records.crosswalk(&domain, pseudonym)?)).await?;
    let Some(subject) = state.desk.open(sealed, &permit)? else {
        return Ok(Json(json!({"case": case, "subject": null})));
    };
    let patient = state.desk.patient(subject).await?;
    let about = Ask::new(Action::Crosswalk, Resource::Patient(patient)).case(case).note(approval.purpose.as_str());
    let permit = state.desk.permit(&who, about).await?;
    let subject = permit.subject().ok_or_else(ApiError::refused)?;
    Ok(Json(json!({"case": case, "subject": subject})))
}
