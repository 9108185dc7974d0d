//! Making data go: what is past its retention, and a patient who is to be forgotten.
//!
//! [`Removal`] is the third of the store's interfaces, apart from [`Readings`](crate::Readings) and [`Records`](crate::Records) because only those who have
//! looked for holds and duties may have it.
//!
//! Erasing destroys the key first; from then on nothing can be read, whatever happens next. The bytes follow, and an erasure that was interrupted is
//! completed at the next opening, because bytes, rows and names without a key are found there.

mod expire;
mod residue;

use crate::api::{Erased, StoreError};
use crate::disk::Disk;
use crate::embedded::{EmbeddedStore, Inner};
use crate::journal::{self, Wiped};
use crate::records::index::{self, Chunk, Segment};
use crate::records::keys::SubjectEntry;
use crate::records::{self, expiry};
use crate::segment;
use obhut_model::{DeviceTime, ServerTime, Subject};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What is under a legal hold: nothing of it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Patients.
    pub subjects: HashSet<Subject>,
    /// Identifiers of retention classes.
    pub classes: HashSet<String>,
}

/// Hears how far long work is: so many of so many.
pub type Step<'a> = dyn FnMut(u64, u64) + 'a;

/// Where the readings of one retention class stand against its period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Identifier of the class.
    pub what: String,
    /// Stored objects there are.
    pub kept: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Past their period, and free to go.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Past their period, and under a hold.
    pub held: u64,
    /// In a class the charter in force does not know: kept until it does.
    pub without_rule: u64,
}

/// Kinds of rows that go one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One-time invitations of devices; their period begins when they run out.
    Invitations,
    /// Serial numbers of certificates; from their end.
    Certificates,
    /// Which device stood where; from the end of the stay.
    DeviceStays,
    /// Devices that were revoked; from then on.
    Devices,
}

impl Rows {
    /// Table, and the condition for a row whose period began before `?1`.
    const fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Invitations => ("tokens", "expires < ?1"),
            Self::Certificates => ("certificates", "ends < ?1"),
            Self::DeviceStays => ("device_stays", "stop < ?1"),
            Self::Devices => ("devices", "state = 2 AND revoked_at < ?1"),
        }
    }
}

/// A patient who lies in no bed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Who.
    pub subject: Subject,
    /// When the last stay ended; `None` if there never was one, as after a binding that was taken back at once.
    pub at: Option<DeviceTime>,
    /// When the newest stored reading was taken.
    pub newest: Option<DeviceTime>,
}

/// A key that is gone. What it sealed is unreadable now; the bytes are still there.
#[derive(Debug)]
pub struct Destroyed {
    entry: Arc<SubjectEntry>,
    /// How long it took until it was gone from disk and memory.
    pub took: Duration,
}

impl Destroyed {
    /// Whose it was.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.entry.subject
    }
}

/// Making data go. Every removal is durable when the call returns.
pub trait Removal: Send + Sync {
    /// Where the readings of each class stand at `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn due(&self, now: ServerTime, held: &Held) -> Result<Vec<Due>, StoreError>;

