//! Secret files: written whole or not at all, readable by their owner only.
//!
//! Not for data that grows; everything here is a few kilobytes and read in one go.

use crate::error::PkiError;
use crate::limits::FILE_BYTES_MAX;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Whether the mode of a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Group and others must have no right at all.
    OwnerOnly,
    /// Whoever made the file answers for it: systemd guards its credentials by directory and ACL, which shows as group bits.
    Elsewhere,
}

/// Reads a secret file; `None` if there is none.
pub(crate) fn read(path: &Path, guard: Guard) -> Result<Option<Zeroizing<Vec<u8>>>, PkiError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(PkiError::io("open", path, error)),
    };
    // The open file is asked, not the path, so that nobody can exchange it in between.
    let facts = file.metadata().map_err(|error| PkiError::io("look at", path, error))?;
    let mode = facts.permissions().mode() & 0o7777;
    if guard == Guard::OwnerOnly && mode & 0o077 != 0 {
        return Err(PkiError::Permissions { path: path.to_owned(), mode, want: "600" });
    }
    if facts.len() > FILE_BYTES_MAX {
        return Err(PkiError::KeyFile { path: path.to_owned(), why: format!("is larger than {FILE_BYTES_MAX} bytes") });
    }
    // Full capacity from the start: growing would leave copies of the secret behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
    (&mut file).take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| PkiError::io("read", path, error))?;
    Ok(Some(bytes))
}

/// Makes a directory only its owner can enter, or checks that nobody else can write to one that is there.
pub(crate) fn directory(path: &Path) -> Result<(), PkiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| PkiError::io("make directory", path, error))?;
    let mode = fs::metadata(path).map_err(|error| PkiError::io("look at", path, error))?.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(PkiError::Permissions { path: path.to_owned(), mode, want: "700" });
    }
    Ok(())
}

/// Writes a file so that after a crash at any instant either the old or the new bytes are there, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    let beside = write_beside(path, bytes)?;
    fs::rename(&beside, path).map_err(|error| PkiError::io("replace", path, error))?;
    sync_directory(path)
}

/// Like [`replace`], but leaves a file that is already there alone and answers `false`.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<bool, PkiError> {
    let beside = write_beside(path, bytes)?;
    // A link does not replace: of two processes starting at once, one wins and the other reads what the first wrote.
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside).map_err(|error| PkiError::io("remove", &beside, error))?;
    match linked {
        Ok(()) => sync_directory(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(PkiError::io("create", path, error)),
    }
}

fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, PkiError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let fail = |what| {
        let beside = beside.clone();
        move |error| PkiError::io(what, &beside, error)
    };
    // A leftover of a crash may have another mode; `create_new` makes sure that ours counts.
    match fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(fail("remove")(error)),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(fail("create"))?;
    file.write_all(bytes).map_err(fail("write"))?;
    file.sync_all().map_err(fail("flush"))?;
    Ok(beside)
}

pub(crate) fn sync_directory(path: &Path) -> Result<(), PkiError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(|error| PkiError::io("flush directory", parent, error))
}
