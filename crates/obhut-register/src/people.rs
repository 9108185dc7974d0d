//! Who is known: staff, people of other firms, patients at their own data; what they may act as, what they were trained in, how they sign in.
//!
//! A role once granted stays in the list with its beginning and its end: who could do what on a given day can be said years later. A patient has no
//! name here; the identity vault has it.

use crate::{By, Bytes, Entry, Private, Refusal, State};
use obhut_model::{PersonId, ServerTime, Subject, WardId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 120;
/// Most credentials of one person.
pub const CREDENTIALS_MAX: usize = 16;
/// Most bytes of a credential's identifier (WebAuthn Level 3, section 5.1: 1023).
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;
/// Most bytes of a stored passkey.
pub const PASSKEY_BYTES_MAX: usize = 16 << 10;

/// What somebody is to the hospital.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Works here.
    Staff,
    /// Works for a recipient of the charter, named here.
    External(Arc<str>),
    /// A patient, at their own data.
    Patient(Subject),
}

/// Where a role comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Granted here.
    Hand,
    /// From a group of the hospital's provider.
    Provider,
}

/// A role somebody has or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Of the charter.
    pub role: Arc<str>,
    /// On these wards; empty where the role needs none.
    pub wards: Vec<WardId>,
    /// Where it comes from.
    pub source: Source,
    /// Since when.
    pub from: ServerTime,
    /// On whose word.
    pub by: By,
    /// Until when at most.
    pub until: Option<ServerTime>,
    /// When it was ended early.
    pub ended: Option<ServerTime>,
}

impl Grant {
    /// Whether it is in force.
    #[must_use]
    pub fn runs(&self, now: ServerTime) -> bool {
        self.from <= now && self.ended.is_none_or(|ended| now < ended) && self.until.is_none_or(|until| now < until)
    }
}

/// A training somebody had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Training {
    /// When.
    pub on: ServerTime,
    /// How long it counts.
    pub until: ServerTime,
}

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its identifier.
    pub id: Bytes,
    /// As the WebAuthn library writes it, counter included.
    pub passkey: Bytes,
    /// What its owner calls it.
    pub label: Private,
    /// Since when.
    pub added: ServerTime,
    /// Last used.
    pub used: Option<ServerTime>,
}

/// Who somebody is at the hospital's provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider.
    pub issuer: String,
    /// Its identifier for the person.
    pub subject: Private,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// What to the hospital.
    pub kind: Kind,
    /// How they are called. Empty for a patient.
    pub name: Private,
    /// Known since.
    pub added: ServerTime,
    /// Every role they have or had, oldest first.
    pub grants: Vec<Grant>,
    /// The latest of each training.
    pub trainings: BTreeMap<Arc<str>, Training>,
    /// Bound to secrecy until (§ 203(4) StGB); for people of other firms.
    pub pledged: Option<ServerTime>,
    /// Cannot sign in since.
    pub disabled: Option<ServerTime>,
    /// At the provider.
    pub oidc: Option<Oidc>,
    /// Their passkeys.
    pub credentials: Vec<Credential>,
}

impl Person {
    /// Roles in force. None for somebody who is disabled.
    pub fn roles(&self, now: ServerTime) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| self.disabled.is_none() && grant.runs(now))
    }

    /// Until when the training counts that counts longest; `None` if there was none.
    #[must_use]
    pub fn trained_until(&self) -> Option<ServerTime> {
        self.trainings.values().map(|training| training.until).max()
    }

    /// The patient, if they are one.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        match self.kind {
            Kind::Patient(subject) => Some(subject),
            Kind::Staff | Kind::External(_) => None,
        }
    }
}

macro_rules! data {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs, reason = "the fields are those of the thing they change, where they are explained")]
        pub struct $name { $($(#[$attr])* pub $field: $type),* }
    )*};
}
pub(crate) use data;

