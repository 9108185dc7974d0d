//! Whether the devices at occupied beds are there: session up and something heard.
//!
//! A device is *expected* at an occupied bed from the first time it was heard there, across restarts of the server, until it stands there no more. One that is expected and has no session is
//! lost; one with a session that says nothing for too long has lost its link. Either is one technical alarm, which ends when the device is heard again.
//! How long until the signal is the charter's; what is here takes at most [`SILENT_AFTER_MICROS`] before.
//!
//! INVARIANT: one loss is one alarm: a silent device whose session then ends stays what it was said to be.

use crate::live::Plan;
use obhut_charter::rules::Rules;
use obhut_model::{BedId, DeviceId, ServerTime};
use obhut_vitals::alarm::TechnicalKind;
use std::collections::BTreeMap;

/// A session that has sent nothing for this long, in real time, is silent, unless its own values are due less often.
const SILENT_AFTER_MICROS: i64 = 2_200_000;
/// How long after the server's start a device may take to come back before it counts as lost, in real time.
const BACK_WITHIN_MICROS: i64 = 3_000_000;

/// What the engine is to be told of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) bed: BedId,
    pub(super) device: DeviceId,
    pub(super) kind: TechnicalKind,
    pub(super) lost: bool,
    /// Since when, ward time.
    pub(super) at: i64,
}

/// What is known of one device.
#[derive(Debug, Clone, Default)]
pub(super) struct Equipment {
    bed: Option<BedId>,
    occupied: bool,
    online: bool,
    expected: bool,
    /// When it was heard or came last, ward time.
    heard: i64,
    /// Set after a restart: not missed before this.
    not_before: Option<i64>,
    /// Longest time between two of its messages, by the charter.
    period: i64,
    lost: Option<(BedId, TechnicalKind)>,
}

pub(super) fn scaled(micros: i64, speed: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds times a small factor")]
    let scaled = (micros as f64 * speed.max(1.0)) as i64;
    scaled
}

impl Equipment {
    /// It was there before the server restarted.
    pub(super) fn expect_again(&mut self, now: ServerTime) {
        self.expected = true;
        self.heard = now.micros();
        self.not_before = Some(now.micros());
    }

    pub(super) const fn is_expected(&self) -> bool {
        self.expected
    }

    pub(super) fn session(&mut self, online: bool, now: ServerTime) {
        self.online = online;
        if online {
            self.heard = self.heard.max(now.micros());
        }
    }

    /// A message came.
    pub(super) fn heard(&mut self, device: &DeviceId, now: ServerTime) -> Option<Said> {
        self.heard = self.heard.max(now.micros());
        self.online = true;
        self.not_before = None;
        self.expected |= self.occupied;
        self.found(device, now.micros())
    }

    fn found(&mut self, device: &DeviceId, at: i64) -> Option<Said> {
        let (bed, kind) = self.lost.take()?;
        Some(Said { bed, device: device.clone(), kind, lost: false, at })
    }

    /// What time alone makes of it.
    pub(super) fn look(&mut self, device: &DeviceId, now: ServerTime, speed: f64) -> Option<Said> {
        let now = now.micros();
        let due = self.bed.as_ref().filter(|_| self.occupied && self.expected);
        let Some(bed) = due else { return self.found(device, now) };
        if self.lost.is_some() {
            return None;
        }
        let patience = scaled(SILENT_AFTER_MICROS, speed).max(self.period.saturating_mul(2));
        let back_by = self.not_before.map(|start| start.saturating_add(scaled(BACK_WITHIN_MICROS, speed)));
        let kind = if !self.online && back_by.is_none_or(|by| now > by) {
            TechnicalKind::DeviceLost
        } else if self.online && now.saturating_sub(self.heard) > patience {
            TechnicalKind::LinkLost
        } else {
            return None;
        };
        self.lost = Some((bed.clone(), kind));
        Some(Said { bed: bed.clone(), device: device.clone(), kind, lost: true, at: now })
    }

    /// Where it stands now; what was lost elsewhere is not missed there any more.
    fn stands(&mut self, device: &DeviceId, bed: Option<&BedId>, occupied: bool, now: ServerTime) -> Option<Said> {
        let moved = self.bed.as_ref() != bed;
        let left = if moved { self.found(device, now.micros()) } else { None };
        if moved && self.bed.is_some() {
            self.expected = self.online;
        }
        self.bed = bed.cloned();
        self.occupied = occupied;
        // Whoever is laid beside a device that is on is watched by it.
        self.expected |= occupied && self.online;
        left
    }
}

