//! Early-warning scores: one engine, and tables that are data with an identifier, a version, an approver and a source.
//!
//! NEWS2, MEWS and qSOFA come with the program ([`tables`]); a house's own table is the same data, read from wherever the house keeps it.
//!
//! What always holds:
//! - A missing, stale, doubtful or unreadable input is named as that and never scores 0; the score is then [`Outcome::Incomplete`], with what
//!   is known as a lower bound.
//! - Values are rounded to the table's precision *before* they are scored, half away from zero, in exact decimals: 91.5 % reads 92, 91.4 %
//!   reads 91, and nothing falls between two bands.
//! - Scale 2 is used only if a clinician chose it, and the score says who and when.
//! - A score is not used where it was not made for: under its least age, or in pregnancy.

mod compute;
mod table;
pub mod tables;

pub use compute::{
    Caveat, ClinicianChoice, Inputs, NotApplicable, Observation, Observed, Origin, Outcome, Part, PartState, Person,
    Pregnancy, Scale, Score, score,
};
pub use table::{
    Band, Breathing, Consciousness, Parameter, Range, Row, Scoring, Single, Table, TableError, TableErrors, Text,
};
