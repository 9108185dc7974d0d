//! Making backups while the server runs, renewing the copies of keys after a rotation, and letting old ones go.

use crate::archive::{self, About, Head, Kind, Part, Watch, With};
use crate::error::BackupError;
use crate::place::{Listed, Place, scrub};
use crate::recovery::{RecoveryKey, RecoveryPublic};
use crate::stream::StreamKey;
use crate::when::stamp;
use obhut_model::ServerTime;
use obhut_retention::text::{hex, random};
use obhut_retention::{Copies, Installation, Periods, Reached, SignedList, files};
use obhut_store::{EmbeddedStore, Pictured, copy_database};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Directory below the data directory.
pub const DIRECTORY: &str = "backup";
const STATE: &str = "places.json";
const STAGING: &str = "staging";
const STATE_BYTES_MAX: u64 = 1 << 20;
/// Never archived: other files' business, or gone after the next start. The store has a picture of its own.
const NOT_ARCHIVED: &[&str] = &[DIRECTORY, "store", "spool", "admin.sock", "top.key"];

/// Where backups are kept, and when each place was last reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownPlace {
    /// The directory.
    pub path: PathBuf,
    /// When the newest backup there was begun.
    pub backup_at: Option<i64>,
    /// Up to when the list of erasures there is complete.
    pub erasures_to: Option<i64>,
    /// When its copies of keys were last renewed.
    pub keys_at: Option<i64>,
    /// Until when an archive of keys there may be kept.
    pub keys_until: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recovery: Option<RecoveryPublic>,
    places: Vec<KnownPlace>,
}

/// What a backup is made with.
#[derive(Debug, Clone)]
pub struct Order {
    /// How long it may be kept.
    pub periods: Periods,
    /// The list of erasures, complete up to now.
    pub list: SignedList,
    /// Entries in the ledger.
    pub ledger_size: u64,
}

impl Order {
    fn now(&self) -> ServerTime {
        self.list.as_of
    }
}

/// A backup that was made and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub backup: String,
    /// The archive of data.
    pub data: Listed,
    /// The archive of keys.
    pub keys: Listed,
    /// Files in both.
    pub files: u64,
    /// Archives past their time that were removed at this place.
    pub removed: u64,
}

/// The backups of a running installation.
pub struct Backups {
    data: PathBuf,
    dir: PathBuf,
    top_key: Option<PathBuf>,
    installation: Arc<Installation>,
    store: Arc<EmbeddedStore>,
    state: Mutex<State>,
    running: Mutex<()>,
    stop: AtomicBool,
}

/// Stops when an erasure wants to go first.
struct Stoppable<'a>(&'a AtomicBool, &'a dyn Watch);

impl Watch for Stoppable<'_> {
    fn step(&self, done: u64, total: u64) -> Result<(), BackupError> {
        if self.0.load(Ordering::Acquire) { Err(BackupError::Stopped) } else { self.1.step(done, total) }
    }
}

