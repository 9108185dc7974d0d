//! The flush thread: a finished generation becomes sealed chunks in segment files, then its journal goes.
//!
//! Order: segment rows exist before files, files are synced before chunk rows, chunk rows and the journal's retirement are one transaction, the
//! journal is unlinked last. Whatever interrupts this leaves a journal that is replayed and bytes that no row names.

use crate::api::StoreError;
use crate::chunk::{cut, hour_of};
use crate::disk::Disk;
use crate::embedded::Inner;
use crate::ingest::State;
use crate::limits::SEGMENT_BYTES_MAX;
use crate::memtable::Memtable;
use crate::message::ClassNumber;
use crate::records::index::{self, Chunk, Segment};
use crate::{journal, records, segment};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Order {
    Run,
    /// Stop at once.
    Stop,
    /// Flush everything, then stop.
    Finish,
}

/// Wakes and stops the flush thread.
pub(crate) struct Flusher {
    order: Mutex<Order>,
    changed: Condvar,
}

impl Flusher {
    pub(crate) fn new() -> Self {
        Self { order: Mutex::new(Order::Run), changed: Condvar::new() }
    }

    pub(crate) fn wake(&self) {
        drop(self.order.lock());
        self.changed.notify_all();
    }

    pub(crate) fn stop(&self, finish: bool) {
        *self.order.lock() = if finish { Order::Finish } else { Order::Stop };
        self.changed.notify_all();
    }

    /// Waits for `time` or a change; `true` if it shall not go on.
    fn pause(&self, time: Duration) -> bool {
        let mut order = self.order.lock();
        if *order == Order::Run {
            self.changed.wait_for(&mut order, time);
        }
        *order != Order::Run
    }
}

/// Runs until it is stopped or the disk fails.
pub(crate) fn run(inner: &Inner) {
    loop {
        let stop = *inner.flusher.order.lock();
        if stop == Order::Stop || inner.ingest.state() == State::Failed {
            return;
        }
        if inner.memory.read().flushing.is_some() {
            if !flush_once(inner, Some(inner.journal_number.load(Ordering::Acquire)))
                && inner.flusher.pause(inner.options.retry_interval)
            {
                return;
            }
        } else if stop == Order::Finish {
            // The commit thread has ended by now, so the active generation is whole.
            let generation = inner.journal_number.load(Ordering::Acquire);
            inner.memory.write().rotate(generation + 1);
            flush_once(inner, None);
            return;
        } else {
            if let Some(reserve) = inner.reserve.as_ref().filter(|_| inner.ingest.state() != State::Full) {
                reserve.keep();
            }
            inner.keys.rotate_if_due(&inner.tools(), inner.options.rotate_after_erasure);
            let mut order = inner.flusher.order.lock();
            if *order == Order::Run && inner.memory.read().flushing.is_none() {
                inner.flusher.changed.wait_for(&mut order, Duration::from_secs(1));
            }
        }
    }
}

/// Flushes the waiting generation. `false`: there was no room or no luck; it stays.
fn flush_once(inner: &Inner, next: Option<u64>) -> bool {
    // Held to the end, so that a picture of the store sees the index and the journals before a flush or after it.
    let _gate = inner.flush_gate.lock();
    let whole = inner.maintenance.read();
    let Some((generation, table)) = inner.memory.read().flushing.clone() else { return true };
    let done = flush(inner, generation, &table, next);
    drop(table);
    match done {
        Ok(()) => {
            inner.memory.write().flushing = None;
            inner.flush_full.store(false, Ordering::Release);
            drop(whole);
            retire_files(inner, generation);
            true
        }
        Err(error) if records::is_full(&error) => {
            tracing::warn!("no room to flush; the journal is kept and it is tried again");
            inner.flush_full.store(true, Ordering::Release);
            false
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            inner.ingest.fail(format!("readings could not be moved from the journal: {error}: {cause}"));
            false
        }
    }
}

