//! Every bound of a payload, in one place. What exceeds one is refused as a whole: nothing is cut to fit.

/// Longest CBOR frame, in bytes. Room for twelve 500 Hz leads over two seconds with numerics beside them.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Most numerics in one frame.
pub const NUMERICS_MAX: usize = 256;
/// Most waveform blocks in one frame.
pub const WAVES_MAX: usize = 64;
/// Most samples in one waveform block.
pub const SAMPLES_MAX: usize = 16 * 1024;
/// Slowest waveform, in microhertz: one sample in 1,000 seconds.
pub const RATE_MICROHERTZ_MIN: u32 = 1_000;
/// Fastest waveform, in microhertz: 4 kHz.
pub const RATE_MICROHERTZ_MAX: u32 = 4_000_000_000;
/// Smallest gain of a waveform's scale; anything smaller would make values no float can hold.
pub const GAIN_MIN: f64 = 1e-12;
/// Largest gain of a waveform's scale.
pub const GAIN_MAX: f64 = 1e12;
/// Farthest a value may lie from the base time of its frame, in microseconds, either way: one day.
pub const OFFSET_MICROS_MAX: i64 = 24 * 3_600 * 1_000_000;
/// Earliest time a payload may name: 1970-01-01T00:00:00Z.
pub const TIME_MICROS_MIN: i64 = 0;
/// Latest time a payload may name: the end of the year 9999.
pub const TIME_MICROS_MAX: i64 = 253_402_300_799_999_999;
/// Largest sequence number, so that it fits a signed database column.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

/// Longest SenML pack, in bytes.
pub const SENML_BYTES_MAX: usize = 8 * 1024;
/// Most records in one SenML pack.
pub const SENML_RECORDS_MAX: usize = 64;
/// Longest base name and longest name, in bytes, each.
pub const SENML_NAME_BYTES_MAX: usize = 128;
/// Times below this many seconds count from now (RFC 8428, section 4.5.3).
pub const SENML_RELATIVE_SECONDS_MAX: i64 = 1 << 28;
