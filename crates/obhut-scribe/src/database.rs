//! `events.db`: sealed events and salts, keyed tags to find them by, and how far each spool was replayed. SQLite.
//!
//! Commit is the one moment an entry becomes durable: WAL, `synchronous = FULL`. After any failed write the connection is thrown away; opening anew
//! copies what the log holds into the database and syncs that before anything is added, because the kernel may call pages clean that never reached
//! the disk. `secure_delete` overwrites what is removed, and the log is cut after a removal.

use obhut_ledger::event::EventKind;
use obhut_ledger::record::{Row, Tags};
use obhut_ledger::{Disk, EventKey, Leaf};
use obhut_model::{PersonId, ServerTime, Subject};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, ToSql, params, params_from_iter};
use std::path::Path;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS entries (
    idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, sealed BLOB, at INTEGER, kind INTEGER, request BLOB, subject BLOB, person BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS entries_request ON entries (request) WHERE request IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_subject ON entries (subject, idx) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_person ON entries (person, idx) WHERE person IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_at ON entries (at) WHERE at IS NOT NULL;
CREATE TABLE IF NOT EXISTS spools (id BLOB PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Why the database could not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// SQLite says so.
    #[error("events.db: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row holds what no row may.
    #[error("events.db: entry {0} is damaged")]
    Damaged(u64),
}

/// One row as it is read.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) index: u64,
    pub(crate) leaf: Leaf,
    pub(crate) sealed: Option<Vec<u8>>,
}

/// What is looked for; every field narrows.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Whose data.
    pub subject: Option<Subject>,
    /// Who acted.
    pub person: Option<PersonId>,
    /// What sorts; all if empty.
    pub kinds: Vec<EventKind>,
    /// Not before.
    pub from: Option<ServerTime>,
    /// Before.
    pub to: Option<ServerTime>,
    /// Only entries before this number; to go on where a page ended.
    pub before: Option<u64>,
    /// How many at most, newest first; bounded by [`FIND_MAX`](crate::limits::FIND_MAX).
    pub limit: usize,
}

