//! What people do at a bed. Every act is either done and recorded with who and why, or refused with a reason; none fails silently.

use super::bed::{Bed, Moment, Which, in_order, parts, plain};
use super::duty;
use super::input::{Deed, Judgement, Setting};
use super::output::{Acknowledged, AlarmId, Cause, PauseKind, Refusal, What};
use super::profile::{Condition, RuleId, Step};
use super::quiet::{Pause, SoundOff};
use super::stay::{LimitSet, StandbySince};
use super::words::{Phase, Priority, State};
use crate::Seconds;
use crate::limits::REASON_CHARS_MAX;
use obhut_model::{Code, PersonId};

type Done = Result<(), Refusal>;

impl Bed {
    /// Does one act at this bed. Acts that name an alarm come here only if it is at this bed.
    pub(crate) fn act(&mut self, who: PersonId, deed: &Deed, moment: &mut Moment<'_>) -> Done {
        match deed {
            Deed::Acknowledge { alarm, judged } => self.acknowledge(who, alarm, *judged, moment),
            Deed::PauseAudio { length, .. } => self.pause(PauseKind::Audio, who, *length, None, moment),
            Deed::PauseAlarms { length, reason, .. } => {
                checked(reason)?;
                self.pause(PauseKind::Alarms, who, *length, Some(reason.clone()), moment)
            }
            Deed::Resume { .. } => {
                self.stay.quiet.resume(&Cause::Person(who), moment.out);
                Ok(())
            }
            Deed::AudioOff { reason, .. } => self.audio_off(who, reason, moment),
            Deed::SetLimit { rule, priority, to, reason, .. } => {
                self.set_limit(who, rule, *priority, *to, reason, moment)
            }
            Deed::Watch { code, expected, reason, .. } => self.watch(who, *code, *expected, reason, moment),
            Deed::Standby { reason, .. } => self.standby(who, reason, moment),
            Deed::Back { .. } => self.back(who, moment),
            // The engine changes profiles, which it holds.
            Deed::UseProfile { .. } => Ok(()),
            Deed::Take { .. } | Deed::Offer { .. } | Deed::AcceptBed { .. } | Deed::RejectBed { .. } => {
                self.responsibility(who, deed, moment)
            }
            Deed::Accept { alarm } => self.answer(who, alarm, None, moment),
            Deed::Reject { alarm, reason } => {
                checked(reason)?;
                self.answer(who, alarm, Some(reason.clone()), moment)
            }
            Deed::Escalate { alarm } => self.pass_on(alarm, Cause::Person(who), moment),
        }
    }

    fn which(&self, alarm: &AlarmId) -> Option<Which> {
        let here = |board: &super::board::Board| board.alarms.get(&alarm.key).is_some_and(|found| found.id == *alarm);
        if here(&self.devices) { Some(Which::Devices) } else { here(&self.stay.board).then_some(Which::Patient) }
    }

    pub(crate) fn has(&self, alarm: &AlarmId) -> bool {
        self.which(alarm).is_some()
    }

    /// Silences this alarm and no other; lets it go if it is latched. `// REQ-ALM-006`
    fn acknowledge(&mut self, who: PersonId, id: &AlarmId, judged: Option<Judgement>, moment: &mut Moment<'_>) -> Done {
        let which = self.which(id).ok_or(Refusal::UnknownAlarm)?;
        let (board, mut around) = parts!(self, which, moment);
        acknowledge(board, who, id, judged, &mut around)
    }

    fn pause(
        &mut self,
        kind: PauseKind,
        by: PersonId,
        length: Seconds,
        reason: Option<String>,
        moment: &mut Moment<'_>,
    ) -> Done {
        let pauses = moment.profile.pauses;
        let max = if kind == PauseKind::Audio { pauses.audio_max } else { pauses.alarm_max };
        if length == Seconds::ZERO || length > max {
            return Err(Refusal::PauseLength { max: max.0 });
        }
        let until = moment.now.plus_micros(length.micros());
        let ceiling = self.alarms().map(|alarm| alarm.priority).max().unwrap_or(Priority::None);
        let pause = Some(Pause { until, by, ceiling });
        if kind == PauseKind::Audio {
            self.stay.quiet.audio = pause;
        } else {
            self.stay.quiet.alarms = pause;
        }
        moment.out.push(What::Paused { pause: kind, until: Some(until), by, reason });
        Ok(())
    }

    fn audio_off(&mut self, by: PersonId, reason: &str, moment: &mut Moment<'_>) -> Done {
        checked(reason)?;
        if !moment.profile.pauses.audio_off_allowed {
            return Err(Refusal::NotAllowed);
        }
        let reason = reason.to_owned();
        self.stay.quiet.off = Some(SoundOff { since: moment.now, by, reason: reason.clone() });
        moment.out.push(What::Paused { pause: PauseKind::AudioOff, until: None, by, reason: Some(reason) });
        Ok(())
    }

