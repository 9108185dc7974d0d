//! The narrow interface to storage. The embedded home implements it now, PostgreSQL later; nothing above knows which.
//!
//! INVARIANT: what [`Readings::durable`] has passed survives any crash; what it has not may vanish as if never sent.

use crate::patient::{Identity, IdentityVersion};
use crate::records::keys::{KeyStatus, Rotated};
use obhut_access::Sealed;
use obhut_model::{
    BedId, Code, Decimal, DeviceId, DeviceTime, ModelId, Numeric, Quality, SampleRate, Scale, ServerTime, Subject,
    TimeRange, Wave,
};
use obhut_vault::{Domain, Pseudonym};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// A place in the order of appends. Starts anew at each opening; compare only within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

/// What one device sent in one message, admitted, for one subject. A message that spans a change of patient becomes two of these.
#[derive(Debug, Clone, Copy)]
pub struct Admitted<'a> {
    /// Who sent it.
    pub device: &'a DeviceId,
    /// Whose it is.
    pub subject: Subject,
    /// The device's run and sequence number; `None` for payloads that carry none (SenML).
    pub sequence: Option<Sequence>,
    /// When the server received it.
    pub received: ServerTime,
    /// Numbers, each with the retention class of its rule.
    pub numerics: &'a [(Numeric, RetentionClass)],
    /// Waveform blocks, likewise.
    pub waves: &'a [(Wave<'a>, RetentionClass)],
}

/// Index of a retention class in the charter in force, see [`Readings::set_retention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RetentionClass(pub u16);

/// Names a message of a device once and for all: duplicates have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence {
    /// Drawn at random when the device's buffer was made; a wiped device starts a new run.
    pub run: u32,
    /// Counts up from one.
    pub number: u64,
}

/// Why an append was not taken. The caller must not acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// No room on the disk; monitoring goes on, nothing is stored.
    #[error("the disk is full")]
    DiskFull,
    /// A write or flush failed; the store must be reopened.
    #[error("the disk failed")]
    DiskFailed,
    /// More is waiting for the disk than the limit allows; try again.
    #[error("storage is behind")]
    Behind,
    /// The subject's key is gone or was never made.
    #[error("the subject has no key")]
    NoKey,
    /// The store is closing.
    #[error("the store is closing")]
    Closing,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Queued; acknowledge when [`Readings::durable`] has reached this.
    At(Position),
    /// Seen before under the same sequence number. Acknowledge when this is durable; it is not stored again.
    Duplicate(Position),
}

/// Woken when a position becomes durable, and told how far. One per connection.
#[derive(Debug, Default)]
pub struct Waiter {
    durable: AtomicU64,
    waker: parking_lot::Mutex<Option<Waker>>,
    /// The last batch it joined, so that it stands in each batch once.
    batch: AtomicU64,
}

