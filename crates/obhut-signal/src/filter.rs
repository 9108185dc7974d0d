//! Filters in whole numbers: sums over moving windows. Exact, so they neither drift nor depend on how a curve was cut into blocks, and no
//! "not a number" exists in them.

use crate::ring::Ring;
use obhut_model::SampleRate;

/// ECG values are clamped here before they are filtered, so that no sum of a few thousand squares overflows: 33 V.
pub(crate) const SQUARED_MAX: i64 = 1 << 27;

/// Other values are clamped here: nothing of them is squared.
pub(crate) const VALUE_MAX: i64 = 1 << 42;

/// How many samples `ms` milliseconds are, at least one.
pub(crate) fn samples_in(rate: SampleRate, ms: u32) -> usize {
    let micro = u64::from(rate.microhertz()).saturating_mul(u64::from(ms));
    usize::try_from(micro.saturating_add(500_000_000) / 1_000_000_000).unwrap_or(1).max(1)
}

/// A physical value in whole steps of `1 / per_unit`; what is not finite is zero.
pub(crate) fn fixed(value: f64, per_unit: f64, max: i64) -> i64 {
    let max = max as f64;
    // A cast from a float saturates, and makes zero of "not a number".
    (value * per_unit).round().clamp(-max, max) as i64
}

/// The sum of the last `len` values.
#[derive(Debug, Clone)]
pub(crate) struct MovingSum {
    items: Ring<i64>,
    len: usize,
    sum: i64,
}

impl MovingSum {
    pub(crate) fn new(len: usize) -> Self {
        let mut new = Self { items: Ring::new(len), len: len.max(1), sum: 0 };
        new.restart(0);
        new
    }

    /// As if it had been `value` for ever, so that a curve begins without a step.
    pub(crate) fn restart(&mut self, value: i64) {
        self.items.clear();
        for _ in 0..self.len {
            self.items.push(value);
        }
        self.sum = value.saturating_mul(self.len as i64);
    }

    pub(crate) fn push(&mut self, value: i64) -> i64 {
        let out = self.items.push(value).unwrap_or(0);
        self.sum = self.sum.saturating_add(value).saturating_sub(out);
        self.sum
    }

    /// The mean after adding `value`.
    pub(crate) fn mean(&mut self, value: i64) -> i64 {
        self.push(value) / self.len as i64
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.items.bytes()
    }
}

/// A triangular low-pass: two moving means of the same length in a row. Delay: [`Triangle::delay`] samples.
#[derive(Debug, Clone)]
pub(crate) struct Triangle {
    first: MovingSum,
    second: MovingSum,
}

impl Triangle {
    pub(crate) fn new(half: usize) -> Self {
        Self { first: MovingSum::new(half), second: MovingSum::new(half) }
    }

    pub(crate) fn restart(&mut self, value: i64) {
        self.first.restart(value);
        self.second.restart(value.saturating_mul(self.first.len() as i64));
    }

    pub(crate) fn push(&mut self, value: i64) -> i64 {
        let once = self.first.push(value);
        let square = (self.first.len() as i64).saturating_mul(self.second.len() as i64);
        self.second.push(once) / square.max(1)
    }

    pub(crate) fn delay(&self) -> usize {
        self.first.len() - 1
    }

    pub(crate) fn bytes(&self) -> usize {
        self.first.bytes() + self.second.bytes()
    }
}

/// The middle value of a handful; the lower of two middle ones. `None` of nothing.
pub(crate) fn median<T: Copy + PartialOrd>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut sorted: Vec<T> = values.into_iter().collect();
    sorted.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_a_constant() {
        let mut filter = Triangle::new(7);
        filter.restart(-40);
        assert!((0..50).all(|_| filter.push(-40) == -40));
    }

    #[test]
    fn what_is_no_number_is_zero() {
        assert_eq!(fixed(f64::NAN, 4000.0, VALUE_MAX), 0);
        assert_eq!(fixed(f64::INFINITY, 4000.0, VALUE_MAX), VALUE_MAX);
        assert_eq!(fixed(1.0, 4000.0, VALUE_MAX), 4000);
    }

    #[test]
    fn the_median_of_two_is_the_lower() {
        assert_eq!(median([3, 1]), Some(1));
        assert_eq!(median([3, 1, 2]), Some(2));
        assert_eq!(median::<i64>([]), None);
    }
}
