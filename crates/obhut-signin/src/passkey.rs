//! Passkey ceremonies (W3C Web Authentication Level 3) on `webauthn-rs`.
//!
//! Not a store: credentials come in as the bytes [`Passkeys::finish_registration`] gave out. Not a policy: who may register or sign in is the
//! caller's question, asked before and after.
//!
//! INVARIANT: a ceremony leaves the table when it is answered, whatever the answer; a second answer to it finds nothing.

use crate::error::PasskeyError;
use crate::limits;
use crate::token::{TokenHash, random_text};
use obhut_model::{PersonId, ServerTime};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::OnceLock;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// Passkey ceremonies under way, for the one name the server is reached by.
#[derive(Debug, Default)]
pub struct Passkeys {
    party: OnceLock<Webauthn>,
    under_way: Mutex<HashMap<TokenHash, UnderWay>>,
}

#[derive(Debug)]
struct UnderWay {
    until: ServerTime,
    what: Ceremony,
}

#[derive(Debug)]
enum Ceremony {
    Register(Box<PasskeyRegistration>, PersonId),
    SignIn(Box<DiscoverableAuthentication>),
}

/// A sign-in has begun.
#[derive(Debug)]
pub struct Begun {
    /// Names the ceremony; to be sent back with the answer.
    pub ceremony: String,
    /// `publicKey` options for `navigator.credentials`, as JSON.
    pub options: Value,
}

/// A credential to be kept.
#[derive(Debug)]
pub struct NewCredential {
    /// Whose.
    pub person: PersonId,
    /// Identifier, unique here.
    pub id: Vec<u8>,
    /// Public key, counter and flags; opaque, for [`Known::key`].
    pub key: Vec<u8>,
    /// Whether the authenticator says that the key may be copied to other devices of its owner.
    pub synchronised: bool,
}

/// A credential as it is kept.
#[derive(Debug, Clone)]
pub struct Known {
    /// Whose.
    pub person: PersonId,
    /// As [`NewCredential::key`] or [`Proved::key`] gave it.
    pub key: Vec<u8>,
}

/// Somebody proved to hold a credential, with user verification.
#[derive(Debug)]
pub struct Proved {
    /// Whose.
    pub person: PersonId,
    /// Which.
    pub credential: Vec<u8>,
    /// What is to be kept from now on, if anything changed. Keep it before anything is allowed on the strength of this proof, or a copy of the
    /// authenticator could be used later.
    pub key: Option<Vec<u8>>,
}

impl Passkeys {
    /// Says by which origin the server is reached, `https://name[:port]`. The first call counts.
    ///
    /// # Errors
    /// [`PasskeyError::NoName`] if the origin has an address instead of a name, or is none.
    pub fn reached_at(&self, origin: &str) -> Result<(), PasskeyError> {
        let origin = Url::parse(origin).map_err(|_| PasskeyError::NoName)?;
        let name = origin.domain().ok_or(PasskeyError::NoName)?.to_owned();
        let party = WebauthnBuilder::new(&name, &origin)
            .and_then(|builder| builder.rp_name("Obhut").timeout(limits::CEREMONY_LIFE).build())
            .map_err(|_| PasskeyError::NoName)?;
        let _ = self.party.set(party);
        Ok(())
    }

    /// Whether passkeys work here.
    #[must_use]
    pub fn available(&self) -> bool {
        self.party.get().is_some()
    }

    fn party(&self) -> Result<&Webauthn, PasskeyError> {
        self.party.get().ok_or(PasskeyError::NoName)
    }

    /// Begins the registration that `link` allows; another one under the same link is forgotten. `taken`: identifiers of the credentials the
    /// person has already, so that one authenticator is not registered twice.
    ///
    /// Returns the options for `navigator.credentials.create`.
    ///
    /// # Errors
    /// [`PasskeyError::NoName`].
    pub fn begin_registration(
        &self,
        link: TokenHash,
        person: PersonId,
        name: &str,
        taken: &[Vec<u8>],
        now: ServerTime,
    ) -> Result<Value, PasskeyError> {
        let exclude = taken.to_vec();
        let (options, state) = self
            .party()?
            .start_passkey_registration(Uuid::from_bytes(*person.as_bytes()), name, name, Some(exclude))
            .map_err(|_| PasskeyError::NotValid)?;
        self.keep(link, Ceremony::Register(Box::new(state), person), now);
        kept_by_the_authenticator(options)
    }

    /// Ends the registration under `link`: a credential to be kept. `taken` says whether an identifier is registered already, by whomever.
    ///
    /// # Errors
    /// [`PasskeyError`]; the ceremony is over in any case.
    pub fn finish_registration(
        &self,
        link: TokenHash,
        credential: Value,
        now: ServerTime,
        taken: impl FnOnce(&[u8]) -> bool,
    ) -> Result<NewCredential, PasskeyError> {
        let Some(Ceremony::Register(state, person)) = self.take(link, now) else {
            return Err(PasskeyError::NoCeremony);
        };
        let kept = credential
            .pointer("/extensions/credProps/rk")
            .or(credential.pointer("/clientExtensionResults/credProps/rk"));
        if kept.and_then(Value::as_bool) == Some(false) {
            return Err(PasskeyError::NotDiscoverable);
        }
        let credential: RegisterPublicKeyCredential =
            serde_json::from_value(credential).map_err(|_| PasskeyError::Malformed)?;
        let passkey =
            self.party()?.finish_passkey_registration(&credential, &state).map_err(|error| refused(&error))?;
        let id = passkey.cred_id().to_vec();
        if id.is_empty() || id.len() > limits::CREDENTIAL_ID_BYTES_MAX {
            return Err(PasskeyError::Malformed);
        }
        if taken(&id) {
            return Err(PasskeyError::Taken);
        }
        let key = to_bytes(&passkey)?;
        let synchronised = serde_json::from_slice::<Value>(&key)
            .is_ok_and(|value| value.pointer("/cred/backup_eligible").and_then(Value::as_bool) == Some(true));
        Ok(NewCredential { person, id, key, synchronised })
    }

