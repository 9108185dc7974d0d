//! Why a record could not be read or written.

use crate::record::SourceError;

/// Why reading ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file could not be had.
    #[error("`{file}` cannot be read")]
    Source {
        /// Which.
        file: String,
        /// Why.
        #[source]
        why: SourceError,
    },
    /// A header line is not what the format says.
    #[error("`{record}.hea` line {line}: {why}")]
    Header {
        /// Record name.
        record: String,
        /// Line, counted from one.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The storage format is known to WFDB but not to this reader.
    #[error(
        "`{record}.hea` line {line}: storage format {format} is not supported; convert the record to 16, 212 or 516"
    )]
    Format {
        /// Record name.
        record: String,
        /// Line, counted from one.
        line: usize,
        /// The format number.
        format: u32,
    },
    /// More than a bound in [`crate::limits`].
    #[error("more than {max} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: u64,
    },
    /// Fewer bytes than the header promises.
    #[error("`{file}` ends before the {expected} samples its header promises")]
    Short {
        /// Which file.
        file: String,
        /// How many samples there should be.
        expected: u64,
    },
    /// Not a FLAC stream, or not one that matches the header.
    #[error("`{file}` is not the FLAC stream its header promises: {why}")]
    Flac {
        /// Which file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The samples do not add up to the checksum.
    #[error("signal `{signal}` of `{record}`: samples add up to {computed}, the header says {stated}")]
    Checksum {
        /// Record name.
        record: String,
        /// Signal description.
        signal: String,
        /// From the header, modulo 65536.
        stated: u16,
        /// From the samples.
        computed: u16,
    },
    /// The first sample is not the one the header states.
    #[error("signal `{signal}` of `{record}` begins with {found}, the header says {stated}")]
    Initial {
        /// Record name.
        record: String,
        /// Signal description.
        signal: String,
        /// From the header.
        stated: i32,
        /// From the samples.
        found: i32,
    },
    /// A segment does not fit its multi-segment record.
    #[error("segment `{segment}`: {why}")]
    Segment {
        /// Segment name.
        segment: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Why a record could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Nothing to write.
    #[error("there is nothing to write")]
    Empty,
    /// A record name WFDB cannot carry.
    #[error("`{0}` is not a record name: letters, digits, `_` and `-` only")]
    Name(String),
    /// A scale that cannot be computed with.
    #[error("channel `{0}` has an unusable scale")]
    Scale(String),
    /// Two channels of one record sampled at rates without a common frame.
    #[error("the rates of the channels have no common frame; write them as separate records")]
    Rates,
    /// More than a bound in [`crate::limits`].
    #[error("more than {max} {what}; choose a shorter time range")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: u64,
    },
}
