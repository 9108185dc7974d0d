//! What a person's program is told when something is refused.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use obhut_store::StoreError;
use serde_json::json;

/// A refusal: `{"error": code, "message": sentence, "hint": what to do next}`. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: &'static str,
}

impl ApiError {
    /// Not allowed, or not there: the same answer for both, so that an outsider learns nothing.
    #[must_use]
    pub fn refused() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "refused",
            "this is not open to you",
            "if a patient is in danger, use the emergency access; otherwise ask who looks after roles",
        )
    }

    /// Nobody is signed in.
    #[must_use]
    pub fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed_out", "nobody is signed in", "sign in")
    }

    /// Signed in, but the workstation is locked.
    #[must_use]
    pub fn locked() -> Self {
        Self::new(StatusCode::LOCKED, "locked", "this workstation is locked", "unlock it, or switch the user")
    }

    /// The ledger cannot be written, so nothing may be read but the bedside.
    #[must_use]
    pub fn ledger_unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger_unavailable",
            "accesses cannot be recorded at the moment, so stored data stay closed; monitoring goes on",
            "wait, or use the emergency access if a patient is in danger; tell the IT department",
        )
    }

    /// The request itself is wrong.
    #[must_use]
    pub fn bad(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    /// The named thing is not there; only for those who may know that.
    #[must_use]
    pub fn unknown(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message, hint)
    }

    /// It contradicts what is there.
    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code, message, hint)
    }

    /// Something failed on the server's side; the whole story is in its log.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            message,
            "tell the IT department; `obhut doctor` helps them",
        )
    }

    /// A status of one's own.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self { status, code, message: message.into(), hint }
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown(what) => {
                Self::unknown("unknown", format!("{what} is not known"), "look at what there is and choose again")
            }
            StoreError::Conflict(text) => Self::conflict("conflict", text, "end what contradicts it first"),
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "storage failed for a person's request");
                Self::internal("storage failed")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.code, "message": self.message, "hint": self.hint}))).into_response()
    }
}
