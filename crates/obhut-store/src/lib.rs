//! Durable, sealed storage behind one narrow interface.
pub mod api;
pub use api::*;
