//! The alarms of one place: from what is known about conditions to alarms with phases and states.
//!
//! For each key (rule, and for technical alarms code and device) there is at most one alarm at a time. An episode, which is a run of the
//! condition that lasted its delay, gets exactly one alarm, whether its facts come in order, late, twice, or again after a restart:
//! the runs carry the number of their alarm.

use super::input::{Place, SecondOpinion};
use super::output::{Alarm, AlarmId, AlarmKey, Cause, Evidence, What};
use super::profile::{Profile, Signalling};
use super::quiet::Quiet;
use super::reason::Reason;
use super::track::{Class, Run, Track};
use super::words::{AlarmType, Inactivation, Phase, State};
use obhut_model::{DeviceId, DeviceTime, Quality, ServerTime};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A state stands until it is taken back.
pub(crate) const UNTIL_TAKEN_BACK: i64 = i64::MAX / 4;

/// Reports of one state no further apart than this, in microseconds, are kept as one: a detector that repeats itself.
const STATES_JOINED: i64 = 10_000_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TrackKey {
    pub(crate) alarm: AlarmKey,
    pub(crate) step: u8,
    pub(crate) source: Option<DeviceId>,
}

/// The newest fact that spoke for an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latest {
    pub(crate) at: DeviceTime,
    pub(crate) values: Vec<Option<f64>>,
    pub(crate) source: Option<DeviceId>,
    #[serde(with = "crate::form::quality")]
    pub(crate) quality: Quality,
    pub(crate) opinion: SecondOpinion,
}

/// How the facts of one key become an alarm.
pub(crate) struct Plan<'a> {
    pub(crate) kind: AlarmType,
    /// How long a fact stands, microseconds.
    pub(crate) hold: i64,
    /// Least urgent first; `None`: switched off at the bedside.
    pub(crate) steps: Vec<Option<Signalling>>,
    /// Whether a contradiction by a second signal makes it less urgent.
    pub(crate) can_be_contradicted: bool,
    /// Makes the reason of a step from the newest fact.
    pub(crate) reason: &'a dyn Fn(u8, &Latest) -> Reason,
    /// Which of two values lies further beyond the limit.
    pub(crate) worse: fn(f64, f64) -> f64,
}

/// What the alarms of a place need to know about it, and where their records go.
pub(crate) struct Around<'a> {
    pub(crate) now: ServerTime,
    pub(crate) place: &'a Place,
    pub(crate) epoch: i64,
    pub(crate) profile: &'a Profile,
    pub(crate) numbers: &'a mut BTreeMap<AlarmKey, u32>,
    pub(crate) quiet: &'a mut Quiet,
    pub(crate) out: &'a mut Vec<What>,
}

/// What holds now.
#[derive(Clone, Copy)]
struct Level {
    /// The most urgent step.
    step: u8,
    /// Whether fresh facts say so.
    fresh: bool,
    /// Since when any step holds.
    from: i64,
}

/// The alarms of one place and what they rest on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Board {
    #[serde(with = "crate::form::pairs")]
    pub(crate) tracks: BTreeMap<TrackKey, Track>,
    #[serde(with = "crate::form::pairs")]
    pub(crate) latest: BTreeMap<AlarmKey, Latest>,
    #[serde(with = "crate::form::pairs")]
    pub(crate) alarms: BTreeMap<AlarmKey, Alarm>,
}

impl Around<'_> {
    pub(crate) fn micros(&self) -> i64 {
        self.now.micros()
    }

    /// Records a change of `alarm`. A new or more urgent alarm ends an audio pause first, by the profile's rule.
    pub(crate) fn emit(&mut self, phase: Phase, cause: Cause, alarm: &mut Alarm) {
        if matches!(phase, Phase::Start | Phase::Escalate) {
            self.quiet.alarm_raised(self.profile.pauses.broken_by, alarm, self.out);
        }
        alarm.inactivation = self.quiet.inactivation(alarm);
        alarm.reported_at = self.now;
        self.out.push(What::Alarm { phase, cause, alarm: Box::new(alarm.clone()) });
    }
}

impl Board {
    /// Takes one fact in.
    pub(crate) fn note(&mut self, key: TrackKey, at: i64, class: Class, hold: i64) {
        // A state is told when it changes; what was told at different times stays apart, so that each has its own onset.
        let joined = if hold >= UNTIL_TAKEN_BACK { STATES_JOINED } else { hold };
        self.tracks.entry(key).or_default().note(at, class, joined);
    }

