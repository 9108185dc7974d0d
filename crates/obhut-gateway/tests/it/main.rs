//! Tests of the door from outside: the session core, admission, recorded hostile traffic, and real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod admit;
mod captures;
mod mosquitto;
mod packets;
mod rig;
mod session;
mod sockets;
mod support;
