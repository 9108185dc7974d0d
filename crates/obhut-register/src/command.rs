//! What can be asked of the register, and why it says no.

use crate::people::{self, Kind, Oidc, Source};
use crate::{
    By, Bytes, Change, Digest, Private, State, care, consents, emergencies, invitations, keeping, outside, requests,
    rights,
};
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
    /// Who treats whom.
    Care(care::Command),
    /// What patients agree to.
    Consent(consents::Command),
    /// Emergency accesses.
    Emergency(emergencies::Command),
    /// What patients ask for.
    Request(requests::Command),
    /// Restrictions, corrections, notices.
    Right(rights::Command),
    /// Holds, erasures, exports.
    Keeping(keeping::Command),
    /// Tickets and second pairs of eyes.
    Outside(outside::Command),
}

macro_rules! areas {
    ($($area:ident: $module:ident),*) => {$(
        impl From<$module::Command> for Command {
            fn from(command: $module::Command) -> Self {
                Self::$area(command)
            }
        }
    )*};
}
areas!(Care: care, Consent: consents, Emergency: emergencies, Request: requests, Right: rights, Keeping: keeping, Outside: outside);

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
    /// It runs or was done.
    #[error("there is one already")]
    AlreadyOpen,
    /// It ended.
    #[error("this is already closed")]
    AlreadyClosed,
    /// A time that has not come.
    #[error("this lies in the future")]
    InFuture,
    /// An old sheet found late.
    #[error("the patient decided again after signing this; the later decision stays")]
    NewerDecision,
    /// Nothing left to take back.
    #[error("this consent was already withdrawn")]
    AlreadyWithdrawn,
    /// It was replaced, or was a no.
    #[error("this decision is not in force")]
    NotInForce,
    /// Not one of the charter's.
    #[error("the charter does not know this reason")]
    UnknownReason,
    /// Somebody else's.
    #[error("only whoever began this may do that")]
    NotYours,
    /// Four eyes.
    #[error("a second person must do this, not the same one")]
    SecondPerson,
    /// Not from the console.
    #[error("only somebody who is signed in may do this")]
    NeedsPerson,
    /// A judgement stays.
    #[error("this was already judged")]
    AlreadyReviewed,
    /// Not over yet.
    #[error("this still runs; stop it or wait until it is over")]
    StillRunning,
    /// It is over.
    #[error("this does not run")]
    NotRunning,
    /// Too early, or done.
    #[error("nothing is due")]
    NotDue,
    /// Nothing is handed out to somebody unknown.
    #[error("first say how the requester was identified")]
    NotIdentified,
    /// Once is enough.
    #[error("the requester was already identified")]
    AlreadyIdentified,
    /// Once only.
    #[error("this was already extended; the law allows it once (Art. 12(3) GDPR)")]
    AlreadyExtended,
    /// Too late.
    #[error("the period is over; it can no longer be extended")]
    PastDue,
    /// A ground of another article.
    #[error("the law does not know this ground for such a request")]
    GroundDoesNotFit,
    /// Somebody corrected it meanwhile.
    #[error("this is not the value that counts now; look again")]
    NotTheLatest,
    /// Not now.
    #[error("a legal hold keeps these data")]
    Held,
    /// Once is enough.
    #[error("this was already decided")]
    AlreadyApproved,
    /// It waits for the second person.
    #[error("nobody has approved this yet")]
    NotApproved,
    /// The second person said no.
    #[error("this was declined")]
    Declined,
    /// Good once.
    #[error("this approval was already used")]
    AlreadyUsed,
    /// Staff have roles.
    #[error("tickets are for people of other firms")]
    NotExternal,
    /// Nobody without one.
    #[error("no pledge of secrecy is in force for this person (§ 203(4) StGB)")]
    NoPledge,
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
            Self::AlreadyOpen => "already_open",
            Self::AlreadyClosed => "already_closed",
            Self::InFuture => "in_future",
            Self::NewerDecision => "newer_decision",
            Self::AlreadyWithdrawn => "already_withdrawn",
            Self::NotInForce => "not_in_force",
            Self::UnknownReason => "unknown_reason",
            Self::NotYours => "not_yours",
            Self::SecondPerson => "second_person",
            Self::NeedsPerson => "needs_person",
            Self::AlreadyReviewed => "already_reviewed",
            Self::StillRunning => "still_running",
            Self::NotRunning => "not_running",
            Self::NotDue => "not_due",
            Self::NotIdentified => "not_identified",
            Self::AlreadyIdentified => "already_identified",
            Self::AlreadyExtended => "already_extended",
            Self::PastDue => "past_due",
            Self::GroundDoesNotFit => "ground_does_not_fit",
            Self::NotTheLatest => "not_the_latest",
            Self::Held => "held",
            Self::AlreadyApproved => "already_approved",
            Self::NotApproved => "not_approved",
            Self::Declined => "declined",
            Self::AlreadyUsed => "already_used",
            Self::NotExternal => "not_external",
            Self::NoPledge => "no_pledge",
        }
    }
}

impl Command {
    /// Whether this is in force at once, even if the log fails: what saves a life, and what takes a right away.
    #[must_use]
    pub const fn urgent(&self) -> bool {
        matches!(
            self,
            Self::Disable { .. }
                | Self::RemoveCredential { .. }
                | Self::Consent(consents::Command::Withdraw { .. })
                | Self::Emergency(emergencies::Command::Open { .. } | emergencies::Command::Stop { .. })
                | Self::Right(rights::Command::Restrict { .. })
                | Self::Outside(outside::Command::CloseTicket { .. })
        )
    }
}

impl State {
    /// What `command` would change, or why it may not.
    pub(crate) fn check(&self, at: ServerTime, by: By, command: Command) -> Result<Vec<Change>, Refusal> {
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
            Command::Care(command) => command.check(self)?,
            Command::Consent(command) => command.check(self, at)?,
            Command::Emergency(command) => command.check(self, by, at)?,
            Command::Request(command) => command.check(self, at)?,
            Command::Right(command) => command.check(self, at)?,
            Command::Keeping(command) => command.check(self, by, at)?,
            Command::Outside(command) => command.check(self, by, at)?,
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

/// Most characters of a free text.
pub const TEXT_CHARACTERS_MAX: usize = 4_000;

/// A text that may be missing but not endless.
pub(crate) fn short(what: &'static str, text: &Private) -> Result<(), Refusal> {
    if text.characters() > TEXT_CHARACTERS_MAX {
        return Err(Refusal::TooLong { what, max: TEXT_CHARACTERS_MAX });
    }
    Ok(())
}

/// A text that must be there.
pub(crate) fn said(what: &'static str, text: &Private) -> Result<(), Refusal> {
    if text.is_blank() { Err(Refusal::Empty(what)) } else { short(what, text) }
}

/// Somebody else than `first`, and a person.
pub(crate) fn second(by: By, first: By) -> Result<(), Refusal> {
    match by {
        By::Person(_) if by != first => Ok(()),
        By::Person(_) => Err(Refusal::SecondPerson),
        By::Console(_) | By::System => Err(Refusal::NeedsPerson),
    }
}
