//! Every bound of this crate, named.

/// How long a permit opens data after it was decided, in microseconds: long enough to answer one request, short enough that a change of rights is
/// felt at once. A stream asks again.
pub const PERMIT_MICROS_MAX: i64 = 60_000_000;
/// The same where the purpose rests on consent: a withdrawal takes effect everywhere within this.
pub const PERMIT_CONSENT_MICROS_MAX: i64 = 5_000_000;
/// The same for live values at the bed, which are a stream of their own.
pub const PERMIT_LIVE_MICROS_MAX: i64 = 15 * 60_000_000;
/// Most grants of one person that are looked at; further ones are ignored, which can only deny.
pub const GRANTS_MAX: usize = 16;
/// Most stays of one patient that are looked at, the newest first; the others are past.
pub const STAYS_MAX: usize = 256;
/// Most categories one question may name; more are refused. A ledger entry holds 64.
pub const CATEGORIES_MAX: usize = 60;
