//! Bounds of this crate. What lies beyond one is refused or forgotten, never grown into.

/// Channels of one bed; a further one is refused.
pub const CHANNELS_MAX: usize = 16;

/// Beats or pulses a channel remembers: more than half a minute at 300 a minute. The oldest is forgotten.
pub const BEATS_KEPT: usize = 192;

/// Finished seconds a channel remembers. The oldest is forgotten.
pub const SECONDS_KEPT: usize = 32;

/// Lowest sample rate of an ECG, microhertz: below, a QRS complex is a handful of samples.
pub const ECG_RATE_MIN: u32 = 100_000_000;

/// Lowest sample rate of a pulse curve, microhertz.
pub const PULSE_RATE_MIN: u32 = 50_000_000;

/// Lowest sample rate of a respiration curve, microhertz.
pub const RESPIRATION_RATE_MIN: u32 = 10_000_000;

/// Highest sample rate, microhertz.
pub const RATE_MAX: u32 = 1_000_000_000;

/// A gap up to this long is counted through, sample by sample; after a longer one, or a step back of more, the channel begins anew.
pub const GAP_COUNTED_MICROS: i64 = 10_000_000;

/// A gap up to this long is bridged with the last value for the filters (and still counted as missing); after a longer one they begin anew.
pub const GAP_BRIDGED_MS: u32 = 40;

/// What one channel takes, in bytes, at [`RATE_MAX`].
pub const CHANNEL_BYTES_MAX: usize = 256 * 1024;
