//! Printing for people: small tables and times. JSON goes out as the server gave it.

use crate::cli::Output;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Prints `value` as JSON, or calls `text`.
pub fn show(output: Output, value: &Value, text: impl FnOnce(&Value)) {
    match output {
        Output::Json => println!("{value}"),
        Output::Text => text(value),
    }
}

/// A table with a heading, columns as wide as they need to be.
pub fn table(heading: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().enumerate().map(|(i, cell)| format!("{cell:<w$}", w = width(i))).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(heading.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}

/// A field as text; `-` if it is not there.
#[must_use]
pub fn text(value: &Value, field: &str) -> String {
    match value.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// A field of microseconds as local time.
#[must_use]
pub fn time(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_i64).map_or_else(|| "-".to_owned(), local)
}

/// Microseconds as local time.
#[must_use]
pub fn local(micros: i64) -> String {
    Timestamp::from_microsecond(micros)
        .map_or_else(|_| "-".to_owned(), |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Microseconds as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |at| format!("{at:.6}"))
}

/// Reads RFC 3339, or `-10m` and the like as that long before `now`; microseconds.
///
/// # Errors
/// If it is neither.
pub fn parse_time(text: &str, now: i64) -> anyhow::Result<i64> {
    if let Some(ago) = text.strip_prefix('-') {
        let ago = crate::cli::duration(ago).map_err(anyhow::Error::msg)?;
        return Ok(now.saturating_sub(i64::try_from(ago.as_micros()).unwrap_or(i64::MAX)));
    }
    let at: Timestamp = text
        .parse()
        .map_err(|_| anyhow::anyhow!("`{text}` is not a time; write 2026-11-23T20:00:00+01:00, or -10m"))?;
    Ok(at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z", 0).unwrap(), 1_000_000);
        assert_eq!(parse_time("-1m", 100_000_000).unwrap(), 40_000_000);
        assert!(parse_time("yesterday", 0).is_err());
        assert_eq!(rfc3339(1_500_000), "1970-01-01T00:00:01.500000Z");
    }
}
