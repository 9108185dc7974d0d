//! Signed notes: a text, an empty line, signature lines. C2SP signed-note v1.0.0.
//!
//! Ours rather than a library because the one there is brings a second implementation of Ed25519 into the program (decision 0090); the tests read
//! our notes with that library. Ed25519 comes from `aws-lc-rs`.

use crate::leaf::array;
use crate::limits::{NOTE_MAX, SIGNATURES_MAX};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;

/// What a key signs: notes themselves, or cosignatures of a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The log's own signature, type `0x01`.
    Log,
    /// A cosignature with time, type `0x04` (C2SP tlog-cosignature).
    Cosignature,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not of the form `name+id+key`.
    #[error("a public key of a log or witness has the form `name+12345678+base64`")]
    Form,
    /// The number in the middle belongs to another key or name.
    #[error("the number in the key does not belong to its name and key; it was mistyped or changed")]
    Id,
    /// A kind of key that is not known here.
    #[error("this kind of key is not known; only Ed25519 keys of logs and witnesses are")]
    Kind,
    /// The secret bytes are no key.
    #[error("the signing key is unusable")]
    Secret,
}

/// A public key with its name: what is written as `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; 32],
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

impl VerifierKey {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The number that signature lines carry: the first four bytes of the hash of name, kind and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(b"\n");
        context.update(&[self.kind.byte()]);
        context.update(&self.public);
        array(context.finish().as_ref())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }

    /// Whether this key made `line` over `text`; for a cosignature also when, in seconds since 1970.
    ///
    /// # Errors
    /// [`BadSignature`] if it did not. A line of another key is [`Checked::Foreign`].
    pub fn check(&self, text: &str, line: &NoteSignature) -> Result<Checked, BadSignature> {
        if line.name != self.name || line.id != self.id() {
            return Ok(Checked::Foreign);
        }
        match self.kind {
            KeyKind::Log if self.verify(text.as_bytes(), &line.signature) => Ok(Checked::Good { at: None }),
            KeyKind::Log => Err(BadSignature),
            KeyKind::Cosignature => {
                let (time, signature) = line.signature.split_first_chunk::<8>().ok_or(BadSignature)?;
                let time = u64::from_be_bytes(*time);
                if time > i64::MAX as u64 || !self.verify(cosigned(text, time).as_bytes(), signature) {
                    return Err(BadSignature);
                }
                Ok(Checked::Good { at: Some(time) })
            }
        }
    }
}

/// What a witness signs (C2SP tlog-cosignature, Ed25519).
fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind.byte()];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        if !is_name(name) || id.len() != 8 {
            return Err(KeyError::Form);
        }
        let id = u32::from_str_radix(id, 16).map_err(|_| KeyError::Form)?;
        let key = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (kind, public) = key.split_first().ok_or(KeyError::Form)?;
        let kind = match kind {
            1 => KeyKind::Log,
            4 => KeyKind::Cosignature,
            _ => return Err(KeyError::Kind),
        };
        let public = public.try_into().map_err(|_| KeyError::Form)?;
        let found = Self { name: name.to_owned(), kind, public };
        if found.id() == id.to_be_bytes() { Ok(found) } else { Err(KeyError::Id) }
    }
}

/// Whether a signature line is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is; a cosignature says when it was made.
    Good {
        /// Seconds since 1970.
        at: Option<u64>,
    },
    /// Another key made it.
    Foreign,
}

/// A signature line carries this key's name and number, and is not its signature of this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not belong to the text")]
pub struct BadSignature;

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

impl SigningKey {
    /// From 32 secret bytes (the Ed25519 seed).
    ///
    /// # Errors
    /// [`KeyError`] if the name has spaces or `+`, or the bytes are no key.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Form);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Secret)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Secret)?;
        Ok(Self { pair, verifier: VerifierKey { name: name.to_owned(), kind, public } })
    }

    /// Its public side.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs `text`. A witness's key says that it saw it at `time`, in seconds since 1970; a log's key does not look at the time.
    #[must_use]
    pub fn sign(&self, text: &str, time: u64) -> NoteSignature {
        let signature = match self.verifier.kind {
            KeyKind::Log => self.pair.sign(text.as_bytes()).as_ref().to_vec(),
            KeyKind::Cosignature => {
                let mut out = time.to_be_bytes().to_vec();
                out.extend_from_slice(self.pair.sign(cosigned(text, time).as_bytes()).as_ref());
                out
            }
        };
        NoteSignature { name: self.verifier.name.clone(), id: self.verifier.id(), signature }
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Number of the key.
    pub id: [u8; 4],
    /// What it signed with.
    pub signature: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        writeln!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    /// Reads one line, without its end.
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("\u{2014} ").ok_or(NoteError::Line)?;
        let (name, code) = rest.split_once(' ').ok_or(NoteError::Line)?;
        let bytes = STANDARD.decode(code).map_err(|_| NoteError::Line)?;
        match bytes.split_first_chunk::<4>() {
            Some((id, signature)) if is_name(name) && !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
            }
            _ => Err(NoteError::Line),
        }
    }
}

/// Why a text is no signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Too long, no UTF-8, or control characters.
    #[error("not a signed note: too long, not UTF-8, or with control characters")]
    Text,
    /// No empty line before the signatures.
    #[error("not a signed note: no empty line before the signatures")]
    Parts,
    /// A signature line is not one.
    #[error("not a signed note: a line behind the empty line is no signature")]
    Line,
    /// Too many signatures.
    #[error("more than {SIGNATURES_MAX} signatures")]
    Many,
}

/// A text with signatures that were read, not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// What is signed, with its last line end.
    pub text: String,
    /// By whom.
    pub signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_MAX {
            return Err(NoteError::Text);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Text);
        }
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Parts)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Parts)?;
        let signatures = lines.split('\n').map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Many);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}
