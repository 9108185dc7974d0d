//! A top key in a PKCS#11 token (hardware security module, smart card, `SoftHSM`): wrapping happens inside it.
//!
//! The key is AES-256, sensitive and not extractable; one that is not so is refused. Wrapped form: one byte of version (2), 12 bytes of
//! random nonce, AES-GCM ciphertext with its 16-byte tag; the context is associated data. GCM rather than AES key wrap because key wrap
//! cannot bind a context. The nonce is ours: with fewer than 2^32 wraps under one key a random one does not repeat (SP 800-38D, 8.3).

use super::{Create, KEY_BYTES};
use crate::error::PkiError;
use crate::keys::random;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use obhut_vault::{KeyProvider, ProviderError};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const VERSION: u8 = 2;
const NONCE_BYTES: usize = 12;
const TAG_BITS: u64 = 128;

pub(super) struct TokenKey {
    module: PathBuf,
    token_label: String,
    key_label: String,
    library: Pkcs11,
    pin: AuthPin,
    /// `None` after the token failed, until the next use opens a session anew. A session serves one thread at a time.
    open: Mutex<Option<Open>>,
}

struct Open {
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    pub(super) fn open(
        module: &Path,
        token_label: &str,
        key_label: &str,
        pin: Zeroizing<String>,
        create: Create,
    ) -> Result<Self, PkiError> {
        let fail = |what: String| PkiError::Token { token: token_label.to_owned(), what };
        let library = Pkcs11::new(module)
            .map_err(|error| fail(format!("cannot load the module `{}`: {error}", module.display())))?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another provider of this process was first.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(fail(format!("the module does not start: {error}"))),
        }
        let token = Self {
            module: module.to_owned(),
            token_label: token_label.to_owned(),
            key_label: key_label.to_owned(),
            library,
            pin: AuthPin::new(pin.as_str().into()),
            open: Mutex::new(None),
        };
        *token.open.lock() = Some(token.connect(create).map_err(fail)?);
        Ok(token)
    }

    /// Destroys this key and gives `successor`'s its label. If the key is gone already, only the label is given.
    pub(super) fn succeed(
        module: &Path,
        token_label: &str,
        key_label: &str,
        successor_label: &str,
        pin: Zeroizing<String>,
    ) -> Result<(), PkiError> {
        let token = Self::open(module, token_label, successor_label, pin, Create::Never)?;
        let fail = |what: String| PkiError::Token { token: token_label.to_owned(), what };
        let slot = token.open.lock();
        let Some(Open { session, key }) = slot.as_ref() else { return Err(fail("the session was lost".into())) };
        let old = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Label(key_label.as_bytes().to_vec()),
        ];
        let found = session.find_objects(&old).map_err(|error| fail(format!("cannot look for the key: {error}")))?;
        for object in found {
            session.destroy_object(object).map_err(|error| fail(format!("cannot destroy the old key: {error}")))?;
        }
        session
            .update_attributes(*key, &[Attribute::Label(key_label.as_bytes().to_vec())])
            .map_err(|error| fail(format!("cannot give the new key the old one's label: {error}")))
    }

    /// Whether the token holds a key of this label.
    pub(super) fn has(
        module: &Path,
        token_label: &str,
        key_label: &str,
        pin: Zeroizing<String>,
    ) -> Result<bool, PkiError> {
        match Self::open(module, token_label, key_label, pin, Create::Never) {
            Ok(_) => Ok(true),
            Err(PkiError::Token { what, .. }) if what.starts_with("holds no AES key") => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn connect(&self, create: Create) -> Result<Open, String> {
        let session = self.session()?;
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Label(self.key_label.clone().into_bytes()),
        ];
        let found = session.find_objects(&template).map_err(|error| format!("cannot look for the key: {error}"))?;
        let key = match (found.as_slice(), create) {
            ([key], _) => *key,
            ([], Create::IfMissing) => self.generate(&session)?,
            ([], Create::Never) => {
                return Err(format!(
                    "holds no AES key `{}`; allow it to be made if nothing was sealed yet",
                    self.key_label
                ));
            }
            (several, _) => return Err(format!("holds {} AES keys `{}`; leave one", several.len(), self.key_label)),
        };
        self.inspect(&session, key)?;
        Ok(Open { session, key })
    }

    fn session(&self) -> Result<Session, String> {
        let slots = self.library.get_slots_with_token().map_err(|error| format!("cannot list the tokens: {error}"))?;
        let slot = slots
            .into_iter()
            .find(|slot| self.library.get_token_info(*slot).is_ok_and(|info| info.label() == self.token_label))
            .ok_or("there is no token with this label; is it plugged in and initialised?")?;
        let session = self.library.open_rw_session(slot).map_err(|error| format!("cannot open a session: {error}"))?;
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                Err("the PIN is wrong; mend the PIN file before the token locks itself".to_owned())
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => {
                Err("the PIN is locked after too many wrong ones; unlock it with the security officer's PIN".to_owned())
            }
            Err(error) => Err(format!("cannot log in: {error}")),
        }
    }

    fn generate(&self, session: &Session) -> Result<ObjectHandle, String> {
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
            Attribute::ValueLen((KEY_BYTES as u64).into()),
            Attribute::Label(self.key_label.clone().into_bytes()),
        ];
        let key = session
            .generate_key(&Mechanism::AesKeyGen, &template)
            .map_err(|error| format!("cannot make the key: {error}"))?;
        tracing::info!(token = %self.token_label, key = %self.key_label, "made a new key in the token; back the token up as its maker says");
        Ok(key)
    }

    /// Refuses a key that could leave the token or is too short.
    fn inspect(&self, session: &Session, key: ObjectHandle) -> Result<(), String> {
        let asked = [AttributeType::Sensitive, AttributeType::Extractable, AttributeType::ValueLen];
        let found = session.get_attributes(key, &asked).map_err(|error| format!("cannot look at the key: {error}"))?;
        let has = |wanted: &Attribute| found.contains(wanted);
        if !has(&Attribute::Sensitive(true)) || !has(&Attribute::Extractable(false)) {
            return Err(format!(
                "the key `{}` could leave the token; use one that is sensitive and not extractable",
                self.key_label
            ));
        }
        if !has(&Attribute::ValueLen((KEY_BYTES as u64).into())) {
            return Err(format!("the key `{}` is not of 256 bits", self.key_label));
        }
        Ok(())
    }

    /// Runs `work` in the session; when the token was gone meanwhile, once more in a new one.
    fn with<T>(&self, mut work: impl FnMut(&Open) -> Result<T, Error>) -> Result<T, Failure> {
        let mut slot = self.open.lock();
        let mut last = None;
        for _ in 0..2 {
            let open = match slot.take() {
                Some(open) => open,
                None => self.connect(Create::Never).map_err(Failure::Gone)?,
            };
            match work(&open) {
                Err(error) if session_lost(&error) => last = Some(error),
                done => {
                    *slot = Some(open);
                    return done.map_err(Failure::Said);
                }
            }
        }
        Err(Failure::Gone(last.map_or_else(String::new, |error| error.to_string())))
    }

    fn unavailable(&self, why: &str) -> ProviderError {
        ProviderError::Unavailable(format!("PKCS#11 token `{}`: {why}", self.token_label))
    }
}

