//! What can be asked of the register, and why it says no.

use crate::people::{self, Kind, Oidc, Source};
use crate::{By, Bytes, Change, Digest, Private, State, invitations};
use obhut_model::{CaseId, PersonId, ServerTime, WardId};
use std::sync::Arc;

/// A wish. Whether whoever wishes may, has been decided before; here only the thing itself is checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Makes somebody known.
    AddPerson {
        /// Drawn by the caller.
        person: PersonId,
        /// What to the hospital.
        kind: Kind,
        /// Empty for a patient.
        name: Private,
    },
    /// Calls somebody differently.
    Rename {
        /// Whom.
        person: PersonId,
        /// How.
        name: Private,
    },
    /// Lets somebody act in a role. A running grant of the same role is replaced.
    Grant {
        /// Whom.
        person: PersonId,
        /// Of the charter.
        role: Arc<str>,
        /// Where.
        wards: Vec<WardId>,
        /// Until when at most.
        until: Option<ServerTime>,
        /// Where it comes from.
        source: Source,
        /// Pairs of roles nobody may have at once, from the charter.
        apart: Vec<(Arc<str>, Arc<str>)>,
    },
    /// Ends a role.
    Ungrant {
        /// Whose.
        person: PersonId,
        /// Which.
        role: Arc<str>,
    },
    /// Notes a training.
    Train {
        /// Whose.
        person: PersonId,
        /// Which; the roles of the charter say what they need.
        training: Arc<str>,
        /// When.
        on: ServerTime,
        /// How long it counts, from the charter.
        until: ServerTime,
    },
    /// Notes a pledge of secrecy.
    Pledge {
        /// Whose.
        person: PersonId,
        /// How long.
        until: ServerTime,
    },
    /// Stops somebody from signing in. Urgent.
    Disable {
        /// Whom.
        person: PersonId,
    },
    /// Lets somebody sign in again.
    Enable {
        /// Whom.
        person: PersonId,
    },
    /// Links somebody to the hospital's provider.
    LinkOidc {
        /// Whom.
        person: PersonId,
        /// Who they are there.
        oidc: Oidc,
    },
    /// Cuts that link.
    UnlinkOidc {
        /// Whose.
        person: PersonId,
    },
    /// Notes that a passkey was used.
    UseCredential {
        /// Which.
        id: Bytes,
        /// As the library writes it now.
        passkey: Bytes,
    },
    /// Adds a passkey for somebody who is signed in.
    AddCredential {
        /// Whose.
        person: PersonId,
        /// Its identifier.
        id: Bytes,
        /// As the library writes it.
        passkey: Bytes,
        /// What its owner calls it.
        label: Private,
    },
    /// Takes a passkey away. Urgent: it may be lost.
    RemoveCredential {
        /// Whose.
        person: PersonId,
        /// Which.
        id: Bytes,
    },
    /// Makes a one-time link. Older open links of the person are taken back.
    Invite {
        /// Drawn by the caller.
        case: CaseId,
        /// Whom.
        person: PersonId,
        /// SHA-256 of the token.
        token: Digest,
        /// To what.
        opens: invitations::Opens,
        /// Good until.
        expires: ServerTime,
    },
    /// Uses a link that opens a session.
    UseInvitation {
        /// SHA-256 of the token.
        token: Digest,
    },
    /// Uses a link that opens the registration of a passkey, together with that passkey: both or neither.
    UseInvitationWithCredential {
        /// SHA-256 of the token.
        token: Digest,
        /// Its identifier.
        id: Bytes,
        /// As the library writes it.
        passkey: Bytes,
        /// What its owner calls it.
        label: Private,
    },
    /// Takes a link back.
    RevokeInvitation {
        /// Which.
        case: CaseId,
    },
}

