//! The key store: two wrapped keys per subject, one for his values and one for his identity, all under the store key of the epoch in force.
//!
//! Deleting a subject's row erases the subject, so the deletion must be physical. An older copy of this database opens nothing once the epoch has changed,
//! see decision 0130.
//!
//! INVARIANT: a key number is never given twice, so bytes sealed under a destroyed key can never be taken for another's.

use crate::api::StoreError;
use crate::hash::BySubject;
use crate::records::epoch::{Epoch, EpochFile};
use crate::records::{self, one, write};
use arc_swap::ArcSwap;
use obhut_model::{ServerTime, Subject};
use obhut_vault::{KeyBytes, KeyProvider, NonceSource, PersonalKey, Random, StoreKey, SubjectKey};
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const STEPS: [&str; 2] = [
    "
CREATE TABLE store_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
CREATE TABLE subject_keys (number INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL UNIQUE, wrapped BLOB NOT NULL);
",
    // `epoch` is none until the first one is made; `due` says that a key was destroyed since.
    "
ALTER TABLE subject_keys ADD COLUMN personal BLOB;
CREATE TABLE epoch (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER, due INTEGER NOT NULL);
INSERT INTO epoch VALUES (1, NULL, 0);
",
];

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

/// The database and the epoch its keys are wrapped under.
struct Kept {
    connection: Connection,
    file: EpochFile,
    epoch: Epoch,
    store_key: StoreKey,
}

/// Subject keys, on disk wrapped and in memory ready. Keys of identities are unwrapped only when one is looked at.
pub(crate) struct KeyStore {
    kept: Mutex<Kept>,
    map: ArcSwap<Map>,
    /// Since when a change of the epoch is due.
    due: Mutex<Option<Instant>>,
}

/// How the keys stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyStatus {
    /// Number of the epoch in force.
    pub epoch: u32,
    /// Since when.
    pub epoch_since: ServerTime,
    /// Patients with keys.
    pub subjects: u64,
    /// Whether a key was destroyed since the epoch began, so that the next rotation is due.
    pub rotation_due: bool,
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Number of the epoch that is in force now; the one before is destroyed.
    pub epoch: u32,
    /// Keys wrapped anew, two for each patient.
    pub keys: u64,
}

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error)
}

fn sealed<E>(_: E) -> StoreError {
    StoreError::Key
}

/// What opening needs beside the files.
pub(crate) struct Tools<'a> {
    pub(crate) provider: &'a dyn KeyProvider,
    pub(crate) random: &'a dyn Random,
    pub(crate) nonces: &'a NonceSource,
    pub(crate) now: ServerTime,
}

