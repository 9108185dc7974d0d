//! A picture of the store while it runs, for a backup: files that belong together, taken without holding up the ward.
//!
//! Not for archiving: the caller reads what is listed here and throws the directory away. Segments and journals are linked, not copied: they only grow,
//! so their first bytes are the picture. Databases are copied by SQLite's own backup. What belongs to data and what to keys: decision 0130.
//!
//! INVARIANT: no flush ends between the picture of the index and that of the journals, so every reading that was durable before is in one of them.
//! An erasure meanwhile overwrites linked files in place; copies of databases it does not reach, so whoever erases first ends what works on a picture.

use crate::api::StoreError;
use crate::embedded::{EmbeddedStore, Inner};
use crate::{journal, segment};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// A file of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictured {
    /// Path below the store's directory, with `/`.
    pub name: String,
    /// Where it lies now.
    pub path: PathBuf,
    /// How much of it counts; all if `None`.
    pub length: Option<u64>,
}

/// What a backup holds of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Everything sealed.
    pub data: Vec<Pictured>,
    /// The wrapped keys of patients.
    pub keys: Vec<Pictured>,
}

/// Directory databases lie in, below the store's, with what their copy belongs to.
const IDENTITY: &str = "identity/identity.db";

impl EmbeddedStore {
    /// Takes a picture into the empty directory `into`, which must be on the same file system.
    ///
    /// # Errors
    /// [`StoreError`]; `into` is then to be thrown away.
    pub fn picture(&self, into: &Path) -> Result<Picture, StoreError> {
        let inner = &*self.inner;
        let mut out = Picture::default();
        std::fs::create_dir_all(into.join("identity")).map_err(StoreError::Io)?;
        {
            let _no_flush = inner.flush_gate.lock();
            let _no_removal = inner.maintenance.read();
            out.data.push(copied(inner, "records.db", into)?);
            link_journals(inner, into, &mut out.data).map_err(StoreError::Io)?;
            link_segments(inner, into, &mut out.data)?;
        }
        // Keys after everything they open: who has data in the picture has his key in it, unless he was erased in between.
        out.data.push(copied(inner, IDENTITY, into)?);
        out.data.push(copied(inner, "register.db", into)?);
        out.data.push(copied(inner, "alarms.db", into)?);
        out.keys.push(copied(inner, "keys.db", into)?);
        Ok(out)
    }

    /// A picture of the wrapped keys alone, for a new backup of keys after the old ones were made worthless.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn picture_keys(&self, into: &Path) -> Result<Picture, StoreError> {
        std::fs::create_dir_all(into).map_err(StoreError::Io)?;
        Ok(Picture { data: Vec::new(), keys: vec![copied(&self.inner, "keys.db", into)?] })
    }
}

fn copied(inner: &Inner, name: &str, into: &Path) -> Result<Pictured, StoreError> {
    let path = into.join(name);
    copy_database(&inner.dir.join(name), &path)?;
    Ok(Pictured { name: name.to_owned(), path, length: None })
}

/// Copies a database that others write to, as it is at one moment.
///
/// # Errors
/// [`StoreError`].
pub fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    new.map_err(StoreError::Io)?;
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(StoreError::Database)?;
    source.busy_timeout(std::time::Duration::from_secs(10)).map_err(StoreError::Database)?;
    let mut target = Connection::open(to).map_err(StoreError::Database)?;
    // All pages in one step: one read transaction, which no writer waits for, and nothing to begin again.
    Backup::new(&source, &mut target).and_then(|backup| backup.step(-1)).map_err(StoreError::Database).and_then(
        |state| match state {
            rusqlite::backup::StepResult::Done => Ok(()),
            _ => Err(StoreError::Conflict("a record database is busy; try again".into())),
        },
    )
}

fn link_journals(inner: &Inner, into: &Path, out: &mut Vec<Pictured>) -> io::Result<()> {
    std::fs::create_dir_all(into.join(journal::DIRECTORY))?;
    let first = inner.first_journal.load(Ordering::Acquire);
    // The end before the number: if a new journal begins in between, the older one counts whole.
    let end = inner.journal_end.load(Ordering::Acquire);
    let last = inner.journal_number.load(Ordering::Acquire);
    for number in first..=last {
        let name = journal::path(number);
        let path = into.join(&name);
        std::fs::hard_link(inner.dir.join(&name), &path)?;
        let whole = std::fs::metadata(&path)?.len();
        out.push(Pictured { name, path, length: Some(if number == last { end.min(whole) } else { whole }) });
    }
    Ok(())
}

fn link_segments(inner: &Inner, into: &Path, out: &mut Vec<Pictured>) -> Result<(), StoreError> {
    let segments = crate::records::index::segments(&inner.reader.lock())?;
    for found in segments.iter().filter(|found| !found.expiring && found.length > 0) {
        let name = segment::path(found);
        let path = into.join(&name);
        std::fs::create_dir_all(into.join(segment::directory(found.class))).map_err(StoreError::Io)?;
        match std::fs::hard_link(inner.dir.join(&name), &path) {
            // Missing or damaged is said at opening and at reading; a backup of the rest is better than none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::error!(file = name, "a segment file is missing; the backup goes on without it");
                continue;
            }
            linked => linked.map_err(StoreError::Io)?,
        }
        out.push(Pictured { name, path, length: Some(found.length) });
    }
    Ok(())
}
