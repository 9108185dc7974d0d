//! Making data go: what is past its retention, and a patient who is to be forgotten.
//!
//! Erasing destroys the key first; from then on nothing can be read, whatever happens next. The bytes follow, and an erasure that was interrupted is
//! completed at the next opening, because bytes, rows and names without a key are found there.

use crate::api::{Erased, StoreError};
use crate::disk::Disk;
use crate::embedded::{EmbeddedStore, Inner};
use crate::journal::{self, Wiped};
use crate::limits::SEGMENT_MICROS;
use crate::records::index::{self, Chunk, Segment};
use crate::records::keys::SubjectEntry;
use crate::{records, segment};
use obhut_model::{ServerTime, Subject};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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

    pub(crate) fn expire_segments(&self, now: ServerTime) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        let periods = inner.periods.lock().clone();
        let _alone = inner.maintenance.write();
        let segments = index::segments(&inner.records.lock())?;
        let mut gone = 0;
        for found in segments.iter().filter(|found| !found.expiring) {
            let Some(seconds) = periods.get(&found.class) else {
                tracing::warn!(
                    class = found.class,
                    "a retention class is not in the charter; its readings are kept until it is"
                );
                continue;
            };
            let end = i128::from(found.hour + 1) * i128::from(SEGMENT_MICROS);
            if end + i128::from(*seconds) * 1_000_000 <= i128::from(now.micros()) {
                gone += records::write(&mut inner.records.lock(), |tx| index::mark_expiring(tx, found.id))? as u64;
                unlink(inner, found)?;
            }
        }
        Ok(gone)
    }

    /// Unlinks segments that were about to expire when the store last stopped.
    pub(crate) fn complete_expiry(&self) -> Result<(), StoreError> {
        let segments = index::segments(&self.inner.records.lock())?;
        segments.iter().filter(|found| found.expiring).try_for_each(|found| unlink(&self.inner, found))
    }

    pub(crate) fn erase_subject(&self, subject: Subject) -> Result<Erased, StoreError> {
        let inner = &*self.inner;
        let entry = inner.keys.destroy(subject)?.ok_or(StoreError::Unknown("the subject"))?;
        // What was queued before the key went is on its way to the journal; after this it is there and can be overwritten. Not under the lock below:
        // the commit thread may be waiting for a flush, and the flush for that lock.
        inner.ingest.drain();
        let _alone = inner.maintenance.write();
        forget_in_memory(inner, subject)?;
        let journals = wipe_journals(inner, &entry)?;
        let chunks = wipe_chunks(inner, entry.number)?;
        forget_in_records(inner, Some(subject), Some(entry.number))?;
        inner.identities.erase(subject)?;
        Ok(Erased { objects: journals.objects + chunks.objects, bytes: journals.bytes + chunks.bytes })
    }

    /// Finishes erasures that were interrupted after the key was destroyed.
    pub(crate) fn complete_erasures(&self) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let keys = inner.keys.by_number();
        let orphans = index::keys_with_chunks(&inner.records.lock())?;
        for key in orphans.into_iter().filter(|key| !keys.contains_key(key)) {
            wipe_chunks(inner, key)?;
            forget_in_records(inner, None, Some(key))?;
        }
        let named = index::subjects(&inner.records.lock())?;
        for subject in named.into_iter().filter(|subject| inner.keys.get(*subject).is_none()) {
            forget_in_records(inner, Some(subject), None)?;
            inner.ingest.forget(subject);
        }
        for subject in inner.identities.subjects()?.into_iter().filter(|subject| inner.keys.get(*subject).is_none()) {
            inner.identities.erase(subject)?;
        }
        Ok(())
    }
}

fn unlink(inner: &Inner, found: &Segment) -> Result<(), StoreError> {
    inner.disk.unlink(&segment::path(found)).map_err(StoreError::Io)?;
    inner.disk.sync_dir(&segment::directory(found.class)).map_err(StoreError::Io)?;
    records::write(&mut inner.records.lock(), |tx| index::remove_segment(tx, found.id))
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

fn wipe_chunks(inner: &Inner, key: u32) -> Result<Wiped, StoreError> {
    let chunks = index::chunks_of_key(&inner.records.lock(), key)?;
    let mut out = Wiped::default();
    for part in chunks.chunk_by(|a, b| a.1.id == b.1.id) {
        let Some((_, found)) = part.first() else { continue };
        let wiped = wipe_segment(&*inner.disk, found, part).map_err(StoreError::Io)?;
        out.objects += wiped.objects;
        out.bytes += wiped.bytes;
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

fn forget_in_records(inner: &Inner, subject: Option<Subject>, key: Option<u32>) -> Result<(), StoreError> {
    let mut records = inner.records.lock();
    records::write(&mut records, |tx| index::forget(tx, subject, key))?;
    // A reader at work would keep the log from being emptied.
    let _reader = inner.reader.lock();
    records::truncate_log(&records)
}