impl Waiter {
    /// How far things are durable, as last told.
    #[must_use]
    pub fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    /// Registers who is to be woken. Call before reading [`Waiter::durable`], so that no wake-up is lost.
    pub fn register(&self, waker: &Waker) {
        let mut slot = self.waker.lock();
        if !slot.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// Whether it was not yet in batch `number`, and is now.
    pub(crate) fn joins(&self, number: u64) -> bool {
        self.batch.swap(number, Ordering::Relaxed) != number
    }

    /// Tells how far, and wakes. Called by the store.
    pub fn tell(&self, position: Position) {
        self.durable.fetch_max(position.0, Ordering::Release);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes without progress, so that a failed store is noticed. Called by the store.
    pub fn nudge(&self) {
        self.tell(Position(0));
    }
}

/// What was kept under one code in one stretch.
#[derive(Debug, Clone, PartialEq)]
pub enum Run {
    /// Numbers in order of time.
    Numerics {
        /// Size of a step.
        step: Decimal,
        /// When, how many steps, how good.
        values: Vec<(DeviceTime, Option<i32>, Quality)>,
    },
    /// Evenly spaced samples without a gap.
    Waveform {
        /// When the first was taken.
        start: DeviceTime,
        /// How often.
        rate: SampleRate,
        /// What a sample means.
        scale: Scale,
        /// How good the stretch is.
        quality: Quality,
        /// Oldest first; [`obhut_model::NO_VALUE`] where there is none.
        samples: Vec<i16>,
    },
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Taking and keeping readings.
    Good,
    /// No room; nothing is acknowledged until there is.
    DiskFull,
    /// A write failed; reopen.
    Failed(String),
}

/// Why a query or a record could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The named thing is not there.
    #[error("{0} is not known")]
    Unknown(&'static str),
    /// Refused because it contradicts what is there; the text says what and how to mend it, without personal data.
    #[error("{0}")]
    Conflict(String),
    /// The database failed.
    #[error("the record database failed")]
    Database(#[source] rusqlite::Error),
    /// A file failed.
    #[error("a storage file failed")]
    Io(#[source] std::io::Error),
    /// Bytes at rest are not what was written; names the file and offset.
    #[error("stored data is damaged in `{file}` at byte {offset}")]
    Damaged {
        /// File name without directory.
        file: String,
        /// Where.
        offset: u64,
    },
    /// A key is missing or does not open what it should.
    #[error("a key is missing or wrong")]
    Key,
    /// The key database and the file `epoch` are not of one time; nothing was changed.
    #[error("the key database is of epoch {keys}, the file `epoch` {}; put back the newest of both", of_file(*file))]
    Epoch {
        /// What the keys are wrapped under.
        keys: u32,
        /// The newest epoch in the file; `None` if there is no file.
        file: Option<u32>,
    },
}

fn of_file(epoch: Option<u32>) -> String {
    epoch.map_or_else(|| "is missing".to_owned(), |epoch| format!("holds epoch {epoch}"))
}

/// Readings: taken in by the gateway, read by pages, exports and interfaces.
pub trait Readings: Send + Sync {
    /// Takes one message. Cheap, never waits for the disk. `waiter` is told when it is durable.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was kept.
    fn append(&self, message: &Admitted<'_>, waiter: &Arc<Waiter>) -> Result<Appended, AppendError>;

    /// How far everything is durable.
    fn durable(&self) -> Position;

    /// How the store is.
    fn health(&self) -> Health;

    /// Reads what is kept for `subject` under `code` inside `range`, in order of time, durable or not. Opens with a permit about this subject.
    ///
    /// # Errors
    /// [`StoreError`].
    fn read(&self, subject: Subject, code: Code, range: TimeRange) -> Result<Sealed<Vec<Run>>, StoreError>;

    /// Which codes there are for `subject`, with first and last time.
    ///
    /// # Errors
    /// [`StoreError`].
    fn codes(&self, subject: Subject) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, StoreError>;

    /// Sets how long each class is kept, by class index: `(identifier, seconds)`. Identifiers are stored, indexes are not.
    fn set_retention(&self, classes: &[(String, u64)]);

    /// Removes what is past its retention at `now`. Returns how many stored objects went.
    ///
    /// # Errors
    /// [`StoreError`].
    fn expire(&self, now: ServerTime) -> Result<u64, StoreError>;

    /// Destroys the subject's key, then its bytes, identity and bindings.
    ///
    /// # Errors
    /// [`StoreError`].
    fn erase(&self, subject: Subject) -> Result<Erased, StoreError>;
}

/// What an erasure did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// Stored objects overwritten.
    pub objects: u64,
    /// Bytes overwritten.
    pub bytes: u64,
    /// Of the objects: messages in the journal.
    pub messages: u64,
    /// Of the objects: chunks in segments.
    pub chunks: u64,
    /// Stays and sequence numbers removed.
    pub rows: u64,
    /// Changes of the register removed.
    pub changes: u64,
}

/// A registered device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Its name; also in its certificate.
    pub id: DeviceId,
    /// Its model in the charter.
    pub model: ModelId,
    /// The maker's serial number.
    pub serial: String,
    /// Where it is in its life.
    pub state: DeviceState,
    /// When the invitation was made.
    pub invited_at: ServerTime,
    /// When it first enrolled.
    pub enrolled_at: Option<ServerTime>,
    /// Certificate serial number in force, lower-case hexadecimal.
    pub certificate: Option<String>,
    /// When that certificate ends.
    pub certificate_ends: Option<ServerTime>,
}

/// Where a device is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceState {
    /// Invited, not yet enrolled.
    Invited,
    /// Enrolled and trusted.
    Enrolled,
    /// Never trusted again under this identity.
    Revoked,
}

/// A device at a bed for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAtBed {
    /// The device.
    pub device: DeviceId,
    /// The bed.
    pub bed: BedId,
    /// From when.
    pub from: DeviceTime,
    /// Until when; `None` while it lasts.
    pub to: Option<DeviceTime>,
}

/// A subject in a bed for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectInBed {
    /// The bed.
    pub bed: BedId,
    /// The pseudonym.
    pub subject: Subject,
    /// From when.
    pub from: DeviceTime,
    /// Until when; `None` while it lasts.
    pub to: Option<DeviceTime>,
}