enum Failure {
    Gone(String),
    Said(Error),
}

fn session_lost(error: &Error) -> bool {
    use RvError::{
        DeviceError, DeviceRemoved, KeyHandleInvalid, ObjectHandleInvalid, SessionClosed, SessionHandleInvalid,
        TokenNotPresent, UserNotLoggedIn,
    };
    matches!(
        error,
        Error::Pkcs11(
            DeviceError
                | DeviceRemoved
                | KeyHandleInvalid
                | ObjectHandleInvalid
                | SessionClosed
                | SessionHandleInvalid
                | TokenNotPresent
                | UserNotLoggedIn,
            _
        )
    )
}

impl KeyProvider for TokenKey {
    fn wrap(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce, "drawing a nonce").map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        let sealed = self.with(|open| {
            let mut iv = nonce;
            let gcm = Mechanism::AesGcm(GcmParams::new(&mut iv, context, TAG_BITS.into())?);
            open.session.encrypt(&gcm, open.key, secret)
        });
        match sealed {
            Ok(sealed) => Ok([&[VERSION], nonce.as_slice(), sealed.as_slice()].concat()),
            Err(Failure::Gone(why)) => Err(self.unavailable(&why)),
            Err(Failure::Said(error)) => Err(self.unavailable(&error.to_string())),
        }
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let Some((&VERSION, rest)) = wrapped.split_first() else { return Err(ProviderError::Refused) };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(ProviderError::Refused)?;
        let opened = self.with(|open| {
            let mut iv = *nonce;
            let gcm = Mechanism::AesGcm(GcmParams::new(&mut iv, context, TAG_BITS.into())?);
            open.session.decrypt(&gcm, open.key, sealed)
        });
        match opened {
            Ok(secret) => Ok(Zeroizing::new(secret)),
            // Tokens disagree on what a wrong tag is called: SoftHSM says "general error".
            Err(Failure::Said(Error::Pkcs11(
                RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::GeneralError
                | RvError::FunctionFailed,
                _,
            ))) => Err(ProviderError::Refused),
            Err(Failure::Said(error)) => Err(self.unavailable(&error.to_string())),
            Err(Failure::Gone(why)) => Err(self.unavailable(&why)),
        }
    }

    fn describe(&self) -> String {
        format!("key `{}` in PKCS#11 token `{}` (`{}`)", self.key_label, self.token_label, self.module.display())
    }
}
