//! Tests of the door from outside: the session core, admission, recorded hostile traffic, and real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there; helpers outside of test functions are not recognised as tests"
)]

mod admit;
mod captures;
mod mosquitto;
mod packets;
mod rig;
mod session;
mod sockets;
mod support;
