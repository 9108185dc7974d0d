//! Emergency accesses (break-glass): one person, one patient, a reason, a few hours; and afterwards a second person who looks at every single one.
//!
//! INVARIANT: an emergency access ends by itself, at the latest after what the charter allows. It is judged by somebody else than who used it. Its opening
//! and its stop are urgent: they work while the log fails.

use crate::people::data;
use crate::{By, Change, Entry, Private, Refusal, State};
use obhut_model::{BedId, CaseId, PersonId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the second person found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was an emergency.
    Justified,
    /// It was not: the data-protection officer takes it from here.
    NotJustified,
}

/// A judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// When.
    pub at: ServerTime,
    /// By whom; never the person who used the access.
    pub by: PersonId,
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub text: Private,
}

/// An emergency access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Which.
    pub case: CaseId,
    /// Who.
    pub person: PersonId,
    /// To whose data.
    pub subject: Subject,
    /// At which bed, if it was opened from there.
    pub bed: Option<BedId>,
    /// Which reason of the charter.
    pub reason: Arc<str>,
    /// In their own words; may follow later.
    pub text: Private,
    /// Since.
    pub opened: ServerTime,
    /// Until, at the latest.
    pub until: ServerTime,
    /// Stopped earlier.
    pub stopped: Option<ServerTime>,
    /// To be judged by then.
    pub review_due: ServerTime,
    /// When reviewers are reminded.
    pub remind: Vec<ServerTime>,
    /// How many of these reminders went out.
    pub reminded: u32,
    /// When it was escalated because nobody judged it in time.
    pub escalated: Option<ServerTime>,
    /// The judgement.
    pub review: Option<Review>,
}

impl Emergency {
    /// When it ended or will end.
    #[must_use]
    pub fn end(&self) -> ServerTime {
        self.stopped.map_or(self.until, |stopped| stopped.min(self.until))
    }

    /// Whether it opens anything.
    #[must_use]
    pub fn runs(&self, now: ServerTime) -> bool {
        self.opened <= now && now < self.end()
    }
}

/// What is to be done because time passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Reviewers are to be reminded.
    Remind(CaseId),
    /// Nobody judged it in time.
    Escalate(CaseId),
}

/// What the charter allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest, in microseconds.
    pub micros_max: i64,
    /// To be judged within, in microseconds after the opening.
    pub review_micros: i64,
    /// The reasons one may choose.
    pub reasons: Vec<Arc<str>>,
    /// Reminders, in microseconds after the opening, rising.
    pub remind_micros: Vec<i64>,
}

data! {
    /// It begins.
    Opened {
        case: CaseId, person: PersonId, subject: Subject, bed: Option<BedId>, reason: Arc<str>, text: Private, until: ServerTime,
        review_due: ServerTime, remind: Vec<ServerTime>,
    }
    /// In more words.
    Explained { case: CaseId, text: Private }
    /// It is stopped.
    Stopped { case: CaseId }
    /// It is judged.
    Reviewed { case: CaseId, reviewer: PersonId, verdict: Verdict, text: Private }
    /// So many reminders went out.
    Reminded { case: CaseId, reminders: u32 }
    /// Nobody judged it.
    Escalated { case: CaseId }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Opens an emergency access. Urgent.
    Open {
        /// Drawn by the caller.
        case: CaseId,
        /// Who.
        person: PersonId,
        /// Whose data.
        subject: Subject,
        /// Where.
        bed: Option<BedId>,
        /// Which reason of the charter.
        reason: Arc<str>,
        /// In their own words; may be empty, because seconds count, and follow with [`Explain`](Self::Explain).
        text: Private,
        /// What the charter allows.
        limits: Limits,
    },
    /// Adds words, by the person who used it, until it is judged.
    Explain {
        /// Which.
        case: CaseId,
        /// What happened.
        text: Private,
    },
    /// Stops it. Urgent.
    Stop {
        /// Which.
        case: CaseId,
    },
    /// Judges it, once it is over.
    Review {
        /// Which.
        case: CaseId,
        /// What.
        verdict: Verdict,
        /// Why; needed if it was not justified.
        text: Private,
    },
    /// Notes that reviewers were reminded.
    Remind {
        /// Which.
        case: CaseId,
    },
    /// Notes that nobody judged it in time.
    Escalate {
        /// Which.
        case: CaseId,
    },
}

