//! What patients ask for: access, correction, erasure, restriction, portability, objection (Art. 15 to 18, 20, 21 GDPR), and their treatment file
//! (§ 630g BGB); with the clock of Art. 12(3).
//!
//! INVARIANT: the clock starts with the receipt and has no pause; it is extended at most once, in time, with a reason; a refusal names a ground of the
//! law and says why; nothing is handed out to somebody who was not identified.

use crate::calendar::{Calendar, last_day};
use crate::people::data;
use crate::{By, Change, Entry, Private, Refusal, State};
use obhut_model::{CaseId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A copy of the data (Art. 15).
    Access,
    /// A correction (Art. 16).
    Rectification,
    /// Erasure (Art. 17).
    Erasure,
    /// Restriction (Art. 18).
    Restriction,
    /// The data in a form for another (Art. 20).
    Portability,
    /// An objection (Art. 21).
    Objection,
    /// The treatment file (§ 630g BGB).
    TreatmentFile,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requester {
    /// The patient.
    Patient,
    /// Somebody who may ask for them, by name.
    Representative(Private),
}

/// By which way it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// From the patients' own pages: already identified.
    Own,
    /// A letter.
    Letter,
    /// An e-mail.
    Mail,
    /// Said, in person or on the telephone.
    Spoken,
}

/// Why the law lets a request be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// Manifestly unfounded (Art. 12(5)(b) GDPR).
    Unfounded,
    /// Excessive, in particular repetitive (Art. 12(5)(b) GDPR).
    Excessive,
    /// The requester could not be identified (Art. 12(2), 11(2) GDPR).
    NotIdentified,
    /// A duty to keep the data (Art. 17(3)(b) GDPR with § 630f(3) BGB).
    RetentionDuty,
    /// Needed for legal claims (Art. 17(3)(e), 21(1) GDPR).
    LegalClaims,
    /// Considerable therapeutic reasons (§ 630g(1) BGB).
    Therapeutic,
    /// Considerable rights of others (Art. 15(4) GDPR, § 630g(1) BGB).
    ThirdParty,
    /// The right does not reach these data: their processing rests neither on consent nor on a contract (Art. 20(1)(a) GDPR).
    NotPortable,
    /// The right does not reach these data: their processing rests neither on Art. 6(1)(e) nor (f) (Art. 21(1) GDPR).
    NoObjection,
    /// The data are right as they are (Art. 16 GDPR).
    Accurate,
    /// None of the cases of Art. 17(1) or 18(1) GDPR.
    NoCase,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Fulfilled {
        /// When.
        at: ServerTime,
        /// How.
        text: Private,
    },
    /// Refused.
    Refused {
        /// When.
        at: ServerTime,
        /// On which ground.
        ground: Ground,
        /// Why.
        text: Private,
    },
    /// The patient no longer asks.
    Withdrawn {
        /// When.
        at: ServerTime,
    },
}

impl Outcome {
    /// When.
    #[must_use]
    pub const fn at(&self) -> ServerTime {
        match self {
            Self::Fulfilled { at, .. } | Self::Refused { at, .. } | Self::Withdrawn { at } => *at,
        }
    }
}

/// The one extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// When it was told to the patient.
    pub at: ServerTime,
    /// Why.
    pub reason: Private,
}

/// Something that was done on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: ServerTime,
    /// By whom.
    pub by: By,
    /// What.
    pub text: Private,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which.
    pub case: CaseId,
    /// Whose data.
    pub subject: Subject,
    /// For what.
    pub kind: Kind,
    /// By which way.
    pub channel: Channel,
    /// Who asks.
    pub requester: Requester,
    /// In their words.
    pub text: Private,
    /// When it reached the hospital; the clock runs from here.
    pub received: ServerTime,
    /// When it was entered.
    pub entered: ServerTime,
    /// The first instant that is too late, extension included.
    pub due: ServerTime,
    /// When whoever works on it is warned.
    pub alerts: Vec<ServerTime>,
    /// How many of these warnings went out.
    pub alerted: u32,
    /// How the requester was identified, and when.
    pub identified: Option<(ServerTime, Private)>,
    /// The one extension.
    pub extension: Option<Extension>,
    /// What was done.
    pub steps: Vec<Step>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Request {
    /// Whether it waits.
    #[must_use]
    pub const fn open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether it is or was answered too late.
    #[must_use]
    pub fn overdue(&self, now: ServerTime) -> bool {
        self.outcome.as_ref().map_or(now, Outcome::at) >= self.due
    }
}

