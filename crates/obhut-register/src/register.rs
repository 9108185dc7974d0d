//! The register itself: one writer, many readers, and a queue for what could not wait.
//!
//! A command that can wait is checked, appended, and only then in force. One that cannot ([`Command::urgent`]) is in force as soon as it is checked; its
//! rows queue and are appended before anything else. The two may overlap, because changes of different things commute (see [`State`]), and because
//! whoever appends takes the queue along in the same step as their own check: nothing in the log refers to what is not there yet.

use crate::state::Misfit;
use crate::{By, Change, ChangeLog, Command, Entry, Key, LogError, Refusal, Row, State, Unreadable};
use obhut_model::{ServerTime, Subject};
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// What is so now.
    pub changes: Vec<Change>,
    /// Whether it is also in the log.
    pub kept: Kept,
}

/// Where a change is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the log, durable.
    Durable,
    /// In memory and in force; it will be written as soon as the log works.
    Pending,
}

/// Why the register does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The log cannot be read.
    #[error("the register's log cannot be read")]
    Log(#[source] LogError),
    /// A row cannot be read.
    #[error("the register cannot be read")]
    Row(#[source] Unreadable),
    /// A row does not follow on those before it.
    #[error("row {seq}, a change of kind `{kind}`, does not follow on the rows before it")]
    Misfit {
        /// Which row.
        seq: u64,
        /// Its kind.
        kind: &'static str,
        /// Why.
        #[source]
        why: Misfit,
    },
}

/// The register. Share it as `Arc<Register>`.
pub struct Register {
    log: Arc<dyn ChangeLog>,
    state: RwLock<State>,
    /// In force, not yet in the log. Grows only while `state` is locked for writing; shrinks only under `writer`.
    pending: Mutex<VecDeque<(Key, Row)>>,
    /// Held by whoever appends. Knows which rows belong to which thing.
    writer: Mutex<HashMap<Key, Vec<u64>>>,
    revision: AtomicU64,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

impl Register {
    /// Reads the whole log.
    ///
    /// # Errors
    /// [`OpenError`]: the log fails, a row does not read, or does not follow on those before it.
    pub fn open(log: Arc<dyn ChangeLog>) -> Result<Self, OpenError> {
        let mut state = State::default();
        let mut rows: HashMap<Key, Vec<u64>> = HashMap::new();
        for stored in log.load().map_err(OpenError::Log)? {
            let entry = Entry::read(stored.seq, stored.at, &stored.bytes).map_err(OpenError::Row)?;
            let misfit = |why| OpenError::Misfit { seq: stored.seq, kind: entry.change.kind(), why };
            if state.about(&entry.change).map_err(misfit)? != stored.about {
                return Err(misfit(Misfit::About));
            }
            state.fold(&entry).map_err(misfit)?;
            rows.entry(entry.change.key()).or_default().push(stored.seq);
        }
        Ok(Self {
            log,
            state: RwLock::new(state),
            pending: Mutex::default(),
            writer: Mutex::new(rows),
            revision: AtomicU64::new(0),
        })
    }

    /// Looks at the state. Keep it short: whoever changes something waits.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state.read())
    }

    /// Grows with every change that comes into force: a cheap way to see that something did.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// How many rows are in force and not yet in the log.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.lock().len()
    }

    /// Checks `command`, has it written, and puts it into force. Blocks for as long as the log takes to be durable; an urgent command is in force
    /// before that.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was changed.
    pub fn execute(&self, by: By, at: ServerTime, command: impl Into<Command>) -> Result<Done, Refusal> {
        let command = command.into();
        if command.urgent() {
            let changes = self.put_into_force(by, at, command)?;
            // A busy writer takes the queue along; it need not be waited for.
            let kept = if self.try_settle() { Kept::Durable } else { Kept::Pending };
            return Ok(Done { changes, kept });
        }
        let mut rows = self.writer.lock();
        let (entries, mut queue) = {
            let state = self.state.read();
            let entries = entries(&state, by, at, command)?;
            (entries, std::mem::take(&mut *self.pending.lock()))
        };
        let waiting = queue.len();
        queue.extend(entries.iter().map(|(key, row, _)| (*key, row.clone())));
        if let Err(mut queue) = self.append(&mut rows, queue) {
            queue.truncate(waiting);
            self.put_back(queue);
            return Err(Refusal::Unavailable);
        }
        let changes = self.fold(&mut self.state.write(), entries)?;
        Ok(Done { changes, kept: Kept::Durable })
    }

    /// Puts an urgent command into force in memory and queues its rows, without touching the log: never waits for a disk. Call
    /// [`settle`](Self::settle) soon after.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was changed. [`Refusal::Unavailable`] for a command that is not urgent.
    pub fn put_into_force(&self, by: By, at: ServerTime, command: impl Into<Command>) -> Result<Vec<Change>, Refusal> {
        let command = command.into();
        if !command.urgent() {
            return Err(Refusal::Unavailable);
        }
        let mut state = self.state.write();
        let entries = entries(&state, by, at, command)?;
        self.pending.lock().extend(entries.iter().map(|(key, row, _)| (*key, row.clone())));
        self.fold(&mut state, entries)
    }

    /// Writes what is queued. Call it from a timer while [`waiting`](Self::waiting) is not zero.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if the log still fails; the queue stays.
    pub fn settle(&self) -> Result<(), Refusal> {
        let mut rows = self.writer.lock();
        self.settle_holding(&mut rows)
    }

    /// Takes everything out that is about `subject`: from the log first, then from memory. What ended a right outlives nobody it protected.
    ///
    /// # Errors
    /// [`LogError`] if the log failed; then nothing was taken from memory, and calling again is harmless.
    pub fn forget(&self, subject: Subject) -> Result<u64, LogError> {
        let mut rows = self.writer.lock();
        let gone = self.log.forget(subject)?;
        let mut state = self.state.write();
        self.pending.lock().retain(|(_, row)| row.about != Some(subject));
        for key in state.forget(subject) {
            rows.remove(&key);
        }
        self.revision.fetch_add(1, Ordering::AcqRel);
        Ok(gone)
    }

    /// Takes things out whose retention period is over: from the log first, then from memory. Keys that are not there are passed over.
    ///
    /// # Errors
    /// [`LogError`] if the log failed; then nothing was taken from memory, and calling again is harmless.
    pub fn remove(&self, keys: &[Key]) -> Result<u64, LogError> {
        let mut rows = self.writer.lock();
        self.settle_holding(&mut rows).map_err(|_| LogError::new("rows wait to be written first"))?;
        let seqs: Vec<u64> = keys.iter().filter_map(|key| rows.get(key)).flatten().copied().collect();
        self.log.remove(&seqs)?;
        let mut state = self.state.write();
        for key in keys {
            rows.remove(key);
            state.remove(*key);
        }
        self.revision.fetch_add(1, Ordering::AcqRel);
        Ok(seqs.len() as u64)
    }

    fn try_settle(&self) -> bool {
        self.writer.try_lock().is_some_and(|mut rows| self.settle_holding(&mut rows).is_ok())
    }

    fn settle_holding(&self, rows: &mut HashMap<Key, Vec<u64>>) -> Result<(), Refusal> {
        let queue = std::mem::take(&mut *self.pending.lock());
        self.append(rows, queue).map_err(|queue| {
            self.put_back(queue);
            Refusal::Unavailable
        })
    }

    /// Appends the queue, or gives it back.
    fn append(
        &self,
        rows: &mut HashMap<Key, Vec<u64>>,
        queue: VecDeque<(Key, Row)>,
    ) -> Result<(), VecDeque<(Key, Row)>> {
        if queue.is_empty() {
            return Ok(());
        }
        let (keys, batch): (Vec<Key>, Vec<Row>) = queue.into_iter().unzip();
        match self.log.append(&batch) {
            Ok(first) => {
                for (key, seq) in keys.into_iter().zip(first..) {
                    rows.entry(key).or_default().push(seq);
                }
                Ok(())
            }
            Err(_) => Err(keys.into_iter().zip(batch).collect()),
        }
    }

    /// Puts rows back before those that came meanwhile.
    fn put_back(&self, mut queue: VecDeque<(Key, Row)>) {
        let mut pending = self.pending.lock();
        queue.append(&mut pending);
        *pending = queue;
    }

    fn fold(&self, state: &mut State, entries: Vec<(Key, Row, Entry)>) -> Result<Vec<Change>, Refusal> {
        let mut changes = Vec::with_capacity(entries.len());
        for (_, _, entry) in entries {
            // INVARIANT: `entries` found that the change fits, and nobody else begins a thing with the same random identifier meanwhile.
            state.fold(&entry).map_err(|_| Refusal::Duplicate)?;
            changes.push(entry.change);
        }
        self.revision.fetch_add(1, Ordering::AcqRel);
        Ok(changes)
    }
}

/// The entries and rows of a command.
fn entries(state: &State, by: By, at: ServerTime, command: Command) -> Result<Vec<(Key, Row, Entry)>, Refusal> {
    let changes = state.check(at, by, command)?;
    changes
        .into_iter()
        .map(|change| {
            let about = state.about(&change).map_err(|misfit| match misfit {
                Misfit::Twice => Refusal::Duplicate,
                _ => Refusal::NoSuchCase,
            })?;
            let entry = Entry { at, by, change };
            let row = entry.row(about).map_err(|_| Refusal::Unavailable)?;
            Ok((entry.change.key(), row, entry))
        })
        .collect()
}
