//! What stands where: beds of the charter, devices of the records, and whether a bed is taken. Never who lies in it.

use obhut_model::{BedId, DeviceId, DeviceTime, ModelId};
use obhut_store::DeviceState;

/// The ward as charter and records declare it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ward identifier.
    pub ward: String,
    /// Ward name, as people call it.
    pub name: String,
    /// Name of the charter file, without directory.
    pub charter: String,
    /// Beds in the charter's order.
    pub beds: Vec<PlanBed>,
    /// Devices that are known.
    pub devices: Vec<LiveDevice>,
}

impl Plan {
    /// From when on what `device` measured may be shown where it stands now: since it stands there, and since the bed is as it is.
    #[must_use]
    pub fn shown_from(&self, device: &LiveDevice) -> Option<DeviceTime> {
        let bed = device.bed.as_ref().and_then(|bed| self.beds.iter().find(|known| known.id == *bed));
        device.placed.max(bed.and_then(|bed| bed.since))
    }
}

/// A bed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanBed {
    /// Identifier.
    pub id: BedId,
    /// Label on its sign.
    pub label: String,
    /// Whether a patient is bound to it now.
    pub occupied: bool,
    /// Since when it is as it is: the patient lies there, or nobody does. What was measured before belongs to somebody else.
    pub since: Option<DeviceTime>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveDevice {
    /// Identifier.
    pub id: DeviceId,
    /// Model of the charter.
    pub model: ModelId,
    /// Kind of the model, for the icon.
    pub kind: String,
    /// Whether the charter calls the model life-supporting.
    pub life_supporting: bool,
    /// State in the records.
    pub state: DeviceState,
    /// The bed it stands at now.
    pub bed: Option<BedId>,
    /// Since when it stands there.
    pub placed: Option<DeviceTime>,
}
