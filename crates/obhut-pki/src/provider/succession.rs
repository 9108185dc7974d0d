//! Replacing a top key: the new one is made beside the old, and takes its place and name when everything is wrapped under it.
//!
//! In between both are there, and [`pending`] says so, so that whoever starts after an interruption goes on. A key file's successor is `FILE.next`; a token's is a
//! key with the label and `.next` behind it. A systemd credential is not ours to replace.
//!
//! INVARIANT: the old key is destroyed by [`settle`] and nowhere else, after its bytes in a file are overwritten or by the token itself.

use super::{Create, ProviderSpec, open, pin, pkcs11};
use crate::error::PkiError;
use obhut_vault::KeyProvider;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

fn label(of: &str) -> String {
    format!("{of}.next")
}

/// Where the successor of `spec` is made.
fn named(spec: &ProviderSpec, create: Create) -> Result<ProviderSpec, PkiError> {
    match spec {
        ProviderSpec::File { path, .. } => Ok(ProviderSpec::File { path: beside(path), create }),
        ProviderSpec::Pkcs11 { module, token_label, key_label, pin_file, .. } => Ok(ProviderSpec::Pkcs11 {
            module: module.clone(),
            token_label: token_label.clone(),
            key_label: label(key_label),
            pin_file: pin_file.clone(),
            create,
        }),
        ProviderSpec::SystemdCredential { name } => Err(PkiError::Credential {
            name: name.clone(),
            why: "a credential of systemd is replaced by whoever made it, not by the server",
        }),
    }
}

/// Makes the successor of the key `spec` names, or opens one that an interrupted replacement left.
///
/// # Errors
/// [`PkiError`]; the old key is untouched.
pub fn successor(spec: &ProviderSpec) -> Result<Arc<dyn KeyProvider>, PkiError> {
    open(&named(spec, Create::IfMissing)?)
}

/// The successor an interrupted replacement left, if there is one.
///
/// # Errors
/// [`PkiError`] if there is one that cannot be used.
pub fn pending(spec: &ProviderSpec) -> Result<Option<Arc<dyn KeyProvider>>, PkiError> {
    let there = match spec {
        ProviderSpec::File { path, .. } => beside(path).exists(),
        ProviderSpec::SystemdCredential { .. } => false,
        ProviderSpec::Pkcs11 { module, token_label, key_label, pin_file, .. } => {
            pkcs11::TokenKey::has(module, token_label, &label(key_label), pin(pin_file, credentials().as_deref())?)?
        }
    };
    if there { open(&named(spec, Create::Never)?).map(Some) } else { Ok(None) }
}

/// Destroys the old key and puts the successor in its place. Only when nothing on disk is wrapped by the old one any more.
///
/// # Errors
/// [`PkiError`]; calling again goes on.
pub fn settle(spec: &ProviderSpec) -> Result<(), PkiError> {
    match spec {
        ProviderSpec::File { path, .. } => replace(path),
        ProviderSpec::SystemdCredential { .. } => named(spec, Create::Never).map(drop),
        ProviderSpec::Pkcs11 { module, token_label, key_label, pin_file, .. } => pkcs11::TokenKey::succeed(
            module,
            token_label,
            key_label,
            &label(key_label),
            pin(pin_file, credentials().as_deref())?,
        ),
    }
}

fn replace(path: &Path) -> Result<(), PkiError> {
    let failed = |what: &'static str| move |error| PkiError::io(what, path, error);
    // Held open, because it has no name any more when it is overwritten.
    let old = File::options().write(true).open(path);
    fs::rename(beside(path), path).map_err(failed("replace"))?;
    crate::disk::sync_directory(path)?;
    if let Ok(old) = old {
        let length = usize::try_from(old.metadata().map_err(failed("look at"))?.len()).unwrap_or(0);
        old.write_all_at(&vec![0; length], 0).and_then(|()| old.sync_all()).map_err(failed("overwrite"))?;
    }
    Ok(())
}

fn credentials() -> Option<std::ffi::OsString> {
    std::env::var_os("CREDENTIALS_DIRECTORY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_succeeded_and_its_old_bytes_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("top.key");
        let spec = ProviderSpec::File { path: path.clone(), create: Create::IfMissing };
        let old = open(&spec).unwrap();
        let wrapped = old.wrap(b"x", b"secret").unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(pending(&spec).unwrap().is_none());
        let new = successor(&spec).unwrap();
        let anew = new.wrap(b"x", b"secret").unwrap();
        assert!(pending(&spec).unwrap().is_some());
        assert_eq!(successor(&spec).unwrap().unwrap(b"x", &anew).unwrap().as_slice(), b"secret", "the same again");
        let held = File::open(&path).unwrap();
        settle(&spec).unwrap();
        let mut was = [1; 32];
        held.read_exact_at(&mut was, 0).unwrap();
        assert_eq!(was, [0; 32]);
        assert!(pending(&spec).unwrap().is_none());
        assert_ne!(fs::read(&path).unwrap(), bytes);
        let now = open(&spec).unwrap();
        assert_eq!(now.unwrap(b"x", &anew).unwrap().as_slice(), b"secret");
        assert!(now.unwrap(b"x", &wrapped).is_err());
        let credential = ProviderSpec::SystemdCredential { name: "key".into() };
        assert!(successor(&credential).is_err() && pending(&credential).unwrap().is_none());
    }
}
