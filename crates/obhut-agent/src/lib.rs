//! The device side: enrolment, sealed buffer, MQTT link.
//!
//! A library that turns readings into acknowledged frames, and a small program around it. It opens connections and never listens; it trusts one
//! root certificate; its key is made here and never leaves. It is *not* for measuring, and it never learns a patient.
//!
//! The parts without socket and clock are [`link`], [`buffer`], [`core`] and [`time`]; [`agent`] and [`est`] are the shells around them.
//! What goes over the wire stands in `docs/protocol.md`.

pub mod agent;
pub mod buffer;
pub mod core;
pub mod disk;
pub mod est;
pub mod limits;
pub mod lines;
pub mod link;
pub mod sequence;
pub mod state;
pub mod time;
mod tls;

pub use agent::{Agent, AgentBuilder, AgentStats, Endpoints, OfferError, StartError};
pub use state::StateDir;
pub use time::{ReadingClock, SystemClock};
