//! The home of the register: `register.db`, an append-only list of changes, each sealed.
//!
//! A change about a patient is sealed under that patient's key, so that erasing the patient makes it unreadable at once; any other is sealed under the
//! register's own key, which the key provider wraps. This module knows neither what a change says nor whether it is allowed: that is the register's.
//!
//! What always holds: a change is durable when [`Changes::append`] returns, and a list of them is kept whole or not at all; a number is never given
//! twice; a row is bound to its number, time and patient, so that no row can stand in for another; what was forgotten is overwritten.

use crate::api::StoreError;
use crate::embedded::EmbeddedStore;
use crate::records::keys::KeyStore;
use crate::records::{self, write};
use obhut_model::{ServerTime, Subject};
use obhut_register::{ChangeLog, LogError, Row, Stored};
use obhut_vault::{KeyProvider, NonceSource, Random, RegisterKey, SealContext};
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction};
use std::path::Path;

const SCHEMA: &str = "
CREATE TABLE register_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, subject BLOB, sealed BLOB NOT NULL);
CREATE INDEX changes_by_subject ON changes (subject) WHERE subject IS NOT NULL;
";

impl ChangeLog for EmbeddedStore {
    fn load(&self) -> Result<Vec<Stored>, LogError> {
        let kept = self.inner.changes.load(&self.inner.keys).map_err(|error| failed("cannot be read", error))?;
        let stored = |kept: Kept| Stored { seq: kept.seq, at: kept.at, about: kept.about, bytes: kept.bytes };
        Ok(kept.into_iter().map(stored).collect())
    }

    fn append(&self, rows: &[Row]) -> Result<u64, LogError> {
        let inner = &*self.inner;
        let rows = rows.iter().map(|row| (row.at, row.about, row.bytes.as_slice()));
        inner.changes.append(rows, &inner.keys, &inner.nonces).map_err(|error| failed("takes no change", error))
    }

    fn forget(&self, subject: Subject) -> Result<u64, LogError> {
        self.inner.changes.forget(subject).map_err(|error| failed("did not forget", error))
    }

    fn remove(&self, seqs: &[u64]) -> Result<(), LogError> {
        self.inner.changes.remove(seqs).map_err(|error| failed("did not remove", error))
    }
}

fn failed(what: &str, error: StoreError) -> LogError {
    LogError::because(format!("the register's file {what}"), error)
}

/// A change as it was kept.
pub(crate) struct Kept {
    pub(crate) seq: u64,
    pub(crate) at: ServerTime,
    pub(crate) about: Option<Subject>,
    pub(crate) bytes: Vec<u8>,
}

/// The list of changes.
pub(crate) struct Changes {
    connection: Mutex<Connection>,
    key: RegisterKey,
}

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

fn damaged(seq: i64) -> StoreError {
    StoreError::Damaged { file: "register.db".into(), offset: u64::try_from(seq).unwrap_or(0) }
}

impl Changes {
    pub(crate) fn open(path: &Path, provider: &dyn KeyProvider, random: &dyn Random) -> Result<Self, StoreError> {
        let mut connection = records::open(path, &[SCHEMA])?;
        let key = write(&mut connection, |tx| {
            records::wrapped_key(tx, "register_key", RegisterKey::CONTEXT, provider, random)
        })?;
        let key = RegisterKey::new(&key).map_err(|_| StoreError::Key)?;
        Ok(Self { connection: Mutex::new(connection), key })
    }

