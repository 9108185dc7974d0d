//! What survives a restart, written behind by a thread of its own: alarms, pauses, limits, calls, entries for scores, who was there; and what happened.
//!
//! A patient's part is a piece under that patient's key; what serves all beds is one under the store's. Something that changed is on its way at once; values alone, which only say how long a
//! condition has lasted, every [`VALUES_EVERY`]. A disk that does not take it is an alarm of its own; it is tried again, and watching goes on in memory.
//! Whoever lies in a bed without being bound to it has no key, so nothing about them is kept.
//!
//! INVARIANT: what is kept together was true together: one transaction for everything that changed since the one before.

use super::score::Sheet;
use super::{AlarmWard, RECORDS_MAX, Watching, record};
use obhut_model::{BedId, DeviceId, ServerTime, Subject};
use obhut_store::{AlarmPiece, AlarmRecord, StoreError};
use obhut_vitals::alarm::{Common, Output, StayPiece, What};
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often values alone are kept.
const VALUES_EVERY: Duration = Duration::from_secs(15);
/// How long to wait before a disk that refused is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked whether a record is too old.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

const WARD: &str = "ward";
const BED: &str = "bed/";
const CLOSED: &str = "closed/";
const PROBE: &str = "probe";
/// As many as the engine keeps of those who went.
const CLOSED_MAX: usize = obhut_vitals::limits::CLOSED_MAX;

/// The piece that is about no patient.
#[derive(Serialize, Deserialize)]
struct WardPiece {
    common: Common,
    expected: Vec<DeviceId>,
}

/// A patient's piece.
#[derive(Serialize, Deserialize)]
struct PatientPiece {
    stay: StayPiece,
    sheet: Option<Sheet>,
}

/// What was remembered.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) common: Option<Common>,
    pub(super) stays: Vec<StayPiece>,
    pub(super) sheets: HashMap<Subject, Sheet>,
    pub(super) expected: Vec<DeviceId>,
}

impl Kept {
    /// Reads pieces.
    pub(super) fn read(pieces: &[AlarmPiece]) -> Result<Self, String> {
        let mut kept = Self::default();
        let bad = |error: serde_json::Error| format!("a piece is not understood: {error}");
        for piece in pieces {
            if piece.name == WARD {
                let ward: WardPiece = serde_json::from_slice(&piece.bytes).map_err(bad)?;
                kept.common = Some(ward.common);
                kept.expected = ward.expected;
            } else if piece.name != PROBE {
                let patient: PatientPiece = serde_json::from_slice(&piece.bytes).map_err(bad)?;
                if let (Some(subject), Some(sheet)) = (patient.stay.subject(), patient.sheet) {
                    kept.sheets.insert(subject, sheet);
                }
                kept.stays.push(patient.stay);
            }
        }
        Ok(kept)
    }
}

/// What changed and is not kept yet.
#[derive(Default)]
pub(super) struct Unkept {
    beds: BTreeSet<BedId>,
    values: BTreeSet<BedId>,
    common: bool,
    closed: bool,
    records: VecDeque<AlarmRecord>,
    lost: u64,
}

impl Unkept {
    pub(super) fn is_urgent(&self) -> bool {
        self.common || self.closed || !self.beds.is_empty() || !self.records.is_empty()
    }

    pub(super) fn everything(&mut self, lying: &BTreeMap<BedId, Subject>) {
        (self.common, self.closed) = (true, true);
        self.beds.extend(lying.keys().cloned());
    }

    pub(super) fn changed(&mut self, output: Output) {
        self.common = true;
        if let obhut_vitals::alarm::Place::Bed(bed) = &output.place {
            self.beds.insert(bed.clone());
        }
        if let What::Moved { from } = &output.what {
            self.beds.insert(from.clone());
        }
        self.closed |= matches!(output.what, What::Admitted | What::Discharged);
        if record::is_worth(&output)
            && let Ok(bytes) = serde_json::to_vec(&output)
        {
            self.records.push_back(AlarmRecord { at: output.at, about: output.subject, bytes });
            self.bound();
        }
    }