/// The database.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    staged: Vec<Row>,
    mark: Option<([u8; 16], u64)>,
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Database {
    /// Opens or makes it for writing, and makes durable what its log holds.
    pub(crate) fn open(path: &Path) -> Result<Self, DatabaseError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.execute_batch(SCHEMA)?;
        let mut new = Self { connection, staged: Vec::new(), mark: None };
        new.cut_log()?;
        Ok(new)
    }

    /// Opens it for reading beside the writer.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, DatabaseError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        Ok(Self { connection, staged: Vec::new(), mark: None })
    }

    /// Copies the log into the database, syncs it, and cuts the log.
    pub(crate) fn cut_log(&mut self) -> Result<(), DatabaseError> {
        let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 {
            // A reader holds it; what is in the log is synced when the next commit succeeds or the next cut does.
            self.connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Number of the next entry.
    pub(crate) fn next(&self) -> Result<u64, DatabaseError> {
        let last: Option<i64> = self.connection.query_row("SELECT max(idx) FROM entries", [], |row| row.get(0))?;
        Ok(last.map_or(0, |last| unsigned(last).saturating_add(1)))
    }

    /// Says, in the transaction of the next batch, that spool `id` was replayed up to event `next`.
    pub(crate) fn mark(&mut self, id: [u8; 16], next: u64) {
        self.mark = Some((id, next));
    }

    /// How far spool `id` was replayed.
    pub(crate) fn marked(&self, id: &[u8; 16]) -> Result<u64, DatabaseError> {
        let next: Option<i64> = self
            .connection
            .query_row("SELECT next FROM spools WHERE id = ?1", [id.as_slice()], |row| row.get(0))
            .optional()?;
        Ok(next.map_or(0, unsigned))
    }

    /// Forgets how far spools were replayed. Only when the files of all that were replayed are gone.
    pub(crate) fn forget_spools(&self) -> Result<(), DatabaseError> {
        self.connection.execute("DELETE FROM spools", [])?;
        Ok(())
    }

    /// Rows `from..`, in order, at most `limit`.
    pub(crate) fn rows(&self, from: u64, limit: u64) -> Result<Vec<Stored>, DatabaseError> {
        let sql = "SELECT idx, leaf, sealed FROM entries WHERE idx >= ?1 ORDER BY idx LIMIT ?2";
        self.select(sql, params![signed(from), signed(limit)])
    }

    /// One row.
    pub(crate) fn row(&self, index: u64) -> Result<Option<Stored>, DatabaseError> {
        Ok(self.rows(index, 1)?.pop().filter(|row| row.index == index))
    }

    /// Rows of a request.
    pub(crate) fn by_request(&self, tag: &[u8; 16]) -> Result<Vec<Stored>, DatabaseError> {
        self.select("SELECT idx, leaf, sealed FROM entries WHERE request = ?1 ORDER BY idx", params![tag.as_slice()])
    }

    /// Rows that answer a query, newest first. Removed ones are not among them.
    pub(crate) fn find(&self, key: &EventKey, query: &Query) -> Result<Vec<Stored>, DatabaseError> {
        let mut sql = "SELECT idx, leaf, sealed FROM entries WHERE sealed IS NOT NULL".to_owned();
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        let mut add = |condition: &str, value: Box<dyn ToSql>| {
            values.push(value);
            sql.push_str(&format!(" AND {condition} ?{}", values.len()));
        };
        if let Some(subject) = query.subject {
            add("subject =", Box::new(Tags::subject(key, subject).to_vec()));
        }
        if let Some(person) = query.person {
            add("person =", Box::new(Tags::person(key, person).to_vec()));
        }
        if let Some(from) = query.from {
            add("at >=", Box::new(from.micros()));
        }
        if let Some(to) = query.to {
            add("at <", Box::new(to.micros()));
        }
        if let Some(before) = query.before {
            add("idx <", Box::new(signed(before)));
        }
        if !query.kinds.is_empty() {
            let kinds: Vec<String> = query.kinds.iter().map(|kind| kind.number().to_string()).collect();
            sql.push_str(&format!(" AND kind IN ({})", kinds.join(",")));
        }
        let limit = query.limit.clamp(1, crate::limits::FIND_MAX);
        sql.push_str(&format!(" ORDER BY idx DESC LIMIT {limit}"));
        self.select(&sql, params_from_iter(values))
    }

    fn select(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Stored>, DatabaseError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let index = unsigned(row.get(0)?);
            let leaf: Vec<u8> = row.get(1)?;
            let leaf = Leaf(leaf.try_into().map_err(|_| DatabaseError::Damaged(index))?);
            out.push(Stored { index, leaf, sealed: row.get(2)? });
        }
        Ok(out)
    }

    /// Numbers of entries of these kinds before a time, at most `limit`.
    pub(crate) fn removable(
        &self,
        before: ServerTime,
        kinds: &[EventKind],
        limit: usize,
    ) -> Result<Vec<u64>, DatabaseError> {
        let kinds: Vec<String> = kinds.iter().map(|kind| kind.number().to_string()).collect();
        let sql = format!(
            "SELECT idx FROM entries WHERE at < ?1 AND kind IN ({}) AND sealed IS NOT NULL ORDER BY at LIMIT {limit}",
            kinds.join(",")
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([before.micros()], |row| row.get::<_, i64>(0))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().map(unsigned).collect())
    }

    /// How many entries of these kinds are older than a time.
    pub(crate) fn count_before(&self, before: ServerTime, kinds: &[EventKind]) -> Result<u64, DatabaseError> {
        let kinds: Vec<String> = kinds.iter().map(|kind| kind.number().to_string()).collect();
        let sql = format!(
            "SELECT count(*) FROM entries WHERE at < ?1 AND kind IN ({}) AND sealed IS NOT NULL",
            kinds.join(",")
        );
        Ok(unsigned(self.connection.query_row(&sql, [before.micros()], |row| row.get(0))?))
    }

    /// Removes event, salt, tags, time and sort of these entries; the commitment stays.
    pub(crate) fn remove(&mut self, indexes: &[u64]) -> Result<(), DatabaseError> {
        let work = self.connection.transaction()?;
        {
            let mut statement = work.prepare(
                "UPDATE entries SET sealed = NULL, at = NULL, kind = NULL, request = NULL, subject = NULL, person = NULL WHERE idx = ?1",
            )?;
            for index in indexes {
                statement.execute([signed(*index)])?;
            }
        }
        work.commit()?;
        Ok(())
    }

    /// Entries about a subject.
    pub(crate) fn of_subject(&self, key: &EventKey, subject: Subject) -> Result<Vec<Stored>, DatabaseError> {
        let tag = Tags::subject(key, subject);
        let sql = "SELECT idx, leaf, sealed FROM entries WHERE subject = ?1 AND sealed IS NOT NULL ORDER BY idx";
        self.select(sql, params![tag.as_slice()])
    }

    /// Puts other sealed bytes in the place of these entries'.
    pub(crate) fn reseal(&mut self, sealed: &[(u64, Vec<u8>)]) -> Result<(), DatabaseError> {
        let work = self.connection.transaction()?;
        for (index, sealed) in sealed {
            work.execute("UPDATE entries SET sealed = ?2 WHERE idx = ?1", params![signed(*index), sealed])?;
        }
        work.commit()?;
        Ok(())
    }
}

impl Disk<Row> for Database {
    type Error = DatabaseError;

    fn append(&mut self, items: &[Row]) -> Result<(), DatabaseError> {
        self.staged.extend_from_slice(items);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DatabaseError> {
        let (rows, mark) = (std::mem::take(&mut self.staged), self.mark.take());
        let work = self.connection.transaction()?;
        {
            let mut statement = work.prepare_cached(
                "INSERT INTO entries (idx, leaf, sealed, at, kind, request, subject, person) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for row in &rows {
                statement.execute(params![
                    signed(row.index),
                    row.leaf.0.as_slice(),
                    row.sealed,
                    row.at.micros(),
                    row.kind.number(),
                    row.tags.request.as_slice(),
                    row.tags.subject.as_ref().map(<[u8; 16]>::as_slice),
                    row.tags.person.as_ref().map(<[u8; 16]>::as_slice),
                ])?;
            }
            if let Some((id, next)) = mark {
                work.execute(
                    "INSERT INTO spools (id, next) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET next = excluded.next",
                    params![id.as_slice(), signed(next)],
                )?;
            }
        }
        work.commit()?;
        Ok(())
    }
}
