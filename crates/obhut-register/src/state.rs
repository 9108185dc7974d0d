//! Everything the log says, folded: where questions are answered.
//!
//! INVARIANT: a pure function of the entries. It depends on their order only within one thing ([`Key`]); entries of different things commute, so that
//! what was urgent may come into force before it is written.

use crate::care::CareCase;
use crate::consents::Consent;
use crate::emergencies::{Emergency, Review};
use crate::invitations::{Fate, Invitations};
use crate::keeping::{Erasure, Export, Hold, Scope};
use crate::outside::{Approval, Ticket};
use crate::people::{Kind, People, Training};
use crate::requests::{Extension, Outcome, Request, Step};
use crate::rights::{Correction, NoticeShown, Restriction};
use crate::{Change, Entry, Key};
use obhut_model::{CaseId, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// The register as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// What is known, and about whom.
    things: BTreeMap<Key, Option<Subject>>,
    pub(crate) people: People,
    pub(crate) invitations: Invitations,
    pub(crate) care: Cases<CareCase>,
    pub(crate) care_of: BTreeMap<Subject, BTreeSet<CaseId>>,
    pub(crate) consents: Cases<Consent>,
    pub(crate) consents_by: BTreeMap<Subject, BTreeSet<CaseId>>,
    pub(crate) emergencies: Cases<Emergency>,
    pub(crate) requests: Cases<Request>,
    pub(crate) restrictions: Cases<Restriction>,
    pub(crate) corrections: Cases<Correction>,
    pub(crate) notices: Cases<NoticeShown>,
    pub(crate) holds: Cases<Hold>,
    pub(crate) erasures: Cases<Erasure>,
    pub(crate) exports: Cases<Export>,
    pub(crate) tickets: Cases<Ticket>,
    pub(crate) approvals: Cases<Approval>,
}

/// Things by their identifier.
pub(crate) type Cases<T> = BTreeMap<CaseId, T>;

/// Why an entry cannot follow on what is there: the log has a hole, or was tampered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// It changes what does not exist.
    #[error("it changes something that was never begun")]
    Unknown,
    /// It begins what exists.
    #[error("it begins something that exists")]
    Twice,
    /// Its row says it is about somebody else.
    #[error("its row is kept under another patient than what it belongs to")]
    About,
}

impl State {
    /// Whom the thing is about that `change` belongs to.
    ///
    /// # Errors
    /// [`Misfit`] if it changes what does not exist or begins what does.
    pub(crate) fn about(&self, change: &Change) -> Result<Option<Subject>, Misfit> {
        match (begins(change), self.things.get(&change.key())) {
            (Some(about), None) => Ok(about),
            (None, Some(about)) => Ok(*about),
            (Some(_), Some(_)) => Err(Misfit::Twice),
            (None, None) => Err(Misfit::Unknown),
        }
    }

    /// Whom a thing is about.
    pub(crate) fn whom(&self, key: Key) -> Option<Subject> {
        self.things.get(&key).copied().flatten()
    }

    /// Puts an entry into force.
    ///
    /// # Errors
    /// [`Misfit`]; then nothing was changed.
    pub(crate) fn fold(&mut self, entry: &Entry) -> Result<Option<Subject>, Misfit> {
        let about = self.about(&entry.change)?;
        self.things.entry(entry.change.key()).or_insert(about);
        self.apply(entry);
        Ok(about)
    }

