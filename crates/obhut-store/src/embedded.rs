//! The embedded home: everything below one directory, for one process.
//!
//! `lock` · `journal/` · `segments/<class>/` · `records.db` · `keys.db` · `epoch` · `identity/identity.db` · `register.db` · `alarms.db`. How the parts play together: decision 0021.

use crate::alarms::Alarms;
use crate::api::StoreError;
use crate::changes::Changes;
use crate::commit::Committer;
use crate::disk::{Disk, RealDisk};
use crate::flush::{self, Flusher, Memory};
use crate::ingest::{Ingest, State};
use crate::limits::JOURNAL_STEP_BYTES;
use crate::memtable::Memtable;
use crate::message::ClassNumber;
use crate::records::identity::{IdentityVault, With};
use crate::records::index::{self, LAST_KEY};
use crate::records::keys::{KeyStore, Tools};
use crate::recovery;
use crate::reserve::Reserve;
use arc_swap::ArcSwap;
use obhut_model::ServerTime;
use obhut_vault::{KeyProvider, NonceSource, Random, RandomError};
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;
use std::time::Duration;

/// How the embedded store behaves. The defaults are for a hospital; tests make everything faster.
#[derive(Clone)]
pub struct Options {
    /// A generation is flushed to segments after this long.
    pub rotate_after: Duration,
    /// Or when its journal has grown to this many bytes. Memory holds up to three times as much.
    pub rotate_bytes: u64,
    /// The journal is extended by this many bytes of zeros at a time.
    pub journal_step_bytes: u64,
    /// How long a commit waits for more messages before it begins. Zero: not at all; a commit then takes what came in during the one before.
    pub linger: Duration,
    /// How long after an erasure the key epoch changes, so that several share one change. What is due at the end happens at the next opening.
    pub rotate_after_erasure: Duration,
    /// How often a full disk is tried again.
    pub retry_interval: Duration,
    /// The wall clock, for what has ended long ago.
    pub now: fn() -> ServerTime,
    /// Where journal and segments lie; `None`: in the directory given.
    pub disk: Option<Arc<dyn Disk>>,
    /// Where keys, pseudonyms and nonces come from.
    pub random: Arc<dyn Random>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rotate_after: Duration::from_secs(60),
            rotate_bytes: 96 << 20,
            journal_step_bytes: JOURNAL_STEP_BYTES,
            linger: Duration::ZERO,
            rotate_after_erasure: Duration::from_secs(5),
            retry_interval: Duration::from_millis(500),
            now: wall_clock,
            disk: None,
            random: Arc::new(SystemRandom),
        }
    }
}

fn wall_clock() -> ServerTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    ServerTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(out).map_err(|_| RandomError)
    }
}

/// What the threads and the callers share.
pub(crate) struct Inner {
    /// The data directory; the databases lie there whatever the disk.
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) provider: Arc<dyn KeyProvider>,
    pub(crate) nonces: NonceSource,
    pub(crate) keys: KeyStore,
    pub(crate) identities: IdentityVault,
    /// The register's changes.
    pub(crate) changes: Changes,
    /// What the alarms remember.
    pub(crate) alarms: Alarms,
    /// The only connection that writes `records.db`.
    pub(crate) records: Mutex<Connection>,
    /// Reads `records.db` beside it, so that a query does not wait for a flush.
    pub(crate) reader: Mutex<Connection>,
    /// Stored number of each class index in force.
    pub(crate) classes: ArcSwap<Vec<ClassNumber>>,
    /// Seconds each stored class is kept.
    pub(crate) periods: Mutex<HashMap<ClassNumber, u64>>,
    /// Held while a patient is bound.
    pub(crate) binding: Mutex<()>,
    pub(crate) ingest: Ingest,
    pub(crate) memory: RwLock<Memory>,
    /// Held shared while chunks are read or written, alone while they are removed.
    pub(crate) maintenance: RwLock<()>,
    pub(crate) flusher: Flusher,
    /// Held while a generation is flushed, and while a picture for a backup is taken.
    pub(crate) flush_gate: Mutex<()>,
    pub(crate) flush_full: AtomicBool,
    /// Made by the flush thread when there is room.
    pub(crate) reserve: Option<Reserve>,
    pub(crate) first_journal: AtomicU64,
    pub(crate) journal_number: AtomicU64,
    pub(crate) journal_end: AtomicU64,
}

impl Inner {
    pub(crate) fn with(&self) -> With<'_> {
        let now = (self.options.now)();
        With { keys: &self.keys, nonces: &self.nonces, random: &*self.options.random, now }
    }

    pub(crate) fn tools(&self) -> Tools<'_> {
        let now = (self.options.now)();
        Tools { provider: &*self.provider, random: &*self.options.random, nonces: &self.nonces, now }
    }
}

/// A key database from before some of the data: opening would take patients without a key for erased ones and remove them.
fn keys_too_old() -> StoreError {
    StoreError::Conflict(
        "the key database is older than the data: it lacks keys of patients who came later, and what they left would be taken for erased; put back a newer one"
            .into(),
    )
}

/// The embedded store. Dropping it stops it as fast as is safe; [`EmbeddedStore::close`] also tidies up.
pub struct EmbeddedStore {
    pub(crate) inner: Arc<Inner>,
    threads: Mutex<Option<Threads>>,
    _lock: File,
}

struct Threads {
    commit: JoinHandle<()>,
    flush: JoinHandle<()>,
}

