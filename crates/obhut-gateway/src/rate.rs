//! How fast is too fast: by arrival for messages, by the time of measurement for values.
//!
//! Both are the generic cell rate algorithm (ITU-T I.371, annex A): one number, the time at which the next is due. Values are judged by when
//! they were measured, so that a backlog may be sent fast and a demonstration may run fast; decision 0073.

/// Messages by arrival: on average `per_second`, over any ten seconds.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    period_nanos: i64,
    due_nanos: i64,
}

const BURST_NANOS: i64 = 10_000_000_000;

impl Arrivals {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { period_nanos: 1_000_000_000 / i64::from(per_second.max(1)), due_nanos: i64::MIN }
    }

    /// Changes the rate, keeping what has been counted.
    pub(crate) fn set(&mut self, per_second: u32) {
        self.period_nanos = Self::new(per_second).period_nanos;
    }

    /// Counts one at `now_micros`; false if it is too many, and then it is not counted.
    pub(crate) fn take(&mut self, now_micros: i64) -> bool {
        let now = now_micros.saturating_mul(1_000);
        if self.due_nanos > now.saturating_add(BURST_NANOS) {
            // A clock set back by more than the burst must not shut a device out: begin anew.
            if self.due_nanos > now.saturating_add(3 * BURST_NANOS) {
                self.due_nanos = now;
            } else {
                return false;
            }
        }
        self.due_nanos = self.due_nanos.max(now).saturating_add(self.period_nanos);
        true
    }
}

/// A device's crystal may be this much faster than it says, in per cent.
const CRYSTAL_PERCENT: u64 = 2;
/// A later value may begin a new run of older ones this often, after [`RESTARTS_BURST`] for free.
const RESTART_EVERY_MICROS: i64 = 10_000_000;
const RESTARTS_BURST: i64 = 16;

#[derive(Debug, Clone, Copy)]
struct Front {
    last: i64,
    due_nanos: i64,
    doubled: bool,
}

impl Front {
    const NONE: Self = Self { last: i64::MIN, due_nanos: i64::MIN, doubled: false };
}

/// Values of one code by the time of measurement. Two fronts move forward: the newest values, and a backlog behind them.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    period_nanos: i64,
    tolerance_nanos: i64,
    newest: Front,
    backlog: Front,
    restart_due: i64,
}

impl Measured {
    /// At most `microhertz` values or samples a second. `is_wave`: blocks of samples may overlap by a quarter second of jitter.
    pub(crate) fn new(microhertz: u32, is_wave: bool) -> Self {
        let period = 1_000_000_000_000_000 * 100 / (u64::from(microhertz.max(1)) * (100 + CRYSTAL_PERCENT));
        let period_nanos = i64::try_from(period).unwrap_or(i64::MAX);
        let tolerance_nanos = if is_wave { 250_000_000 } else { (period_nanos / 2).saturating_add(10_000_000) };
        Self { period_nanos, tolerance_nanos, newest: Front::NONE, backlog: Front::NONE, restart_due: i64::MIN }
    }

    /// Keeps what has been counted under a changed rule.
    pub(crate) fn adopt(&mut self, old: &Self) {
        (self.newest, self.backlog, self.restart_due) = (old.newest, old.backlog, old.restart_due);
    }

    /// Counts `count` values measured from `at` on; false if that is too fast, and then they are not counted. `now` is the arrival.
    pub(crate) fn take(&mut self, at: i64, count: u32, now: i64) -> bool {
        let (period, tolerance) = (self.period_nanos, self.tolerance_nanos);
        if at >= self.newest.last {
            return advance(&mut self.newest, at, count, period, tolerance);
        }
        if at < self.backlog.last {
            // A new run of older values: after a lost link, or a device that jumps back to pass more than it may.
            if self.restart_due > now.saturating_add(RESTARTS_BURST * RESTART_EVERY_MICROS) {
                return false;
            }
            self.restart_due = self.restart_due.max(now).saturating_add(RESTART_EVERY_MICROS);
            self.backlog = Front::NONE;
        }
        advance(&mut self.backlog, at, count, period, tolerance)
    }
}

fn advance(front: &mut Front, at: i64, count: u32, period: i64, tolerance: i64) -> bool {
    if at == front.last && !front.doubled {
        // The same measurement once more, sent again because its acknowledgement was lost: not counted, once.
        front.doubled = true;
        return true;
    }
    let nanos = at.saturating_mul(1_000);
    if front.due_nanos > nanos.saturating_add(tolerance) {
        return false;
    }
    front.doubled &= at == front.last;
    front.last = at;
    front.due_nanos = front.due_nanos.max(nanos).saturating_add(period.saturating_mul(i64::from(count)));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn arrivals_average_over_ten_seconds() {
        let mut bucket = Arrivals::new(10);
        let burst = (0..1_000).filter(|_| bucket.take(SECOND)).count();
        assert!((100..=102).contains(&burst), "{burst}");
        let later = (0..1_000).filter(|_| bucket.take(6 * SECOND)).count();
        assert!((49..=51).contains(&later), "{later}");
        assert!(bucket.take(-1_000 * SECOND), "a clock set back does not shut the device out");
    }

    #[test]
    fn a_value_a_second_with_jitter_passes_and_two_do_not() {
        let mut rate = Measured::new(1_000_000, false);
        for second in 0..10_000 {
            let jitter = [0, 90_000, -200_000, 150_000][usize::try_from(second % 4).unwrap()];
            assert!(rate.take(1_000 * SECOND + second * SECOND + jitter, 1, 0), "second {second}");
        }
        let mut rate = Measured::new(1_000_000, false);
        let passed = (0..1_000).filter(|half| rate.take(half * SECOND / 2, 1, 0)).count();
        assert!(passed <= 515, "{passed}");
    }

    #[test]
    fn a_backlog_behind_live_values_passes_at_its_own_pace() {
        let mut rate = Measured::new(1_000_000, false);
        for second in 0..600 {
            assert!(rate.take((10_000 + second) * SECOND, 1, 0));
            assert!(rate.take(second * SECOND, 1, 0), "late {second}");
        }
    }

    #[test]
    fn jumping_back_gains_little() {
        let mut rate = Measured::new(1_000_000, false);
        assert!(rate.take(10_000 * SECOND, 1, 0));
        let passed = (0..10_000).filter(|n| rate.take((9_000 - n) * SECOND, 1, 0)).count();
        assert!(passed <= 20, "{passed}");
    }

    #[test]
    fn the_same_measurement_twice_counts_once() {
        let mut rate = Measured::new(1_000_000, false);
        let passed = (0..10).filter(|_| rate.take(SECOND, 1, 0)).count();
        assert_eq!(passed, 2);
    }

    #[test]
    fn blocks_of_samples_follow_each_other() {
        let mut rate = Measured::new(250_000_000, true);
        for block in 0..3_600 {
            // The crystal is 1 % fast.
            assert!(rate.take(block * 990_000, 250, 0), "block {block}");
        }
        let mut rate = Measured::new(250_000_000, true);
        let passed = (0..1_000).filter(|block| rate.take(block * 500_000, 250, 0)).count();
        assert!(passed <= 520, "{passed}");
    }
}
