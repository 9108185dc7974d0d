//! Clocks. Deadlines run on a monotonic clock; readings are stamped by a clock that is anchored to the wall once and then runs monotonically.

use crate::limits::CLOCK_JUMP_MICROS;
use obhut_model::{DeviceTime, Quality};
use obhut_wire::Clock;
use std::time::{Duration, Instant, SystemTime};

/// Time since the agent started, for deadlines only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// This instant moved on.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What the device measures time with. The demonstration replaces it by a faster one.
pub trait ReadingClock: Send + Sync + 'static {
    /// Microseconds on a clock that never jumps and runs as fast as [`ReadingClock::wall_micros`].
    fn steady_micros(&self) -> i64;
    /// Microseconds since 1970 by the clock that may be set while the device runs.
    fn wall_micros(&self) -> i64;
    /// What is known about the wall clock.
    fn state(&self) -> Clock;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

/// No device was made before this (2024-01-01); an earlier wall clock was never set.
const SET_AFTER_MICROS: i64 = 1_704_067_200_000_000;

impl ReadingClock for SystemClock {
    fn steady_micros(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn wall_micros(&self) -> i64 {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|d| i64::try_from(d.as_micros()).ok())
            .unwrap_or(0)
    }

    fn state(&self) -> Clock {
        if self.wall_micros() < SET_AFTER_MICROS {
            Clock::Unset
        } else if std::path::Path::new("/run/systemd/timesync/synchronized").exists() {
            Clock::Synchronised
        } else {
            Clock::FreeRunning
        }
    }
}

/// Stamps readings: wall time at the anchor plus steady time since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    wall: i64,
    steady: i64,
    jumped: bool,
    jumps: u64,
}

/// A time to stamp a reading with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: DeviceTime,
    /// What the frame's header says.
    pub clock: Clock,
    /// What every reading stamped so carries.
    pub quality: Quality,
}

impl Anchor {
    /// Anchors at `wall` and `steady`, in microseconds.
    #[must_use]
    pub const fn new(wall: i64, steady: i64) -> Self {
        Self { wall, steady, jumped: false, jumps: 0 }
    }

    /// How often the wall clock was seen to jump.
    #[must_use]
    pub const fn jumps(&self) -> u64 {
        self.jumps
    }

    /// The stamp for now. Moves the anchor when the wall clock has been set, and remembers it until the clock is synchronised again.
    pub fn stamp(&mut self, wall: i64, steady: i64, state: Clock) -> Stamp {
        let mut at = self.wall.saturating_add(steady.saturating_sub(self.steady));
        let departure = wall.saturating_sub(at);
        if departure.saturating_abs() > CLOCK_JUMP_MICROS {
            *self = Self { wall, steady, jumped: true, jumps: self.jumps + 1 };
            at = wall;
        } else if state == Clock::Synchronised {
            // Follows the disciplined clock by a thousandth of the difference, so that drift does not add up to a jump.
            self.jumped = false;
            *self = Self { jumps: self.jumps, ..Self::new(at.saturating_add(departure / 1_000), steady) };
        }
        let clock = if self.jumped && state == Clock::Synchronised { Clock::FreeRunning } else { state };
        let quality = if self.jumped || state == Clock::Unset { Quality::CLOCK_SUSPECT } else { Quality::GOOD };
        Stamp { at: DeviceTime::from_micros(at.max(0)), clock, quality }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: i64 = 1_764_000_000_000_000;

    #[test]
    fn a_set_wall_clock_is_flagged_until_the_time_service_has_it_again() {
        let mut anchor = Anchor::new(WALL, 0);
        let stamp = anchor.stamp(WALL + 1_000_000, 1_000_000, Clock::Synchronised);
        assert_eq!(
            (stamp.at.micros(), stamp.clock, stamp.quality),
            (WALL + 1_000_000, Clock::Synchronised, Quality::GOOD)
        );

        let stamp = anchor.stamp(WALL - 3_600_000_000, 2_000_000, Clock::FreeRunning);
        assert_eq!(stamp.at.micros(), WALL - 3_600_000_000);
        assert_eq!((stamp.clock, stamp.quality), (Clock::FreeRunning, Quality::CLOCK_SUSPECT));
        let stamp = anchor.stamp(WALL - 3_599_000_000, 3_000_000, Clock::FreeRunning);
        assert_eq!(stamp.quality, Quality::CLOCK_SUSPECT, "still unknown whether the new time is right");

        let stamp = anchor.stamp(WALL + 4_000_000, 4_000_000, Clock::Synchronised);
        assert_eq!(
            (stamp.clock, stamp.quality),
            (Clock::FreeRunning, Quality::CLOCK_SUSPECT),
            "the jump back is one, too"
        );
        let stamp = anchor.stamp(WALL + 5_000_000, 5_000_000, Clock::Synchronised);
        assert_eq!(
            (stamp.at.micros(), stamp.clock, stamp.quality),
            (WALL + 5_000_000, Clock::Synchronised, Quality::GOOD)
        );
    }

    #[test]
    fn small_steps_of_the_wall_clock_do_not_move_readings() {
        let mut anchor = Anchor::new(WALL, 0);
        for second in 1..=100 {
            let wobble = if second % 2 == 0 { 400_000 } else { -400_000 };
            let stamp = anchor.stamp(WALL + second * 1_000_000 + wobble, second * 1_000_000, Clock::FreeRunning);
            assert_eq!((stamp.at.micros(), stamp.quality), (WALL + second * 1_000_000, Quality::GOOD));
        }
    }

    #[test]
    fn drift_is_followed_slowly() {
        let mut anchor = Anchor::new(WALL, 0);
        let mut last = WALL;
        for second in 1..=100_000i64 {
            let wall = WALL + second * 1_000_050;
            let stamp = anchor.stamp(wall, second * 1_000_000, Clock::Synchronised);
            assert!(stamp.quality == Quality::GOOD && stamp.at.micros() > last, "{second}");
            last = stamp.at.micros();
        }
    }

    #[test]
    fn a_clock_never_set_says_so() {
        let stamp = Anchor::new(5, 0).stamp(1_000_005, 1_000_000, Clock::Unset);
        assert_eq!((stamp.clock, stamp.quality), (Clock::Unset, Quality::CLOCK_SUSPECT));
    }
}