data! {
    /// It reached the hospital.
    Received {
        case: CaseId, subject: Subject, about: Kind, channel: Channel, requester: Requester, text: Private, received: ServerTime,
        due: ServerTime, alerts: Vec<ServerTime>,
    }
    /// The requester is who they say.
    Identified { case: CaseId, how: Private }
    /// It takes longer.
    Extended { case: CaseId, reason: Private, due: ServerTime }
    /// Something was done.
    Stepped { case: CaseId, text: Private }
    /// It is refused.
    Refused { case: CaseId, ground: Ground, text: Private }
    /// It is done.
    Fulfilled { case: CaseId, text: Private }
    /// It is no longer asked.
    Withdrawn { case: CaseId }
    /// So many warnings went out.
    Alerted { case: CaseId, alerts: u32 }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Enters a request.
    Receive {
        /// Drawn by the caller.
        case: CaseId,
        /// Whose data.
        subject: Subject,
        /// For what.
        kind: Kind,
        /// By which way.
        channel: Channel,
        /// Who asks.
        requester: Requester,
        /// In their words; may be empty.
        text: Private,
        /// When it reached the hospital.
        received: ServerTime,
        /// The months of Art. 12(3), first sentence.
        months: u16,
        /// Warnings, in days after the receipt, rising.
        alert_days: Vec<u16>,
        /// Where the hospital stands.
        calendar: Arc<dyn Calendar>,
    },
    /// Notes how the requester was identified.
    Identify {
        /// Which.
        case: CaseId,
        /// How: which document, which sign-in.
        how: Private,
    },
    /// Takes the one extension, before the first period is over.
    Extend {
        /// Which.
        case: CaseId,
        /// Why (complexity, number of requests).
        reason: Private,
        /// The months from the receipt in all: those of the first and the second sentence of Art. 12(3).
        months: u16,
        /// Where the hospital stands.
        calendar: Arc<dyn Calendar>,
    },
    /// Notes something that was done.
    Step {
        /// Which.
        case: CaseId,
        /// What.
        text: Private,
    },
    /// Refuses.
    Refuse {
        /// Which.
        case: CaseId,
        /// On which ground.
        ground: Ground,
        /// Why; goes to the patient.
        text: Private,
    },
    /// Closes as done.
    Fulfil {
        /// Which.
        case: CaseId,
        /// How.
        text: Private,
    },
    /// Closes because the patient no longer asks.
    Withdraw {
        /// Which.
        case: CaseId,
    },
    /// Notes that a warning went out.
    Alert {
        /// Which.
        case: CaseId,
    },
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Command {
    pub(crate) fn check(self, state: &State, at: ServerTime) -> Result<Vec<Change>, Refusal> {
        let open = |case: CaseId| {
            let request = state.requests.get(&case).ok_or(Refusal::NoSuchCase)?;
            if request.open() { Ok(request) } else { Err(Refusal::AlreadyClosed) }
        };
        let said = crate::command::said;
        Ok(vec![match self {
            Self::Receive { case, subject, kind, channel, requester, text, received, months, alert_days, calendar } => {
                if received > at {
                    return Err(Refusal::InFuture);
                }
                crate::command::short("the request", &text)?;
                if let Requester::Representative(name) = &requester {
                    said("who asks", name)?;
                }
                let due = calendar.end_of(last_day(calendar.day_of(received), months, &*calendar));
                let alerts =
                    alert_days.iter().map(|days| received.plus_micros(i64::from(*days) * DAY_MICROS)).collect();
                Received { case, subject, about: kind, channel, requester, text, received, due, alerts }.into()
            }
            Self::Identify { case, how } => {
                if open(case)?.identified.is_some() {
                    return Err(Refusal::AlreadyIdentified);
                }
                said("how the requester was identified", &how)?;
                Identified { case, how }.into()
            }
            Self::Extend { case, reason, months, calendar } => {
                let request = open(case)?;
                if request.extension.is_some() {
                    return Err(Refusal::AlreadyExtended);
                }
                if at >= request.due {
                    return Err(Refusal::PastDue);
                }
                said("a reason", &reason)?;
                let due = calendar.end_of(last_day(calendar.day_of(request.received), months, &*calendar));
                if due <= request.due {
                    return Err(Refusal::AlreadyOver);
                }
                Extended { case, reason, due }.into()
            }
            Self::Step { case, text } => {
                open(case)?;
                said("what was done", &text)?;
                Stepped { case, text }.into()
            }
            Self::Refuse { case, ground, text } => {
                let request = open(case)?;
                said("a reason", &text)?;
                if !ground.fits(request.kind) {
                    return Err(Refusal::GroundDoesNotFit);
                }
                if ground == Ground::NotIdentified && request.identified.is_some() {
                    return Err(Refusal::AlreadyIdentified);
                }
                Refused { case, ground, text }.into()
            }
            Self::Fulfil { case, text } => {
                if open(case)?.identified.is_none() {
                    return Err(Refusal::NotIdentified);
                }
                crate::command::short("how it was done", &text)?;
                Fulfilled { case, text }.into()
            }
            Self::Withdraw { case } => {
                open(case)?;
                Withdrawn { case }.into()
            }
            Self::Alert { case } => {
                let request = open(case)?;
                let alerts = passed(&request.alerts, at);
                if alerts <= request.alerted {
                    return Err(Refusal::NotDue);
                }
                Alerted { case, alerts }.into()
            }
        }])
    }
}

impl Ground {
    /// Whether the law knows this ground for such a request.
    #[must_use]
    pub const fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Unfounded | Self::Excessive | Self::NotIdentified => true,
            Self::RetentionDuty => matches!(kind, Kind::Erasure),
            Self::LegalClaims => matches!(kind, Kind::Erasure | Kind::Objection),
            Self::Therapeutic => matches!(kind, Kind::TreatmentFile),
            Self::ThirdParty => matches!(kind, Kind::Access | Kind::TreatmentFile | Kind::Portability),
            Self::NotPortable => matches!(kind, Kind::Portability),
            Self::NoObjection => matches!(kind, Kind::Objection),
            Self::Accurate => matches!(kind, Kind::Rectification),
            Self::NoCase => matches!(kind, Kind::Erasure | Kind::Restriction),
        }
    }
}

