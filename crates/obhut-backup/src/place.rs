//! A place backups are kept: a directory, usually on another machine's disk. What lies there, under which name, and how it is put there and removed.
//!
//! `obhut-<installation>-<time>-<backup>.data.obk` and `….keys.obk` · `obhut-<installation>.root.obk` · `obhut-<installation>.erasures.json`.
//! Of data archives there may be many, of keys one, of the root exactly one, overwritten in place (decision 0130).

use crate::archive::{self, Head, Kind};
use crate::error::BackupError;
use obhut_retention::files;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".obk";
const PART: &str = ".part";

/// A directory with backups.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) installation: &'a str,
}

/// An archive that lies at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where.
    pub path: PathBuf,
    /// What it says of itself, not yet checked.
    pub head: Head,
    /// How long it is.
    pub bytes: u64,
}

impl Place<'_> {
    pub(crate) fn archive(&self, kind: Kind, stamp: &str, backup: &str) -> PathBuf {
        let short = backup.get(..8).unwrap_or(backup);
        self.dir.join(format!("obhut-{}-{stamp}-{short}.{}{SUFFIX}", self.installation, kind.as_str()))
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join(format!("obhut-{}.root{SUFFIX}", self.installation))
    }

    pub(crate) fn erasures(&self) -> PathBuf {
        self.dir.join(format!("obhut-{}.erasures.json", self.installation))
    }

    /// A name to write under until everything is there.
    pub(crate) fn part(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(PART);
        PathBuf::from(name)
    }

    /// Gives a finished part its name.
    pub(crate) fn put(path: &Path) -> Result<(), BackupError> {
        std::fs::rename(Self::part(path), path)
            .and_then(|()| files::sync_parent(path))
            .map_err(|error| BackupError::io("write", path, error))
    }

    /// Removes what an interrupted backup of this installation left.
    pub(crate) fn clear(&self) -> Result<(), BackupError> {
        for path in self.files()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(PART) {
                files::remove(&path).map_err(|error| BackupError::io("remove", &path, error))?;
            }
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<PathBuf>, BackupError> {
        let fail = |error| BackupError::io("read", self.dir, error);
        let mine = format!("obhut-{}", self.installation);
        let mut out = Vec::new();
        for entry in std::fs::read_dir(self.dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if entry.file_name().to_string_lossy().starts_with(&mine) {
                out.push(entry.path());
            }
        }
        out.sort();
        Ok(out)
    }

    /// The archives of this installation, oldest first. What does not read as one is left out: `verify` says why.
    pub(crate) fn archives(&self) -> Result<Vec<Listed>, BackupError> {
        Ok(list(self.dir)?.into_iter().filter(|found| found.head.installation == self.installation).collect())
    }
}

/// Everything in `dir` that reads as an archive, oldest first.
///
/// # Errors
/// [`BackupError::Io`] if the directory cannot be read.
pub fn list(dir: &Path) -> Result<Vec<Listed>, BackupError> {
    let fail = |error| BackupError::io("read", dir, error);
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "obk") {
            continue;
        }
        if let Ok(front) = archive::front(&path) {
            out.push(Listed { bytes: entry.metadata().map_err(fail)?.len(), path, head: front.head });
        }
    }
    out.sort_by(|a, b| (a.head.made_at, &a.path).cmp(&(b.head.made_at, &b.path)));
    Ok(out)
}

/// Overwrites a file with zeros, synced, and removes it. What the medium keeps of it besides (wear levelling, snapshots) is out of reach; see 0130.
pub(crate) fn scrub(path: &Path) -> Result<(), BackupError> {
    let fail = |error| BackupError::io("overwrite", path, error);
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(fail)?,
    };
    zero(file).map_err(fail)?;
    files::remove(path).map_err(fail)
}

fn zero(mut file: File) -> std::io::Result<()> {
    let mut left = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let zeros = vec![0; 64 * 1024];
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(zeros.len()).min(zeros.len());
        file.write_all(zeros.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    file.sync_all()
}
