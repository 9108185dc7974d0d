//! The key store: one wrapped key per subject. Deleting the row erases the subject, so the deletion must be physical.
//!
//! INVARIANT: a key number is never given twice, so bytes sealed under a destroyed key can never be taken for another's.

use crate::api::StoreError;
use crate::hash::BySubject;
use crate::records;
use arc_swap::ArcSwap;
use obhut_model::Subject;
use obhut_vault::{KeyBytes, KeyProvider, NonceSource, Random, StoreKey, SubjectKey};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SCHEMA: &str = "
CREATE TABLE store_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
CREATE TABLE subject_keys (number INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL UNIQUE, wrapped BLOB NOT NULL);
";

/// A subject with its key, ready to seal.
#[derive(Debug)]
pub(crate) struct SubjectEntry {
    pub(crate) subject: Subject,
    pub(crate) number: u32,
    pub(crate) key: SubjectKey,
    erased: AtomicBool,
}

impl SubjectEntry {
    pub(crate) fn is_erased(&self) -> bool {
        self.erased.load(Ordering::Acquire)
    }
}

type Map = BySubject<Arc<SubjectEntry>>;

/// Subject keys, on disk wrapped and in memory ready.
pub(crate) struct KeyStore {
    connection: Mutex<Connection>,
    store_key: StoreKey,
    map: ArcSwap<Map>,
}

impl KeyStore {
    pub(crate) fn open(path: &Path, provider: &dyn KeyProvider, random: &dyn Random) -> Result<Self, StoreError> {
        let mut connection = records::open(path, 1, SCHEMA)?;
        let store_key = records::write(&mut connection, |tx| {
            let found: Option<Vec<u8>> =
                records::one(tx.query_row("SELECT wrapped FROM store_key", [], |row| row.get(0)))?;
            if let Some(wrapped) = found {
                return KeyBytes::unwrap(provider, StoreKey::CONTEXT, &wrapped).map_err(|_| StoreError::Key);
            }
            let key = KeyBytes::generate(random).map_err(|_| StoreError::Key)?;
            let wrapped = key.wrap(provider, StoreKey::CONTEXT).map_err(|_| StoreError::Key)?;
            tx.execute("INSERT INTO store_key VALUES (1, ?1)", [wrapped]).map_err(StoreError::Database)?;
            Ok(key)
        })?;
        let store_key = StoreKey::new(&store_key).map_err(|_| StoreError::Key)?;
        let map = load(&connection, &store_key)?;
        Ok(Self { connection: Mutex::new(connection), store_key, map: ArcSwap::from_pointee(map) })
    }

    pub(crate) fn map(&self) -> arc_swap::Guard<Arc<Map>> {
        self.map.load()
    }

    pub(crate) fn get(&self, subject: Subject) -> Option<Arc<SubjectEntry>> {
        self.map.load().get(&subject).cloned()
    }

    pub(crate) fn by_number(&self) -> HashMap<u32, Arc<SubjectEntry>> {
        self.map.load().values().map(|entry| (entry.number, entry.clone())).collect()
    }

    /// Draws a pseudonym and a key for it; durable when this returns.
    pub(crate) fn create(&self, random: &dyn Random, nonces: &NonceSource) -> Result<Subject, StoreError> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes).map_err(|_| StoreError::Key)?;
        let subject = Subject::from_random(bytes);
        let key = KeyBytes::generate(random).map_err(|_| StoreError::Key)?;
        let nonce = nonces.next().map_err(|_| StoreError::Key)?;
        let wrapped = self.store_key.wrap(nonce, subject, &key).map_err(|_| StoreError::Key)?;
        let mut connection = self.connection.lock();
        let number = records::write(&mut connection, |tx| {
            let row = (subject.as_bytes().as_slice(), wrapped);
            tx.execute("INSERT INTO subject_keys (subject, wrapped) VALUES (?1, ?2)", row)
                .map_err(StoreError::Database)?;
            u32::try_from(tx.last_insert_rowid()).map_err(|_| StoreError::Key)
        })?;
        let entry = entry(subject, number, &key)?;
        let mut map = Map::clone(&self.map.load());
        map.insert(subject, Arc::new(entry));
        self.map.store(Arc::new(map));
        Ok(subject)
    }

    /// Destroys the key on disk, then in memory, and marks every copy still held. `None` if there was none.
    pub(crate) fn destroy(&self, subject: Subject) -> Result<Option<Arc<SubjectEntry>>, StoreError> {
        let mut connection = self.connection.lock();
        records::write(&mut connection, |tx| {
            let row = [subject.as_bytes().as_slice()];
            tx.execute("DELETE FROM subject_keys WHERE subject = ?1", row).map_err(StoreError::Database)
        })?;
        let mut map = Map::clone(&self.map.load());
        let gone = map.remove(&subject);
        if let Some(entry) = &gone {
            entry.erased.store(true, Ordering::Release);
        }
        self.map.store(Arc::new(map));
        records::truncate_log(&connection)?;
        Ok(gone)
    }
}

fn load(connection: &Connection, store_key: &StoreKey) -> Result<Map, StoreError> {
    let mut statement =
        connection.prepare("SELECT number, subject, wrapped FROM subject_keys").map_err(StoreError::Database)?;
    let mut rows = statement.query([]).map_err(StoreError::Database)?;
    let mut map = Map::default();
    while let Some(row) = rows.next().map_err(StoreError::Database)? {
        let number: u32 = row.get(0).map_err(StoreError::Database)?;
        let subject = Subject::from_random(row.get(1).map_err(StoreError::Database)?);
        let wrapped: Vec<u8> = row.get(2).map_err(StoreError::Database)?;
        let key = store_key.unwrap(subject, &wrapped).map_err(|_| StoreError::Key)?;
        map.insert(subject, Arc::new(entry(subject, number, &key)?));
    }
    Ok(map)
}

fn entry(subject: Subject, number: u32, key: &KeyBytes) -> Result<SubjectEntry, StoreError> {
    let key = SubjectKey::new(key).map_err(|_| StoreError::Key)?;
    Ok(SubjectEntry { subject, number, key, erased: AtomicBool::new(false) })
}
