//! The device PKI: key providers, the certificate authority, who may connect, and enrolment over EST.
//!
//! For: making and keeping root, issuing CA and server certificate; issuing 24-hour device certificates from requests made on the device;
//! deciding during the TLS handshake whether a device is ours; the server half of EST without the HTTP around it.
//! Not for: sockets, HTTP routes, records of devices (see [`est::Register`]), cutting live sessions (the gateway does, told by [`Revocations`]).
//!
//! What always holds: a private key of ours is on disk only sealed under the [`KeyProvider`](obhut_vault::KeyProvider); a device's private
//! key never comes here; a certificate is issued only to whoever proved to hold its key; nothing of a request but that key reaches the
//! certificate; only TLS 1.3 is spoken.
//!
//! Standards: RFC 5280 (certificates), RFC 2986 (requests), RFC 7030 and RFC 8951 (EST), RFC 8446 (TLS 1.3), RFC 5652 (certs-only answers).
//! Times here are [`UnixTime`]: the real clock in seconds, never the scaled clock of a demonstration.

pub mod authority;
pub mod csr;
mod disk;
mod error;
pub mod est;
mod keys;
pub mod leaf;
pub mod limits;
pub mod provider;
pub mod tls;

pub use authority::{Authority, Issued, ServerNames};
pub use csr::{Csr, CsrError};
pub use error::PkiError;
pub use leaf::{DeviceCert, Serial, device_of};
pub use provider::{ProviderSpec, open};
pub use rustls_pki_types::{CertificateDer, UnixTime};
pub use tls::{ClientAuth, Refusal, RefusalCounters, Revocations, server_config};

/// `secs` seconds after 1970-01-01T00:00:00Z.
#[must_use]
pub fn unix(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(secs))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
