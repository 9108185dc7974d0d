//! Walks a data directory and says what belongs to which kind of data, and what to none.

use crate::error::RetentionError;
use crate::kinds::{StoredKind, is_database, kind_of_file, kind_of_table};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Files and tables of each kind.
    pub kinds: BTreeMap<StoredKind, u64>,
    /// Files and tables that belong to none: `path`, or `path: table`.
    pub unknown: Vec<String>,
}

/// Walks the data directory `data`. Reads names and schemas, no content.
///
/// # Errors
/// [`RetentionError`] if it cannot be read.
pub fn survey(data: &Path) -> Result<Survey, RetentionError> {
    let mut out = Survey::default();
    walk(data, "", &mut out)?;
    out.unknown.sort();
    Ok(out)
}

fn walk(root: &Path, below: &str, out: &mut Survey) -> Result<(), RetentionError> {
    let dir = root.join(below);
    let fail = |error| RetentionError::io("read", &dir, error);
    for entry in std::fs::read_dir(&dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.file_type() {
            // Gone meanwhile: what comes and goes while the server runs.
            Err(_) => {}
            Ok(kind) if kind.is_dir() => walk(root, &path, out)?,
            Ok(_) => look(root, &path, out)?,
        }
    }
    Ok(())
}

fn look(root: &Path, path: &str, out: &mut Survey) -> Result<(), RetentionError> {
    // A database's log and shared memory are part of it.
    let base = ["-wal", "-shm", "-journal"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
    if is_database(base) && base != path {
        return Ok(());
    }
    if !base.ends_with(".db") {
        match kind_of_file(path) {
            Some(kind) => *out.kinds.entry(kind).or_default() += 1,
            None => out.unknown.push(path.to_owned()),
        }
        return Ok(());
    }
    let full = root.join(path);
    for table in tables(&full).map_err(|_| RetentionError::damaged(&full))? {
        match kind_of_table(path, &table).or_else(|| kind_of_file(path)) {
            Some(kind) => *out.kinds.entry(kind).or_default() += 1,
            None => out.unknown.push(format!("{path}: {table}")),
        }
    }
    Ok(())
}

fn tables(path: &Path) -> rusqlite::Result<Vec<String>> {
    let database =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
    let mut statement = database.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}
