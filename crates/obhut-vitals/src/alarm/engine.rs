//! The engine of a ward: routes each input to its place and numbers what comes out.
//!
//! Deterministic: the same inputs at the same times give the same records. It asks no clock, allocates nothing that grows without a bound
//! (see [`crate::limits`]) and never blocks. A shell feeds it, shows its records, keeps its snapshot, and ticks it at least once a second.

use super::act;
use super::bed::{Bed, Moment};
use super::board::{Around, Board, TrackKey, UNTIL_TAKEN_BACK};
use super::check::ProfileErrors;
use super::duty;
use super::input::{Act, Deed, Finding, Input, Place, Reading, Technical};
use super::output::{Alarm, AlarmId, AlarmKey, Cause, Output, Refusal, What};
use super::profile::{Profile, ProfileId};
use super::quiet::Quiet;
use super::stay::{Stay, steps_of_profile, technical_key, with_plan};
use super::track::Class;
use crate::limits::{ACTS_MAX, BEDS_MAX};
use obhut_model::{BedId, RequestId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Why an engine cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A profile is wrong.
    #[error(transparent)]
    Profile(#[from] ProfileErrors),
    /// The profile every bed begins with is not among those given.
    #[error("there is no profile `{0}`")]
    NoProfile(ProfileId),
    /// More beds than an engine holds.
    #[error("{0} beds are more than {BEDS_MAX}")]
    TooManyBeds(usize),
    /// A snapshot of another version of this program.
    #[error("the snapshot has version {got}, this program reads {}", super::snapshot::VERSION)]
    Version {
        /// Found.
        got: u32,
    },
}

/// What alarms the parts that serve all beds have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct House {
    pub(crate) board: Board,
    #[serde(with = "crate::form::pairs")]
    pub(crate) numbers: BTreeMap<AlarmKey, u32>,
}

/// All alarms of a ward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    pub(crate) epoch: i64,
    pub(crate) now: ServerTime,
    pub(crate) seq: u64,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) default: ProfileId,
    pub(crate) beds: BTreeMap<BedId, Bed>,
    pub(crate) house: House,
    pub(crate) closed: VecDeque<Stay>,
    pub(crate) acts: VecDeque<RequestId>,
}

impl Engine {
    /// An engine for these beds; each begins with profile `default`. `now` also names this engine in the identifiers of its alarms.
    ///
    /// # Errors
    /// [`EngineError`] if a profile is wrong or missing, or there are too many beds.
    pub fn new(
        beds: impl IntoIterator<Item = BedId>,
        profiles: Vec<Profile>,
        default: ProfileId,
        now: ServerTime,
    ) -> Result<Self, EngineError> {
        let mut engine = Self {
            epoch: now.micros(),
            now,
            seq: 0,
            profiles: Vec::new(),
            default: default.clone(),
            beds: BTreeMap::new(),
            house: House::default(),
            closed: VecDeque::new(),
            acts: VecDeque::new(),
        };
        engine.take_profiles(profiles, default)?;
        for bed in beds {
            let stay = Stay::new(engine.default.clone(), None, now);
            engine.beds.insert(bed.clone(), Bed::new(bed, stay));
        }
        if engine.beds.len() > BEDS_MAX {
            return Err(EngineError::TooManyBeds(engine.beds.len()));
        }
        Ok(engine)
    }

    pub(crate) fn take_profiles(&mut self, profiles: Vec<Profile>, default: ProfileId) -> Result<(), EngineError> {
        for profile in &profiles {
            profile.check()?;
        }
        if !profiles.iter().any(|profile| profile.id == default) {
            return Err(EngineError::NoProfile(default));
        }
        self.profiles = profiles;
        self.default = default;
        Ok(())
    }

