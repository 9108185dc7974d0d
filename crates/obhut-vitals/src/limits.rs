//! Every bound of this crate, and what happens when it is reached.

/// Most segments a track keeps of one condition. Older ones are forgotten; readings older than what was forgotten raise nothing any more.
pub const SEGMENTS_MAX: usize = 64;
/// Most buckets of a trend's window, so that a window of any length costs the same.
pub const TREND_BUCKETS: i64 = 60;
/// Most entries of a patient's history kept in memory; older ones are where the records were stored.
pub const HISTORY_MAX: usize = 256;
/// Most discharged patients whose limits and history are kept for a return or a cancelled discharge; the oldest goes first.
pub const CLOSED_MAX: usize = 64;
/// Most operator acts remembered by identifier, to notice one that arrives twice.
pub const ACTS_MAX: usize = 1024;
/// Most beds of one engine: several wards of the largest size.
pub const BEDS_MAX: usize = 4096;
/// Most rules of one profile.
pub const RULES_MAX: usize = 256;
/// Most terms of a combined rule.
pub const TERMS_MAX: usize = 8;
/// How far a time of measurement may lie ahead of the server before it is replaced by the server's, in microseconds: 5 s.
pub const CLOCK_AHEAD_MAX: i64 = 5_000_000;
/// Longest reason written by hand, in characters; a longer one is refused.
pub const REASON_CHARS_MAX: usize = 400;
/// Most devices that may report one code or condition at one bed; readings of further ones are refused and counted.
pub const SOURCES_MAX: usize = 16;
/// Longest total delay a profile may give the loss of a device, link, gateway, server or store, in seconds (REQ-ALM-012).
pub const LOSS_SIGNAL_MAX: u32 = 5;
