//! Tests of the ledger's core, from outside.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail like tests")]

mod attacks;
mod encoding;
mod fhir;
mod log;
mod mutations;
mod others;
mod record;
mod spool;
mod witness;
