//! Times as they stand in file names and messages, in UTC.

use obhut_model::calendar::Utc;

/// `2026-11-24`.
pub(crate) fn day(micros: i64) -> String {
    Utc::from_micros(micros).iso_day()
}

/// `20261124T001500Z`.
pub(crate) fn stamp(micros: i64) -> String {
    let Utc { year, month, day, hour, minute, second, .. } = Utc::from_micros(micros);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_400_000_000), "2000-02-29");
        assert_eq!(stamp(1_795_478_400_000_000 + 3_661_000_000), "20261124T010101Z");
    }
}
