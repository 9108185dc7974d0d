//! The list of erasures: what a restored backup is held against, so that nobody comes back with it.
//!
//! It holds no pseudonym: each erased patient is a mark, HMAC-SHA256 of the pseudonym under a key of the list. Whoever restores computes the marks of
//! everyone in the backup and finds who must go; whoever has only the list learns how many were erased, and when. The list lies in the data
//! directory and beside every place backups are kept; each copy is signed and says as of when it is complete.
//!
//! INVARIANT: a list is only ever extended. Of two lists of one installation the longer one holds the shorter.

use crate::error::RetentionError;
use crate::files;
use crate::installation::{Installation, is_signed};
use crate::text::{base64, from_base64, hex, mac, random};
use obhut_model::{ServerTime, Subject};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::path::Path;

const FORMAT: &str = "obhut erasure list 1";
const LABEL: &str = "obhut erasure list 1";
/// Longest list read: some half a million erasures.
const BYTES_MAX: u64 = 128 << 20;

/// Stands for an erased patient without naming him.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark([u8; 32]);

/// One erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When it was ordered, microseconds since 1970.
    pub at: i64,
    /// The certificate's name.
    pub certificate: String,
    mark: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    format: String,
    installation: String,
    key: String,
    as_of: i64,
    erasures: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed<'a> {
    #[serde(borrow)]
    list: &'a RawValue,
    signature: String,
}

/// A list of erasures.
#[derive(Debug, Clone)]
pub struct ErasureList(Body);

impl ErasureList {
    /// An empty list for `installation`, complete as of `now`.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub fn new(installation: &Installation, now: ServerTime) -> std::io::Result<Self> {
        let (format, key) = (FORMAT.to_owned(), base64(&random::<32>()?));
        let installation = installation.id().to_owned();
        Ok(Self(Body { format, installation, key, as_of: now.micros(), erasures: Vec::new() }))
    }

    /// Reads and checks a list: it must be signed by `signer`.
    ///
    /// # Errors
    /// [`RetentionError::List`] if it is not what it should be.
    pub fn parse(bytes: &[u8], signer: &str) -> Result<Self, RetentionError> {
        let signed: Signed<'_> =
            serde_json::from_slice(bytes).map_err(|_| RetentionError::List("is not understood"))?;
        if !is_signed(signer, LABEL, signed.list.get().as_bytes(), &signed.signature) {
            return Err(RetentionError::List("is not signed by this installation, or was changed"));
        }
        let body: Body =
            serde_json::from_str(signed.list.get()).map_err(|_| RetentionError::List("is not understood"))?;
        if body.format != FORMAT {
            return Err(RetentionError::List("is of another kind"));
        }
        Ok(Self(body))
    }

    /// Reads a list from a file; `None` if there is none.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn read(path: &Path, signer: &str) -> Result<Option<Self>, RetentionError> {
        let bytes = files::read_if_there(path, BYTES_MAX).map_err(|error| RetentionError::io("read", path, error))?;
        bytes.map(|bytes| Self::parse(&bytes, signer)).transpose()
    }

    /// The list as it is kept, signed.
    ///
    /// # Errors
    /// Never in practice: everything in it can be written.
    pub fn to_bytes(&self, installation: &Installation) -> Result<Vec<u8>, RetentionError> {
        let unwritten = |_| RetentionError::List("cannot be written");
        let list = serde_json::value::to_raw_value(&self.0).map_err(unwritten)?;
        let signature = installation.sign(LABEL, list.get().as_bytes());
        serde_json::to_vec(&Signed { list: &list, signature }).map_err(unwritten)
    }

    /// The installation it belongs to.
    #[must_use]
    pub fn installation(&self) -> &str {
        &self.0.installation
    }

    /// Up to when it is complete.
    #[must_use]
    pub fn as_of(&self) -> ServerTime {
        ServerTime::from_micros(self.0.as_of)
    }

    /// Says that it is complete up to `now`.
    pub fn complete_to(&mut self, now: ServerTime) {
        self.0.as_of = self.0.as_of.max(now.micros());
    }

    /// The erasures, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0.erasures
    }

    /// The mark of `subject` in this list.
    #[must_use]
    pub fn mark(&self, subject: Subject) -> Mark {
        Mark(mac(self.0.key.as_bytes(), b"obhut erased 1", subject.as_bytes()))
    }

    /// Adds an erasure; a mark that is there already is not added again.
    pub fn add(&mut self, mark: Mark, at: ServerTime, certificate: &str) {
        let mark = base64(&mark.0);
        if !self.0.erasures.iter().any(|entry| entry.mark == mark) {
            self.0.erasures.push(Entry { at: at.micros(), certificate: certificate.to_owned(), mark });
        }
        self.complete_to(at);
    }

    /// Those of `subjects` that were erased.
    #[must_use]
    pub fn erased(&self, subjects: &[Subject]) -> Vec<Subject> {
        let marks: HashSet<&str> = self.0.erasures.iter().map(|entry| entry.mark.as_str()).collect();
        subjects.iter().copied().filter(|subject| marks.contains(base64(&self.mark(*subject).0).as_str())).collect()
    }

    /// The newer of two lists of one installation.
    ///
    /// # Errors
    /// [`RetentionError::List`] if neither holds the other: then one of them is not what it says.
    pub fn newer(self, other: Self) -> Result<Self, RetentionError> {
        let (mut long, short) =
            if self.0.erasures.len() >= other.0.erasures.len() { (self, other) } else { (other, self) };
        if long.0.key != short.0.key || !long.0.erasures.starts_with(&short.0.erasures) {
            return Err(RetentionError::List("contradicts another list of the same installation"));
        }
        long.complete_to(short.as_of());
        Ok(long)
    }
}

