//! What is kept longer, handed out, or destroyed: legal holds, erasures, exports of projects.
//!
//! INVARIANT: nothing that is held is erased. A hold is approved by somebody else than who proposed it; until then it already holds, but only until a date,
//! because erasing too early cannot be undone. The row of an erasure is about nobody: it outlives the patient's key and holds no content.

use crate::people::data;
use crate::{By, Change, Digest, Entry, Private, Refusal, State};
use obhut_model::{CaseId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a hold freezes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything about one patient.
    Subject(Subject),
    /// Everything of one retention class.
    Class(Arc<str>),
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which.
    pub case: CaseId,
    /// What.
    pub scope: Scope,
    /// Why.
    pub reason: Private,
    /// File number of the court, the insurer, the authority.
    pub number: Private,
    /// Who asked for it.
    pub requester: Private,
    /// Who proposed it here.
    pub proposed_by: By,
    /// Since.
    pub proposed: ServerTime,
    /// Falls away if nobody has approved it by then.
    pub approve_by: ServerTime,
    /// Approved, then, by.
    pub approved: Option<(ServerTime, By)>,
    /// To be looked at again.
    pub review: ServerTime,
    /// Released, then, because.
    pub released: Option<(ServerTime, Private)>,
}

impl Hold {
    /// Whether it freezes anything.
    #[must_use]
    pub fn holds(&self, now: ServerTime) -> bool {
        self.released.is_none() && (self.approved.is_some() || now < self.approve_by)
    }
}

/// An erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Which.
    pub case: CaseId,
    /// Which pseudonym is gone. Means nothing once the identity vault has forgotten it.
    pub subject: Subject,
    /// Why, as a word: `request`, `retention`.
    pub reason: Arc<str>,
    /// The request it follows from.
    pub request: Option<CaseId>,
    /// Decided by.
    pub by: By,
    /// Decided then.
    pub decided: ServerTime,
    /// What was done, in order.
    pub steps: Vec<(ServerTime, Arc<str>)>,
    /// The certificate, as its maker wrote it.
    pub certificate: Option<String>,
}

/// A set handed out to a project, or held back by the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Which.
    pub case: CaseId,
    /// Of the charter.
    pub project: Arc<str>,
    /// By.
    pub by: By,
    /// Then.
    pub at: ServerTime,
    /// How many patients.
    pub subjects: u64,
    /// How many look alike at least.
    pub k: u64,
    /// SHA-256 of the file; `None` if the check held it back.
    pub file: Option<Digest>,
}

data! {
    /// A hold is proposed.
    HoldProposed {
        case: CaseId, scope: Scope, reason: Private, number: Private, requester: Private, approve_by: ServerTime, review: ServerTime,
    }
    /// A hold is approved.
    HoldApproved { case: CaseId }
    /// A hold was looked at again.
    HoldReviewed { case: CaseId, review: ServerTime }
    /// A hold is released.
    HoldReleased { case: CaseId, reason: Private }
    /// An erasure is decided.
    ErasureDecided { case: CaseId, subject: Subject, reason: Arc<str>, request: Option<CaseId> }
    /// A part of it is done.
    ErasureStepped { case: CaseId, step: Arc<str> }
    /// It is done and proved.
    ErasureCertified { case: CaseId, certificate: String }
    /// A project asked for its set.
    Exported { case: CaseId, project: Arc<str>, subjects: u64, k: u64, file: Option<Digest> }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Proposes a hold. It holds at once.
    ProposeHold(HoldProposed),
    /// Approves it: somebody else than who proposed it.
    ApproveHold {
        /// Which.
        case: CaseId,
    },
    /// Looks at it again and sets the next date.
    ReviewHold {
        /// Which.
        case: CaseId,
        /// When next.
        review: ServerTime,
    },
    /// Releases it.
    ReleaseHold {
        /// Which.
        case: CaseId,
        /// Why.
        reason: Private,
    },
    /// Decides to erase a patient. Refused while a hold freezes them.
    DecideErasure {
        /// Drawn by the caller.
        case: CaseId,
        /// Whom.
        subject: Subject,
        /// Why, as a word.
        reason: Arc<str>,
        /// The request it follows from.
        request: Option<CaseId>,
    },
    /// Notes that a part of an erasure is done.
    StepErasure {
        /// Which.
        case: CaseId,
        /// What, as a word: `key-destroyed`, `bytes-removed`.
        step: Arc<str>,
    },
    /// Keeps the certificate.
    CertifyErasure {
        /// Which.
        case: CaseId,
        /// As its maker wrote it; holds no content.
        certificate: String,
    },
    /// Notes a set that was handed out to a project, or held back.
    Export(Exported),
}

/// Longest certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 64 << 10;

