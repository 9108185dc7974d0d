//! The recovery key: what opens backups. The server knows only its public half; the secret half is a file the operator keeps elsewhere.
//!
//! Never a password: 256 random bits, made by the command. HPKE (RFC 9180, X25519, HKDF-SHA256, AES-256-GCM) from `rustls` seals the key of each
//! archive to it. Whoever steals a running server's disk can therefore make backups, and read none.
//!
//! The file also names the installation and the key it signs backups with, so that after a fire one file is enough to tell a genuine backup.

use crate::error::BackupError;
use crate::stream::StreamKey;
use obhut_retention::files;
use obhut_retention::text::{base64, from_base64, hex, sha256};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const FORMAT: &str = "obhut recovery key 1";
const INFO: &[u8] = b"obhut backup archive key 1";
/// Longest recovery key file.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The half the server has: seals, opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryPublic(String);

/// The key of an archive, sealed to a recovery key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedKey {
    /// Encapsulated secret, base64.
    pub(crate) enc: String,
    /// Sealed key, base64.
    pub(crate) sealed: String,
}

impl RecoveryPublic {
    /// Eight digits to tell one from another, printed when it is made and whenever it is asked for.
    #[must_use]
    pub fn short(&self) -> String {
        hex(sha256(&[self.0.as_bytes()]).get(..8).unwrap_or_default())
    }

    pub(crate) fn seal(&self, key: &StreamKey, bound: &[u8]) -> Result<SealedKey, BackupError> {
        let public = HpkePublicKey(from_base64(&self.0).ok_or(BackupError::RecoveryKey("is not base64"))?);
        let (enc, sealed) = DH_KEM_X25519_HKDF_SHA256_AES_256
            .seal(INFO, bound, key.expose(), &public)
            .map_err(|_| BackupError::RecoveryKey("does not seal"))?;
        Ok(SealedKey { enc: base64(&enc.0), sealed: base64(&sealed) })
    }
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    installation: String,
    made: String,
    signer: String,
    public: String,
    secret: String,
}

/// The half the operator keeps. Not `Clone`; `Debug` prints nothing of it.
pub struct RecoveryKey {
    /// The installation it was made for.
    pub installation: String,
    /// What that installation signs its backups with: Ed25519, base64.
    pub signer: String,
    /// The other half.
    pub public: RecoveryPublic,
    made: String,
    secret: HpkePrivateKey,
}

impl std::fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryKey(<redacted>)")
    }
}

impl RecoveryKey {
    /// Draws a new one for `installation`, whose backups are signed by `signer`; `made` says when, for people.
    ///
    /// # Errors
    /// [`BackupError::RecoveryKey`] if the cipher library refuses.
    pub fn generate(installation: &str, signer: &str, made: &str) -> Result<Self, BackupError> {
        let (public, secret) = DH_KEM_X25519_HKDF_SHA256_AES_256
            .generate_key_pair()
            .map_err(|_| BackupError::RecoveryKey("could not be drawn"))?;
        Ok(Self {
            installation: installation.to_owned(),
            signer: signer.to_owned(),
            public: RecoveryPublic(base64(&public.0)),
            made: made.to_owned(),
            secret,
        })
    }

    /// Writes it to a new file only its owner may read.
    ///
    /// # Errors
    /// [`BackupError::Io`], also if the file is there already: a key in use must not be overwritten.
    pub fn write(&self, path: &Path) -> Result<(), BackupError> {
        let fail = |error| BackupError::io("write", path, error);
        let file = File {
            format: FORMAT.to_owned(),
            installation: self.installation.clone(),
            made: self.made.clone(),
            signer: self.signer.clone(),
            public: self.public.0.clone(),
            secret: base64(self.secret.secret_bytes()),
        };
        let body = Zeroizing::new(toml::to_string(&file).map_err(|_| BackupError::RecoveryKey("cannot be written"))?);
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
        let head = "# Recovery key of an Obhut installation. With this file and a backup, everything in it can be read; without it, nothing can.\n\
                    # Keep it away from the server: two copies in two places, one of them on paper in a safe. Nobody can make it again.\n\
                    # Wiederherstellungsschlüssel. Getrennt vom Server verwahren, zweimal, davon einmal auf Papier im Tresor.\n";
        out.write_all(head.as_bytes()).and_then(|()| out.write_all(body.as_bytes())).map_err(fail)?;
        out.sync_all().map_err(fail)?;
        files::sync_parent(path).map_err(fail)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`BackupError`] if it cannot be read or is not a recovery key.
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let text =
            Zeroizing::new(files::read(path, FILE_BYTES_MAX).map_err(|error| BackupError::io("read", path, error))?);
        let text = std::str::from_utf8(&text).map_err(|_| BackupError::RecoveryKey("is not text"))?;
        let file: File = toml::from_str(text).map_err(|_| BackupError::RecoveryKey("is not understood"))?;
        if file.format != FORMAT {
            return Err(BackupError::RecoveryKey("is of another kind"));
        }
        let secret = from_base64(&file.secret).ok_or(BackupError::RecoveryKey("is not base64"))?;
        Ok(Self {
            installation: file.installation.clone(),
            signer: file.signer.clone(),
            public: RecoveryPublic(file.public.clone()),
            made: file.made.clone(),
            secret: HpkePrivateKey::from(secret),
        })
    }

    pub(crate) fn open(&self, sealed: &SealedKey, bound: &[u8]) -> Result<StreamKey, BackupError> {
        let wrong = BackupError::WrongRecoveryKey;
        let enc = EncapsulatedSecret(from_base64(&sealed.enc).ok_or(BackupError::Changed("key"))?);
        let bytes = from_base64(&sealed.sealed).ok_or(BackupError::Changed("key"))?;
        let opened = DH_KEM_X25519_HKDF_SHA256_AES_256.open(&enc, INFO, bound, &bytes, &self.secret);
        let plain = Zeroizing::new(opened.map_err(|_| wrong)?);
        StreamKey::from_slice(&plain).ok_or(BackupError::WrongRecoveryKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_to_it_opens_with_its_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recovery.key");
        let made = RecoveryKey::generate("ward-1", "signer", "today").unwrap();
        made.write(&path).unwrap();
        assert!(made.write(&path).is_err(), "never overwritten");
        let read = RecoveryKey::read(&path).unwrap();
        let key = StreamKey::generate().unwrap();
        let sealed = made.public.seal(&key, b"here").unwrap();
        assert_eq!(read.open(&sealed, b"here").unwrap().expose(), key.expose());
        assert!(read.open(&sealed, b"there").is_err());
        assert!(RecoveryKey::generate("ward-1", "signer", "today").unwrap().open(&sealed, b"here").is_err());
        assert!(!format!("{read:?}").contains("ward"));
    }
}
