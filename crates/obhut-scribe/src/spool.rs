//! The spool's directory: files of frames, written by whoever has an urgent event while the ledger is down, read back in order of their names.
//!
//! One lock, held for one write and its sync. A file that failed to write is never written again: the next event begins a new one.

use crate::files::make_dir;
use crate::limits::{SPOOL_BYTES_MAX, SPOOL_FILE_BYTES, SPOOL_WAIT};
use obhut_ledger::spool::{self, Frame, SECTOR, Spool, SpoolError, SpoolId};
use obhut_ledger::{Disk, Event, EventKey, Recorded};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ENDING: &str = "spool";

/// The directory.
#[derive(Debug)]
pub(crate) struct SpoolDir {
    dir: PathBuf,
    open: Mutex<Option<OpenFile>>,
}

#[derive(Debug)]
struct OpenFile {
    spool: Spool,
    file: SpoolFile,
}

#[derive(Debug)]
struct SpoolFile {
    file: File,
    end: u64,
}

/// A closed spool as it is replayed.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) path: PathBuf,
    pub(crate) read: spool::Read,
}

impl Disk<Frame> for SpoolFile {
    type Error = io::Error;

    fn append(&mut self, frames: &[Frame]) -> io::Result<()> {
        for frame in frames {
            self.file.write_all_at(&frame.bytes, self.end)?;
            self.end = self.end.saturating_add(frame.bytes.len() as u64);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl SpoolDir {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), open: Mutex::new(None) }
    }

    /// Spools one event, durably.
    pub(crate) fn write(self: &Arc<Self>, key: &EventKey, event: &Event) -> io::Result<Recorded> {
        let mut open = self.open.lock();
        let mut now = match open.take() {
            Some(now) if now.file.end < SPOOL_FILE_BYTES => now,
            _ => self.begin()?,
        };
        let mut nonce = [0; 12];
        fill(&mut nonce)?;
        let done = now.spool.commit(&mut now.file, key, nonce, std::slice::from_ref(event));
        match done {
            Ok(mut recorded) => {
                *open = Some(now);
                recorded.pop().ok_or_else(|| io::Error::other("nothing was spooled"))
            }
            Err(SpoolError::Disk(error)) => Err(error),
            Err(other) => Err(io::Error::other(other)),
        }
    }

    fn begin(&self) -> io::Result<OpenFile> {
        make_dir(&self.dir)?;
        let names = self.names()?;
        let used: u64 = names.iter().filter_map(|(_, path)| path.metadata().ok()).map(|found| found.len()).sum();
        if used > SPOOL_BYTES_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut id: SpoolId = [0; 16];
        fill(&mut id)?;
        let number = names.last().map_or(0, |(number, _)| number.saturating_add(1));
        let path = self.dir.join(format!("{number:010}-{}.{ENDING}", obhut_ledger::export::hex(&id)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all_at(&spool::header(id), 0)?;
        file.sync_all()?;
        File::open(&self.dir)?.sync_all()?;
        Ok(OpenFile { spool: Spool::new(id), file: SpoolFile { file, end: SECTOR as u64 } })
    }

    fn names(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut out = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(number) = name.strip_suffix(".spool").and_then(|n| n.split('-').next()?.parse().ok()) {
                out.push((number, path));
            }
        }
        out.sort();
        Ok(out)
    }

    /// Ends the file that is written and gives the paths of all files, oldest first: none of them is written again. `None` while a write is under way
    /// and does not end.
    pub(crate) fn close_all(&self) -> io::Result<Option<Vec<PathBuf>>> {
        let Some(mut open) = self.open.try_lock_for(SPOOL_WAIT) else { return Ok(None) };
        *open = None;
        Ok(Some(self.names()?.into_iter().map(|(_, path)| path).collect()))
    }

    /// Reads one file.
    pub(crate) fn read(key: &EventKey, path: &Path) -> io::Result<Closed> {
        Ok(Closed { path: path.to_owned(), read: spool::read(key, &std::fs::read(path)?) })
    }

    /// Removes a file that was replayed; keeps a damaged one under another name for whoever looks into it.
    pub(crate) fn done(&self, closed: &Closed) -> io::Result<()> {
        match closed.read.damage {
            Some(_) => std::fs::rename(&closed.path, closed.path.with_extension("damaged"))?,
            None => std::fs::remove_file(&closed.path)?,
        }
        File::open(&self.dir)?.sync_all()
    }
}

pub(crate) fn fill(out: &mut [u8]) -> io::Result<()> {
    getrandom::fill(out).map_err(|_| io::Error::other("no random bytes can be drawn"))
}
