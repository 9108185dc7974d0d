//! What is asked: a person, an action, a resource, a purpose, and what is known at that moment.
//!
//! Plain data the shell fills in from the register, the store and the session. Nothing here decides.

use crate::Action;
use obhut_model::{CaseId, DeviceId, ModelId, PersonId, ServerTime, Subject, WardId};
use std::sync::Arc;

/// Someone who is signed in, with everything the register gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// Which sort of person.
    pub kind: PersonKind,
    /// The roles they were given, sleeping ones included.
    pub grants: Vec<RoleGrant>,
    /// How they signed in.
    pub assurance: Assurance,
}

/// Which sort of person. A role is open to one sort only: external people hold roles that name a recipient, patients roles with the relation `own`, the
/// console the role that `[access]` names, staff all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PersonKind {
    /// Works for the hospital.
    Staff,
    /// Works for another firm.
    External,
    /// Is treated here.
    Patient(Subject),
    /// Works on the machine itself.
    Console,
}

impl PersonKind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::External => "external",
            Self::Patient(_) => "patient",
            Self::Console => "console",
        }
    }
}

/// How someone proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// A passkey with user verification.
    Passkey,
    /// The hospital's provider.
    Oidc,
    /// A one-time link: the demonstration, and displays on the wall.
    Link,
    /// The machine's own socket.
    Console,
}

impl Assurance {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Oidc => "oidc",
            Self::Link => "link",
            Self::Console => "console",
        }
    }
}

/// A role given to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleGrant {
    /// Which, as the charter names it.
    pub role: Arc<str>,
    /// For which wards; roles that reach patients through a ward reach none without.
    pub wards: Vec<WardId>,
    /// Until when; `None` until it is taken away.
    pub until: Option<ServerTime>,
    /// Until when the training that the role demands counts. Missing where one is demanded, the role sleeps.
    pub trained_until: Option<ServerTime>,
}

/// What it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The system itself: state, configuration, charter, keys, backups.
    System,
    /// One ward: its beds, live values, alarms.
    Ward(WardId),
    /// One patient, as pseudonym.
    Patient(Patient),
    /// One device.
    Device(Device),
    /// One person of the register.
    Person(PersonId),
    /// The register of people.
    People,
    /// The ledger.
    Ledger,
    /// The register of cases: consents, requests, emergency accesses, tickets.
    Register,
    /// The deletion concept: rules, job, holds.
    Retention,
    /// A project of the charter.
    Project(Arc<str>),
}

/// What the decision needs to know of a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// Who, as pseudonym.
    pub subject: Subject,
    /// Stays on wards, by the same clock as [`Circumstances::now`]. A stay is recorded when it begins; one in the future does not exist.
    pub stays: Vec<Stay>,
    /// Who is registered as responsible.
    pub cases: Vec<PersonId>,
    /// Whether processing is restricted (Art. 18 GDPR).
    pub restricted: bool,
}

/// One stay on one ward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// Where.
    pub ward: WardId,
    /// Since when.
    pub from: ServerTime,
    /// Until when; `None` while it lasts.
    pub to: Option<ServerTime>,
}

/// What the decision needs to know of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// Of which model.
    pub model: ModelId,
    /// Whether it is at a patient.
    pub bound: bool,
}

/// What is known at the moment of the question. Everything is "no" unless someone found out that it is "yes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Now. A shell whose ward has a clock of its own converts the patient's stays into this one.
    pub now: ServerTime,
    /// Whether the patient's consent for this purpose is in force. Of a project's patients each is asked when it is opened.
    pub consent: bool,
    /// The running emergency access of this person to this patient.
    pub emergency: Option<CaseId>,
    /// The open ticket of this person for this device.
    pub ticket: Option<CaseId>,
    /// Whether this person's own pledge of secrecy is on file and counts.
    pub pledged: bool,
}

impl Circumstances {
    /// Nothing known but the time.
    #[must_use]
    pub const fn at(now: ServerTime) -> Self {
        Self { now, consent: false, emergency: None, ticket: None, pledged: false }
    }
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub person: &'a Person,
    /// To do what.
    pub action: Action,
    /// To what.
    pub resource: &'a Resource,
    /// What for, as the charter names it. Taking someone's consent is part of care: ask it for the role's own purpose, not for the consent's.
    pub purpose: &'a str,
    /// Which data: ids of the charter, or words like `identity`, `consent`. Empty for an action that shows values: all the role may see are meant.
    pub categories: &'a [Arc<str>],
    /// What is known.
    pub circumstances: &'a Circumstances,
}

impl Resource {
    /// The patient it is about, if it is about one.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        match self {
            Self::Patient(patient) => Some(patient.subject),
            _ => None,
        }
    }

    /// Which kind of thing.
    #[must_use]
    pub const fn kind(&self) -> crate::rules::Thing {
        use crate::rules::Thing;
        match self {
            Self::System => Thing::System,
            Self::Ward(_) => Thing::Ward,
            Self::Patient(_) => Thing::Patient,
            Self::Device(_) => Thing::Device,
            Self::Person(_) => Thing::Person,
            Self::People => Thing::People,
            Self::Ledger => Thing::Ledger,
            Self::Register => Thing::Register,
            Self::Retention => Thing::Retention,
            Self::Project(_) => Thing::Project,
        }
    }

    /// Which one, for the ledger. The pseudonym of a patient stands in its own field there.
    #[must_use]
    pub fn id(&self) -> Option<Arc<str>> {
        match self {
            Self::Ward(ward) => Some(Arc::from(ward.as_str())),
            Self::Device(device) => Some(Arc::from(device.id.as_str())),
            Self::Person(person) => Some(Arc::from(person.to_string())),
            Self::Project(project) => Some(Arc::clone(project)),
            _ => None,
        }
    }
}