impl Command {
    pub(crate) fn check(self, state: &State, by: By, at: ServerTime) -> Result<Vec<Change>, Refusal> {
        let said = crate::command::said;
        let open_hold = |case: CaseId| {
            let hold = state.holds.get(&case).ok_or(Refusal::NoSuchCase)?;
            if hold.holds(at) { Ok(hold) } else { Err(Refusal::AlreadyClosed) }
        };
        let open_erasure = |case: CaseId| {
            let erasure = state.erasures.get(&case).ok_or(Refusal::NoSuchCase)?;
            if erasure.certificate.is_none() { Ok(erasure) } else { Err(Refusal::AlreadyClosed) }
        };
        Ok(vec![match self {
            Self::ProposeHold(proposed) => {
                said("a reason", &proposed.reason)?;
                said("a file number", &proposed.number)?;
                said("who asks for it", &proposed.requester)?;
                if proposed.review <= at || proposed.approve_by <= at {
                    return Err(Refusal::AlreadyOver);
                }
                proposed.into()
            }
            Self::ApproveHold { case } => {
                let hold = open_hold(case)?;
                if hold.approved.is_some() {
                    return Err(Refusal::AlreadyApproved);
                }
                crate::command::second(by, hold.proposed_by)?;
                HoldApproved { case }.into()
            }
            Self::ReviewHold { case, review } => {
                open_hold(case)?;
                if review <= at {
                    return Err(Refusal::AlreadyOver);
                }
                HoldReviewed { case, review }.into()
            }
            Self::ReleaseHold { case, reason } => {
                open_hold(case)?;
                said("a reason", &reason)?;
                HoldReleased { case, reason }.into()
            }
            Self::DecideErasure { case, subject, reason, request } => {
                if state.held(subject, at) {
                    return Err(Refusal::Held);
                }
                if state.erasures.values().any(|erasure| erasure.subject == subject) {
                    return Err(Refusal::AlreadyOpen);
                }
                ErasureDecided { case, subject, reason, request }.into()
            }
            Self::StepErasure { case, step } => {
                open_erasure(case)?;
                ErasureStepped { case, step }.into()
            }
            Self::CertifyErasure { case, certificate } => {
                open_erasure(case)?;
                if certificate.len() > CERTIFICATE_BYTES_MAX {
                    return Err(Refusal::TooLong { what: "a certificate", max: CERTIFICATE_BYTES_MAX });
                }
                ErasureCertified { case, certificate }.into()
            }
            Self::Export(exported) => exported.into(),
        }])
    }
}

impl State {
    pub(crate) fn hold_proposed(&mut self, entry: &Entry, data: HoldProposed) {
        self.holds.insert(
            data.case,
            Hold {
                case: data.case,
                scope: data.scope,
                reason: data.reason,
                number: data.number,
                requester: data.requester,
                proposed_by: entry.by,
                proposed: entry.at,
                approve_by: data.approve_by,
                approved: None,
                review: data.review,
                released: None,
            },
        );
    }

    pub(crate) fn erasure_decided(&mut self, entry: &Entry, data: ErasureDecided) {
        let ErasureDecided { case, subject, reason, request } = data;
        let (by, decided) = (entry.by, entry.at);
        let erasure = Erasure { case, subject, reason, request, by, decided, steps: Vec::new(), certificate: None };
        self.erasures.insert(case, erasure);
    }

    pub(crate) fn exported(&mut self, entry: &Entry, data: Exported) {
        let Exported { case, project, subjects, k, file } = data;
        self.exports.insert(case, Export { case, project, by: entry.by, at: entry.at, subjects, k, file });
    }

    /// Whether a hold freezes everything about this patient.
    #[must_use]
    pub fn held(&self, subject: Subject, now: ServerTime) -> bool {
        self.holds.values().any(|hold| hold.scope == Scope::Subject(subject) && hold.holds(now))
    }

    /// Whether a hold freezes this retention class.
    #[must_use]
    pub fn class_held(&self, class: &str, now: ServerTime) -> bool {
        self.holds.values().any(|hold| matches!(&hold.scope, Scope::Class(held) if **held == *class) && hold.holds(now))
    }

    /// Every hold.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// Holds to be looked at again.
    pub fn holds_to_review(&self, now: ServerTime) -> impl Iterator<Item = &Hold> {
        self.holds.values().filter(move |hold| hold.holds(now) && hold.review <= now)
    }

    /// Every erasure, finished or not.
    pub fn erasures(&self) -> impl Iterator<Item = &Erasure> {
        self.erasures.values()
    }

    /// One erasure.
    #[must_use]
    pub fn erasure(&self, case: CaseId) -> Option<&Erasure> {
        self.erasures.get(&case)
    }

    /// Every set asked for by projects.
    pub fn exports(&self) -> impl Iterator<Item = &Export> {
        self.exports.values()
    }
}
