//! Periods of months after Regulation (EEC, Euratom) No 1182/71, Art. 3: the day of the event does not count; a period of months ends with the last hour of
//! the day of the same date, or of the last day of a month that has no such date (3(2)(c)); if that is a Saturday, a Sunday or a public holiday, with the
//! last hour of the following working day (3(4)).
//!
//! Not a clock and not a time zone: which day it is where the hospital stands, and which days are holidays there, come in as a [`Calendar`]. Without
//! holidays a date may come a day early, never late.

use obhut_charter::Date;
use obhut_model::ServerTime;

/// Where the hospital stands.
pub trait Calendar: std::fmt::Debug + Send + Sync {
    /// The day `at` falls on there.
    fn day_of(&self, at: ServerTime) -> Date;
    /// The first instant after the last hour of `day` there.
    fn end_of(&self, day: Date) -> ServerTime;
    /// Whether `day` is a public holiday there.
    fn is_holiday(&self, day: Date) -> bool;
}

/// The last day of a period of `months` after something on `day`.
#[must_use]
pub fn last_day(day: Date, months: u16, calendar: &dyn Calendar) -> Date {
    let mut last = months_after(day, months);
    while is_weekend(last) || calendar.is_holiday(last) {
        let Some(next) = day_after(last) else { break };
        last = next;
    }
    last
}

/// The same date `months` later, or the last day of a month that has no such date.
#[must_use]
pub fn months_after(day: Date, months: u16) -> Date {
    let count = u32::from(day.year()) * 12 + u32::from(day.month()) - 1 + u32::from(months);
    let year = u16::try_from(count / 12).unwrap_or(u16::MAX);
    let month = u8::try_from(count % 12 + 1).unwrap_or(12);
    (28..=day.day().max(28))
        .rev()
        .filter(|candidate| *candidate <= day.day() || *candidate == 28)
        .map(|candidate| candidate.min(day.day()))
        .find_map(|date| Date::new(year, month, date).ok())
        // Only beyond the year 9999.
        .unwrap_or(day)
}

fn day_after(day: Date) -> Option<Date> {
    let (year, month) = (day.year(), day.month());
    Date::new(year, month, day.day() + 1)
        .or_else(|_| Date::new(year, month + 1, 1))
        .or_else(|_| Date::new(year.saturating_add(1), 1, 1))
        .ok()
}

fn is_weekend(day: Date) -> bool {
    // 1 January 2001 was a Monday.
    Date::new(2001, 1, 1).is_ok_and(|monday| day.days_since(monday).rem_euclid(7) >= 5)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Days in UTC, with holidays.
    #[derive(Debug, Default)]
    pub(crate) struct Utc(pub(crate) Vec<Date>);

    const DAY: i64 = 86_400_000_000;

    impl Calendar for Utc {
        fn day_of(&self, at: ServerTime) -> Date {
            let wanted = at.micros().div_euclid(DAY);
            let mut day = Date::new(1970, 1, 1).unwrap();
            for _ in 0..wanted {
                day = day_after(day).unwrap();
            }
            day
        }

        fn end_of(&self, day: Date) -> ServerTime {
            ServerTime::from_micros((day.days_since(Date::new(1970, 1, 1).unwrap()) + 1) * DAY)
        }

        fn is_holiday(&self, day: Date) -> bool {
            self.0.contains(&day)
        }
    }

    fn date(text: &str) -> Date {
        let numbers: Vec<u16> = text.split('-').map(|part| part.parse().unwrap()).collect();
        Date::new(numbers[0], numbers[1] as u8, numbers[2] as u8).unwrap()
    }

    #[test]
    fn months_end_where_the_regulation_says() {
        for (received, months, last) in [
            // The examples of EDPB Guidelines 01/2022, numbers 159 and 160, moved to years in which the day is a working day or not.
            ("2026-03-05", 1, "2026-04-07"), // 5 April 2026 is Easter Sunday, 6 April Easter Monday
            ("2027-08-31", 1, "2027-09-30"),
            ("2026-01-31", 1, "2026-03-02"), // 28 February 2026 is a Saturday
            ("2028-01-31", 1, "2028-02-29"), // leap year
            ("2027-01-29", 1, "2027-03-01"), // 28 February 2027 is a Sunday
            ("2026-11-25", 1, "2026-12-28"), // 25 December, a Friday, then the 26th, a Saturday, then Sunday
            ("2026-12-01", 1, "2027-01-04"), // 1 January is a Friday
            ("2026-12-31", 2, "2027-03-01"),
            ("2026-10-01", 3, "2027-01-04"),
            ("2026-06-15", 1, "2026-07-15"),
        ] {
            let holidays = ["2026-04-06", "2026-12-25", "2026-12-26", "2027-01-01"].map(date).to_vec();
            assert_eq!(last_day(date(received), months, &Utc(holidays)), date(last), "{received} + {months} months");
        }
    }

    proptest! {
        #[test]
        fn a_period_of_months_is_as_long_as_its_months_and_never_ends_on_a_free_day(
            year in 1990u16..2100, month in 1u8..=12, day in 1u8..=31, months in 0u16..40,
        ) {
            let Ok(start) = Date::new(year, month, day) else { return Ok(()) };
            let end = months_after(start, months);
            let count = |d: Date| i32::from(d.year()) * 12 + i32::from(d.month());
            prop_assert_eq!(count(end) - count(start), i32::from(months));
            prop_assert!(end.day() == start.day() || (end.day() < start.day() && Date::new(end.year(), end.month(), end.day() + 1).is_err()));
            let last = last_day(start, months, &Utc::default());
            prop_assert!(!is_weekend(last) && (0..=2).contains(&last.days_since(end)));
        }
    }
}
