//! Device payloads: the CBOR frame and SenML JSON.
pub mod frame;
