//! The alarm ward: the engine of `obhut-vitals` between the device door, the clock, the people and the pages.
//!
//! The gateway hands in each admitted reading before it is stored; a timer ticks four times a second; people act; patients and devices move. What changed goes to
//! the pages at once and to disk behind, by a thread of its own (`keep`). Nothing here waits for a disk, the ledger or a page: if one of them is gone, that is an
//! alarm itself and watching goes on. What an alarm is, and when it begins and ends, is the engine's to say and not this module's.
//!
//! INVARIANT: the engine's inputs are taken one after the other under one lock, and pages are told in that order. Times are ward time, from one clock.

mod curves;
mod equipment;
mod keep;
mod opinion;
mod record;
mod row;
mod score;
mod stays;

pub use curves::CurveCounts;
pub(crate) use record::setting;
pub use record::{history, statistics};
pub(crate) use row::word_of;
pub use score::{Entry, ScoreError};

use crate::live::{LiveWard, Plan};
use bytes::Bytes;
use curves::Block;
use equipment::{Equipment, Said};
use obhut_charter::Checked;
use obhut_charter::rules::Rules;
use obhut_gateway::{Clock, LiveSink, SessionEvent};
use obhut_model::{BedId, DeviceId, DeviceTime, Numeric, PersonId, RequestId, ServerTime, Subject, Wave};
use obhut_store::AlarmHome;
use obhut_vitals::alarm::{
    Act, AlarmId, BedView, Common, Engine, Input, Output, Phase, Place, Profile, Reading, Refusal, State, StayPiece,
    Technical, TechnicalKind, What,
};
use obhut_vitals::from_charter;
use obhut_vitals::score::{Outcome, Table};
use parking_lot::Mutex;
use score::Sheet;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the engine is told the time, in real time.
pub const TICK_EVERY: Duration = Duration::from_millis(250);
/// Records that may wait for a disk; older ones go first, and what is lost is said in the log.
const RECORDS_MAX: usize = 20_000;
/// Refused acts remembered, so that the same act sent again is answered the same.
const REFUSED_MAX: usize = 1_024;

/// What serves all beds and can fail, as the ward sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// Readings are not stored.
    pub store: bool,
    /// Accesses are not recorded.
    pub ledger: bool,
}

/// The alarms of the ward.
pub struct AlarmWard {
    clock: Arc<dyn Clock>,
    speed: f64,
    live: Arc<LiveWard>,
    home: Arc<dyn AlarmHome>,
    watching: Mutex<Watching>,
    /// Tells the thread that keeps that there is something to keep.
    keeping: keep::Signal,
    /// Whether what the alarms remember cannot be kept at the moment.
    unkept: AtomicBool,
    /// Curves on their way to the detectors.
    queue: curves::Queue,
    /// Taken by the thread that looks at them.
    waiting: Mutex<Option<curves::Waiting>>,
    /// How long records are kept: as long as the shortest-lived data their rules look at.
    record_micros: Mutex<Option<i64>>,
}

impl std::fmt::Debug for AlarmWard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlarmWard").finish_non_exhaustive()
    }
}

/// Everything under the lock.
#[derive(Default)]
struct Watching {
    /// None while the charter declares no alarms.
    engine: Option<Engine>,
    labels: Vec<(BedId, String)>,
    /// Who lies where, as the engine was told.
    lying: BTreeMap<BedId, Subject>,
    /// Where who lies that belongs to these entries by hand and values for scores.
    sheets: HashMap<Subject, Sheet>,
    devices: BTreeMap<DeviceId, Equipment>,
    parts: BTreeMap<&'static str, bool>,
    /// The score's table, and what each bed's came to last.
    table: Option<Table>,
    scored: HashMap<BedId, Outcome>,
    ticks: u32,
    /// What each bed's curves said last.
    opinions: HashMap<BedId, opinion::Opinions>,
    phases: HashMap<AlarmId, Phase>,
    refused: VecDeque<(RequestId, Refusal)>,
    /// What pages have not been told yet.
    untold: BTreeSet<BedId>,
    ward_untold: bool,
    unkept: keep::Unkept,
}

