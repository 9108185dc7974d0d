//! The whole program, from outside: the binary that is shipped, and clients that nobody here wrote.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code; helpers lie outside the test functions"
)]

mod alarms;
mod crawl;
mod curves;
mod denials;
mod door;
mod faults;
mod forgetting;
mod house;
mod https;
mod keys;
mod killed;
mod mqtt;
mod operator;
mod planted;
mod replay;
mod restoring;
mod signin;
mod support;
mod technical;
mod visitor;
mod withdrawal;
mod witness;