    /// Remembers the newest fact that spoke for the alarm.
    pub(crate) fn remember(&mut self, key: &AlarmKey, latest: Latest) {
        match self.latest.get_mut(key) {
            Some(known) if known.at > latest.at => {}
            Some(known) => *known = latest,
            None => drop(self.latest.insert(key.clone(), latest)),
        }
    }

    fn track_keys(&self, key: &AlarmKey) -> Vec<TrackKey> {
        let first = TrackKey { alarm: key.clone(), step: 0, source: None };
        self.tracks.range(first..).map(|(key, _)| key).take_while(|found| found.alarm == *key).cloned().collect()
    }

    /// All keys that time alone can change: those with an alarm, or with a run that may yet become one.
    pub(crate) fn pending(&self) -> Vec<AlarmKey> {
        let waiting = self.tracks.iter().filter(|(_, track)| track.has_unraised());
        let mut keys: Vec<AlarmKey> = waiting.map(|(key, _)| key.alarm.clone()).collect();
        keys.extend(self.alarms.keys().cloned());
        keys.sort();
        keys.dedup();
        keys
    }

    /// Brings the alarm of `key` up to what is known. `cause` is named if that ends it.
    pub(crate) fn settle(&mut self, key: &AlarmKey, plan: &Plan<'_>, cause: Cause, around: &mut Around<'_>) {
        let tracks = self.track_keys(key);
        for track_key in tracks.iter().rev() {
            self.raise_due(track_key, plan, around);
        }
        let level = self.level(&tracks, plan, around.micros());
        self.reconcile(key, plan, level, cause, around);
    }

    /// Gives every run of one track that lasted its delay an alarm, once. Called for the most urgent step first.
    fn raise_due(&mut self, track_key: &TrackKey, plan: &Plan<'_>, around: &mut Around<'_>) {
        let Some(Some(signal)) = plan.steps.get(usize::from(track_key.step)) else { return };
        let Some(track) = self.tracks.get(track_key).filter(|track| track.has_unraised()) else { return };
        let delay = signal.delays.total().micros();
        for run in track.runs(around.micros(), plan.hold) {
            let number = match run.raised {
                Some(_) => continue,
                None if !run.lasted(delay) => continue,
                None if run.current => self.raise_current(track_key, plan, run, around),
                None => self.raise_late(track_key, plan, run, around),
            };
            if let Some(track) = self.tracks.get_mut(track_key) {
                track.mark(run, number, run.from);
            }
        }
    }

    fn raise_current(&mut self, track: &TrackKey, plan: &Plan<'_>, run: Run, around: &mut Around<'_>) -> u32 {
        match self.alarms.get(&track.alarm) {
            // Another step or source of the same rule: one alarm, whose priority follows.
            Some(alarm) if alarm.state == State::Active && self.supported(alarm, around.micros(), plan.hold) => {
                return alarm.id.n;
            }
            // Latched, or its own run turned out to have ended before this one began.
            Some(alarm) => {
                let ended = self.ended_at(alarm, around.micros(), plan.hold);
                if let Some(alarm) = self.alarms.get_mut(&track.alarm) {
                    alarm.ended = alarm.ended.or(Some(DeviceTime::from_micros(ended)));
                }
                self.release(&track.alarm, Cause::Superseded, around);
            }
            None => {}
        }
        let mut alarm = self.make(track, plan, run, around);
        alarm.state = State::Active;
        let number = alarm.id.n;
        around.emit(Phase::Start, Cause::Condition, &mut alarm);
        self.alarms.insert(track.alarm.clone(), alarm);
        number
    }

    /// Whether the run an alarm was raised for may still hold.
    fn supported(&self, alarm: &Alarm, now: i64, hold: i64) -> bool {
        self.track_keys(&alarm.id.key)
            .iter()
            .filter_map(|key| self.tracks.get(key).and_then(|track| track.current(now, hold)))
            .any(|run| run.raised == Some(alarm.id.n))
    }

