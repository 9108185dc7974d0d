//! The register: who may sign in as what, who treats whom, who consented to what, who used an emergency access, who asked for what.
//!
//! For: checking a [`Command`] against the [`State`], turning it into [`Change`]s, having them appended through a [`ChangeLog`], and folding them into
//! memory, where every question is answered. Not for: deciding who may give a command (`obhut-access`), recording that somebody did (`obhut-ledger`),
//! or storing (the home of the log is a shell's). It reads no clock and draws no random numbers: times and identifiers come with the command, and so
//! do periods and limits, which the charter declares.
//!
//! What always holds:
//! - Nothing is overwritten. A change that is in force stays in the log; what ended, ended by a later change.
//! - The state is a pure function of the log: replaying it gives the same state, in whatever order unrelated changes were written.
//! - A change kind this version does not know is an error that names it, never skipped: an unknown withdrawal must not read as a consent.
//! - What saves a life or takes a right away ([`Command::urgent`]) is in force at once, even if the log fails; it is kept and appended as soon as the
//!   log works again. Everything else is in force only after it is durable.
//! - Names and free texts are [`Private`]: they print as nothing. A patient's name is never here at all.

pub mod calendar;
pub mod care;
mod change;
mod command;
pub mod consents;
pub mod emergencies;
pub mod invitations;
pub mod keeping;
mod log;
pub mod outside;
pub mod people;
mod register;
pub mod requests;
mod retention;
pub mod rights;
mod state;
mod text;

pub use change::{By, Change, Entry, KINDS, Key, Unreadable};
pub use command::{Command, Refusal, TEXT_CHARACTERS_MAX};
pub use log::{ChangeLog, LogError, MemoryLog, Row, Stored};
pub use register::{Done, Kept, OpenError, Register};
pub use retention::{Ended, Record};
pub use state::{Misfit, State};
pub use text::{Bytes, Digest, Private};

#[cfg(test)]
mod tests;
