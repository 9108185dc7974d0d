//! The pump as a device: what it infuses, every five seconds.

use super::{Device, Nameplate, Report, due_reports, numeric, skip};
use crate::world::pump::Pump;
use obhut_model::{Code, DeviceTime, Quality};

const PERIOD: i64 = 5_000_000;

/// An infusion pump.
#[derive(Debug, Clone)]
pub struct PumpDevice {
    nameplate: Nameplate,
    pump: Pump,
    next: DeviceTime,
}

impl PumpDevice {
    /// A pump that runs from `start` on.
    #[must_use]
    pub fn new(nameplate: Nameplate, seed: u64, start: DeviceTime) -> Self {
        Self { nameplate, pump: Pump::new(seed, start), next: start.plus_micros(PERIOD) }
    }

    fn report(&mut self, due: DeviceTime) -> Report {
        self.pump.advance(due);
        let now = self.pump.infusion();
        let numerics = vec![
            numeric(Code::FLOW_FLUID_PUMP, due, Some(now.rate), 1, Quality::GOOD),
            numeric(Code::VOL_FLUID_TBI_REMAIN, due, Some(now.left), 1, Quality::GOOD),
            numeric(Code::VOL_FLUID_TBI, due, Some(now.volume), 1, Quality::GOOD),
            numeric(Code::TIME_PD_REMAIN, due, now.seconds_left, 0, Quality::GOOD),
        ];
        Report { due, numerics, waves: Vec::new() }
    }
}

impl Device for PumpDevice {
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
    }
}
