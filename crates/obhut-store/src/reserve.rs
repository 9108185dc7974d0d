//! A few megabytes set aside, so that a server which died on a full disk can start on it.
//!
//! Opening writes a little: databases make their shared memory, the journal its next file. Without room for that a ward would stay blind until somebody
//! frees space. So a file of zeros is kept, given up when opening fails for want of room, and made again once there is room to spare.
//! It is *not* for readings: while it is given up, storing still refuses and says so.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Size of the reserve: twice what the first journal step needs, and the databases' share.
pub(crate) const RESERVE_BYTES: u64 = 12 << 20;
/// The reserve is made only when this much is free.
const FREE_BYTES_MIN: u64 = 2 * RESERVE_BYTES;

/// The reserve of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    pub(crate) fn of(dir: &Path) -> Self {
        Self(dir.join("reserve"))
    }

    fn free(&self) -> Option<u64> {
        let fs = rustix::fs::statvfs(self.0.parent()?).ok()?;
        Some(fs.f_bavail.saturating_mul(fs.f_frsize))
    }

    /// Gives the reserve up if the disk is about full; true if that made room.
    pub(crate) fn give_up(&self) -> bool {
        self.free().is_some_and(|free| free < RESERVE_BYTES) && std::fs::remove_file(&self.0).is_ok()
    }

    /// Makes the reserve if it is not there and there is room to spare. Failing is no harm: it is tried again.
    pub(crate) fn keep(&self) {
        if self.0.exists() || self.free().is_none_or(|free| free < FREE_BYTES_MIN) {
            return;
        }
        if let Err(error) = self.make() {
            tracing::warn!(%error, "the reserve for a full disk could not be set aside");
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn make(&self) -> io::Result<()> {
        let file = File::create(&self.0)?;
        Ok(rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_BYTES)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_while_there_is_room_and_not_given_up_then() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(dir.path());
        reserve.keep();
        reserve.keep();
        assert_eq!(std::fs::metadata(dir.path().join("reserve")).unwrap().len(), RESERVE_BYTES);
        assert!(!reserve.give_up(), "there is room");
    }
}