    /// When the run an alarm was raised for ended, as far as is known.
    fn ended_at(&self, alarm: &Alarm, now: i64, hold: i64) -> i64 {
        let tracks = self.track_keys(&alarm.id.key);
        let runs = tracks.iter().filter_map(|key| self.tracks.get(key)).flat_map(|track| track.runs(now, hold));
        runs.filter(|run| run.raised == Some(alarm.id.n)).map(|run| run.until).max().unwrap_or(now)
    }

    /// An episode whose facts arrived after it was over: signalled as latched, so that nobody misses it, unless the rule has an alarm now.
    fn raise_late(&mut self, track: &TrackKey, plan: &Plan<'_>, run: Run, around: &mut Around<'_>) -> u32 {
        if let Some((number, step)) = self.overlapping(track, run, around.micros(), plan.hold) {
            // Another step or source already has an alarm for this time; a more urgent step makes it more urgent.
            match self.alarms.get_mut(&track.alarm) {
                Some(alarm) if alarm.id.n == number => {
                    alarm.latched = alarm.latched.max(Some(track.step));
                    return number;
                }
                _ if step >= track.step => return number,
                _ => {}
            }
        }
        let mut alarm = self.make(track, plan, run, around);
        alarm.late = true;
        alarm.ended = Some(DeviceTime::from_micros(run.until));
        alarm.state = State::Latched;
        alarm.latched = Some(track.step);
        let number = alarm.id.n;
        around.emit(Phase::Start, Cause::FoundLate, &mut alarm);
        match self.alarms.get(&track.alarm) {
            Some(_) => {
                alarm.state = State::Inactive;
                around.emit(Phase::Reset, Cause::Superseded, &mut alarm);
            }
            None => drop(self.alarms.insert(track.alarm.clone(), alarm)),
        }
        number
    }

    /// Number and step of a run of another track of the same alarm that shares time with `run` and has an alarm.
    fn overlapping(&self, own: &TrackKey, run: Run, now: i64, hold: i64) -> Option<(u32, u8)> {
        self.track_keys(&own.alarm)
            .into_iter()
            .filter(|other| other != own)
            .filter_map(|other| self.tracks.get(&other).map(|track| (other.step, track.runs(now, hold))))
            .flat_map(|(step, runs)| runs.into_iter().map(move |run| (step, run)))
            .filter(|(_, other)| other.from <= run.until && run.from <= other.until)
            .filter_map(|(step, other)| other.raised.map(|number| (number, step)))
            .max_by_key(|(_, step)| *step)
    }

    fn make(&mut self, track: &TrackKey, plan: &Plan<'_>, run: Run, around: &mut Around<'_>) -> Alarm {
        let number = around.numbers.entry(track.alarm.clone()).or_insert(0);
        *number += 1;
        let id = AlarmId { place: around.place.clone(), key: track.alarm.clone(), epoch: around.epoch, n: *number };
        let latest = self.latest.get(&track.alarm).cloned().unwrap_or_else(|| Latest {
            at: DeviceTime::from_micros(run.from),
            values: Vec::new(),
            source: track.source.clone(),
            quality: Quality::GOOD,
            opinion: SecondOpinion::Unclear { reason: String::new() },
        });
        let signal = signal_of(plan, track.step);
        let reason = (plan.reason)(track.step, &latest);
        let mut alarm = Alarm {
            id,
            kind: plan.kind,
            priority: signal.priority,
            declared: signal.priority,
            downgraded: None,
            state: State::Active,
            inactivation: Inactivation::Enabled,
            worst: reason.value(),
            reason,
            rule_version: around.profile.version.clone(),
            delays: signal.delays,
            source: latest.source.clone().or_else(|| track.alarm.source.clone()),
            quality: latest.quality,
            evidence: Evidence::Known,
            onset: DeviceTime::from_micros(run.from),
            raised_at: around.now,
            ended: None,
            late: false,
            acknowledged: None,
            calling: None,
            step: track.step,
            latched: signal.latching.then_some(track.step),
            opinion: latest.opinion,
            reported_at: around.now,
        };
        weigh(&mut alarm, plan);
        alarm
    }

