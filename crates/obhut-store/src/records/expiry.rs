//! What is past its time, by row.

use crate::api::StoreError;
use crate::records::index::Chunk;
use obhut_model::{Code, Subject};
use rusqlite::{Connection, Transaction};
use std::collections::HashSet;

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

/// What a segment holds, and of that, what is under a hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    pub(crate) held: u64,
    pub(crate) held_bytes: u64,
}

pub(crate) fn weigh(connection: &Connection, segment: i64, held: &HashSet<u32>) -> Result<Weight, StoreError> {
    let sql = "SELECT key, count(*), sum(length) FROM chunks WHERE segment = ?1 GROUP BY key";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement
        .query_map([segment], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .map_err(database)?;
    let mut out = Weight::default();
    for row in rows {
        let (key, objects, bytes) = row.map_err(database)?;
        let (objects, bytes) = (u64::try_from(objects).unwrap_or(0), u64::try_from(bytes).unwrap_or(0));
        out.objects += objects;
        out.bytes += bytes;
        if held.contains(&key) {
            out.held += objects;
            out.held_bytes += bytes;
        }
    }
    Ok(out)
}

pub(crate) fn chunks_of_segment(connection: &Connection, segment: i64) -> Result<Vec<Chunk>, StoreError> {
    let sql = "SELECT key, code, first, last, offset, length FROM chunks WHERE segment = ?1 ORDER BY offset";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement
        .query_map([segment], |row| {
            Ok(Chunk {
                key: row.get(0)?,
                code: Code::new(row.get(1)?),
                first: row.get(2)?,
                last: row.get(3)?,
                offset: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                length: row.get(5)?,
            })
        })
        .map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

pub(crate) fn forget_chunks(tx: &Transaction<'_>, segment: i64, key: u32) -> Result<(), StoreError> {
    tx.execute("DELETE FROM chunks WHERE segment = ?1 AND key = ?2", (segment, key)).map_err(database)?;
    Ok(())
}

pub(crate) fn count(connection: &Connection, table: &str, condition: &str, before: i64) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
    let found: i64 = connection.query_row(&sql, [before], |row| row.get(0)).map_err(database)?;
    Ok(u64::try_from(found).unwrap_or(0))
}

pub(crate) fn all(connection: &Connection, table: &str) -> Result<u64, StoreError> {
    let found: i64 =
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).map_err(database)?;
    Ok(u64::try_from(found).unwrap_or(0))
}

pub(crate) fn delete(tx: &Transaction<'_>, table: &str, condition: &str, before: i64) -> Result<u64, StoreError> {
    let gone = tx.execute(&format!("DELETE FROM {table} WHERE {condition}"), [before]).map_err(database)?;
    Ok(gone as u64)
}

/// Subjects none of whose stays is open, with when the last one ended. A subject that never lay anywhere is not among them.
pub(crate) fn ended(connection: &Connection) -> Result<Vec<(Subject, i64)>, StoreError> {
    let sql = "SELECT subject, max(stop) FROM subject_stays GROUP BY subject HAVING count(*) = count(stop)";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement.query_map([], |row| Ok((Subject::from_random(row.get(0)?), row.get(1)?))).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

/// Newest reading of a key, if there is one.
pub(crate) fn newest(connection: &Connection, key: u32) -> Result<Option<i64>, StoreError> {
    connection.query_row("SELECT max(last) FROM chunks WHERE key = ?1", [key], |row| row.get(0)).map_err(database)
}
