//! The handle others hold: record, look up, prove.

use crate::book::{DownError, EVENTS, Open};
use crate::database::{Database, DatabaseError, Query, Stored};
use crate::files::LogDir;
use crate::keeper::{Job, Keeper, State};
use crate::keys::LedgerKeys;
use crate::limits::{CHECKPOINT_MAX, QUEUE_MAX, RECORD_WAIT, SPOOL_AFTER, SPOOL_WAIT};
use crate::spool::SpoolDir;
use crate::witness::{WitnessConfig, Witnesses};
use obhut_ledger::event::EventKind;
use obhut_ledger::export::Line;
use obhut_ledger::record::Tags;
use obhut_ledger::{
    Checkpoint, EncodeError, Event, Files as _, Leaf, Proof, Published, Recorded, SignedNote, TilePath,
};
use obhut_model::{RequestId, ServerTime, Subject};
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How the ledger is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of the log: events.db, checkpoint, tiles.
    pub dir: PathBuf,
    /// Directory of the spool, best on another disk.
    pub spool: PathBuf,
    /// Who is asked to cosign checkpoints.
    pub witnesses: Vec<WitnessConfig>,
    /// Time between entries and their checkpoint; at most [`CHECKPOINT_MAX`].
    pub checkpoint_every: Duration,
}

impl Options {
    /// The usual places below a data directory, without witnesses.
    #[must_use]
    pub fn in_data(data: &std::path::Path) -> Self {
        Self {
            dir: data.join("ledger"),
            spool: data.join("spool"),
            witnesses: Vec::new(),
            checkpoint_every: Duration::from_secs(10),
        }
    }
}

/// The ledger does not take entries. What needs one must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is not available")]
pub struct LedgerDown;

/// Why something could not be looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// The ledger is down.
    #[error(transparent)]
    Down(#[from] LedgerDown),
    /// The database failed.
    #[error("the ledger's database failed")]
    Database(#[from] DatabaseError),
    /// An entry does not open or does not match its commitment.
    #[error("entry {0} was changed or is damaged")]
    Damaged(u64),
    /// No such entry.
    #[error("there is no entry {0}")]
    NoEntry(u64),
    /// The tiles do not give a proof.
    #[error("the ledger's tiles are damaged")]
    Tiles(#[source] obhut_ledger::tree::TreeError),
}

/// How the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerState {
    /// It takes entries.
    Good,
    /// It does not; events of the bedside and of emergencies wait in the spool.
    Spooling {
        /// How many.
        waiting: u64,
    },
    /// Neither ledger nor spool take anything.
    Down,
}

/// An entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub index: u64,
    /// What it says; without its note if that was removed.
    pub event: Event,
    /// Whether its note was removed.
    pub note_removed: bool,
}

/// What commit thread, witnesses and handle share.
pub(crate) struct Shared {
    pub(crate) up: AtomicBool,
    pub(crate) stalled: AtomicBool,
    pub(crate) spool_failed: AtomicBool,
    pub(crate) waiting: AtomicU64,
    pub(crate) why: Mutex<Option<String>>,
    pub(crate) checkpoint: RwLock<Option<SignedNote>>,
    pub(crate) spool: Arc<SpoolDir>,
    pub(crate) witnesses: Mutex<Option<Witnesses>>,
}

impl Shared {
    pub(crate) fn say_down(&self, error: &DownError) {
        self.up.store(false, Ordering::Release);
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        let mut why = self.why.lock();
        if why.as_deref() != Some(&text) {
            tracing::error!("the ledger is down: {text}");
            *why = Some(text);
        }
    }

    pub(crate) fn ask_witnesses(&self, note: &SignedNote) {
        if let Some(witnesses) = &*self.witnesses.lock() {
            witnesses.ask(note.clone());
        }
    }
}