    /// What holds now; `None`: nothing does.
    fn level(&self, tracks: &[TrackKey], plan: &Plan<'_>, now: i64) -> Option<Level> {
        let mut level: Option<Level> = None;
        for key in tracks {
            let Some(Some(_)) = plan.steps.get(usize::from(key.step)) else { continue };
            let Some(run) = self.tracks.get(key).and_then(|track| track.current(now, plan.hold)) else { continue };
            let fresh = now.saturating_sub(run.seen) <= plan.hold;
            if run.raised.is_none() || (!fresh && self.outvoted(tracks, key, plan, now)) {
                continue;
            }
            let own = Level { step: key.step, fresh, from: run.from };
            level = Some(match level {
                Some(other) => Level {
                    step: other.step.max(own.step),
                    fresh: match other.step.cmp(&own.step) {
                        Ordering::Less => own.fresh,
                        Ordering::Equal => own.fresh || other.fresh,
                        Ordering::Greater => other.fresh,
                    },
                    from: other.from.min(own.from),
                },
                None => own,
            });
        }
        level
    }

    /// Whether another device says freshly that the same condition is over, while this one has fallen silent.
    fn outvoted(&self, tracks: &[TrackKey], own: &TrackKey, plan: &Plan<'_>, now: i64) -> bool {
        tracks.iter().filter(|other| other.step == own.step && other.source != own.source).any(|other| {
            let last = self.tracks.get(other).and_then(Track::last);
            last.is_some_and(|(at, calm)| calm && now.saturating_sub(at) <= plan.hold)
        })
    }

    /// Brings one alarm up to the level that holds; a latched step keeps it. `// REQ-ALM-001 REQ-ALM-002`
    fn reconcile(
        &mut self,
        key: &AlarmKey,
        plan: &Plan<'_>,
        level: Option<Level>,
        cause: Cause,
        around: &mut Around<'_>,
    ) {
        let Some(alarm) = self.alarms.get_mut(key) else { return };
        let Some(Level { step, fresh, from }) = level else {
            if alarm.state == State::Active {
                self.end(key, plan.hold, cause, around);
            } else {
                let before = alarm.priority;
                weigh(alarm, plan);
                report_priority(alarm, before, around);
            }
            return;
        };
        let latest = self.latest.get(key);
        let resumed = alarm.state == State::Latched;
        alarm.state = State::Active;
        alarm.ended = None;
        alarm.step = step;
        if alarm.onset.micros() != from {
            // Facts that arrived late show that it began earlier, or later than was thought.
            alarm.onset = DeviceTime::from_micros(from);
            let (number, now) = (alarm.id.n, around.micros());
            for (_, track) in self.tracks.iter_mut().filter(|(track, _)| track.alarm == *key) {
                if let Some(run) = track.current(now, plan.hold).filter(|run| run.raised == Some(number)) {
                    track.mark(run, number, from);
                }
            }
        }
        let signal = signal_of(plan, step);
        if signal.latching && alarm.acknowledged.as_ref().is_none_or(|ack| ack.priority < signal.priority) {
            alarm.latched = alarm.latched.max(Some(step));
        }
        let (before, evidence_before) = (alarm.priority, alarm.evidence);
        let mut changed = false;
        if let Some(latest) = latest {
            let reason = (plan.reason)(step, latest);
            changed = reason != alarm.reason || latest.quality != alarm.quality;
            alarm.worst = match (alarm.worst, reason.value()) {
                (Some(a), Some(b)) => Some((plan.worse)(a, b)),
                (a, b) => b.or(a),
            };
            alarm.reason = reason;
            alarm.quality = latest.quality;
            alarm.source.clone_from(&latest.source);
            alarm.opinion = latest.opinion.clone();
        }
        alarm.evidence = if fresh && alarm.quality.is_trusted() { Evidence::Known } else { Evidence::Unknown };
        alarm.delays = signal.delays;
        weigh(alarm, plan);
        let due = around.now.since(alarm.reported_at) >= around.profile.update_every.micros();
        if resumed {
            around.emit(Phase::Continue, Cause::Value, alarm);
        } else if alarm.priority != before {
            report_priority(alarm, before, around);
        } else if alarm.evidence != evidence_before || (changed && due) {
            around.emit(Phase::Update, Cause::Value, alarm);
        }
    }