    pub(super) fn value(&mut self, bed: &BedId) {
        if !self.values.contains(bed) {
            self.values.insert(bed.clone());
        }
    }

    pub(super) fn sheet(&mut self, bed: &BedId) {
        self.beds.insert(bed.clone());
    }

    pub(super) fn forget(&mut self, subject: Subject) {
        self.records.retain(|record| record.about != Some(subject));
        self.closed = true;
    }

    fn bound(&mut self) {
        while self.records.len() > RECORDS_MAX {
            self.records.pop_front();
            self.lost += 1;
        }
    }
}

/// Everything of one moment that is to be kept.
#[derive(Default)]
struct Batch {
    at: i64,
    ward: Option<WardPiece>,
    beds: Vec<(BedId, Option<PatientPiece>)>,
    closed: Option<Vec<PatientPiece>>,
    records: Vec<AlarmRecord>,
    lost: u64,
}

impl Watching {
    /// Takes what is to be kept now; values too, if `values`.
    fn due(&mut self, values: bool, now: ServerTime) -> Option<Batch> {
        if !(self.unkept.is_urgent() || (values && !self.unkept.values.is_empty())) {
            return None;
        }
        let engine = self.engine.as_mut()?;
        let mut beds = std::mem::take(&mut self.unkept.beds);
        if values {
            beds.append(&mut self.unkept.values);
        }
        let sheets = &self.sheets;
        let mut piece = |stay: StayPiece| {
            let sheet = stay.subject().and_then(|subject| sheets.get(&subject)).cloned();
            PatientPiece { stay, sheet }
        };
        let expected = self.devices.iter().filter(|(_, device)| device.is_expected()).map(|(id, _)| id.clone());
        Some(Batch {
            at: now.micros(),
            ward: Some(WardPiece { common: engine.common(), expected: expected.collect() }),
            beds: beds
                .into_iter()
                .map(|bed| {
                    let stay = engine.stay_piece(&bed).map(&mut piece);
                    (bed, stay)
                })
                .collect(),
            closed: std::mem::take(&mut self.unkept.closed)
                .then(|| engine.closed_pieces().into_iter().map(&mut piece).collect()),
            records: {
                self.unkept.common = false;
                std::mem::take(&mut self.unkept.records).into()
            },
            lost: std::mem::take(&mut self.unkept.lost),
        })
    }

    /// What was not kept is to be kept later.
    fn put_back(&mut self, batch: Batch) {
        self.unkept.common = true;
        self.unkept.beds.extend(batch.beds.into_iter().map(|(bed, _)| bed));
        self.unkept.closed |= batch.closed.is_some();
        let newer = std::mem::take(&mut self.unkept.records);
        self.unkept.records = batch.records.into_iter().chain(newer).collect();
        self.unkept.lost += batch.lost;
        self.unkept.bound();
    }
}

impl Batch {
    /// As the store takes it.
    fn rows(&self) -> Result<(Vec<AlarmPiece>, Vec<String>), serde_json::Error> {
        let (mut pieces, mut gone) = (Vec::new(), Vec::new());
        let at = ServerTime::from_micros(self.at);
        if let Some(ward) = &self.ward {
            pieces.push(AlarmPiece { name: WARD.to_owned(), at, about: None, bytes: serde_json::to_vec(ward)? });
        }
        let mut patient = |name: String, piece: Option<&PatientPiece>| {
            match piece {
                Some(piece) => {
                    let about = piece.stay.subject();
                    pieces.push(AlarmPiece { name, at, about, bytes: serde_json::to_vec(piece)? });
                }
                None => gone.push(name),
            }
            Ok::<(), serde_json::Error>(())
        };
        for (bed, piece) in &self.beds {
            patient(format!("{BED}{bed}"), piece.as_ref())?;
        }
        if let Some(closed) = &self.closed {
            for number in 0..CLOSED_MAX {
                patient(format!("{CLOSED}{number}"), closed.get(number))?;
            }
        }
        Ok((pieces, gone))
    }
}

