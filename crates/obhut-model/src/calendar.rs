//! Days of the proleptic Gregorian calendar, and moments in UTC. Not a clock and not a time zone: the house's own time comes from the shells.
//!
//! Source of the arithmetic: H. Hinnant, *chrono-compatible low-level date algorithms*. A calendar library would be much for two formulas that every
//! room below the shells needs.

/// Microseconds in a day of UTC, which has no leap seconds here.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// Days from 1970-01-01 to a day of the calendar, which must exist (month 1 to 12, day 1 to 31).
#[must_use]
pub const fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = year as i64 - (month <= 2) as i64;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month as i64 + 9) % 12) + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A moment in UTC by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc {
    /// Year; before 1 in astronomical counting.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Microseconds of the second.
    pub micros: u32,
}

impl Utc {
    /// The moment `micros` microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        let (days, of_day) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let seconds = of_day / 1_000_000;
        Self {
            year: (year_of_era + era * 400 + (month <= 2) as i64) as i32,
            month: month as u8,
            day: (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8,
            hour: (seconds / 3_600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            micros: (of_day % 1_000_000) as u32,
        }
    }

    /// RFC 3339 with all six digits of the second's fraction.
    #[must_use]
    pub fn rfc3339(&self) -> String {
        let Self { hour, minute, second, micros, .. } = self;
        format!("{}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", self.iso_day())
    }

    /// The day as ISO 8601 writes it: `2026-11-24`.
    #[must_use]
    pub fn iso_day(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        for (micros, day) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400_000_000, "2000-02-29"),
            (4_107_542_399_000_001, "2100-02-28"),
            (4_107_542_400_000_000, "2100-03-01"),
            (-62_135_596_800_000_000, "0001-01-01"),
        ] {
            assert_eq!(Utc::from_micros(micros).iso_day(), day);
        }
    }

    proptest! {
        #[test]
        fn a_moment_goes_there_and_back(micros: i64) {
            let Utc { year, month, day, hour, minute, second, micros: rest } = Utc::from_micros(micros);
            let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
            let back = i128::from(days_from_civil(year, month, day)) * i128::from(DAY_MICROS)
                + i128::from(seconds * 1_000_000 + i64::from(rest));
            prop_assert_eq!(back, i128::from(micros));
        }

        #[test]
        fn the_next_day_is_later(days in -3_000_000i64..3_000_000) {
            let at = |days: i64| Utc::from_micros(days * DAY_MICROS);
            prop_assert!(at(days) < at(days + 1));
        }
    }
}
