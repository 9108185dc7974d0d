//! Checkpoints: how many entries the log has and what their root is, signed. C2SP tlog-checkpoint v1.0.0.

use crate::note::{BadSignature, Checked, NoteError, SignedNote, SigningKey, VerifierKey};
use tlog_tiles::Hash;

/// Size and root of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Name of the log; that of its key.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Why a note is no checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is no note.
    #[error("it is no signed note")]
    Note(#[source] NoteError),
    /// The text is no checkpoint.
    #[error("its text is no checkpoint: it needs a name, a size and a root, one line each")]
    Text,
    /// It names another log.
    #[error("it is the checkpoint of `{found}`, not of `{wanted}`")]
    Origin {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// The log did not sign it.
    #[error("`{0}` did not sign it")]
    Unsigned(String),
    /// The log's signature does not belong to the text.
    #[error("the signature of `{0}` does not belong to the text: one of the two was changed")]
    Signature(String),
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads the text of a checkpoint. Lines behind the third are allowed and not looked at, as the cosignature format wants it.
    ///
    /// # Errors
    /// [`CheckpointError::Text`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).map_err(|_| CheckpointError::Text)?;
        if read.size() > crate::limits::ENTRIES_MAX {
            return Err(CheckpointError::Text);
        }
        Ok(Self { origin: read.origin().to_owned(), size: read.size(), root: *read.hash() })
    }

    /// Signs it.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> SignedNote {
        let text = self.text();
        let signature = key.sign(&text, 0);
        SignedNote { text, signatures: vec![signature] }
    }

    /// Reads a signed checkpoint and checks that the log with `key` signed it.
    ///
    /// # Errors
    /// [`CheckpointError`] saying what is wrong.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<(Self, SignedNote), CheckpointError> {
        let note = SignedNote::parse(note).map_err(CheckpointError::Note)?;
        let checkpoint = Self::parse(&note.text)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin { found: checkpoint.origin, wanted: key.name().to_owned() });
        }
        let mut signed = false;
        for line in &note.signatures {
            match key.check(&note.text, line) {
                Ok(Checked::Good { .. }) => signed = true,
                Ok(Checked::Foreign) => {}
                Err(BadSignature) => return Err(CheckpointError::Signature(key.name().to_owned())),
            }
        }
        if signed { Ok((checkpoint, note)) } else { Err(CheckpointError::Unsigned(key.name().to_owned())) }
    }
}
