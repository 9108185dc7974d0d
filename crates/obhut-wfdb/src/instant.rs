//! The start of a record as its header writes it: a wall clock without a zone. No zone is guessed; it is counted as if it were UTC.

use obhut_model::calendar::{DAY_MICROS, Utc, days_from_civil};

/// Start time and, where known, date of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Microseconds since midnight.
    pub time_micros: i64,
    /// Day, month, year.
    pub date: Option<(u8, u8, i32)>,
}

impl Start {
    /// Microseconds since 1970-01-01 on the record's own wall clock; `None` without a date.
    #[must_use]
    pub fn micros(&self) -> Option<i64> {
        let (day, month, year) = self.date?;
        Some(days_from_civil(year, month, day) * DAY_MICROS + self.time_micros)
    }

    /// The inverse of [`Start::micros`].
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        let Utc { year, month, day, .. } = Utc::from_micros(micros);
        Self { time_micros: micros.rem_euclid(DAY_MICROS), date: Some((day, month, year)) }
    }

    /// As a header writes it: `HH:MM:SS.ffffff DD/MM/YYYY`. WFDB years have four digits; others lose the date.
    #[must_use]
    pub fn to_header_text(self) -> String {
        let seconds = self.time_micros / 1_000_000;
        let fraction = self.time_micros % 1_000_000;
        let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        if fraction > 0 {
            text.push_str(&format!(".{fraction:06}"));
        }
        if let Some((day, month, year @ 1..=9999)) = self.date {
            text.push_str(&format!(" {day:02}/{month:02}/{year:04}"));
        }
        text
    }
}

/// `HH:MM:SS.fff`, `MM:SS` or `SS`; to the microsecond.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = [0i64; 3];
    let fields: Vec<&str> = whole.split(':').collect();
    if fields.len() > 3 {
        return None;
    }
    for (slot, field) in parts.iter_mut().rev().zip(fields.iter().rev()) {
        *slot = digits(field, 3)?;
    }
    let [hours, minutes, seconds] = parts;
    let micros = match fraction.len() {
        0 if whole.len() == text.len() => 0,
        n @ 1..=6 => digits(fraction, 6)? * 10i64.pow(6 - n as u32),
        7..=12 => digits(fraction.get(..6)?, 6)?,
        _ => return None,
    };
    (hours < 24 && minutes < 60 && seconds < 60).then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// `DD/MM/YYYY`.
pub(crate) fn parse_date(text: &str) -> Option<(u8, u8, i32)> {
    let mut fields = text.split('/');
    let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
    let (day, month, year) = (digits(day, 2)?, digits(month, 2)?, digits(year, 4)?);
    let good = fields.next().is_none() && (1..=31).contains(&day) && (1..=12).contains(&month);
    good.then_some((day as u8, month as u8, year as i32))
}

fn digits(text: &str, max: usize) -> Option<i64> {
    let good = !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_digit());
    if good { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_headers_write_them() {
        for (text, micros) in [
            ("17:27:45", Some(62_865_000_000)),
            ("31:25.894", Some(1_885_894_000)),
            ("10:44:18.529", Some(38_658_529_000)),
            ("8:35:12.811", Some(30_912_811_000)),
            ("5", Some(5_000_000)),
            ("24:00:00", None),
            ("1:2:3:4", None),
            ("", None),
            ("1.", None),
            ("-1", None),
        ] {
            assert_eq!(parse_time(text), micros, "{text}");
        }
    }

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(Start { time_micros: 0, date: Some((1, 1, 1970)) }.micros(), Some(0));
        assert_eq!(Start { time_micros: 0, date: Some((29, 2, 2000)) }.micros(), Some(11_016 * DAY_MICROS));
        for micros in [0, -1, 951_782_400_000_000, 29_000_000_000_000_000] {
            assert_eq!(Start::from_micros(micros).micros(), Some(micros));
        }
        assert_eq!(Start::from_micros(29_247_481_458_529_000).to_header_text(), "12:24:18.529000 24/10/2896");
        assert_eq!(parse_date("04/05/2704"), Some((4, 5, 2704)));
        assert_eq!(parse_date("4/13/2704"), None);
    }
}
