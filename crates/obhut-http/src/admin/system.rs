//! The server itself: status, certificate authority, link, charter, metrics.

use crate::api::{ApiError, blocking};
use crate::state::AppState;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use obhut_charter::Lang;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn status(State(state): State<Arc<AppState>>) -> Json<Value> {
    let charter = state.charter.load();
    let system = state.system_state();
    let refused: serde_json::Map<String, Value> =
        system.refused.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"), "ready": state.is_ready(), "server_time": state.clock.now().micros(),
        "store": system.store, "charter": {"name": charter.name, "fingerprint": charter.rules.fingerprint, "state": system.charter},
        "sessions": state.connected(), "pages": state.live.clients(), "frames": system.frames, "refused": refused,
        "https": state.https_address.get().map(ToString::to_string), "gateway": state.gateway_address.get().map(ToString::to_string),
    }))
}

pub(super) async fn certificate_authority(State(state): State<Arc<AppState>>) -> Json<Value> {
    Json(json!({"root_pem": state.authority.root_pem(), "sha256": state.authority.root_fingerprint()}))
}

/// How the ledger is and what it is verified with: commitments and a public key, no content.
pub(super) async fn ledger(State(state): State<Arc<AppState>>) -> Json<Value> {
    let scribe = &state.desk.scribe;
    Json(
        json!({"key": scribe.public_key(), "checkpoint": scribe.checkpoint(), "state": state.desk.ledger_word(), "waiting": scribe.waiting()}),
    )
}

#[derive(Deserialize)]
pub(super) struct Language {
    lang: Option<String>,
}

pub(super) async fn charter(State(state): State<Arc<AppState>>, Query(query): Query<Language>) -> Json<Value> {
    let lang = if query.lang.as_deref() == Some("en") { Lang::En } else { Lang::De };
    let charter = state.charter.load();
    Json(
        json!({"name": charter.name, "fingerprint": charter.rules.fingerprint, "text": obhut_charter::explain(&charter.checked, lang)}),
    )
}

pub(super) async fn reload_charter(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    blocking(move || match state.reload_charter() {
        Ok(fingerprint) => Ok(Json(json!({"fingerprint": fingerprint, "state": "in_force"}))),
        Err(problems) => {
            Err(ApiError::bad("charter_refused", problems, "mend the file and try again; the charter in force stays"))
        }
    })
    .await
}

pub(super) async fn metrics(State(state): State<Arc<AppState>>) -> Response {
    crate::metrics::answer(&state)
}

pub(super) async fn ready(State(state): State<Arc<AppState>>) -> Response {
    if state.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}
