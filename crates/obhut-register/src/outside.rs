//! What needs a ticket or a second pair of eyes: work by people of other firms, and questions one person alone must not ask (the way from a pseudonym back,
//! a search of the ledger by person).
//!
//! INVARIANT: a ticket is one person, one device, until a date, for somebody with a pledge of secrecy in force. An approval is given by somebody else than
//! who asked, and is good once.

use crate::people::{Kind, data};
use crate::{By, Change, Entry, Private, Refusal, State};
use obhut_model::{CaseId, DeviceId, PersonId, ServerTime};
use serde::{Deserialize, Serialize};

/// Leave for an external person to work on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Which.
    pub case: CaseId,
    /// Who.
    pub person: PersonId,
    /// On what.
    pub device: DeviceId,
    /// Why.
    pub reason: Private,
    /// By whose leave.
    pub by: By,
    /// Since.
    pub opened: ServerTime,
    /// Until, at the latest.
    pub until: ServerTime,
    /// Closed earlier.
    pub closed: Option<ServerTime>,
}

impl Ticket {
    /// Whether it opens anything, as far as the ticket goes.
    #[must_use]
    pub fn runs(&self, now: ServerTime) -> bool {
        self.closed.is_none() && self.opened <= now && now < self.until
    }
}

/// What somebody wants to do that needs a second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// From a pseudonym of one domain to the patient.
    Crosswalk,
    /// What one member of the staff did, from the ledger.
    PersonSearch,
}

/// A question and its answer by a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Which.
    pub case: CaseId,
    /// What.
    pub question: Question,
    /// Who asks.
    pub asked_by: PersonId,
    /// When.
    pub asked: ServerTime,
    /// What for.
    pub purpose: Private,
    /// What exactly, as whoever carries it out writes it.
    pub details: Private,
    /// Falls away if not answered and used by then.
    pub until: ServerTime,
    /// The answer: when, by whom, yes or no.
    pub answer: Option<(ServerTime, PersonId, Answer)>,
    /// When it was used.
    pub used: Option<ServerTime>,
}

/// The second person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes.
    Approved,
    /// No.
    Declined,
}

data! {
    /// A ticket.
    TicketOpened { case: CaseId, person: PersonId, device: DeviceId, reason: Private, until: ServerTime }
    /// It is closed.
    TicketClosed { case: CaseId }
    /// A question.
    Asked { case: CaseId, question: Question, asker: PersonId, purpose: Private, details: Private, until: ServerTime }
    /// Its answer.
    Answered { case: CaseId, by: PersonId, answer: Answer }
    /// It is used up.
    Used { case: CaseId }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Lets an external person work on a device.
    OpenTicket(TicketOpened),
    /// Ends that. Urgent.
    CloseTicket {
        /// Which.
        case: CaseId,
    },
    /// Asks for a second person's yes.
    Ask {
        /// Drawn by the caller.
        case: CaseId,
        /// What.
        question: Question,
        /// What for.
        purpose: Private,
        /// What exactly.
        details: Private,
        /// Falls away by then.
        until: ServerTime,
    },
    /// Gives it, or not: somebody else than who asked.
    Answer {
        /// Which.
        case: CaseId,
        /// Yes or no.
        answer: Answer,
    },
    /// Uses the yes up, by who asked, once.
    Use {
        /// Which.
        case: CaseId,
    },
}

