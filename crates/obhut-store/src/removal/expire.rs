//! What is past its time goes: readings by whole segment files, stays, invitations, certificates and devices by row.
//!
//! A segment holds many patients. If one of them is under a hold, the others' chunks are overwritten in place and the file waits for him.

use super::{Due, Held, Step, wipe_segment};
use crate::api::StoreError;
use crate::embedded::{EmbeddedStore, Inner};
use crate::limits::SEGMENT_MICROS;
use crate::records::{self, expiry, index, index::Segment};
use crate::segment;
use obhut_model::{ServerTime, Subject};
use std::collections::{BTreeMap, HashSet};

/// Where one segment stands against its rule.
enum Standing {
    Kept,
    NoRule,
    Due,
}

fn standing(inner: &Inner, found: &Segment, now: ServerTime) -> Standing {
    let Some(seconds) = inner.periods.lock().get(&found.class).copied() else { return Standing::NoRule };
    let end = i128::from(found.hour + 1) * i128::from(SEGMENT_MICROS) + i128::from(seconds) * 1_000_000;
    if end <= i128::from(now.micros()) { Standing::Due } else { Standing::Kept }
}

impl EmbeddedStore {
    pub(super) fn due_readings(&self, now: ServerTime, held: &Held) -> Result<Vec<Due>, StoreError> {
        let inner = &*self.inner;
        let names = index::classes(&inner.reader.lock())?;
        let (held_classes, held) = (&held.classes, held_keys(inner, held));
        let mut classes: BTreeMap<u16, Due> = BTreeMap::new();
        // In a line of its own: in the head of the loop the lock would be held through all of it.
        let segments = index::segments(&inner.reader.lock())?;
        for found in segments {
            let due = classes.entry(found.class).or_insert_with(|| Due {
                what: names.get(&found.class).cloned().unwrap_or_else(|| found.class.to_string()),
                ..Due::default()
            });
            let kept = expiry::weigh(&inner.reader.lock(), found.id, &held)?;
            due.kept += kept.objects;
            due.kept_bytes += kept.bytes;
            match standing(inner, &found, now) {
                Standing::Kept => {}
                Standing::NoRule => due.without_rule += kept.objects,
                Standing::Due if held_classes.contains(&due.what) => due.held += kept.objects,
                Standing::Due => {
                    due.held += kept.held;
                    due.objects += kept.objects - kept.held;
                    due.bytes += kept.bytes - kept.held_bytes;
                }
            }
        }
        Ok(classes.into_values().collect())
    }

    pub(super) fn remove_due_readings(
        &self,
        now: ServerTime,
        held: &Held,
        step: &mut Step<'_>,
    ) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        let names = index::classes(&inner.reader.lock())?;
        let is_held = |class: u16| names.get(&class).is_some_and(|name| held.classes.contains(name));
        let keys = held_keys(inner, held);
        // Looked at first without the lock: readers and flushes must not wait for a walk through everything that stays.
        let segments = index::segments(&inner.reader.lock())?;
        let due: Vec<Segment> = segments
            .into_iter()
            .filter(|found| !found.expiring && !is_held(found.class))
            .filter(|found| matches!(standing(inner, found, now), Standing::Due))
            .collect();
        let mut gone = 0;
        for (at, found) in due.iter().enumerate() {
            // One after the other, so that the ward's readers get in between.
            let _alone = inner.maintenance.write();
            gone += remove(inner, found, &keys)?;
            step(at as u64 + 1, due.len() as u64);
        }
        Ok(gone)
    }

    /// Unlinks segments that were about to expire when the store last stopped.
    pub(crate) fn complete_expiry(&self) -> Result<(), StoreError> {
        let segments = index::segments(&self.inner.records.lock())?;
        segments.iter().filter(|found| found.expiring).try_for_each(|found| unlink(&self.inner, found))
    }
}

fn held_keys(inner: &Inner, held: &Held) -> HashSet<u32> {
    held.subjects.iter().filter_map(|subject: &Subject| inner.keys.get(*subject)).map(|entry| entry.number).collect()
}

fn remove(inner: &Inner, found: &Segment, held: &HashSet<u32>) -> Result<u64, StoreError> {
    let chunks = expiry::chunks_of_segment(&inner.records.lock(), found.id)?;
    if !chunks.iter().any(|chunk| held.contains(&chunk.key)) {
        let gone = records::write(&mut inner.records.lock(), |tx| index::mark_expiring(tx, found.id))? as u64;
        unlink(inner, found)?;
        return Ok(gone);
    }
    let going: Vec<_> = chunks.into_iter().filter(|chunk| !held.contains(&chunk.key)).collect();
    if going.is_empty() {
        return Ok(0);
    }
    // Bytes first: a row without bytes reads as damage, bytes without a row are never looked for again.
    let rows: Vec<_> = going.iter().map(|chunk| (*chunk, *found)).collect();
    wipe_segment(&*inner.disk, found, &rows).map_err(StoreError::Io)?;
    let keys: HashSet<u32> = going.iter().map(|chunk| chunk.key).collect();
    records::write(&mut inner.records.lock(), |tx| {
        keys.iter().try_for_each(|key| expiry::forget_chunks(tx, found.id, *key))
    })?;
    Ok(going.len() as u64)
}

fn unlink(inner: &Inner, found: &Segment) -> Result<(), StoreError> {
    inner.disk.unlink(&segment::path(found)).map_err(StoreError::Io)?;
    inner.disk.sync_dir(&segment::directory(found.class)).map_err(StoreError::Io)?;
    records::write(&mut inner.records.lock(), |tx| index::remove_segment(tx, found.id))
}
