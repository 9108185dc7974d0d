//! Who treats whom: a physician takes a patient over and hands them on.

use super::session::execute;
use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::{delete, put};
use obhut_access::Action;
use obhut_model::{PersonId, Subject};
use obhut_register::Refusal;
use obhut_register::care::Command;
use obhut_register::people::Kind;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::PUT, "/patients/{subject}/cases", Needs::Permit(Action::Bind), put(open)),
        route(Method::DELETE, "/patients/{subject}/cases", Needs::Permit(Action::Bind), delete(close)),
    ]
}

/// Whose case; the asker's own if nobody is named.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Whose {
    physician: Option<PersonId>,
}

fn physician(who: &Who, whose: Option<Json<Whose>>) -> Result<PersonId, ApiError> {
    whose
        .and_then(|Json(whose)| whose.physician)
        .or(who.person())
        .ok_or_else(|| ApiError::bad("physician", "it is not said who treats the patient", "name a physician"))
}

/// Who lies on the ward is assigned there, as at admission; so the ward is what is asked for.
async fn permitted(state: &AppState, who: &Who, subject: Subject) -> Result<(), ApiError> {
    let _ = state.desk.permit(who, Ask::new(Action::Bind, state.desk.ward()).about(&["binding"])).await?;
    let patient = state.desk.patient(subject).await?;
    if patient.stays.is_empty() {
        return Err(ApiError::unknown(
            "patient",
            "no such patient was on this ward",
            "look at the beds and choose again",
        ));
    }
    Ok(())
}

async fn open(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    whose: Option<Json<Whose>>,
) -> Result<Json<Value>, ApiError> {
    let physician = physician(&who, whose)?;
    permitted(&state, &who, subject).await?;
    let staff = state.desk.register.read(|register| register.person(physician).is_some_and(|p| p.kind == Kind::Staff));
    if !staff {
        return Err(Refusal::NoSuchPerson.into());
    }
    let case = state.desk.new_case();
    execute(&state, who.by(), Command::Open { case, physician, subject }).await??;
    Ok(Json(json!({"case": case, "physician": physician})))
}

async fn close(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    whose: Option<Json<Whose>>,
) -> Result<StatusCode, ApiError> {
    let physician = physician(&who, whose)?;
    permitted(&state, &who, subject).await?;
    let open = state
        .desk
        .register
        .read(|register| register.care_cases(subject).find(|case| case.physician == physician).map(|case| case.case));
    let case = open.ok_or(Refusal::NoSuchCase)?;
    execute(&state, who.by(), Command::Close { case }).await??;
    Ok(StatusCode::NO_CONTENT)
}
