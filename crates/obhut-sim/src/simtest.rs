//! Virtual time: devices, faulty links and a door, driven from one seed without a clock or a socket.
//!
//! A test implements [`Door`] with the cores it wants to try (admission, store) and lets a [`Harness`] run. Time is a number; a day passes in as long as
//! it takes to compute. [`for_seeds`] tries many seeds and names the one that failed; `OBHUT_SIM_SEED=<n>` runs that one alone.

mod courier;
mod harness;

pub use courier::{Courier, Parcel};
pub use harness::{Delivered, Harness};

use crate::rng::Rng;
use obhut_model::{DeviceId, ServerTime};

/// What becomes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Durable: the device may forget it.
    Acknowledged,
    /// Will never be taken: the device may forget it.
    Refused,
    /// Not now: the device keeps it and tries again.
    Later,
}

/// Names one payload of one device between device and door; counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The far end: whatever takes payloads and answers.
pub trait Door {
    /// A device opens a new connection; what it had under way on the old one is gone.
    fn connected(&mut self, now: ServerTime, device: &DeviceId);

    /// A payload arrives.
    fn arrive(&mut self, now: ServerTime, device: &DeviceId, ticket: Ticket, payload: &[u8]);

    /// Answers that have become due since the last call.
    fn answers(&mut self, now: ServerTime) -> Vec<(DeviceId, Ticket, Answer)>;

    /// When it wants to be called again even if nothing arrives: a flush, a rotation.
    fn next_due(&self) -> Option<ServerTime>;

    /// Does what is due.
    fn tick(&mut self, now: ServerTime);

    /// Power fails: everything that is not durable is gone, payloads under way included. Comes back before this returns.
    fn crash(&mut self, now: ServerTime, rng: &mut Rng);
}

/// Environment variable that picks one seed.
pub const SEED_VARIABLE: &str = "OBHUT_SIM_SEED";

/// Runs `test` with `count` seeds, or with the one in `OBHUT_SIM_SEED`. If it panics, the seed is printed with how to repeat it.
pub fn for_seeds(name: &str, count: u64, test: impl Fn(u64)) {
    let chosen = std::env::var(SEED_VARIABLE).ok().and_then(|text| text.parse().ok());
    let seeds = chosen.map_or(0..count, |seed: u64| seed..seed.saturating_add(1));
    for seed in seeds {
        let _guard = SeedGuard { name, seed };
        test(seed);
    }
}

struct SeedGuard<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for SeedGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: failed with seed {1}; repeat it with {SEED_VARIABLE}={1}", self.name, self.seed);
        }
    }
}
