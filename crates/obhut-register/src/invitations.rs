//! One-time links: for a first passkey, for a display, for the demonstration. Of the token only its SHA-256 is kept; the token has 256 random bits, so
//! that a hash without a key cannot be guessed.
//!
//! INVARIANT: a link is good once, until it expires, and only the newest link of a person is.

use crate::people::data;
use crate::{Digest, Entry, Refusal, State};
use obhut_model::{CaseId, PersonId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opens {
    /// The registration of a passkey.
    Passkey,
    /// A session at once: the demonstration, and a display that shows beds.
    Session,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not used yet; good until it expires.
    Open,
    /// Used then.
    Used(ServerTime),
    /// Taken back then, or replaced.
    Revoked(ServerTime),
}

/// A one-time link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which.
    pub case: CaseId,
    /// For whom.
    pub person: PersonId,
    /// SHA-256 of the token.
    pub token: Digest,
    /// To what.
    pub opens: Opens,
    /// Made then.
    pub made: ServerTime,
    /// Good until then.
    pub expires: ServerTime,
    /// What became of it.
    pub fate: Fate,
}

impl Invitation {
    /// Whether it can be used.
    #[must_use]
    pub fn good(&self, now: ServerTime) -> bool {
        self.fate == Fate::Open && now < self.expires
    }

    /// When it stopped being good, if it did.
    #[must_use]
    pub fn ended(&self, now: ServerTime) -> Option<ServerTime> {
        match self.fate {
            Fate::Used(at) | Fate::Revoked(at) => Some(at),
            Fate::Open => (now >= self.expires).then_some(self.expires),
        }
    }
}

data! {
    /// A link.
    Made { case: CaseId, person: PersonId, #[serde(default, skip_serializing_if = "Option::is_none")] about: Option<Subject>, token: Digest, opens: Opens, expires: ServerTime }
    /// A link used.
    Used { case: CaseId }
    /// A link taken back.
    Revoked { case: CaseId }
}

/// Every link.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Invitations {
    pub(crate) by_case: BTreeMap<CaseId, Invitation>,
    by_token: BTreeMap<Digest, CaseId>,
}

impl Invitations {
    pub(crate) fn made(&mut self, entry: &Entry, data: Made) {
        self.by_token.insert(data.token, data.case);
        self.by_case.insert(
            data.case,
            Invitation {
                case: data.case,
                person: data.person,
                token: data.token,
                opens: data.opens,
                made: entry.at,
                expires: data.expires,
                fate: Fate::Open,
            },
        );
    }

    pub(crate) fn end(&mut self, case: CaseId, fate: Fate) {
        if let Some(invitation) = self.by_case.get_mut(&case).filter(|invitation| invitation.fate == Fate::Open) {
            invitation.fate = fate;
        }
    }

    pub(crate) fn remove(&mut self, case: CaseId) {
        if let Some(gone) = self.by_case.remove(&case) {
            self.by_token.remove(&gone.token);
        }
    }
}

impl State {
    /// The link made with this token, whatever became of it.
    #[must_use]
    pub fn invitation_by_token(&self, token: Digest) -> Option<&Invitation> {
        self.invitations.by_case.get(self.invitations.by_token.get(&token)?)
    }

    /// Every link of somebody.
    pub fn invitations_of(&self, person: PersonId) -> impl Iterator<Item = &Invitation> {
        self.invitations.by_case.values().filter(move |invitation| invitation.person == person)
    }

    pub(crate) fn check_invitation(&self, data: &Made, at: ServerTime) -> Result<(), Refusal> {
        if self.known(data.person)?.disabled.is_some() {
            return Err(Refusal::PersonDisabled);
        }
        if data.expires <= at {
            return Err(Refusal::AlreadyOver);
        }
        if self.invitations.by_token.contains_key(&data.token) {
            return Err(Refusal::TokenKnown);
        }
        Ok(())
    }

    /// The link behind a token, if it can be used for this now.
    pub(crate) fn good_invitation(&self, token: Digest, opens: Opens, at: ServerTime) -> Result<&Invitation, Refusal> {
        let invitation =
            self.invitation_by_token(token).filter(|i| i.opens == opens).ok_or(Refusal::NoSuchInvitation)?;
        match invitation.fate {
            Fate::Used(_) => Err(Refusal::InvitationUsed),
            Fate::Revoked(_) => Err(Refusal::InvitationRevoked),
            Fate::Open if at >= invitation.expires => Err(Refusal::InvitationExpired),
            Fate::Open if self.known(invitation.person)?.disabled.is_some() => Err(Refusal::PersonDisabled),
            Fate::Open => Ok(invitation),
        }
    }

    /// Links of somebody that would still open something.
    pub(crate) fn open_invitations(&self, person: PersonId) -> Vec<CaseId> {
        self.invitations_of(person).filter(|invitation| invitation.fate == Fate::Open).map(|open| open.case).collect()
    }
}
