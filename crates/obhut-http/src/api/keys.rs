//! Keys: how they stand, a new epoch, a new top key. What is done to them is recorded before it is done.
//!
//! Not for: keys themselves; they are the store's and the key provider's, behind [`KeyRoom`].

use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{get, post};
use obhut_access::{Action, Resource};
use obhut_store::{KeyStatus, Rotated};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Whoever can turn keys over while everything runs.
pub trait KeyRoom: Send + Sync {
    /// How patients' keys stand.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn status(&self) -> Result<KeyStatus, String>;

    /// Who holds the top key: kind and place, no secret.
    fn top(&self) -> String;

    /// Wraps every patient's keys under a new epoch and destroys the one before.
    ///
    /// # Errors
    /// A sentence for the operator; the epoch before stays in force.
    fn rotate(&self) -> Result<Rotated, String>;

    /// Puts a new top key in the place of the old one, which is destroyed. Returns what was wrapped anew.
    ///
    /// # Errors
    /// A sentence for the operator; whatever was reached, everything still opens.
    fn replace_top(&self) -> Result<Vec<&'static str>, String>;
}

pub(super) fn routes() -> Vec<Route> {
    let needs = || Needs::Permit(Action::KeyManage);
    vec![route(Method::GET, "/keys", needs(), get(status)), route(Method::POST, "/keys/rotate", needs(), post(rotate))]
}

fn room(state: &AppState) -> Result<Arc<dyn KeyRoom>, ApiError> {
    state.keys.get().cloned().ok_or_else(|| ApiError::internal("this program was opened without its keys at hand"))
}

fn failed(what: String) -> ApiError {
    tracing::error!(what, "keys could not be turned over");
    ApiError::internal(what)
}

async fn status(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::KeyManage, Resource::System)).await?;
    let room = room(&state)?;
    let (status, top) = blocking(move || Ok((room.status().map_err(failed)?, room.top()))).await?;
    Ok(Json(json!({
        "top": top, "epoch": status.epoch, "epoch_since": status.epoch_since.micros(), "patients": status.subjects,
        "rotation_due": status.rotation_due,
    })))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    /// Whether the top key is meant.
    top: bool,
}

async fn rotate(
    State(state): State<Arc<AppState>>,
    who: Who,
    wanted: Option<Json<Wanted>>,
) -> Result<Json<Value>, ApiError> {
    let top = wanted.is_some_and(|Json(wanted)| wanted.top);
    let note = if top { "top key" } else { "epoch" };
    state.desk.permit(&who, Ask::new(Action::KeyManage, Resource::System).note(note)).await?;
    let room = room(&state)?;
    blocking(move || {
        if top {
            let anew = room.replace_top().map_err(failed)?;
            tracing::warn!("the top key was replaced; make a spare copy of the new one and a new backup of keys");
            return Ok(Json(json!({"top": room.top(), "wrapped_anew": anew})));
        }
        let done = room.rotate().map_err(failed)?;
        tracing::info!(epoch = done.epoch, keys = done.keys, "another key epoch is in force");
        Ok(Json(json!({"epoch": done.epoch, "keys": done.keys})))
    })
    .await
}
