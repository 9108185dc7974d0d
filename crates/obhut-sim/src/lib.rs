//! A ward to play with: patients, devices, recordings, faults.
//!
//! One model for two uses. The demonstration runs it over real sockets ([`ward`]); the tests run it under virtual time from a seed, with a
//! faulty link between ([`simtest`]), and a failing seed reproduces.
//!
//! *Not* here: sockets, clocks, certificates (the programs bring them), and anything that judges readings.
//!
//! What always holds: the same seed and start give the same ward; recorded samples are sent as recorded; nothing here is a patient.

pub mod device;
pub mod faults;
pub mod recordings;
pub mod rng;
pub mod simtest;
pub mod ward;
pub mod world;
