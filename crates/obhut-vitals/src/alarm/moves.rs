//! The patient's way: limits, alarms and history go with the patient, equipment and its alarms stay with the bed. Other profiles.

use super::bed::{Bed, Which, parts, plain};
use super::engine::{Engine, EngineError};
use super::input::Move;
use super::output::{Cause, Output, Refusal, What};
use super::profile::{Condition, Profile, ProfileId, RuleId};
use super::stay::Stay;
use super::words::Phase;
use crate::limits::{CLOSED_MAX, REASON_CHARS_MAX};
use obhut_model::{BedId, PersonId, RequestId, ServerTime, Subject};

impl Engine {
    pub(crate) fn patient(&mut self, way: &Move, out: &mut Vec<Output>) {
        let done = match way {
            Move::Admit { subject, bed } => self.admit(*subject, bed, out),
            Move::Transfer { subject, to } => self.transfer(*subject, to, out),
            Move::Discharge { subject } => self.discharge(*subject, out),
        };
        if let Err(why) = done {
            self.refuse(None, why, out);
        }
    }

    fn admit(&mut self, subject: Subject, bed: &BedId, out: &mut Vec<Output>) -> Result<(), Refusal> {
        match self.bed_of(subject) {
            Some(there) if there == *bed => return Ok(()),
            Some(_) => return Err(Refusal::Elsewhere),
            None => {}
        }
        let found = self.beds.get(bed).ok_or(Refusal::UnknownBed)?;
        if found.stay.subject.is_some() {
            return Err(Refusal::Occupied);
        }
        let earlier = self.closed.iter().position(|stay| stay.subject == Some(subject));
        let earlier = earlier.and_then(|at| self.closed.remove(at));
        let now = self.now;
        self.at_bed(bed, out, |bed, moment| {
            // Whoever was monitored here without a name is this patient: what alarms goes on.
            bed.stay.subject = Some(subject);
            bed.stay.since = now;
            bed.stay.attended_from = bed.stay.attended_from.max(now.micros());
            moment.out.push(What::Admitted);
            let Some(earlier) = earlier else { return };
            bed.stay.limits = earlier.limits;
            bed.stay.watch = earlier.watch;
            let mut history = earlier.history;
            history.append(&mut bed.stay.history);
            bed.stay.history = history;
            for id in bed.stay.limits.keys().map(|(rule, _)| rule.clone()).collect::<Vec<RuleId>>() {
                bed.weigh_anew(&id, Cause::Patient, moment);
            }
        });
        Ok(())
    }

    /// `// REQ-ALM-016`
    fn transfer(&mut self, subject: Subject, to: &BedId, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let from = self.bed_of(subject).ok_or(Refusal::NotHere)?;
        if from == *to {
            return Ok(());
        }
        let there = self.beds.get(to).ok_or(Refusal::UnknownBed)?;
        if there.stay.subject.is_some() {
            return Err(Refusal::Occupied);
        }
        let empty = Stay { here_since: self.now.micros(), ..Stay::new(self.default.clone(), None, self.now) };
        let Some(old) = self.beds.get_mut(&from) else { return Err(Refusal::NotHere) };
        let mut stay = std::mem::replace(&mut old.stay, empty);
        stay.here_since = self.now.micros();
        self.at_bed(to, out, |bed, moment| {
            // What was measured at the new bed without a patient is nobody's.
            end_all(bed, Which::Patient, moment);
            bed.stay = stay;
            moment.out.push(What::Moved { from: from.clone() });
            let (board, mut around) = parts!(bed, Which::Patient, moment);
            for alarm in board.alarms.values_mut() {
                around.emit(Phase::Continue, Cause::Patient, alarm);
            }
        });
        Ok(())
    }

    fn discharge(&mut self, subject: Subject, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let bed = self.bed_of(subject).ok_or(Refusal::NotHere)?;
        self.at_bed(&bed, out, |bed, moment| {
            end_all(bed, Which::Patient, moment);
            bed.stay.quiet.resume(&Cause::Patient, moment.out);
            moment.out.push(What::Discharged);
        });
        let empty = Stay { here_since: self.now.micros(), ..Stay::new(self.default.clone(), None, self.now) };
        if let Some(bed) = self.beds.get_mut(&bed) {
            self.closed.push_back(std::mem::replace(&mut bed.stay, empty));
        }
        while self.closed.len() > CLOSED_MAX {
            self.closed.pop_front();
        }
        Ok(())
    }