impl AlarmWard {
    /// Goes on from what `home` has kept, or begins; for the beds of `labels`. Nothing ticks until [`AlarmWard::run`].
    #[must_use]
    pub fn open(
        clock: Arc<dyn Clock>,
        speed: f64,
        live: Arc<LiveWard>,
        home: Arc<dyn AlarmHome>,
        charter: &Checked,
        labels: Vec<(BedId, String)>,
    ) -> Arc<Self> {
        let mut watching = Watching { labels, ..Watching::default() };
        let read = match home.pieces().map_err(|error| error.to_string()).and_then(|kept| keep::Kept::read(&kept)) {
            Ok(kept) => Some(kept),
            Err(error) => {
                // A ward without a memory watches all the same, and says so.
                tracing::error!(%error, "what the alarms remembered cannot be read; they begin anew");
                None
            }
        };
        let unkept = AtomicBool::new(read.is_none());
        watching.begin(charter, read.unwrap_or_default(), clock.now());
        let (queue, waiting) = curves::queue();
        let ward = Arc::new(Self {
            clock,
            speed,
            live: live.clone(),
            home,
            watching: Mutex::new(watching),
            keeping: keep::Signal::default(),
            unkept,
            queue,
            waiting: Mutex::new(Some(waiting)),
            record_micros: Mutex::new(record_micros(charter)),
        });
        let itself = Arc::downgrade(&ward);
        live.send_also(Box::new(move || itself.upgrade().map(|ward| row::tagged(&ward.snapshot()))));
        ward
    }

    /// Puts another charter's alarms in force. Alarms whose rules stay go on.
    pub fn set_charter(&self, charter: &Checked, labels: Vec<(BedId, String)>) {
        let now = self.clock.now();
        *self.record_micros.lock() = record_micros(charter);
        let mut watching = self.watching.lock();
        let beds_changed = watching.labels.iter().map(|(bed, _)| bed).ne(labels.iter().map(|(bed, _)| bed));
        watching.labels = labels;
        let kept = watching.as_kept();
        match (profile_of(charter), &mut watching.engine) {
            (Some(profile), Some(engine)) if !beds_changed => {
                let default = profile.id.clone();
                match engine.reload(vec![profile], default, now) {
                    Ok(out) => {
                        watching.take(out);
                        watching.choose_table();
                    }
                    Err(error) => tracing::error!(%error, "the charter's alarms are not taken; those before stay"),
                }
            }
            _ => watching.begin(charter, kept, now),
        }
        watching.all_untold();
        self.tell(&mut watching);
    }

    /// Ticks until the server stops, on a task; what is kept is kept by a thread, which ends soon after.
    pub async fn run(self: Arc<Self>, parts: impl Fn() -> Parts + Send, stopping: tokio_util::sync::CancellationToken) {
        let keeper = keep::spawn(self.clone());
        let looking = self.look_at_curves(stopping.clone());
        let mut beat = tokio::time::interval(TICK_EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                _ = beat.tick() => self.tick(parts()),
            }
        }
        self.keeping.stop();
        for thread in [keeper, looking].into_iter().flatten() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Begins the thread that looks at the curves. The engine's lock is taken for what was found, not while looking.
    fn look_at_curves(
        self: &Arc<Self>,
        stopping: tokio_util::sync::CancellationToken,
    ) -> Option<std::thread::JoinHandle<()>> {
        let waiting = self.waiting.lock().take()?;
        let (ward, counts) = (self.clone(), self.queue.counts.clone());
        let look = move || {
            let mut beds = curves::Beds::default();
            while !stopping.is_cancelled() {
                let Ok(next) = waiting.next(TICK_EVERY) else { return };
                let Some(block) = next else { continue };
                match beds.take(&block) {
                    Ok(judged) => {
                        counts.taken.fetch_add(1, Ordering::Relaxed);
                        if let Some(judged) = judged {
                            let mut watching = ward.watching.lock();
                            watching.judged(judged, ward.clock.now());
                            ward.tell(&mut watching);
                        }
                    }
                    Err(curves::NotTaken) => drop(counts.refused.fetch_add(1, Ordering::Relaxed)),
                }
            }
        };
        match std::thread::Builder::new().name("curves".into()).spawn(look) {
            Ok(thread) => Some(thread),
            Err(error) => {
                // Alarms about numbers go on; what the curves say is unknown, which is what pages are told.
                tracing::error!(%error, "nobody looks at the curves");
                None
            }
        }
    }

    /// How many blocks of curves were looked at.
    #[must_use]
    pub fn curve_counts(&self) -> &CurveCounts {
        &self.queue.counts
    }

    fn tick(&self, parts: Parts) {
        let now = self.clock.now();
        let unkept = self.unkept.load(Ordering::Relaxed);
        let mut watching = self.watching.lock();
        watching.parts(
            &[("store", TechnicalKind::StoreLost, parts.store), ("alarms", TechnicalKind::StoreLost, unkept)],
            now,
        );
        watching.parts(&[("ledger", TechnicalKind::LedgerLost, parts.ledger)], now);
        let said: Vec<Said> = watching
            .devices
            .iter_mut()
            .filter_map(|(device, equipment)| equipment.look(device, now, self.speed))
            .collect();
        for said in said {
            watching.equipment(said, now);
        }
        watching.step(Input::Tick, now);
        watching.scores(now);
        self.tell(&mut watching);
    }