impl Backups {
    /// Opens what is known of backups in the data directory `data`, and throws away what an interrupted one left there. `top_key`: the file of the top
    /// key, if it is one.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn open(
        data: &Path,
        top_key: Option<PathBuf>,
        installation: Arc<Installation>,
        store: Arc<EmbeddedStore>,
    ) -> Result<Arc<Self>, BackupError> {
        let dir = data.join(DIRECTORY);
        files::private_directory(&dir).map_err(|error| BackupError::io("make", &dir, error))?;
        let path = dir.join(STATE);
        let bytes =
            files::read_if_there(&path, STATE_BYTES_MAX).map_err(|error| BackupError::io("read", &path, error))?;
        let state = match bytes {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| BackupError::NotAnArchive(path))?,
            None => State::default(),
        };
        let made = Self {
            data: data.to_owned(),
            dir,
            top_key,
            installation,
            store,
            state: Mutex::new(state),
            running: Mutex::new(()),
            stop: AtomicBool::new(false),
        };
        made.clear_staging()?;
        Ok(Arc::new(made))
    }

    /// Makes a recovery key, writes it to `to`, and has every backup from now on sealed for it. Answers its short name.
    ///
    /// # Errors
    /// [`BackupError`]; the key in use before stays in use.
    pub fn new_recovery_key(&self, to: &Path, made: &str) -> Result<String, BackupError> {
        let key = RecoveryKey::generate(self.installation.id(), &self.installation.signer(), made)?;
        // The file first: a backup for a key nobody has would be worth nothing.
        key.write(to)?;
        self.change(|state| state.recovery = Some(key.public.clone()))?;
        Ok(key.public.short())
    }

    /// The short name of the recovery key in use.
    #[must_use]
    pub fn recovery_key(&self) -> Option<String> {
        self.state.lock().recovery.as_ref().map(RecoveryPublic::short)
    }

    /// Every place a backup was ever made to and that was not given up.
    #[must_use]
    pub fn places(&self) -> Vec<KnownPlace> {
        self.state.lock().places.clone()
    }

    /// Gives a place up: nothing there is renewed or removed any more.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn give_up(&self, place: &Path) -> Result<bool, BackupError> {
        let mut known = false;
        self.change(|state| {
            known = state.places.iter().any(|found| found.path == place);
            state.places.retain(|found| found.path != place);
        })?;
        Ok(known)
    }

    fn change(&self, with: impl FnOnce(&mut State)) -> Result<(), BackupError> {
        let mut state = self.state.lock();
        let mut new = state.clone();
        with(&mut new);
        let path = self.dir.join(STATE);
        let bytes = serde_json::to_vec_pretty(&new).map_err(|_| BackupError::NotAnArchive(path.clone()))?;
        files::replace(&path, &bytes).map_err(|error| BackupError::io("write", &path, error))?;
        *state = new;
        Ok(())
    }

    fn clear_staging(&self) -> Result<(), BackupError> {
        let staging = self.dir.join(STAGING);
        match std::fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::io("remove", &staging, error)),
            _ => Ok(()),
        }
    }

    /// Ends a backup that is being made, and returns when nothing of it is left in the data directory. Called by whoever erases, right after the key is
    /// gone.
    ///
    /// # Errors
    /// [`BackupError::Io`] if its working copies cannot be removed.
    pub fn stop(&self) -> Result<(), BackupError> {
        self.stop.store(true, Ordering::Release);
        let _ended = self.running.lock();
        self.stop.store(false, Ordering::Release);
        self.clear_staging()
    }

    /// Makes a backup into `to`, reads it back, renews the copies of keys and list there, and removes what is past its time.
    ///
    /// # Errors
    /// [`BackupError`]; nothing half is left, neither here nor there.
    pub fn create(&self, to: &Path, order: &Order, watch: &dyn Watch) -> Result<Made, BackupError> {
        let Some(_running) = self.running.try_lock() else { return Err(BackupError::Busy) };
        let watch = Stoppable(&self.stop, watch);
        let to = std::path::absolute(to).map_err(|error| BackupError::io("find", to, error))?;
        files::private_directory(&to).map_err(|error| BackupError::io("make", &to, error))?;
        self.clear_staging()?;
        let made = self.create_in(&to, order, &watch);
        let cleared = self.clear_staging();
        let made = made?;
        cleared?;
        Ok(made)
    }

    fn create_in(&self, to: &Path, order: &Order, watch: &dyn Watch) -> Result<Made, BackupError> {
        let recovery = self.state.lock().recovery.clone().ok_or(BackupError::NoRecoveryKey)?;
        let place = Place { dir: to, installation: self.installation.id() };
        place.clear()?;
        // Known before the first byte is there, so that an erasure reaches what a killed backup leaves.
        self.know(to, |_| {})?;
        let staging = self.dir.join(STAGING);
        let picture = self.store.picture(&staging.join("store"))?;
        let mut data = parts("store", &picture.data);
        self.around(&staging, &mut data)?;
        let keys = parts("store", &picture.keys);
        let about = self.about(order);

        let data_path = place.archive(Kind::Data, &stamp(order.now().micros()), &about.backup);
        let files = (data.len() + keys.len()) as u64;
        let data = self.archive(&place, &data_path, (&about, Kind::Data), &data, (&recovery, watch))?;
        let keys = self.keys_and_root(&place, order, &about, &keys, (&recovery, watch))?;
        let erasures = place.erasures();
        files::replace(&erasures, &order.list.bytes).map_err(|error| BackupError::io("write", &erasures, error))?;
        let removed = self.expire_at(&place, order.now())?;
        let (now, until) = (order.now().micros(), keys.head.expires_at);
        self.know(to, |known| {
            (known.backup_at, known.erasures_to) = (Some(now), Some(now));
            (known.keys_at, known.keys_until) = (Some(now), Some(until));
        })?;
        Ok(Made { backup: about.backup, data, keys, files, removed })
    }

    fn know(&self, path: &Path, with: impl FnOnce(&mut KnownPlace)) -> Result<(), BackupError> {
        self.change(|state| {
            let at = state.places.iter().position(|found| found.path == path).unwrap_or_else(|| {
                let path = path.to_owned();
                let new = KnownPlace { path, backup_at: None, erasures_to: None, keys_at: None, keys_until: None };
                state.places.push(new);
                state.places.len() - 1
            });
            if let Some(known) = state.places.get_mut(at) {
                with(known);
            }
        })
    }

    fn about(&self, order: &Order) -> About {
        About {
            backup: random::<16>().map(|bytes| hex(&bytes)).unwrap_or_default(),
            installation: self.installation.id().to_owned(),
            made_at: order.now().micros(),
            expires_at: after(order.now(), order.periods.data),
            erasures: order.list.count,
            ledger_size: order.ledger_size,
        }
    }

    /// Everything below the data directory but the store: linked or copied into `staging`, so that what changes meanwhile does not matter.
    fn around(&self, staging: &Path, out: &mut Vec<Part>) -> Result<(), BackupError> {
        let (mut databases, mut found) = (Vec::new(), Vec::new());
        walk(&self.data, Path::new(""), &mut found).map_err(|error| BackupError::io("read", &self.data, error))?;
        for name in found {
            let text = name.to_string_lossy().into_owned();
            let from = self.data.join(&name);
            if Some(&from) == self.top_key.as_ref() || text.ends_with("-wal") || text.ends_with("-shm") {
                continue;
            }
            if text.ends_with(".db") {
                databases.push(name);
                continue;
            }
            let to = staging.join(&name);
            let fail = |error| BackupError::io("copy", &from, error);
            files::private_directory(to.parent().unwrap_or(staging)).map_err(fail)?;
            match std::fs::hard_link(&from, &to) {
                // Replaced or removed while we walked: a newer one has its own name, or nobody needs it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                linked => linked.map_err(fail)?,
            }
            let length = Some(std::fs::metadata(&to).map_err(fail)?.len());
            out.push(Part { name: text, from: to, length });
        }
        // Databases last: what they say is the truth, and files beside them are then at most older.
        for name in databases {
            let to = staging.join(&name);
            files::private_directory(to.parent().unwrap_or(staging)).map_err(|e| BackupError::io("make", &to, e))?;
            copy_database(&self.data.join(&name), &to)?;
            out.push(Part { name: name.to_string_lossy().into_owned(), from: to, length: None });
        }
        Ok(())
    }

    fn archive(
        &self,
        place: &Place<'_>,
        path: &Path,
        (about, kind): (&About, Kind),
        parts: &[Part],
        (recovery, watch): (&RecoveryPublic, &dyn Watch),
    ) -> Result<Listed, BackupError> {
        let part = Place::part(path);
        let written = archive::write(&part, about, kind, parts, (&self.installation, recovery), watch)
            .and_then(|(head, key)| self.read_back(&part, &key, parts, watch).map(|()| head));
        let head = match written {
            Ok(head) => head,
            Err(error) => {
                place.clear()?;
                return Err(error);
            }
        };
        if kind != Kind::Root {
            Place::put(path)?;
        }
        let at = if kind == Kind::Root { &part } else { path };
        let bytes = std::fs::metadata(at).map_err(|error| BackupError::io("read", at, error))?.len();
        Ok(Listed { path: path.to_owned(), head, bytes })
    }

    /// Reads everything back while the key of the archive is still known: signature, seal, and every file's length.
    fn read_back(&self, path: &Path, key: &StreamKey, parts: &[Part], watch: &dyn Watch) -> Result<(), BackupError> {
        archive::check(path, &self.installation.signer(), watch)?;
        let mut wanted = parts.iter();
        archive::read(path, &With::Own(key), watch, |name, from| {
            let part = wanted.next().ok_or(BackupError::Changed("list of files"))?;
            let got = io::copy(from, &mut io::sink()).map_err(|_| BackupError::Changed("seal"))?;
            if Path::new(&part.name) != name || part.length.is_some_and(|length| length != got) {
                return Err(BackupError::Changed("list of files"));
            }
            Ok(())
        })?;
        wanted.next().map_or(Ok(()), |_| Err(BackupError::Changed("list of files")))
    }

    /// A new archive of keys and a new root, the old ones away.
    fn keys_and_root(
        &self,
        place: &Place<'_>,
        order: &Order,
        about: &About,
        keys: &[Part],
        (recovery, watch): (&RecoveryPublic, &dyn Watch),
    ) -> Result<Listed, BackupError> {
        let about = About { expires_at: after(order.now(), order.periods.keys), ..about.clone() };
        let path = place.archive(Kind::Keys, &stamp(order.now().micros()), &about.backup);
        let made = self.archive(place, &path, (&about, Kind::Keys), keys, (recovery, watch))?;
        let mut root = Vec::new();
        let epoch = self.data.join("store/epoch");
        for (name, from) in [("store/epoch", Some(epoch)), ("top.key", self.top_key.clone())] {
            if let Some(from) = from.filter(|from| from.exists()) {
                root.push(Part { name: name.to_owned(), from, length: None });
            }
        }
        let path = place.root();
        self.archive(place, &path, (&about, Kind::Root), &root, (recovery, watch))?;
        // The new one is whole beside the old one; now the old bytes go. Killed in between, the part is found and used at the next backup or restore.
        scrub(&path)?;
        Place::put(&path)?;
        for old in place.archives()?.iter().filter(|found| found.head.kind == Kind::Keys && found.path != made.path) {
            scrub(&old.path)?;
        }
        Ok(made)
    }

    /// Renews at every known place what lies there of keys, and the list of erasures: called after keys were rotated. Answers which places could not be
    /// reached.
    ///
    /// # Errors
    /// [`BackupError`] if the keys cannot be copied here; that a place is away is not an error.
    pub fn renew(&self, order: &Order) -> Result<Vec<(PathBuf, BackupError)>, BackupError> {
        let Some(recovery) = self.state.lock().recovery.clone() else { return Ok(Vec::new()) };
        let _running = self.running.lock();
        self.clear_staging()?;
        let staging = self.dir.join(STAGING);
        let picture = self.store.picture_keys(&staging.join("store"));
        let mut missed = Vec::new();
        let result = picture.map_err(BackupError::from).map(|picture| {
            let keys = parts("store", &picture.keys);
            for known in self.places() {
                if let Err(error) = self.renew_at(&known.path, order, &keys, &recovery) {
                    missed.push((known.path, error));
                }
            }
        });
        self.clear_staging()?;
        result.map(|()| missed)
    }

    fn renew_at(
        &self,
        path: &Path,
        order: &Order,
        keys: &[Part],
        recovery: &RecoveryPublic,
    ) -> Result<(), BackupError> {
        let place = Place { dir: path, installation: self.installation.id() };
        if !path.is_dir() {
            return Err(BackupError::io("find", path, io::ErrorKind::NotFound.into()));
        }
        place.clear()?;
        let made = self.keys_and_root(&place, order, &self.about(order), keys, (recovery, &archive::Unwatched))?;
        let erasures = place.erasures();
        files::replace(&erasures, &order.list.bytes).map_err(|error| BackupError::io("write", &erasures, error))?;
        let now = order.now().micros();
        self.know(path, |known| {
            (known.keys_at, known.erasures_to) = (Some(now), Some(now));
            known.keys_until = Some(made.head.expires_at);
        })
    }

    /// Archives of this installation that are past their time, at every place that can be reached.
    #[must_use]
    pub fn overdue(&self, now: ServerTime) -> Vec<Listed> {
        let mut out = Vec::new();
        for known in self.places() {
            let place = Place { dir: &known.path, installation: self.installation.id() };
            out.extend(place.archives().unwrap_or_default().into_iter().filter(|found| is_over(&found.head, now)));
        }
        out
    }

    /// How many archives there are at the places that can be reached.
    #[must_use]
    pub fn archives(&self) -> Vec<Listed> {
        let mut out = Vec::new();
        for known in self.places() {
            let place = Place { dir: &known.path, installation: self.installation.id() };
            out.extend(place.archives().unwrap_or_default());
        }
        out
    }

    /// Removes archives past their time everywhere.
    ///
    /// # Errors
    /// [`BackupError`] of the first that could not be removed.
    pub fn expire(&self, now: ServerTime) -> Result<u64, BackupError> {
        let mut gone = 0;
        for known in self.places().iter().filter(|known| known.path.is_dir()) {
            gone += self.expire_at(&Place { dir: &known.path, installation: self.installation.id() }, now)?;
        }
        Ok(gone)
    }

    fn expire_at(&self, place: &Place<'_>, now: ServerTime) -> Result<u64, BackupError> {
        let mut gone = 0;
        for old in place.archives()?.iter().filter(|found| is_over(&found.head, now)) {
            scrub(&old.path)?;
            gone += 1;
        }
        Ok(gone)
    }
}

