//! SenML JSON (RFC 8428) for simple devices: a pack of numeric records, read without copying and without rounding.
//!
//! Names resolve to a code (`MDC_…` or its number), units must be the code's own, numbers are the exact decimals of the text. *Not* here:
//! text, boolean and data values, sums, waveforms, the other SenML serialisations. They are refused, never guessed at.
//!
//! A fault of one record costs that record; a fault of the pack (syntax, version, an unknown field that must be understood) costs the pack.

mod number;
mod pack;
mod resolve;
mod unit;

pub use pack::decode;
pub use unit::ALIASES;

/// Why a whole pack is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// More bytes than [`SENML_BYTES_MAX`](crate::limits::SENML_BYTES_MAX).
    #[error("the pack is too long")]
    TooLong,
    /// More records than [`SENML_RECORDS_MAX`](crate::limits::SENML_RECORDS_MAX).
    #[error("the pack has too many records")]
    TooMany,
    /// No records.
    #[error("the pack is empty")]
    Empty,
    /// Not JSON, or not an array of objects with the types RFC 8428 gives its fields.
    #[error("the pack is not SenML JSON, line {line}, column {column}")]
    Syntax {
        /// Line, from one.
        line: usize,
        /// Column, from one; zero if unknown.
        column: usize,
    },
    /// A `bver` other than 10.
    #[error("the SenML version is not 10")]
    Version,
    /// A field that ends in `_` and is not known (RFC 8428, section 4.4).
    #[error("the pack has a field that must be understood and is not")]
    MustUnderstand,
    /// The same field twice in one record.
    #[error("a record has the field `{field}` twice")]
    Duplicate {
        /// Which.
        field: &'static str,
    },
}

/// Why one record is refused while the others stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// No name, or one with characters or a length RFC 8428 does not allow.
    #[error("the name is missing or malformed")]
    Name,
    /// The name speaks for another device.
    #[error("the name belongs to another device")]
    OtherDevice,
    /// No such code, so no unit to hold it against.
    #[error("the name is no code this version knows")]
    UnknownCode,
    /// A waveform's code.
    #[error("waveforms cannot be sent as SenML")]
    NotNumeric,
    /// No unit.
    #[error("the unit is missing")]
    UnitMissing,
    /// Not the code's unit, nor an accepted other spelling of it.
    #[error("the unit is not the code's own")]
    Unit,
    /// Text, boolean, data or sum instead of a number, or no value at all.
    #[error("the record has no numeric value")]
    NoNumber,
    /// More digits than a [`Decimal`](obhut_model::Decimal) holds exactly.
    #[error("the value has more digits than can be kept exactly")]
    Value,
    /// Before 1970 or after the year 9999.
    #[error("the time is out of range")]
    Time,
}