    /// Everything there is, in order.
    pub(crate) fn load(&self, keys: &KeyStore) -> Result<Vec<Kept>, StoreError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare("SELECT seq, at, subject, sealed FROM changes ORDER BY seq").map_err(database)?;
        let mut rows = statement.query([]).map_err(database)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(database)? {
            let seq: i64 = row.get(0).map_err(database)?;
            let at = ServerTime::from_micros(row.get(1).map_err(database)?);
            let about = row.get::<_, Option<[u8; 16]>>(2).map_err(|_| damaged(seq))?.map(Subject::from_random);
            let sealed: Vec<u8> = row.get(3).map_err(database)?;
            let plain = match about {
                None => self.key.open(&SealContext::register(None, 0, at, seq), &sealed),
                Some(subject) => {
                    let entry = keys.get(subject).ok_or_else(|| damaged(seq))?;
                    entry.key.open(&SealContext::register(about, entry.number, at, seq), &sealed)
                }
            };
            let bytes = plain.map_err(|_| damaged(seq))?.to_vec();
            out.push(Kept { seq: u64::try_from(seq).map_err(|_| damaged(seq))?, at, about, bytes });
        }
        Ok(out)
    }

    /// Keeps `rows`, all or none; durable when it returns. Answers the number of the first.
    pub(crate) fn append<'a>(
        &self,
        rows: impl Iterator<Item = (ServerTime, Option<Subject>, &'a [u8])>,
        keys: &KeyStore,
        nonces: &NonceSource,
    ) -> Result<u64, StoreError> {
        // Whoever erases marks the key first and then comes here to forget; the lock makes sure that nothing is kept in between.
        let mut connection = self.connection.lock();
        let first = write(&mut connection, |tx| {
            let last = last_seq(tx)?;
            let mut seq = last;
            for (at, about, bytes) in rows {
                seq += 1;
                let nonce = nonces.next().map_err(|_| StoreError::Key)?;
                let sealed = match about {
                    None => self.key.seal(nonce, &SealContext::register(None, 0, at, seq), bytes),
                    Some(subject) => {
                        let entry = keys.get(subject).filter(|entry| !entry.is_erased());
                        let entry = entry.ok_or(StoreError::Unknown("the subject"))?;
                        entry.key.seal(nonce, &SealContext::register(about, entry.number, at, seq), bytes)
                    }
                };
                let sealed = sealed.map_err(|_| StoreError::Key)?;
                let subject = about.as_ref().map(|subject| subject.as_bytes().as_slice());
                tx.prepare_cached("INSERT INTO changes (seq, at, subject, sealed) VALUES (?1, ?2, ?3, ?4)")
                    .and_then(|mut insert| insert.execute((seq, at.micros(), subject, sealed)))
                    .map_err(database)?;
            }
            Ok(last + 1)
        })?;
        u64::try_from(first).map_err(|_| damaged(first))
    }

    /// Removes everything about `subject`, physically.
    pub(crate) fn forget(&self, subject: Subject) -> Result<u64, StoreError> {
        self.delete(|tx| {
            tx.execute("DELETE FROM changes WHERE subject = ?1", [subject.as_bytes().as_slice()]).map_err(database)
        })
    }

    /// Removes the rows with these numbers, physically; fine if some are gone.
    pub(crate) fn remove(&self, seqs: &[u64]) -> Result<(), StoreError> {
        self.delete(|tx| {
            let mut gone = 0;
            for seq in seqs {
                let seq = i64::try_from(*seq).map_err(|_| StoreError::Unknown("the change"))?;
                gone += tx.execute("DELETE FROM changes WHERE seq = ?1", [seq]).map_err(database)?;
            }
            Ok(gone)
        })
        .map(drop)
    }

    fn delete(&self, with: impl FnOnce(&Transaction<'_>) -> Result<usize, StoreError>) -> Result<u64, StoreError> {
        let mut connection = self.connection.lock();
        let gone = write(&mut connection, with)?;
        records::truncate_log(&connection)?;
        Ok(gone as u64)
    }

    /// Subjects that any change is about.
    pub(crate) fn subjects(&self) -> Result<Vec<Subject>, StoreError> {
        let connection = self.connection.lock();
        let sql = "SELECT DISTINCT subject FROM changes WHERE subject IS NOT NULL";
        let mut statement = connection.prepare(sql).map_err(database)?;
        let rows = statement.query_map([], |row| row.get(0).map(Subject::from_random)).map_err(database)?;
        rows.collect::<Result<_, _>>().map_err(database)
    }

    /// Wraps the register's key anew.
    pub(crate) fn rewrap(&self, provider: &dyn KeyProvider) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        write(&mut connection, |tx| records::rewrap_key(tx, "register_key", RegisterKey::CONTEXT, provider))?;
        records::truncate_log(&connection)
    }

    /// Lets the database grow no further, as a full disk would; `false` ends that.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, full: bool) -> Result<(), StoreError> {
        let connection = self.connection.lock();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(database)?;
        let limit = if full { pages } else { i64::from(u32::MAX - 1) };
        connection.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(())).map_err(database)
    }
}

/// The last number that was ever given, forgotten rows included.
fn last_seq(tx: &Transaction<'_>) -> Result<i64, StoreError> {
    let last = tx.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'changes'", [], |row| row.get(0));
    Ok(records::one(last)?.unwrap_or(0))
}
