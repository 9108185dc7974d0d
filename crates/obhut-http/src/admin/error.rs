//! What the operator is told when something is refused.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use obhut_store::StoreError;
use serde_json::json;

/// A refusal with what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: &'static str,
}

impl AdminError {
    /// The request itself is wrong.
    pub(super) fn bad(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), hint }
    }

    /// The named thing is not there.
    pub(super) fn unknown(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self { status: StatusCode::NOT_FOUND, code, message: message.into(), hint }
    }

    /// It contradicts what is there.
    pub(super) fn conflict(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self { status: StatusCode::CONFLICT, code, message: message.into(), hint }
    }

    /// Something failed on the server's side; the whole story is in its log.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "internal",
            message: message.into(),
            hint: "see the server's log, then run `obhut doctor`",
        }
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown(what) => {
                Self::unknown("unknown", format!("{what} is not known"), "list what there is and check the name")
            }
            StoreError::Conflict(text) => {
                Self::conflict("conflict", text, "end what contradicts it first, or choose another time")
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "storage failed for an operator's request");
                Self::internal(other.to_string())
            }
        }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.code, "message": self.message, "hint": self.hint}))).into_response()
    }
}
