//! Every bound of this crate, named. A charter beyond one of them is refused with the bound in the message; nothing is cut silently.

/// Largest charter, in bytes. A ward of 500 beds needs about a tenth of it.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Most entries of one section, and most items of one list.
pub const ENTRIES_MAX: usize = 1_024;
/// Longest text, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// Longest bed label, in characters: what fits above a bed's traces on the ward page.
pub const LABEL_CHARS_MAX: usize = 16;
/// Most problems kept of one file; the rest is counted.
pub const PROBLEMS_MAX: usize = 200;

/// Highest waveform rate, in microhertz: 2 kHz. Bedside ECG needs 500 Hz; nothing in the code table needs more than four times that.
pub const WAVEFORM_MICROHERTZ_MAX: u32 = 2_000_000_000;
/// Highest rate of a numeric, in microhertz: 4,000 a second, which only a load test reaches.
pub const NUMERIC_MICROHERTZ_MAX: u32 = 4_000_000_000;
/// A numeric more frequent than this is allowed with a warning: 10 a second, more than a person can read.
pub const NUMERIC_MICROHERTZ_USUAL: u32 = 10_000_000;
/// Most messages a second one device may be allowed.
pub const MESSAGES_PER_SECOND_MAX: i64 = 1_000_000;
/// Smallest payload worth allowing, bytes: one numeric in a frame.
pub const PAYLOAD_BYTES_MIN: i64 = 64;
/// Largest payload that may be allowed, bytes.
pub const PAYLOAD_BYTES_MAX: i64 = 1 << 20;
/// Longest period of any kind, in years: the longest limitation period of German civil law is 30 (§ 197 BGB), medical products add some.
pub const PERIOD_YEARS_MAX: u64 = 50;
/// A contract, flow or assessment that ends within so many days earns a warning.
pub const EXPIRY_WARNING_DAYS: i64 = 30;

/// Fewest patients that must look alike before a set leaves the house. Below five a person is found again (K-anonymity, EDPB, Art. 29 WP 216).
pub const K_MIN: i64 = 5;
/// Most that a charter may ask for.
pub const K_MAX: i64 = 10_000;
/// Longest session, in seconds: one shift.
pub const SESSION_SECONDS_MAX: u64 = 8 * 3_600;
/// Longest time a screen may stay open without a touch, in seconds.
pub const IDLE_SECONDS_MAX: u64 = 30 * 60;
/// Longest emergency access, in seconds.
pub const BREAK_GLASS_SECONDS_MAX: u64 = 4 * 3_600;
/// Longest time until an emergency access must have been judged, in seconds.
pub const REVIEW_SECONDS_MAX: u64 = 7 * 86_400;
/// Longest time rights may outlast a discharge, in seconds; a quarter of a year is about what a statutory billing needs.
pub const AFTER_DISCHARGE_SECONDS_MAX: u64 = 92 * 86_400;

/// Longest time until the loss of a device, link, gateway, server or store is signalled, in seconds.
pub const LOSS_SIGNAL_SECONDS_MAX: u64 = 5;
/// Most parts of a combined alarm.
pub const COMBINED_PARTS_MAX: usize = 8;
