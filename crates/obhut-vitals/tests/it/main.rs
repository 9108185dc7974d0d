//! Tests of the crate from outside: one ward, played through; a model beside the engine; an oracle beside the scores.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code; helpers lie outside the test functions"
)]

mod acts;
mod care;
mod charter;
mod injected;
mod life;
mod model;
mod oracle;
mod parts;
mod restart;
mod scores;
mod statistics;
mod support;
mod way;
