//! Whole seconds, the unit in which delays and periods are declared.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u32);

impl Seconds {
    /// None at all.
    pub const ZERO: Self = Self(0);

    /// In microseconds, the unit of all instants.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0 as i64 * 1_000_000
    }

    /// Both together, stopping at the end of the range.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whole seconds in `micros`, rounded up, never below zero: what is shown as remaining never reads 0 before it is over.
    #[must_use]
    pub fn from_micros_up(micros: i64) -> Self {
        Self(u32::try_from((micros.max(0) + 999_999) / 1_000_000).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}
