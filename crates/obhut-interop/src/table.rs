//! One CSV table: a header and rows, RFC 4180, each text through [`crate::text::cell`].

use crate::text::cell;
use std::io::{self, Write};

/// Writes the header line, after the mark by which spreadsheets know UTF-8.
///
/// # Errors
/// Those of `out`.
pub fn header(out: &mut dyn Write, columns: &[&str]) -> io::Result<()> {
    out.write_all("\u{feff}".as_bytes())?;
    write!(out, "{}\r\n", columns.join(","))
}

/// Writes one row of texts.
///
/// # Errors
/// Those of `out`.
pub fn row(out: &mut dyn Write, fields: &[&str]) -> io::Result<()> {
    let line: Vec<String> = fields.iter().map(|field| cell(field)).collect();
    write!(out, "{}\r\n", line.join(","))
}
