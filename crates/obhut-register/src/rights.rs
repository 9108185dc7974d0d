//! What follows from requests: restrictions (Art. 18), corrections (Art. 16, § 630f(1) BGB), and the notices patients were shown (Art. 13 and 14 GDPR).
//!
//! INVARIANT: a correction is a new version; the original and every version before stay, each with its time and author.

use crate::people::data;
use crate::{By, Change, Entry, Private, Refusal, State};
use obhut_model::{CaseId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A restriction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Which.
    pub case: CaseId,
    /// Whose data.
    pub subject: Subject,
    /// Why.
    pub reason: Private,
    /// The request it follows from.
    pub request: Option<CaseId>,
    /// Since.
    pub from: ServerTime,
    /// Lifted, then, because.
    pub lifted: Option<(ServerTime, Private)>,
}

/// One corrected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Which.
    pub case: CaseId,
    /// Whose data.
    pub subject: Subject,
    /// What, as whoever keeps it names it; see [`Command::Correct`].
    pub target: Arc<str>,
    /// As it was recorded first.
    pub original: Private,
    /// Every version since, oldest first; the last one counts.
    pub versions: Vec<Version>,
}

/// A version of a corrected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Since.
    pub at: ServerTime,
    /// By whom.
    pub by: By,
    /// The value.
    pub value: Private,
    /// Why.
    pub reason: Private,
    /// The request it follows from.
    pub request: Option<CaseId>,
}

/// What a patient was shown, or why not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeShown {
    /// Which.
    pub case: CaseId,
    /// Who.
    pub subject: Subject,
    /// Which notice of the charter.
    pub notice: Arc<str>,
    /// In which version.
    pub version: Arc<str>,
    /// Shown then; `None` while it is put off.
    pub shown: Option<ServerTime>,
    /// Put off until then, because (an emergency, Art. 13 with Art. 9(2)(c)).
    pub put_off: Option<(ServerTime, Private)>,
}

data! {
    /// A restriction begins.
    Restricted { case: CaseId, subject: Subject, reason: Private, request: Option<CaseId> }
    /// A restriction ends.
    Lifted { case: CaseId, reason: Private }
    /// A first correction, with the original.
    Corrected { case: CaseId, subject: Subject, target: Arc<str>, original: Private, value: Private, reason: Private, request: Option<CaseId> }
    /// A further one.
    CorrectedAgain { case: CaseId, value: Private, reason: Private, request: Option<CaseId> }
    /// A notice was shown.
    NoticeGiven { case: CaseId, subject: Subject, notice: Arc<str>, version: Arc<str> }
    /// A notice is put off.
    NoticePutOff { case: CaseId, subject: Subject, notice: Arc<str>, version: Arc<str>, until: ServerTime, reason: Private }
    /// A notice that was put off was shown.
    NoticeMadeUp { case: CaseId }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Hides a patient's data from search and export. Urgent: it protects.
    Restrict {
        /// Drawn by the caller.
        case: CaseId,
        /// Whose.
        subject: Subject,
        /// Why.
        reason: Private,
        /// The request it follows from.
        request: Option<CaseId>,
    },
    /// Ends a restriction.
    Lift {
        /// Which.
        case: CaseId,
        /// Why; the patient is told before (Art. 18(3)).
        reason: Private,
    },
    /// Corrects a value. A further correction of the same target becomes a further version, and `original` must be what is there.
    Correct {
        /// Drawn by the caller; used if this is the first correction of the target.
        case: CaseId,
        /// Whose.
        subject: Subject,
        /// What: a name that stays the same for the same value, such as `numeric/149514/1795478400000000`.
        target: Arc<str>,
        /// What is there now.
        original: Private,
        /// What is right.
        value: Private,
        /// Why.
        reason: Private,
        /// The request it follows from.
        request: Option<CaseId>,
    },
    /// Notes that a patient was shown a notice, also one that was put off.
    GiveNotice {
        /// Drawn by the caller.
        case: CaseId,
        /// Who.
        subject: Subject,
        /// Which notice of the charter.
        notice: Arc<str>,
        /// In which version.
        version: Arc<str>,
    },
    /// Notes that a notice is put off.
    PutOffNotice {
        /// Drawn by the caller.
        case: CaseId,
        /// Who.
        subject: Subject,
        /// Which notice of the charter.
        notice: Arc<str>,
        /// In which version.
        version: Arc<str>,
        /// Until.
        until: ServerTime,
        /// Why.
        reason: Private,
    },
}