data! {
    /// Somebody is known.
    Added { person: PersonId, kind: Kind, name: Private }
    /// Somebody is called differently.
    Renamed { person: PersonId, name: Private }
    /// A role begins.
    Granted { person: PersonId, role: Arc<str>, wards: Vec<WardId>, source: Source, until: Option<ServerTime> }
    /// A role ends.
    Ended { person: PersonId, role: Arc<str> }
    /// A training.
    Trained { person: PersonId, training: Arc<str>, on: ServerTime, until: ServerTime }
    /// A pledge of secrecy.
    Pledged { person: PersonId, until: ServerTime }
    /// No more sign-in.
    Disabled { person: PersonId }
    /// Sign-in again.
    Enabled { person: PersonId }
    /// Known at the provider.
    OidcLinked { person: PersonId, oidc: Oidc }
    /// No longer.
    OidcUnlinked { person: PersonId }
    /// A passkey.
    CredentialAdded { person: PersonId, id: Bytes, passkey: Bytes, label: Private }
    /// A passkey after use.
    CredentialUsed { person: PersonId, id: Bytes, passkey: Bytes }
    /// A passkey no more.
    CredentialRemoved { person: PersonId, id: Bytes }
}

/// Everybody.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct People {
    pub(crate) by_id: BTreeMap<PersonId, Person>,
    pub(crate) by_credential: BTreeMap<Bytes, PersonId>,
    pub(crate) by_oidc: BTreeMap<Oidc, PersonId>,
}

impl People {
    pub(crate) fn added(&mut self, entry: &Entry, data: Added) {
        let person = Person {
            id: data.person,
            kind: data.kind,
            name: data.name,
            added: entry.at,
            grants: Vec::new(),
            trainings: BTreeMap::new(),
            pledged: None,
            disabled: None,
            oidc: None,
            credentials: Vec::new(),
        };
        self.by_id.insert(person.id, person);
    }

    pub(crate) fn with(&mut self, person: PersonId, f: impl FnOnce(&mut Person)) {
        if let Some(person) = self.by_id.get_mut(&person) {
            f(person);
        }
    }

    pub(crate) fn granted(&mut self, entry: &Entry, data: Granted) {
        self.with(data.person, |person| {
            // A new grant of the same role takes the place of the running one.
            end(person, &data.role, entry.at);
            person.grants.push(Grant {
                role: data.role,
                wards: data.wards,
                source: data.source,
                from: entry.at,
                by: entry.by,
                until: data.until,
                ended: None,
            });
        });
    }

    pub(crate) fn ended(&mut self, entry: &Entry, data: &Ended) {
        self.with(data.person, |person| end(person, &data.role, entry.at));
    }

    pub(crate) fn linked(&mut self, data: OidcLinked) {
        self.unlinked(data.person);
        self.by_oidc.insert(data.oidc.clone(), data.person);
        self.with(data.person, |person| person.oidc = Some(data.oidc));
    }

    pub(crate) fn unlinked(&mut self, person: PersonId) {
        self.by_oidc.retain(|_, linked| *linked != person);
        self.with(person, |person| person.oidc = None);
    }

    pub(crate) fn credential_added(&mut self, entry: &Entry, data: CredentialAdded) {
        self.by_credential.insert(data.id.clone(), data.person);
        self.with(data.person, |person| {
            person.credentials.push(Credential {
                id: data.id,
                passkey: data.passkey,
                label: data.label,
                added: entry.at,
                used: None,
            });
        });
    }

    pub(crate) fn credential_used(&mut self, entry: &Entry, data: CredentialUsed) {
        self.with(data.person, |person| {
            if let Some(credential) = person.credentials.iter_mut().find(|credential| credential.id == data.id) {
                credential.passkey = data.passkey;
                credential.used = Some(entry.at);
            }
        });
    }

    pub(crate) fn credential_removed(&mut self, data: &CredentialRemoved) {
        self.by_credential.remove(&data.id);
        self.with(data.person, |person| person.credentials.retain(|credential| credential.id != data.id));
    }

    pub(crate) fn remove(&mut self, person: PersonId) {
        self.by_id.remove(&person);
        self.by_credential.retain(|_, owner| *owner != person);
        self.by_oidc.retain(|_, owner| *owner != person);
    }
}

