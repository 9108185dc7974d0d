//! Research: the charter's projects, and the one way their sets leave.
//!
//! A set holds only patients whose consent for the project's purpose is in force and whose processing is not restricted; each under a name that this project alone
//! knows; ages in bands, times relative to the patient's first reading; and only if everybody in it stands among enough others who look alike. The way back
//! from such a name is [`crosswalk`], which needs two people.
//!
//! INVARIANT: before the first byte leaves, the ledger holds the export and, for each patient in it, that he was in it. Consent is looked at again for every
//! piece that is read, so that a withdrawal in the middle ends that patient's part.

mod crosswalk;
mod set;

use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use obhut_access::{Action, Permit, Resource};
use obhut_charter::schema::{Project, Scope};
use obhut_ledger::{Event, EventKind, Outcome, ResourceRef};
use obhut_model::{Code, ServerTime, Subject};
use obhut_vault::release::{KReport, Level};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        route(Method::GET, "/projects", Needs::Session, get(projects)),
        route(Method::POST, "/projects/{id}/export", Needs::Permit(Action::ResearchExport), post(export)),
    ];
    routes.extend(crosswalk::routes());
    routes
}

/// A project as the handlers use it.
#[derive(Debug, Clone)]
struct Plan {
    id: Arc<str>,
    purpose: Arc<str>,
    recipient: Option<Arc<str>>,
    /// Identifiers of the charter's data with their codes.
    data: Vec<(Arc<str>, Code)>,
    k_min: usize,
}

impl Plan {
    fn of(state: &AppState, project: &Project) -> Self {
        let charter = state.charter.load();
        let wanted = |id: &str| match &*project.data {
            Scope::All => true,
            Scope::Only(ids) => ids.iter().any(|wanted| wanted.as_str() == id),
        };
        let data = charter.checked.all_data().iter().filter(|data| wanted(data.id.as_str()));
        Self {
            id: Arc::from(project.id.as_str()),
            purpose: Arc::from(project.purpose.as_str()),
            recipient: project.recipient.as_ref().map(|id| Arc::from(id.as_str())),
            data: data.map(|data| (Arc::from(data.id.as_str()), *data.code)).collect(),
            k_min: usize::from(*project.k_min),
        }
    }

    /// The question to the desk.
    fn ask(&self) -> Ask<'_> {
        let data: Vec<&str> = self.data.iter().map(|(id, _)| &**id).collect();
        Ask::new(Action::ResearchExport, Resource::Project(self.id.clone())).purpose(&self.purpose).about(&data)
    }
}

/// Who agrees to `purpose` now and is not restricted.
fn members(state: &AppState, purpose: &str, now: ServerTime) -> Vec<Subject> {
    let known = state.desk.register.read(|register| {
        let agreeing = register.consenting(purpose, now).filter(|subject| !register.restricted(*subject));
        agreeing.collect::<BTreeSet<_>>()
    });
    known.into_iter().collect()
}

/// Whether `subject` still does.
fn agrees(state: &AppState, subject: Subject, purpose: &str) -> bool {
    let now = real_now();
    state.desk.register.read(|register| register.consent(subject, purpose, now) && !register.restricted(subject))
}

/// The projects the asker may take something of. How many agree is told, who does is not.
async fn projects(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let charter = state.charter.load_full();
    let now = real_now();
    let mut rows = Vec::new();
    for project in charter.checked.projects() {
        let plan = Plan::of(&state, project);
        if !state.desk.would_permit(&who, &plan.ask()) {
            continue;
        }
        let agreeing = members(&state, &plan.purpose, now).len();
        rows.push(json!({
            "id": plan.id, "text": {"de": project.text.de, "en": project.text.en}, "purpose": plan.purpose, "recipient": plan.recipient,
            "data": plan.data.iter().map(|(id, code)| json!({"id": id, "code": code.to_string(),
                "name": {"de": code.info().map(|i| i.name_de), "en": code.info().map(|i| i.name_en)}})).collect::<Vec<_>>(),
            "k_min": plan.k_min, "expiry": project.expiry.to_string(),
            // A small number could tell who; it is told as "fewer than".
            "agreeing": (agreeing >= plan.k_min).then_some(agreeing),
        }));
    }
    Ok(Json(json!({"projects": rows})))
}

