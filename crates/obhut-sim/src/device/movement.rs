//! A sensor under the mattress: movement and presence, every ten seconds.

use super::{Device, Nameplate, Report, due_reports, numeric, skip};
use crate::world::course::Activity;
use crate::world::patient::Patient;
use crate::world::{Artefact, SECOND};
use obhut_model::{Code, DeviceTime, Quality};

const PERIOD: i64 = 10 * SECOND;

/// A bed movement sensor.
#[derive(Debug, Clone)]
pub struct MovementSensor {
    nameplate: Nameplate,
    patient: Patient,
    next: DeviceTime,
}

impl MovementSensor {
    /// A sensor in the bed of `patient`; a clone of the monitor's patient sees the same movements.
    #[must_use]
    pub fn new(nameplate: Nameplate, patient: Patient, start: DeviceTime) -> Self {
        Self { nameplate, patient, next: start.plus_micros(PERIOD) }
    }

    fn report(&mut self, due: DeviceTime) -> Report {
        self.patient.advance(due);
        let mut sum = 0.0;
        let mut present = false;
        for second in 1..=PERIOD / SECOND {
            let at = due.plus_micros(-second * SECOND);
            let Some((vitals, activity)) = self.patient.state(at) else { continue };
            let in_bed = activity != Activity::OutOfBed;
            present |= in_bed;
            if in_bed {
                sum += if self.patient.disturbed(Artefact::Motion, at) { 1.0 } else { vitals.movement };
            }
        }
        let share = 100.0 * sum / (PERIOD / SECOND) as f64;
        let occupied = Some(if present { 1.0 } else { 0.0 });
        let numerics = vec![
            numeric(Code::BED_MOVEMENT, due, Some(share.min(100.0)), 0, Quality::GOOD),
            numeric(Code::BED_OCCUPIED, due, occupied, 0, Quality::GOOD),
        ];
        Report { due, numerics, waves: Vec::new() }
    }
}

impl Device for MovementSensor {
    fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    fn next_due(&self) -> DeviceTime {
        self.next
    }

    fn produce(&mut self, now: DeviceTime) -> Vec<Report> {
        let mut next = self.next;
        let reports = due_reports(&mut next, PERIOD, now, |due| self.report(due));
        self.next = next;
        reports
    }

    fn skip_to(&mut self, now: DeviceTime) {
        self.next = skip(self.next, PERIOD, now);
        self.patient.advance(self.next.plus_micros(-PERIOD));
    }
}
