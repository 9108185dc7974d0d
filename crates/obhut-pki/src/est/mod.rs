//! Enrolment over secure transport (RFC 7030, encodings as clarified by RFC 8951), without the HTTP around it.
//!
//! For: decoding what a device posts, deciding whether it gets a certificate, encoding the answer. Not for: routes, sockets and records; the
//! HTTP shell calls [`Enrolment`] on a thread that may block, and backs [`Register`] with the store.
//!
//! What always holds: a token is shown once and kept as SHA-256 only; a request is checked before its token is used up, so that a faulty
//! request does not cost the invitation; whatever is wrong with token, serial number or name, the answer outside is the same.
//!
//! | operation | request | answer |
//! |---|---|---|
//! | `GET /.well-known/est/cacerts` | – | [`cacerts`] |
//! | `POST /.well-known/est/simpleenroll` | HTTP Basic ([`Credentials`]), body for [`decode_csr`] | [`certs_only`] with the one certificate |
//! | `POST /.well-known/est/simplereenroll` | client certificate, body for [`decode_csr`] | likewise |

mod body;
mod enrolment;
mod throttle;
mod token;

pub use body::{CONTENT_TYPE_CERTS, CONTENT_TYPE_CSR, Credentials, cacerts, certs_only, decode_csr};
pub use enrolment::{Enrollee, EnrolleeState, Enrolment, EnrolmentCounters, Outcome, Register, RegisterError};
pub use token::{Token, TokenError};

use crate::csr::CsrError;
use crate::error::PkiError;

/// Why enrolment was refused. `Display` is for our log; the other side gets [`EstError::status`] and [`EstError::message`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstError {
    /// The request is faulty; the token is still good.
    #[error("the certificate request was refused")]
    Csr(#[source] CsrError),
    /// No HTTP Basic credentials, or not in the shape `serial:token`.
    #[error("no usable credentials")]
    Credentials,
    /// Token, serial number or device name do not belong together, or no longer. Which, is in the counters.
    #[error("the invitation does not hold: {}", .0.name())]
    Refused(Outcome),
    /// Too many failures lately.
    #[error("too many failed enrolments; refused for {retry_after_secs} s")]
    TooMany {
        /// When to try again.
        retry_after_secs: u64,
    },
    /// The certificate shown for renewal is not one in force, or the device is not trusted any more.
    #[error("the certificate shown does not entitle to a new one: {}", .0.name())]
    NotEntitled(Outcome),
    /// The records could not be asked or written. Nothing was issued.
    #[error("the device records failed")]
    Register(#[source] RegisterError),
    /// The authority could not issue or encode.
    #[error("the certificate authority failed")]
    Authority(#[source] PkiError),
}

impl EstError {
    /// HTTP status for the answer. With 401 goes `WWW-Authenticate: Basic realm="obhut"`, with 429 `Retry-After`.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Csr(CsrError::TooLarge) => 413,
            Self::Csr(_) => 400,
            Self::Credentials | Self::Refused(_) => 401,
            Self::NotEntitled(_) => 403,
            Self::TooMany { .. } => 429,
            Self::Register(_) | Self::Authority(_) => 503,
        }
    }

    /// One line for the other side, as `text/plain`. The same for everything that could help guessing.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Csr(error) => error.to_string(),
            Self::Credentials | Self::Refused(_) => {
                "the invitation does not hold; check serial number and token, or ask for a new invitation".to_owned()
            }
            Self::NotEntitled(_) => {
                "this certificate does not entitle to a new one; enrol again with an invitation".to_owned()
            }
            Self::TooMany { .. } => "too many failed enrolments, try again later".to_owned(),
            Self::Register(_) | Self::Authority(_) => "enrolment is out of order, try again later".to_owned(),
        }
    }

    /// Seconds for `Retry-After`, where there is something to wait for.
    #[must_use]
    pub fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after_secs } => Some(*retry_after_secs),
            Self::Register(_) | Self::Authority(_) => Some(30),
            _ => None,
        }
    }
}
