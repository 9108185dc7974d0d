//! The disk as the journal and the segments see it, so that a simulated one can fail at any instant.
//!
//! Not for the record databases: SQLite has its own way to the disk and its own tests of it.
//! INVARIANT: what was written is durable after [`DiskFile::sync`]; that a file exists, after [`Disk::sync_dir`] of its directory.

mod real;
#[cfg(any(test, feature = "testing"))]
pub mod sim;

pub use real::RealDisk;
use std::io;

/// A directory tree. Paths are relative to its root, with `/` between parts.
pub trait Disk: Send + Sync {
    /// Makes `path` an empty file, whether it was there or not.
    ///
    /// # Errors
    /// As the operating system says.
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// As the operating system says.
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Makes a directory and those above it, durably; fine if it is there.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Makes the names in directory `path` durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, path: &str) -> io::Result<()>;

    /// Names in directory `path`; empty if it is not there.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Removes a file; fine if it is gone.
    ///
    /// # Errors
    /// As the operating system says.
    fn unlink(&self, path: &str) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the file ends before; else as the operating system says.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`. After an error any part of it may have been written.
    ///
    /// # Errors
    /// As the operating system says.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes everything written durable (fdatasync).
    ///
    /// # Errors
    /// As the operating system says. After an error nothing is known about what was written since the last success.
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn length(&self) -> io::Result<u64>;

    /// Cuts or extends with zeros.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_length(&self, length: u64) -> io::Result<()>;
}

/// Whether the error says that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