/// Keeps the ledger. Made by [`Scribe::open`]; closed by [`Scribe::close`] or when the last handle goes.
pub struct Scribe {
    options: Options,
    keys: Arc<LedgerKeys>,
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
    reader: Mutex<Option<Database>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scribe").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Why there is no scribe at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScribeError {
    /// No thread.
    #[error("the ledger's thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// A witness is not configured rightly.
    #[error("witness `{name}`: {why}")]
    Witness {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
}

impl Scribe {
    /// Opens the ledger. A ledger that cannot be opened is no error: it is down, tried again, and the bedside goes on (see [`Scribe::state`]).
    ///
    /// # Errors
    /// [`ScribeError`] if what was configured cannot work.
    pub fn open(options: Options, keys: LedgerKeys) -> Result<Arc<Self>, ScribeError> {
        let keys = Arc::new(keys);
        let shared = Arc::new(Shared {
            up: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            spool_failed: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
            why: Mutex::new(None),
            checkpoint: RwLock::new(None),
            spool: Arc::new(SpoolDir::new(&options.spool)),
            witnesses: Mutex::new(None),
        });
        let state = match Open::at(&options.dir, &keys) {
            Ok(open) => {
                *shared.checkpoint.write() = open.checkpoint(keys.public());
                shared.up.store(true, Ordering::Release);
                State::Up(Box::new(open))
            }
            Err(error) => {
                shared.say_down(&error);
                State::down()
            }
        };
        shared.waiting.store(left_in_spool(&shared.spool, &keys), Ordering::Release);
        let (jobs, received) = sync_channel(QUEUE_MAX);
        if !options.witnesses.is_empty() {
            let witnesses = Witnesses::start(&options, keys.public(), jobs.clone())?;
            if let Some(note) = &*shared.checkpoint.read() {
                witnesses.ask(note.clone());
            }
            *shared.witnesses.lock() = Some(witnesses);
        }
        let keeper = Keeper {
            dir: options.dir.clone(),
            keys: keys.clone(),
            shared: shared.clone(),
            checkpoint_every: options.checkpoint_every.min(CHECKPOINT_MAX),
            state,
            published: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || keeper.run(&received))
            .map_err(ScribeError::Thread)?;
        Ok(Arc::new(Self { options, keys, shared, jobs, reader: Mutex::new(None), thread: Mutex::new(Some(thread)) }))
    }

    /// Whether an event can be recorded at all; an event that cannot is a fault of whoever made it, not of the ledger.
    ///
    /// # Errors
    /// [`EncodeError`] naming the field.
    pub fn check(&self, event: &Event) -> Result<(), EncodeError> {
        event.check()
    }

    /// Records an event. It is durable when this returns; once begun it is recorded even if the caller goes away.
    ///
    /// # Errors
    /// [`LedgerDown`] if it is not durable within [`RECORD_WAIT`], or cannot be encoded. It may still be recorded later; nothing may be shown against it.
    pub async fn record(&self, event: Event) -> Result<Recorded, LedgerDown> {
        self.record_within(event, RECORD_WAIT).await
    }

    /// Records an event of the bedside or of an emergency: in the ledger, or if that does not answer, in the spool.
    ///
    /// # Errors
    /// [`LedgerDown`] if neither takes it.
    pub async fn record_or_spool(&self, event: Event) -> Result<Recorded, LedgerDown> {
        if let Ok(recorded) = self.record_within(event.clone(), SPOOL_AFTER).await {
            return Ok(recorded);
        }
        let (keys, shared, jobs) = (self.keys.clone(), self.shared.clone(), self.jobs.clone());
        let write = tokio::task::spawn_blocking(move || {
            let done = shared.spool.write(&keys.events, &event);
            shared.spool_failed.store(done.is_err(), Ordering::Release);
            match done {
                Ok(recorded) => {
                    shared.waiting.fetch_add(1, Ordering::AcqRel);
                    let _full = jobs.try_send(Job::Replay);
                    Ok(recorded)
                }
                Err(error) => {
                    tracing::error!("the spool failed: {error}");
                    Err(LedgerDown)
                }
            }
        });
        match tokio::time::timeout(SPOOL_WAIT, write).await {
            Ok(Ok(done)) => done,
            _ => Err(LedgerDown),
        }
    }