    pub(crate) fn use_profile(
        &mut self,
        bed: &BedId,
        id: &ProfileId,
        by: PersonId,
        reason: &str,
        act: RequestId,
        out: &mut Vec<Output>,
    ) {
        let Some(new) = self.profiles.iter().find(|profile| profile.id == *id).cloned() else {
            return self.refuse(Some(act), Refusal::UnknownProfile, out);
        };
        if reason.trim().is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            return self.refuse(Some(act), Refusal::Reason, out);
        }
        let Some(old) = self.profile_of(bed).cloned() else { return };
        if let Some(bed) = self.beds.get_mut(bed) {
            bed.stay.profile = id.clone();
        }
        self.at_bed(bed, out, |bed, moment| {
            moment.out.push(What::ProfileUsed { profile: id.clone(), by, reason: reason.to_owned() });
            change_rules(bed, &old, &new, moment);
        });
    }

    pub(crate) fn profile_of(&self, bed: &BedId) -> Option<&Profile> {
        let id = &self.beds.get(bed)?.stay.profile;
        let named = self.profiles.iter().find(|profile| profile.id == *id);
        named.or_else(|| self.profiles.iter().find(|profile| profile.id == self.default))
    }

    /// Puts other profiles in force, as a new charter asks for. Alarms whose rules stay go on; limits set at the bedside stay. `// REQ-ALM-018`
    ///
    /// # Errors
    /// [`EngineError`] if one is wrong or the default is missing; the old ones stay in force then.
    pub fn reload(
        &mut self,
        profiles: Vec<Profile>,
        default: ProfileId,
        now: ServerTime,
    ) -> Result<Vec<Output>, EngineError> {
        self.now = self.now.max(now);
        let old: Vec<(BedId, Option<Profile>)> =
            self.beds.keys().map(|id| (id.clone(), self.profile_of(id).cloned())).collect();
        self.take_profiles(profiles, default)?;
        let mut out = Vec::new();
        for (id, old) in old {
            let new = self.profile_of(&id).cloned();
            if let (Some(old), Some(new)) = (old, new) {
                if let Some(bed) = self.beds.get_mut(&id) {
                    bed.stay.profile = new.id.clone();
                }
                self.at_bed(&id, &mut out, |bed, moment| change_rules(bed, &old, &new, moment));
            }
        }
        Ok(out)
    }
}

fn end_all(bed: &mut Bed, which: Which, moment: &mut super::bed::Moment<'_>) {
    let (board, mut around) = parts!(bed, which, moment);
    board.clear(&Cause::Patient, &mut around);
}

/// From one profile's rules to another's: what is the same goes on, what is gone ends with that reason, what is new or different looks at
/// the newest values.
fn change_rules(bed: &mut Bed, old: &Profile, new: &Profile, moment: &mut super::bed::Moment<'_>) {
    // A limit set at the bedside for a rule that is gone means nothing any more.
    bed.stay.limits.retain(|(id, priority), _| {
        new.rule(id).is_some_and(|rule| rule.condition.signals().any(|(_, signal)| signal.priority == *priority))
    });
    for rule in &old.rules {
        let same_sort = |other: &Condition| std::mem::discriminant(other) == std::mem::discriminant(&rule.condition);
        let stays = new
            .rule(&rule.id)
            .is_some_and(|other| same_sort(&other.condition) && other.condition.code() == rule.condition.code());
        if stays {
            continue;
        }
        for which in [Which::Devices, Which::Patient] {
            let (board, mut around) = parts!(bed, which, moment);
            let mut keys: Vec<_> = board.tracks.keys().map(|key| key.alarm.clone()).collect();
            keys.extend(board.alarms.keys().cloned());
            keys.retain(|key| key.rule == rule.id);
            keys.dedup();
            for key in keys {
                board.withdraw(&key, Cause::Profile, &mut around);
            }
        }
    }
    for rule in new.rules.iter().filter(|rule| old.rule(&rule.id) != Some(rule)) {
        if rule.condition.code().is_some() {
            bed.weigh_anew(&rule.id, Cause::Profile, moment);
        } else {
            bed.settle(Which::Patient, rule, &plain(rule), Cause::Profile, moment);
        }
    }
}
