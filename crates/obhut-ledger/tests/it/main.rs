//! Tests of the ledger's core, from outside.

mod attacks;
mod encoding;
mod fhir;
mod log;
mod mutations;
mod others;
mod record;
mod spool;
mod witness;
