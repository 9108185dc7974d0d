//! Access from outside: the golden table, every cell of it, time, circumstances, permits, what must not meet.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, where a panic is the report; the lint's own exception covers only functions marked as tests"
)]

mod exhaustive;
mod golden;
mod narrow;
mod permits;
mod time;
mod together;
mod world;
