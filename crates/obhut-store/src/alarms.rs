//! The home of what the alarms of a ward remember: `alarms.db`.
//!
//! *Pieces* are states, each under a name, the newest in place of the one before; *records* are what happened, one row each, in order. What is about a patient is
//! sealed under that patient's key and goes when the key does; the rest is sealed under a key of its own, which the key provider wraps.
//! This module knows neither what they say nor when to write them. It is a file of its own so that no other writer holds up the alarms' and none is held up.
//!
//! What always holds: pieces and records of one call are kept whole or not at all, and are durable when it returns; a row is bound to its number, time and
//! patient; what was forgotten or replaced is overwritten.

use crate::api::{AlarmHome, AlarmPiece, AlarmRecord, StoreError};
use crate::embedded::EmbeddedStore;
use crate::records::keys::KeyStore;
use crate::records::{self, write};
use obhut_access::{Action, Sealed};
use obhut_model::{ServerTime, Subject};
use obhut_vault::{KeyProvider, NonceSource, Random, RegisterKey, SealContext};
use parking_lot::Mutex;
use rusqlite::{Connection, Row, Transaction};
use std::ops::Range;
use std::path::Path;

const SCHEMA: &str = "
CREATE TABLE alarm_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
CREATE TABLE pieces (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, subject BLOB, sealed BLOB NOT NULL);
CREATE INDEX pieces_by_subject ON pieces (subject) WHERE subject IS NOT NULL;
CREATE TABLE records (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, subject BLOB, sealed BLOB NOT NULL);
CREATE INDEX records_by_subject ON records (subject, at) WHERE subject IS NOT NULL;
CREATE INDEX records_by_time ON records (at);
";

/// What opens a patient's alarms.
const SEES_ALARMS: &[Action] = &[Action::HistoryView, Action::OwnView, Action::RequestManage];
/// What opens everybody's, for counting.
const COUNTS_ALARMS: &[Action] = &[Action::LiveView];

impl AlarmHome for EmbeddedStore {
    fn pieces(&self) -> Result<Vec<AlarmPiece>, StoreError> {
        self.inner.alarms.pieces(&self.inner.keys)
    }

    fn keep(&self, pieces: &[AlarmPiece], gone: &[String], records: &[AlarmRecord]) -> Result<(), StoreError> {
        self.inner.alarms.keep(pieces, gone, records, &self.inner.keys, &self.inner.nonces)
    }

    fn alarm_records(
        &self,
        subject: Subject,
        within: Range<ServerTime>,
        max: usize,
    ) -> Result<Sealed<Vec<AlarmRecord>>, StoreError> {
        let found = self.inner.alarms.records(Some(subject), within, max, &self.inner.keys)?;
        Ok(Sealed::about(Some(subject), SEES_ALARMS, found))
    }

    fn all_alarm_records(&self, within: Range<ServerTime>, max: usize) -> Result<Sealed<Vec<AlarmRecord>>, StoreError> {
        let found = self.inner.alarms.records(None, within, max, &self.inner.keys)?;
        Ok(Sealed::about(None, COUNTS_ALARMS, found))
    }

    fn expire_alarm_records(&self, before: ServerTime) -> Result<u64, StoreError> {
        self.inner.alarms.expire(before)
    }
}

/// The file.
pub(crate) struct Alarms {
    connection: Mutex<Connection>,
    key: RegisterKey,
}

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

fn damaged(number: i64) -> StoreError {
    StoreError::Damaged { file: "alarms.db".into(), offset: u64::try_from(number).unwrap_or(0) }
}

/// A row before it is opened.
struct Shut {
    number: i64,
    at: ServerTime,
    about: Option<Subject>,
    sealed: Vec<u8>,
}

fn shut(row: &Row<'_>) -> rusqlite::Result<Shut> {
    Ok(Shut {
        number: row.get(0)?,
        at: ServerTime::from_micros(row.get(1)?),
        about: row.get::<_, Option<[u8; 16]>>(2)?.map(Subject::from_random),
        sealed: row.get(3)?,
    })
}

