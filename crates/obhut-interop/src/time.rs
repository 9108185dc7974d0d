//! Times as text: UTC as RFC 3339 for machines, and the house's own time for people, which the shell converts because only it knows time zones.

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
///
/// Source: H. Hinnant, *chrono-compatible low-level date algorithms*, `civil_from_days`.
fn civil(micros: i64) -> (Civil, u32) {
    let micros = micros.clamp(FIRST, LAST);
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |n: i64| u8::try_from(n).unwrap_or(0);
    let at = Civil {
        year: i16::try_from(year).unwrap_or(0),
        month: small(month),
        day: small(day),
        hour: small(of_day / 3_600),
        minute: small(of_day / 60 % 60),
        second: small(of_day % 60),
        offset: 0,
    };
    (at, u32::try_from(fraction).unwrap_or(0))
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