    /// Takes one input in. `now`: the server's time; one that lies before an earlier one counts as that.
    pub fn step(&mut self, input: Input, now: ServerTime) -> Vec<Output> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        match input {
            Input::Reading(reading) => self.reading(&reading, &mut out),
            Input::Finding(finding) => self.finding(&finding, &mut out),
            Input::Technical(technical) => self.technical(&technical, &mut out),
            Input::Tick => self.tick(&mut out),
            Input::Act(act) => self.act(&act, &mut out),
            Input::Move(way) => self.patient(&way, &mut out),
        }
        out
    }

    /// The bed to which a value of `subject` that was measured at `bed` goes, and whether it may be used there.
    fn owner(&self, bed: &BedId, subject: Option<Subject>, at: i64) -> Result<Option<BedId>, Refusal> {
        let Some(subject) = subject else {
            let found = self.beds.get(bed).ok_or(Refusal::UnknownBed)?;
            // Measured before whoever lies there now came: it is somebody else's.
            return Ok((at >= found.stay.here_since).then(|| bed.clone()));
        };
        match self.bed_of(subject) {
            Some(bed) => Ok(Some(bed)),
            None => Err(Refusal::NotHere),
        }
    }

    fn reading(&mut self, reading: &Reading, out: &mut Vec<Output>) {
        match self.owner(&reading.bed, reading.subject, reading.taken_at.micros()) {
            Ok(Some(bed)) => self.at_bed(&bed, out, |bed, moment| bed.reading(reading, moment)),
            Ok(None) => {}
            Err(why) => self.refuse(None, why, out),
        }
    }

    fn finding(&mut self, finding: &Finding, out: &mut Vec<Output>) {
        match self.owner(&finding.bed, finding.subject, finding.at.micros()) {
            Ok(Some(bed)) => self.at_bed(&bed, out, |bed, moment| bed.finding(finding, moment)),
            Ok(None) => {}
            Err(why) => self.refuse(None, why, out),
        }
    }

    fn technical(&mut self, technical: &Technical, out: &mut Vec<Output>) {
        match &technical.place {
            Place::Bed(bed) if self.beds.contains_key(bed) => {
                self.at_bed(bed, out, |bed, moment| bed.technical(technical, moment));
            }
            Place::Bed(_) => self.refuse(None, Refusal::UnknownBed, out),
            Place::Ward => {
                let class = if technical.present { Class::Breach } else { Class::Clear };
                let (code, source) = (technical.code, technical.source.clone());
                self.at_house(out, |board, around| {
                    let Some((rule, key)) = technical_key(around.profile, technical.kind, code, source) else { return };
                    let track = TrackKey { alarm: key.clone(), step: 0, source: None };
                    board.note(track, technical.at.micros(), class, UNTIL_TAKEN_BACK);
                    let profile = around.profile;
                    with_plan(rule, &steps_of_profile(rule), profile, &key, |plan| {
                        board.settle(&key, plan, Cause::Condition, around);
                    });
                });
            }
        }
    }

    fn tick(&mut self, out: &mut Vec<Output>) {
        for bed in self.beds.keys().cloned().collect::<Vec<_>>() {
            self.at_bed(&bed, out, Bed::tick);
        }
        self.at_house(out, |board, around| {
            let profile = around.profile;
            for key in board.pending() {
                let Some(rule) = profile.rule(&key.rule) else { continue };
                with_plan(rule, &steps_of_profile(rule), profile, &key, |plan| {
                    board.settle(&key, plan, Cause::Condition, around);
                });
            }
        });
    }

    fn act(&mut self, act: &Act, out: &mut Vec<Output>) {
        if self.acts.contains(&act.id) {
            return;
        }
        self.acts.push_back(act.id);
        while self.acts.len() > ACTS_MAX {
            self.acts.pop_front();
        }
        let who = act.who;
        let bed = match &act.what {
            Deed::Acknowledge { alarm, .. }
            | Deed::Accept { alarm }
            | Deed::Reject { alarm, .. }
            | Deed::Escalate { alarm } => match self.bed_with(alarm) {
                Some(bed) => bed,
                None if *alarm.place() == Place::Ward => return self.act_on_house(act, alarm, out),
                None => return self.refuse(Some(act.id), Refusal::UnknownAlarm, out),
            },
            Deed::PauseAudio { bed, .. }
            | Deed::PauseAlarms { bed, .. }
            | Deed::Resume { bed }
            | Deed::AudioOff { bed, .. }
            | Deed::SetLimit { bed, .. }
            | Deed::Watch { bed, .. }
            | Deed::Standby { bed, .. }
            | Deed::Back { bed }
            | Deed::UseProfile { bed, .. }
            | Deed::Take { bed }
            | Deed::Offer { bed, .. }
            | Deed::AcceptBed { bed }
            | Deed::RejectBed { bed, .. } => bed.clone(),
        };
        if !self.beds.contains_key(&bed) {
            return self.refuse(Some(act.id), Refusal::UnknownBed, out);
        }
        if let Deed::UseProfile { profile, reason, .. } = &act.what {
            return self.use_profile(&bed, profile, who, reason, act.id, out);
        }
        self.at_bed(&bed, out, |bed, moment| {
            if let Err(why) = bed.act(who, &act.what, moment) {
                moment.out.push(What::Refused { act: Some(act.id), why });
            }
            bed.refresh_silence(&Cause::Person(who), moment);
        });
    }

    fn act_on_house(&mut self, act: &Act, alarm: &AlarmId, out: &mut Vec<Output>) {
        let who = act.who;
        self.at_house(out, |board, around| {
            let done = match &act.what {
                Deed::Acknowledge { judged, .. } => act::acknowledge(board, who, alarm, *judged, around),
                what => match board.alarms.get_mut(&alarm.key).filter(|found| found.id == *alarm) {
                    Some(found) => {
                        answer_house(found, act, what, around);
                        Ok(())
                    }
                    None => Err(Refusal::UnknownAlarm),
                },
            };
            if let Err(why) = done {
                around.out.push(What::Refused { act: Some(act.id), why });
            }
        });
    }

    /// Runs `with` at a bed, calls whoever is to be called, and numbers the records.
    pub(crate) fn at_bed(&mut self, id: &BedId, out: &mut Vec<Output>, with: impl FnOnce(&mut Bed, &mut Moment<'_>)) {
        let Self { beds, profiles, default, .. } = self;
        let Some(bed) = beds.get_mut(id) else { return };
        let found = profiles.iter().find(|profile| profile.id == bed.stay.profile);
        let Some(profile) = found.or_else(|| profiles.iter().find(|profile| profile.id == *default)) else { return };
        let mut records = Vec::new();
        let mut moment = Moment { now: self.now, epoch: self.epoch, profile, out: &mut records };
        with(bed, &mut moment);
        bed.call(&mut moment);
        let subject = bed.stay.subject;
        for what in records {
            self.seq += 1;
            let output = Output { seq: self.seq, at: self.now, place: Place::Bed(id.clone()), subject, what };
            bed.stay.remember(&output);
            out.push(output);
        }
    }

    fn at_house(&mut self, out: &mut Vec<Output>, with: impl FnOnce(&mut Board, &mut Around<'_>)) {
        let Self { house, profiles, default, .. } = self;
        let Some(profile) = profiles.iter().find(|profile| profile.id == *default) else { return };
        let mut records = Vec::new();
        let mut quiet = Quiet::default();
        let mut around = Around {
            now: self.now,
            place: &Place::Ward,
            epoch: self.epoch,
            profile,
            numbers: &mut house.numbers,
            quiet: &mut quiet,
            out: &mut records,
        };
        with(&mut house.board, &mut around);
        duty::call(&mut house.board, None, &mut around);
        for what in records {
            self.seq += 1;
            out.push(Output { seq: self.seq, at: self.now, place: Place::Ward, subject: None, what });
        }
    }

    pub(crate) fn refuse(&mut self, act: Option<RequestId>, why: Refusal, out: &mut Vec<Output>) {
        self.seq += 1;
        let what = What::Refused { act, why };
        out.push(Output { seq: self.seq, at: self.now, place: Place::Ward, subject: None, what });
    }

    /// Where a patient lies.
    #[must_use]
    pub fn bed_of(&self, subject: Subject) -> Option<BedId> {
        self.beds.iter().find(|(_, bed)| bed.stay.subject == Some(subject)).map(|(id, _)| id.clone())
    }

    fn bed_with(&self, alarm: &AlarmId) -> Option<BedId> {
        self.beds.iter().find(|(_, bed)| bed.has(alarm)).map(|(id, _)| id.clone())
    }

    /// Every alarm there is now, with its place, beds in order.
    pub fn alarms(&self) -> impl Iterator<Item = (Place, &Alarm)> {
        let beds = self.beds.iter().flat_map(|(id, bed)| bed.alarms().map(|alarm| (Place::Bed(id.clone()), alarm)));
        beds.chain(self.house.board.alarms.values().map(|alarm| (Place::Ward, alarm)))
    }

    /// One alarm.
    #[must_use]
    pub fn alarm(&self, id: &AlarmId) -> Option<&Alarm> {
        self.alarms().map(|(_, alarm)| alarm).find(|alarm| alarm.id == *id)
    }

    /// The profiles in force.
    #[must_use]
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }
}

fn answer_house(alarm: &mut Alarm, act: &Act, what: &Deed, around: &mut Around<'_>) {
    let rejected = match what {
        Deed::Reject { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    let next = alarm.calling.as_ref().map_or(0, |calling| calling.step.saturating_add(1));
    if !matches!(what, Deed::Escalate { .. }) {
        around.out.push(What::Answered { alarm: alarm.id.clone(), by: act.who, rejected });
    }
    if matches!(what, Deed::Accept { .. }) {
        let (priority, step) = (alarm.priority, next.saturating_sub(1));
        let accepted = Some(act.who);
        alarm.calling = Some(super::output::Calling { priority, step, next_at: None, accepted, unanswered: false });
    } else {
        duty::step(alarm, next, Cause::Person(act.who), None, around);
    }
}