    /// Does what somebody asked for.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was done. `None`: nobody watches.
    pub fn act(&self, act: Act) -> Result<(), Option<Refusal>> {
        let now = self.clock.now();
        let mut watching = self.watching.lock();
        if watching.engine.is_none() {
            return Err(None);
        }
        let id = act.id;
        watching.step(Input::Act(act), now);
        self.tell(&mut watching);
        let refused = watching.refused.iter().find(|(known, _)| *known == id).map(|(_, why)| why.clone());
        refused.map_or(Ok(()), |why| Err(Some(why)))
    }

    /// Tells who lies where and which device stands where; alarms, limits and history follow.
    pub fn set_plan(&self, plan: &Plan, lying: &BTreeMap<BedId, Subject>, rules: &Rules) {
        let now = self.clock.now();
        let mut watching = self.watching.lock();
        watching.lie(lying, now);
        watching.stand(plan, rules, now, self.speed);
        self.tell(&mut watching);
    }

    /// Forgets a patient who was erased.
    pub fn forget(&self, subject: Subject) {
        let mut watching = self.watching.lock();
        watching.forget(subject);
        watching.all_untold();
        self.tell(&mut watching);
    }

    /// Everything, as pages and `GET /alarms` are told it.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let now = self.clock.now();
        row::whole(&self.watching.lock(), now)
    }

    /// One bed's row; `None` if nobody watches it.
    #[must_use]
    pub fn bed(&self, bed: &BedId) -> Option<Value> {
        let now = self.clock.now();
        row::bed(&self.watching.lock(), bed, now)
    }

    /// A bed's score with every input; `None` if the charter orders none or nobody lies there.
    #[must_use]
    pub fn score(&self, bed: &BedId) -> Option<Value> {
        self.watching.lock().score_page(bed, self.clock.now())
    }

    /// Takes what somebody saw of a patient.
    ///
    /// # Errors
    /// [`ScoreError`]
    pub fn enter(&self, bed: &BedId, who: PersonId, entry: &Entry) -> Result<(), ScoreError> {
        let mut watching = self.watching.lock();
        let done = watching.enter(bed, who, entry, self.clock.now());
        self.tell(&mut watching);
        done
    }

    /// Lets a clinician choose the saturation scale.
    ///
    /// # Errors
    /// [`ScoreError`]
    pub fn choose_scale(&self, bed: &BedId, who: PersonId, two: bool, reason: String) -> Result<(), ScoreError> {
        let mut watching = self.watching.lock();
        let done = watching.choose_scale(bed, who, two, reason, self.clock.now());
        self.tell(&mut watching);
        done
    }

    /// Completed years of whoever was admitted, for what may not be used for children.
    pub fn set_age(&self, subject: Subject, age: Option<u8>) {
        let mut watching = self.watching.lock();
        watching.age(subject, age);
        self.tell(&mut watching);
    }

    /// The ward's own row.
    #[must_use]
    pub fn ward(&self) -> Value {
        row::ward(&self.watching.lock())
    }

    /// Who lies in a bed, as the alarms know it.
    #[must_use]
    pub fn subject(&self, bed: &BedId) -> Option<Subject> {
        self.watching.lock().lying.get(bed).copied()
    }

    /// Where an alarm is; alarms follow their patient.
    #[must_use]
    pub fn place_of(&self, alarm: &AlarmId) -> Option<Place> {
        let watching = self.watching.lock();
        watching.engine.as_ref()?.alarms().find(|(_, found)| found.id == *alarm).map(|(place, _)| place)
    }

    /// Looks at a bed with the profile that holds there.
    pub fn look<T>(&self, bed: &BedId, with: impl FnOnce(&BedView<'_>, &Profile, &[Profile]) -> T) -> Option<T> {
        let watching = self.watching.lock();
        let engine = watching.engine.as_ref()?;
        let view = engine.bed(bed)?;
        let profile = engine.profiles().iter().find(|profile| profile.id == *view.profile)?;
        Some(with(&view, profile, engine.profiles()))
    }

    /// What is kept of what happened.
    #[must_use]
    pub fn home(&self) -> Arc<dyn AlarmHome> {
        self.home.clone()
    }

    /// Ward time.
    #[must_use]
    pub fn now(&self) -> ServerTime {
        self.clock.now()
    }

    /// Tells pages what they have not been told, and the thread that keeps that there is something.
    fn tell(&self, watching: &mut Watching) {
        if watching.unkept.is_urgent() {
            self.keeping.wake();
        }
        let (beds, ward) = (std::mem::take(&mut watching.untold), std::mem::take(&mut watching.ward_untold));
        if self.live.clients() > 0 && (ward || !beds.is_empty()) {
            self.live.publish(row::tagged(&row::changes(watching, &beds, ward, self.clock.now())));
        }
    }
}