    fn end(&mut self, key: &AlarmKey, hold: i64, cause: Cause, around: &mut Around<'_>) {
        let ended = self.alarms.get(key).map_or(0, |alarm| self.ended_at(alarm, around.micros(), hold));
        let Some(mut alarm) = self.alarms.remove(key) else { return };
        alarm.ended = Some(DeviceTime::from_micros(ended));
        alarm.evidence = Evidence::Known;
        // Whoever has acknowledged an alarm has seen it; nothing is left to be latched for.
        let stays = alarm.latched.is_some();
        alarm.state = if stays { State::Latched } else { State::Inactive };
        around.emit(Phase::End, cause, &mut alarm);
        if stays {
            self.alarms.insert(key.clone(), alarm);
        }
    }

    /// Lets a latched alarm go, or ends an active one whatever its condition is.
    pub(crate) fn release(&mut self, key: &AlarmKey, cause: Cause, around: &mut Around<'_>) {
        let Some(mut alarm) = self.alarms.remove(key) else { return };
        let phase = if alarm.state == State::Latched { Phase::Reset } else { Phase::End };
        alarm.state = State::Inactive;
        alarm.ended = alarm.ended.or(Some(DeviceTime::from_micros(around.micros())));
        alarm.calling = None;
        around.emit(phase, cause, &mut alarm);
    }

    /// Ends every alarm and forgets what was known, except the count of alarms.
    pub(crate) fn clear(&mut self, cause: &Cause, around: &mut Around<'_>) {
        for key in self.alarms.keys().cloned().collect::<Vec<_>>() {
            self.release(&key, cause.clone(), around);
        }
        let now = around.micros();
        // The tracks stay, empty, so that older facts that arrive late raise nothing in what comes after.
        self.tracks.values_mut().for_each(|track| track.forget_until(now));
        self.latest.clear();
    }

    /// Begins anew: what may still hold is raised again.
    pub(crate) fn restart(&mut self, now: i64) {
        self.tracks.values_mut().for_each(|track| track.restart(now));
    }

    /// Forgets one alarm's facts and the alarm itself.
    pub(crate) fn withdraw(&mut self, key: &AlarmKey, cause: Cause, around: &mut Around<'_>) {
        self.release(key, cause, around);
        for track in self.track_keys(key) {
            self.tracks.remove(&track);
        }
        self.latest.remove(key);
    }

    /// Reports every alarm whose silence changed.
    pub(crate) fn refresh_silence(&mut self, cause: &Cause, around: &mut Around<'_>) {
        for alarm in self.alarms.values_mut() {
            if around.quiet.inactivation(alarm) != alarm.inactivation {
                around.emit(Phase::Update, cause.clone(), alarm);
            }
        }
    }
}

fn signal_of(plan: &Plan<'_>, step: u8) -> Signalling {
    // A step without a rule never has a run: `raise_due` and `level` look first. The least urgent stands in.
    plan.steps
        .get(usize::from(step))
        .copied()
        .flatten()
        .or_else(|| plan.steps.iter().copied().flatten().next())
        .unwrap_or(Signalling {
            priority: super::words::Priority::Low,
            delays: super::profile::Delays::default(),
            latching: false,
        })
}

/// Sets the priority from the step that holds or is latched, one lower if a second signal speaks against it. `// REQ-ALM-010`
fn weigh(alarm: &mut Alarm, plan: &Plan<'_>) {
    let step = if alarm.state == State::Active { alarm.latched.max(Some(alarm.step)) } else { alarm.latched };
    alarm.declared = signal_of(plan, step.unwrap_or(alarm.step)).priority;
    alarm.downgraded = match &alarm.opinion {
        SecondOpinion::Contradicted { reason } if plan.can_be_contradicted => Some(reason.clone()),
        _ => None,
    };
    alarm.priority = if alarm.downgraded.is_some() { alarm.declared.one_lower() } else { alarm.declared };
}

fn report_priority(alarm: &mut Alarm, before: super::words::Priority, around: &mut Around<'_>) {
    let cause = if alarm.downgraded.is_some() { Cause::Opinion } else { Cause::Value };
    if alarm.priority > before {
        // What was acknowledged was something less urgent.
        if alarm.acknowledged.as_ref().is_some_and(|ack| ack.priority < alarm.priority) {
            alarm.acknowledged = None;
        }
        around.emit(Phase::Escalate, cause, alarm);
    } else if alarm.priority < before {
        // Should it become more urgent again, that is news again.
        if let Some(ack) = &mut alarm.acknowledged {
            ack.priority = ack.priority.min(alarm.priority);
        }
        around.emit(Phase::Deescalate, cause, alarm);
    }
}
