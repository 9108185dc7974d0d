//! Readings for the operator: what there is, and a stream of runs from which the command line makes CSV or WFDB.

use super::{refused_at_the_console, time_or_now};
use crate::api::{ApiError, blocking};
use crate::desk::Ask;
use crate::export::{Export, Form};
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use obhut_access::{Action, Resource};
use obhut_model::{Code, DeviceTime, Subject, TimeRange};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which readings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    subject: Option<String>,
    bed: Option<String>,
    code: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
}

fn subject_of(state: &AppState, subject: Option<&str>, bed: Option<&str>) -> Result<Subject, ApiError> {
    if let Some(text) = subject {
        return text
            .parse()
            .map_err(|_| ApiError::bad("subject", "a subject is named by its pseudonym", "see `obhut bed list`"));
    }
    let bed = bed.ok_or_else(|| ApiError::bad("subject", "whose readings?", "give `--subject` or `--bed`"))?;
    let bed = super::devices::declared_bed(state, bed)?;
    let now = time_or_now(state, None);
    let (_, stays) = state.records.bindings()?;
    let stay = stays.iter().find(|s| s.bed == bed && s.from <= now && s.to.is_none_or(|to| now < to));
    stay.map(|s| s.subject).ok_or_else(|| {
        ApiError::unknown("bed_empty", format!("nobody is bound to bed `{bed}`"), "see `obhut bed list`")
    })
}

async fn asked_for(state: &Arc<AppState>, which: &Which) -> Result<Subject, ApiError> {
    let (state, subject, bed) = (state.clone(), which.subject.clone(), which.bed.clone());
    blocking(move || subject_of(&state, subject.as_deref(), bed.as_deref())).await
}

fn code_of(text: &str) -> Result<Code, ApiError> {
    Code::by_reference_id(text).or_else(|| text.parse().ok().map(Code::new)).ok_or_else(|| {
        ApiError::bad(
            "code",
            format!("`{text}` is not a code"),
            "give a reference identifier like `MDC_ECG_HEART_RATE`, or its number",
        )
    })
}

fn range(which: &Which) -> TimeRange {
    TimeRange {
        from: which.from.map_or(TimeRange::ALL.from, DeviceTime::from_micros),
        to: which.to.map_or(TimeRange::ALL.to, DeviceTime::from_micros),
    }
}

pub(super) async fn list(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(which): Query<Which>,
) -> Result<Json<Value>, ApiError> {
    let subject = asked_for(&state, &which).await?;
    let wanted = which.code.as_deref().map(code_of).transpose()?;
    let ask = Ask::new(Action::HistoryView, Resource::Patient(state.desk.patient(subject).await?));
    state.desk.permit(&who, ask).await.map_err(refused_at_the_console)?;
    blocking(move || {
        let codes = crate::export::codes(&state, subject, wanted, range(&which))?;
        let rows: Vec<Value> = codes
            .iter()
            .map(|(code, range)| {
                let info = code.info();
                json!({"code": code.number(), "reference_id": code.to_string(), "name_en": info.map(|i| i.name_en), "name_de": info.map(|i| i.name_de),
                       "unit": info.map(|i| i.ucum), "first": range.from.micros(), "last": range.to.micros() - 1})
            })
            .collect();
        Ok(Json(json!({"subject": subject.to_string(), "readings": rows})))
    })
    .await
}

pub(super) async fn runs(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let subject = asked_for(&state, &which).await?;
    let code = which.code.as_deref().map(code_of).transpose()?;
    let export = Export { subject, code, range: range(&which), purpose: None };
    export.answer(state, who, Form::Lines).await.map_err(refused_at_the_console)
}