/// Why not. Each is a sentence for the person who asked; `code` is for programs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The log failed, and what was asked can wait.
    #[error("the register cannot write at the moment; nothing was changed")]
    Unavailable,
    /// Random identifiers do not repeat; somebody sent one twice.
    #[error("this identifier is already in use")]
    Duplicate,
    /// Nobody has this identifier.
    #[error("no such person")]
    NoSuchPerson,
    /// Nothing has this identifier.
    #[error("no such case")]
    NoSuchCase,
    /// They cannot sign in.
    #[error("this person is disabled")]
    PersonDisabled,
    /// They can.
    #[error("this person is not disabled")]
    NotDisabled,
    /// A patient's name lies in the identity vault.
    #[error("a patient's name belongs into the identity vault, not here")]
    NameOfPatient,
    /// Something must be said.
    #[error("{0} is needed")]
    Empty(&'static str),
    /// Said at too great length.
    #[error("{what} is too long; at most {max}")]
    TooLong {
        /// What.
        what: &'static str,
        /// Most allowed.
        max: usize,
    },
    /// Enough of them.
    #[error("too many {what}; at most {max}")]
    TooMany {
        /// What.
        what: &'static str,
        /// Most allowed.
        max: usize,
    },
    /// It would end before it begins.
    #[error("this would already be over")]
    AlreadyOver,
    /// The charter keeps two roles apart.
    #[error("the charter keeps the roles `{role}` and `{other}` apart; nobody may have both")]
    RolesApart {
        /// Asked for.
        role: Arc<str>,
        /// Already there.
        other: Arc<str>,
    },
    /// Not that role.
    #[error("this person does not have this role")]
    NoSuchRole,
    /// The passkey is somebody's.
    #[error("this passkey is already registered")]
    CredentialKnown,
    /// No such passkey.
    #[error("no such passkey")]
    NoSuchCredential,
    /// The provider's person is somebody here.
    #[error("this account of the provider already belongs to somebody")]
    OidcKnown,
    /// The patient has a person record.
    #[error("this patient was already invited")]
    PatientKnown,
    /// The token was seen before.
    #[error("this token was used for another link")]
    TokenKnown,
    /// No such link, or one that opens something else.
    #[error("this link is not known here")]
    NoSuchInvitation,
    /// It was used.
    #[error("this link was already used; ask for a new one")]
    InvitationUsed,
    /// It was taken back.
    #[error("this link was taken back or replaced by a newer one; ask for a new one")]
    InvitationRevoked,
    /// Too late.
    #[error("this link has expired; ask for a new one")]
    InvitationExpired,
}

impl Refusal {
    /// A word for programs. Stable.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable => "register_unavailable",
            Self::Duplicate => "duplicate",
            Self::NoSuchPerson => "no_such_person",
            Self::NoSuchCase => "no_such_case",
            Self::PersonDisabled => "person_disabled",
            Self::NotDisabled => "not_disabled",
            Self::NameOfPatient => "name_of_patient",
            Self::Empty(_) => "empty",
            Self::TooLong { .. } => "too_long",
            Self::TooMany { .. } => "too_many",
            Self::AlreadyOver => "already_over",
            Self::RolesApart { .. } => "roles_apart",
            Self::NoSuchRole => "no_such_role",
            Self::CredentialKnown => "credential_known",
            Self::NoSuchCredential => "no_such_credential",
            Self::OidcKnown => "oidc_known",
            Self::PatientKnown => "patient_known",
            Self::TokenKnown => "token_known",
            Self::NoSuchInvitation => "no_such_invitation",
            Self::InvitationUsed => "invitation_used",
            Self::InvitationRevoked => "invitation_revoked",
            Self::InvitationExpired => "invitation_expired",
        }
    }
}

impl Command {
    /// Whether this is in force at once, even if the log fails: what saves a life, and what takes a right away.
    #[must_use]
    pub const fn urgent(&self) -> bool {
        matches!(self, Self::Disable { .. } | Self::RemoveCredential { .. })
    }
}

