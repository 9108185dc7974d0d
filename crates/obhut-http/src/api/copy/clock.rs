//! The house's own time, as the machine keeps it: for dates in a copy, and for the clocks of patients' rights.

use obhut_interop::{Civil, Local};
use obhut_model::ServerTime;

/// The house's own time, as the machine keeps it.
#[derive(Debug, Clone)]
pub(in crate::api) struct HouseTime(jiff::tz::TimeZone);

impl HouseTime {
    pub(in crate::api) fn here() -> Self {
        Self(jiff::tz::TimeZone::system())
    }

    #[cfg(test)]
    pub(super) fn of(name: &str) -> Option<Self> {
        jiff::tz::TimeZone::get(name).ok().map(Self)
    }

    fn zoned(&self, micros: i64) -> jiff::Zoned {
        jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(self.0.clone())
    }
}

impl Local for HouseTime {
    fn civil(&self, micros: i64) -> Civil {
        let at = self.zoned(micros);
        let small = |n: i8| u8::try_from(n).unwrap_or(0);
        Civil {
            year: at.year(),
            month: small(at.month()),
            day: small(at.day()),
            hour: small(at.hour()),
            minute: small(at.minute()),
            second: small(at.second()),
            offset: i16::try_from(at.offset().seconds() / 60).unwrap_or(0),
        }
    }
}

impl obhut_register::calendar::Calendar for HouseTime {
    fn day_of(&self, at: ServerTime) -> obhut_charter::Date {
        let at = self.zoned(at.micros());
        let small = |n: i8| u8::try_from(n).unwrap_or(1);
        date(u16::try_from(at.year()).unwrap_or(1970), small(at.month()), small(at.day()))
    }

    fn end_of(&self, day: obhut_charter::Date) -> ServerTime {
        let number = |n: u8| i8::try_from(n).unwrap_or(1);
        let year = i16::try_from(day.year()).unwrap_or(9_999);
        let end = jiff::civil::Date::new(year, number(day.month()), number(day.day()))
            .and_then(|day| day.tomorrow())
            .and_then(|next| next.to_zoned(self.0.clone()));
        ServerTime::from_micros(end.map_or(i64::MAX, |end| end.timestamp().as_microsecond()))
    }

    /// Holidays differ by Land and are not known here; without them a due date may come early, never late.
    fn is_holiday(&self, _: obhut_charter::Date) -> bool {
        false
    }
}

fn date(year: u16, month: u8, day: u8) -> obhut_charter::Date {
    obhut_charter::Date::new(year, month, day).or_else(|_| obhut_charter::Date::new(year, month, 1)).unwrap_or(FIRST)
}

const FIRST: obhut_charter::Date = match obhut_charter::Date::new(1970, 1, 1) {
    Ok(date) => date,
    Err(_) => unreachable!(),
};

#[cfg(test)]
mod tests {
    use super::*;
    use obhut_interop::rights::request_clock;
    use obhut_model::{CaseId, Subject};
    use obhut_register::calendar::Calendar as _;
    use obhut_register::requests::{Channel as Way, Command, Kind, Requester};
    use obhut_register::{By, MemoryLog, Private, Register};
    use std::sync::Arc;

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn at(text: &str) -> ServerTime {
        ServerTime::from_micros(micros(text))
    }

    /// When a request that came in at `received` is due in Berlin, without and with the extension.
    fn due(received: &str) -> (String, String) {
        let here = HouseTime::of("Europe/Berlin").expect("the zone is known");
        let register = Register::open(Arc::new(MemoryLog::default())).unwrap();
        let (case, clock) = (CaseId::from_random([1; 16]), request_clock(at(received)));
        let receive = Command::Receive {
            case,
            subject: Subject::from_random([2; 16]),
            kind: Kind::Access,
            channel: Way::Letter,
            requester: Requester::Patient,
            text: Private::from(""),
            received: at(received),
            months: clock.months,
            alert_days: clock.alert_days.to_vec(),
            calendar: Arc::new(here.clone()),
        };
        register.execute(By::Console(0), at(received), receive).unwrap();
        let shown = |register: &Register| {
            let due = register.read(|state| state.request(case).unwrap().due);
            here.zoned(due.micros()).strftime("%F %R").to_string()
        };
        let first = shown(&register);
        let extend = || Command::Extend {
            case,
            reason: Private::from("many wards"),
            months: clock.months_extended,
            calendar: Arc::new(here.clone()),
        };
        register.execute(By::Console(0), at(received).plus_micros(86_400_000_000), extend()).unwrap();
        let twice = register.execute(By::Console(0), at(received).plus_micros(86_400_000_001), extend());
        assert!(twice.is_err(), "there is one extension");
        (first, shown(&register))
    }

    /// The end of the last day, in the house's time: months of different length, leap years, weekends, and the nights clocks change.
    #[test]
    fn clocks_run_by_the_calendar_of_the_house() {
        let check = |received: &str, first: &str, extended: &str| {
            assert_eq!(due(received), (first.to_owned(), extended.to_owned()), "{received}");
        };
        // 31 January: February has no 31st. 2027-02-28 is a Sunday; 2027-04-30 a Friday.
        check("2027-01-31T10:00:00Z", "2027-03-02 00:00", "2027-05-01 00:00");
        // A leap year: 29 February 2028 is a Tuesday. 30 April 2028 is a Sunday.
        check("2028-01-31T10:00:00Z", "2028-03-01 00:00", "2028-05-02 00:00");
        // Across the spring night: 5 March to 5 April 2027 (Monday) is due at midnight of the wall, not an hour beside it. 5 June 2027 is a Saturday.
        check("2027-03-05T10:00:00Z", "2027-04-06 00:00", "2027-06-08 00:00");
        // Received at 23:30 UTC, which in Berlin is the next day.
        check("2027-06-09T23:30:00Z", "2027-07-13 00:00", "2027-09-11 00:00");
    }

    #[test]
    fn a_day_has_twenty_three_to_twenty_five_hours() {
        let here = HouseTime::of("Europe/Berlin").expect("the zone is known");
        let length = |day: (u16, u8, u8), before: (u16, u8, u8)| {
            let end = |d: (u16, u8, u8)| here.end_of(date(d.0, d.1, d.2)).micros();
            (end(day) - end(before)) / 3_600_000_000
        };
        assert_eq!(length((2027, 3, 28), (2027, 3, 27)), 23);
        assert_eq!(length((2027, 10, 31), (2027, 10, 30)), 25);
        assert_eq!(length((2028, 2, 29), (2028, 2, 28)), 24);
    }
}
