//! The loop: whatever is due first happens first, ties in a fixed order.

use super::{Answer, Courier, Door, Parcel, Ticket};
use crate::device::Device;
use crate::faults::{DeviceClock, Link, Outage, Plan, Switch};
use crate::rng::Rng;
use obhut_model::{DeviceId, DeviceTime, ServerTime};
use obhut_wire::frame::{Clock, Header};

/// A payload that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Who sent it.
    pub device: DeviceId,
    /// Its number.
    pub ticket: Ticket,
    /// What the device was told.
    pub answer: Answer,
    /// The frame.
    pub payload: Vec<u8>,
}

struct Unit {
    device: Box<dyn Device>,
    run: u32,
    courier: Courier,
    up: Link<Parcel>,
    down: Link<(Ticket, Answer)>,
    link: Switch,
    power: Switch,
    clock: DeviceClock,
    makes: bool,
    /// The connection is yet to be opened, or was lost.
    is_fresh: bool,
}

/// Devices, links and a door under virtual time.
pub struct Harness<D> {
    /// The far end.
    pub door: D,
    now: i64,
    rng: Rng,
    units: Vec<Unit>,
    crash: Option<(i64, f64)>,
    crashes: u64,
    settled: Vec<Delivered>,
}

impl<D: Door> Harness<D> {
    /// Nobody there yet.
    #[must_use]
    pub fn new(seed: u64, start: ServerTime, door: D) -> Self {
        Self {
            door,
            now: start.micros(),
            rng: Rng::new(seed),
            units: Vec::new(),
            crash: None,
            crashes: 0,
            settled: Vec::new(),
        }
    }

    /// Adds a device behind a link with these faults.
    pub fn add(&mut self, device: Box<dyn Device>, plan: Plan) {
        let rng = self.rng.fork(device.nameplate().id.as_str());
        self.units.push(Unit {
            run: rng.fork("run").bits() as u32,
            courier: Courier::default(),
            up: Link::new(plan, rng.fork("up")),
            down: Link::new(plan, rng.fork("down")),
            link: Switch::new(plan.disconnect, rng.fork("link"), self.now),
            power: Switch::new(plan.power_loss, rng.fork("power"), self.now),
            clock: DeviceClock::new(plan.clock, rng.fork("clock"), self.now),
            device,
            makes: true,
            is_fresh: true,
        });
    }

    /// Lets the door crash now and then.
    pub fn crash_every(&mut self, outage: Outage) {
        let mean = outage.mean_between as f64;
        self.crash = Some((self.now.saturating_add(self.rng.exponential(mean) as i64), mean));
    }

    /// What has been settled, in order.
    #[must_use]
    pub fn settled(&self) -> &[Delivered] {
        &self.settled
    }

    /// How often the door has crashed.
    #[must_use]
    pub fn crashes(&self) -> u64 {
        self.crashes
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> ServerTime {
        ServerTime::from_micros(self.now)
    }

    /// Lets everything happen that is due by `until`.
    pub fn run(&mut self, until: ServerTime) {
        loop {
            let due = self.next_due();
            if due > until.micros() {
                break;
            }
            self.now = self.now.max(due);
            self.step();
        }
        self.now = self.now.max(until.micros());
    }

    /// The faults end, no device says anything new, and what is still kept is delivered: everything settled within `patience` microseconds?
    pub fn drain(&mut self, patience: i64) -> bool {
        self.crash = None;
        for unit in &mut self.units {
            unit.makes = false;
            unit.is_fresh |= !unit.is_connected();
            unit.link.mend();
            unit.power.mend();
            unit.up.mend();
            unit.down.mend();
        }
        let end = self.now.saturating_add(patience);
        while self.units.iter().any(|unit| unit.courier.waiting() > 0) {
            let due = self.next_due();
            if due > end {
                return false;
            }
            self.now = self.now.max(due);
            self.step();
        }
        true
    }

    fn next_due(&self) -> i64 {
        let units = self.units.iter().map(Unit::next_due).min().unwrap_or(i64::MAX);
        let door = self.door.next_due().map_or(i64::MAX, ServerTime::micros);
        units.min(door).min(self.crash.map_or(i64::MAX, |(at, _)| at))
    }

    fn step(&mut self) {
        let now = self.now;
        if let Some((at, mean)) = self.crash
            && at <= now
        {
            self.crash = Some((now.saturating_add(self.rng.exponential(mean) as i64 + 1), mean));
            self.crashes += 1;
            self.door.crash(ServerTime::from_micros(now), &mut self.rng);
            for unit in &mut self.units {
                unit.up.cut();
                unit.down.cut();
                unit.is_fresh = true;
            }
        }
        for unit in &mut self.units {
            unit.step(now, &mut self.door, &mut self.settled);
        }
        self.door.tick(ServerTime::from_micros(now));
        for (device, ticket, answer) in self.door.answers(ServerTime::from_micros(now)) {
            let unit = self.units.iter_mut().find(|unit| unit.device.nameplate().id == device);
            if let Some(unit) = unit.filter(|unit| unit.is_connected() && !unit.is_fresh) {
                unit.down.send(now, (ticket, answer));
            }
        }
    }
}

impl Unit {
    fn is_connected(&self) -> bool {
        self.link.is_on() && self.power.is_on()
    }

    fn next_due(&self) -> i64 {
        let mut due = self.link.next_due().min(self.power.next_due());
        if self.is_fresh && self.is_connected() {
            return i64::MIN;
        }
        if self.makes && self.power.is_on() {
            due = due.min(self.device.next_due().micros());
        }
        if self.is_connected() {
            due = due.min(self.courier.next_due()).min(self.up.next_due()).min(self.down.next_due());
        }
        due
    }

    fn step(&mut self, now: i64, door: &mut impl Door, settled: &mut Vec<Delivered>) {
        let link_changed = self.link.advance(now);
        let power_changed = self.power.advance(now);
        if link_changed || power_changed {
            self.up.cut();
            self.down.cut();
            self.is_fresh = true;
        }
        if power_changed && self.power.is_on() {
            self.device.skip_to(DeviceTime::from_micros(now));
        }
        if self.makes && self.power.is_on() {
            self.make(now);
        }
        if !self.is_connected() {
            return;
        }
        if std::mem::take(&mut self.is_fresh) {
            door.connected(ServerTime::from_micros(now), &self.device.nameplate().id);
            self.courier.reconnected(now);
        }
        for parcel in self.courier.send(now) {
            self.up.send(now, parcel);
        }
        while let Some(parcel) = self.up.receive(now) {
            door.arrive(ServerTime::from_micros(now), &self.device.nameplate().id, parcel.ticket, &parcel.payload);
        }
        while let Some((ticket, answer)) = self.down.receive(now) {
            if let Some(payload) = self.courier.answered(now, ticket, answer) {
                let device = self.device.nameplate().id.clone();
                settled.push(Delivered { device, ticket, answer, payload });
            }
        }
    }

    fn make(&mut self, now: i64) {
        for mut report in self.device.produce(DeviceTime::from_micros(now)) {
            report.shift(self.clock.error_at(now));
            let header = Header {
                run: self.run,
                number: self.courier.next_number(),
                base: report.base(),
                clock: Clock::Synchronised,
            };
            let mut payload = Vec::new();
            // A report beyond the frame's limits is a fault of the simulated device: the tests would see that it is missing.
            if obhut_wire::encode(&header, &report.numerics, &report.raw_waves(), &mut payload).is_ok() {
                self.courier.post(now, payload);
            }
        }
    }
}
