//! Durable, sealed storage behind one narrow interface.
//!
//! [`Readings`] and [`Records`] are the interface; [`EmbeddedStore`] is the home that needs nothing beside it: SQLite for records, keys and index, a
//! journal with group commit for what comes in, sealed segments for what stays. PostgreSQL comes as a second home behind the same traits.
//! Not for deciding: who may read what, and how long a class is kept, is said by those above.
//!
//! What always holds: acknowledged means durable; every value at rest is sealed with its subject's key; names and values never lie in one file;
//! damage is an error with a place, never a gap. How: decisions 0021 to 0024.

mod alarms;
pub mod api;
mod bytes;
mod changes;
mod chunk;
mod commit;
pub mod disk;
mod embedded;
mod flush;
mod hash;
mod ingest;
mod journal;
pub mod limits;
mod memtable;
mod message;
mod patient;
mod query;
mod ranges;
mod records;
mod recovery;
mod registry;
mod removal;
mod reserve;
mod segment;
mod snapshot;

pub use api::*;
pub use embedded::{EmbeddedStore, Options, SystemRandom};
pub use obhut_access::Sealed;
pub use obhut_vault::{Domain, Pseudonym};
pub use patient::{Identity, IdentityVersion, Sex};
pub use records::keys::{KeyStatus, Rotated};
pub use removal::{Destroyed, Due, Ended, Held, Removal, Rows, Step};
pub use snapshot::{Picture, Pictured, copy_database};

#[cfg(test)]
mod tests;
