//! The changes, and how they are written: this file is the list of everything the register can remember.
//!
//! A row is JSON, `{"v":1,"by":…,"kind":"consent.given","data":{…}}`: readable with any tool in thirty years. The kinds and the fields of their data are a
//! format on disk: a kind is never renamed and a field never changes its meaning. What a later version adds is a new kind, so that an older program says
//! what it does not know instead of guessing. Unknown fields are refused for the same reason.

use crate::log::Row;
use crate::{care, consents, emergencies, invitations, keeping, outside, people, requests, rights};
use obhut_model::{CaseId, PersonId, ServerTime, Subject};
use serde::{Deserialize, Serialize};

/// The form rows are written in.
const VERSION: u32 = 1;

/// On whose word a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Somebody who is signed in.
    Person(PersonId),
    /// The operator on the machine, by the number of their account there.
    Console(u32),
    /// The program itself: a timer, a first start.
    System,
}

impl By {
    /// The person, if it was one.
    #[must_use]
    pub const fn person(self) -> Option<PersonId> {
        match self {
            Self::Person(person) => Some(person),
            Self::Console(_) | Self::System => None,
        }
    }
}

/// What a change belongs to: a person or a case. All changes of one thing are about the same patient, or all about none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Somebody.
    Person(PersonId),
    /// Something.
    Case(CaseId),
}

impl From<PersonId> for Key {
    fn from(person: PersonId) -> Self {
        Self::Person(person)
    }
}

impl From<CaseId> for Key {
    fn from(case: CaseId) -> Self {
        Self::Case(case)
    }
}

macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident($data:ty) of $key:ident = $word:literal),* $(,)?) => {
        /// One thing that came to be so.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Change {
            $($(#[$doc])* $name($data)),*
        }

        /// The word of every kind of change, as rows carry it.
        pub const KINDS: &[&str] = &[$($word),*];

        impl Change {
            /// The word rows carry.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $word),* }
            }

            /// What it belongs to.
            #[must_use]
            pub fn key(&self) -> Key {
                match self { $(Self::$name(data) => Key::from(data.$key)),* }
            }

            fn write(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$name(data) => serde_json::to_value(data)),* }
            }

            /// `None`: no such kind.
            fn read(kind: &str, data: serde_json::Value) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($word => Some(serde_json::from_value(data).map(Self::$name)),)*
                    _ => None,
                }
            }
        }

        $(impl From<$data> for Change {
            fn from(data: $data) -> Self {
                Self::$name(data)
            }
        })*
    };
}

