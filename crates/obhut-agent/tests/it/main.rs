//! The agent over real sockets: a small enrolment server and a small gateway, both inside the test.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code; helpers lie outside the test functions")]

mod enrolment;
mod program;
mod publishing;
mod ward;