    /// Sets a limit of this patient. `// REQ-ALM-014`
    fn set_limit(
        &mut self,
        by: PersonId,
        id: &RuleId,
        priority: Priority,
        to: Setting,
        reason: &str,
        moment: &mut Moment<'_>,
    ) -> Done {
        checked(reason)?;
        let rule = moment.profile.rule(id).ok_or(Refusal::UnknownRule)?;
        let bounds = rule.settable.ok_or(Refusal::NotAllowed)?;
        let side = match &rule.condition {
            Condition::Limit { side, .. } => *side,
            // A fall is given as a positive change.
            Condition::Trend { .. } => super::profile::Side::High,
            _ => return Err(Refusal::NotAllowed),
        };
        if !rule.condition.signals().any(|(_, signal)| signal.priority == priority) {
            return Err(Refusal::UnknownRule);
        }
        if matches!(to, Setting::At(limit) if !limit.is_finite() || !(bounds.from..=bounds.to).contains(&limit)) {
            return Err(Refusal::Limit);
        }
        let key = (id.clone(), priority);
        let before = match to {
            Setting::Profile => self.stay.limits.remove(&key),
            _ => self.stay.limits.insert(key.clone(), LimitSet { to, by, at: moment.now, reason: reason.to_owned() }),
        };
        let steps: Vec<Step> =
            self.stay.steps(rule).into_iter().flatten().map(|(limit, signal)| Step { limit, signal }).collect();
        if !in_order(side, &steps) {
            match before {
                Some(before) => drop(self.stay.limits.insert(key, before)),
                None => drop(self.stay.limits.remove(&key)),
            }
            return Err(Refusal::Limit);
        }
        moment.out.push(What::LimitSet { rule: id.clone(), priority, to, by, reason: reason.to_owned() });
        self.weigh_anew(id, Cause::LimitSet, moment);
        Ok(())
    }

    /// Compares the newest values with limits that have just changed. An alarm that still holds goes on as the same alarm; one that no
    /// longer holds ends, and is not latched, for whoever set the limit has seen it.
    pub(crate) fn weigh_anew(&mut self, id: &RuleId, cause: Cause, moment: &mut Moment<'_>) {
        let profile = moment.profile;
        let Some(rule) = profile.rule(id) else { return };
        let (Some(code), key) = (rule.condition.code(), plain(rule)) else { return };
        let number = self.stay.board.alarms.get_mut(&key).map(|alarm| {
            alarm.latched = alarm.latched.filter(|_| alarm.state == State::Latched);
            alarm.id.n
        });
        let active = self.stay.board.alarms.get(&key).is_some_and(|alarm| alarm.state == State::Active);
        let values: Vec<_> = self.stay.of_code(code).map(|(device, value)| (device.clone(), *value)).collect();
        for (track_key, track) in &mut self.stay.board.tracks {
            if track_key.alarm == key {
                let at = values.iter().find(|(device, _)| Some(device) == track_key.source.as_ref());
                track.forget_until(at.map_or(moment.now.micros(), |(_, value)| value.at - 1));
            }
        }
        for (device, value) in values {
            if let Some(number) = value.value {
                self.compare(rule, &device, value.at, number, value.quality, moment);
            }
        }
        if let (Some(number), true) = (number, active) {
            let now = moment.now.micros();
            let hold = super::stay::hold_of(&rule.condition, profile);
            for (_, track) in self.stay.board.tracks.iter_mut().filter(|(track_key, _)| track_key.alarm == key) {
                if let Some(run) = track.current(now, hold) {
                    track.mark(run, number, run.from);
                }
            }
        }
        self.settle(Which::Patient, rule, &key, cause, moment);
    }

    fn watch(&mut self, by: PersonId, code: Code, expected: bool, reason: &str, moment: &mut Moment<'_>) -> Done {
        checked(reason)?;
        if moment.profile.stale_after(code).is_none() {
            return Err(Refusal::UnknownRule);
        }
        self.stay.watch.insert(code.number(), expected);
        moment.out.push(What::WatchSet { code, expected, by, reason: reason.to_owned() });
        if expected {
            self.stay.attended_from = self.stay.attended_from.max(moment.now.micros());
            return Ok(());
        }
        // What was measured by it may go on unknown for ever: nobody will ever say that it is over. Taking the sensor off is an act with a
        // name and a reason, and ends the alarms that rest on it.
        let profile = moment.profile;
        for rule in &profile.rules {
            if rule.condition.code() == Some(code) {
                let key = plain(rule);
                let (board, mut around) = parts!(self, Which::Patient, moment);
                board.withdraw(&key, Cause::NotExpected, &mut around);
            }
        }
        self.stay.values.retain(|(number, _), _| *number != code.number());
        let unwanted: Vec<_> = self.devices.alarms.keys().filter(|key| key.code == Some(code)).cloned().collect();
        for key in unwanted {
            let (board, mut around) = parts!(self, Which::Devices, moment);
            board.withdraw(&key, Cause::NotExpected, &mut around);
        }
        Ok(())
    }

