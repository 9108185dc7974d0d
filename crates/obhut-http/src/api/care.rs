//! Who treats whom: a physician takes a patient over and hands them on.

use super::session::execute;
use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::{delete, get, put};
use obhut_access::Action;
use obhut_charter::Checked;
use obhut_charter::schema::Relation;
use obhut_model::{PersonId, ServerTime, Subject};
use obhut_register::Refusal;
use obhut_register::care::Command;
use obhut_register::people::{Kind, Person};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::GET, "/patients/{subject}/cases", Needs::Permit(Action::Bind), get(list)),
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

/// Who treats the patient, and who of the staff could.
async fn list(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
) -> Result<Json<Value>, ApiError> {
    permitted(&state, &who, subject).await?;
    let (charter, now) = (state.charter.load(), real_now());
    Ok(Json(state.desk.register.read(|register| {
        let shown = |person: &Person| {
            json!({"physician": person.id, "name": person.name.as_str(), "mine": who.person() == Some(person.id)})
        };
        let cases: Vec<Value> =
            register.care_cases(subject).filter_map(|case| register.person(case.physician)).map(shown).collect();
        let staff: Vec<Value> =
            register.people().filter(|person| treats(&charter.checked, person, now)).map(shown).collect();
        json!({"cases": cases, "staff": staff})
    })))
}

/// Whether one of the person's roles treats patients of their own, by the charter.
fn treats(charter: &Checked, person: &Person, now: ServerTime) -> bool {
    let by_case = |role: &str| charter.role(role).is_some_and(|role| *role.relation == Relation::Case);
    person.kind == Kind::Staff && person.disabled.is_none() && person.roles(now).any(|held| by_case(&held.role))
}

async fn open(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    whose: Option<Json<Whose>>,
) -> Result<Json<Value>, ApiError> {
    let physician = physician(&who, whose)?;
    permitted(&state, &who, subject).await?;
    let (charter, now) = (state.charter.load_full(), real_now());
    // Who may assign does not thereby treat: only somebody whose role is to treat gets a case.
    let may = |person: &Person| treats(&charter.checked, person, now);
    if !state.desk.register.read(|register| register.person(physician).is_some_and(may)) {
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
