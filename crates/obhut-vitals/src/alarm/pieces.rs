//! The engine's memory in pieces: what serves all beds, and what belongs to each patient, so that a shell can keep every patient's part under that patient's key.
//!
//! A [`Common`] piece and the [`StayPiece`]s of one moment together are a [`super::Snapshot`], without the history, which is where records are stored.
//! Pieces of different moments fit together as well: what a newer input changed in one and not in the other happens again when the input comes again.
//!
//! INVARIANT: a [`Common`] piece says nothing about a patient; whoever lay in a bed without a stay piece is nobody the engine knows.

use super::bed::Bed;
use super::board::Board;
use super::duty::Duty;
use super::engine::{Engine, EngineError, House};
use super::output::{AlarmKey, Output};
use super::profile::{Profile, ProfileId};
use super::snapshot::VERSION;
use super::stay::Stay;
use obhut_model::{BedId, RequestId, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What the engine knows that is about no patient: equipment, numbers given, who is responsible, profiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Common {
    version: u32,
    epoch: i64,
    now: ServerTime,
    seq: u64,
    profiles: Vec<Profile>,
    default: ProfileId,
    house: House,
    acts: VecDeque<RequestId>,
    beds: BTreeMap<BedId, BedCommon>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct BedCommon {
    devices: Board,
    #[serde(with = "crate::form::pairs")]
    numbers: BTreeMap<AlarmKey, u32>,
    duty: Duty,
}

/// What the engine knows about one patient, here or gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StayPiece {
    bed: Option<BedId>,
    stay: Stay,
}

impl StayPiece {
    /// Whose it is.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.stay.subject
    }

    /// Where they lie; `None`: no longer here.
    #[must_use]
    pub const fn bed(&self) -> Option<&BedId> {
        self.bed.as_ref()
    }
}

fn without_history(stay: &mut Stay) -> Stay {
    let history = std::mem::take(&mut stay.history);
    let copy = stay.clone();
    stay.history = history;
    copy
}

impl Engine {
    /// What is about no patient.
    #[must_use]
    pub fn common(&self) -> Common {
        let of_bed = |bed: &Bed| BedCommon {
            devices: bed.devices.clone(),
            numbers: bed.numbers.clone(),
            duty: bed.duty.clone(),
        };
        Common {
            version: VERSION,
            epoch: self.epoch,
            now: self.now,
            seq: self.seq,
            profiles: self.profiles.clone(),
            default: self.default.clone(),
            house: self.house.clone(),
            acts: self.acts.clone(),
            beds: self.beds.iter().map(|(id, bed)| (id.clone(), of_bed(bed))).collect(),
        }
    }

    /// What is about the patient in a bed; `None` if nobody lies there.
    pub fn stay_piece(&mut self, id: &BedId) -> Option<StayPiece> {
        let bed = self.beds.get_mut(id).filter(|bed| bed.stay.subject.is_some())?;
        Some(StayPiece { bed: Some(id.clone()), stay: without_history(&mut bed.stay) })
    }

    /// What is about patients who went, as far as it is kept.
    pub fn closed_pieces(&mut self) -> Vec<StayPiece> {
        self.closed.iter_mut().map(|stay| StayPiece { bed: None, stay: without_history(stay) }).collect()
    }

    /// Goes on from pieces, for these beds: new ones begin empty, those that are gone are left out. As [`Engine::restore`] otherwise.
    ///
    /// # Errors
    /// [`EngineError`] for pieces of another version, wrong profiles or too many beds.
    pub fn from_pieces(
        common: Common,
        beds: impl IntoIterator<Item = BedId>,
        stays: impl IntoIterator<Item = StayPiece>,
        now: ServerTime,
    ) -> Result<(Self, Vec<Output>), EngineError> {
        let Common { version, epoch, now: then, seq, profiles, default, house, acts, beds: mut known } = common;
        if version != VERSION {
            return Err(EngineError::Version { got: version });
        }
        let mut engine = Self::new(beds, profiles, default, then)?;
        (engine.epoch, engine.seq, engine.house, engine.acts) = (epoch, seq, house, acts);
        for (id, bed) in &mut engine.beds {
            if let Some(BedCommon { devices, numbers, duty }) = known.remove(id) {
                (bed.devices, bed.numbers, bed.duty) = (devices, numbers, duty);
            }
            // Nobody's values from before are anybody's now.
            bed.stay.here_since = now.micros();
            bed.stay.attended_from = now.micros();
        }
        for StayPiece { bed, stay } in stays {
            match bed.map(|bed| engine.beds.get_mut(&bed)) {
                Some(Some(bed)) => bed.stay = stay,
                Some(None) | None => engine.closed.push_back(stay),
            }
        }
        engine.now = then.max(now);
        let said = engine.say_again();
        Ok((engine, said))
    }

    /// Forgets a patient who is to be forgotten, whether in a bed or gone. Says nothing: there is nobody left to say it about.
    pub fn forget(&mut self, subject: Subject) {
        self.closed.retain(|stay| stay.subject != Some(subject));
        let (default, now) = (self.default.clone(), self.now);
        for bed in self.beds.values_mut().filter(|bed| bed.stay.subject == Some(subject)) {
            bed.stay = Stay { here_since: now.micros(), ..Stay::new(default.clone(), None, now) };
        }
    }
}
