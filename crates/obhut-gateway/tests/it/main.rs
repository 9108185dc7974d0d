//! Tests of the door from outside: the session core, admission, recorded hostile traffic, and real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod admit;
mod captures;
mod packets;
mod session;
mod support;
