//! What patients agreed to: which words, when, in which language, who signed, by which way; and until when (Art. 7 and 9(2)(a) GDPR).
//!
//! Treatment is not here: it does not run on consent, so that a withdrawal never stops care. There is one decision in force for a patient and a purpose,
//! the latest; giving or refusing again replaces it, and what was replaced or withdrawn never comes back.
//!
//! INVARIANT: [`State::consent`] is true only for a decision that is known, given, signed by now, not expired, not withdrawn and not replaced. Everything
//! else, and everything unknown, is no.

use crate::people::data;
use crate::{Change, Digest, Entry, Private, Refusal, State};
use obhut_model::{CaseId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// The patient.
    Patient,
    /// Somebody who may sign for them: a guardian, a parent, by name.
    Representative(Private),
}

/// By which way a decision came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A signed sheet, entered by staff.
    Paper,
    /// On a screen of the ward, with staff.
    Screen,
    /// Said before staff, who wrote it down.
    Spoken,
    /// By the patients themselves, on their own pages.
    Own,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Yes.
    Given,
    /// No, and asked.
    Refused,
}

/// One decision of a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Which.
    pub case: CaseId,
    /// Whose.
    pub subject: Subject,
    /// What for.
    pub purpose: Arc<str>,
    /// On which form of the charter.
    pub form: Arc<str>,
    /// In which version.
    pub version: Arc<str>,
    /// SHA-256 of the words the patient saw.
    pub text: Digest,
    /// In which language.
    pub language: Arc<str>,
    /// Who signed.
    pub signer: Signer,
    /// By which way.
    pub channel: Channel,
    /// Yes or no.
    pub decision: Decision,
    /// When it was signed.
    pub signed: ServerTime,
    /// When it was entered.
    pub entered: ServerTime,
    /// Until when it counts.
    pub expires: ServerTime,
    /// Taken back, then, by this way.
    pub withdrawn: Option<(ServerTime, Channel)>,
    /// A later decision took its place, then.
    pub replaced: Option<(ServerTime, CaseId)>,
}

/// How a decision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    InForce,
    /// The patient said no.
    Refused,
    /// The patient took it back.
    Withdrawn,
    /// A later decision counts.
    Replaced,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
}

impl Consent {
    /// How it stands at `now`.
    #[must_use]
    pub fn standing(&self, now: ServerTime) -> Standing {
        match self.decision {
            _ if self.withdrawn.is_some() => Standing::Withdrawn,
            _ if self.replaced.is_some() => Standing::Replaced,
            Decision::Refused => Standing::Refused,
            Decision::Given if now >= self.expires => Standing::Expired,
            Decision::Given if now < self.signed => Standing::NotYet,
            Decision::Given => Standing::InForce,
        }
    }

    /// When it stopped counting, if it did: the start of the period for which the proof is kept.
    #[must_use]
    pub fn ended(&self, now: ServerTime) -> Option<ServerTime> {
        let expired = (now >= self.expires).then_some(self.expires);
        let ends = [self.withdrawn.map(|(at, _)| at), self.replaced.map(|(at, _)| at), expired];
        ends.into_iter().flatten().min()
    }
}

data! {
    /// A decision.
    Decided {
        case: CaseId, subject: Subject, purpose: Arc<str>, form: Arc<str>, version: Arc<str>, text: Digest, language: Arc<str>,
        signer: Signer, channel: Channel, decision: Decision, signed: ServerTime, expires: ServerTime,
    }
    /// A later one.
    Replaced { case: CaseId, by: CaseId }
    /// Taken back.
    Withdrawn { case: CaseId, channel: Channel }
}

/// What can be asked of this area.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Enters a decision. The one in force for the same purpose is replaced.
    Decide(Decided),
    /// Takes a consent back. Urgent: it counts at once, whatever the log does.
    Withdraw {
        /// Which.
        case: CaseId,
        /// By which way.
        channel: Channel,
    },
}

impl Command {
    pub(crate) fn check(self, state: &State, at: ServerTime) -> Result<Vec<Change>, Refusal> {
        match self {
            Self::Decide(decided) => {
                if decided.signed > at {
                    return Err(Refusal::InFuture);
                }
                if decided.expires <= at {
                    return Err(Refusal::AlreadyOver);
                }
                match &decided.signer {
                    Signer::Representative(name) if name.is_blank() => return Err(Refusal::Empty("who signed")),
                    Signer::Representative(name) => crate::command::short("who signed", name)?,
                    Signer::Patient => {}
                }
                let latest = state.consents_of(decided.subject).filter(|c| c.purpose == decided.purpose);
                let mut open: Vec<&Consent> =
                    latest.filter(|c| c.withdrawn.is_none() && c.replaced.is_none()).collect();
                // A sheet found later must not take the place of what the patient said after signing it.
                let newer = state
                    .consents_of(decided.subject)
                    .filter(|c| c.purpose == decided.purpose)
                    .any(|c| c.signed > decided.signed || c.withdrawn.is_some_and(|(when, _)| when > decided.signed));
                if newer {
                    return Err(Refusal::NewerDecision);
                }
                open.sort_by_key(|c| c.case);
                let by = decided.case;
                let mut changes: Vec<Change> =
                    open.into_iter().map(|old| Replaced { case: old.case, by }.into()).collect();
                changes.push(decided.into());
                Ok(changes)
            }
            Self::Withdraw { case, channel } => {
                let consent = state.consents.get(&case).ok_or(Refusal::NoSuchCase)?;
                match consent.standing(at) {
                    Standing::InForce | Standing::Expired | Standing::NotYet => {
                        Ok(vec![Withdrawn { case, channel }.into()])
                    }
                    Standing::Withdrawn => Err(Refusal::AlreadyWithdrawn),
                    Standing::Replaced | Standing::Refused => Err(Refusal::NotInForce),
                }
            }
        }
    }
}

impl State {
    pub(crate) fn consent_decided(&mut self, entry: &Entry, data: Decided) {
        self.consents_by.entry(data.subject).or_default().insert(data.case);
        self.consents.insert(
            data.case,
            Consent {
                case: data.case,
                subject: data.subject,
                purpose: data.purpose,
                form: data.form,
                version: data.version,
                text: data.text,
                language: data.language,
                signer: data.signer,
                channel: data.channel,
                decision: data.decision,
                signed: data.signed,
                entered: entry.at,
                expires: data.expires,
                withdrawn: None,
                replaced: None,
            },
        );
    }

    /// Whether `subject` consents to `purpose` at `now`. Unknown means no.
    #[must_use]
    pub fn consent(&self, subject: Subject, purpose: &str, now: ServerTime) -> bool {
        self.consents_of(subject).any(|c| *c.purpose == *purpose && c.standing(now) == Standing::InForce)
    }

    /// Every decision of a patient.
    pub fn consents_of(&self, subject: Subject) -> impl Iterator<Item = &Consent> {
        self.consents_by.get(&subject).into_iter().flatten().filter_map(|case| self.consents.get(case))
    }

    /// One decision.
    #[must_use]
    pub fn consent_case(&self, case: CaseId) -> Option<&Consent> {
        self.consents.get(&case)
    }

    /// Everybody who consents to `purpose` at `now`.
    pub fn consenting<'a>(&'a self, purpose: &'a str, now: ServerTime) -> impl Iterator<Item = Subject> + 'a {
        let given =
            self.consents.values().filter(move |c| *c.purpose == *purpose && c.standing(now) == Standing::InForce);
        given.map(|c| c.subject)
    }
}
