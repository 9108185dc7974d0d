//! The hot path: sealing on the caller's thread, a short lock to queue, nothing that waits.
//!
//! INVARIANT: a position is told as durable only when its record is. A queued batch is therefore never dropped while the store lives: when the disk is full
//! it is tried again until it fits; when the disk fails, or the store closes, no further position is ever told.

use crate::api::{Admitted, AppendError, Appended, Health, Position, Waiter};
use crate::journal::{BATCH_HEADER_BYTES, put_record};
use crate::limits::{BATCH_BYTES_KEPT, PENDING_BYTES_MAX, SCRATCH_BYTES_MAX};
use crate::message::{ClassNumber, encode};
use crate::ranges::Seen;
use crate::records::keys::SubjectEntry;
use obhut_model::Subject;
use obhut_vault::NonceSource;
use parking_lot::{Condvar, Mutex};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the store can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Good = 0,
    Full = 1,
    Failed = 2,
    Closing = 3,
}

/// Messages that wait for one commit.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) number: u64,
    /// Room for the batch header, then sealed records.
    pub(crate) sealed: Vec<u8>,
    /// The same messages for the memtable: length, subject, plaintext.
    pub(crate) plain: Vec<u8>,
    pub(crate) records: u32,
    pub(crate) last: u64,
    pub(crate) waiters: Vec<Arc<Waiter>>,
}

impl Batch {
    pub(crate) fn new(number: u64) -> Self {
        let sealed = vec![0; BATCH_HEADER_BYTES];
        Self { number, sealed, plain: Vec::new(), records: 0, last: 0, waiters: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0 && self.waiters.is_empty()
    }

    /// Gives the room of a rush back once it is over.
    pub(crate) fn clear(&mut self) {
        if self.sealed.capacity() > BATCH_BYTES_KEPT && self.sealed.len() < BATCH_BYTES_KEPT / 4 {
            self.sealed.shrink_to(BATCH_BYTES_KEPT);
            self.plain.shrink_to(BATCH_BYTES_KEPT);
        }
        self.sealed.truncate(BATCH_HEADER_BYTES);
        self.plain.clear();
        self.waiters.clear();
        self.records = 0;
    }

    fn wait(&mut self, waiter: &Arc<Waiter>) {
        if waiter.joins(self.number) {
            self.waiters.push(waiter.clone());
        }
    }

    /// The plaintexts, by subject.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (Subject, &[u8])> {
        let mut reader = crate::bytes::Reader(&self.plain);
        std::iter::from_fn(move || {
            let length = reader.u32()? as usize;
            let subject = Subject::from_random(reader.array()?);
            Some((subject, reader.take(length)?))
        })
    }
}

struct Pending {
    batch: Batch,
    last: u64,
    seen: Seen,
    closing: bool,
}

/// The queue between the callers and the commit thread.
pub(crate) struct Ingest {
    pending: Mutex<Pending>,
    wake: Condvar,
    done: Condvar,
    durable: AtomicU64,
    state: AtomicU8,
    reason: Mutex<String>,
}

