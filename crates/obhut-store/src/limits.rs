//! Every bound of the store, and what happens when it is reached.

/// Writes begin at multiples of this, so that no write can tear a sector that holds something acknowledged.
pub const SECTOR_BYTES: usize = 512;

/// The journal is extended with zeros in steps of this, because overwriting allocated blocks needs no metadata flush. If there is no room for
/// a step, the batch alone is tried.
pub const JOURNAL_STEP_BYTES: u64 = 4 << 20;

/// Waiting for the disk, in memory. Above it an append is refused as `Behind`.
pub const PENDING_BYTES_MAX: usize = 32 << 20;

/// A batch buffer larger than this is given back when it is used for far less.
pub const BATCH_BYTES_KEPT: usize = 8 << 20;

/// A scratch buffer of a thread larger than this is given back.
pub const SCRATCH_BYTES_MAX: usize = 1 << 20;

/// Stretches of sequence numbers remembered per device, run and subject. Above it the oldest are forgotten: a very late repetition
/// would then be stored twice, which is better than taking something new for a repetition.
pub const RANGES_MAX: usize = 256;

/// Runs and subjects remembered per device. Above it the one not heard for longest is forgotten.
pub const RUNS_PER_DEVICE_MAX: usize = 32;

/// A segment file is closed above this and a next one begun.
pub const SEGMENT_BYTES_MAX: u64 = 256 << 20;

/// Stretch of data time in one segment file, microseconds. No chunk crosses it, so that a file expires as a whole.
pub const SEGMENT_MICROS: i64 = 3_600_000_000;

/// Stays that ended longer ago than this no longer matter to incoming readings: the longest a device buffers, and a margin.
pub const LATENESS_MICROS: i64 = 8 * 24 * SEGMENT_MICROS;
