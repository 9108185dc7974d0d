//! Bounds on what a record may hold. Beyond them reading ends with an error that names the bound.

/// Longest header, bytes. The longest published ones (multi-segment, 22 h) stay below 200 KiB.
pub const HEADER_BYTES_MAX: usize = 1 << 20;
/// Longest header line, bytes.
pub const LINE_BYTES_MAX: usize = 4096;
/// Most signals in a record.
pub const SIGNALS_MAX: usize = 256;
/// Most segments in a multi-segment record.
pub const SEGMENTS_MAX: usize = 20_000;
/// Most samples in a record over all its signals: 256 MiB of memory.
pub const SAMPLES_MAX: u64 = 1 << 26;
/// Most samples of one signal in one frame.
pub const SAMPLES_PER_FRAME_MAX: u32 = 10_000;
/// Longest skew, frames.
pub const SKEW_MAX: u32 = 65_536;
/// Longest record or file name, bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Most annotations in a file: a beat every 200 ms for a week.
pub const ANNOTATIONS_MAX: usize = 1 << 22;