changes! {
    /// Somebody is known.
    PersonAdded(people::Added) of person = "person.added",
    /// Somebody is called differently.
    PersonRenamed(people::Renamed) of person = "person.renamed",
    /// Somebody may act in a role.
    RoleGranted(people::Granted) of person = "person.granted",
    /// Somebody may no longer act in a role.
    RoleEnded(people::Ended) of person = "person.ended",
    /// Somebody was trained.
    Trained(people::Trained) of person = "person.trained",
    /// Somebody of another firm is bound to secrecy.
    Pledged(people::Pledged) of person = "person.pledged",
    /// Somebody may no longer sign in.
    PersonDisabled(people::Disabled) of person = "person.disabled",
    /// Somebody may sign in again.
    PersonEnabled(people::Enabled) of person = "person.enabled",
    /// Somebody is who the hospital's provider says.
    OidcLinked(people::OidcLinked) of person = "person.oidc-linked",
    /// The link to the hospital's provider is cut.
    OidcUnlinked(people::OidcUnlinked) of person = "person.oidc-unlinked",
    /// A passkey was registered.
    CredentialAdded(people::CredentialAdded) of person = "credential.added",
    /// A passkey was used; its counter moved.
    CredentialUsed(people::CredentialUsed) of person = "credential.used",
    /// A passkey is no longer good.
    CredentialRemoved(people::CredentialRemoved) of person = "credential.removed",
    /// A one-time link was made.
    Invited(invitations::Made) of case = "invitation.made",
    /// A one-time link was used.
    InvitationUsed(invitations::Used) of case = "invitation.used",
    /// A one-time link is no longer good.
    InvitationRevoked(invitations::Revoked) of case = "invitation.revoked",
    /// A physician treats a patient.
    CareOpened(care::Opened) of case = "care.opened",
    /// And no longer does.
    CareClosed(care::Closed) of case = "care.closed",
    /// A patient decided.
    ConsentDecided(consents::Decided) of case = "consent.decided",
    /// A later decision counts.
    ConsentReplaced(consents::Replaced) of case = "consent.replaced",
    /// A patient took a consent back.
    ConsentWithdrawn(consents::Withdrawn) of case = "consent.withdrawn",
    /// An emergency access begins.
    EmergencyOpened(emergencies::Opened) of case = "emergency.opened",
    /// It is explained.
    EmergencyExplained(emergencies::Explained) of case = "emergency.explained",
    /// It is stopped.
    EmergencyStopped(emergencies::Stopped) of case = "emergency.stopped",
    /// It is judged.
    EmergencyReviewed(emergencies::Reviewed) of case = "emergency.reviewed",
    /// Reviewers were reminded.
    EmergencyReminded(emergencies::Reminded) of case = "emergency.reminded",
    /// Nobody judged it in time.
    EmergencyEscalated(emergencies::Escalated) of case = "emergency.escalated",
    /// A patient asks for something.
    RequestReceived(requests::Received) of case = "request.received",
    /// The requester is who they say.
    RequestIdentified(requests::Identified) of case = "request.identified",
    /// It takes longer.
    RequestExtended(requests::Extended) of case = "request.extended",
    /// Something was done.
    RequestStepped(requests::Stepped) of case = "request.stepped",
    /// It is refused.
    RequestRefused(requests::Refused) of case = "request.refused",
    /// It is done.
    RequestFulfilled(requests::Fulfilled) of case = "request.fulfilled",
    /// It is no longer asked.
    RequestWithdrawn(requests::Withdrawn) of case = "request.withdrawn",
    /// Whoever works on it was warned.
    RequestAlerted(requests::Alerted) of case = "request.alerted",
    /// A patient's data are restricted.
    Restricted(rights::Restricted) of case = "restriction.begun",
    /// And no longer.
    RestrictionLifted(rights::Lifted) of case = "restriction.lifted",
    /// A value was corrected.
    Corrected(rights::Corrected) of case = "correction.made",
    /// And again.
    CorrectedAgain(rights::CorrectedAgain) of case = "correction.version",
    /// A patient was shown a notice.
    NoticeGiven(rights::NoticeGiven) of case = "notice.given",
    /// A notice is put off.
    NoticePutOff(rights::NoticePutOff) of case = "notice.put-off",
    /// It was shown later.
    NoticeMadeUp(rights::NoticeMadeUp) of case = "notice.made-up",
    /// A hold is proposed.
    HoldProposed(keeping::HoldProposed) of case = "hold.proposed",
    /// It is approved.
    HoldApproved(keeping::HoldApproved) of case = "hold.approved",
    /// It was looked at again.
    HoldReviewed(keeping::HoldReviewed) of case = "hold.reviewed",
    /// It is released.
    HoldReleased(keeping::HoldReleased) of case = "hold.released",
    /// An erasure is decided.
    ErasureDecided(keeping::ErasureDecided) of case = "erasure.decided",
    /// A part of it is done.
    ErasureStepped(keeping::ErasureStepped) of case = "erasure.stepped",
    /// It is done and proved.
    ErasureCertified(keeping::ErasureCertified) of case = "erasure.certified",
    /// A project asked for its set.
    Exported(keeping::Exported) of case = "export.made",
    /// An external person may work on a device.
    TicketOpened(outside::TicketOpened) of case = "ticket.opened",
    /// And no longer.
    TicketClosed(outside::TicketClosed) of case = "ticket.closed",
    /// A second person is asked.
    ApprovalAsked(outside::Asked) of case = "approval.asked",
    /// And answers.
    ApprovalAnswered(outside::Answered) of case = "approval.answered",
    /// The yes is used up.
    ApprovalUsed(outside::Used) of case = "approval.used",
}

/// A change with when and by whom: what one row holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it came into force.
    pub at: ServerTime,
    /// On whose word.
    pub by: By,
    /// What.
    pub change: Change,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u32,
    by: By,
    kind: String,
    data: serde_json::Value,
}

/// Why a row does not read. Carries nothing of its content but the kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Not a row of the register.
    #[error("row {seq} is not a change of the register")]
    Form {
        /// Which row.
        seq: u64,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Written by a later version.
    #[error(
        "row {seq} is written in form {found}, this program reads up to form {VERSION}; use the program that wrote it or a later one"
    )]
    Newer {
        /// Which row.
        seq: u64,
        /// Its form.
        found: u32,
    },
    /// Written by a later version.
    #[error(
        "row {seq} is a change of kind `{kind}`, which this program does not know; use the program that wrote it or a later one"
    )]
    UnknownKind {
        /// Which row.
        seq: u64,
        /// What it says it is.
        kind: String,
    },
    /// The kind is known, its data are not what they should be.
    #[error("row {seq}, a change of kind `{kind}`, does not hold what it should")]
    Data {
        /// Which row.
        seq: u64,
        /// Its kind.
        kind: String,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Entry {
    /// The row for the log.
    ///
    /// # Errors
    /// Never for the changes of this version; the writer's error otherwise.
    pub(crate) fn row(&self, about: Option<Subject>) -> Result<Row, serde_json::Error> {
        let written =
            Written { v: VERSION, by: self.by, kind: self.change.kind().to_owned(), data: self.change.write()? };
        Ok(Row { at: self.at, about, bytes: serde_json::to_vec(&written)? })
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`Unreadable`], with the number of the row.
    pub fn read(seq: u64, at: ServerTime, bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Form {
            v: u32,
        }
        let form: Form = serde_json::from_slice(bytes).map_err(|source| Unreadable::Form { seq, source })?;
        if form.v != VERSION {
            return Err(Unreadable::Newer { seq, found: form.v });
        }
        let Written { by, kind, data, .. } =
            serde_json::from_slice(bytes).map_err(|source| Unreadable::Form { seq, source })?;
        match Change::read(&kind, data) {
            Some(Ok(change)) => Ok(Self { at, by, change }),
            Some(Err(source)) => Err(Unreadable::Data { seq, kind, source }),
            None => Err(Unreadable::UnknownKind { seq, kind }),
        }
    }
}
