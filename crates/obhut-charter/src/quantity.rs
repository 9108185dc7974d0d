//! Rates and periods as people write them: `500 Hz`, `1/s`, `4/h`; `72 h`, `30 d`, `10 y`. Exact: the number and its unit are kept.

use obhut_model::{Decimal, SampleRate};
use std::fmt;
use std::str::FromStr;

/// Why a text is not a rate or a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not written as a number and a unit.
    #[error("not a number with a known unit")]
    Syntax,
    /// Nothing, or less.
    #[error("must be more than zero")]
    Zero,
    /// Beyond what can be counted.
    #[error("too large or too small to be counted")]
    Range,
}

/// The unit a rate was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// `Hz`: samples a second.
    Hertz,
    /// `/s`
    PerSecond,
    /// `/min`
    PerMinute,
    /// `/h`
    PerHour,
    /// `/d`
    PerDay,
}

/// How often, at most.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    count: Decimal,
    unit: RateUnit,
    rate: SampleRate,
}

impl Rate {
    /// The rate in microhertz, rounded up, so that a device that sends exactly as often as allowed is not refused by a rounding hair.
    #[must_use]
    pub const fn sample_rate(self) -> SampleRate {
        self.rate
    }

    /// The number as written.
    #[must_use]
    pub const fn count(self) -> Decimal {
        self.count
    }

    /// The unit as written.
    #[must_use]
    pub const fn unit(self) -> RateUnit {
        self.unit
    }

    /// Microseconds from one value to the next at this rate, at least one.
    #[must_use]
    pub fn period_micros(self) -> i64 {
        let seconds = i128::from(self.unit.seconds()) * 1_000_000;
        let scale = 10i128.pow(u32::from(self.count.exponent().unsigned_abs()));
        i64::try_from((seconds * scale / i128::from(self.count.mantissa().max(1))).max(1)).unwrap_or(i64::MAX)
    }
}

impl RateUnit {
    const fn seconds(self) -> u32 {
        match self {
            Self::Hertz | Self::PerSecond => 1,
            Self::PerMinute => 60,
            Self::PerHour => 3_600,
            Self::PerDay => 86_400,
        }
    }
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.rate == other.rate
    }
}

impl Eq for Rate {}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (number, unit) = if let Some(number) = text.strip_suffix("Hz") {
            (number, RateUnit::Hertz)
        } else {
            let (number, unit) = text.split_once('/').ok_or(QuantityError::Syntax)?;
            let unit = match unit.trim() {
                "s" => RateUnit::PerSecond,
                "min" => RateUnit::PerMinute,
                "h" => RateUnit::PerHour,
                "d" => RateUnit::PerDay,
                _ => return Err(QuantityError::Syntax),
            };
            (number, unit)
        };
        let count: Decimal = number.trim().parse().map_err(|_| QuantityError::Syntax)?;
        if count.mantissa() <= 0 {
            return Err(QuantityError::Zero);
        }
        // `parse` never makes a positive exponent.
        let scale = 10i128.pow(u32::from(count.exponent().unsigned_abs())) * i128::from(unit.seconds());
        let micro = (i128::from(count.mantissa()) * 1_000_000 + scale - 1) / scale;
        let micro = u32::try_from(micro).map_err(|_| QuantityError::Range)?;
        let rate = SampleRate::from_microhertz(micro).ok_or(QuantityError::Range)?;
        Ok(Self { count, unit, rate })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            RateUnit::Hertz => " Hz",
            RateUnit::PerSecond => "/s",
            RateUnit::PerMinute => "/min",
            RateUnit::PerHour => "/h",
            RateUnit::PerDay => "/d",
        };
        write!(f, "{}{unit}", self.count)
    }
}

/// The unit a period was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodUnit {
    /// `s`
    Second,
    /// `min`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`
    Week,
    /// `y`: a year of 366 days, so that "at least ten years" is never a day short.
    Year,
}

impl PeriodUnit {
    /// Seconds in one of it.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Year => 366 * 86_400,
        }
    }
}

/// How long: a whole number of one unit. Compares by length: `72 h` equals `3 d`.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    count: u32,
    unit: PeriodUnit,
}

impl Period {
    /// `count` of `unit`; may be zero, which means "at once" where that makes sense.
    #[must_use]
    pub const fn new(count: u32, unit: PeriodUnit) -> Self {
        Self { count, unit }
    }

    /// The number as written.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The unit as written.
    #[must_use]
    pub const fn unit(self) -> PeriodUnit {
        self.unit
    }

    /// Length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.count as u64 * self.unit.seconds()
    }
}

impl PartialEq for Period {
    fn eq(&self, other: &Self) -> bool {
        self.seconds() == other.seconds()
    }
}

impl Eq for Period {}

impl PartialOrd for Period {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Period {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.seconds().cmp(&other.seconds())
    }
}

impl FromStr for Period {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (number, unit) = text.split_once(' ').ok_or(QuantityError::Syntax)?;
        let unit = match unit.trim() {
            "s" => PeriodUnit::Second,
            "min" => PeriodUnit::Minute,
            "h" => PeriodUnit::Hour,
            "d" => PeriodUnit::Day,
            "w" => PeriodUnit::Week,
            "y" => PeriodUnit::Year,
            _ => return Err(QuantityError::Syntax),
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Syntax);
        }
        let count = number.parse().map_err(|_| QuantityError::Range)?;
        Ok(Self { count, unit })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            PeriodUnit::Second => "s",
            PeriodUnit::Minute => "min",
            PeriodUnit::Hour => "h",
            PeriodUnit::Day => "d",
            PeriodUnit::Week => "w",
            PeriodUnit::Year => "y",
        };
        write!(f, "{} {unit}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact_or_rounded_up() {
        let micro = |text: &str| text.parse::<Rate>().map(|rate| rate.sample_rate().microhertz());
        assert_eq!(micro("500 Hz"), Ok(500_000_000));
        assert_eq!(micro("62.4725 Hz"), Ok(62_472_500));
        assert_eq!(micro("1/s"), Ok(1_000_000));
        assert_eq!(micro("1/min"), Ok(16_667));
        assert_eq!(micro("4/h"), Ok(1_112));
        assert_eq!(micro("0 Hz"), Err(QuantityError::Zero));
        assert_eq!(micro("5000 Hz"), Err(QuantityError::Range));
        for text in ["", "1", "Hz", "1/week", "-1/s/s", "1 /", "one Hz", "1e3 Hz"] {
            assert_eq!(micro(text), Err(QuantityError::Syntax), "{text}");
        }
        assert_eq!("-1 Hz".parse::<Rate>(), Err(QuantityError::Zero));
        assert_eq!("1/min".parse::<Rate>().unwrap().period_micros(), 60_000_000);
        assert_eq!("0.5/s".parse::<Rate>().unwrap().period_micros(), 2_000_000);
        assert_eq!("999999999 Hz".parse::<Rate>(), Err(QuantityError::Range));
    }

    #[test]
    fn periods_compare_by_length() {
        let period = |text: &str| text.parse::<Period>();
        assert_eq!(period("72 h"), period("3 d"));
        assert!(period("30 d").unwrap() < period("10 y").unwrap());
        assert_eq!(period("15 min").unwrap().to_string(), "15 min");
        for text in ["", "3", "3d", "-3 d", "3 months", "1.5 h", " h"] {
            assert_eq!(period(text), Err(QuantityError::Syntax), "{text}");
        }
        assert_eq!(period("99999999999 d"), Err(QuantityError::Range));
    }
}
