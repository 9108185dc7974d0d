//! The ledger: who did what to whose data, why, when and from where, kept so that an outsider can tell whether anything was changed or left out.
//!
//! A pure core: no file, clock, runtime, socket or randomness of its own. The shell (`obhut-scribe`) brings disk, time and random bytes.
//!
//! The tree holds salted commitments and nothing else ([`leaf`]); events and salts lie sealed in a store of their own and can be removed without
//! breaking the tree. Formats: C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature, tlog-witness, tlog-proof; RFC 6962 hashing; events as
//! FHIR R4 AuditEvent in the shape of IHE BALP ([`fhir`]).
//!
//! What always holds: a [`Recorded`] exists only after the disk said that the entry is durable. Any changed byte, removed, moved or cut off entry is
//! found and named by `verify`. No name and no value is in an event but in its note, which is sealed.

pub mod checkpoint;
pub mod encode;
pub mod event;
pub mod export;
pub mod fhir;
pub mod leaf;
pub mod limits;
pub mod note;
pub mod proof;
pub mod record;
pub mod seal;
pub mod spool;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witness;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use encode::{DecodeError, EncodeError};
pub use event::{Actor, Channel, Event, EventKind, Origin, Outcome, ResourceRef};
pub use fhir::{Ehds, Names};
pub use leaf::{Leaf, Salt};
pub use note::{KeyKind, SignedNote, SigningKey, VerifierKey};
pub use proof::{Proof, ProofError};
#[cfg(feature = "testing")]
pub use record::testing;
pub use record::{Book, CommitError, Disk, Draft, Place, Recorded, Row, Tags};
pub use seal::EventKey;
pub use tile::TilePath;
pub use tlog_tiles::Hash;
pub use tree::{Files, Published, Tree};
