//! Times as text: UTC as RFC 3339 for machines, and the house's own time for people, which the shell converts because only it knows time zones.

use obhut_model::calendar;
use std::fmt;

/// First microsecond of the year 1.
pub(crate) const FIRST: i64 = -62_135_596_800_000_000;
/// Last microsecond of the year 9999.
pub(crate) const LAST: i64 = 253_402_300_799_999_999;

/// A moment on the wall of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Minutes east of UTC.
    pub offset: i16,
}

/// The house's time zone.
pub trait Local {
    /// The moment `micros` after 1970 on the wall of the house.
    fn civil(&self, micros: i64) -> Civil;
}

/// UTC: for tests, and for houses that say no other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Utc;

impl Local for Utc {
    fn civil(&self, micros: i64) -> Civil {
        civil(micros).0
    }
}

/// The date and time of day in UTC, and the microseconds of the second. Saturates at the years 1 and 9999; readings outside are refused before.
fn civil(micros: i64) -> (Civil, u32) {
    let at = calendar::Utc::from_micros(micros.clamp(FIRST, LAST));
    let calendar::Utc { month, day, hour, minute, second, .. } = at;
    let year = i16::try_from(at.year).unwrap_or(i16::MAX);
    (Civil { year, month, day, hour, minute, second, offset: 0 }, at.micros)
}

/// RFC 3339 in UTC, with six digits of the second where they say something.
#[must_use]
pub fn utc(micros: i64) -> String {
    let (at, fraction) = civil(micros);
    let Civil { year, month, day, hour, minute, second, .. } = at;
    if fraction == 0 {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    } else {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

/// A day and time of day as people write it in the language of the copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown(pub(crate) Civil, pub(crate) crate::Language);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, .. } = self.0;
        match self.1 {
            crate::Language::De => write!(f, "{day:02}.{month:02}.{year:04}, {hour:02}:{minute:02}"),
            crate::Language::En => write!(f, "{year:04}-{month:02}-{day:02}, {hour:02}:{minute:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        let check = |micros: i64, expected: &str| assert_eq!(utc(micros), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
        check(951_782_400_000_000, "2000-02-29T00:00:00Z");
        check(1_709_164_800_000_000, "2024-02-29T00:00:00Z");
        check(4_107_542_399_000_001, "2100-02-28T23:59:59.000001Z");
        check(4_107_542_400_000_000, "2100-03-01T00:00:00Z");
        check(FIRST, "0001-01-01T00:00:00Z");
        check(LAST, "9999-12-31T23:59:59.999999Z");
        check(i64::MAX, "9999-12-31T23:59:59.999999Z");
        check(i64::MIN, "0001-01-01T00:00:00Z");
    }
}