impl LiveSink for AlarmWard {
    fn readings(
        &self,
        device: &DeviceId,
        bed: Option<&BedId>,
        subject: Option<Subject>,
        numerics: &[Numeric],
        waves: &[Wave<'_>],
    ) {
        if numerics.is_empty() && waves.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut watching = self.watching.lock();
        if let Some(equipment) = watching.devices.get_mut(device) {
            let said = equipment.heard(device, now);
            if let Some(said) = said {
                watching.equipment(said, now);
            }
        }
        let Some(bed) = bed else { return };
        let watched = watching.engine.is_some() && watching.labels.iter().any(|(known, _)| known == bed);
        for numeric in numerics {
            watching.value(device, bed, subject, numeric, now);
            watching.claim(device, bed, subject, numeric, now);
        }
        self.tell(&mut watching);
        drop(watching);
        if watched {
            for block in waves.iter().filter_map(|wave| Block::of(bed, subject, device, wave)) {
                self.queue.put(block);
            }
        }
    }

    fn session(&self, device: &DeviceId, event: SessionEvent) {
        let now = self.clock.now();
        let mut watching = self.watching.lock();
        if let Some(equipment) = watching.devices.get_mut(device) {
            equipment.session(matches!(event, SessionEvent::Online), now);
            if let Some(said) = equipment.look(device, now, self.speed) {
                watching.equipment(said, now);
            }
        }
        self.tell(&mut watching);
    }
}

/// Pages and alarms, each given every reading, the alarms first.
pub struct Sinks {
    /// Alarms.
    pub alarms: Arc<AlarmWard>,
    /// Pages.
    pub live: Arc<LiveWard>,
}

impl LiveSink for Sinks {
    fn readings(
        &self,
        device: &DeviceId,
        bed: Option<&BedId>,
        subject: Option<Subject>,
        numerics: &[Numeric],
        waves: &[Wave<'_>],
    ) {
        self.alarms.readings(device, bed, subject, numerics, waves);
        self.live.readings(device, bed, subject, numerics, waves);
    }

    fn session(&self, device: &DeviceId, event: SessionEvent) {
        self.alarms.session(device, event);
        self.live.session(device, event);
    }
}

/// The charter's profile; `None` if it declares no alarms, which is shown on every page.
fn profile_of(charter: &Checked) -> Option<Profile> {
    match from_charter::profile(charter) {
        Ok(profile) => Some(profile),
        Err(error) => {
            tracing::error!(%error, "the charter gives no alarms: nobody watches this ward");
            None
        }
    }
}

/// How long the shortest-lived data are kept that any rule looks at: a record of an alarm repeats a value, and must not outlive it.
fn record_micros(charter: &Checked) -> Option<i64> {
    let profile = from_charter::profile(charter).ok()?;
    let rules = charter.compile();
    let periods = rules.models.values().flat_map(|model| &model.streams).filter_map(|stream| {
        let looked_at = profile.watched.iter().any(|watched| watched.code == stream.code);
        let class = rules.retention.get(usize::from(stream.retention)).filter(|_| looked_at)?;
        i64::try_from(class.seconds).ok()?.checked_mul(1_000_000)
    });
    periods.min()
}

impl Watching {
    /// Begins, from what is remembered if anything is.
    fn begin(&mut self, charter: &Checked, kept: keep::Kept, now: ServerTime) {
        self.engine = None;
        self.lying.clear();
        let Some(profile) = profile_of(charter) else { return };
        let default = profile.id.clone();
        let beds: Vec<BedId> = self.labels.iter().map(|(bed, _)| bed.clone()).collect();
        let keep::Kept { common, stays, sheets, expected } = kept;
        for stay in &stays {
            if let (Some(bed), Some(subject)) = (stay.bed(), stay.subject())
                && beds.contains(bed)
            {
                self.lying.insert(bed.clone(), subject);
            }
        }
        let again = common.map(|common| Engine::from_pieces(common, beds.clone(), stays, now));
        let (mut engine, mut out) = match again {
            Some(Ok(restored)) => restored,
            failed => {
                if let Some(Err(error)) = failed {
                    tracing::error!(%error, "what the alarms remembered is not understood; they begin anew");
                }
                self.lying.clear();
                match Engine::new(beds, vec![profile.clone()], default.clone(), now) {
                    Ok(engine) => (engine, Vec::new()),
                    Err(error) => {
                        tracing::error!(%error, "nobody watches this ward");
                        return;
                    }
                }
            }
        };
        match engine.reload(vec![profile], default, now) {
            Ok(more) => out.extend(more),
            Err(error) => tracing::error!(%error, "the charter's alarms are not taken; those before stay"),
        }
        self.sheets = sheets;
        for device in expected {
            self.devices.entry(device).or_default().expect_again(now);
        }
        self.engine = Some(engine);
        self.choose_table();
        self.take(out);
        self.unkept.everything(&self.lying);
    }