impl Mark {
    /// As text, for the files of erasures under way.
    #[must_use]
    pub fn to_text(self) -> String {
        base64(&self.0)
    }

    /// Reads [`Mark::to_text`].
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        from_base64(text)?.try_into().ok().map(Self)
    }

    /// Eight digits, for ledger entries and messages.
    #[must_use]
    pub fn short(self) -> String {
        hex(self.0.get(..8).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obhut_vault::SoftwareProvider;

    fn at(micros: i64) -> ServerTime {
        ServerTime::from_micros(micros)
    }

    fn subject(n: u8) -> Subject {
        Subject::from_random([n; 16])
    }

    fn installation(dir: &Path) -> Installation {
        Installation::open(dir, &SoftwareProvider::from_key([3; 32]).unwrap()).unwrap()
    }

    #[test]
    fn who_was_erased_is_found_again_and_nobody_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let installation = installation(dir.path());
        let mut list = ErasureList::new(&installation, at(1)).unwrap();
        for n in [2, 4, 4] {
            list.add(list.mark(subject(n)), at(i64::from(n)), "certificate");
        }
        assert_eq!((list.entries().len(), list.as_of()), (2, at(4)));
        let bytes = list.to_bytes(&installation).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains(&subject(2).to_string()) && !text.contains(&base64(subject(2).as_bytes())));
        let read = ErasureList::parse(&bytes, &installation.signer()).unwrap();
        assert_eq!(read.erased(&[subject(1), subject(2), subject(3), subject(4)]), [subject(2), subject(4)]);
    }

    #[test]
    fn any_changed_byte_and_another_signer_are_refused() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (installation, other) = (installation(dir.path()), installation(other.path()));
        let mut list = ErasureList::new(&installation, at(1)).unwrap();
        list.add(list.mark(subject(2)), at(2), "certificate");
        let bytes = list.to_bytes(&installation).unwrap();
        assert!(ErasureList::parse(&bytes, &other.signer()).is_err());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(ErasureList::parse(&bad, &installation.signer()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn of_two_lists_the_longer_counts_and_a_contradiction_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let installation = installation(dir.path());
        let mut old = ErasureList::new(&installation, at(1)).unwrap();
        let strange = ErasureList::new(&installation, at(1)).unwrap();
        old.add(old.mark(subject(1)), at(2), "a");
        let mut new = old.clone();
        new.add(new.mark(subject(2)), at(3), "b");
        old.complete_to(at(9));
        let newer = old.clone().newer(new.clone()).unwrap();
        assert_eq!((newer.entries().len(), newer.as_of()), (2, at(9)));
        old.add(old.mark(subject(3)), at(3), "c");
        assert!(old.clone().newer(new).is_err() && old.newer(strange).is_err());
    }
}
