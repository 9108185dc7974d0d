//! The index: which chunk lies where, which segment files and journals are in force, what was seen, what retention classes there are.

use crate::api::StoreError;
use crate::ranges::{RangeSet, Seen};
use crate::records::{self, damaged, one};
use obhut_model::{Code, Subject, TimeRange};
use rusqlite::{Connection, Row, Transaction};
use std::collections::HashMap;

pub(crate) const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE devices (id TEXT PRIMARY KEY, model TEXT NOT NULL, serial TEXT NOT NULL, state INTEGER NOT NULL, invited_at INTEGER NOT NULL,
  enrolled_at INTEGER, certificate TEXT, certificate_ends INTEGER, revoked_at INTEGER, revoke_reason TEXT) WITHOUT ROWID;
CREATE INDEX devices_by_serial ON devices (serial);
CREATE TABLE tokens (hash BLOB PRIMARY KEY, device TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE certificates (serial TEXT PRIMARY KEY, device TEXT NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE device_stays (device TEXT NOT NULL, bed TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER);
CREATE UNIQUE INDEX device_stays_open ON device_stays (device) WHERE stop IS NULL;
CREATE INDEX device_stays_by_device ON device_stays (device, start);
CREATE TABLE subject_stays (bed TEXT NOT NULL, subject BLOB NOT NULL, start INTEGER NOT NULL, stop INTEGER);
CREATE UNIQUE INDEX subject_stays_open ON subject_stays (bed) WHERE stop IS NULL;
CREATE UNIQUE INDEX subject_stays_once ON subject_stays (subject) WHERE stop IS NULL;
CREATE INDEX subject_stays_by_bed ON subject_stays (bed, start);
CREATE TABLE classes (number INTEGER PRIMARY KEY AUTOINCREMENT, identifier TEXT NOT NULL UNIQUE);
CREATE TABLE segments (id INTEGER PRIMARY KEY AUTOINCREMENT, class INTEGER NOT NULL, hour INTEGER NOT NULL, part INTEGER NOT NULL,
  length INTEGER NOT NULL, expiring INTEGER NOT NULL DEFAULT 0, UNIQUE (class, hour, part));
CREATE TABLE chunks (key INTEGER NOT NULL, code INTEGER NOT NULL, first INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
  last INTEGER NOT NULL, length INTEGER NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (key, code, first, segment, offset)) WITHOUT ROWID;
CREATE INDEX chunks_by_segment ON chunks (segment);
CREATE TABLE seen (device TEXT NOT NULL, run INTEGER NOT NULL, subject BLOB NOT NULL, used INTEGER NOT NULL, ranges BLOB NOT NULL,
  PRIMARY KEY (device, run, subject)) WITHOUT ROWID;
";

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

/// In `meta`: the oldest journal that still counts.
pub(crate) const FIRST_JOURNAL: &str = "first_journal";
/// In `meta`: a journal that must be there at the next opening; 0 for none.
pub(crate) const NEEDED_JOURNAL: &str = "needed_journal";

pub(crate) fn meta(connection: &Connection, name: &str) -> Result<u64, StoreError> {
    let value: Option<i64> =
        one(connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)))?;
    u64::try_from(value.unwrap_or(0)).map_err(|_| damaged())
}

pub(crate) fn set_meta(connection: &Connection, name: &str, value: u64) -> Result<(), StoreError> {
    let value = i64::try_from(value).map_err(|_| damaged())?;
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (name, value)).map_err(database)?;
    Ok(())
}

/// In `meta`: the highest key number of a patient who was ever bound. A key database that never gave it is older than the data.
pub(crate) const LAST_KEY: &str = "last_key";

/// A segment file as the index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) id: i64,
    pub(crate) class: u16,
    pub(crate) hour: i64,
    pub(crate) part: u32,
    pub(crate) length: u64,
    pub(crate) expiring: bool,
}

const SEGMENT_COLUMNS: &str = "segments.id, class, hour, part, segments.length, expiring";

fn segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    let length: i64 = row.get(4)?;
    Ok(Segment {
        id: row.get(0)?,
        class: row.get(1)?,
        hour: row.get(2)?,
        part: row.get(3)?,
        length: u64::try_from(length).unwrap_or(0),
        expiring: row.get(5)?,
    })
}

pub(crate) fn segments(connection: &Connection) -> Result<Vec<Segment>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {SEGMENT_COLUMNS} FROM segments ORDER BY id")).map_err(database)?;
    let rows = statement.query_map([], segment).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