/// Devices, invitations, bindings and identities. Every change is durable when the call returns.
pub trait Records: Send + Sync {
    /// All devices, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn devices(&self) -> Result<Vec<DeviceRecord>, StoreError>;

    /// One device.
    ///
    /// # Errors
    /// [`StoreError`].
    fn device(&self, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError>;

    /// Registers an invited device together with the SHA-256 of its one-time token. A device that is enrolled with a
    /// certificate in force conflicts, as does a serial number in use; inviting an invited device again replaces its token.
    ///
    /// # Errors
    /// [`StoreError`].
    fn invite(&self, device: &DeviceRecord, token_hash: [u8; 32], expires: ServerTime) -> Result<(), StoreError>;

    /// Uses up the one-time token whose hash this is, if it is unexpired, unused and bound to `serial`: returns the device, once.
    /// A wrong or late token answers `None` and says no more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn redeem(&self, token_hash: [u8; 32], serial: &str, now: ServerTime) -> Result<Option<DeviceRecord>, StoreError>;

    /// Notes that a certificate was issued: state becomes `Enrolled`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn certificate_issued(
        &self,
        id: &DeviceId,
        certificate: &str,
        ends: ServerTime,
        now: ServerTime,
    ) -> Result<(), StoreError>;

    /// Revokes the device and all its certificates.
    ///
    /// # Errors
    /// [`StoreError`].
    fn revoke(&self, id: &DeviceId, reason: &str, now: ServerTime) -> Result<(), StoreError>;

    /// All revoked certificate serial numbers that have not yet ended.
    ///
    /// # Errors
    /// [`StoreError`].
    fn revoked_certificates(&self) -> Result<Vec<String>, StoreError>;

    /// Puts a device at a bed from `from` on. Conflicts if it stands at another bed then.
    ///
    /// # Errors
    /// [`StoreError`].
    fn place_device(&self, device: &DeviceId, bed: &BedId, from: DeviceTime) -> Result<(), StoreError>;

    /// Ends a device's stay at its bed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove_device(&self, device: &DeviceId, to: DeviceTime) -> Result<(), StoreError>;

    /// Binds a patient, named by two identifiers (record number and birth date), to a bed from `from` on. A known record number with another
    /// birth date conflicts; so does a bed taken then, or a patient who lies elsewhere then. Makes identity, pseudonym and key for a new patient.
    ///
    /// # Errors
    /// [`StoreError`].
    fn bind_patient(&self, identity: &Identity, bed: &BedId, from: DeviceTime) -> Result<Subject, StoreError>;

    /// Ends the stay of whoever is in `bed`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn unbind_patient(&self, bed: &BedId, to: DeviceTime) -> Result<Subject, StoreError>;

    /// Every stay of devices at beds and subjects in beds that is open or ended less than the longest lateness ago; the gateway's table.
    ///
    /// # Errors
    /// [`StoreError`].
    fn bindings(&self) -> Result<(Vec<DeviceAtBed>, Vec<SubjectInBed>), StoreError>;

    /// Every stay of a subject that is kept, oldest first: what decides whose patient it is or was.
    ///
    /// # Errors
    /// [`StoreError`].
    fn stays(&self, subject: Subject) -> Result<Vec<SubjectInBed>, StoreError>;

    /// All subjects with a key.
    ///
    /// # Errors
    /// [`StoreError`].
    fn subjects(&self) -> Result<Vec<Subject>, StoreError>;

    /// The subject whose record number and birth date these are.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find_subject(&self, record_number: &str, birth_date: &str) -> Result<Option<Subject>, StoreError>;

