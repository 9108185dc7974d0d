//! The few things the buffer does to a directory, behind a trait so that tests can cut the power between any two of them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Makes durable what was appended so far. May block; runs anywhere.
pub type Syncer = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// A flat directory of files.
pub trait Disk: Send + 'static {
    /// File names, any order.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn list(&self) -> io::Result<Vec<String>>;
    /// All bytes of a file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// `len` bytes of a file from `offset`.
    ///
    /// # Errors
    /// Also when the file is shorter.
    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Appends, making the file if need be. Durable only after its [`Disk::syncer`] ran.
    ///
    /// # Errors
    /// Something, but not all, may then have been written.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file, durably.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()>;
    /// Replaces or makes a file in one step, durably: afterwards it holds all of `bytes`, or what it held before.
    ///
    /// # Errors
    /// The file is then as before.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file; durable after any later sync.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// What makes the appends to `name` so far durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn syncer(&self, name: &str) -> io::Result<Syncer>;
}

/// A real directory. Files are readable by their owner alone.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    open: BTreeMap<String, File>,
}

impl Directory {
    /// Uses `path`, making it if need be, readable by its owner alone.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self { path: path.to_owned(), open: BTreeMap::new() })
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if !self.open.contains_key(name) {
            // Only the newest segment is appended to, so one open file is enough.
            self.open.clear();
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.path.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get_mut(name).map_or(Err(io::ErrorKind::NotFound.into()), |file| file.write_all(bytes))
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path.join(name))?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.open.remove(name);
        write_atomically(&self.path.join(name), bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        fs::remove_file(self.path.join(name))
    }

    fn syncer(&self, name: &str) -> io::Result<Syncer> {
        let file = match self.open.get(name) {
            Some(file) => file.try_clone()?,
            None => File::open(self.path.join(name))?,
        };
        let directory = File::open(&self.path)?;
        Ok(Box::new(move || file.sync_data().and_then(|()| directory.sync_all())))
    }
}

/// Writes a file its owner alone may read, so that after a crash it holds all of `bytes` or what it held before.
///
/// # Errors
/// Whatever the disk says; the file is then as before.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY);
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(directory)?.sync_all()
}

/// Ending of files that were being written when the power went; ignored and overwritten.
pub(crate) const TEMPORARY: &str = ".new";
