//! The register's refusals as answers.

use super::ApiError;
use axum::http::StatusCode;
use obhut_register::Refusal;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                refusal.code(),
                text,
                "wait and try again; tell the IT department if it lasts",
            ),
            Refusal::NoSuchCase | Refusal::NoSuchPerson | Refusal::NoSuchRole => {
                Self::unknown(refusal.code(), text, "look at the list and choose again")
            }
            Refusal::Empty(_)
            | Refusal::TooLong { .. }
            | Refusal::UnknownReason
            | Refusal::InFuture
            | Refusal::AlreadyOver => Self::bad(refusal.code(), text, "correct it and send it again"),
            Refusal::RolesApart { .. } => {
                Self::conflict(refusal.code(), text, "end the other role first, or give this one to somebody else")
            }
            _ => Self::conflict(refusal.code(), text, "look at how it stands now"),
        }
    }
}
