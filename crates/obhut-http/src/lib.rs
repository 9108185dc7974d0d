//! API, live streams and web assets: what people and operators reach.
//!
//! For: pages and their session, the live ward and its alarms, EST's HTTP, the operator's socket, metrics, health. Not for: deciding about readings (the gateway
//! and the charter do), keeping them (the store does), or who may see what (`obhut-access`, later; until then a one-time link gives a short
//! session that sees pseudonymised live values only).
//!
//! What always holds: a route that is not written in `page` or `admin` does not exist; no administration route is on a network port; nothing
//! here names a patient.

pub mod admin;
pub mod alarms;
pub mod api;
pub mod assets;
pub mod desk;
mod est;
pub mod export;
pub mod live;
mod metrics;
pub mod page;
pub mod server;
pub mod state;
pub mod who;

pub use est::StoreRegister;
pub use state::{AppState, CharterInForce, CharterSource, Parts};