impl Alarms {
    pub(crate) fn open(path: &Path, provider: &dyn KeyProvider, random: &dyn Random) -> Result<Self, StoreError> {
        let mut connection = records::open(path, &[SCHEMA])?;
        let key =
            write(&mut connection, |tx| records::wrapped_key(tx, "alarm_key", RegisterKey::CONTEXT, provider, random))?;
        let key = RegisterKey::new(&key).map_err(|_| StoreError::Key)?;
        Ok(Self { connection: Mutex::new(connection), key })
    }

    fn unseal(&self, row: &Shut, keys: &KeyStore) -> Result<Vec<u8>, StoreError> {
        let plain = match row.about {
            None => self.key.open(&SealContext::alarms(None, 0, row.at, row.number), &row.sealed),
            Some(subject) => {
                let entry = keys.get(subject).ok_or_else(|| damaged(row.number))?;
                entry.key.open(&SealContext::alarms(row.about, entry.number, row.at, row.number), &row.sealed)
            }
        };
        plain.map(|plain| plain.to_vec()).map_err(|_| damaged(row.number))
    }

    fn seal(
        &self,
        number: i64,
        at: ServerTime,
        about: Option<Subject>,
        bytes: &[u8],
        keys: &KeyStore,
        nonces: &NonceSource,
    ) -> Result<Vec<u8>, StoreError> {
        let nonce = nonces.next().map_err(|_| StoreError::Key)?;
        let sealed = match about {
            None => self.key.seal(nonce, &SealContext::alarms(None, 0, at, number), bytes),
            Some(subject) => {
                let entry = keys.get(subject).filter(|entry| !entry.is_erased());
                let entry = entry.ok_or(StoreError::Unknown("the subject"))?;
                entry.key.seal(nonce, &SealContext::alarms(about, entry.number, at, number), bytes)
            }
        };
        sealed.map_err(|_| StoreError::Key)
    }

    /// Every piece.
    fn pieces(&self, keys: &KeyStore) -> Result<Vec<AlarmPiece>, StoreError> {
        let connection = self.connection.lock();
        let mut statement = connection
            .prepare("SELECT number, at, subject, sealed, name FROM pieces ORDER BY name")
            .map_err(database)?;
        let rows = statement.query_map([], |row| Ok((shut(row)?, row.get(4)?))).map_err(database)?;
        rows.map(|row| {
            let (row, name) = row.map_err(database)?;
            let bytes = self.unseal(&row, keys)?;
            Ok(AlarmPiece { name, at: row.at, about: row.about, bytes })
        })
        .collect()
    }

    /// Puts pieces in place of those of the same name, removes those named in `gone`, adds records; all or nothing, durable when it returns.
    fn keep(
        &self,
        pieces: &[AlarmPiece],
        gone: &[String],
        records: &[AlarmRecord],
        keys: &KeyStore,
        nonces: &NonceSource,
    ) -> Result<(), StoreError> {
        // Whoever erases marks the key first and then comes here to forget; the lock makes sure that nothing is kept in between.
        let mut connection = self.connection.lock();
        write(&mut connection, |tx| {
            for name in gone.iter().chain(pieces.iter().map(|piece| &piece.name)) {
                tx.prepare_cached("DELETE FROM pieces WHERE name = ?1")
                    .and_then(|mut delete| delete.execute([name]))
                    .map_err(database)?;
            }
            let mut number = last_number(tx, "pieces")?;
            for piece in pieces {
                number += 1;
                let sealed = self.seal(number, piece.at, piece.about, &piece.bytes, keys, nonces)?;
                let subject = piece.about.as_ref().map(|subject| subject.as_bytes().as_slice());
                tx.prepare_cached("INSERT INTO pieces (number, name, at, subject, sealed) VALUES (?1, ?2, ?3, ?4, ?5)")
                    .and_then(|mut insert| insert.execute((number, &piece.name, piece.at.micros(), subject, sealed)))
                    .map_err(database)?;
            }
            let mut number = last_number(tx, "records")?;
            for record in records {
                number += 1;
                let sealed = self.seal(number, record.at, record.about, &record.bytes, keys, nonces)?;
                let subject = record.about.as_ref().map(|subject| subject.as_bytes().as_slice());
                tx.prepare_cached("INSERT INTO records (number, at, subject, sealed) VALUES (?1, ?2, ?3, ?4)")
                    .and_then(|mut insert| insert.execute((number, record.at.micros(), subject, sealed)))
                    .map_err(database)?;
            }
            Ok(())
        })
    }