/// Wakes the thread that keeps.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Signal {
    pub(super) fn wake(&self) {
        self.state.lock().0 = true;
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.state.lock().1 = true;
        self.changed.notify_one();
    }

    /// Waits for one of both, at most `longest`; says whether to stop.
    fn wait(&self, longest: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.0 && !state.1 {
            self.changed.wait_for(&mut state, longest);
        }
        state.0 = false;
        state.1
    }

    /// Waits for the stop alone.
    fn wait_out(&self, longest: Duration) {
        let until = Instant::now() + longest;
        let mut state = self.state.lock();
        while !state.1 && !self.changed.wait_until(&mut state, until).timed_out() {}
    }
}

/// Starts the thread.
pub(super) fn spawn(ward: Arc<AlarmWard>) -> Option<JoinHandle<()>> {
    match std::thread::Builder::new().name("obhut-alarms".into()).spawn(move || run(&ward)) {
        Ok(thread) => Some(thread),
        Err(error) => {
            tracing::error!(%error, "what the alarms remember is not kept: no thread");
            None
        }
    }
}

fn run(ward: &AlarmWard) {
    let (mut values, mut expire) = (Instant::now(), None::<Instant>);
    loop {
        let stop = ward.keeping.wait(AGAIN_AFTER);
        let with_values = stop || values.elapsed() >= VALUES_EVERY;
        if with_values {
            values = Instant::now();
        }
        let batch = ward.watching.lock().due(with_values, ward.clock.now());
        let kept = batch.is_none_or(|batch| keep(ward, batch));
        if stop {
            return;
        }
        if !kept {
            ward.keeping.wait_out(AGAIN_AFTER);
        } else if expire.is_none_or(|last| last.elapsed() >= EXPIRE_EVERY) {
            expire = Some(Instant::now());
            ward.expire();
        }
    }
}

fn keep(ward: &AlarmWard, batch: Batch) -> bool {
    let result = match batch.rows() {
        Ok((pieces, gone)) => match ward.home.keep(&pieces, &gone, &batch.records) {
            Err(StoreError::Unknown(_)) => {
                // Somebody of these was erased meanwhile: nothing of theirs may be kept, everything of the others must.
                let gone = erased(ward, &pieces, &batch.records);
                let mut batch = batch;
                batch.records.retain(|record| record.about.is_none_or(|subject| !gone.contains(&subject)));
                ward.watching.lock().put_back(batch);
                return true;
            }
            Err(error) => Err(error.to_string()),
            Ok(()) => Ok(()),
        },
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(()) => {
            if batch.lost > 0 {
                tracing::error!(records = batch.lost, "records of alarms were lost while the disk took none");
            }
            if ward.unkept.swap(false, Ordering::Relaxed) {
                tracing::warn!("what the alarms remember is kept again");
            }
            true
        }
        Err(error) => {
            if !ward.unkept.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, "what the alarms remember cannot be kept; watching goes on in memory");
            }
            ward.watching.lock().put_back(batch);
            false
        }
    }
}

/// Forgets those whose key is gone; says who they are.
fn erased(ward: &AlarmWard, pieces: &[AlarmPiece], records: &[AlarmRecord]) -> BTreeSet<Subject> {
    let mut subjects: BTreeSet<Subject> =
        pieces.iter().filter_map(|piece| piece.about).chain(records.iter().filter_map(|record| record.about)).collect();
    subjects.retain(|subject| {
        let probe =
            AlarmPiece { name: PROBE.to_owned(), at: ward.clock.now(), about: Some(*subject), bytes: Vec::new() };
        let gone = matches!(ward.home.keep(&[probe], &[], &[]), Err(StoreError::Unknown(_)));
        if gone {
            ward.forget(*subject);
        }
        gone
    });
    let _ = ward.home.keep(&[], &[PROBE.to_owned()], &[]);
    subjects
}

impl AlarmWard {
    /// Removes records whose data are no longer kept.
    fn expire(&self) {
        let Some(period) = self.record_micros.lock().filter(|micros| *micros > 0) else { return };
        match self.home.expire_alarm_records(self.clock.now().plus_micros(-period)) {
            Ok(0) => {}
            Ok(gone) => tracing::info!(records = gone, "old records of alarms were removed"),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "old records of alarms stay"),
        }
    }
}
