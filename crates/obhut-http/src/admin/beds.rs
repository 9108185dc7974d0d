//! Beds and who lies in them: bind with two identifiers, unbind.

use super::devices::{Until, declared_bed};
use super::time_or_now;
use crate::api::{ApiError, blocking};
use crate::state::AppState;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use obhut_store::{Identity, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn list(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let (devices, subjects) = state.records.bindings()?;
        let now = time_or_now(&state, None);
        let charter = state.charter.load();
        let rows: Vec<Value> = charter
            .beds
            .iter()
            .map(|(bed, label)| {
                let subject =
                    subjects.iter().find(|s| s.bed == *bed && s.from <= now && s.to.is_none_or(|to| now < to));
                let here: Vec<&str> = devices
                    .iter()
                    .filter(|d| d.bed == *bed && d.from <= now && d.to.is_none_or(|to| now < to))
                    .map(|d| d.device.as_str())
                    .collect();
                json!({"id": bed.as_str(), "label": label, "subject": subject.map(|s| s.subject.to_string()),
                       "since": subject.map(|s| s.from.micros()), "devices": here})
            })
            .collect();
        Ok(Json(json!({"beds": rows})))
    })
    .await
}

/// Identity as the operator types it. `Debug` is deliberately absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admit {
    name: String,
    birth_date: String,
    record_number: String,
    from: Option<i64>,
}

pub(crate) fn is_iso_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| (part.len() == digits).then(|| part.parse::<u32>().ok()).flatten();
    match parts.as_slice() {
        [year, month, day] => {
            number(year, 4).is_some()
                && number(month, 2).is_some_and(|m| (1..=12).contains(&m))
                && number(day, 2).is_some_and(|d| (1..=31).contains(&d))
        }
        _ => false,
    }
}

pub(super) async fn admit(
    State(state): State<Arc<AppState>>,
    Path(bed): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    // What exactly is wrong is not repeated: it would repeat what was typed.
    let admit: Admit = serde_json::from_slice(&body).map_err(|_| {
        ApiError::bad(
            "identity",
            "the identity is not understood",
            "give `name`, `birth_date` and `record_number`, each as text, and nothing else",
        )
    })?;
    if !is_iso_date(&admit.birth_date) {
        return Err(ApiError::bad("birth_date", "the birth date is not a date", "write it as YYYY-MM-DD"));
    }
    if admit.record_number.trim().is_empty() || admit.name.trim().is_empty() {
        return Err(ApiError::bad(
            "identifiers",
            "a patient is bound with a record number, a birth date and a name",
            "read them off the wristband",
        ));
    }
    blocking(move || {
        let bed = declared_bed(&state, &bed)?;
        let from = time_or_now(&state, admit.from);
        let identity = Identity::of(&admit.name, &admit.birth_date, &admit.record_number);
        let subject = state.records.bind_patient(&identity, &bed, from)?;
        state.refresh()?;
        state.alarms.set_age(subject, crate::api::completed_years(&admit.birth_date));
        Ok(Json(json!({"bed": bed.as_str(), "subject": subject.to_string(), "from": from.micros()})))
    })
    .await
}

pub(super) async fn discharge(
    State(state): State<Arc<AppState>>,
    Path(bed): Path<String>,
    Json(until): Json<Until>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let bed = declared_bed(&state, &bed)?;
        let to = time_or_now(&state, until.to);
        let subject = state.records.unbind_patient(&bed, to).map_err(|error| match error {
            StoreError::Unknown(_) => {
                ApiError::unknown("bed_empty", format!("nobody is bound to bed `{bed}`"), "see `obhut bed list`")
            }
            other => other.into(),
        })?;
        state.refresh()?;
        Ok(Json(json!({"bed": bed.as_str(), "subject": subject.to_string(), "to": to.micros()})))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::is_iso_date;

    #[test]
    fn dates_are_checked() {
        for good in ["1950-01-31", "2026-12-01"] {
            assert!(is_iso_date(good));
        }
        for bad in ["", "31.01.1950", "1950-13-01", "1950-1-1", "1950-01-00", "1950-01-01-01"] {
            assert!(!is_iso_date(bad), "{bad}");
        }
    }
}