    /// The newest `max` records of that time, oldest first.
    pub(crate) fn records(
        &self,
        about: Option<Subject>,
        within: Range<ServerTime>,
        max: usize,
        keys: &KeyStore,
    ) -> Result<Vec<AlarmRecord>, StoreError> {
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let (from, to) = (within.start.micros(), within.end.micros());
        // Read first, opened after the lock is free, so that a long history does not hold up what is being written.
        let rows: Vec<Shut> = {
            let connection = self.connection.lock();
            let (sql, subject) = match &about {
                Some(subject) => (
                    "SELECT number, at, subject, sealed FROM records WHERE subject = ?4 AND at >= ?1 AND at < ?2 ORDER BY number DESC LIMIT ?3",
                    Some(subject.as_bytes().as_slice()),
                ),
                None => (
                    "SELECT number, at, subject, sealed FROM records WHERE at >= ?1 AND at < ?2 AND ?4 IS NULL ORDER BY number DESC LIMIT ?3",
                    None,
                ),
            };
            let mut statement = connection.prepare_cached(sql).map_err(database)?;
            let rows = statement.query_map((from, to, limit, subject), shut).map_err(database)?;
            rows.collect::<Result<_, _>>().map_err(database)?
        };
        rows.iter()
            .rev()
            .map(|row| Ok(AlarmRecord { at: row.at, about: row.about, bytes: self.unseal(row, keys)? }))
            .collect()
    }

    /// Removes everything about `subject`, physically.
    pub(crate) fn forget(&self, subject: Subject) -> Result<u64, StoreError> {
        self.delete(|tx| {
            let subject = subject.as_bytes().as_slice();
            let pieces = tx.execute("DELETE FROM pieces WHERE subject = ?1", [subject]).map_err(database)?;
            let records = tx.execute("DELETE FROM records WHERE subject = ?1", [subject]).map_err(database)?;
            Ok(pieces + records)
        })
    }

    fn expire(&self, before: ServerTime) -> Result<u64, StoreError> {
        self.delete(|tx| tx.execute("DELETE FROM records WHERE at < ?1", [before.micros()]).map_err(database))
    }

    fn delete(&self, with: impl FnOnce(&Transaction<'_>) -> Result<usize, StoreError>) -> Result<u64, StoreError> {
        let mut connection = self.connection.lock();
        let gone = write(&mut connection, with)?;
        if gone > 0 {
            records::truncate_log(&connection)?;
        }
        Ok(gone as u64)
    }

    /// Subjects that anything is about.
    pub(crate) fn subjects(&self) -> Result<Vec<Subject>, StoreError> {
        let connection = self.connection.lock();
        let sql = "SELECT subject FROM pieces WHERE subject IS NOT NULL UNION SELECT subject FROM records WHERE subject IS NOT NULL";
        let mut statement = connection.prepare(sql).map_err(database)?;
        let rows = statement.query_map([], |row| row.get(0).map(Subject::from_random)).map_err(database)?;
        rows.collect::<Result<_, _>>().map_err(database)
    }

    /// Wraps the key anew.
    pub(crate) fn rewrap(&self, provider: &dyn KeyProvider) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        write(&mut connection, |tx| records::rewrap_key(tx, "alarm_key", RegisterKey::CONTEXT, provider))?;
        records::truncate_log(&connection)
    }
}

/// The last number that was ever given in `table`, removed rows included.
fn last_number(tx: &Transaction<'_>, table: &str) -> Result<i64, StoreError> {
    let last = tx.query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [table], |row| row.get(0));
    Ok(records::one(last)?.unwrap_or(0))
}
