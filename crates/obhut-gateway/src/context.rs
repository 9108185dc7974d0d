//! What the door needs from the rest of the server, and nothing more of it.

use crate::bindings::BindingTable;
use crate::limits::Limits;
use arc_swap::ArcSwap;
use obhut_charter::rules::Rules;
use obhut_model::{BedId, DeviceId, ModelId, Numeric, ServerTime, Subject, Wave};
use obhut_store::{DeviceRecord, DeviceState, Readings};
use std::collections::HashMap;
use std::sync::Arc;

/// Everything a session looks at. The tables are replaced whole; live sessions see a new one with their next message.
#[derive(Clone)]
pub struct GatewayContext {
    /// The charter in force.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Where readings are kept.
    pub readings: Arc<dyn Readings>,
    /// Who lies where.
    pub bindings: Arc<ArcSwap<BindingTable>>,
    /// Which devices there are.
    pub devices: Arc<ArcSwap<DeviceTable>>,
    /// The screens.
    pub live: Arc<dyn LiveSink>,
    /// Time of readings; in a demonstration it may run faster. Certificates go by real time.
    pub clock: Arc<dyn Clock>,
    /// TLS 1.3 with mandatory client certificates, from `obhut_pki::server_config`.
    pub tls: Arc<rustls::ServerConfig>,
    /// Bounds.
    pub limits: Arc<Limits>,
}

/// Takes readings for the screens, before storage and whatever becomes of it. Must never block, wait or call back into the door.
pub trait LiveSink: Send + Sync {
    /// What was admitted of one message, for one place and whoever lay there when it was measured.
    fn readings(
        &self,
        device: &DeviceId,
        bed: Option<&BedId>,
        subject: Option<Subject>,
        numerics: &[Numeric],
        waves: &[Wave<'_>],
    );

    /// A session began or ended.
    fn session(&self, device: &DeviceId, event: SessionEvent);
}

/// What happened to a device's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    /// It has one.
    Online,
    /// It has none any more. Not said when a newer connection took over.
    Offline,
}

/// Tells the time of readings.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> ServerTime;
}

/// Model and state of every registered device.
#[derive(Debug, Default)]
pub struct DeviceTable {
    devices: HashMap<DeviceId, (ModelId, DeviceState)>,
}

impl DeviceTable {
    /// From the records.
    pub fn new<'a>(records: impl IntoIterator<Item = &'a DeviceRecord>) -> Self {
        let devices = records.into_iter().map(|record| (record.id.clone(), (record.model.clone(), record.state)));
        Self { devices: devices.collect() }
    }

    /// What is known of `device`.
    #[must_use]
    pub fn get(&self, device: &DeviceId) -> Option<(&ModelId, DeviceState)> {
        self.devices.get(device).map(|(model, state)| (model, *state))
    }
}