impl Command {
    pub(crate) fn check(self, state: &State, by: By, at: ServerTime) -> Result<Vec<Change>, Refusal> {
        let of = |case: CaseId| state.emergencies.get(&case).ok_or(Refusal::NoSuchCase);
        Ok(vec![match self {
            Self::Open { case, person, subject, bed, reason, text, limits } => {
                // An unknown person is no reason to refuse: whoever asks is signed in, and the register may be what is broken.
                if state.person(person).is_some_and(|person| person.disabled.is_some()) {
                    return Err(Refusal::PersonDisabled);
                }
                if !limits.reasons.contains(&reason) {
                    return Err(Refusal::UnknownReason);
                }
                if state.emergency_of(person, subject, at).is_some() {
                    return Err(Refusal::AlreadyOpen);
                }
                crate::command::short("the explanation", &text)?;
                let remind = limits.remind_micros.iter().map(|micros| at.plus_micros(*micros)).collect();
                let (until, review_due) = (at.plus_micros(limits.micros_max), at.plus_micros(limits.review_micros));
                Opened { case, person, subject, bed, reason, text, until, review_due, remind }.into()
            }
            Self::Explain { case, text } => {
                let emergency = of(case)?;
                if by.person() != Some(emergency.person) {
                    return Err(Refusal::NotYours);
                }
                if emergency.review.is_some() {
                    return Err(Refusal::AlreadyReviewed);
                }
                if text.is_blank() {
                    return Err(Refusal::Empty("an explanation"));
                }
                crate::command::short("the explanation", &text)?;
                Explained { case, text }.into()
            }
            Self::Stop { case } => {
                if !of(case)?.runs(at) {
                    return Err(Refusal::NotRunning);
                }
                Stopped { case }.into()
            }
            Self::Review { case, verdict, text } => {
                let emergency = of(case)?;
                let reviewer = by.person().filter(|by| *by != emergency.person).ok_or(Refusal::SecondPerson)?;
                if emergency.review.is_some() {
                    return Err(Refusal::AlreadyReviewed);
                }
                if at < emergency.end() {
                    return Err(Refusal::StillRunning);
                }
                if verdict == Verdict::NotJustified && text.is_blank() {
                    return Err(Refusal::Empty("why it was not justified"));
                }
                crate::command::short("the judgement", &text)?;
                Reviewed { case, reviewer, verdict, text }.into()
            }
            Self::Remind { case } => {
                let emergency = of(case)?;
                let reminders = passed(&emergency.remind, at);
                if emergency.review.is_some() || reminders <= emergency.reminded {
                    return Err(Refusal::NotDue);
                }
                Reminded { case, reminders }.into()
            }
            Self::Escalate { case } => {
                let emergency = of(case)?;
                if emergency.review.is_some() || emergency.escalated.is_some() || at < emergency.review_due {
                    return Err(Refusal::NotDue);
                }
                Escalated { case }.into()
            }
        }])
    }
}

fn passed(times: &[ServerTime], now: ServerTime) -> u32 {
    u32::try_from(times.iter().filter(|time| **time <= now).count()).unwrap_or(u32::MAX)
}

impl State {
    pub(crate) fn emergency_opened(&mut self, entry: &Entry, data: Opened) {
        self.emergencies.insert(
            data.case,
            Emergency {
                case: data.case,
                person: data.person,
                subject: data.subject,
                bed: data.bed,
                reason: data.reason,
                text: data.text,
                opened: entry.at,
                until: data.until,
                stopped: None,
                review_due: data.review_due,
                remind: data.remind,
                reminded: 0,
                escalated: None,
                review: None,
            },
        );
    }

    /// The running emergency access of this person to this patient.
    #[must_use]
    pub fn emergency_of(&self, person: PersonId, subject: Subject, now: ServerTime) -> Option<&Emergency> {
        self.emergencies_of(person, now).find(|emergency| emergency.subject == subject)
    }

    /// Running emergency accesses of this person.
    pub fn emergencies_of(&self, person: PersonId, now: ServerTime) -> impl Iterator<Item = &Emergency> {
        self.emergencies.values().filter(move |emergency| emergency.person == person && emergency.runs(now))
    }

    /// One emergency access.
    #[must_use]
    pub fn emergency(&self, case: CaseId) -> Option<&Emergency> {
        self.emergencies.get(&case)
    }

    /// Every emergency access.
    pub fn emergencies(&self) -> impl Iterator<Item = &Emergency> {
        self.emergencies.values()
    }

    /// What waits to be judged, running ones included: the most urgent first.
    #[must_use]
    pub fn reviews_due(&self) -> Vec<&Emergency> {
        let mut open: Vec<_> = self.emergencies.values().filter(|emergency| emergency.review.is_none()).collect();
        open.sort_by_key(|emergency| (emergency.review_due, emergency.case));
        open
    }

    /// What a timer has to do at `now`.
    #[must_use]
    pub fn emergency_steps(&self, now: ServerTime) -> Vec<Due> {
        let mut steps = Vec::new();
        for open in self.reviews_due() {
            if now >= open.review_due {
                if open.escalated.is_none() {
                    steps.push(Due::Escalate(open.case));
                }
            } else if passed(&open.remind, now) > open.reminded {
                steps.push(Due::Remind(open.case));
            }
        }
        steps
    }
}