    fn apply(&mut self, entry: &Entry) {
        let at = entry.at;
        let people = &mut self.people;
        match entry.change.clone() {
            Change::PersonAdded(data) => people.added(entry, data),
            Change::PersonRenamed(data) => people.with(data.person, |person| person.name = data.name),
            Change::RoleGranted(data) => people.granted(entry, data),
            Change::RoleEnded(data) => people.ended(entry, &data),
            Change::Trained(data) => people.with(data.person, |person| {
                person.trainings.insert(data.training, Training { on: data.on, until: data.until });
            }),
            Change::Pledged(data) => people.with(data.person, |person| person.pledged = Some(data.until)),
            Change::PersonDisabled(data) => people.with(data.person, |person| person.disabled = Some(at)),
            Change::PersonEnabled(data) => people.with(data.person, |person| person.disabled = None),
            Change::OidcLinked(data) => people.linked(data),
            Change::OidcUnlinked(data) => people.unlinked(data.person),
            Change::CredentialAdded(data) => people.credential_added(entry, data),
            Change::CredentialUsed(data) => people.credential_used(entry, data),
            Change::CredentialRemoved(data) => people.credential_removed(&data),
            Change::Invited(data) => self.invitations.made(entry, data),
            Change::InvitationUsed(data) => self.invitations.end(data.case, Fate::Used(at)),
            Change::InvitationRevoked(data) => self.invitations.end(data.case, Fate::Revoked(at)),
            Change::CareOpened(data) => self.care_opened(entry, data),
            Change::CareClosed(data) => with(&mut self.care, data.case, |case| case.closed = Some(at)),
            Change::ConsentDecided(data) => self.consent_decided(entry, data),
            Change::ConsentReplaced(data) => with(&mut self.consents, data.case, |c| c.replaced = Some((at, data.by))),
            Change::ConsentWithdrawn(data) => {
                with(&mut self.consents, data.case, |c| c.withdrawn = Some((at, data.channel)));
            }
            Change::EmergencyOpened(data) => self.emergency_opened(entry, data),
            Change::EmergencyExplained(data) => with(&mut self.emergencies, data.case, |e| e.text = data.text),
            Change::EmergencyStopped(data) => with(&mut self.emergencies, data.case, |e| e.stopped = Some(at)),
            Change::EmergencyReviewed(data) => with(&mut self.emergencies, data.case, |e| {
                e.review = Some(Review { at, by: data.reviewer, verdict: data.verdict, text: data.text });
            }),
            Change::EmergencyReminded(data) => with(&mut self.emergencies, data.case, |e| e.reminded = data.reminders),
            Change::EmergencyEscalated(data) => with(&mut self.emergencies, data.case, |e| e.escalated = Some(at)),
            Change::RequestReceived(data) => self.request_received(entry, data),
            Change::RequestIdentified(data) => {
                with(&mut self.requests, data.case, |r| r.identified = Some((at, data.how)))
            }
            Change::RequestExtended(data) => with(&mut self.requests, data.case, |r| {
                r.due = data.due;
                r.extension = Some(Extension { at, reason: data.reason });
            }),
            Change::RequestStepped(data) => with(&mut self.requests, data.case, |r| {
                r.steps.push(Step { at, by: entry.by, text: data.text });
            }),
            Change::RequestRefused(data) => with(&mut self.requests, data.case, |r| {
                r.outcome = Some(Outcome::Refused { at, ground: data.ground, text: data.text });
            }),
            Change::RequestFulfilled(data) => with(&mut self.requests, data.case, |r| {
                r.outcome = Some(Outcome::Fulfilled { at, text: data.text });
            }),
            Change::RequestWithdrawn(data) => {
                with(&mut self.requests, data.case, |r| r.outcome = Some(Outcome::Withdrawn { at }));
            }
            Change::RequestAlerted(data) => with(&mut self.requests, data.case, |r| r.alerted = data.alerts),
            Change::Restricted(data) => self.restricted_from(entry, data),
            Change::RestrictionLifted(data) => {
                with(&mut self.restrictions, data.case, |r| r.lifted = Some((at, data.reason)));
            }
            Change::Corrected(data) => self.corrected(entry, data),
            Change::CorrectedAgain(data) => self.corrected_again(entry, data),
            Change::NoticeGiven(data) => self.notice(
                data.case,
                NoticeShown {
                    case: data.case,
                    subject: data.subject,
                    notice: data.notice,
                    version: data.version,
                    shown: Some(at),
                    put_off: None,
                },
            ),
            Change::NoticePutOff(data) => self.notice(
                data.case,
                NoticeShown {
                    case: data.case,
                    subject: data.subject,
                    notice: data.notice,
                    version: data.version,
                    shown: None,
                    put_off: Some((data.until, data.reason)),
                },
            ),
            Change::NoticeMadeUp(data) => with(&mut self.notices, data.case, |n| n.shown = Some(at)),
            Change::HoldProposed(data) => self.hold_proposed(entry, data),
            Change::HoldApproved(data) => with(&mut self.holds, data.case, |h| h.approved = Some((at, entry.by))),
            Change::HoldReviewed(data) => with(&mut self.holds, data.case, |h| h.review = data.review),
            Change::HoldReleased(data) => with(&mut self.holds, data.case, |h| h.released = Some((at, data.reason))),
            Change::ErasureDecided(data) => self.erasure_decided(entry, data),
            Change::ErasureStepped(data) => with(&mut self.erasures, data.case, |e| e.steps.push((at, data.step))),
            Change::ErasureCertified(data) => {
                with(&mut self.erasures, data.case, |e| e.certificate = Some(data.certificate));
            }
            Change::Exported(data) => self.exported(entry, data),
            Change::TicketOpened(data) => self.ticket_opened(entry, data),
            Change::TicketClosed(data) => with(&mut self.tickets, data.case, |t| t.closed = Some(at)),
            Change::ApprovalAsked(data) => self.asked(entry, data),
            Change::ApprovalAnswered(data) => {
                with(&mut self.approvals, data.case, |a| a.answer = Some((at, data.by, data.answer)));
            }
            Change::ApprovalUsed(data) => with(&mut self.approvals, data.case, |a| a.used = Some(at)),
        }
    }

