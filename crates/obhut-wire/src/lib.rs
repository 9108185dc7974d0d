//! Device payloads: the CBOR frame and SenML JSON (RFC 8428), with their bounds, topics and reason codes. Both ends use it.
//!
//! Pure: no clock, no socket, no allocation per value. It is *not* for admission: whether a device may send a code, how fast and how
//! finely, is the charter's business. Nothing here knows a patient.
//!
//! What always holds: a [`Frame`] that exists has been checked once from end to end against [`limits`], so that reading it cannot fail;
//! a number from SenML is exactly the decimal that stood in the text. The formats are described in `docs/protocol.md`.

pub mod cbor;
pub mod frame;
pub mod limits;
pub mod reason;
pub mod senml;
pub mod topic;

pub use cbor::{Frame, FrameError, encode};
pub use frame::{Clock, Header, RawNumeric, RawWave};
pub use senml::{PackError, RecordError};
pub use topic::Topic;
