//! Who treats whom: the cases of a physician.
//!
//! A case that is closed stays: for how long rights outlast it is the charter's to say (`after_discharge`) and `obhut-access`'s to apply.

use crate::people::data;
use crate::{Change, Entry, Refusal, State};
use obhut_model::{CaseId, PersonId, ServerTime, Subject};
use serde::{Deserialize, Serialize};

/// One physician, one patient, one span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CareCase {
    /// Which.
    pub case: CaseId,
    /// Who treats.
    pub physician: PersonId,
    /// Whom.
    pub subject: Subject,
    /// Since.
    pub opened: ServerTime,
    /// Until.
    pub closed: Option<ServerTime>,
}

data! {
    /// A case begins.
    Opened { case: CaseId, physician: PersonId, subject: Subject }
    /// A case ends.
    Closed { case: CaseId }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// A physician takes a patient over.
    Open {
        /// Drawn by the caller.
        case: CaseId,
        /// Who.
        physician: PersonId,
        /// Whom.
        subject: Subject,
    },
    /// And no longer treats them.
    Close {
        /// Which.
        case: CaseId,
    },
}

impl Command {
    pub(crate) fn check(self, state: &State) -> Result<Vec<Change>, Refusal> {
        Ok(vec![match self {
            Self::Open { case, physician, subject } => {
                if state.known(physician)?.disabled.is_some() {
                    return Err(Refusal::PersonDisabled);
                }
                if state.care_cases(subject).any(|open| open.physician == physician) {
                    return Err(Refusal::AlreadyOpen);
                }
                Opened { case, physician, subject }.into()
            }
            Self::Close { case } => {
                let open = state.care.get(&case).ok_or(Refusal::NoSuchCase)?;
                if open.closed.is_some() {
                    return Err(Refusal::AlreadyClosed);
                }
                Closed { case }.into()
            }
        }])
    }
}

impl State {
    pub(crate) fn care_opened(&mut self, entry: &Entry, data: Opened) {
        let Opened { case, physician, subject } = data;
        self.care.insert(case, CareCase { case, physician, subject, opened: entry.at, closed: None });
        self.care_of.entry(subject).or_default().insert(case);
    }

    /// Open cases of a patient.
    pub fn care_cases(&self, subject: Subject) -> impl Iterator<Item = &CareCase> {
        self.care_history(subject).filter(|case| case.closed.is_none())
    }

    /// Every case of a patient, closed ones too.
    pub fn care_history(&self, subject: Subject) -> impl Iterator<Item = &CareCase> {
        self.care_of.get(&subject).into_iter().flatten().filter_map(|case| self.care.get(case))
    }

    /// The physicians of a patient.
    #[must_use]
    pub fn cases_of(&self, subject: Subject) -> Vec<PersonId> {
        self.care_cases(subject).map(|case| case.physician).collect()
    }

    /// The patients of a physician.
    #[must_use]
    pub fn patients_of(&self, physician: PersonId) -> Vec<Subject> {
        let open = self.care.values().filter(|case| case.physician == physician && case.closed.is_none());
        open.map(|case| case.subject).collect()
    }
}
