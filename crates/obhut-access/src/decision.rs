//! A decision, and what is recorded of it. A grant becomes a permit only with the durable record of the same request.

use crate::Action;
use crate::permit::{Leave, Permit};
use crate::question::{PersonKind, Question};
use obhut_ledger::{Actor, Event, EventKind, Origin, Outcome, Place, Recorded, ResourceRef};
use obhut_model::{CaseId, PersonId, RequestId, ServerTime, Subject};
use std::sync::{Arc, OnceLock};

/// Yes or no, and never less than that: both are recorded.
#[derive(Debug)]
#[must_use = "a decision counts only once it is recorded"]
pub enum Decision {
    /// Yes, once it is recorded.
    Granted(Grant),
    /// No, and why.
    Denied(Denial),
}

impl Decision {
    /// What is recorded of it. `note` is sealed text such as the reason of an emergency access.
    #[must_use]
    pub fn event(&self, request: RequestId, at: ServerTime, origin: Origin, note: Option<String>) -> Event {
        match self {
            Self::Granted(grant) => grant.event(request, at, origin, note),
            Self::Denied(denial) => denial.event(request, at, origin, note),
        }
    }

    /// Whether it is a grant, for tests and tables. A handler needs the permit, not this.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }

    /// Why not; `None` for a grant.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Granted(_) => None,
            Self::Denied(denial) => Some(denial.reason),
        }
    }
}

/// What both outcomes know of the question.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) person: PersonId,
    pub(crate) kind: PersonKind,
    pub(crate) action: Action,
    pub(crate) resource: ResourceRef,
    pub(crate) subject: Option<Subject>,
    pub(crate) purpose: Arc<str>,
    pub(crate) categories: Vec<Arc<str>>,
    pub(crate) case: Option<CaseId>,
}

impl Asked {
    pub(crate) fn of(question: &Question<'_>) -> Self {
        let circumstances = question.circumstances;
        Self {
            person: question.person.id,
            kind: question.person.kind,
            action: question.action,
            resource: ResourceRef { kind: Arc::from(question.resource.kind().word()), id: question.resource.id() },
            subject: question.resource.subject(),
            purpose: Arc::from(question.purpose),
            categories: question.categories.iter().take(crate::limits::CATEGORIES_MAX).cloned().collect(),
            case: circumstances.emergency.or(circumstances.ticket),
        }
    }

    fn event(
        &self,
        request: RequestId,
        at: ServerTime,
        kind: EventKind,
        origin: Origin,
        note: Option<String>,
    ) -> Event {
        let actor = match self.kind {
            // The kernel's word for who is at the other end is the shell's to add.
            PersonKind::Console => Actor::Console { uid: u32::MAX },
            PersonKind::Staff | PersonKind::External | PersonKind::Patient(_) => Actor::Person(self.person),
        };
        Event {
            resource: self.resource.clone(),
            subject: self.subject,
            // Asked for no purpose that any role of theirs serves.
            purpose: (!self.purpose.is_empty()).then(|| Arc::clone(&self.purpose)),
            categories: self.categories.clone(),
            origin,
            case: self.case,
            note,
            ..Event::new(request, at, kind, actor, self.action.as_str())
        }
    }
}

/// A yes that still waits for its record.
#[derive(Debug)]
#[must_use = "nothing opens until the grant is recorded and completed"]
pub struct Grant {
    pub(crate) asked: Asked,
    pub(crate) role: Arc<str>,
    pub(crate) organisation: Option<Arc<str>>,
    pub(crate) policies: Vec<Arc<str>>,
    pub(crate) until: ServerTime,
    pub(crate) emergency: bool,
    /// The request it was recorded under; set by the first event made.
    pub(crate) request: OnceLock<RequestId>,
}

impl Grant {
    /// What is recorded of it. The first call binds the grant to `request`.
    #[must_use]
    pub fn event(&self, request: RequestId, at: ServerTime, origin: Origin, note: Option<String>) -> Event {
        let _ = self.request.set(request);
        let kind = match self.asked.action {
            Action::BreakGlass => EventKind::BreakGlassStart,
            Action::Export | Action::ResearchExport => EventKind::Export,
            Action::LedgerView => EventKind::Search,
            _ => EventKind::Access,
        };
        let event = self.asked.event(request, at, kind, origin, note);
        Event {
            role: Some(Arc::clone(&self.role)),
            organisation: self.organisation.clone(),
            // The purpose of use that EHDS and IHE BALP expect for a look outside the relation.
            purpose: if self.emergency { Some(Arc::from("btg")) } else { event.purpose },
            policies: self.policies.clone(),
            ..event
        }
    }

