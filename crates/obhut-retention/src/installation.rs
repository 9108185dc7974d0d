//! What an installation is called and how it signs: its backups and its list of erasures. Not its ledger, which has a key of its own.
//!
//! Ed25519; the seed lies in the data directory, wrapped by the key provider. The public half goes into the recovery key's file, so that whoever restores
//! can tell a genuine archive and a genuine list from made-up ones.

use crate::error::RetentionError;
use crate::files;
use crate::text::{base64, from_base64, hex, random};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use obhut_vault::KeyProvider;
use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::Zeroizing;

const CONTEXT: &[u8] = b"obhut installation signing key 1";
const FILE: &str = "installation.json";
const FILE_BYTES_MAX: u64 = 16 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    installation: String,
    signer: String,
    wrapped: String,
}

/// An installation that can sign.
pub struct Installation {
    id: String,
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Installation({})", self.id)
    }
}

impl Installation {
    /// Opens the one kept in `dir`, or makes it.
    ///
    /// # Errors
    /// [`RetentionError`] if the file is damaged, or `provider` does not unwrap it.
    pub fn open(dir: &Path, provider: &dyn KeyProvider) -> Result<Self, RetentionError> {
        files::private_directory(dir).map_err(|error| RetentionError::io("make", dir, error))?;
        let path = dir.join(FILE);
        let fail = |what| {
            let path = path.clone();
            move |error| RetentionError::io(what, &path, error)
        };
        if let Some(bytes) = files::read_if_there(&path, FILE_BYTES_MAX).map_err(fail("read"))? {
            let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| RetentionError::damaged(&path))?;
            let wrapped = from_base64(&kept.wrapped).ok_or_else(|| RetentionError::damaged(&path))?;
            let seed = provider.unwrap(CONTEXT, &wrapped).map_err(RetentionError::Key)?;
            let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| RetentionError::damaged(&path))?;
            return Ok(Self { id: kept.installation, key });
        }
        let seed = Zeroizing::new(random::<32>().map_err(fail("make"))?);
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| RetentionError::damaged(&path))?;
        let id = hex(&random::<8>().map_err(fail("make"))?);
        let wrapped = provider.wrap(CONTEXT, seed.as_ref()).map_err(RetentionError::Key)?;
        let made = Self { id, key };
        let kept = Kept { installation: made.id.clone(), signer: made.signer(), wrapped: base64(&wrapped) };
        let bytes = serde_json::to_vec_pretty(&kept).map_err(|_| RetentionError::damaged(&path))?;
        files::replace(&path, &bytes).map_err(fail("write"))?;
        Ok(made)
    }

    /// Wraps the key anew, for a top key that is being replaced: `provider` opens with old and new and wraps with the new. Nothing to do where none is kept.
    ///
    /// # Errors
    /// [`RetentionError`]; the file is as it was.
    pub fn rewrap(dir: &Path, provider: &dyn KeyProvider) -> Result<(), RetentionError> {
        let path = dir.join(FILE);
        let bytes =
            files::read_if_there(&path, FILE_BYTES_MAX).map_err(|error| RetentionError::io("read", &path, error))?;
        let Some(bytes) = bytes else { return Ok(()) };
        let mut kept: Kept = serde_json::from_slice(&bytes).map_err(|_| RetentionError::damaged(&path))?;
        let wrapped = from_base64(&kept.wrapped).ok_or_else(|| RetentionError::damaged(&path))?;
        let seed = provider.unwrap(CONTEXT, &wrapped).map_err(RetentionError::Key)?;
        kept.wrapped = base64(&provider.wrap(CONTEXT, &seed).map_err(RetentionError::Key)?);
        let bytes = serde_json::to_vec_pretty(&kept).map_err(|_| RetentionError::damaged(&path))?;
        files::replace(&path, &bytes).map_err(|error| RetentionError::io("write", &path, error))
    }

    /// What it is called: sixteen random digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its signatures are checked with, base64.
    #[must_use]
    pub fn signer(&self) -> String {
        base64(self.key.public_key().as_ref())
    }

    /// Signs `bytes` for the use named by `label`; base64.
    #[must_use]
    pub fn sign(&self, label: &str, bytes: &[u8]) -> String {
        base64(self.key.sign(&message(label, bytes)).as_ref())
    }
}

/// Whether `signature` was made over `bytes` for `label` by the installation whose [`Installation::signer`] this is.
#[must_use]
pub fn is_signed(signer: &str, label: &str, bytes: &[u8], signature: &str) -> bool {
    let (Some(key), Some(signature)) = (from_base64(signer), from_base64(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(&message(label, bytes), &signature).is_ok()
}

/// The label keeps a signature for one use from counting for another.
fn message(label: &str, bytes: &[u8]) -> Vec<u8> {
    [label.as_bytes(), &[0], bytes].concat()
}
