//! Calendar days as a charter writes them (`2027-06-30`), without time or zone. Not a clock: today comes in from outside.

use obhut_model::calendar::days_from_civil;
use std::fmt;

/// A day of the proleptic Gregorian calendar, years 1 to 9999. Orders by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Why three numbers are not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such day in the calendar")]
pub struct DateError;

impl Date {
    /// # Errors
    /// [`DateError`] if the calendar has no such day.
    pub const fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        if year == 0 || year > 9999 || month == 0 || month > 12 || day == 0 || day > days_in(year, month) {
            return Err(DateError);
        }
        Ok(Self { year, month, day })
    }

    /// Year, 1 to 9999.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// Month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// Day of the month, 1 to 31.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days from `earlier` to this day; negative if this day is the earlier one.
    #[must_use]
    pub const fn days_since(self, earlier: Self) -> i64 {
        self.day_number() - earlier.day_number()
    }

    const fn day_number(self) -> i64 {
        days_from_civil(self.year as i32, self.month, self.day)
    }
}

const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_kept() {
        assert!(Date::new(2028, 2, 29).is_ok() && Date::new(2000, 2, 29).is_ok());
        for (y, m, d) in
            [(2027, 2, 29), (1900, 2, 29), (2026, 4, 31), (2026, 13, 1), (2026, 0, 1), (0, 1, 1), (2026, 1, 0)]
        {
            assert_eq!(Date::new(y, m, d), Err(DateError), "{y}-{m}-{d}");
        }
    }

    #[test]
    fn days_are_counted_over_leap_days() {
        let day = |y, m, d| Date::new(y, m, d).unwrap();
        assert_eq!(day(2028, 3, 1).days_since(day(2028, 2, 28)), 2);
        assert_eq!(day(2026, 11, 23).days_since(day(1970, 1, 1)), 20_780);
        assert_eq!(day(2026, 1, 1).days_since(day(2026, 1, 2)), -1);
    }
}