    /// Removes readings past their period, except those of patients under a hold. Answers how many stored objects went.
    ///
    /// # Errors
    /// [`StoreError`]; what went before stays gone.
    fn expire(&self, now: ServerTime, held: &Held, step: &mut Step<'_>) -> Result<u64, StoreError>;

    /// How many rows there are of a kind.
    ///
    /// # Errors
    /// [`StoreError`].
    fn rows(&self, kind: Rows) -> Result<u64, StoreError>;

    /// How many of them whose period began before `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn rows_before(&self, kind: Rows, before: ServerTime) -> Result<u64, StoreError>;

    /// Removes these.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove_rows(&self, kind: Rows, before: ServerTime) -> Result<u64, StoreError>;

    /// Patients who lie in no bed any more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn ended(&self) -> Result<Vec<Ended>, StoreError>;

    /// Forgets who a patient is: name, birth date, record number. His readings stay under the pseudonym.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_identity(&self, subject: Subject) -> Result<(), StoreError>;

    /// Destroys the keys of a patient, on disk and in memory.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none.
    fn destroy_key(&self, subject: Subject) -> Result<Destroyed, StoreError>;

    /// Overwrites and removes everything that key sealed, and everything that names the patient.
    ///
    /// # Errors
    /// [`StoreError`]; the next opening goes on from there.
    fn erase_bytes(&self, destroyed: Destroyed, step: &mut Step<'_>) -> Result<Erased, StoreError>;

    /// Searches every database file, byte by byte, for the pseudonym: raw, as text, as base64. Answers the files it stands in.
    ///
    /// # Errors
    /// [`StoreError`].
    fn residue(&self, subject: Subject) -> Result<Vec<String>, StoreError>;
}

impl Removal for EmbeddedStore {
    fn due(&self, now: ServerTime, held: &Held) -> Result<Vec<Due>, StoreError> {
        self.due_readings(now, held)
    }

    fn expire(&self, now: ServerTime, held: &Held, step: &mut Step<'_>) -> Result<u64, StoreError> {
        self.remove_due_readings(now, held, step)
    }

    fn rows(&self, kind: Rows) -> Result<u64, StoreError> {
        expiry::all(&self.inner.reader.lock(), kind.sql().0)
    }

    fn rows_before(&self, kind: Rows, before: ServerTime) -> Result<u64, StoreError> {
        let (table, condition) = kind.sql();
        expiry::count(&self.inner.reader.lock(), table, condition, before.micros())
    }

    fn remove_rows(&self, kind: Rows, before: ServerTime) -> Result<u64, StoreError> {
        let (table, condition) = kind.sql();
        records::write(&mut self.inner.records.lock(), |tx| expiry::delete(tx, table, condition, before.micros()))
    }

    fn ended(&self) -> Result<Vec<Ended>, StoreError> {
        let inner = &*self.inner;
        // Whoever is being bound has a key and no stay yet; he is not gone.
        let _binding = inner.binding.lock();
        let records = inner.reader.lock();
        let mut out = Vec::new();
        for (subject, at) in expiry::ended(&records)? {
            let Some(entry) = inner.keys.get(subject) else { continue };
            let newest = expiry::newest(&records, entry.number)?.map(DeviceTime::from_micros);
            out.push(Ended { subject, at: Some(DeviceTime::from_micros(at)), newest });
        }
        let known: HashSet<Subject> = index::subjects(&records)?.into_iter().collect();
        for (subject, entry) in inner.keys.map().iter().filter(|(subject, _)| !known.contains(subject)) {
            let newest = expiry::newest(&records, entry.number)?.map(DeviceTime::from_micros);
            out.push(Ended { subject: *subject, at: None, newest });
        }
        Ok(out)
    }

    fn forget_identity(&self, subject: Subject) -> Result<(), StoreError> {
        self.inner.identities.erase(subject)
    }

    fn destroy_key(&self, subject: Subject) -> Result<Destroyed, StoreError> {
        let began = Instant::now();
        let entry = self.inner.keys.destroy(subject)?.ok_or(StoreError::Unknown("the subject"))?;
        Ok(Destroyed { entry, took: began.elapsed() })
    }

    fn erase_bytes(&self, destroyed: Destroyed, step: &mut Step<'_>) -> Result<Erased, StoreError> {
        self.erase_sealed(&destroyed.entry, step)
    }

    fn residue(&self, subject: Subject) -> Result<Vec<String>, StoreError> {
        residue::search(&self.inner, subject)
    }
}

impl EmbeddedStore {
    pub(crate) fn put_retention(&self, classes: &[(String, u64)]) {
        let numbers = records::write(&mut self.inner.records.lock(), |tx| {
            classes.iter().map(|(identifier, _)| index::class(tx, identifier)).collect::<Result<Vec<_>, _>>()
        });
        match numbers {
            Ok(numbers) => {
                *self.inner.periods.lock() = numbers.iter().copied().zip(classes.iter().map(|class| class.1)).collect();
                self.inner.classes.store(Arc::new(numbers));
            }
            // Without numbers nothing may expire and nothing new gets a class: kept too long and reported, never lost.
            Err(error) => {
                tracing::error!(%error, "retention classes could not be stored; what comes in is kept without a class");
                self.inner.periods.lock().clear();
                self.inner.classes.store(Arc::default());
            }
        }
    }

    fn erase_sealed(&self, entry: &SubjectEntry, step: &mut Step<'_>) -> Result<Erased, StoreError> {
        let inner = &*self.inner;
        let subject = entry.subject;
        // What was queued before the key went is on its way to the journal; after this it is there and can be overwritten. Not under the lock below:
        // the commit thread may be waiting for a flush, and the flush for that lock.
        inner.ingest.drain();
        let _alone = inner.maintenance.write();
        forget_in_memory(inner, subject)?;
        let journals = wipe_journals(inner, entry)?;
        let chunks = wipe_chunks(inner, entry.number, step)?;
        let rows = forget_in_records(inner, Some(subject), Some(entry.number))?;
        let changes = inner.changes.forget(subject)? + inner.alarms.forget(subject)?;
        inner.identities.erase(subject)?;
        Ok(Erased {
            objects: journals.objects + chunks.objects,
            bytes: journals.bytes + chunks.bytes,
            messages: journals.objects,
            chunks: chunks.objects,
            rows: rows as u64,
            changes,
        })
    }

    /// Finishes erasures that were interrupted after the key was destroyed.
    pub(crate) fn complete_erasures(&self) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let keys = inner.keys.by_number();
        let orphans = index::keys_with_chunks(&inner.records.lock())?;
        for key in orphans.into_iter().filter(|key| !keys.contains_key(key)) {
            wipe_chunks(inner, key, &mut |_, _| {})?;
            forget_in_records(inner, None, Some(key))?;
        }
        let named = index::subjects(&inner.records.lock())?;
        for subject in named.into_iter().filter(|subject| inner.keys.get(*subject).is_none()) {
            forget_in_records(inner, Some(subject), None)?;
            inner.ingest.forget(subject);
        }
        for subject in inner.changes.subjects()?.into_iter().filter(|subject| inner.keys.get(*subject).is_none()) {
            inner.changes.forget(subject)?;
        }
        for subject in inner.alarms.subjects()?.into_iter().filter(|subject| inner.keys.get(*subject).is_none()) {
            inner.alarms.forget(subject)?;
        }
        for subject in inner.identities.subjects()?.into_iter().filter(|subject| inner.keys.get(*subject).is_none()) {
            inner.identities.erase(subject)?;
        }
        Ok(())
    }
}

fn forget_in_memory(inner: &Inner, subject: Subject) -> Result<(), StoreError> {
    inner.ingest.forget(subject);
    let mut memory = inner.memory.write();
    memory.active.forget(subject);
    if let Some((_, table)) = &mut memory.flushing {
        // INVARIANT: whoever else holds this does so under shared maintenance, which is ours alone now.
        Arc::get_mut(table).ok_or(StoreError::Unknown("who still reads"))?.forget(subject);
    }
    Ok(())
}

fn wipe_journals(inner: &Inner, entry: &SubjectEntry) -> Result<Wiped, StoreError> {
    let mut out = Wiped::default();
    let first = inner.first_journal.load(Ordering::Acquire);
    // The end is read before the number: if a new journal begins in between, the older one is read to its own end at most.
    let end = inner.journal_end.load(Ordering::Acquire);
    let last = inner.journal_number.load(Ordering::Acquire);
    for number in first..=last {
        let end = if number == last { end } else { u64::MAX };
        let wiped = journal::erase(&*inner.disk, number, end, entry.number)?;
        out.objects += wiped.objects;
        out.bytes += wiped.bytes;
    }
    Ok(out)
}

fn wipe_chunks(inner: &Inner, key: u32, step: &mut Step<'_>) -> Result<Wiped, StoreError> {
    let chunks = index::chunks_of_key(&inner.records.lock(), key)?;
    let mut out = Wiped::default();
    for part in chunks.chunk_by(|a, b| a.1.id == b.1.id) {
        let Some((_, found)) = part.first() else { continue };
        let wiped = wipe_segment(&*inner.disk, found, part).map_err(StoreError::Io)?;
        out.objects += wiped.objects;
        out.bytes += wiped.bytes;
        step(out.objects, chunks.len() as u64);
    }
    Ok(out)
}

fn wipe_segment(disk: &dyn Disk, found: &Segment, chunks: &[(Chunk, Segment)]) -> std::io::Result<Wiped> {
    let file = match disk.open(&segment::path(found)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Wiped::default()),
        other => other?,
    };
    let mut out = Wiped::default();
    for (chunk, _) in chunks {
        file.write_at(chunk.offset, &vec![0; chunk.length as usize])?;
        out.objects += 1;
        out.bytes += u64::from(chunk.length);
    }
    file.sync()?;
    Ok(out)
}

/// Answers how many rows beside those of chunks went.
fn forget_in_records(inner: &Inner, subject: Option<Subject>, key: Option<u32>) -> Result<usize, StoreError> {
    let mut records = inner.records.lock();
    let rows = records::write(&mut records, |tx| index::forget(tx, subject, key))?;
    // A reader at work would keep the log from being emptied.
    let _reader = inner.reader.lock();
    records::truncate_log(&records)?;
    Ok(rows)
}