impl Copies for Backups {
    fn stop(&self) -> Result<(), String> {
        Self::stop(self).map_err(|error| said(&error))
    }

    fn renew(&self, list: &SignedList, periods: Periods) -> Result<Vec<Reached>, String> {
        let order = Order { periods, list: list.clone(), ledger_size: 0 };
        let missed = Self::renew(self, &order).map_err(|error| said(&error))?;
        for (place, error) in &missed {
            tracing::warn!(place = %place.display(), error = said(error), "copies of keys could not be renewed; it is tried again");
        }
        let reached = |known: &KnownPlace| !missed.iter().any(|(path, _)| *path == known.path);
        Ok(self
            .places()
            .iter()
            .filter(|known| known.keys_at.is_some())
            .map(|known| Reached { reached: reached(known), until: known.keys_until.map(ServerTime::from_micros) })
            .collect())
    }

    fn is_behind(&self, since: ServerTime) -> bool {
        let behind =
            |known: &KnownPlace| known.erasures_to.is_some_and(|to| to < since.micros()) && known.path.is_dir();
        self.places().iter().any(behind)
    }

    fn count(&self, now: ServerTime) -> (u64, u64) {
        (self.archives().len() as u64, self.overdue(now).len() as u64)
    }

    fn expire(&self, now: ServerTime) -> Result<u64, String> {
        Self::expire(self, now).map_err(|error| said(&error))
    }
}

/// An error with its causes, for the log.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn is_over(head: &Head, now: ServerTime) -> bool {
    // The root has no life of its own: it is overwritten, never left to expire.
    head.kind != Kind::Root && head.expires_at <= now.micros()
}

fn after(now: ServerTime, seconds: u64) -> i64 {
    let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    now.micros().saturating_add(micros)
}

fn parts(below: &str, pictured: &[Pictured]) -> Vec<Part> {
    let part =
        |file: &Pictured| Part { name: format!("{below}/{}", file.name), from: file.path.clone(), length: file.length };
    pictured.iter().map(part).collect()
}

/// Files below `root`, relative, checkpoints before everything else: a ledger's tiles may then only be newer than its checkpoint.
fn walk(root: &Path, below: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(root.join(below))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| (entry.file_name() != "checkpoint", entry.file_name()));
    for entry in entries {
        let name = below.join(entry.file_name());
        if below.as_os_str().is_empty() && NOT_ARCHIVED.iter().any(|not| name == Path::new(not)) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &name, out)?;
        } else if kind.is_file() {
            out.push(name);
        }
    }
    Ok(())
}