    fn standby(&mut self, by: PersonId, reason: &str, moment: &mut Moment<'_>) -> Done {
        checked(reason)?;
        if self.stay.standby.is_some() {
            return Ok(());
        }
        for which in [Which::Devices, Which::Patient] {
            let (board, mut around) = parts!(self, which, moment);
            if which == Which::Devices {
                // What is wrong with equipment is remembered, and raised again at the end if it still is.
                for key in board.alarms.keys().cloned().collect::<Vec<_>>() {
                    board.release(&key, Cause::Standby, &mut around);
                }
            } else {
                board.clear(&Cause::Standby, &mut around);
            }
        }
        let reason = reason.to_owned();
        self.stay.standby = Some(StandbySince { since: moment.now, by, reason: reason.clone() });
        moment.out.push(What::Standby { on: true, by, reason: Some(reason) });
        Ok(())
    }

    fn back(&mut self, by: PersonId, moment: &mut Moment<'_>) -> Done {
        if self.stay.standby.take().is_none() {
            return Ok(());
        }
        let (board, mut around) = parts!(self, Which::Patient, moment);
        for key in board.alarms.keys().cloned().collect::<Vec<_>>() {
            board.withdraw(&key, Cause::Standby, &mut around);
        }
        let now = moment.now.micros();
        self.stay.board.restart(now);
        self.devices.restart(now);
        // Silence counts from now.
        self.stay.attended_from = now;
        moment.out.push(What::Standby { on: false, by, reason: None });
        Ok(())
    }

    fn responsibility(&mut self, who: PersonId, deed: &Deed, moment: &mut Moment<'_>) -> Done {
        match deed {
            Deed::Offer { to, .. } => {
                self.duty.offer = Some(duty::Offer { to: *to, by: who, at: moment.now });
                moment.out.push(What::Offered { to: *to, by: who });
                return Ok(());
            }
            Deed::AcceptBed { .. } | Deed::RejectBed { .. } => {
                let offered = self.duty.offer.as_ref().is_some_and(|offer| offer.to == who);
                if !offered {
                    return Err(Refusal::NotOffered);
                }
                if let Deed::RejectBed { reason, .. } = deed {
                    checked(reason)?;
                    self.duty.offer = None;
                    moment.out.push(What::OfferRejected { by: who, reason: reason.clone() });
                    return Ok(());
                }
            }
            _ => {}
        }
        self.duty.offer = None;
        let before = self.duty.responsible.replace(who);
        if before != Some(who) {
            moment.out.push(What::Responsible { who, before });
        }
        Ok(())
    }

    fn answer(&mut self, by: PersonId, id: &AlarmId, rejected: Option<String>, moment: &mut Moment<'_>) -> Done {
        let which = self.which(id).ok_or(Refusal::UnknownAlarm)?;
        moment.out.push(What::Answered { alarm: id.clone(), by, rejected: rejected.clone() });
        if rejected.is_some() {
            return self.pass_on(id, Cause::Person(by), moment);
        }
        let (board, _) = parts!(self, which, moment);
        if let Some(alarm) = board.alarms.get_mut(&id.key) {
            let (priority, step) = (alarm.priority, alarm.calling.as_ref().map_or(0, |calling| calling.step));
            let accepted = Some(by);
            alarm.calling = Some(super::output::Calling { priority, step, next_at: None, accepted, unanswered: false });
        }
        Ok(())
    }

    fn pass_on(&mut self, id: &AlarmId, cause: Cause, moment: &mut Moment<'_>) -> Done {
        let which = self.which(id).ok_or(Refusal::UnknownAlarm)?;
        let responsible = self.duty.responsible;
        let (board, mut around) = parts!(self, which, moment);
        if let Some(alarm) = board.alarms.get_mut(&id.key) {
            let next = alarm.calling.as_ref().map_or(0, |calling| calling.step.saturating_add(1));
            duty::step(alarm, next, cause, responsible, &mut around);
        }
        Ok(())
    }
}

/// Silences one alarm of a board; lets it go if it is latched.
pub(crate) fn acknowledge(
    board: &mut super::board::Board,
    who: PersonId,
    id: &AlarmId,
    judged: Option<Judgement>,
    around: &mut super::board::Around<'_>,
) -> Done {
    let alarm = board.alarms.get_mut(&id.key).filter(|alarm| alarm.id == *id).ok_or(Refusal::UnknownAlarm)?;
    let seen = alarm.acknowledged.is_some();
    if !seen {
        alarm.acknowledged = Some(Acknowledged { by: who, at: around.now, judged, priority: alarm.priority });
        alarm.latched = None;
        alarm.calling = None;
    }
    if alarm.state == State::Latched {
        board.release(&id.key, Cause::Person(who), around);
    } else if !seen {
        around.emit(Phase::Update, Cause::Person(who), alarm);
    }
    Ok(())
}

fn checked(reason: &str) -> Done {
    let good = !reason.trim().is_empty() && reason.chars().count() <= REASON_CHARS_MAX;
    if good { Ok(()) } else { Err(Refusal::Reason) }
}
