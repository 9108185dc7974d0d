//! Where the top key comes from: a file, a systemd credential, or a PKCS#11 token.
//!
//! Everything sealed at rest hangs from this one key. With a token it never leaves the hardware; with a file or credential it is in memory
//! while the server runs. Not for subject keys: those are the vault's, wrapped by what is opened here.

mod pkcs11;
mod succession;

pub use succession::{pending, settle, successor};

use crate::disk::{self, Guard};
use crate::error::PkiError;
use crate::keys::random;
use obhut_vault::{KeyProvider, SoftwareProvider};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of a top key.
const KEY_BYTES: usize = 32;
type Key = Zeroizing<[u8; KEY_BYTES]>;

/// What to do when the key is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// Make one. For the first start; a key made by mistake opens nothing that another sealed.
    IfMissing,
    /// Say that it is missing.
    Never,
}

/// Names a top key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderSpec {
    /// 32 random bytes in a file that only its owner can read.
    File {
        /// Where.
        path: PathBuf,
        /// Whether to make it.
        create: Create,
    },
    /// 32 random bytes handed over by systemd (`LoadCredentialEncrypted=`), so that they lie on disk only sealed to this machine.
    SystemdCredential {
        /// Its name in the unit.
        name: String,
    },
    /// An AES-256 key that lives in a token and does not leave it.
    Pkcs11 {
        /// Shared library of the token's maker.
        module: PathBuf,
        /// Label of the token.
        token_label: String,
        /// Label of the key.
        key_label: String,
        /// File with the user PIN; readable by its owner only, unless it lies in the directory of systemd credentials.
        pin_file: PathBuf,
        /// Whether to make the key.
        create: Create,
    },
}

/// Opens the key a specification names.
///
/// # Errors
/// [`PkiError`] saying what is missing or too open and how to mend it.
pub fn open(spec: &ProviderSpec) -> Result<Arc<dyn KeyProvider>, PkiError> {
    match spec {
        ProviderSpec::File { path, create } => {
            let key = key_file(path, *create)?;
            in_memory(&key, &format!("file `{}`", path.display()))
        }
        ProviderSpec::SystemdCredential { name } => {
            let key = credential(name, std::env::var_os("CREDENTIALS_DIRECTORY").as_deref())?;
            in_memory(&key, &format!("systemd credential `{name}`"))
        }
        ProviderSpec::Pkcs11 { module, token_label, key_label, pin_file, create } => {
            let pin = pin(pin_file, std::env::var_os("CREDENTIALS_DIRECTORY").as_deref())?;
            Ok(Arc::new(pkcs11::TokenKey::open(module, token_label, key_label, pin, *create)?))
        }
    }
}

fn in_memory(key: &[u8; KEY_BYTES], place: &str) -> Result<Arc<dyn KeyProvider>, PkiError> {
    Ok(Arc::new(SoftwareProvider::from_key_at(*key, place).map_err(PkiError::Provider)?))
}

fn key_file(path: &Path, create: Create) -> Result<Key, PkiError> {
    if let Some(key) = disk::read(path, Guard::OwnerOnly)? {
        return key_of(path, &key);
    }
    if create == Create::Never {
        let why =
            "does not exist; restore it from a backup, or allow it to be made if nothing was sealed yet".to_owned();
        return Err(PkiError::KeyFile { path: path.to_owned(), why });
    }
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    random(key.as_mut(), "drawing a random key")?;
    if disk::create(path, key.as_ref())? {
        tracing::info!(path = %path.display(), "made a new key file; back it up apart from the data, without it nothing can be read");
    }
    // What is on disk counts, also when another process was faster.
    let key = disk::read(path, Guard::OwnerOnly)?.unwrap_or_default();
    key_of(path, &key)
}

fn key_of(path: &Path, bytes: &[u8]) -> Result<Key, PkiError> {
    let why = || format!("holds {} bytes instead of {KEY_BYTES}; restore it from a backup", bytes.len());
    let key = bytes.try_into().map_err(|_| PkiError::KeyFile { path: path.to_owned(), why: why() })?;
    Ok(Zeroizing::new(key))
}

fn credential(name: &str, directory: Option<&OsStr>) -> Result<Key, PkiError> {
    let missing = |why| PkiError::Credential { name: name.to_owned(), why };
    let one_component = matches!(Path::new(name).components().collect::<Vec<_>>().as_slice(), [Component::Normal(only)] if *only == name);
    if !one_component {
        return Err(missing("a credential name must not be a path"));
    }
    let directory = directory.ok_or_else(|| missing("the server was not started by systemd with credentials"))?;
    let path = Path::new(directory).join(name);
    let key = disk::read(&path, Guard::Elsewhere)?.ok_or_else(|| missing("the unit hands over none of this name"))?;
    key_of(&path, &key)
}

fn pin(path: &Path, credentials: Option<&OsStr>) -> Result<Zeroizing<String>, PkiError> {
    let by_systemd = credentials.is_some_and(|directory| path.parent() == Some(Path::new(directory)));
    let guard = if by_systemd { Guard::Elsewhere } else { Guard::OwnerOnly };
    let wrong = |why: &str| PkiError::KeyFile { path: path.to_owned(), why: why.to_owned() };
    let bytes =
        disk::read(path, guard)?.ok_or_else(|| wrong("does not exist; it must hold the user PIN of the token"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("does not hold a PIN: it is not text"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(wrong("is empty; it must hold the user PIN of the token"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn file(path: &Path, create: Create) -> Result<Arc<dyn KeyProvider>, PkiError> {
        open(&ProviderSpec::File { path: path.to_owned(), create })
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_only_and_opens_the_same_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("top.key");
        let wrapped = file(&path, Create::IfMissing).unwrap().wrap(b"here", b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().len(), 32);
        let again = file(&path, Create::IfMissing).unwrap();
        assert_eq!(again.unwrap(b"here", &wrapped).unwrap().as_slice(), b"secret");
        assert!(again.unwrap(b"there", &wrapped).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no leftovers beside the key");
        assert!(again.describe().contains("top.key"));
    }

    #[test]
    fn a_missing_open_or_short_key_file_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("top.key");
        let said = |create| file(&path, create).err().unwrap().to_string();
        assert!(said(Create::Never).contains("restore it"));
        fs::write(&path, [1; 32]).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(said(Create::IfMissing).contains("chmod 600"), "mode {mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(file(&path, Create::Never).is_ok());
        fs::write(&path, [1; 31]).unwrap();
        assert!(said(Create::IfMissing).contains("31 bytes instead of 32"));
    }

    #[test]
    fn a_credential_is_read_from_the_directory_systemd_names_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("obhut-key"), [7; 32]).unwrap();
        assert_eq!(credential("obhut-key", Some(dir.path().as_os_str())).unwrap().as_slice(), [7; 32]);
        for (name, directory) in [
            ("obhut-key", None),
            ("other", Some(dir.path().as_os_str())),
            ("../etc", Some(dir.path().as_os_str())),
            ("", Some(dir.path().as_os_str())),
        ] {
            assert!(matches!(credential(name, directory), Err(PkiError::Credential { .. })), "{name}");
        }
    }

    #[test]
    fn a_pin_is_one_line_that_only_its_owner_or_systemd_can_hand_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pin");
        fs::write(&path, "8765\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(pin(&path, None).unwrap_err().to_string().contains("chmod 600"));
        assert_eq!(pin(&path, Some(dir.path().as_os_str())).unwrap().as_str(), "8765");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(pin(&path, None).unwrap().as_str(), "8765");
        fs::write(&path, "\n").unwrap();
        assert!(pin(&path, None).is_err());
    }
}
