//! The room where things go: what the job and the erasures share.

use crate::error::RetentionError;
use crate::files;
use crate::installation::Installation;
use crate::list::ErasureList;
use obhut_charter::Checked;
use obhut_charter::schema::{Covers, Retention as Class};
use obhut_ledger::{Actor, Event, EventKind, Outcome, Place, ResourceRef};
use obhut_model::{RequestId, ServerTime};
use obhut_register::Register;
use obhut_register::keeping::Scope;
use obhut_scribe::Scribe;
use obhut_store::{EmbeddedStore, Held};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Directory below the data directory.
pub const DIRECTORY: &str = "erasures";
const LIST: &str = "list.json";
/// Copies of keys live no longer than this, whatever the charter says of backups: control D07 (NIST SP 800-88r2; SDM M60.P09). 30 days.
const KEY_COPIES_MAX_SECONDS: u64 = 30 * 86_400;

/// How long archives may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// Those of data, seconds.
    pub data: u64,
    /// Those of keys, seconds.
    pub keys: u64,
}

impl Periods {
    /// As the charter says; `None` if it says nothing of backups, and so allows none.
    #[must_use]
    pub fn of(charter: &Checked) -> Option<Self> {
        let data = charter.retention_of(Covers::Backup)?.period.seconds();
        Some(Self { data, keys: data.min(KEY_COPIES_MAX_SECONDS) })
    }
}

/// The list of erasures as it goes to where copies are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList {
    /// Signed, complete up to `as_of`.
    pub bytes: Vec<u8>,
    /// How many erasures.
    pub count: u64,
    /// Up to when.
    pub as_of: ServerTime,
}

/// A place where copies of keys lie, after an attempt to renew them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Whether its copy is a new one.
    pub reached: bool,
    /// If not: when its copy runs out at the latest.
    pub until: Option<ServerTime>,
}

/// Whoever holds copies of the data directory: the backups.
pub trait Copies: Send + Sync {
    /// Ends what is being copied now. Nothing of it is left in the data directory when this returns.
    ///
    /// # Errors
    /// A sentence for the log.
    fn stop(&self) -> Result<(), String>;

    /// Replaces copies of keys and the list of erasures wherever they lie.
    ///
    /// # Errors
    /// A sentence for the log; places that cannot be reached are no error.
    fn renew(&self, list: &SignedList, periods: Periods) -> Result<Vec<Reached>, String>;

    /// Whether a place that can be reached has copies from before `since`: it was away when they were renewed.
    fn is_behind(&self, since: ServerTime) -> bool;

    /// How many archives there are, and how many of them are past their time, where they can be reached.
    fn count(&self, now: ServerTime) -> (u64, u64);

    /// Removes what is past its time.
    ///
    /// # Errors
    /// A sentence for the log.
    fn expire(&self, now: ServerTime) -> Result<u64, String>;
}

/// What [`Retention::open`] joins.
pub struct Parts {
    /// The data directory.
    pub data: PathBuf,
    /// Who signs.
    pub installation: Arc<Installation>,
    /// The store.
    pub store: Arc<EmbeddedStore>,
    /// The register.
    pub register: Arc<Register>,
    /// The ledger.
    pub scribe: Arc<Scribe>,
}

/// How far long work is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since when, if something runs.
    pub since: Option<ServerTime>,
    /// What, as a word.
    pub what: &'static str,
    /// So many.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// Keeping and letting go, for one installation.
pub struct Retention {
    pub(crate) data: PathBuf,
    pub(crate) installation: Arc<Installation>,
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) register: Arc<Register>,
    pub(crate) scribe: Arc<Scribe>,
    pub(crate) list: Mutex<ErasureList>,
    pub(crate) copies: OnceLock<Arc<dyn Copies>>,
    pub(crate) progress: Mutex<Progress>,
    /// Held while the job runs, and while a patient is erased: one thing at a time, so that counts are true.
    pub(crate) one: Mutex<()>,
    pub(crate) last: Mutex<Option<crate::job::Report>>,
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retention").finish_non_exhaustive()
    }
}

