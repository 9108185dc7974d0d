//! Integration tests of the device PKI: everything through the public interface, refusals as thoroughly as successes.

mod authority;
mod enrolment;
mod handshake;
mod support;