    fn notice(&mut self, case: CaseId, notice: NoticeShown) {
        self.notices.insert(case, notice);
    }

    /// Takes one thing out, as if its entries had never been.
    pub(crate) fn remove(&mut self, key: Key) {
        self.things.remove(&key);
        match key {
            Key::Person(person) => self.people.remove(person),
            Key::Case(case) => self.remove_case(case),
        }
    }

    fn remove_case(&mut self, case: CaseId) {
        self.invitations.remove(case);
        if let Some(gone) = self.care.remove(&case) {
            without(&mut self.care_of, gone.subject, case);
        }
        if let Some(gone) = self.consents.remove(&case) {
            without(&mut self.consents_by, gone.subject, case);
        }
        self.emergencies.remove(&case);
        self.requests.remove(&case);
        self.restrictions.remove(&case);
        self.corrections.remove(&case);
        self.notices.remove(&case);
        self.holds.remove(&case);
        self.erasures.remove(&case);
        self.exports.remove(&case);
        self.tickets.remove(&case);
        self.approvals.remove(&case);
    }

    /// Takes everything out that is about `subject`.
    pub(crate) fn forget(&mut self, subject: Subject) -> Vec<Key> {
        let gone: Vec<Key> =
            self.things.iter().filter(|(_, about)| **about == Some(subject)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.remove(*key);
        }
        gone
    }
}

/// Whom a thing is about that this change begins; `None` if it changes a thing that must be there.
fn begins(change: &Change) -> Option<Option<Subject>> {
    match change {
        Change::PersonAdded(data) => Some(match data.kind {
            Kind::Patient(subject) => Some(subject),
            Kind::Staff | Kind::External(_) => None,
        }),
        Change::Invited(data) => Some(data.about),
        Change::CareOpened(data) => Some(Some(data.subject)),
        Change::ConsentDecided(data) => Some(Some(data.subject)),
        Change::EmergencyOpened(data) => Some(Some(data.subject)),
        Change::RequestReceived(data) => Some(Some(data.subject)),
        Change::Restricted(data) => Some(Some(data.subject)),
        Change::Corrected(data) => Some(Some(data.subject)),
        Change::NoticeGiven(data) => Some(Some(data.subject)),
        Change::NoticePutOff(data) => Some(Some(data.subject)),
        Change::HoldProposed(data) => Some(match data.scope {
            Scope::Subject(subject) => Some(subject),
            Scope::Class(_) => None,
        }),
        // About nobody: it must outlive the key of whom it erased.
        Change::ErasureDecided(_) | Change::Exported(_) | Change::TicketOpened(_) | Change::ApprovalAsked(_) => {
            Some(None)
        }
        _ => None,
    }
}

fn with<T>(cases: &mut Cases<T>, case: CaseId, change: impl FnOnce(&mut T)) {
    if let Some(thing) = cases.get_mut(&case) {
        change(thing);
    }
}

fn without(index: &mut BTreeMap<Subject, BTreeSet<CaseId>>, subject: Subject, case: CaseId) {
    if let Some(cases) = index.get_mut(&subject) {
        cases.remove(&case);
        if cases.is_empty() {
            index.remove(&subject);
        }
    }
}
