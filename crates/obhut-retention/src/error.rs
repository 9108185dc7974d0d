//! Why something about keeping and erasing did not work.

use obhut_store::StoreError;
use obhut_vault::ProviderError;
use std::path::{Path, PathBuf};

/// Why something about keeping and erasing did not work. Texts hold no personal data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
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
    /// A file is not what this program wrote.
    #[error("`{}` is damaged", .0.display())]
    Damaged(PathBuf),
    /// A list of erasures cannot be used.
    #[error("the list of erasures {0}")]
    List(&'static str),
    /// The key provider refused.
    #[error("the installation's signing key cannot be used")]
    Key(#[source] ProviderError),
    /// The register refuses, with its own reason.
    #[error("{0}")]
    Register(obhut_register::Refusal),
    /// The register's log failed.
    #[error("the register cannot be written; what was begun goes on when it can")]
    RegisterLog,
    /// The ledger takes nothing.
    #[error("the ledger is not available; what was begun is proved when it is back")]
    LedgerDown,
    /// No erasure has this name.
    #[error("there is no such erasure")]
    NoSuchErasure,
    /// Copies could not be stopped or renewed.
    #[error("copies could not be reached: {0}")]
    Copies(String),
    /// The pseudonym was found after everything.
    #[error("the pseudonym still stands in {0}; there is no certificate, and the erasure is tried again")]
    Residue(String),
    /// Storage failed, or does not know the patient.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RetentionError {
    pub(crate) fn io(what: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), error }
    }

    pub(crate) fn damaged(path: &Path) -> Self {
        Self::Damaged(path.to_owned())
    }
}
