//! Checking backups, and restoring them: into an empty directory only, whole or not at all, and without bringing back who was erased.
//!
//! Everything is put together beside the place it will have, erasures since the backup are applied there, and one rename makes it the data directory.

use crate::archive::{self, Head, Kind, Watch, With};
use crate::error::BackupError;
use crate::place::{self, Listed, Place};
use crate::recovery::RecoveryKey;
use crate::when;
use obhut_model::ServerTime;
use obhut_retention::{ErasureList, files};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What a check of one archive found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says of itself, now known to be true.
    pub head: Head,
    /// Files read back; `None` without the recovery key.
    pub files: Option<u64>,
    /// Bytes in them.
    pub bytes: u64,
}

/// Checks one archive: the signature over every byte, and with the recovery key that every file in it can be read.
///
/// # Errors
/// [`BackupError`] saying what does not match.
pub fn verify(
    path: &Path,
    signer: &str,
    recovery: Option<&RecoveryKey>,
    watch: &dyn Watch,
) -> Result<Verified, BackupError> {
    let head = archive::check(path, signer, watch)?;
    let Some(recovery) = recovery else { return Ok(Verified { head, files: None, bytes: 0 }) };
    let (mut files, mut bytes) = (0, 0);
    archive::read(path, &With::Recovery(recovery), watch, |_, from| {
        files += 1;
        bytes += io::copy(from, &mut io::sink()).map_err(|_| BackupError::Changed("seal"))?;
        Ok(())
    })?;
    Ok(Verified { head, files: Some(files), bytes })
}

/// Where to take the erasures since the backup from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasures {
    /// The newest list that is found beside the backup or among these files.
    Newest(Vec<PathBuf>),
    /// The operator says that they are lost. Recorded in the ledger.
    Lost,
}

/// What to restore.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// An archive of data, or a directory: then the newest there.
    pub from: &'a Path,
    /// The data directory to be; empty or not there.
    pub into: &'a Path,
    /// Opens everything.
    pub recovery: &'a RecoveryKey,
    /// Who must not come back.
    pub erasures: Erasures,
    /// The real time.
    pub now: ServerTime,
}

/// What was put together, before it takes its place.
#[derive(Debug)]
pub struct Staged {
    /// Where it lies now; a whole data directory.
    pub dir: PathBuf,
    /// The backup.
    pub head: Head,
    /// When its keys were copied.
    pub keys_at: ServerTime,
    /// The newest list of erasures; `None` if they are lost.
    pub erasures: Option<ErasureList>,
    /// Files put together.
    pub files: u64,
}

/// Restores. `finish` gets the staged directory, applies the erasures, and checks that everything opens; only if it succeeds the directory takes its place.
///
/// # Errors
/// [`BackupError`]; nothing is left of what was begun, and `into` is as it was.
pub fn restore<T>(
    wanted: &Wanted<'_>,
    watch: &dyn Watch,
    finish: impl FnOnce(&Staged) -> Result<T, BackupError>,
) -> Result<(Head, T), BackupError> {
    let into = std::path::absolute(wanted.into).map_err(|error| BackupError::io("find", wanted.into, error))?;
    must_be_empty(&into)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(into.file_name().unwrap_or_default());
    name.push(".restoring");
    let staging = into.with_file_name(name);
    // Left by a restore that was killed; it never became anything.
    remove_tree(&staging)?;
    let staged = stage(wanted, &staging, watch).and_then(|staged| Ok((finish(&staged)?, staged)));
    let placed = staged.and_then(|(out, staged)| {
        sync_tree(&staging).map_err(|error| BackupError::io("flush", &staging, error))?;
        take_place(&staging, &into)?;
        Ok((staged.head, out))
    });
    if placed.is_err() {
        remove_tree(&staging)?;
    }
    placed
}

fn must_be_empty(into: &Path) -> Result<(), BackupError> {
    match std::fs::read_dir(into) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(BackupError::NotEmpty(into.to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::io("read", into, error)),
    }
}

fn take_place(staging: &Path, into: &Path) -> Result<(), BackupError> {
    let fail = |error| BackupError::io("put in place", into, error);
    match std::fs::remove_dir(into) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    std::fs::rename(staging, into).and_then(|()| files::sync_parent(into)).map_err(fail)
}