/// The newest part for a class and hour, or a new one if there is none or it is longer than `length_max`. `true`: it is new.
pub(crate) fn segment_for(tx: &Transaction<'_>, class: u16, hour: i64, length_max: u64) -> Result<Segment, StoreError> {
    let sql =
        format!("SELECT {SEGMENT_COLUMNS} FROM segments WHERE class = ?1 AND hour = ?2 ORDER BY part DESC LIMIT 1");
    let newest = one(tx.query_row(&sql, (class, hour), segment))?;
    let part = match newest {
        Some(found) if found.length <= length_max && !found.expiring => return Ok(found),
        Some(found) => found.part + 1,
        None => 0,
    };
    tx.execute("INSERT INTO segments (class, hour, part, length) VALUES (?1, ?2, ?3, 0)", (class, hour, part))
        .map_err(database)?;
    Ok(Segment { id: tx.last_insert_rowid(), class, hour, part, length: 0, expiring: false })
}

pub(crate) fn set_segment_length(tx: &Transaction<'_>, id: i64, length: u64) -> Result<(), StoreError> {
    let length = i64::try_from(length).map_err(|_| damaged())?;
    tx.execute("UPDATE segments SET length = ?2 WHERE id = ?1", (id, length)).map_err(database)?;
    Ok(())
}

pub(crate) fn mark_expiring(tx: &Transaction<'_>, id: i64) -> Result<usize, StoreError> {
    tx.execute("UPDATE segments SET expiring = 1 WHERE id = ?1", [id]).map_err(database)?;
    tx.execute("DELETE FROM chunks WHERE segment = ?1", [id]).map_err(database)
}

pub(crate) fn remove_segment(tx: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM segments WHERE id = ?1", [id]).map_err(database)?;
    Ok(())
}

/// A chunk as the index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) key: u32,
    pub(crate) code: Code,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

pub(crate) fn add_chunk(tx: &Transaction<'_>, chunk: &Chunk, segment: i64, generation: u64) -> Result<(), StoreError> {
    let mut statement = tx
        .prepare_cached("INSERT INTO chunks (key, code, first, last, segment, offset, length, generation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .map_err(database)?;
    let offset = i64::try_from(chunk.offset).map_err(|_| damaged())?;
    let generation = i64::try_from(generation).map_err(|_| damaged())?;
    let row = (chunk.key, chunk.code.number(), chunk.first, chunk.last, segment, offset, chunk.length, generation);
    statement.execute(row).map_err(database)?;
    Ok(())
}

fn chunk(row: &Row<'_>) -> rusqlite::Result<(Chunk, Segment)> {
    let offset: i64 = row.get(10)?;
    let chunk = Chunk {
        key: row.get(6)?,
        code: Code::new(row.get(7)?),
        first: row.get(8)?,
        last: row.get(9)?,
        offset: u64::try_from(offset).unwrap_or(0),
        length: row.get(11)?,
    };
    Ok((chunk, segment(row)?))
}

const CHUNK_COLUMNS: &str = "key, code, first, last, offset, chunks.length";

/// Chunks of one stream that touch `range`, except those of the generations in `held`, which the caller reads from memory.
pub(crate) fn chunks(
    connection: &Connection,
    key: u32,
    code: Code,
    range: TimeRange,
    held: &[u64],
) -> Result<Vec<(Chunk, Segment)>, StoreError> {
    // No chunk is longer than a segment's hour, so older ones need not be looked at.
    let earliest = range.from.micros().saturating_sub(crate::limits::SEGMENT_MICROS);
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS}, {CHUNK_COLUMNS}, generation FROM chunks JOIN segments ON segments.id = segment
         WHERE key = ?1 AND code = ?2 AND first >= ?3 AND first < ?4 AND last >= ?5 ORDER BY first"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(database)?;
    let bounds = (key, code.number(), earliest, range.to.micros(), range.from.micros());
    let rows = statement.query_map(bounds, |row| Ok((chunk(row)?, row.get::<_, i64>(12)?))).map_err(database)?;
    let mut out = Vec::new();
    for row in rows {
        let (found, generation) = row.map_err(database)?;
        if !held.iter().any(|held| i64::try_from(*held) == Ok(generation)) {
            out.push(found);
        }
    }
    Ok(out)
}

/// All chunks of a key, for erasing.
pub(crate) fn chunks_of_key(connection: &Connection, key: u32) -> Result<Vec<(Chunk, Segment)>, StoreError> {
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS}, {CHUNK_COLUMNS} FROM chunks JOIN segments ON segments.id = segment WHERE key = ?1 ORDER BY segment, offset"
    );
    let mut statement = connection.prepare(&sql).map_err(database)?;
    let rows = statement.query_map([key], chunk).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