    /// Whether its record may wait in the spool while the ledger is down: at the bed and in an emergency, nowhere else.
    #[must_use]
    pub const fn may_spool(&self) -> bool {
        self.emergency || matches!(self.asked.action, Action::LiveView | Action::AlarmAcknowledge | Action::BreakGlass)
    }

    /// Whether the record of a [`Leave`] may wait in the spool: where a permit's may, and for what takes something away.
    #[must_use]
    pub fn may_spool_leave(&self) -> bool {
        self.may_spool() || crate::rules::PROTECTIVE.contains(&self.asked.action)
    }

    /// Whether it rests on a running emergency access, not on a treatment relation.
    #[must_use]
    pub const fn is_emergency(&self) -> bool {
        self.emergency
    }

    /// The role it was granted through.
    #[must_use]
    pub fn role(&self) -> &Arc<str> {
        &self.role
    }

    /// The policies that decided.
    #[must_use]
    pub fn policies(&self) -> &[Arc<str>] {
        &self.policies
    }

    /// Until when the permit will open anything.
    #[must_use]
    pub const fn until(&self) -> ServerTime {
        self.until
    }

    /// The permit, for the proof that this grant's event is durable.
    ///
    /// # Errors
    /// [`NotRecorded`] if the record is another request's, or lies in the spool for something that may not wait there.
    pub fn complete(self, recorded: Recorded) -> Result<Permit, NotRecorded> {
        self.recorded(&recorded, self.may_spool())?;
        Ok(Permit::new(self.asked, self.role, self.until, self.emergency))
    }

    /// The leave to take something away, for the proof that this grant's event is durable, be it in the spool.
    ///
    /// # Errors
    /// [`NotRecorded`] if the record is another request's, or lies in the spool for an action that takes nothing away.
    pub fn leave(self, recorded: Recorded) -> Result<Leave, NotRecorded> {
        self.recorded(&recorded, self.may_spool_leave())?;
        Ok(Leave::new(self.asked.action, self.asked.subject))
    }

    fn recorded(&self, recorded: &Recorded, may_spool: bool) -> Result<(), NotRecorded> {
        if self.request.get() != Some(&recorded.request()) {
            return Err(NotRecorded::AnotherRequest);
        }
        if matches!(recorded.place(), Place::Spool) && !may_spool {
            return Err(NotRecorded::OnlySpooled);
        }
        Ok(())
    }
}

/// Why a grant did not become a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// The record is not of this grant.
    #[error("the record belongs to another request")]
    AnotherRequest,
    /// The record waits in the spool, and only the bedside and emergencies may go on with that.
    #[error("the ledger has not taken the record yet")]
    OnlySpooled,
}

/// A no.
#[derive(Debug)]
pub struct Denial {
    pub(crate) asked: Asked,
    pub(crate) role: Option<Arc<str>>,
    pub(crate) policies: Vec<Arc<str>>,
    pub(crate) reason: Reason,
}

impl Denial {
    /// What is recorded of it.
    #[must_use]
    pub fn event(&self, request: RequestId, at: ServerTime, origin: Origin, note: Option<String>) -> Event {
        let event = self.asked.event(request, at, EventKind::Denial, origin, note);
        Event {
            role: self.role.clone(),
            policies: self.policies.clone(),
            outcome: Outcome::Denied(Arc::from(self.reason.word())),
            ..event
        }
    }

    /// Why. For the ledger and the operator; the asker learns only that it was refused.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The policies that refused; empty when simply nothing allowed it.
    #[must_use]
    pub fn policies(&self) -> &[Arc<str>] {
        &self.policies
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why something was refused. Ordered: where several roles of a person refuse, the one that came nearest to yes is told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its word in the ledger.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

reasons! {
    /// No role of the person may do this to such a thing.
    NotPermitted = "not-permitted",
    /// The role is not for people of this sort.
    WrongPerson = "wrong-person",
    /// The role does not work for this purpose.
    Purpose = "purpose",
    /// The role does not see these data.
    Categories = "categories",
    /// The person does not treat this patient, or the ward is not theirs.
    NoRelation = "no-relation",
    /// The patient was discharged too long ago.
    Discharged = "discharged",
    /// The role was given for a time that is over.
    RoleExpired = "role-expired",
    /// The training the role demands is missing or too old.
    Training = "training",
    /// No ticket is open.
    NoTicket = "no-ticket",
    /// The person's pledge of secrecy is missing.
    NoPledge = "no-pledge",
    /// The contract or pledge of their firm has ended.
    ContractEnded = "contract-ended",
    /// The project has ended.
    ProjectEnded = "project-ended",
    /// The purpose needs a consent, and none is in force.
    NoConsent = "no-consent",
    /// Processing is restricted (Art. 18 GDPR).
    Restricted = "restricted",
    /// It needs a passkey.
    Assurance = "assurance",
    /// A policy could not be evaluated.
    PolicyFailed = "policy-failed",
}
