//! Who answers: responsibility for a bed, and the way an unanswered alarm takes from one to the next.
//!
//! Timeouts and order come from the profile. A call is a record; how it reaches a telephone is for the shells. Accepting an alarm ends its
//! escalation and silences nothing; acknowledging it does both.

use super::bed::{Bed, Moment, Which, parts};
use super::board::{Around, Board};
use super::output::{Alarm, Calling, Cause, What};
use super::profile::{Callee, Condition, Profile, TechnicalKind};
use super::words::Inactivation;
use obhut_model::{PersonId, ServerTime};
use serde::{Deserialize, Serialize};

/// Who answers for a bed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Duty {
    /// Who is responsible now; nobody yet, if `None`.
    pub responsible: Option<PersonId>,
    /// An offer that was not answered yet.
    pub offer: Option<Offer>,
}

/// A bed offered to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// To whom.
    pub to: PersonId,
    /// By whom.
    pub by: PersonId,
    /// When.
    pub at: ServerTime,
}

impl Bed {
    /// Calls about every alarm for which it is time. `// REQ-ALM-013`
    pub(crate) fn call(&mut self, moment: &mut Moment<'_>) {
        let responsible = self.duty.responsible;
        for which in [Which::Devices, Which::Patient] {
            let (board, mut around) = parts!(self, which, moment);
            call(board, responsible, &mut around);
        }
    }

    pub(crate) fn is_unanswered(&self) -> bool {
        self.alarms().any(|alarm| alarm.calling.as_ref().is_some_and(|calling| calling.unanswered))
    }
}

/// Calls about every alarm of a board for which it is time.
pub(crate) fn call(board: &mut Board, responsible: Option<PersonId>, around: &mut Around<'_>) {
    for alarm in board.alarms.values_mut() {
        if !is_called(alarm, around.profile) {
            continue;
        }
        let more_urgent = alarm.calling.as_ref().is_none_or(|calling| alarm.priority > calling.priority);
        let due = alarm.calling.as_ref().is_some_and(|calling| {
            calling.accepted.is_none() && calling.next_at.is_some_and(|next_at| next_at <= around.now)
        });
        if more_urgent {
            step(alarm, 0, Cause::First, responsible, around);
        } else if due {
            let next = alarm.calling.as_ref().map_or(0, |calling| calling.step.saturating_add(1));
            step(alarm, next, Cause::Elapsed, responsible, around);
        }
    }
}

/// An alarm somebody has seen, or that is paused by whoever stands at the bed, is not called about.
fn is_called(alarm: &Alarm, profile: &Profile) -> bool {
    let about_calling = profile
        .rule(alarm.id.rule())
        .is_some_and(|rule| matches!(rule.condition, Condition::Technical { kind: TechnicalKind::Unanswered, .. }));
    alarm.acknowledged.is_none() && alarm.inactivation != Inactivation::AlarmPaused && !about_calling
}

/// Calls the given step of the alarm's escalation, or the next that reaches anybody.
pub(crate) fn step(alarm: &mut Alarm, from: u8, cause: Cause, responsible: Option<PersonId>, around: &mut Around<'_>) {
    let Some(escalation) = around.profile.escalation.iter().find(|e| e.priority == alarm.priority) else { return };
    let reachable = (0u8..)
        .zip(&escalation.steps)
        .skip(usize::from(from))
        .find(|(_, call)| call.to != Callee::Responsible || responsible.is_some());
    let accepted = None;
    let Some((step, call)) = reachable else {
        let reached = alarm.calling.as_ref().map_or(0, |calling| calling.step);
        alarm.calling =
            Some(Calling { priority: alarm.priority, step: reached, next_at: None, accepted, unanswered: true });
        around.out.push(What::Unanswered { alarm: alarm.id.clone() });
        return;
    };
    let next_at = Some(around.now.plus_micros(call.answer_within.micros()));
    alarm.calling = Some(Calling { priority: alarm.priority, step, next_at, accepted, unanswered: false });
    around.out.push(What::Called {
        alarm: alarm.id.clone(),
        step,
        to: call.to.clone(),
        person: responsible.filter(|_| call.to == Callee::Responsible),
        cause,
    });
}
