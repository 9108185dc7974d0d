//! Integration tests of the device PKI: everything through the public interface, refusals as thoroughly as successes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there; helpers outside of test functions are not recognised as tests"
)]

mod attacks;
mod authority;
mod enrolment;
mod handshake;
mod openssl;
mod support;
mod token;