impl super::Watching {
    /// Takes in where the devices stand and how often they speak.
    pub(super) fn stand(&mut self, plan: &Plan, rules: &Rules, now: ServerTime, speed: f64) {
        let mut said = Vec::new();
        let mut before = std::mem::take(&mut self.devices);
        let mut devices = BTreeMap::new();
        for device in &plan.devices {
            let mut equipment = before.remove(&device.id).unwrap_or_default();
            let occupied = device.bed.as_ref().is_some_and(|bed| self.lying.contains_key(bed));
            let model = rules.models.get(&device.model);
            let periods = model.into_iter().flat_map(|model| &model.streams).map(|stream| stream.period_micros);
            equipment.period = periods.min().unwrap_or(0);
            said.extend(equipment.stands(&device.id, device.bed.as_ref(), occupied, now));
            said.extend(equipment.look(&device.id, now, speed));
            devices.insert(device.id.clone(), equipment);
        }
        for (id, mut gone) in before {
            said.extend(gone.found(&id, now.micros()));
        }
        self.devices = devices;
        for said in said {
            self.equipment(said, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> ServerTime {
        ServerTime::from_micros(seconds * SECOND)
    }

    fn monitor() -> (DeviceId, Equipment) {
        let (id, mut equipment) = (DeviceId::new("mon-01").unwrap(), Equipment::default());
        let bed = BedId::new("bed-01").unwrap();
        equipment.session(true, at(0));
        assert_eq!(equipment.stands(&id, Some(&bed), true, at(0)), None);
        equipment.heard(&id, at(1));
        (id, equipment)
    }

    fn kinds(said: Option<Said>) -> Option<(TechnicalKind, bool)> {
        said.map(|said| (said.kind, said.lost))
    }

    #[test]
    fn a_silent_device_is_one_loss_that_ends_when_it_is_heard() {
        let (id, mut device) = monitor();
        assert_eq!(device.look(&id, at(3), 1.0), None);
        assert_eq!(kinds(device.look(&id, at(4), 1.0)), Some((TechnicalKind::LinkLost, true)));
        device.session(false, at(5));
        assert_eq!(device.look(&id, at(6), 1.0), None, "the same loss");
        device.session(true, at(7));
        assert_eq!(device.look(&id, at(7), 1.0), None, "a session says nothing yet");
        assert_eq!(kinds(device.heard(&id, at(8))), Some((TechnicalKind::LinkLost, false)));
        device.session(false, at(9));
        assert_eq!(kinds(device.look(&id, at(9), 1.0)), Some((TechnicalKind::DeviceLost, true)));
    }

    #[test]
    fn only_what_is_expected_at_an_occupied_bed_is_missed() {
        let (id, mut device) = monitor();
        let bed = BedId::new("bed-01").unwrap();
        device.session(false, at(2));
        assert_eq!(kinds(device.look(&id, at(2), 1.0)), Some((TechnicalKind::DeviceLost, true)));
        assert_eq!(device.stands(&id, Some(&bed), false, at(3)), None);
        assert_eq!(kinds(device.look(&id, at(3), 1.0)), Some((TechnicalKind::DeviceLost, false)), "nobody lies there");
        let mut never = Equipment::default();
        assert_eq!(never.stands(&id, Some(&bed), true, at(0)), None);
        assert_eq!(never.look(&id, at(100), 1.0), None, "it was never there");
    }

    #[test]
    fn after_a_restart_a_device_has_a_moment_to_come_back() {
        let (id, mut device) = (DeviceId::new("mon-01").unwrap(), Equipment::default());
        let bed = BedId::new("bed-01").unwrap();
        device.expect_again(at(10));
        assert_eq!(device.stands(&id, Some(&bed), true, at(10)), None);
        assert_eq!(device.look(&id, at(12), 1.0), None);
        assert_eq!(kinds(device.look(&id, at(14), 1.0)), Some((TechnicalKind::DeviceLost, true)));
    }

    #[test]
    fn ward_time_that_runs_faster_is_no_less_patient() {
        let (id, mut device) = monitor();
        assert_eq!(device.look(&id, at(40), 20.0), None);
        assert_eq!(kinds(device.look(&id, at(60), 20.0)), Some((TechnicalKind::LinkLost, true)));
    }
}