    /// Who the subject is, as last corrected; `None` if there is no such subject, or no identity of it any more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn identity(&self, subject: Subject) -> Result<Option<Sealed<Identity>>, StoreError>;

    /// Every version of the identity, the first one first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn identity_versions(&self, subject: Subject) -> Result<Sealed<Vec<IdentityVersion>>, StoreError>;

    /// Corrects an identity (Art. 16 GDPR): adds a version, the ones before stay readable. Look-up finds only the newest. Returns its number.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the record or insurance number belongs to another patient.
    fn correct_identity(&self, subject: Subject, identity: &Identity) -> Result<u32, StoreError>;

    /// What these subjects are called in `domain`, in their order; drawn now for whom it was never asked.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if one of them has no key.
    fn pseudonyms(&self, domain: &Domain, subjects: &[Subject]) -> Result<Sealed<Vec<Pseudonym>>, StoreError>;

    /// Everything one subject is called outside care. For a complete copy of what is kept about him.
    ///
    /// # Errors
    /// [`StoreError`].
    fn names_of(&self, subject: Subject) -> Result<Sealed<Vec<(Domain, Pseudonym)>>, StoreError>;

    /// Who is called so in `domain`: the only way back. Opens only with a permit for the crosswalk, which two people give.
    ///
    /// # Errors
    /// [`StoreError`].
    fn crosswalk(&self, domain: &Domain, pseudonym: Pseudonym) -> Result<Sealed<Option<Subject>>, StoreError>;
}

/// The keys themselves: how they stand, and changing them while everything runs.
pub trait Keys: Send + Sync {
    /// How the keys stand.
    ///
    /// # Errors
    /// [`StoreError`].
    fn key_status(&self) -> Result<KeyStatus, StoreError>;

    /// Begins a new epoch: wraps every patient's keys anew and destroys the epoch before, so that older copies of the key database open nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the epoch before stays in force.
    fn rotate_keys(&self) -> Result<Rotated, StoreError>;

    /// Wraps whatever lies wrapped by the key provider anew. For replacing the top key: call while the provider opens both old and new.
    ///
    /// # Errors
    /// [`StoreError`]; what was not reached is still wrapped by the old one, and calling again is harmless.
    fn rewrap_keys(&self) -> Result<(), StoreError>;
}

/// A state the alarms of a ward remember, under a name.
#[derive(Clone, PartialEq, Eq)]
pub struct AlarmPiece {
    /// Its name; says where, never who.
    pub name: String,
    /// As of when.
    pub at: ServerTime,
    /// About whom, if about a patient: sealed under their key then.
    pub about: Option<Subject>,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Something that happened to an alarm, a limit or a patient's watch.
#[derive(Clone, PartialEq, Eq)]
pub struct AlarmRecord {
    /// When.
    pub at: ServerTime,
    /// About whom, if about a patient.
    pub about: Option<Subject>,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Where the alarms of a ward keep what must survive a restart. They never wait for it: whoever calls it does so on a thread of its own.
pub trait AlarmHome: Send + Sync {
    /// Every piece, for a start.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged piece is an error and never left out.
    fn pieces(&self) -> Result<Vec<AlarmPiece>, StoreError>;

    /// Puts pieces in place of those of the same name, removes those named in `gone`, adds records. All or nothing; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Unknown`] if one is about a patient whose key is gone.
    fn keep(&self, pieces: &[AlarmPiece], gone: &[String], records: &[AlarmRecord]) -> Result<(), StoreError>;

    /// The newest `max` records about a patient, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn alarm_records(
        &self,
        subject: Subject,
        within: Range<ServerTime>,
        max: usize,
    ) -> Result<Sealed<Vec<AlarmRecord>>, StoreError>;

    /// The newest `max` records of all, oldest first. Only to count by.
    ///
    /// # Errors
    /// [`StoreError`].
    fn all_alarm_records(&self, within: Range<ServerTime>, max: usize) -> Result<Sealed<Vec<AlarmRecord>>, StoreError>;

    /// Removes records from before that time.
    ///
    /// # Errors
    /// [`StoreError`].
    fn expire_alarm_records(&self, before: ServerTime) -> Result<u64, StoreError>;
}
