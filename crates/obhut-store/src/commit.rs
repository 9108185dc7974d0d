//! The commit thread: one batch after the other into the journal, each synced before it is told; and the change to a new journal in time.

use crate::disk::is_full;
use crate::embedded::Inner;
use crate::ingest::{Batch, State};
use crate::journal::Writer;
use crate::reserve::Reserve;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) struct Committer {
    inner: Arc<Inner>,
    writer: Writer,
    begun: Instant,
    spare: Batch,
}

impl Committer {
    pub(crate) fn new(inner: Arc<Inner>, writer: Writer) -> Self {
        Self { inner, writer, begun: Instant::now(), spare: Batch::new(0) }
    }

    /// Runs until the store closes or the disk fails.
    pub(crate) fn run(mut self) {
        loop {
            let (idle, linger) = (self.idle(), self.inner.options.linger);
            let closing = self.inner.ingest.take(&mut self.spare, idle, linger);
            if self.spare.records > 0 && !self.commit() {
                return;
            }
            if !self.spare.is_empty() {
                self.inner.ingest.committed(&self.spare);
                self.spare.clear();
            } else if closing {
                return;
            }
            if self.inner.ingest.state() == State::Failed || !self.rotate() {
                return;
            }
        }
    }

    fn idle(&self) -> Duration {
        let left = self.inner.options.rotate_after.saturating_sub(self.begun.elapsed());
        left.clamp(Duration::from_millis(20), Duration::from_secs(1))
    }

    /// Writes the batch, as often as it takes while the disk is full. `false`: given up, nothing more may be told.
    fn commit(&mut self) -> bool {
        let length = self.spare.sealed.len();
        while let Err(error) = self.writer.write(&mut self.spare.sealed, length, self.spare.records) {
            if !is_full(&error) {
                self.inner.ingest.fail(format!("the journal could not be written: {error}"));
                self.spare.waiters.iter().for_each(|waiter| waiter.nudge());
                return false;
            }
            self.inner.ingest.set_full(true);
            self.spare.waiters.iter().for_each(|waiter| waiter.nudge());
            if self.inner.ingest.pause(self.inner.options.retry_interval) {
                return false;
            }
        }
        self.inner.journal_end.store(self.writer.end, Ordering::Release);
        self.room_again();
        self.apply()
    }

    /// Takes readings again. The reserve comes first: who sees an acknowledgement after a full disk may rely on another start.
    fn room_again(&self) {
        if self.inner.ingest.state() == State::Full {
            self.inner.reserve.iter().for_each(Reserve::keep);
        }
        self.inner.ingest.set_full(false);
    }

    fn apply(&mut self) -> bool {
        let keys = self.inner.keys.map();
        let mut memory = self.inner.memory.write();
        for (subject, plain) in self.spare.messages() {
            // Erased since it was queued: its bytes are sealed under a key that is gone, and it must not come back to memory.
            if !keys.contains_key(&subject) {
                continue;
            }
            if memory.active.apply(subject, plain).is_none() {
                drop(memory);
                self.inner.ingest.fail("a message could not be read back from memory".into());
                return false;
            }
        }
        true
    }

    /// Begins a new journal if it is time and the last generation is flushed. `false`: the disk failed.
    fn rotate(&mut self) -> bool {
        let options = &self.inner.options;
        let due = self.writer.end >= options.rotate_bytes || self.begun.elapsed() >= options.rotate_after;
        if !due || !self.inner.memory.read().can_rotate() {
            return self.hold_back();
        }
        match Writer::create(
            &*self.inner.disk,
            self.writer.number + 1,
            self.writer.next_batch(),
            options.journal_step_bytes,
        ) {
            Ok(writer) => self.switch(writer),
            Err(error) if is_full(&error) => {
                tracing::warn!("no room for a new journal; the old one goes on");
                self.begun = Instant::now();
            }
            Err(error) => {
                self.inner.ingest.fail(format!("a new journal could not be made: {error}"));
                return false;
            }
        }
        true
    }

    fn switch(&mut self, writer: Writer) {
        self.writer = writer;
        self.begun = Instant::now();
        self.inner.memory.write().rotate(self.writer.number);
        self.inner.journal_number.store(self.writer.number, Ordering::Release);
        self.inner.journal_end.store(self.writer.end, Ordering::Release);
        self.inner.flusher.wake();
    }

    /// If flushing lags so far that memory would grow without bound, takes nothing more until it is done; callers then hear `Behind`.
    fn hold_back(&mut self) -> bool {
        while self.writer.end >= self.inner.options.rotate_bytes.saturating_mul(2)
            && !self.inner.memory.read().can_rotate()
        {
            self.inner.ingest.set_full(self.inner.flush_full.load(Ordering::Acquire));
            if self.inner.ingest.state() == State::Failed || self.inner.ingest.pause(Duration::from_millis(20)) {
                break;
            }
        }
        self.room_again();
        true
    }
}
