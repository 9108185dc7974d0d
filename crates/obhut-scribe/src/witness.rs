//! Witnesses: asking them to cosign our checkpoints ([`client`]), and being one for others ([`server`]). C2SP tlog-witness v1.0.0.
//!
//! Neither is needed for an entry to be recorded: a witness that does not answer holds nothing up. What is judged is decided in `obhut-ledger`.

pub mod client;
pub mod server;
mod tls;

pub use client::WitnessConfig;
pub(crate) use client::Witnesses;
pub use tls::TlsError;