    /// Begins a sign-in by whoever holds a passkey of this server; no name is asked for.
    ///
    /// # Errors
    /// [`PasskeyError::NoName`], [`PasskeyError::NoRandomness`].
    pub fn begin(&self, now: ServerTime) -> Result<Begun, PasskeyError> {
        let ceremony = random_text()?;
        let (mut options, state) =
            self.party()?.start_discoverable_authentication().map_err(|_| PasskeyError::NotValid)?;
        // A person presses a button; nothing waits in the background for an input to be filled in.
        options.mediation = None;
        self.keep(TokenHash::of(&ceremony), Ceremony::SignIn(Box::new(state)), now);
        let options = serde_json::to_value(options.public_key).map_err(|_| PasskeyError::NotValid)?;
        Ok(Begun { ceremony, options })
    }

    /// Ends a sign-in: who it was. `find` looks a credential up by its identifier.
    ///
    /// # Errors
    /// [`PasskeyError`]; the ceremony is over in any case.
    pub fn finish(
        &self,
        ceremony: &str,
        credential: Value,
        now: ServerTime,
        find: impl FnOnce(&[u8]) -> Option<Known>,
    ) -> Result<Proved, PasskeyError> {
        let Some(Ceremony::SignIn(state)) = self.take(TokenHash::of(ceremony), now) else {
            return Err(PasskeyError::NoCeremony);
        };
        let credential: PublicKeyCredential =
            serde_json::from_value(credential).map_err(|_| PasskeyError::Malformed)?;
        let (user, id) =
            self.party()?.identify_discoverable_authentication(&credential).map_err(|_| PasskeyError::Malformed)?;
        let known = find(id).ok_or(PasskeyError::Unknown)?;
        // The user handle is not signed; whose a credential is, is what the register says, and the two must agree.
        if user.as_bytes() != known.person.as_bytes() {
            return Err(PasskeyError::Unknown);
        }
        let mut passkey: Passkey = serde_json::from_slice(&known.key).map_err(|_| PasskeyError::Stored)?;
        let result = self
            .party()?
            .finish_discoverable_authentication_v2(&credential, *state, DiscoverableKey::from(&passkey))
            .map_err(|error| refused(&error))?;
        // SECURITY: asked for and checked by the library; looked at again, because everything rests on it.
        if !result.user_verified() {
            return Err(PasskeyError::NotVerified);
        }
        let key = match passkey.update_credential(&result) {
            Some(true) => Some(to_bytes(&passkey)?),
            Some(false) => None,
            None => return Err(PasskeyError::Unknown),
        };
        Ok(Proved { person: known.person, credential: passkey.cred_id().to_vec(), key })
    }

    fn keep(&self, name: TokenHash, what: Ceremony, now: ServerTime) {
        let life = i64::try_from(limits::CEREMONY_LIFE.as_micros()).unwrap_or(i64::MAX);
        let mut under_way = self.under_way.lock();
        if under_way.len() >= limits::CEREMONIES_MAX {
            under_way.retain(|_, ceremony| ceremony.until > now);
        }
        while under_way.len() >= limits::CEREMONIES_MAX {
            let Some(oldest) = under_way.iter().min_by_key(|(_, c)| c.until).map(|(name, _)| *name) else { break };
            under_way.remove(&oldest);
        }
        under_way.insert(name, UnderWay { until: now.plus_micros(life), what });
    }

    fn take(&self, name: TokenHash, now: ServerTime) -> Option<Ceremony> {
        self.under_way.lock().remove(&name).filter(|ceremony| now < ceremony.until).map(|ceremony| ceremony.what)
    }
}

/// The options as the browser gets them: the authenticator must keep the credential, so that signing in asks for no name.
fn kept_by_the_authenticator(options: CreationChallengeResponse) -> Result<Value, PasskeyError> {
    let mut options = serde_json::to_value(options.public_key).map_err(|_| PasskeyError::NotValid)?;
    let selection = options
        .as_object_mut()
        .and_then(|options| {
            options
                .entry("authenticatorSelection")
                .or_insert_with(|| Value::Object(serde_json::Map::new()))
                .as_object_mut()
        })
        .ok_or(PasskeyError::NotValid)?;
    selection.insert("residentKey".to_owned(), Value::from("required"));
    selection.insert("requireResidentKey".to_owned(), Value::from(true));
    Ok(options)
}

fn to_bytes(passkey: &Passkey) -> Result<Vec<u8>, PasskeyError> {
    serde_json::to_vec(passkey).map_err(|_| PasskeyError::Stored)
}

fn refused(error: &WebauthnError) -> PasskeyError {
    match error {
        WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash => PasskeyError::WrongOrigin,
        WebauthnError::MismatchedChallenge => PasskeyError::WrongChallenge,
        WebauthnError::UserNotVerified => PasskeyError::NotVerified,
        WebauthnError::CredentialNotFound => PasskeyError::Unknown,
        WebauthnError::CredentialPossibleCompromise => PasskeyError::Cloned,
        _ => PasskeyError::NotValid,
    }
}
