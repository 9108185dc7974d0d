//! The ledger's keys: the one that signs checkpoints and the one that seals events, wrapped by the key provider in one file.

use obhut_ledger::note::KeyError;
use obhut_ledger::{EventKey, KeyKind, SigningKey, VerifierKey};
use obhut_vault::{KeyProvider, ProviderError};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const CONTEXT: &[u8] = b"obhut ledger keys 1";

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The key file cannot be read or written.
    #[error("the ledger's key file `{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The provider does not unwrap it.
    #[error("the ledger's keys cannot be unwrapped")]
    Provider(#[source] ProviderError),
    /// The origin is no name for a log.
    #[error("`{0}` cannot name a ledger: no spaces and no `+`")]
    Origin(String),
    /// What was unwrapped is no key.
    #[error("the ledger's key file holds something else")]
    Content,
    /// No random bytes.
    #[error("no random bytes can be drawn")]
    Random,
}

/// The keys, unwrapped.
#[derive(Debug)]
pub struct LedgerKeys {
    pub(crate) signing: SigningKey,
    pub(crate) events: EventKey,
}

impl LedgerKeys {
    /// Opens the keys in the file `path`, or makes them at first start. `origin` names the log in checkpoints, for example `ward.example/ledger`.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn open_or_create(path: &Path, origin: &str, provider: &dyn KeyProvider) -> Result<Self, KeysError> {
        let file = |source| KeysError::File { path: path.to_owned(), source };
        let secret = match std::fs::read(path) {
            Ok(wrapped) => provider.unwrap(CONTEXT, &wrapped).map_err(KeysError::Provider)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut secret = Zeroizing::new(vec![0; 64]);
                getrandom::fill(&mut secret).map_err(|_| KeysError::Random)?;
                let wrapped = provider.wrap(CONTEXT, &secret).map_err(KeysError::Provider)?;
                crate::files::write_durable(path, &wrapped).map_err(file)?;
                secret
            }
            Err(error) => return Err(file(error)),
        };
        Self::from_secret(origin, &secret)
    }

    /// Wraps the keys in the file `path` with another provider key: unwraps with `old`, wraps with `new`, replaces the file whole or not at all.
    ///
    /// # Errors
    /// [`KeysError`]; the file is then as before.
    pub fn rewrap(path: &Path, old: &dyn KeyProvider, new: &dyn KeyProvider) -> Result<(), KeysError> {
        let file = |source| KeysError::File { path: path.to_owned(), source };
        let secret = old.unwrap(CONTEXT, &std::fs::read(path).map_err(file)?).map_err(KeysError::Provider)?;
        let wrapped = new.wrap(CONTEXT, &secret).map_err(KeysError::Provider)?;
        crate::files::write_durable(path, &wrapped).map_err(file)
    }

    fn from_secret(origin: &str, secret: &[u8]) -> Result<Self, KeysError> {
        let (seed, events) = secret.split_first_chunk::<32>().ok_or(KeysError::Content)?;
        let events: Zeroizing<[u8; 32]> = Zeroizing::new(events.try_into().map_err(|_| KeysError::Content)?);
        let signing = SigningKey::from_seed(origin, KeyKind::Log, seed).map_err(|error| match error {
            KeyError::Form => KeysError::Origin(origin.to_owned()),
            _ => KeysError::Content,
        })?;
        Ok(Self { signing, events: EventKey::new(&events).map_err(|_| KeysError::Content)? })
    }

    /// The public key that checkpoints are checked with.
    #[must_use]
    pub fn public(&self) -> &VerifierKey {
        self.signing.verifier()
    }
}
