//! The certificate of an erasure: that it was done, when, and what was destroyed, in counts. No content, no name, no pseudonym.
//!
//! Whoever holds the pseudonym (the patient's own papers, a court's file) can check with the salt that this is his certificate; nobody else learns whose
//! it is. The body's SHA-256 stands in one entry of the ledger; entry, proof and signed checkpoint lie in the certificate, so that it can be checked
//! with nothing but the ledger's public key, offline, for as long as SHA-256 and Ed25519 hold.

use crate::text::{hex, mac, sha256};
use obhut_ledger::export::Line;
use obhut_ledger::{Event, EventKind, Proof, VerifierKey};
use obhut_model::Subject;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const FORMAT: &str = "obhut erasure certificate 1";
/// The word for what an erasure's entry is about, and for what was done.
pub(crate) const RESOURCE: &str = "erasure-certificate";
pub(crate) const ACTION: &str = "erase";

/// So many of one kind were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestroyedKind {
    /// Kind of data.
    pub kind: String,
    /// How many objects.
    pub objects: u64,
}

/// A place with copies of keys, named by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyOfKeys {
    /// Whether it was reached: its copy of keys is a new one without this patient's.
    pub reached: bool,
    /// If not: when its copy runs out at the latest, microseconds since 1970.
    pub until: Option<i64>,
}

/// What the certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Which kind of document.
    pub format: String,
    /// Its name.
    pub certificate: String,
    /// Which installation.
    pub installation: String,
    /// Fingerprint of the charter in force.
    pub charter: String,
    /// Salt of the commitment, hexadecimal.
    pub salt: String,
    /// HMAC-SHA256 of the pseudonym under the salt, hexadecimal.
    pub patient: String,
    /// Why, as a word: `request`, `retention`.
    pub reason: String,
    /// Whether somebody stated that the treatment record is kept elsewhere for its ten years (§ 630f(3) BGB).
    pub record_kept_elsewhere: bool,
    /// When it was decided, microseconds since 1970.
    pub decided_at: i64,
    /// When the key was gone here.
    pub key_destroyed_at: i64,
    /// How long that took, microseconds; `None` if the program was killed meanwhile and the next start went on.
    pub key_destroyed_in: Option<u64>,
    /// When everything was gone here.
    pub finished_at: i64,
    /// Epoch of keys in force since: copies of keys of earlier epochs open nothing.
    pub key_epoch: u64,
    /// What was destroyed.
    pub destroyed: Vec<DestroyedKind>,
    /// Bytes overwritten.
    pub bytes_overwritten: u64,
    /// Database files searched afterwards, byte by byte, in which the pseudonym was found: none.
    pub found_afterwards: u64,
    /// Copies of keys elsewhere.
    pub copies: Vec<CopyOfKeys>,
    /// What of him stays, by which rule, as words: entries of the ledger have a duty of their own.
    pub stays: Vec<String>,
}

/// A certificate as a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    /// The ledger's entry, with what its commitment is made of.
    #[serde(borrow)]
    entry: &'a RawValue,
    /// C2SP tlog-proof of that entry, with the signed checkpoint.
    proof: String,
}

/// Why a certificate is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not in its form.
    #[error("this is no erasure certificate")]
    Form,
    /// Entry and body do not belong together.
    #[error("what the certificate says was changed: the ledger's entry is of something else")]
    Body,
    /// The entry is of another kind.
    #[error("the ledger's entry is not one of an erasure")]
    Entry,
    /// The proof fails.
    #[error("the ledger does not prove it: {0}")]
    Proof(String),
    /// The public key is none.
    #[error("the public key is not understood; give it as the ledger prints it, `name+id+key`")]
    Key,
}

/// A body ready to be entered in the ledger.
pub(crate) struct Draft(Box<RawValue>);

impl Draft {
    pub(crate) fn new(body: &Body) -> Option<Self> {
        serde_json::value::to_raw_value(body).ok().map(Self)
    }

    /// What the entry names: SHA-256 of the body.
    pub(crate) fn digest(&self) -> String {
        hex(&sha256(&[self.0.get().as_bytes()]))
    }

    pub(crate) fn finish(&self, line: &Line, proof: &Proof) -> Option<String> {
        let entry = serde_json::value::to_raw_value(&line.to_json()).ok()?;
        serde_json::to_string(&File { body: &self.0, entry: &entry, proof: proof.to_string() }).ok()
    }
}

/// The commitment to a pseudonym under a salt.
pub(crate) fn commitment(salt: &[u8], subject: Subject) -> String {
    hex(&mac(salt, b"obhut erased patient 1", subject.as_bytes()))
}

impl Body {
    pub(crate) fn format() -> String {
        FORMAT.to_owned()
    }

    /// Whether it is about this pseudonym.
    #[must_use]
    pub fn is_about(&self, subject: Subject) -> bool {
        let digits: Option<Vec<u8>> = (0..self.salt.len())
            .step_by(2)
            .map(|at| self.salt.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        digits.is_some_and(|salt| commitment(&salt, subject) == self.patient)
    }
}

/// Checks a certificate with nothing but the ledger's public key, and gives what it says.
///
/// # Errors
/// [`CertificateError`] saying which part fails.
pub fn verify(certificate: &str, key: &str) -> Result<Body, CertificateError> {
    let key: VerifierKey = key.trim().parse().map_err(|_| CertificateError::Key)?;
    let file: File<'_> = serde_json::from_str(certificate).map_err(|_| CertificateError::Form)?;
    let body: Body = serde_json::from_str(file.body.get()).map_err(|_| CertificateError::Form)?;
    if body.format != FORMAT {
        return Err(CertificateError::Form);
    }
    let line = Line::parse(file.entry.get()).map_err(|_| CertificateError::Form)?;
    let (event, leaf) = line.event().zip(line.leaf()).ok_or(CertificateError::Form)?;
    let digest = hex(&sha256(&[file.body.get().as_bytes()]));
    if !is_of(&event, &digest) {
        return Err(if event.kind == EventKind::Erasure { CertificateError::Body } else { CertificateError::Entry });
    }
    let proof: Proof = file.proof.parse().map_err(|_| CertificateError::Form)?;
    if proof.index != line.index() {
        return Err(CertificateError::Body);
    }
    proof.check(&key, &leaf).map_err(|error| CertificateError::Proof(error.to_string()))?;
    Ok(body)
}

fn is_of(event: &Event, digest: &str) -> bool {
    event.kind == EventKind::Erasure
        && &*event.action == ACTION
        && &*event.resource.kind == RESOURCE
        && event.resource.id.as_deref() == Some(digest)
}
