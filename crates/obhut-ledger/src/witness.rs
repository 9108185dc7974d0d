//! Witnesses: others who saw how far the log was, so that it cannot be cut back or told differently to different people. C2SP tlog-witness v1.0.0.
//!
//! Both sides are here without their sockets. A witness judges a submission ([`judge`]), stores what it accepted, durably, and only then signs
//! ([`Accepted::cosign`]); that order is the caller's to keep, and [`Accepted`] is made so that it is the natural one.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::limits::{NOTE_MAX, PROOF_HASHES_MAX, SIGNATURES_MAX};
use crate::note::{Checked, KeyKind, NoteSignature, SignedNote, SigningKey, VerifierKey};
use crate::proof::{check_growth, decimal, hash};
use tlog_tiles::{EMPTY_HASH, Hash};

/// A log as a witness knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its key; its name is the log's.
    pub key: VerifierKey,
    /// Size of the last checkpoint cosigned; zero if there was none.
    pub size: u64,
    /// Root of the last checkpoint cosigned.
    pub root: Hash,
}

impl Known {
    /// A log of which nothing was seen yet.
    #[must_use]
    pub fn unseen(key: VerifierKey) -> Self {
        Self { key, size: 0, root: EMPTY_HASH }
    }
}

/// Why a witness does not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not in the form of the protocol, or the old size is above the new one.
    #[error("the request is not understood")]
    Malformed,
    /// No log of this name is known.
    #[error("the log is not known to this witness")]
    UnknownLog,
    /// The log did not sign it.
    #[error("the checkpoint is not signed by the log")]
    Unsigned,
    /// The witness saw another size last.
    #[error("the witness last saw {size} entries")]
    Conflict {
        /// The size it saw.
        size: u64,
    },
    /// Same size, other root: the log is forked.
    #[error("the witness saw another tree of {size} entries: the log was forked")]
    Forked {
        /// The size both claim.
        size: u64,
    },
    /// The proof does not lead from what it saw to what it is shown.
    #[error("the proof does not show that nothing was changed since")]
    Proof,
}

impl Refusal {
    /// Status of the HTTP answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::UnknownLog => 404,
            Self::Unsigned => 403,
            Self::Conflict { .. } | Self::Forked { .. } => 409,
            Self::Proof => 422,
        }
    }
}

/// What a witness accepted, to be stored and then signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// What is known of the log from now on.
    pub known: Known,
    text: String,
}

impl Accepted {
    /// Signs. Call only after [`Accepted::known`] is durable.
    #[must_use]
    pub fn cosign(&self, key: &SigningKey, time: u64) -> String {
        key.sign(&self.text, time).to_string()
    }
}

/// Judges one `add-checkpoint` request against the logs this witness knows.
///
/// # Errors
/// [`Refusal`], whose [`Refusal::status`] is the answer; for [`Refusal::Conflict`] the body is the size and a line end.
pub fn judge<'a>(body: &[u8], known: impl Fn(&str) -> Option<&'a Known>) -> Result<Accepted, Refusal> {
    let (old, proof, note) = parse(body).ok_or(Refusal::Malformed)?;
    let text = SignedNote::parse(note).map_err(|_| Refusal::Malformed)?.text;
    let claimed = Checkpoint::parse(&text).map_err(|_| Refusal::Malformed)?;
    let known = known(&claimed.origin).ok_or(Refusal::UnknownLog)?;
    let (new, note) = Checkpoint::open(note, &known.key).map_err(|error| match error {
        CheckpointError::Unsigned(_) | CheckpointError::Signature(_) => Refusal::Unsigned,
        _ => Refusal::Malformed,
    })?;
    if old > new.size {
        return Err(Refusal::Malformed);
    }
    if old != known.size {
        return Err(Refusal::Conflict { size: known.size });
    }
    if old == new.size && known.root != new.root {
        return Err(Refusal::Forked { size: old });
    }
    let before = Checkpoint { origin: new.origin.clone(), size: known.size, root: known.root };
    check_growth(&proof, &before, &new).map_err(|_| Refusal::Proof)?;
    Ok(Accepted { known: Known { key: known.key.clone(), size: new.size, root: new.root }, text: note.text })
}

fn parse(body: &[u8]) -> Option<(u64, Vec<Hash>, &[u8])> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= 2 * NOTE_MAX)?;
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = lines.next()?.strip_prefix("old ").and_then(decimal)?;
    let proof = lines.map(hash).collect::<Option<Vec<_>>>()?;
    (proof.len() <= PROOF_HASHES_MAX).then_some((old, proof, note.as_bytes()))
}

/// The body of an `add-checkpoint` request.
#[must_use]
pub fn request(old: u64, proof: &[Hash], checkpoint: &SignedNote) -> String {
    let mut out = format!("old {old}\n");
    for hash in proof {
        out.push_str(&hash.to_string());
        out.push('\n');
    }
    format!("{out}\n{checkpoint}")
}

/// Puts a witness's answer under the checkpoint, if it is the witness's signature of it. Gives whether it was.
#[must_use]
pub fn merge(checkpoint: &mut SignedNote, witness: &VerifierKey, answer: &str) -> bool {
    let mut found = false;
    for line in answer.lines().take(SIGNATURES_MAX) {
        let Ok(signature) = line.parse::<NoteSignature>() else { continue };
        if witness.kind() == KeyKind::Cosignature
            && matches!(witness.check(&checkpoint.text, &signature), Ok(Checked::Good { .. }))
        {
            checkpoint.signatures.retain(|other| other.name != signature.name || other.id != signature.id);
            checkpoint.signatures.push(signature);
            found = true;
        }
    }
    found
}
