//! Ceremonies with a software authenticator, sessions against a model, and the provider against a real provider program.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code; helpers lie outside the test functions"
)]

mod no_password;
mod oidc;
mod passkeys;
mod sessions;

use obhut_model::{PersonId, ServerTime};

/// A moment, in seconds since some beginning.
fn at(seconds: i64) -> ServerTime {
    ServerTime::from_micros(1_800_000_000_000_000).plus_micros(seconds * 1_000_000)
}

fn person(number: u8) -> PersonId {
    PersonId::from_random([number; 16])
}