/// Key numbers that have chunks.
pub(crate) fn keys_with_chunks(connection: &Connection) -> Result<Vec<u32>, StoreError> {
    let mut statement = connection.prepare("SELECT DISTINCT key FROM chunks").map_err(database)?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

pub(crate) fn codes(connection: &Connection, key: u32) -> Result<Vec<(Code, i64, i64)>, StoreError> {
    let sql = "SELECT code, min(first), max(last) FROM chunks WHERE key = ?1 GROUP BY code";
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows =
        statement.query_map([key], |row| Ok((Code::new(row.get(0)?), row.get(1)?, row.get(2)?))).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

/// Forgets chunks, stays and sequence numbers of an erased subject.
/// Answers how many stays and sequence numbers went.
pub(crate) fn forget(tx: &Transaction<'_>, subject: Option<Subject>, key: Option<u32>) -> Result<usize, StoreError> {
    let mut rows = 0;
    if let Some(key) = key {
        tx.execute("DELETE FROM chunks WHERE key = ?1", [key]).map_err(database)?;
    }
    if let Some(subject) = subject {
        let row = [subject.as_bytes().as_slice()];
        rows += tx.execute("DELETE FROM subject_stays WHERE subject = ?1", row).map_err(database)?;
        rows += tx.execute("DELETE FROM seen WHERE subject = ?1", row).map_err(database)?;
    }
    Ok(rows)
}

/// Subjects that are named anywhere in this database.
pub(crate) fn subjects(connection: &Connection) -> Result<Vec<Subject>, StoreError> {
    let mut statement =
        connection.prepare("SELECT subject FROM subject_stays UNION SELECT subject FROM seen").map_err(database)?;
    let rows = statement.query_map([], |row| row.get(0).map(Subject::from_random)).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

/// Identifiers of the retention classes by number.
pub(crate) fn classes(connection: &Connection) -> Result<HashMap<u16, String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT number, identifier FROM classes").map_err(database)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
}

/// The number of a retention class by its identifier, made if new.
pub(crate) fn class(tx: &Transaction<'_>, identifier: &str) -> Result<u16, StoreError> {
    tx.execute("INSERT OR IGNORE INTO classes (identifier) VALUES (?1)", [identifier]).map_err(database)?;
    let number: i64 = tx
        .query_row("SELECT number FROM classes WHERE identifier = ?1", [identifier], |row| row.get(0))
        .map_err(database)?;
    u16::try_from(number).map_err(|_| StoreError::Conflict("there have been more than 65,535 retention classes".into()))
}

/// Adds what a generation saw to what is stored, keeping only as much as memory would.
pub(crate) fn merge_seen(tx: &Transaction<'_>, seen: &Seen, generation: u64) -> Result<(), StoreError> {
    let used = i64::try_from(generation).map_err(|_| damaged())?;
    for (device, run) in seen.iter() {
        let name = (device, run.run, run.subject.as_bytes().as_slice());
        let stored =
            tx.query_row("SELECT ranges FROM seen WHERE device = ?1 AND run = ?2 AND subject = ?3", name, |row| {
                row.get::<_, Vec<u8>>(0)
            });
        let mut ranges = match one(stored)? {
            Some(bytes) => RangeSet::decode(&bytes).ok_or_else(damaged)?,
            None => RangeSet::default(),
        };
        ranges.merge(&run.ranges);
        let row = (device, run.run, run.subject.as_bytes().as_slice(), used, ranges.encode());
        tx.execute("INSERT OR REPLACE INTO seen (device, run, subject, used, ranges) VALUES (?1, ?2, ?3, ?4, ?5)", row)
            .map_err(database)?;
        tx.execute(
            "DELETE FROM seen WHERE device = ?1 AND (run, subject) IN
             (SELECT run, subject FROM seen WHERE device = ?1 ORDER BY used DESC LIMIT -1 OFFSET ?2)",
            (device, i64::try_from(crate::limits::RUNS_PER_DEVICE_MAX).unwrap_or(i64::MAX)),
        )
        .map_err(database)?;
    }
    Ok(())
}

pub(crate) fn load_seen(connection: &Connection) -> Result<Seen, StoreError> {
    let mut statement =
        connection.prepare("SELECT device, subject, run, ranges FROM seen ORDER BY used").map_err(database)?;
    let mut rows = statement.query([]).map_err(database)?;
    let mut out = Seen::default();
    while let Some(row) = rows.next().map_err(database)? {
        let device: String = row.get(0).map_err(database)?;
        let subject = Subject::from_random(row.get(1).map_err(database)?);
        let ranges = RangeSet::decode(&row.get::<_, Vec<u8>>(3).map_err(database)?).ok_or_else(damaged)?;
        out.merge(&device, subject, row.get(2).map_err(database)?, &ranges);
    }
    Ok(out)
}

/// Retires every journal up to `generation`; `next` must exist from now on, if there is one.
pub(crate) fn retire(tx: &Transaction<'_>, generation: u64, next: Option<u64>) -> Result<(), StoreError> {
    set_meta(tx, FIRST_JOURNAL, generation + 1)?;
    set_meta(tx, NEEDED_JOURNAL, next.unwrap_or(0))
}

pub(crate) fn open(path: &std::path::Path) -> Result<Connection, StoreError> {
    records::open(path, &[SCHEMA])
}
