//! A syringe pump: a rate, a syringe that empties, somebody who changes it.

use crate::rng::Rng;
use obhut_model::DeviceTime;

/// What the pump shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Infusion {
    /// Running rate, mL/h; 0 while stopped.
    pub rate: f64,
    /// Volume to be infused from this syringe, mL.
    pub volume: f64,
    /// Volume left, mL.
    pub left: f64,
    /// Time left at this rate, seconds; `None` while stopped.
    pub seconds_left: Option<f64>,
}

/// A pump.
#[derive(Debug, Clone)]
pub struct Pump {
    rng: Rng,
    at: DeviceTime,
    rate: f64,
    left: f64,
    /// Seconds until somebody changes the syringe, once it is empty.
    empty_for: f64,
    /// Seconds until the rate is changed.
    change_in: f64,
}

const SYRINGE: f64 = 50.0;
/// Longest step, so that asking after hours costs little and an empty syringe is still noticed.
const STEP: f64 = 10.0;

impl Pump {
    /// A pump whose syringe is partly used at `start`.
    #[must_use]
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let mut rng = Rng::new(seed).fork("pump");
        let rate = tenth(rng.between(1.5, 12.0));
        let left = rng.between(8.0, SYRINGE);
        let change_in = rng.exponential(1800.0);
        Self { rng, at: start, rate, left, empty_for: 0.0, change_in }
    }

    /// Lets time pass to `to`.
    pub fn advance(&mut self, to: DeviceTime) {
        let mut seconds = to.since(self.at) as f64 / 1e6;
        while seconds > 0.0 {
            self.step(seconds.min(STEP));
            seconds -= STEP;
        }
        self.at = self.at.max(to);
    }

    fn step(&mut self, seconds: f64) {
        if self.left <= 0.0 {
            self.empty_for -= seconds;
            if self.empty_for <= 0.0 {
                self.left = SYRINGE;
            }
            return;
        }
        self.left -= self.rate * seconds / 3600.0;
        if self.left <= 0.0 {
            self.left = 0.0;
            self.empty_for = self.rng.between(60.0, 300.0);
        }
        self.change_in -= seconds;
        if self.change_in <= 0.0 {
            self.rate = tenth((self.rate * self.rng.between(0.75, 1.3)).clamp(0.5, 25.0));
            self.change_in = self.rng.exponential(1800.0);
        }
    }

    /// What it shows now.
    #[must_use]
    pub fn infusion(&self) -> Infusion {
        let running = self.left > 0.0;
        let rate = if running { self.rate } else { 0.0 };
        Infusion {
            rate,
            volume: SYRINGE,
            left: self.left,
            seconds_left: running.then(|| self.left / self.rate * 3600.0),
        }
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syringe_empties_and_is_changed() {
        let mut pump = Pump::new(3, DeviceTime::from_micros(0));
        let (mut empty, mut before) = (0, pump.infusion().left);
        for minute in 1..3000 {
            pump.advance(DeviceTime::from_micros(minute * 60_000_000));
            let now = pump.infusion();
            assert!((0.0..=SYRINGE).contains(&now.left) && (now.left <= before || before < 0.5));
            assert_eq!(now.rate == 0.0, now.seconds_left.is_none());
            empty += i32::from(now.left == 0.0);
            before = now.left;
        }
        assert!(empty > 3, "{empty}");
    }
}