impl Command {
    pub(crate) fn check(self, state: &State, by: By, at: ServerTime) -> Result<Vec<Change>, Refusal> {
        let said = crate::command::said;
        let open = |case: CaseId| {
            let approval = state.approvals.get(&case).ok_or(Refusal::NoSuchCase)?;
            if at >= approval.until { Err(Refusal::AlreadyOver) } else { Ok(approval) }
        };
        Ok(vec![match self {
            Self::OpenTicket(opened) => {
                let person = state.known(opened.person)?;
                if !matches!(person.kind, Kind::External(_)) {
                    return Err(Refusal::NotExternal);
                }
                if person.disabled.is_some() {
                    return Err(Refusal::PersonDisabled);
                }
                if person.pledged.is_none_or(|until| until <= at) {
                    return Err(Refusal::NoPledge);
                }
                if by.person() == Some(opened.person) {
                    return Err(Refusal::SecondPerson);
                }
                if opened.until <= at {
                    return Err(Refusal::AlreadyOver);
                }
                if state.ticket(opened.person, &opened.device, at).is_some() {
                    return Err(Refusal::AlreadyOpen);
                }
                said("a reason", &opened.reason)?;
                opened.into()
            }
            Self::CloseTicket { case } => {
                if !state.tickets.get(&case).ok_or(Refusal::NoSuchCase)?.runs(at) {
                    return Err(Refusal::AlreadyClosed);
                }
                TicketClosed { case }.into()
            }
            Self::Ask { case, question, purpose, details, until } => {
                let asker = by.person().ok_or(Refusal::NeedsPerson)?;
                said("a purpose", &purpose)?;
                said("the question", &details)?;
                if until <= at {
                    return Err(Refusal::AlreadyOver);
                }
                Asked { case, question, asker, purpose, details, until }.into()
            }
            Self::Answer { case, answer } => {
                let approval = open(case)?;
                if approval.answer.is_some() {
                    return Err(Refusal::AlreadyApproved);
                }
                let by = by.person().filter(|by| *by != approval.asked_by).ok_or(Refusal::SecondPerson)?;
                Answered { case, by, answer }.into()
            }
            Self::Use { case } => {
                let approval = open(case)?;
                if by.person() != Some(approval.asked_by) {
                    return Err(Refusal::NotYours);
                }
                match approval.answer {
                    Some((_, _, Answer::Approved)) if approval.used.is_none() => Used { case }.into(),
                    Some((_, _, Answer::Approved)) => return Err(Refusal::AlreadyUsed),
                    Some((_, _, Answer::Declined)) => return Err(Refusal::Declined),
                    None => return Err(Refusal::NotApproved),
                }
            }
        }])
    }
}

impl State {
    pub(crate) fn ticket_opened(&mut self, entry: &Entry, data: TicketOpened) {
        let TicketOpened { case, person, device, reason, until } = data;
        let (by, opened) = (entry.by, entry.at);
        self.tickets.insert(case, Ticket { case, person, device, reason, by, opened, until, closed: None });
    }

    pub(crate) fn asked(&mut self, entry: &Entry, data: Asked) {
        let Asked { case, question, asker, purpose, details, until } = data;
        let asked = entry.at;
        let approval =
            Approval { case, question, asked_by: asker, asked, purpose, details, until, answer: None, used: None };
        self.approvals.insert(case, approval);
    }

    /// The running ticket of this person for this device; none for somebody whose pledge of secrecy is over.
    #[must_use]
    pub fn ticket(&self, person: PersonId, device: &DeviceId, now: ServerTime) -> Option<&Ticket> {
        self.tickets_of(person, now).find(|ticket| ticket.device == *device)
    }

    /// Running tickets of this person; none for somebody whose pledge of secrecy is over.
    pub fn tickets_of(&self, person: PersonId, now: ServerTime) -> impl Iterator<Item = &Ticket> {
        let pledged = self.pledged(person, now);
        self.tickets.values().filter(move |ticket| pledged && ticket.person == person && ticket.runs(now))
    }

    /// Whether this person's pledge of secrecy is in force (§ 203(4) StGB).
    #[must_use]
    pub fn pledged(&self, person: PersonId, now: ServerTime) -> bool {
        self.person(person).is_some_and(|p| p.disabled.is_none() && p.pledged.is_some_and(|until| now < until))
    }

    /// Every ticket.
    pub fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.tickets.values()
    }

    /// One question and its answer.
    #[must_use]
    pub fn approval(&self, case: CaseId) -> Option<&Approval> {
        self.approvals.get(&case)
    }

    /// Every question and its answer.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.values()
    }
}
