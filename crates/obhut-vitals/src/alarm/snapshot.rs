//! The engine's memory across a restart.
//!
//! A snapshot holds everything: what is known, alarms, pauses, limits, calls, and the profiles they rest on. After [`Engine::restore`] every
//! alarm that was active, latched or acknowledged is said again once, under its old identifier, and the engine goes on exactly as if it had
//! never stopped. Inputs that came after the snapshot may be fed again, in any order; what they did before they do again under the same
//! identifiers. Records are numbered on from the snapshot, so numbers given after it come again: tell alarms apart by identifier.

use super::engine::{Engine, EngineError};
use super::input::Place;
use super::output::{Cause, Output, PauseKind, What};
use super::words::Phase;
use obhut_model::ServerTime;
use serde::{Deserialize, Serialize};

/// The version of the snapshot's form.
pub(crate) const VERSION: u32 = 1;

/// Everything an engine knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    engine: Engine,
}

impl Engine {
    /// Everything this engine knows. `// REQ-ALM-017`
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { version: VERSION, engine: self.clone() }
    }

    /// Goes on from a snapshot, with the profiles that were in force then; follow with [`Engine::reload`] if others are now.
    /// The records say every alarm and pause again once; pauses that ended meanwhile end now.
    ///
    /// # Errors
    /// [`EngineError`] for a snapshot of another version or with a wrong profile.
    pub fn restore(snapshot: Snapshot, now: ServerTime) -> Result<(Self, Vec<Output>), EngineError> {
        if snapshot.version != VERSION {
            return Err(EngineError::Version { got: snapshot.version });
        }
        let mut engine = snapshot.engine;
        let (profiles, default) = (engine.profiles.clone(), engine.default.clone());
        engine.take_profiles(profiles, default)?;
        engine.now = engine.now.max(now);
        let out = engine.say_again();
        Ok((engine, out))
    }

    /// Says every alarm and pause again, without changing any.
    pub(crate) fn say_again(&mut self) -> Vec<Output> {
        let mut said = Vec::new();
        for (id, bed) in &self.beds {
            let place = Place::Bed(id.clone());
            let quiet = &bed.stay.quiet;
            for (kind, pause) in [(PauseKind::Audio, &quiet.audio), (PauseKind::Alarms, &quiet.alarms)] {
                if let Some(pause) = pause {
                    let what = What::Paused { pause: kind, until: Some(pause.until), by: pause.by, reason: None };
                    said.push((place.clone(), bed.stay.subject, what));
                }
            }
            if let Some(off) = &quiet.off {
                let reason = Some(off.reason.clone());
                let what = What::Paused { pause: PauseKind::AudioOff, until: None, by: off.by, reason };
                said.push((place.clone(), bed.stay.subject, what));
            }
            for alarm in bed.alarms() {
                said.push((place.clone(), bed.stay.subject, again(alarm)));
            }
        }
        said.extend(self.house.board.alarms.values().map(|alarm| (Place::Ward, None, again(alarm))));
        said.into_iter()
            .map(|(place, subject, what)| {
                self.seq += 1;
                Output { seq: self.seq, at: self.now, place, subject, what }
            })
            .collect()
    }
}

fn again(alarm: &super::output::Alarm) -> What {
    What::Alarm { phase: Phase::Continue, cause: Cause::Restart, alarm: Box::new(alarm.clone()) }
}