#[derive(Default)]
struct Scratch {
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Ingest {
    pub(crate) fn new(seen: Seen) -> Self {
        Self {
            // Batches count from one, because a waiter that never joined any remembers zero.
            pending: Mutex::new(Pending { batch: Batch::new(1), last: 0, seen, closing: false }),
            wake: Condvar::new(),
            done: Condvar::new(),
            durable: AtomicU64::new(0),
            state: AtomicU8::new(State::Good as u8),
            reason: Mutex::new(String::new()),
        }
    }

    /// Seals and queues one message.
    pub(crate) fn append(
        &self,
        message: &Admitted<'_>,
        entry: &SubjectEntry,
        nonces: &NonceSource,
        class: impl Fn(crate::api::RetentionClass) -> ClassNumber,
        waiter: &Arc<Waiter>,
    ) -> Result<Appended, AppendError> {
        self.check()?;
        let nonce = nonces.next().map_err(|_| AppendError::NoKey)?;
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { plain, sealed } = scratch;
            plain.clear();
            sealed.clear();
            encode(plain, message, class);
            put_record(sealed, entry, message.received, nonce, plain).map_err(|_| AppendError::NoKey)?;
            let out = self.queue(message, entry, plain, sealed, waiter);
            if plain.capacity() > SCRATCH_BYTES_MAX {
                *scratch = Scratch::default();
            }
            out
        })
    }

    fn queue(
        &self,
        message: &Admitted<'_>,
        entry: &SubjectEntry,
        plain: &[u8],
        sealed: &[u8],
        waiter: &Arc<Waiter>,
    ) -> Result<Appended, AppendError> {
        let length = u32::try_from(plain.len()).map_err(|_| AppendError::Behind)?;
        let mut pending = self.pending.lock();
        self.check()?;
        // Looked at under the lock: whoever erases marks the key first and then waits for all that was queued before.
        if entry.is_erased() {
            return Err(AppendError::NoKey);
        }
        if pending.batch.sealed.len() + sealed.len() > PENDING_BYTES_MAX {
            return Err(AppendError::Behind);
        }
        // From here on it is taken, or was before.
        if let Some(sequence) = message.sequence
            && !pending.seen.insert(message.device.as_str(), message.subject, sequence)
        {
            return Ok(self.duplicate(&mut pending, waiter));
        }
        let was_empty = pending.batch.is_empty();
        pending.last += 1;
        let last = pending.last;
        let batch = &mut pending.batch;
        batch.sealed.extend_from_slice(sealed);
        batch.plain.extend_from_slice(&length.to_le_bytes());
        batch.plain.extend_from_slice(message.subject.as_bytes());
        batch.plain.extend_from_slice(plain);
        batch.records += 1;
        batch.last = last;
        batch.wait(waiter);
        drop(pending);
        if was_empty {
            self.wake.notify_one();
        }
        Ok(Appended::At(Position(last)))
    }

    /// The first of the two may still be on its way; everything queued so far includes it.
    fn duplicate(&self, pending: &mut Pending, waiter: &Arc<Waiter>) -> Appended {
        let last = Position(pending.last);
        if self.durable() >= last {
            waiter.tell(last);
        } else {
            pending.batch.wait(waiter);
            self.wake.notify_one();
        }
        Appended::Duplicate(last)
    }

    pub(crate) fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Good,
            1 => State::Full,
            2 => State::Failed,
            _ => State::Closing,
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self.state() {
            State::Good => Health::Good,
            State::Full => Health::DiskFull,
            State::Failed => Health::Failed(self.reason.lock().clone()),
            State::Closing => Health::Failed("the store is closing".into()),
        }
    }

    fn check(&self) -> Result<(), AppendError> {
        match self.state() {
            State::Good => Ok(()),
            State::Full => Err(AppendError::DiskFull),
            State::Failed => Err(AppendError::DiskFailed),
            State::Closing => Err(AppendError::Closing),
        }
    }

    /// Good and full come and go; failed and closing stay.
    pub(crate) fn set_full(&self, full: bool) {
        let (from, to) = if full { (State::Good, State::Full) } else { (State::Full, State::Good) };
        let changed = self.state.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if changed && full {
            tracing::error!("the disk is full: readings are shown but not kept until there is room");
            self.nudge();
        } else if changed {
            tracing::info!("there is room on the disk again: readings are kept");
        }
    }

    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(reason, "the disk failed: nothing is kept until the store is opened again");
        *self.reason.lock() = reason;
        self.state.store(State::Failed as u8, Ordering::Release);
        self.nudge();
        self.done.notify_all();
    }

    fn nudge(&self) {
        self.pending.lock().batch.waiters.iter().for_each(|waiter| waiter.nudge());
    }

    pub(crate) fn close(&self) {
        let mut pending = self.pending.lock();
        pending.closing = true;
        if self.state() == State::Good {
            self.state.store(State::Closing as u8, Ordering::Release);
        }
        drop(pending);
        self.wake.notify_all();
    }

    /// Waits until something is queued, `idle` is over or the store closes; swaps the queue with `spare`. `linger`: how long to wait for company.
    pub(crate) fn take(&self, spare: &mut Batch, idle: Duration, linger: Duration) -> bool {
        let mut pending = self.pending.lock();
        if pending.batch.is_empty() && !pending.closing {
            self.wake.wait_for(&mut pending, idle);
        }
        let until = Instant::now() + linger;
        while !linger.is_zero()
            && !pending.batch.is_empty()
            && !pending.closing
            && !self.wake.wait_until(&mut pending, until).timed_out()
        {}
        spare.number = pending.batch.number + 1;
        std::mem::swap(&mut pending.batch, spare);
        spare.last = pending.last;
        pending.closing
    }

    /// Waits a while, or until the store closes: `true`.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let mut pending = self.pending.lock();
        let until = Instant::now() + time;
        while !pending.closing && !self.wake.wait_until(&mut pending, until).timed_out() {}
        pending.closing
    }

    /// Everything up to `last` is durable and in the memtable.
    pub(crate) fn committed(&self, batch: &Batch) {
        self.durable.store(batch.last, Ordering::Release);
        batch.waiters.iter().for_each(|waiter| waiter.tell(Position(batch.last)));
        // The lock orders this after whoever has looked and is about to wait.
        drop(self.pending.lock());
        self.done.notify_all();
    }

    /// Waits until all that was queued before is committed, or cannot be now.
    pub(crate) fn drain(&self) {
        let mut pending = self.pending.lock();
        let target = Position(pending.last);
        while self.durable() < target && self.state() == State::Good {
            self.done.wait_for(&mut pending, Duration::from_millis(100));
        }
    }

    /// Forgets what was seen of an erased subject.
    pub(crate) fn forget(&self, subject: Subject) {
        self.pending.lock().seen.forget(subject);
    }

    /// Notes a message found in a journal at opening.
    pub(crate) fn replayed(&self, seen: &Seen) {
        let mut pending = self.pending.lock();
        for (device, run) in seen.iter() {
            pending.seen.merge(device, run.subject, run.run, &run.ranges);
        }
    }
}