fn passed(times: &[ServerTime], now: ServerTime) -> u32 {
    u32::try_from(times.iter().filter(|time| **time <= now).count()).unwrap_or(u32::MAX)
}

impl State {
    pub(crate) fn request_received(&mut self, entry: &Entry, data: Received) {
        self.requests.insert(
            data.case,
            Request {
                case: data.case,
                subject: data.subject,
                kind: data.about,
                channel: data.channel,
                requester: data.requester,
                text: data.text,
                received: data.received,
                entered: entry.at,
                due: data.due,
                alerts: data.alerts,
                alerted: 0,
                identified: None,
                extension: None,
                steps: Vec::new(),
                outcome: None,
            },
        );
    }

    /// One request.
    #[must_use]
    pub fn request(&self, case: CaseId) -> Option<&Request> {
        self.requests.get(&case)
    }

    /// Every request; open ones first, the most urgent before the others.
    #[must_use]
    pub fn requests(&self) -> Vec<&Request> {
        let mut all: Vec<_> = self.requests.values().collect();
        all.sort_by_key(|request| (!request.open(), request.due, request.case));
        all
    }

    /// Requests whose next warning is due at `now`.
    #[must_use]
    pub fn request_alerts(&self, now: ServerTime) -> Vec<&Request> {
        self.requests.values().filter(|r| r.open() && passed(&r.alerts, now) > r.alerted).collect()
    }
}