impl KeyStore {
    pub(crate) fn open(dir: &Path, tools: &Tools<'_>) -> Result<Self, StoreError> {
        let mut connection = records::open(&dir.join("keys.db"), &STEPS)?;
        let file = EpochFile::of(dir);
        let (epoch, store_key) = settle(&mut connection, &file, tools)?;
        let map = load(&connection, &store_key)?;
        let mut kept = Kept { connection, file, epoch, store_key };
        // Due since before the last end: now, before anything is served.
        if status(&kept.connection)?.1 {
            kept.rotate(tools)?;
        }
        Ok(Self { kept: Mutex::new(kept), map: ArcSwap::from_pointee(map), due: Mutex::new(None) })
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

    /// The highest number that was ever given.
    pub(crate) fn last_number(&self) -> Result<u32, StoreError> {
        let kept = self.kept.lock();
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'subject_keys'";
        Ok(one(kept.connection.query_row(sql, [], |row| row.get(0)))?.unwrap_or(0))
    }

    /// Draws a pseudonym and its keys; durable when this returns.
    pub(crate) fn create(&self, random: &dyn Random, nonces: &NonceSource) -> Result<Subject, StoreError> {
        self.create_many(1, random, nonces)?.pop().ok_or(StoreError::Key)
    }

    /// The same for several, in one transaction.
    pub(crate) fn create_many(
        &self,
        count: usize,
        random: &dyn Random,
        nonces: &NonceSource,
    ) -> Result<Vec<Subject>, StoreError> {
        let mut kept = self.kept.lock();
        let Kept { connection, store_key, .. } = &mut *kept;
        let made = write(connection, |tx| {
            (0..count).map(|_| create_one(tx, store_key, random, nonces)).collect::<Result<Vec<_>, _>>()
        })?;
        let mut map = Map::clone(&self.map.load());
        let subjects = made.iter().map(|entry| entry.subject).collect();
        map.extend(made.into_iter().map(|entry| (entry.subject, Arc::new(entry))));
        self.map.store(Arc::new(map));
        Ok(subjects)
    }

    /// The keys of these patients' identities, in their order; `None` where there is none.
    pub(crate) fn personal(&self, subjects: &[Subject]) -> Result<Vec<Option<PersonalKey>>, StoreError> {
        let kept = self.kept.lock();
        let mut statement =
            kept.connection.prepare_cached("SELECT personal FROM subject_keys WHERE subject = ?1").map_err(database)?;
        let mut key = |subject: &Subject| {
            let found = statement.query_row([subject.as_bytes().as_slice()], |row| row.get::<_, Vec<u8>>(0));
            let Some(wrapped) = one(found)? else { return Ok(None) };
            let key = kept.store_key.unwrap_personal(*subject, &wrapped).map_err(sealed)?;
            PersonalKey::new(&key).map(Some).map_err(sealed)
        };
        subjects.iter().map(&mut key).collect()
    }

    /// Destroys both keys on disk, then in memory, and marks every copy still held. `None` if there were none. A rotation is due from then on.
    pub(crate) fn destroy(&self, subject: Subject) -> Result<Option<Arc<SubjectEntry>>, StoreError> {
        let mut kept = self.kept.lock();
        write(&mut kept.connection, |tx| {
            let row = [subject.as_bytes().as_slice()];
            let gone = tx.execute("DELETE FROM subject_keys WHERE subject = ?1", row).map_err(database)?;
            if gone > 0 {
                tx.execute("UPDATE epoch SET due = 1", []).map_err(database)?;
            }
            Ok(())
        })?;
        let mut map = Map::clone(&self.map.load());
        let gone = map.remove(&subject);
        if let Some(entry) = &gone {
            entry.erased.store(true, Ordering::Release);
        }
        self.map.store(Arc::new(map));
        records::truncate_log(&kept.connection)?;
        if gone.is_some() {
            self.due.lock().get_or_insert_with(Instant::now);
        }
        Ok(gone)
    }

    pub(crate) fn status(&self) -> Result<KeyStatus, StoreError> {
        let kept = self.kept.lock();
        Ok(KeyStatus {
            epoch: kept.epoch.number,
            epoch_since: kept.epoch.made_at,
            subjects: self.map.load().len() as u64,
            rotation_due: status(&kept.connection)?.1,
        })
    }

    /// Wraps every key under a new epoch and destroys the one before.
    pub(crate) fn rotate(&self, tools: &Tools<'_>) -> Result<Rotated, StoreError> {
        let mut kept = self.kept.lock();
        let done = kept.rotate(tools)?;
        // Nothing was destroyed meanwhile: that needs the same lock.
        *self.due.lock() = None;
        Ok(done)
    }

    /// Does so if a key was destroyed longer than `after` ago. Failing is no harm: it stays due and is tried again as much later.
    pub(crate) fn rotate_if_due(&self, tools: &Tools<'_>, after: Duration) {
        if self.due.lock().is_none_or(|since| since.elapsed() < after) {
            return;
        }
        if let Err(error) = self.rotate(tools) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the key epoch could not be changed; it is tried again"
            );
            *self.due.lock() = Some(Instant::now());
        }
    }

    /// Wraps the epoch's key anew, when the top key is replaced.
    pub(crate) fn rewrap(&self, provider: &dyn KeyProvider) -> Result<(), StoreError> {
        let mut kept = self.kept.lock();
        let key = kept.epoch.open(provider)?;
        let epoch = Epoch::seal(kept.epoch.number, kept.epoch.made_at, &key, provider)?;
        kept.file.write(std::slice::from_ref(&epoch))?;
        kept.epoch = epoch;
        Ok(())
    }
}

