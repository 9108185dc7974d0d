//! Every bound of this crate, and what happens at it.

/// Readings of one code are asked for in pieces of this length, microseconds: an hour of the fastest waveform allowed is 30 MiB.
pub const WINDOW_MICROS: i64 = 3_600_000_000;

/// Most samples in one FHIR Observation; a longer stretch becomes several. Keeps `SampledData.data` below FHIR's megabyte for a string.
pub const SAMPLES_PER_OBSERVATION_MAX: usize = 30_000;

/// Numerics at one distance and of one quality are one FHIR Observation with `SampledData` from this many on; fewer become one each.
pub const EVEN_MIN: usize = 8;

/// Most rows of readings in a PDF: longer stays are summed up by wider periods, see `pdf`.
pub const PDF_ROWS_MAX: usize = 6_000;

/// Most accesses listed one by one in a PDF, the newest; the older ones are counted, and stand in the other two formats.
pub const PDF_ACCESSES_MAX: usize = 3_000;

/// Longest single text put into a PDF, in characters; the rest is replaced by an ellipsis and stands in the other two formats.
pub const PDF_TEXT_MAX: usize = 8_000;
