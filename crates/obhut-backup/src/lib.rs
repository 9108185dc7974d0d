//! Backups: made while the server runs, sealed for a key the server does not have, signed, read back; restored without bringing back who was erased.
//!
//! A shell. Not for deciding what is kept how long (the charter), nor who is erased (`obhut-retention`), nor for taking the picture (`obhut-store`).
//!
//! What always holds: data and keys lie in two archives, and keys live shorter; no byte of an archive can be changed without notice, with or without a
//! key; the server can make backups and read none; a restore is whole or not there at all; whoever was erased since the backup was made is erased again
//! before what was restored takes its place.
//!
//! Formats: AES-GCM-HKDF streaming as published by Tink, HPKE (RFC 9180), Ed25519 (RFC 8032), tar (POSIX ustar with GNU long names). Decisions 0140 to 0142.

mod archive;
mod error;
mod make;
mod place;
mod recovery;
mod restore;
mod stream;
mod when;

pub use archive::{About, Head, Kind, Part, Unwatched, Watch};
pub use error::BackupError;
pub use make::{Backups, DIRECTORY, KnownPlace, Made, Order};
pub use place::{Listed, list};
pub use recovery::{RecoveryKey, RecoveryPublic};
pub use restore::{Erasures, Staged, Verified, Wanted, restore, verify};

#[cfg(test)]
mod tests;