    fn step(&mut self, input: Input, now: ServerTime) {
        if let Some(engine) = &mut self.engine {
            let out = engine.step(input, now);
            self.take(out);
        }
    }

    /// Notes what changed, for pages and disk.
    fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match &output.what {
                What::Refused { act, why } => {
                    if let Some(act) = act {
                        self.refused.push_back((*act, why.clone()));
                        while self.refused.len() > REFUSED_MAX {
                            self.refused.pop_front();
                        }
                    }
                    continue;
                }
                What::Alarm { phase, alarm, .. } => {
                    if alarm.state == State::Inactive {
                        self.phases.remove(&alarm.id);
                    } else {
                        self.phases.insert(alarm.id.clone(), *phase);
                    }
                }
                _ => {}
            }
            match &output.place {
                Place::Ward => self.ward_untold = true,
                Place::Bed(bed) => drop(self.untold.insert(bed.clone())),
            }
            self.unkept.changed(output);
        }
    }

    fn all_untold(&mut self) {
        self.ward_untold = true;
        self.untold = self.labels.iter().map(|(bed, _)| bed.clone()).collect();
    }

    /// One value.
    fn value(&mut self, device: &DeviceId, bed: &BedId, subject: Option<Subject>, numeric: &Numeric, now: ServerTime) {
        if let Some(subject) = subject.filter(|subject| self.lying.values().any(|lies| lies == subject)) {
            self.sheets.entry(subject).or_default().value(device, numeric);
        }
        let reading = Reading {
            bed: bed.clone(),
            subject,
            code: numeric.code,
            taken_at: numeric.taken_at,
            value: numeric.value(),
            quality: numeric.quality,
            source: device.clone(),
        };
        self.step(Input::Reading(reading), now);
        self.unkept.value(bed);
    }

    /// Parts that serve all beds: told when they change.
    fn parts(&mut self, parts: &[(&'static str, TechnicalKind, bool)], now: ServerTime) {
        for (name, kind, lost) in parts {
            if self.parts.insert(name, *lost).unwrap_or(false) == *lost {
                continue;
            }
            let technical = Technical {
                place: Place::Ward,
                kind: *kind,
                code: None,
                source: DeviceId::new(name).ok(),
                at: now.stand_in_for_device(),
                present: *lost,
            };
            self.step(Input::Technical(technical), now);
        }
    }

    fn equipment(&mut self, said: Said, now: ServerTime) {
        let Said { bed, device, kind, lost, at } = said;
        let technical = Technical {
            place: Place::Bed(bed),
            kind,
            code: None,
            source: Some(device),
            at: DeviceTime::from_micros(at),
            present: lost,
        };
        self.step(Input::Technical(technical), now);
    }

    fn forget(&mut self, subject: Subject) {
        self.sheets.remove(&subject);
        self.opinions.retain(|_, opinions| !opinions.is_about(subject));
        if let Some(engine) = &mut self.engine {
            engine.forget(subject);
        }
        self.lying.retain(|_, lies| *lies != subject);
        self.unkept.forget(subject);
    }

    /// What is remembered, without a detour over the disk.
    fn as_kept(&mut self) -> keep::Kept {
        let Some(engine) = &mut self.engine else { return keep::Kept::default() };
        let common: Common = engine.common();
        let mut stays: Vec<StayPiece> = self.lying.keys().filter_map(|bed| engine.stay_piece(bed)).collect();
        stays.extend(engine.closed_pieces());
        let expected =
            self.devices.iter().filter(|(_, device)| device.is_expected()).map(|(id, _)| id.clone()).collect();
        keep::Kept { common: Some(common), stays, sheets: self.sheets.clone(), expected }
    }
}

/// A message of the stream.
pub(crate) type Message = Bytes;