/// What is wanted of an export.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    /// Only the report, nothing leaves.
    dry: bool,
}

async fn export(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(id): Path<String>,
    wanted: Option<Json<Wanted>>,
) -> Result<Response, ApiError> {
    let dry = wanted.is_some_and(|Json(wanted)| wanted.dry);
    let plan = {
        let charter = state.charter.load();
        Arc::new(Plan::of(&state, charter.checked.project(&id).ok_or_else(ApiError::refused)?))
    };
    let permit = state.desk.permit(&who, plan.ask()).await?;
    let (for_group, for_plan) = (state.clone(), plan.clone());
    let (group, permit) = blocking(move || Ok((set::gather(&for_group, &for_plan, &permit)?, permit))).await?;
    if dry {
        return Ok(Json(json!({"report": report(&group.report)})).into_response());
    }
    let Some(level) = group.report.chosen else {
        return Ok(refused_by_k(&group.report));
    };
    note(&state, &who, &plan, &group.subjects, &permit).await?;
    let (id, found) = (plan.id.clone(), group.report.clone());
    Ok(file(&id, &found, set::stream(state, who, plan, group, level, permit)))
}

/// One entry for each patient in the set, so that each can see it.
async fn note(
    state: &Arc<AppState>,
    who: &Who,
    plan: &Plan,
    subjects: &[Subject],
    permit: &Permit,
) -> Result<(), ApiError> {
    use futures_util::StreamExt as _;
    let categories: Vec<Arc<str>> = plan.data.iter().map(|(id, _)| id.clone()).collect();
    let event = |subject: &Subject| Event {
        request: state.desk.new_request(),
        at: real_now(),
        kind: EventKind::Export,
        actor: who.actor(),
        role: Some(Arc::from(permit.role())),
        organisation: plan.recipient.clone(),
        purpose: Some(plan.purpose.clone()),
        action: Arc::from(Action::ResearchExport.as_str()),
        resource: ResourceRef { kind: Arc::from("project"), id: Some(plan.id.clone()) },
        subject: Some(*subject),
        categories: categories.clone(),
        origin: who.origin.clone(),
        outcome: Outcome::Success,
        policies: Vec::new(),
        case: None,
        note: None,
    };
    let events: Vec<Event> = subjects.iter().map(event).collect();
    // Many at once, so that one sync of the ledger serves many.
    let desk = state.desk.clone();
    let entries = futures_util::stream::iter(events).map(move |event| {
        let desk = desk.clone();
        async move { desk.note(event).await }
    });
    let mut waiting = entries.buffer_unordered(ENTRIES_AT_ONCE);
    while let Some(done) = waiting.next().await {
        done?;
    }
    Ok(())
}

/// Ledger entries that may wait for one sync together.
const ENTRIES_AT_ONCE: usize = 256;

fn report(report: &KReport) -> Value {
    let levels: Vec<Value> = report
        .levels
        .iter()
        .map(|level| json!({"level": level.level.as_str(), "k": level.k, "classes": level.classes, "too_few": level.too_few}))
        .collect();
    json!({"people": report.people, "k_min": report.k_min, "levels": levels, "chosen": report.chosen.map(Level::as_str)})
}

fn refused_by_k(found: &KReport) -> Response {
    let body = json!({
        "error": "k_too_small", "message": "too few patients look alike; nothing leaves",
        "hint": "wait until more have agreed", "report": report(found),
    });
    (StatusCode::CONFLICT, Json(body)).into_response()
}

fn file(project: &str, found: &KReport, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{project}.csv\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::HeaderName::from_static("obhut-k-report"), report(found).to_string()),
    ];
    (headers, body).into_response()
}
