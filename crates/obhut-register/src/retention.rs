//! What the register itself keeps too long: each kind of record, when it ended, and so when its retention period began.
//!
//! The periods are the charter's; [`crate::Register::remove`] takes out what they are over for.

use crate::requests::Outcome;
use crate::{Key, State};
use obhut_model::{ServerTime, Subject};

/// Kinds of records, each with one start of its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Record {
    /// Somebody who can no longer sign in: since then.
    Person,
    /// A one-time link: since it was used, taken back, or expired.
    Invitation,
    /// A physician's case: since it was closed.
    Care,
    /// A consent: since it was withdrawn, replaced, or expired.
    Consent,
    /// An emergency access: since it was judged.
    Emergency,
    /// A request: since it was answered.
    Request,
    /// A restriction: since it was lifted.
    Restriction,
    /// A hold: since it was released or fell away.
    Hold,
    /// A ticket: since it was closed or ran out.
    Ticket,
    /// A second person's answer: since it was used or fell away.
    Approval,
    /// A project's set: since it was handed out.
    Export,
}

/// A record that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which, for [`crate::Register::remove`].
    pub key: Key,
    /// What.
    pub record: Record,
    /// About whom.
    pub about: Option<Subject>,
    /// When its period began.
    pub at: ServerTime,
}

impl State {
    /// Every record that ended by `now`. Corrections, notices and erasures do not end: they go with the patient, or stay.
    #[must_use]
    pub fn ended(&self, now: ServerTime) -> Vec<Ended> {
        let by_then = |end: ServerTime| (end <= now).then_some(end);
        let mut found: Vec<(Key, Record, Option<ServerTime>)> = Vec::new();
        found.extend(self.people().map(|p| (Key::Person(p.id), Record::Person, p.disabled)));
        found.extend(self.invitations.by_case.values().map(|i| (i.case.into(), Record::Invitation, i.ended(now))));
        found.extend(self.care.values().map(|c| (c.case.into(), Record::Care, c.closed)));
        found.extend(self.consents.values().map(|c| (c.case.into(), Record::Consent, c.ended(now))));
        let reviewed = self.emergencies.values().map(|e| (e.case, e.review.as_ref().map(|review| review.at)));
        found.extend(reviewed.map(|(case, at)| (case.into(), Record::Emergency, at)));
        let answered = self.requests.values().map(|r| (r.case, r.outcome.as_ref().map(Outcome::at)));
        found.extend(answered.map(|(case, at)| (case.into(), Record::Request, at)));
        let lifted = self.restrictions.values().map(|r| (r.case, r.lifted.as_ref().map(|(at, _)| *at)));
        found.extend(lifted.map(|(case, at)| (case.into(), Record::Restriction, at)));
        let released = self.holds.values().map(|h| match (&h.released, h.approved) {
            (Some((at, _)), _) => (h.case, Some(*at)),
            (None, None) => (h.case, by_then(h.approve_by)),
            (None, Some(_)) => (h.case, None),
        });
        found.extend(released.map(|(case, at)| (case.into(), Record::Hold, at)));
        let closed = self.tickets.values().map(|t| (t.case, t.closed.or_else(|| by_then(t.until))));
        found.extend(closed.map(|(case, at)| (case.into(), Record::Ticket, at)));
        let used = self.approvals.values().map(|a| (a.case, a.used.or_else(|| by_then(a.until))));
        found.extend(used.map(|(case, at)| (case.into(), Record::Approval, at)));
        found.extend(self.exports.values().map(|e| (e.case.into(), Record::Export, Some(e.at))));
        found
            .into_iter()
            .filter_map(|(key, record, at)| {
                let at = at.and_then(by_then)?;
                Some(Ended { key, record, about: self.whom(key), at })
            })
            .collect()
    }
}
