//! The log's files: written whole and durable, read by path.

use obhut_ledger::{Files, TilePath};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Largest file of a log that is read, bytes: a full bundle of the longest entries.
const FILE_BYTES_MAX: u64 = 256 * (65_535 + 2);

/// Writes `bytes` as `path`, whole or not at all, durable when it returns.
///
/// # Errors
/// As the operating system says.
pub fn write_durable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    write_over(&path.with_file_name(name), path, bytes)
}

/// The same, by way of the file `new`.
fn write_over(new: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_dir(dir)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(new, path)?;
    File::open(dir)?.sync_all()
}

/// Makes a directory and those above it, for this account only and durably; fine if it is there.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_dir(above)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    match dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

/// A log in a directory: `checkpoint` and `tile/…`.
#[derive(Debug, Clone)]
pub struct LogDir(PathBuf);

impl LogDir {
    /// The log in `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// Writes one file of the log.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        // One name for what is half written, outside `tile/`: nothing there is ever anything but whole.
        write_over(&self.0.join(".new"), &self.0.join(path), bytes)
    }

    /// Removes the partial tiles in place of a full one.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn remove_partial(&self, full: &TilePath) -> io::Result<()> {
        match std::fs::remove_dir_all(self.0.join(format!("{}.p", full.full()))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Files for LogDir {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let file = self.0.join(path);
        match std::fs::metadata(&file) {
            Ok(found) if found.is_dir() => return Ok(None),
            Ok(found) if found.len() > FILE_BYTES_MAX => return Err("it is far too large".to_owned()),
            _ => {}
        }
        match std::fs::read(&file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn list(&self) -> Result<Vec<String>, String> {
        let mut out = Vec::new();
        let mut open = vec!["tile".to_owned()];
        while let Some(dir) = open.pop() {
            let entries = match std::fs::read_dir(self.0.join(&dir)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| error.to_string())?,
            };
            for entry in entries {
                let entry = entry.map_err(|error| error.to_string())?;
                let path = format!("{dir}/{}", entry.file_name().to_string_lossy());
                match entry.file_type().map_err(|error| error.to_string())?.is_dir() {
                    true => open.push(path),
                    false => out.push(path),
                }
            }
        }
        Ok(out)
    }
}
