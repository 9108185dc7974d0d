//! Keeps the ledger: one thread commits many events with one sync, signs checkpoints, replays the spool, and opens a ledger that is down again.
//!
//! The shell around `obhut-ledger`; what an entry, a leaf, a checkpoint is, is decided there. Not for the decision that is recorded.
//!
//! What always holds: [`Recorded`](obhut_ledger::Recorded) comes back only after SQLite's commit (or the spool file's sync) succeeded. A caller that goes
//! away does not take its event with it. Tiles are durable before the checkpoint that counts them. The spool is replayed in the transaction that
//! also says how far, so a crash at any instant neither loses an event nor records it twice. After a failed write nothing is retried on the same
//! handle: all is opened anew and checked against itself (decision 0092).
//!
//! On disk: `DATA/ledger/{events.db, checkpoint, tile/…, lock}`, `DATA/spool/*.spool`. Formats: `docs/ledger.md`.

mod book;
mod database;
pub mod files;
mod keeper;
pub mod keys;
pub mod limits;
mod scribe;
mod spool;
pub mod witness;

pub use book::DownError;
pub use database::{DatabaseError, Query};
pub use files::LogDir;
pub use keys::{KeysError, LedgerKeys};
pub use scribe::{Entry, LedgerDown, LedgerState, LookError, Options, Scribe, ScribeError};
pub use witness::WitnessConfig;