impl Kept {
    fn rotate(&mut self, tools: &Tools<'_>) -> Result<Rotated, StoreError> {
        let key = KeyBytes::generate(tools.random).map_err(sealed)?;
        let number = self.epoch.number.checked_add(1).ok_or(StoreError::Key)?;
        let next = Epoch::seal(number, tools.now, &key, tools.provider)?;
        let store_key = StoreKey::new(&key).map_err(sealed)?;
        self.file.write(&[self.epoch.clone(), next.clone()])?;
        let wrapped = wrap_anew(&mut self.connection, &self.store_key, &store_key, number, tools);
        let keys = match wrapped {
            Ok(keys) => keys,
            Err(error) => {
                // The epoch before is still the one; if even that cannot be written, the next opening finds both and goes on.
                if let Err(again) = self.file.write(std::slice::from_ref(&self.epoch)) {
                    tracing::warn!(
                        error = &again as &dyn std::error::Error,
                        "the epoch file holds an unused epoch until the next start"
                    );
                }
                return Err(error);
            }
        };
        // INVARIANT: from here on the keys are under the new epoch, whatever becomes of the rest.
        self.store_key = store_key;
        self.epoch = next;
        self.file.write(std::slice::from_ref(&self.epoch))?;
        records::truncate_log(&self.connection)?;
        set_due(&self.connection, false)?;
        Ok(Rotated { epoch: number, keys })
    }
}

fn create_one(
    tx: &Transaction<'_>,
    store_key: &StoreKey,
    random: &dyn Random,
    nonces: &NonceSource,
) -> Result<SubjectEntry, StoreError> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(sealed)?;
    let subject = Subject::from_random(bytes);
    let key = KeyBytes::generate(random).map_err(sealed)?;
    let wrapped = store_key.wrap(nonces.next().map_err(sealed)?, subject, &key).map_err(sealed)?;
    let personal = new_personal(store_key, subject, random, nonces)?;
    tx.prepare_cached("INSERT INTO subject_keys (subject, wrapped, personal) VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.execute((subject.as_bytes().as_slice(), wrapped, personal)))
        .map_err(database)?;
    entry(subject, u32::try_from(tx.last_insert_rowid()).map_err(sealed)?, &key)
}

fn new_personal(
    store_key: &StoreKey,
    subject: Subject,
    random: &dyn Random,
    nonces: &NonceSource,
) -> Result<Vec<u8>, StoreError> {
    let key = KeyBytes::generate(random).map_err(sealed)?;
    store_key.wrap_personal(nonces.next().map_err(sealed)?, subject, &key).map_err(sealed)
}

