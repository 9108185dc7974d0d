//! Why a backup could not be made, read or restored.

use obhut_retention::RetentionError;
use std::path::{Path, PathBuf};

/// Why a backup could not be made, read or restored. Texts hold no personal data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file failed.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// There is no room where the backup shall go.
    #[error("there is no room for the backup in `{}`; what was begun is removed again", .0.display())]
    Full(PathBuf),
    /// No recovery key was ever made.
    #[error(
        "there is no recovery key yet; make one with `obhut backup key --to FILE` and keep it away from the server"
    )]
    NoRecoveryKey,
    /// A recovery key's file is not usable.
    #[error("the recovery key {0}")]
    RecoveryKey(&'static str),
    /// The archive was sealed for another recovery key.
    #[error("the archive was sealed for another recovery key")]
    WrongRecoveryKey,
    /// The file is no archive, or of a version this program does not know.
    #[error("`{}` is no backup this program can read", .0.display())]
    NotAnArchive(PathBuf),
    /// The archive is not what was written.
    #[error("the archive was changed or cut off; its {0} does not match")]
    Changed(&'static str),
    /// The archive of keys is past its time.
    #[error(
        "the archive of keys ran out on {0}; keys are kept no longer than the charter says, so that who was erased since stays erased"
    )]
    KeysExpired(String),
    /// Data and keys do not belong together.
    #[error("data and keys do not belong together: the keys must be of the same installation and as new as the data")]
    NotAPair,
    /// There is no archive of keys beside the data.
    #[error(
        "there is no archive of keys beside the data; bring the newest `.keys.obk` and the `.root.obk` into the same directory"
    )]
    NoKeys,
    /// Restoring would overwrite something.
    #[error("`{}` is not empty; a backup is restored only into an empty directory", .0.display())]
    NotEmpty(PathBuf),
    /// Nobody can say who was erased since.
    #[error(
        "no list of erasures newer than the backup was found: who was erased since then would come back; give the newest with `--erasures FILE`, or, if it is lost, say `--erasures-lost`"
    )]
    NoErasures,
    /// An erasure goes first.
    #[error("the backup was stopped because a patient is being erased; begin it again afterwards")]
    Stopped,
    /// Another backup is being made.
    #[error("a backup is being made already")]
    Busy,
    /// Erasures, lists, signing.
    #[error(transparent)]
    Retention(#[from] RetentionError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] obhut_store::StoreError),
    /// What was restored could not be put in order.
    #[error("what was restored cannot be opened: {0}")]
    Finish(String),
}

impl BackupError {
    pub(crate) fn io(what: &'static str, path: &Path, error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge
                if what != "read" =>
            {
                Self::Full(path.parent().unwrap_or(path).to_owned())
            }
            _ => Self::Io { what, path: path.to_owned(), error },
        }
    }
}
