//! Proof of one entry for someone who has nothing but the log's public key: C2SP tlog-proof v1.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::leaf::Leaf;
use crate::limits::{NOTE_MAX, PROOF_HASHES_MAX};
use crate::note::{SignedNote, VerifierKey};
use std::fmt;
use std::str::FromStr;
use tlog_tiles::{Hash, record_hash};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry's place in a signed tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Number of the entry.
    pub index: u64,
    /// Hashes from its sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, cosignatures included.
    pub checkpoint: SignedNote,
}

/// Why a proof does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// It is not written as one.
    #[error("this is no proof in the form `{HEADER}`")]
    Form,
    /// Its checkpoint is none of this log.
    #[error("the checkpoint in the proof is not one of this log")]
    Checkpoint(#[source] CheckpointError),
    /// Entry, hashes and checkpoint do not belong together.
    #[error("entry, proof and checkpoint do not belong together: one of them was changed")]
    Inclusion,
}

impl Proof {
    /// Checks that `leaf` is entry [`Proof::index`] of the log with `key`, and gives the checkpoint that says so.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, key: &VerifierKey, leaf: &Leaf) -> Result<Checkpoint, ProofError> {
        let (checkpoint, _) =
            Checkpoint::open(self.checkpoint.to_string().as_bytes(), key).map_err(ProofError::Checkpoint)?;
        check_entry(&self.hashes, &checkpoint, self.index, leaf)?;
        Ok(checkpoint)
    }
}

/// Checks that `leaf` is entry `index` of the tree of `checkpoint`.
///
/// # Errors
/// [`ProofError::Inclusion`].
pub fn check_entry(hashes: &[Hash], checkpoint: &Checkpoint, index: u64, leaf: &Leaf) -> Result<(), ProofError> {
    if index >= checkpoint.size || hashes.len() > PROOF_HASHES_MAX {
        return Err(ProofError::Inclusion);
    }
    tlog_tiles::check_record(&hashes.to_vec(), checkpoint.size, checkpoint.root, index, record_hash(&leaf.0))
        .map_err(|_| ProofError::Inclusion)
}

/// Checks that the tree of `old` is the beginning of the tree of `new`.
///
/// # Errors
/// [`ProofError::Inclusion`].
pub fn check_growth(hashes: &[Hash], old: &Checkpoint, new: &Checkpoint) -> Result<(), ProofError> {
    let ok = if old.size == 0 {
        hashes.is_empty()
    } else if old.size == new.size {
        hashes.is_empty() && old.root == new.root
    } else {
        old.size < new.size
            && hashes.len() <= PROOF_HASHES_MAX
            && tlog_tiles::check_tree(&hashes.to_vec(), new.size, new.root, old.size, old.root).is_ok()
    };
    if ok { Ok(()) } else { Err(ProofError::Inclusion) }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Proof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > 2 * NOTE_MAX {
            return Err(ProofError::Form);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Form)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Form);
        }
        let mut line = lines.next().ok_or(ProofError::Form)?;
        if line.starts_with("extra ") {
            line = lines.next().ok_or(ProofError::Form)?;
        }
        let index = line.strip_prefix("index ").and_then(decimal).ok_or(ProofError::Form)?;
        let hashes = lines.map(hash).collect::<Option<Vec<_>>>().ok_or(ProofError::Form)?;
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(ProofError::Form);
        }
        let checkpoint = SignedNote::parse(checkpoint.as_bytes()).map_err(|_| ProofError::Form)?;
        Ok(Self { index, hashes, checkpoint })
    }
}

/// A decimal number written in its one way.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// A hash in base64, written in its one way.
pub(crate) fn hash(line: &str) -> Option<Hash> {
    Hash::parse_hash(line).ok().filter(|hash| hash.to_string() == line)
}