fn end(person: &mut Person, role: &str, at: ServerTime) {
    for grant in person.grants.iter_mut().filter(|grant| &*grant.role == role && grant.ended.is_none()) {
        grant.ended = Some(at);
    }
}

impl State {
    /// Somebody.
    #[must_use]
    pub fn person(&self, person: PersonId) -> Option<&Person> {
        self.people.by_id.get(&person)
    }

    /// Everybody, in no order that means anything.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.by_id.values()
    }

    /// Whose passkey this is, and the passkey.
    #[must_use]
    pub fn credential(&self, id: &[u8]) -> Option<(&Person, &Credential)> {
        let id = Bytes(id.to_vec());
        let person = self.person(*self.people.by_credential.get(&id)?)?;
        Some((person, person.credentials.iter().find(|credential| credential.id == id)?))
    }

    /// Who the provider means.
    #[must_use]
    pub fn person_at_provider(&self, issuer: &str, subject: &str) -> Option<&Person> {
        let oidc = Oidc { issuer: issuer.to_owned(), subject: subject.into() };
        self.person(*self.people.by_oidc.get(&oidc)?)
    }

    /// The person record of a patient who was invited.
    #[must_use]
    pub fn person_of_patient(&self, subject: Subject) -> Option<&Person> {
        self.people().find(|person| person.subject() == Some(subject))
    }

    pub(crate) fn known(&self, person: PersonId) -> Result<&Person, Refusal> {
        self.person(person).ok_or(Refusal::NoSuchPerson)
    }

    pub(crate) fn check_name(kind: &Kind, name: &Private) -> Result<(), Refusal> {
        match kind {
            Kind::Patient(_) if !name.is_blank() => Err(Refusal::NameOfPatient),
            Kind::Staff | Kind::External(_) if name.is_blank() => Err(Refusal::Empty("a name")),
            _ if name.characters() > NAME_CHARACTERS_MAX => {
                Err(Refusal::TooLong { what: "a name", max: NAME_CHARACTERS_MAX })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_grant(
        &self,
        data: &Granted,
        apart: &[(Arc<str>, Arc<str>)],
        at: ServerTime,
    ) -> Result<(), Refusal> {
        let person = self.known(data.person)?;
        if data.until.is_some_and(|until| until <= at) {
            return Err(Refusal::AlreadyOver);
        }
        let has = |role: &Arc<str>| {
            **role == *data.role
                || person
                    .grants
                    .iter()
                    .any(|g| g.role == *role && g.ended.is_none() && g.until.is_none_or(|until| at < until))
        };
        // A pair of the same role twice would forbid the role; the charter's check refuses it.
        match apart.iter().find(|(a, b)| (*a == data.role || *b == data.role) && has(a) && has(b)) {
            Some((a, b)) => {
                let other = if *a == data.role { b } else { a };
                Err(Refusal::RolesApart { role: data.role.clone(), other: other.clone() })
            }
            None => Ok(()),
        }
    }

    pub(crate) fn check_credential(&self, data: &CredentialAdded) -> Result<(), Refusal> {
        let person = self.known(data.person)?;
        if person.disabled.is_some() {
            return Err(Refusal::PersonDisabled);
        }
        if data.id.0.is_empty() || data.passkey.0.is_empty() {
            return Err(Refusal::Empty("a credential"));
        }
        if data.id.0.len() > CREDENTIAL_ID_BYTES_MAX || data.passkey.0.len() > PASSKEY_BYTES_MAX {
            return Err(Refusal::TooLong { what: "a credential", max: PASSKEY_BYTES_MAX });
        }
        if person.credentials.len() >= CREDENTIALS_MAX {
            return Err(Refusal::TooMany { what: "passkeys", max: CREDENTIALS_MAX });
        }
        if self.people.by_credential.contains_key(&data.id) {
            return Err(Refusal::CredentialKnown);
        }
        Ok(())
    }

    pub(crate) fn own_credential(&self, person: PersonId, id: &Bytes) -> Result<(), Refusal> {
        match self.people.by_credential.get(id) {
            Some(owner) if *owner == person => Ok(()),
            _ => Err(Refusal::NoSuchCredential),
        }
    }
}