/// The epoch the keys are under (none in a database from before there were epochs) and whether a rotation is due.
fn status(connection: &Connection) -> Result<(Option<u32>, bool), StoreError> {
    connection.query_row("SELECT number, due FROM epoch", [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(database)
}

fn set_due(connection: &Connection, due: bool) -> Result<(), StoreError> {
    connection.execute("UPDATE epoch SET due = ?1", [due]).map_err(database)?;
    Ok(())
}

/// Brings file and database together: makes the first epoch, or ends a rotation that was interrupted.
fn settle(connection: &mut Connection, file: &EpochFile, tools: &Tools<'_>) -> Result<(Epoch, StoreKey), StoreError> {
    let epochs = file.read()?;
    let (number, _) = status(connection)?;
    let Some(newest) = epochs.last().cloned() else {
        // None yet. That is so in a new store, and in one from before there were epochs; in any other the file is missing.
        if let Some(keys) = number {
            return Err(StoreError::Epoch { keys, file: None });
        }
        let key = KeyBytes::generate(tools.random).map_err(sealed)?;
        let first = Epoch::seal(1, tools.now, &key, tools.provider)?;
        file.write(std::slice::from_ref(&first))?;
        return settle(connection, file, tools);
    };
    let key = StoreKey::new(&newest.open(tools.provider)?).map_err(sealed)?;
    match number {
        Some(number) if number == newest.number => {}
        Some(number) => {
            let under = epochs.iter().find(|epoch| epoch.number == number);
            let under = under.ok_or(StoreError::Epoch { keys: number, file: Some(newest.number) })?;
            let old = StoreKey::new(&under.open(tools.provider)?).map_err(sealed)?;
            wrap_anew(connection, &old, &key, newest.number, tools)?;
        }
        None => from_before_epochs(connection, &key, &newest, tools)?,
    }
    if epochs.len() > 1 {
        file.write(std::slice::from_ref(&newest))?;
    }
    records::truncate_log(connection)?;
    Ok((newest, key))
}

/// A new database, or one whose store key lay in it.
fn from_before_epochs(
    connection: &mut Connection,
    key: &StoreKey,
    epoch: &Epoch,
    tools: &Tools<'_>,
) -> Result<(), StoreError> {
    let found = connection.query_row("SELECT wrapped FROM store_key", [], |row| row.get::<_, Vec<u8>>(0));
    match one(found)? {
        Some(wrapped) => {
            let old = KeyBytes::unwrap(tools.provider, StoreKey::CONTEXT, &wrapped).map_err(sealed)?;
            wrap_anew(connection, &StoreKey::new(&old).map_err(sealed)?, key, epoch.number, tools).map(drop)
        }
        None => {
            connection.execute("UPDATE epoch SET number = ?1", [epoch.number]).map_err(database)?;
            Ok(())
        }
    }
}

/// Wraps every key under `new`, in one transaction. Patients from before there were keys for identities get one.
fn wrap_anew(
    connection: &mut Connection,
    old: &StoreKey,
    new: &StoreKey,
    number: u32,
    tools: &Tools<'_>,
) -> Result<u64, StoreError> {
    write(connection, |tx| {
        let mut select = tx.prepare("SELECT number, subject, wrapped, personal FROM subject_keys").map_err(database)?;
        let mut update =
            tx.prepare("UPDATE subject_keys SET wrapped = ?2, personal = ?3 WHERE number = ?1").map_err(database)?;
        let mut rows = select.query([]).map_err(database)?;
        // Read first: changing a table while it is read may show a row twice.
        let mut anew: Vec<(u32, Vec<u8>, Vec<u8>)> = Vec::new();
        while let Some(row) = rows.next().map_err(database)? {
            let subject = Subject::from_random(row.get(1).map_err(database)?);
            let key = old.unwrap(subject, &row.get::<_, Vec<u8>>(2).map_err(database)?).map_err(sealed)?;
            let wrapped = new.wrap(tools.nonces.next().map_err(sealed)?, subject, &key).map_err(sealed)?;
            let personal = match row.get::<_, Option<Vec<u8>>>(3).map_err(database)? {
                None => new_personal(new, subject, tools.random, tools.nonces)?,
                Some(wrapped) => {
                    let key = old.unwrap_personal(subject, &wrapped).map_err(sealed)?;
                    new.wrap_personal(tools.nonces.next().map_err(sealed)?, subject, &key).map_err(sealed)?
                }
            };
            anew.push((row.get(0).map_err(database)?, wrapped, personal));
        }
        let keys = 2 * anew.len() as u64;
        for row in anew {
            update.execute(row).map_err(database)?;
        }
        tx.execute("UPDATE epoch SET number = ?1", [number]).map_err(database)?;
        tx.execute("DELETE FROM store_key", []).map_err(database)?;
        Ok(keys)
    })
}

fn load(connection: &Connection, store_key: &StoreKey) -> Result<Map, StoreError> {
    let mut statement = connection.prepare("SELECT number, subject, wrapped FROM subject_keys").map_err(database)?;
    let mut rows = statement.query([]).map_err(database)?;
    let mut map = Map::default();
    while let Some(row) = rows.next().map_err(database)? {
        let number: u32 = row.get(0).map_err(database)?;
        let subject = Subject::from_random(row.get(1).map_err(database)?);
        let wrapped: Vec<u8> = row.get(2).map_err(database)?;
        let key = store_key.unwrap(subject, &wrapped).map_err(sealed)?;
        map.insert(subject, Arc::new(entry(subject, number, &key)?));
    }
    Ok(map)
}

fn entry(subject: Subject, number: u32, key: &KeyBytes) -> Result<SubjectEntry, StoreError> {
    let key = SubjectKey::new(key).map_err(sealed)?;
    Ok(SubjectEntry { subject, number, key, erased: AtomicBool::new(false) })
}