type Buffers = BTreeMap<(ClassNumber, i64), (Vec<u8>, Vec<Chunk>)>;

fn flush(inner: &Inner, generation: u64, table: &Memtable, next: Option<u64>) -> Result<(), StoreError> {
    let buffers = seal_chunks(inner, table)?;
    let mut segments = Vec::new();
    records::write(&mut inner.records.lock(), |tx| {
        for (class, hour) in buffers.keys() {
            segments.push(index::segment_for(tx, *class, *hour, SEGMENT_BYTES_MAX)?);
        }
        Ok(())
    })?;
    for (found, (bytes, _)) in segments.iter().zip(buffers.values()) {
        write_segment(&*inner.disk, found, bytes).map_err(StoreError::Io)?;
    }
    records::write(&mut inner.records.lock(), |tx| {
        for (found, (bytes, chunks)) in segments.iter().zip(buffers.values()) {
            for chunk in chunks {
                let chunk = Chunk { offset: found.length + chunk.offset, ..*chunk };
                index::add_chunk(tx, &chunk, found.id, generation)?;
            }
            index::set_segment_length(tx, found.id, found.length + bytes.len() as u64)?;
        }
        index::merge_seen(tx, &table.seen, generation)?;
        index::retire(tx, generation, next)
    })
}

fn seal_chunks(inner: &Inner, table: &Memtable) -> Result<Buffers, StoreError> {
    let mut buffers = Buffers::new();
    for (subject, stream) in table.iter() {
        // No key: erased meanwhile. Nothing of it is written.
        let Some(entry) = inner.keys.get(subject) else { continue };
        for piece in cut(&stream.data) {
            let nonce = inner.nonces.next().map_err(|_| StoreError::Key)?;
            let (bytes, chunks) = buffers.entry((stream.class, hour_of(piece.first()))).or_default();
            let chunk = segment::put_chunk(bytes, &entry, nonce, (stream.class, stream.code), &stream.device, &piece)
                .ok_or(StoreError::Key)?;
            chunks.push(chunk);
        }
    }
    Ok(buffers)
}

fn write_segment(disk: &dyn Disk, found: &Segment, bytes: &[u8]) -> io::Result<()> {
    let path = segment::path(found);
    let file = match disk.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && found.length == 0 => {
            disk.create_dir(&segment::directory(found.class))?;
            disk.create(&path)?
        }
        other => other?,
    };
    file.write_at(found.length, bytes)?;
    file.sync()?;
    // Also when the file was there: its name may date from an attempt that did not get this far.
    if found.length == 0 { disk.sync_dir(&segment::directory(found.class)) } else { Ok(()) }
}

/// Unlinks journals up to `generation`. They are retired already, so a failure leaves only a file that the next opening removes.
pub(crate) fn retire_files(inner: &Inner, generation: u64) {
    let first = inner.first_journal.load(Ordering::Acquire);
    inner.first_journal.store(generation + 1, Ordering::Release);
    for number in first..=generation {
        if let Err(error) = inner.disk.unlink(&journal::path(number)) {
            tracing::warn!(%error, "a retired journal could not be removed; the next opening does it");
        }
    }
}

/// Readings in memory: the generation that grows, and the one being flushed. A generation is numbered by its newest journal.
pub(crate) struct Memory {
    pub(crate) active: Memtable,
    pub(crate) active_generation: u64,
    /// With its number.
    pub(crate) flushing: Option<(u64, Arc<Memtable>)>,
}

impl Memory {
    pub(crate) fn can_rotate(&self) -> bool {
        self.flushing.is_none() && self.active.messages > 0
    }

    /// The active generation is whole; `next` begins.
    pub(crate) fn rotate(&mut self, next: u64) {
        self.flushing = Some((self.active_generation, Arc::new(std::mem::take(&mut self.active))));
        self.active_generation = next;
    }
}
