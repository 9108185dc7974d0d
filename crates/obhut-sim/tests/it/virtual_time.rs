//! The harness finds what it is made to find: a door that acknowledges before it is safe, and only that one.

use crate::{START, at, nameplate};
use obhut_model::{DeviceId, ServerTime};
use obhut_sim::device::{Monitor, PumpDevice, Setup};
use obhut_sim::faults::{ClockPlan, Outage, Plan};
use obhut_sim::rng::Rng;
use obhut_sim::simtest::{Answer, Door, Harness, Ticket, for_seeds};
use obhut_sim::world::{Course, Patient, Person};
use std::collections::BTreeMap;

/// Keeps payloads in memory and flushes every 20 ms; a crash loses what is not flushed.
struct Shelf {
    durable: BTreeMap<(DeviceId, Ticket), Vec<u8>>,
    pending: BTreeMap<(DeviceId, Ticket), Vec<u8>>,
    answers: Vec<(DeviceId, Ticket, Answer)>,
    flush_at: Option<i64>,
    hasty: bool,
    duplicates: u64,
}

impl Shelf {
    fn new(hasty: bool) -> Self {
        Self {
            durable: BTreeMap::new(),
            pending: BTreeMap::new(),
            answers: Vec::new(),
            flush_at: None,
            hasty,
            duplicates: 0,
        }
    }
}

impl Door for Shelf {
    fn connected(&mut self, _now: ServerTime, device: &DeviceId) {
        // Answers to the connection before have nobody to go to.
        self.answers.retain(|(other, ..)| other != device);
    }

    fn arrive(&mut self, now: ServerTime, device: &DeviceId, ticket: Ticket, payload: &[u8]) {
        let key = (device.clone(), ticket);
        if let Some(known) = self.durable.get(&key) {
            assert_eq!(known, payload, "the same number with other contents");
            self.duplicates += 1;
            self.answers.push((key.0, key.1, Answer::Acknowledged));
            return;
        }
        if self.hasty {
            self.answers.push((key.0.clone(), key.1, Answer::Acknowledged));
        }
        self.pending.insert(key, payload.to_vec());
        self.flush_at.get_or_insert(now.micros() + 20_000);
    }

    fn answers(&mut self, _now: ServerTime) -> Vec<(DeviceId, Ticket, Answer)> {
        std::mem::take(&mut self.answers)
    }

    fn next_due(&self) -> Option<ServerTime> {
        self.flush_at.map(ServerTime::from_micros)
    }

    fn tick(&mut self, now: ServerTime) {
        if self.flush_at.is_some_and(|due| due <= now.micros()) {
            self.flush_at = None;
            for (key, payload) in std::mem::take(&mut self.pending) {
                if !self.hasty {
                    self.answers.push((key.0.clone(), key.1, Answer::Acknowledged));
                }
                self.durable.insert(key, payload);
            }
        }
    }

    fn crash(&mut self, _now: ServerTime, _rng: &mut Rng) {
        self.pending.clear();
        self.answers.clear();
        self.flush_at = None;
    }
}

/// Runs three minutes of a bad day; what was acknowledged but is not there, and the run itself.
fn bad_day(seed: u64, hasty: bool) -> (usize, Harness<Shelf>) {
    let mut rng = Rng::new(seed).fork("plans");
    let mut harness = Harness::new(seed, ServerTime::from_micros(START), Shelf::new(hasty));
    let patient = Patient::new(seed, Person::draw(&mut rng), Course::Everyday, at(0));
    let plan = Plan { clock: ClockPlan::draw(&mut rng), ..Plan::draw(&mut rng) };
    harness.add(Box::new(Monitor::new(nameplate("mon-01"), patient, Setup::default(), at(0))), plan);
    harness.add(Box::new(PumpDevice::new(nameplate("pump-01"), seed, at(0))), Plan::draw(&mut rng));
    harness.crash_every(Outage { mean_between: 15_000_000, length: (0, 0) });
    harness.run(ServerTime::from_micros(START + 180_000_000));
    let settled = harness.drain(600_000_000);
    assert!(settled, "everything is delivered once nothing goes wrong any more");
    let door = &harness.door;
    let lost = harness.settled().iter().filter(|one| {
        one.answer == Answer::Acknowledged && door.durable.get(&(one.device.clone(), one.ticket)) != Some(&one.payload)
    });
    (lost.count(), harness)
}

#[test]
fn a_careful_door_loses_nothing() {
    for_seeds("a_careful_door_loses_nothing", 20, |seed| {
        let (lost, harness) = bad_day(seed, false);
        assert_eq!(lost, 0);
        assert!(harness.settled().len() > 200);
    });
}

#[test]
fn a_hasty_door_is_caught() {
    let lost: usize = (0..10).map(|seed| bad_day(seed, true).0).sum();
    assert!(lost > 0);
}

#[test]
fn a_seed_repeats_itself() {
    let (first, second) = (bad_day(11, false).1, bad_day(11, false).1);
    assert_eq!(first.settled(), second.settled());
    assert_eq!((first.crashes(), first.door.duplicates), (second.crashes(), second.door.duplicates));
    assert!(first.crashes() > 2);
}