impl EmbeddedStore {
    /// Opens the store in `dir`, making it if there is none, and reads back what was not flushed when it last stopped.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another process has it open; [`StoreError::Key`] if `provider` cannot unwrap its keys;
    /// [`StoreError::Damaged`] if something that was acknowledged cannot be read back.
    pub fn open(dir: &Path, provider: Arc<dyn KeyProvider>, options: Options) -> Result<Self, StoreError> {
        private_directory(dir)?;
        private_directory(&dir.join("identity"))?;
        let lock = lock(dir)?;
        // A simulated disk has its own idea of room.
        let reserve = options.disk.is_none().then(|| Reserve::of(dir));
        let same_lock = lock.try_clone().map_err(StoreError::Io)?;
        match Self::open_locked(dir, &provider, options.clone(), same_lock) {
            Err(error) if reserve.as_ref().is_some_and(Reserve::give_up) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the disk is full; opening with the reserve");
                Self::open_locked(dir, &provider, options, lock)
            }
            opened => opened,
        }
    }

    fn open_locked(
        dir: &Path,
        holder: &Arc<dyn KeyProvider>,
        options: Options,
        lock: File,
    ) -> Result<Self, StoreError> {
        let (random, provider, now) = (&*options.random, &**holder, (options.now)());
        let nonces = NonceSource::new(random).map_err(|_| StoreError::Key)?;
        let keys = KeyStore::open(dir, &Tools { provider, random, nonces: &nonces, now })?;
        let with = With { keys: &keys, nonces: &nonces, random, now };
        let identities = IdentityVault::open(&dir.join("identity/identity.db"), provider, with)?;
        let changes = Changes::open(&dir.join("register.db"), provider, random)?;
        let alarms = Alarms::open(&dir.join("alarms.db"), provider, random)?;
        let records = index::open(&dir.join("records.db"))?;
        let reader = index::open(&dir.join("records.db"))?;
        let used = index::keys_with_chunks(&records)?.into_iter().max().map_or(0, u64::from);
        if index::meta(&records, LAST_KEY)?.max(used) > u64::from(keys.last_number()?) {
            return Err(keys_too_old());
        }
        let disk = options.disk.clone().unwrap_or_else(|| Arc::new(RealDisk::new(dir)));
        let recovered = recovery::recover(&*disk, &records, &keys.by_number(), options.journal_step_bytes)?;
        let ingest = Ingest::new(index::load_seen(&records)?);
        ingest.replayed(&recovered.table.seen);
        let flushing =
            (!recovered.replayed.is_empty()).then(|| (recovered.writer.number - 1, Arc::new(recovered.table)));
        let inner = Arc::new(Inner {
            dir: dir.to_owned(),
            disk,
            provider: holder.clone(),
            nonces,
            keys,
            identities,
            changes,
            alarms,
            records: Mutex::new(records),
            reader: Mutex::new(reader),
            classes: ArcSwap::default(),
            periods: Mutex::default(),
            binding: Mutex::new(()),
            ingest,
            memory: RwLock::new(Memory {
                active: Memtable::default(),
                active_generation: recovered.writer.number,
                flushing,
            }),
            maintenance: RwLock::new(()),
            flusher: Flusher::new(),
            flush_gate: Mutex::new(()),
            flush_full: AtomicBool::new(false),
            reserve: options.disk.is_none().then(|| Reserve::of(dir)),
            first_journal: AtomicU64::new(recovered.replayed.first().copied().unwrap_or(recovered.writer.number)),
            journal_number: AtomicU64::new(recovered.writer.number),
            journal_end: AtomicU64::new(recovered.writer.end),
            options,
        });
        let store = Self { inner: inner.clone(), threads: Mutex::new(None), _lock: lock };
        inner.reserve.iter().for_each(Reserve::keep);
        store.complete_erasures()?;
        store.complete_expiry()?;
        let committer = Committer::new(inner.clone(), recovered.writer);
        let commit = spawn("obhut-commit", move || committer.run())?;
        let flush = spawn("obhut-flush", move || flush::run(&inner))?;
        *store.threads.lock() = Some(Threads { commit, flush });
        Ok(store)
    }

    /// Makes everything queued durable, moves all readings to segments and ends. After this the journal is empty.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the disk did not let it finish; nothing acknowledged is lost, the next opening goes on.
    pub fn close(&self) -> Result<(), StoreError> {
        self.stop(true);
        let clean = self.inner.memory.read().flushing.is_none() && self.inner.ingest.state() != State::Failed;
        if clean {
            Ok(())
        } else {
            Err(StoreError::Conflict(
                "the disk did not take everything; it stays in the journal for the next start".into(),
            ))
        }
    }

    fn stop(&self, finish: bool) {
        let Some(threads) = self.threads.lock().take() else { return };
        self.inner.ingest.close();
        let committed = threads.commit.join().is_ok();
        self.inner.flusher.stop(finish && committed && self.inner.ingest.state() != State::Failed);
        if threads.flush.join().is_err() {
            tracing::error!("the flush thread ended by a fault; the next opening goes on from the journal");
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.stop(false);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(StoreError::Io)
}

fn private_directory(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::Io)
}

/// The lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let file =
        File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(StoreError::Io)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(StoreError::Conflict("the data directory is in use by another server; stop that one first".into()))
        }
        Err(error) => Err(StoreError::Io(error.into())),
    }
}