impl State {
    /// What `command` would change, or why it may not.
    pub(crate) fn check(&self, at: ServerTime, _by: By, command: Command) -> Result<Vec<Change>, Refusal> {
        Ok(match command {
            Command::AddPerson { person, kind, name } => {
                Self::check_name(&kind, &name)?;
                if let Kind::Patient(subject) = kind
                    && self.person_of_patient(subject).is_some()
                {
                    return Err(Refusal::PatientKnown);
                }
                vec![people::Added { person, kind, name }.into()]
            }
            Command::Rename { person, name } => {
                Self::check_name(&self.known(person)?.kind, &name)?;
                vec![people::Renamed { person, name }.into()]
            }
            Command::Grant { person, role, wards, until, source, apart } => {
                let granted = people::Granted { person, role, wards, source, until };
                self.check_grant(&granted, &apart, at)?;
                vec![granted.into()]
            }
            Command::Ungrant { person, role } => {
                let running =
                    self.known(person)?.grants.iter().any(|grant| grant.role == role && grant.ended.is_none());
                if !running {
                    return Err(Refusal::NoSuchRole);
                }
                vec![people::Ended { person, role }.into()]
            }
            Command::Train { person, training, on, until } => {
                self.known(person)?;
                if until <= on {
                    return Err(Refusal::AlreadyOver);
                }
                vec![people::Trained { person, training, on, until }.into()]
            }
            Command::Pledge { person, until } => {
                self.known(person)?;
                if until <= at {
                    return Err(Refusal::AlreadyOver);
                }
                vec![people::Pledged { person, until }.into()]
            }
            Command::Disable { person } => self.disable(person)?,
            Command::Enable { person } => {
                self.known(person)?.disabled.ok_or(Refusal::NotDisabled)?;
                vec![people::Enabled { person }.into()]
            }
            Command::LinkOidc { person, oidc } => {
                self.known(person)?;
                if self.people.by_oidc.get(&oidc).is_some_and(|owner| *owner != person) {
                    return Err(Refusal::OidcKnown);
                }
                vec![people::OidcLinked { person, oidc }.into()]
            }
            Command::UnlinkOidc { person } => {
                self.known(person)?;
                vec![people::OidcUnlinked { person }.into()]
            }
            Command::UseCredential { id, passkey } => {
                let person = *self.people.by_credential.get(&id).ok_or(Refusal::NoSuchCredential)?;
                if self.known(person)?.disabled.is_some() {
                    return Err(Refusal::PersonDisabled);
                }
                vec![people::CredentialUsed { person, id, passkey }.into()]
            }
            Command::AddCredential { person, id, passkey, label } => {
                let added = people::CredentialAdded { person, id, passkey, label };
                self.check_credential(&added)?;
                vec![added.into()]
            }
            Command::RemoveCredential { person, id } => {
                self.own_credential(person, &id)?;
                vec![people::CredentialRemoved { person, id }.into()]
            }
            Command::Invite { case, person, token, opens, expires } => {
                let about = self.known(person)?.subject();
                let made = invitations::Made { case, person, about, token, opens, expires };
                self.check_invitation(&made, at)?;
                let mut changes = self.revoke_open(person);
                changes.push(made.into());
                changes
            }
            Command::UseInvitation { token } => {
                let invitation = self.good_invitation(token, invitations::Opens::Session, at)?;
                vec![invitations::Used { case: invitation.case }.into()]
            }
            Command::UseInvitationWithCredential { token, id, passkey, label } => {
                let invitation = self.good_invitation(token, invitations::Opens::Passkey, at)?;
                let added = people::CredentialAdded { person: invitation.person, id, passkey, label };
                self.check_credential(&added)?;
                vec![invitations::Used { case: invitation.case }.into(), added.into()]
            }
            Command::RevokeInvitation { case } => {
                let invitation = self.invitations.by_case.get(&case).ok_or(Refusal::NoSuchCase)?;
                match invitation.fate {
                    invitations::Fate::Open => vec![invitations::Revoked { case }.into()],
                    invitations::Fate::Used(_) => return Err(Refusal::InvitationUsed),
                    invitations::Fate::Revoked(_) => return Err(Refusal::InvitationRevoked),
                }
            }
        })
    }

    fn disable(&self, person: PersonId) -> Result<Vec<Change>, Refusal> {
        if self.known(person)?.disabled.is_some() {
            return Err(Refusal::PersonDisabled);
        }
        let mut changes = self.revoke_open(person);
        changes.push(people::Disabled { person }.into());
        Ok(changes)
    }

    fn revoke_open(&self, person: PersonId) -> Vec<Change> {
        self.open_invitations(person).into_iter().map(|case| invitations::Revoked { case }.into()).collect()
    }
}
