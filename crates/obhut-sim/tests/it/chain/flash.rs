//! The flash of a bedside device: what was not synced may be gone, or torn, after the power was.

use obhut_agent::disk::{Disk, Syncer};
use obhut_sim::rng::Rng;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    exists_durably: bool,
}

/// Clones share the same flash.
#[derive(Clone, Default)]
pub(super) struct Flash {
    files: Arc<Mutex<BTreeMap<String, File>>>,
    /// Removed, but not for sure yet.
    removed: Arc<Mutex<Vec<(String, File)>>>,
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Flash {
    /// The power goes and comes back.
    pub(super) fn power_cut(&self, rng: &mut Rng) {
        let mut files = self.files.lock().unwrap();
        for (name, file) in self.removed.lock().unwrap().drain(..) {
            if rng.chance(0.5) {
                files.entry(name).or_insert(file);
            }
        }
        files.retain(|_, file| file.exists_durably || rng.chance(0.5));
        for file in files.values_mut() {
            let unsynced = (file.bytes.len() - file.synced) as i64;
            file.bytes.truncate(file.synced + rng.whole(0, unsynced) as usize);
            // Space may have been given out without having been written.
            if rng.chance(0.2) && file.bytes.len() > file.synced {
                let from = rng.whole(file.synced as i64, file.bytes.len() as i64 - 1) as usize;
                file.bytes[from..].fill(0);
            }
            file.synced = file.bytes.len();
            file.exists_durably = true;
        }
    }
}

impl Disk for Flash {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().unwrap().keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.files.lock().unwrap().get(name).map(|file| file.bytes.clone()).ok_or_else(gone)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let files = self.files.lock().unwrap();
        let file = files.get(name).ok_or_else(gone)?;
        let from = offset as usize;
        file.bytes.get(from..from + len).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.files.lock().unwrap().entry(name.to_owned()).or_default().bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let file = files.get_mut(name).ok_or_else(gone)?;
        file.bytes.truncate(len as usize);
        file.synced = file.bytes.len();
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = File { bytes: bytes.to_vec(), synced: bytes.len(), exists_durably: true };
        self.files.lock().unwrap().insert(name.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let file = self.files.lock().unwrap().remove(name).ok_or_else(gone)?;
        self.removed.lock().unwrap().push((name.to_owned(), file));
        Ok(())
    }

    fn syncer(&self, name: &str) -> io::Result<Syncer> {
        let length = self.files.lock().unwrap().get(name).ok_or_else(gone)?.bytes.len();
        let (flash, name) = (self.clone(), name.to_owned());
        Ok(Box::new(move || {
            flash.removed.lock().unwrap().clear();
            if let Some(file) = flash.files.lock().unwrap().get_mut(&name) {
                file.synced = file.synced.max(length.min(file.bytes.len()));
                file.exists_durably = true;
            }
            Ok(())
        }))
    }
}
