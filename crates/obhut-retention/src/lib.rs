//! How long things stay, and how they go: the deletion concept, the deletion job, and erasing one patient with a certificate.
//!
//! A shell around the store, the register and the ledger. Not for deciding: periods come from the charter, holds and duties from the register, and who
//! may erase from `obhut-access`. Not for backups either: `obhut-backup` makes and restores them and asks here who must not come back.
//!
//! Follows DIN 66398 / ISO/IEC 27555 (one rule for each kind of data, with start and period), SDM building block 60 (M60.S06: a proof of deletion
//! holds nothing of what was deleted; M60.S10: erase again after a restore).

pub mod certificate;
pub mod erasure;
mod error;
pub mod files;
mod installation;
pub mod job;
pub mod kinds;
mod list;
mod room;
mod survey;
pub mod text;

pub use certificate::{Body, CertificateError};
pub use erasure::{Done, Forbidden, Order};
pub use error::RetentionError;
pub use installation::{Installation, is_signed};
pub use job::{Line, Report};
pub use kinds::{Rule, StoredKind};
pub use list::{Entry, ErasureList, Mark};
pub use room::{Copies, DIRECTORY, Parts, Periods, Progress, Reached, Retention, SignedList};
pub use survey::{Survey, survey};
