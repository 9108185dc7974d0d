//! Counts failed enrolments in windows of time, per serial number and in all, and says when it is too many.
//!
//! Guessing a token of 140 bits is hopeless anyway; this keeps the noise, the log and the work small. Bounded: at most one entry per failure
//! counted in the window. What it costs: whoever knows a serial number can hold up its enrolment for a minute at a time.

use crate::leaf::sha256;
use crate::limits::{ATTEMPT_WINDOW_SECS, ATTEMPTS_MAX, ATTEMPTS_PER_SERIAL_MAX};
use rustls_pki_types::UnixTime;
use std::collections::HashMap;

/// Failures of the window that is running.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    window: u64,
    all: u32,
    /// By hash, so that a long serial number costs no memory.
    by_serial: HashMap<[u8; 32], u32>,
}

impl Throttle {
    /// Seconds until the next try, if there were too many failures.
    pub(super) fn wait_secs(&mut self, serial: &str, now: UnixTime) -> Option<u64> {
        self.turn(now);
        let of_serial = self.by_serial.get(&sha256(serial.as_bytes())).copied().unwrap_or(0);
        let full = self.all >= ATTEMPTS_MAX || of_serial >= ATTEMPTS_PER_SERIAL_MAX;
        full.then(|| ATTEMPT_WINDOW_SECS - now.as_secs() % ATTEMPT_WINDOW_SECS)
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, serial: &str, now: UnixTime) {
        self.turn(now);
        self.all = self.all.saturating_add(1);
        if self.all <= ATTEMPTS_MAX {
            *self.by_serial.entry(sha256(serial.as_bytes())).or_default() += 1;
        }
    }

    fn turn(&mut self, now: UnixTime) {
        let window = now.as_secs() / ATTEMPT_WINDOW_SECS;
        if window != self.window {
            *self = Self { window, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix;

    #[test]
    fn a_serial_waits_after_its_failures_and_the_window_ends() {
        let mut throttle = Throttle::default();
        for _ in 0..ATTEMPTS_PER_SERIAL_MAX {
            assert_eq!(throttle.wait_secs("a", unix(6010)), None);
            throttle.failed("a", unix(6010));
        }
        assert_eq!(throttle.wait_secs("a", unix(6015)), Some(45));
        assert_eq!(throttle.wait_secs("b", unix(6015)), None);
        assert_eq!(throttle.wait_secs("a", unix(6060)), None);
    }

    #[test]
    fn all_wait_after_very_many_failures_and_memory_stays_bounded() {
        let mut throttle = Throttle::default();
        for serial in 0..100_000 {
            throttle.failed(&serial.to_string(), unix(60));
        }
        assert_eq!(throttle.wait_secs("never seen", unix(61)), Some(59));
        assert!(throttle.by_serial.len() <= ATTEMPTS_MAX as usize);
    }
}
