//! Ward time: the machine's clock, or for a demonstration one that runs faster from a given start.

use obhut_gateway::Clock;
use obhut_model::ServerTime;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Now by the machine's clock, in microseconds since 1970; zero if the clock stands before that.
#[must_use]
pub fn machine_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The clock of a ward.
#[derive(Debug, Clone, Copy)]
pub enum WardClock {
    /// The machine's.
    Machine,
    /// Began at `start` when `origin` was now, and runs `speed` times as fast.
    Scaled {
        /// Ward time at `origin`, microseconds.
        start: i64,
        /// A real instant.
        origin: Instant,
        /// Seconds of ward time in one real second.
        speed: f64,
    },
}

impl WardClock {
    /// A clock at `speed`; the machine's own when that is one and ward time never ran ahead of it.
    #[must_use]
    pub fn at_speed(speed: f64, not_before: i64) -> Self {
        let now = machine_now();
        if (speed - 1.0).abs() < f64::EPSILON && not_before <= now {
            return Self::Machine;
        }
        Self::Scaled { start: now.max(not_before), origin: Instant::now(), speed }
    }
}

impl Clock for WardClock {
    fn now(&self) -> ServerTime {
        match self {
            Self::Machine => ServerTime::from_micros(machine_now()),
            Self::Scaled { start, origin, speed } => {
                #[expect(clippy::cast_possible_truncation, reason = "a demonstration does not run for 100,000 years")]
                let passed = (origin.elapsed().as_secs_f64() * speed * 1e6) as i64;
                ServerTime::from_micros(start.saturating_add(passed))
            }
        }
    }
}
