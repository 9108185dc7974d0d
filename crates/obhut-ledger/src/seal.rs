//! How events lie on disk: sealed, bound to their number, with the salt inside the seal, so that removing one row removes both.
//!
//! AES-256-GCM-SIV as everywhere in the house (decision 0020). The associated data are a label and the number of the entry (or of the spool frame),
//! so that a row moved to another place does not open.

use crate::leaf::{Leaf, Note, Salt, array, note_digest};
use crate::limits::{EVENT_BYTES_MAX, NOTE_BYTES_MAX};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use std::fmt;
use zeroize::Zeroizing;

/// Sealing or opening failed: wrong key, wrong place or changed bytes; the three cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open: wrong key, wrong place or changed")]
pub struct SealError;

/// What is inside the seal of one entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Salt of the commitment.
    pub salt: Salt,
    /// The encoded event.
    pub canonical: Vec<u8>,
    /// Its note, `None` if there is none.
    pub note: Option<String>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(<redacted>)")
    }
}

impl Opened {
    /// The commitment these make.
    #[must_use]
    pub fn leaf(&self) -> Leaf {
        Leaf::commit(&self.salt, &self.canonical, &self.note.as_deref().map_or(Note::None, Note::Text))
    }
}

/// An opened entry whose note may have been removed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Salt and event, and the note if it is still there.
    pub opened: Opened,
    /// Digest of a removed note.
    pub note_removed: Option<[u8; 32]>,
}

impl Entry {
    /// The commitment these make.
    #[must_use]
    pub fn leaf(&self) -> Leaf {
        match self.note_removed {
            Some(digest) => Leaf::commit(&self.opened.salt, &self.opened.canonical, &Note::Removed(digest)),
            None => self.opened.leaf(),
        }
    }

    /// The same without the text of its note.
    #[must_use]
    pub fn without_note(mut self) -> Self {
        if let Some(text) = self.opened.note.take() {
            self.note_removed = Some(note_digest(&self.opened.salt, &text));
        }
        self
    }
}

const LEDGER: &[u8] = b"obhut ledger entry 1";
const SPOOL: &[u8] = b"obhut ledger spool 1";

/// Seals events and makes the tags they are found by.
pub struct EventKey {
    seal: LessSafeKey,
    tags: hmac::Key,
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventKey(<redacted>)")
    }
}

impl EventKey {
    /// From 32 secret bytes.
    ///
    /// # Errors
    /// [`SealError`] if the cipher refuses the key.
    pub fn new(secret: &[u8; 32]) -> Result<Self, SealError> {
        let parent = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |label: &[u8]| Zeroizing::new(array::<32>(hmac::sign(&parent, label).as_ref()));
        let seal = UnboundKey::new(&AES_256_GCM_SIV, derive(b"obhut ledger seal").as_ref()).map_err(|_| SealError)?;
        let tags = hmac::Key::new(hmac::HMAC_SHA256, derive(b"obhut ledger tags").as_ref());
        Ok(Self { seal: LessSafeKey::new(seal), tags })
    }

    /// A keyed hash of an identifier, for one use.
    #[must_use]
    pub fn tag(&self, kind: u8, bytes: &[u8]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.tags);
        context.update(&[kind]);
        context.update(bytes);
        array(context.sign().as_ref())
    }

    /// Seals one entry for place `index`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, index: u64, nonce: [u8; 12], opened: &Opened) -> Result<Vec<u8>, SealError> {
        self.seal_entry(index, nonce, &Entry { opened: opened.clone(), note_removed: None })
    }

    /// Seals one entry whose note may have been removed.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_entry(&self, index: u64, nonce: [u8; 12], entry: &Entry) -> Result<Vec<u8>, SealError> {
        self.seal_bytes(&aad(LEDGER, &[], index), nonce, &plain(entry))
    }

    /// Opens an entry of place `index`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, index: u64, sealed: &[u8]) -> Result<Entry, SealError> {
        parse(&self.open_bytes(&aad(LEDGER, &[], index), sealed)?).ok_or(SealError)
    }

    pub(crate) fn seal_frame(
        &self,
        spool: &[u8; 16],
        sequence: u64,
        nonce: [u8; 12],
        bytes: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        self.seal_bytes(&aad(SPOOL, spool, sequence), nonce, bytes)
    }

    pub(crate) fn open_frame(
        &self,
        spool: &[u8; 16],
        sequence: u64,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open_bytes(&aad(SPOOL, spool, sequence), sealed)
    }

    fn seal_bytes(&self, aad: &[u8], nonce: [u8; 12], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = plain.to_vec();
        let given = Nonce::assume_unique_for_key(nonce);
        self.seal.seal_in_place_append_tag(given, Aad::from(aad), &mut sealed).map_err(|_| SealError)?;
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    fn open_bytes(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body) = sealed.split_at_checked(12).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.seal.open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| SealError)?.len();
        body.truncate(length);
        Ok(body)
    }
}

fn aad(label: &[u8], spool: &[u8], number: u64) -> Vec<u8> {
    [label, spool, &number.to_be_bytes()].concat()
}

/// Salt, one byte saying what is known of the note, its length and text or its digest, the encoded event.
fn plain(entry: &Entry) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(entry.opened.salt.0.to_vec());
    match (&entry.opened.note, entry.note_removed) {
        (_, Some(digest)) => {
            out.push(2);
            out.extend_from_slice(&digest);
        }
        (Some(text), None) => {
            out.push(1);
            out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        (None, None) => out.push(0),
    }
    out.extend_from_slice(&entry.opened.canonical);
    out
}

fn parse(plain: &[u8]) -> Option<Entry> {
    let (salt, rest) = plain.split_first_chunk::<32>()?;
    let (kind, rest) = rest.split_first()?;
    let (note, note_removed, canonical) = match kind {
        0 => (None, None, rest),
        1 => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|l| *l <= NOTE_BYTES_MAX)?;
            let (text, rest) = rest.split_at_checked(length)?;
            (Some(std::str::from_utf8(text).ok()?.to_owned()), None, rest)
        }
        2 => {
            let (digest, rest) = rest.split_first_chunk::<32>()?;
            (None, Some(*digest), rest)
        }
        _ => return None,
    };
    if canonical.len() > EVENT_BYTES_MAX {
        return None;
    }
    Some(Entry { opened: Opened { salt: Salt(*salt), canonical: canonical.to_vec(), note }, note_removed })
}
