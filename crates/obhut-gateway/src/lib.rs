//! The device door: TLS, MQTT, admission.
//!
//! Devices come in here and nowhere else: TLS 1.3 with a client certificate, MQTT 5 or 3.1.1, and only what the charter declares. It is a
//! door, not a broker: nothing is retained, nothing fans out, no device reaches another. Not for people, HTTP, or keeping readings.
//!
//! - [`session`]: the MQTT session, sans I/O, behind a guard that looks at packets before the protocol library does
//! - [`admit`]: what of a payload is let in, for whom, how exactly
//! - [`door`]: sockets, TLS, limits, one task per connection
//! - [`bindings`], [`context`], [`limits`], [`refusal`], [`sessions`]: tables, seams, bounds, counters, the registry
//!
//! What always holds: the identity is the certificate's; a QoS 1 publish is acknowledged with success only when it is durable; the screens
//! get a reading before the store does and whether or not it does; everything that grows has a bound in [`limits`]; every refusal is counted.

pub mod admit;
pub mod bindings;
mod connection;
pub mod context;
pub mod door;
mod guard;
pub mod limits;
mod rate;
pub mod refusal;
pub mod session;
pub mod sessions;
mod shared;

pub use bindings::BindingTable;
pub use context::{Clock, DeviceTable, GatewayContext, LiveSink, SessionEvent};
pub use door::Door;
pub use limits::Limits;
pub use refusal::{Counters, Refusal};
pub use session::CommandError;
pub use sessions::Sessions;