fn remove_tree(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// The three archives that make a restore.
struct Chosen {
    data: Listed,
    keys: Listed,
    root: PathBuf,
    place: PathBuf,
}

fn choose(wanted: &Wanted<'_>) -> Result<Chosen, BackupError> {
    let dir = if wanted.from.is_dir() { wanted.from } else { wanted.from.parent().unwrap_or(Path::new(".")) };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let installation = wanted.recovery.installation.as_str();
    let all: Vec<Listed> = place::list(dir)?.into_iter().filter(|f| f.head.installation == installation).collect();
    let newest = |kind: Kind| all.iter().rev().find(|found| found.head.kind == kind).cloned();
    let data = if wanted.from.is_dir() {
        newest(Kind::Data).ok_or_else(|| BackupError::NotAnArchive(dir.to_owned()))?
    } else {
        let front = archive::front(wanted.from)?;
        if front.head.kind != Kind::Data || front.head.installation != installation {
            return Err(BackupError::NotAnArchive(wanted.from.to_owned()));
        }
        Listed { path: wanted.from.to_owned(), head: front.head, bytes: 0 }
    };
    let keys = newest(Kind::Keys).ok_or(BackupError::NoKeys)?;
    if keys.head.made_at < data.head.made_at {
        return Err(BackupError::NotAPair);
    }
    let root = Place { dir, installation }.root();
    // A renewal that was killed between overwriting the old root and naming the new one.
    let part = Place::part(&root);
    let root = if archive::check(&root, &wanted.recovery.signer, &archive::Unwatched).is_err() && part.exists() {
        part
    } else {
        root
    };
    Ok(Chosen { data, keys, root, place: dir.to_owned() })
}

fn stage(wanted: &Wanted<'_>, staging: &Path, watch: &dyn Watch) -> Result<Staged, BackupError> {
    let chosen = choose(wanted)?;
    let signer = wanted.recovery.signer.as_str();
    let data = archive::check(&chosen.data.path, signer, watch)?;
    let keys = archive::check(&chosen.keys.path, signer, watch)?;
    let root = archive::check(&chosen.root, signer, watch)?;
    if root.kind != Kind::Root || keys.kind != Kind::Keys || data.kind != Kind::Data {
        return Err(BackupError::NotAPair);
    }
    if keys.expires_at <= wanted.now.micros() {
        return Err(BackupError::KeysExpired(when::day(keys.expires_at)));
    }
    let erasures = find_erasures(wanted, &chosen.place, &data)?;
    files::private_directory(staging).map_err(|error| BackupError::io("make", staging, error))?;
    let mut count = 0;
    for path in [&chosen.data.path, &chosen.keys.path, &chosen.root] {
        count += unpack(path, wanted.recovery, staging, watch)?;
    }
    if let Some((_, bytes)) = &erasures {
        let path = staging.join("erasures/list.json");
        let fail = |error| BackupError::io("write", &path, error);
        files::private_directory(&staging.join("erasures")).map_err(fail)?;
        files::replace(&path, bytes).map_err(fail)?;
    }
    Ok(Staged {
        dir: staging.to_owned(),
        head: data,
        keys_at: ServerTime::from_micros(keys.made_at),
        erasures: erasures.map(|(list, _)| list),
        files: count,
    })
}

/// The newest list that can be had, with its bytes; it must reach at least to the backup.
fn find_erasures(
    wanted: &Wanted<'_>,
    place: &Path,
    data: &Head,
) -> Result<Option<(ErasureList, Vec<u8>)>, BackupError> {
    let given = match &wanted.erasures {
        Erasures::Lost => return Ok(None),
        Erasures::Newest(given) => given,
    };
    let recovery = wanted.recovery;
    let beside = Place { dir: place, installation: &recovery.installation }.erasures();
    let mut newest: Option<(ErasureList, Vec<u8>)> = None;
    for (path, must) in std::iter::once((&beside, false)).chain(given.iter().map(|path| (path, true))) {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must => continue,
            other => other.map_err(|error| BackupError::io("read", path, error))?,
        };
        let list = ErasureList::parse(&bytes, &recovery.signer)?;
        if list.installation() != recovery.installation {
            return Err(BackupError::NotAPair);
        }
        newest = Some(match newest {
            None => (list, bytes),
            Some((old, old_bytes)) => {
                let longer = list.entries().len() > old.entries().len()
                    || (list.entries().len() == old.entries().len() && list.as_of() > old.as_of());
                let merged = list.newer(old)?;
                (merged, if longer { bytes } else { old_bytes })
            }
        });
    }
    match newest {
        Some((list, bytes))
            if list.as_of().micros() >= data.made_at && list.entries().len() as u64 >= data.erasures =>
        {
            Ok(Some((list, bytes)))
        }
        _ => Err(BackupError::NoErasures),
    }
}

fn unpack(path: &Path, recovery: &RecoveryKey, staging: &Path, watch: &dyn Watch) -> Result<u64, BackupError> {
    let mut count = 0;
    archive::read(path, &With::Recovery(recovery), watch, |name, from| {
        let to = staging.join(name);
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => BackupError::Changed("seal"),
            _ => BackupError::io("write", &to, error),
        };
        files::private_directory(to.parent().unwrap_or(staging)).map_err(fail)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to).map_err(fail)?;
        io::copy(from, &mut file).map_err(fail)?;
        file.flush().map_err(fail)?;
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(path)?.sync_all()
}