    async fn record_within(&self, event: Event, wait: Duration) -> Result<Recorded, LedgerDown> {
        if !self.shared.up.load(Ordering::Acquire) || self.shared.stalled.load(Ordering::Acquire) {
            return Err(LedgerDown);
        }
        if let Err(error) = event.check() {
            tracing::error!("an event cannot be recorded: {error}");
            return Err(LedgerDown);
        }
        let (told, answer) = oneshot::channel();
        match self.jobs.try_send(Job::Record(Box::new(event), told)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(LedgerDown),
        }
        match tokio::time::timeout(wait, answer).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(LedgerDown),
            Err(_) => {
                // The thread hangs in a write. Nobody else waits for it until it moves again.
                self.shared.stalled.store(true, Ordering::Release);
                Err(LedgerDown)
            }
        }
    }

    /// How the ledger is.
    #[must_use]
    pub fn state(&self) -> LedgerState {
        if self.shared.up.load(Ordering::Acquire) && !self.shared.stalled.load(Ordering::Acquire) {
            LedgerState::Good
        } else if self.shared.spool_failed.load(Ordering::Acquire) {
            LedgerState::Down
        } else {
            LedgerState::Spooling { waiting: self.waiting() }
        }
    }

    /// Events in the spool that are not in the ledger yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.shared.waiting.load(Ordering::Acquire)
    }

    /// Why the ledger is down, for the operator; the last reason, also after it is back.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.shared.why.lock().clone()
    }

    /// The public key checkpoints are checked with, as `name+id+key`.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.keys.public().to_string()
    }

    /// Entries that answer a query, newest first, each checked against its commitment. Removed ones are not among them.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn find(&self, query: &Query) -> Result<Vec<Entry>, LookError> {
        let rows = self.read(|database| database.find(&self.keys.events, query))?;
        rows.iter().map(|row| self.open_row(row)).collect()
    }

    /// One entry; `None` if it was removed by its retention rule.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn entry(&self, index: u64) -> Result<Option<Entry>, LookError> {
        let row = self.row(index)?;
        row.sealed.is_some().then(|| self.open_row(&row)).transpose()
    }

    /// The entries made for a request; usually one.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn by_request(&self, request: RequestId) -> Result<Vec<Entry>, LookError> {
        let tag = Tags::request(&self.keys.events, request);
        let rows = self.read(|database| database.by_request(&tag))?;
        rows.iter().filter(|row| row.sealed.is_some()).map(|row| self.open_row(row)).collect()
    }

    /// What the commitment of an entry is made of: for an export, or beside a proof.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn line(&self, index: u64) -> Result<Line, LookError> {
        self.line_of(&self.row(index)?)
    }

    /// Lines `from..`, in order, at most `limit`; for an export of everything.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn lines(&self, from: u64, limit: u64) -> Result<Vec<Line>, LookError> {
        let rows = self.read(|database| database.rows(from, limit))?;
        rows.iter().map(|row| self.line_of(row)).collect()
    }

    /// The commitment of an entry, which stays for good.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn leaf(&self, index: u64) -> Result<Leaf, LookError> {
        Ok(self.row(index)?.leaf)
    }

    /// The newest signed checkpoint with its cosignatures, empty if there is none yet.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        self.shared.checkpoint.read().as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Signs a checkpoint over all entries now. Waits for the disk: not for an async task (see [`Scribe::prove`]).
    ///
    /// # Errors
    /// [`LedgerDown`].
    pub fn publish(&self) -> Result<SignedNote, LedgerDown> {
        self.ask(Job::Publish)
    }

    /// A file of the log by its path below `tile/`, for others to verify with.
    #[must_use]
    pub fn tile(&self, path: &str) -> Option<Vec<u8>> {
        let path: TilePath = path.parse().ok()?;
        LogDir::new(&self.options.dir).read(&path.to_string()).ok()?
    }

    /// Proof that an entry is in the log. Makes a checkpoint if none covers it yet. Waits for the disk.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn prove(&self, index: u64) -> Result<Proof, LookError> {
        let covers = |note: &SignedNote| Checkpoint::parse(&note.text).ok().filter(|c| index < c.size);
        let known = self.shared.checkpoint.read().clone().filter(|note| covers(note).is_some());
        let note = match known {
            Some(note) => note,
            None => self.publish()?,
        };
        let checkpoint = covers(&note).ok_or(LookError::NoEntry(index))?;
        let files = LogDir::new(&self.options.dir);
        let hashes =
            Published::new(&files, checkpoint.size, checkpoint.root).prove_entry(index).map_err(LookError::Tiles)?;
        Ok(Proof { index, hashes, checkpoint: note })
    }

    /// Retention: removes events and salts of these kinds before a time; their commitments stay. Waits for the disk.
    ///
    /// # Errors
    /// [`LedgerDown`]; part may have been removed.
    pub fn remove_events(&self, before: ServerTime, kinds: &[EventKind]) -> Result<u64, LedgerDown> {
        let kinds = if kinds.is_empty() { EventKind::ALL.to_vec() } else { kinds.to_vec() };
        self.ask(|told| Job::Remove(before, kinds, told))
    }

    /// How many events of these kinds are older than a time; for a dry run and for counting what is overdue.
    ///
    /// # Errors
    /// [`LookError`].
    pub fn count_before(&self, before: ServerTime, kinds: &[EventKind]) -> Result<u64, LookError> {
        let kinds = if kinds.is_empty() { EventKind::ALL } else { kinds };
        self.read(|database| database.count_before(before, kinds))
    }

    /// Erasure: removes the free texts of all events about a subject. Who did what stays, and stays provable. Waits for the disk.
    ///
    /// # Errors
    /// [`LedgerDown`].
    pub fn remove_notes(&self, subject: Subject) -> Result<u64, LedgerDown> {
        self.ask(|told| Job::RemoveNotes(subject, told))
    }

    /// Records what waits, signs a last checkpoint and ends. Later calls find the ledger down.
    pub fn close(&self) {
        let (told, answer) = sync_channel(1);
        if self.jobs.send(Job::Close(told)).is_ok() {
            let _gone = answer.recv_timeout(Duration::from_secs(30));
        }
        drop(self.shared.witnesses.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            let _panicked = thread.join();
        }
    }

    fn ask<T>(&self, job: impl FnOnce(SyncSender<Result<T, LedgerDown>>) -> Job) -> Result<T, LedgerDown> {
        let (told, answer) = sync_channel(1);
        self.jobs.send(job(told)).map_err(|_| LedgerDown)?;
        answer.recv().map_err(|_| LedgerDown)?
    }

    fn row(&self, index: u64) -> Result<Stored, LookError> {
        self.read(|database| database.row(index))?.ok_or(LookError::NoEntry(index))
    }

    fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, DatabaseError>) -> Result<T, LookError> {
        let mut reader = self.reader.lock();
        let database = match reader.take() {
            Some(database) => database,
            None => Database::open_to_read(&self.options.dir.join(EVENTS))?,
        };
        let done = work(&database)?;
        *reader = Some(database);
        Ok(done)
    }

    fn line_of(&self, row: &Stored) -> Result<Line, LookError> {
        let Some(sealed) = &row.sealed else { return Ok(Line::Removed { index: row.index }) };
        let entry = self.keys.events.open(row.index, sealed).map_err(|_| LookError::Damaged(row.index))?;
        if entry.leaf() != row.leaf {
            return Err(LookError::Damaged(row.index));
        }
        Ok(Line::Present { index: row.index, entry })
    }

    fn open_row(&self, row: &Stored) -> Result<Entry, LookError> {
        let line = self.line_of(row)?;
        let note_removed = matches!(&line, Line::Present { entry, .. } if entry.note_removed.is_some());
        let event = line.event().ok_or(LookError::Damaged(row.index))?;
        Ok(Entry { index: row.index, event, note_removed })
    }
}

/// How many events lie in the spool from before.
fn left_in_spool(spool: &SpoolDir, keys: &LedgerKeys) -> u64 {
    let paths = spool.close_all().ok().flatten().unwrap_or_default();
    let count = |path: &PathBuf| match SpoolDir::read(&keys.events, path) {
        // A file without events still has to be looked at and removed.
        Ok(closed) => closed.read.events.len().max(1) as u64,
        Err(_) => 1,
    };
    paths.iter().map(count).sum()
}
