//! Time on the wire and at rest: microseconds since the Unix epoch, and sample rates in microhertz.
//!
//! What a device says and what the server says are different types and never compare without a written conversion.

use std::fmt;

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// From microseconds since 1970-01-01T00:00:00Z; negative before it.
            #[must_use]
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// Microseconds since 1970-01-01T00:00:00Z.
            #[must_use]
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// This instant moved by `micros`, stopping at the ends of the range.
            #[must_use]
            pub const fn plus_micros(self, micros: i64) -> Self {
                Self(self.0.saturating_add(micros))
            }

            /// Microseconds from `earlier` to this instant, stopping at the ends of the range.
            #[must_use]
            pub const fn since(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }
        }
    };
}

instant!(
    /// When a value was measured, by the clock that is recorded with it: the device's own, or the server's where the device's is not trusted.
    DeviceTime
);
instant!(
    /// When the server saw something, by the server's clock.
    ServerTime
);

impl ServerTime {
    /// The same instant as a time of measurement. Use only where the device's clock is not trusted, and flag the reading with
    /// [`Quality::CLOCK_SUSPECT`](crate::Quality::CLOCK_SUSPECT).
    #[must_use]
    pub const fn stand_in_for_device(self) -> DeviceTime {
        DeviceTime(self.0)
    }
}

/// A half-open range of measurement times, `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First instant inside.
    pub from: DeviceTime,
    /// First instant after.
    pub to: DeviceTime,
}

impl TimeRange {
    /// Everything.
    pub const ALL: Self = Self { from: DeviceTime(i64::MIN), to: DeviceTime(i64::MAX) };

    /// Whether `at` lies inside.
    #[must_use]
    pub fn contains(&self, at: DeviceTime) -> bool {
        self.from <= at && at < self.to
    }

    /// Whether this range and `first..=last` share an instant.
    #[must_use]
    pub fn touches(&self, first: DeviceTime, last: DeviceTime) -> bool {
        first < self.to && last >= self.from
    }
}

/// Samples per second, in microhertz: exact for 360 Hz, for 62.4725 Hz and, to a millionth, for one a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampleRate(u32);

impl SampleRate {
    /// From microhertz; `None` for zero.
    #[must_use]
    pub const fn from_microhertz(microhertz: u32) -> Option<Self> {
        if microhertz == 0 { None } else { Some(Self(microhertz)) }
    }

    /// From whole hertz, 1 to 4294.
    #[must_use]
    pub const fn from_hertz(hertz: u16) -> Option<Self> {
        match (hertz as u32).checked_mul(1_000_000) {
            Some(micro) => Self::from_microhertz(micro),
            None => None,
        }
    }

    /// Microhertz, never zero.
    #[must_use]
    pub const fn microhertz(self) -> u32 {
        self.0
    }

    /// Hertz, as a float for display and headers.
    #[must_use]
    pub fn hertz(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// Microseconds from sample 0 to sample `index`, rounded to the nearest.
    #[must_use]
    pub const fn offset_micros(self, index: u64) -> i64 {
        let exact = (index as u128 * 1_000_000_000_000 + self.0 as u128 / 2) / self.0 as u128;
        if exact > i64::MAX as u128 { i64::MAX } else { exact as i64 }
    }

    /// The sample index nearest to `micros` after sample 0; zero for negative input.
    #[must_use]
    pub const fn index_at(self, micros: i64) -> u64 {
        if micros <= 0 {
            return 0;
        }
        ((micros as u128 * self.0 as u128 + 500_000_000_000) / 1_000_000_000_000) as u64
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.hertz())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_index_survives_the_way_to_microseconds_and_back(rate in 1_000u32..=2_000_000_000, index in 0u64..1_000_000_000) {
            let rate = SampleRate::from_microhertz(rate).unwrap();
            // Below half a sample of rounding the index comes back; above 500 kHz it could not, and no such rate exists here.
            prop_assert_eq!(rate.index_at(rate.offset_micros(index)), index);
        }
    }

    #[test]
    fn ranges_are_half_open() {
        let at = DeviceTime::from_micros;
        let range = TimeRange { from: at(10), to: at(20) };
        assert!(range.contains(at(10)) && !range.contains(at(20)));
        assert!(range.touches(at(5), at(10)) && !range.touches(at(20), at(30)));
    }
}