impl Command {
    pub(crate) fn check(self, state: &State, at: ServerTime) -> Result<Vec<Change>, Refusal> {
        let said = crate::command::said;
        Ok(vec![match self {
            Self::Restrict { case, subject, reason, request } => {
                said("a reason", &reason)?;
                Restricted { case, subject, reason, request }.into()
            }
            Self::Lift { case, reason } => {
                if state.restrictions.get(&case).ok_or(Refusal::NoSuchCase)?.lifted.is_some() {
                    return Err(Refusal::AlreadyClosed);
                }
                said("a reason", &reason)?;
                Lifted { case, reason }.into()
            }
            Self::Correct { case, subject, target, original, value, reason, request } => {
                said("a reason", &reason)?;
                crate::command::short("the value", &value)?;
                match state.correction(subject, &target) {
                    Some(earlier) if earlier.latest() != &original => return Err(Refusal::NotTheLatest),
                    Some(earlier) => CorrectedAgain { case: earlier.case, value, reason, request }.into(),
                    None => Corrected { case, subject, target, original, value, reason, request }.into(),
                }
            }
            Self::GiveNotice { case, subject, notice, version } => {
                let known = state.notices_of(subject).find(|n| n.notice == notice && n.version == version);
                match known {
                    Some(NoticeShown { shown: Some(_), .. }) => return Err(Refusal::AlreadyClosed),
                    Some(put_off) => NoticeMadeUp { case: put_off.case }.into(),
                    None => NoticeGiven { case, subject, notice, version }.into(),
                }
            }
            Self::PutOffNotice { case, subject, notice, version, until, reason } => {
                if until <= at {
                    return Err(Refusal::AlreadyOver);
                }
                said("a reason", &reason)?;
                if state.notices_of(subject).any(|n| n.notice == notice && n.version == version) {
                    return Err(Refusal::AlreadyOpen);
                }
                NoticePutOff { case, subject, notice, version, until, reason }.into()
            }
        }])
    }
}

impl Correction {
    /// The value that counts.
    #[must_use]
    pub fn latest(&self) -> &Private {
        self.versions.last().map_or(&self.original, |version| &version.value)
    }
}

impl State {
    pub(crate) fn restricted_from(&mut self, entry: &Entry, data: Restricted) {
        let Restricted { case, subject, reason, request } = data;
        self.restrictions.insert(case, Restriction { case, subject, reason, request, from: entry.at, lifted: None });
    }

    pub(crate) fn corrected(&mut self, entry: &Entry, data: Corrected) {
        let Corrected { case, subject, target, original, value, reason, request } = data;
        let versions = vec![Version { at: entry.at, by: entry.by, value, reason, request }];
        self.corrections.insert(case, Correction { case, subject, target, original, versions });
    }

    pub(crate) fn corrected_again(&mut self, entry: &Entry, data: CorrectedAgain) {
        let CorrectedAgain { case, value, reason, request } = data;
        if let Some(correction) = self.corrections.get_mut(&case) {
            correction.versions.push(Version { at: entry.at, by: entry.by, value, reason, request });
        }
    }

    /// Whether a patient's data are restricted.
    #[must_use]
    pub fn restricted(&self, subject: Subject) -> bool {
        self.restrictions_of(subject).any(|restriction| restriction.lifted.is_none())
    }

    /// Every restriction of a patient, lifted ones too.
    pub fn restrictions_of(&self, subject: Subject) -> impl Iterator<Item = &Restriction> {
        self.restrictions.values().filter(move |restriction| restriction.subject == subject)
    }

    /// What was corrected of a patient.
    pub fn corrections_of(&self, subject: Subject) -> impl Iterator<Item = &Correction> {
        self.corrections.values().filter(move |correction| correction.subject == subject)
    }

    /// The correction of one value.
    #[must_use]
    pub fn correction(&self, subject: Subject, target: &str) -> Option<&Correction> {
        self.corrections_of(subject).find(|correction| *correction.target == *target)
    }

    /// What a patient was shown, and what was put off.
    pub fn notices_of(&self, subject: Subject) -> impl Iterator<Item = &NoticeShown> {
        self.notices.values().filter(move |notice| notice.subject == subject)
    }

    /// Notices that were put off and whose time has come.
    pub fn notices_due(&self, now: ServerTime) -> impl Iterator<Item = &NoticeShown> {
        let due =
            move |n: &&NoticeShown| n.shown.is_none() && n.put_off.as_ref().is_some_and(|(until, _)| *until <= now);
        self.notices.values().filter(due)
    }
}