impl Retention {
    /// Opens what lies in `DATA/erasures`, or makes it.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn open(parts: Parts, now: ServerTime) -> Result<Arc<Self>, RetentionError> {
        let Parts { data, installation, store, register, scribe } = parts;
        let path = list_path(&data);
        let kept = ErasureList::read(&path, &installation.signer())?;
        let is_kept = kept.is_some();
        let list = match kept {
            Some(list) => list,
            None => ErasureList::new(&installation, now).map_err(|error| RetentionError::io("make", &path, error))?,
        };
        let made = Self {
            data,
            installation,
            store,
            register,
            scribe,
            list: Mutex::new(list),
            copies: OnceLock::new(),
            progress: Mutex::default(),
            one: Mutex::new(()),
            last: Mutex::default(),
        };
        // That nothing was added until now can be said later; a full disk must not keep a ward from starting.
        match made.signed_list(now) {
            Err(error) if is_kept => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the list of erasures could not be brought up to date; it holds all that was on it"
            ),
            said => drop(said?),
        }
        Ok(Arc::new(made))
    }

    /// Who signs.
    #[must_use]
    pub fn installation(&self) -> &Arc<Installation> {
        &self.installation
    }

    /// Says who holds copies. Once; without it there are none.
    pub fn set_copies(&self, copies: Arc<dyn Copies>) {
        let _ = self.copies.set(copies);
    }

    /// How far the work at hand is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// The list of erasures, kept here and as it goes elsewhere, complete up to `now`.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn signed_list(&self, now: ServerTime) -> Result<SignedList, RetentionError> {
        self.change_list(|list| list.complete_to(now))
    }

    pub(crate) fn change_list(&self, with: impl FnOnce(&mut ErasureList)) -> Result<SignedList, RetentionError> {
        let mut list = self.list.lock();
        let mut new = list.clone();
        with(&mut new);
        let bytes = new.to_bytes(&self.installation)?;
        let path = list_path(&self.data);
        files::private_directory(&self.data.join(DIRECTORY))
            .and_then(|()| files::replace(&path, &bytes))
            .map_err(|error| RetentionError::io("write", &path, error))?;
        let signed = SignedList { bytes, count: new.entries().len() as u64, as_of: new.as_of() };
        *list = new;
        Ok(signed)
    }

    /// What is under a hold.
    pub(crate) fn held(&self, now: ServerTime) -> Held {
        let mut held = Held::default();
        self.register.read(|state| {
            for hold in state.holds().filter(|hold| hold.holds(now)) {
                match &hold.scope {
                    Scope::Subject(subject) => held.subjects.insert(*subject),
                    Scope::Class(class) => held.classes.insert(class.to_string()),
                };
            }
        });
        held
    }

    /// Puts an event on record and answers its number in the ledger; `None` if it lies in the spool for now.
    pub(crate) fn record(&self, event: Event) -> Result<Option<u64>, RetentionError> {
        let recorded = tokio::runtime::Handle::current()
            .block_on(self.scribe.record(event))
            .map_err(|_| RetentionError::LedgerDown)?;
        Ok(match recorded.place() {
            Place::Ledger { index } => Some(index),
            Place::Spool => None,
        })
    }

    pub(crate) fn event(&self, kind: EventKind, actor: Actor, action: &str, resource: ResourceRef) -> Option<Event> {
        let request = RequestId::from_random(crate::text::random().ok()?);
        let mut event = Event::new(request, real_now(), kind, actor, action);
        event.resource = resource;
        event.outcome = Outcome::Success;
        Some(event)
    }
}

pub(crate) fn list_path(data: &Path) -> PathBuf {
    data.join(DIRECTORY).join(LIST)
}

/// The real time: erasures and their proofs are dated by it, not by a ward that runs faster.
pub(crate) fn real_now() -> ServerTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    ServerTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// When something whose period began at `start` must be gone; `None` if never in the range of time.
pub(crate) fn end_of(class: &Class, start: i64) -> i64 {
    let micros = i64::try_from(class.period.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    start.saturating_add(micros)
}

/// The latest start whose period is over at `now`.
pub(crate) fn over_since(class: &Class, now: ServerTime) -> ServerTime {
    let micros = i64::try_from(class.period.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    ServerTime::from_micros(now.micros().saturating_sub(micros))
}

/// The class that keeps bindings, if it is the one that keeps the treatment record: then who lay where is part of it (§ 630f(3) BGB).
pub(crate) fn record_class(charter: &Checked) -> Option<&Class> {
    let class = charter.retention_of(Covers::Binding)?;
    class.covers.iter().any(|covers| **covers == Covers::TreatmentRecord).then_some(class)
}
