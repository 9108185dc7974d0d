//! Times as they stand in file names and messages, in UTC.

/// Year, month and day of microseconds since 1970. Howard Hinnant, *chrono-compatible low-level date algorithms*: one formula is not worth a calendar
/// library here.
fn civil(micros: i64) -> (i64, i64, i64) {
    let days = micros.div_euclid(86_400_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-11-24`.
pub(crate) fn day(micros: i64) -> String {
    let (year, month, day) = civil(micros);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `20261124T001500Z`.
pub(crate) fn stamp(micros: i64) -> String {
    let (year, month, day) = civil(micros);
    let seconds = micros.rem_euclid(86_400_000_000) / 1_000_000;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
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
