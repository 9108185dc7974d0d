//! Everything the log says, folded: where questions are answered.
//!
//! INVARIANT: a pure function of the entries. It depends on their order only within one thing ([`Key`]); entries of different things commute, so that
//! what was urgent may come into force before it is written.

use crate::invitations::{Fate, Invitations};
use crate::people::{Kind, People, Training};
use crate::{Change, Entry, Key};
use obhut_model::Subject;
use std::collections::BTreeMap;

/// The register as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// What is known, and about whom.
    things: BTreeMap<Key, Option<Subject>>,
    pub(crate) people: People,
    pub(crate) invitations: Invitations,
}

/// Why an entry cannot follow on what is there: the log has a hole, or was tampered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// It changes what does not exist.
    #[error("it changes something that was never begun")]
    Unknown,
    /// It begins what exists.
    #[error("it begins something that exists")]
    Twice,
    /// Its row says it is about somebody else.
    #[error("its row is kept under another patient than what it belongs to")]
    About,
}

impl State {
    /// Whom the thing is about that `change` belongs to.
    ///
    /// # Errors
    /// [`Misfit`] if it changes what does not exist or begins what does.
    pub(crate) fn about(&self, change: &Change) -> Result<Option<Subject>, Misfit> {
        match (begins(change), self.things.get(&change.key())) {
            (Some(about), None) => Ok(about),
            (None, Some(about)) => Ok(*about),
            (Some(_), Some(_)) => Err(Misfit::Twice),
            (None, None) => Err(Misfit::Unknown),
        }
    }

    /// Puts an entry into force.
    ///
    /// # Errors
    /// [`Misfit`]; then nothing was changed.
    pub(crate) fn fold(&mut self, entry: &Entry) -> Result<Option<Subject>, Misfit> {
        let about = self.about(&entry.change)?;
        self.things.entry(entry.change.key()).or_insert(about);
        self.apply(entry);
        Ok(about)
    }

    fn apply(&mut self, entry: &Entry) {
        let people = &mut self.people;
        match entry.change.clone() {
            Change::PersonAdded(data) => people.added(entry, data),
            Change::PersonRenamed(data) => people.with(data.person, |person| person.name = data.name),
            Change::RoleGranted(data) => people.granted(entry, data),
            Change::RoleEnded(data) => people.ended(entry, &data),
            Change::Trained(data) => people.with(data.person, |person| {
                person.trainings.insert(data.training, Training { on: data.on, until: data.until });
            }),
            Change::Pledged(data) => people.with(data.person, |person| person.pledged = Some(data.until)),
            Change::PersonDisabled(data) => people.with(data.person, |person| person.disabled = Some(entry.at)),
            Change::PersonEnabled(data) => people.with(data.person, |person| person.disabled = None),
            Change::OidcLinked(data) => people.linked(data),
            Change::OidcUnlinked(data) => people.unlinked(data.person),
            Change::CredentialAdded(data) => people.credential_added(entry, data),
            Change::CredentialUsed(data) => people.credential_used(entry, data),
            Change::CredentialRemoved(data) => people.credential_removed(&data),
            Change::Invited(data) => self.invitations.made(entry, data),
            Change::InvitationUsed(data) => self.invitations.end(data.case, Fate::Used(entry.at)),
            Change::InvitationRevoked(data) => self.invitations.end(data.case, Fate::Revoked(entry.at)),
        }
    }

    /// Takes one thing out, as if its entries had never been.
    pub(crate) fn remove(&mut self, key: Key) {
        self.things.remove(&key);
        match key {
            Key::Person(person) => self.people.remove(person),
            Key::Case(case) => self.invitations.remove(case),
        }
    }

    /// Takes everything out that is about `subject`.
    pub(crate) fn forget(&mut self, subject: Subject) -> Vec<Key> {
        let gone: Vec<Key> =
            self.things.iter().filter(|(_, about)| **about == Some(subject)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.remove(*key);
        }
        gone
    }
}

/// Whom a thing is about that this change begins; `None` if it changes a thing that must be there.
fn begins(change: &Change) -> Option<Option<Subject>> {
    match change {
        Change::PersonAdded(data) => Some(match data.kind {
            Kind::Patient(subject) => Some(subject),
            Kind::Staff | Kind::External(_) => None,
        }),
        Change::Invited(data) => Some(data.about),
        _ => None,
    }
}
