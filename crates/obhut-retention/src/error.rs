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
