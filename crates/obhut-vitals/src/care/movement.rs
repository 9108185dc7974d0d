//! Bed exit, fall, and repositioning due, from a movement sensor.

use crate::Seconds;
use crate::alarm::FindingKind;
use obhut_model::{DeviceTime, PersonId, Quality};
use serde::{Deserialize, Serialize};

/// What is watched for one patient; a nurse's order, not a default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CarePlan {
    /// Whether leaving the bed is an event.
    pub watch_exit: bool,
    /// For how long the bed must be empty before it is: a sensor flickers while somebody turns.
    pub exit_after: Seconds,
    /// How often the patient is to be turned; `None`: moves alone.
    pub turn_every: Option<Seconds>,
    /// From which share of movement on, in percent, the patient has turned by themselves.
    pub turned_at: f64,
    /// How long a value of the sensor stands.
    pub stale_after: Seconds,
}

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum MovementEvent {
    /// The sensor says whether somebody lies there.
    Occupied {
        /// When.
        at: DeviceTime,
        /// Whether; `None`: it does not know.
        occupied: Option<bool>,
        /// How good.
        #[serde(with = "crate::form::quality")]
        quality: Quality,
    },
    /// The sensor says how much of the last period had movement.
    Moved {
        /// When.
        at: DeviceTime,
        /// Percent.
        percent: f64,
        /// How good.
        #[serde(with = "crate::form::quality")]
        quality: Quality,
    },
    /// The sensor saw a fall.
    Fell {
        /// When.
        at: DeviceTime,
    },
    /// Somebody has been with the patient after a fall or an exit.
    Attended {
        /// When.
        at: DeviceTime,
        /// Who.
        by: PersonId,
    },
    /// Somebody turned the patient.
    Turned {
        /// When.
        at: DeviceTime,
        /// Who.
        by: PersonId,
    },
    /// Time went by.
    Tick {
        /// Now.
        at: DeviceTime,
    },
}

/// Whether somebody lies in the bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lying {
    /// Yes.
    InBed,
    /// No.
    Away,
    /// The sensor is silent or doubtful. Never taken for yes.
    Unknown,
}

/// The watch over one patient's movement. `// REQ-ALM-040`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    plan: CarePlan,
    now: i64,
    lying: Lying,
    /// Newest word of the sensor about the bed.
    heard_at: Option<i64>,
    /// Since when the bed has been empty without a break.
    away_since: Option<i64>,
    /// Last time the patient was turned, by somebody or by themselves.
    turned_at: i64,
    fallen: Option<i64>,
    exited: bool,
    turn_due: bool,
}

impl Movement {
    /// A watch that begins now; the patient counts as turned now.
    #[must_use]
    pub const fn new(plan: CarePlan, now: DeviceTime) -> Self {
        Self {
            plan,
            now: now.micros(),
            lying: Lying::Unknown,
            heard_at: None,
            away_since: None,
            turned_at: now.micros(),
            fallen: None,
            exited: false,
            turn_due: false,
        }
    }

    /// Takes one event in; gives what began (`true`) or ended (`false`). A second copy of an event gives nothing.
    pub fn step(&mut self, event: MovementEvent) -> Vec<(FindingKind, bool)> {
        let mut out = Vec::new();
        match event {
            MovementEvent::Occupied { at, occupied, quality } => {
                let said = occupied.filter(|_| quality.is_trusted());
                self.occupied(at.micros(), said, &mut out);
            }
            MovementEvent::Moved { at, percent, quality } => {
                if quality.is_trusted() && percent >= self.plan.turned_at {
                    self.turned_at = self.turned_at.max(at.micros());
                }
                self.now = self.now.max(at.micros());
            }
            MovementEvent::Fell { at } => {
                self.now = self.now.max(at.micros());
                if self.fallen.is_none_or(|fallen| at.micros() > fallen) {
                    self.fallen = Some(at.micros());
                    out.push((FindingKind::Fall, true));
                }
            }
            MovementEvent::Attended { at, .. } => {
                self.now = self.now.max(at.micros());
                if self.fallen.take().is_some() {
                    out.push((FindingKind::Fall, false));
                }
                if std::mem::take(&mut self.exited) {
                    out.push((FindingKind::BedExit, false));
                }
                // Whoever attended knows that the bed is empty: the same absence is not said again.
                self.away_since = None;
            }
            MovementEvent::Turned { at, .. } => {
                self.now = self.now.max(at.micros());
                self.turned_at = self.turned_at.max(at.micros());
            }
            MovementEvent::Tick { at } => self.now = self.now.max(at.micros()),
        }
        self.elapse(&mut out);
        out
    }

    fn occupied(&mut self, at: i64, said: Option<bool>, out: &mut Vec<(FindingKind, bool)>) {
        self.now = self.now.max(at);
        if self.heard_at.is_some_and(|heard| at <= heard) {
            return;
        }
        let Some(occupied) = said else {
            self.lying = Lying::Unknown;
            return;
        };
        self.heard_at = Some(at);
        if occupied {
            self.lying = Lying::InBed;
            self.away_since = None;
            if std::mem::take(&mut self.exited) {
                out.push((FindingKind::BedExit, false));
            }
        } else {
            if self.lying == Lying::InBed {
                self.away_since = Some(at);
            }
            self.lying = Lying::Away;
        }
    }

    fn elapse(&mut self, out: &mut Vec<(FindingKind, bool)>) {
        if self.heard_at.is_none_or(|heard| self.now.saturating_sub(heard) > self.plan.stale_after.micros()) {
            self.lying = Lying::Unknown;
        }
        let away = self.away_since.is_some_and(|since| self.now.saturating_sub(since) >= self.plan.exit_after.micros());
        if self.plan.watch_exit && away && !self.exited {
            self.exited = true;
            out.push((FindingKind::BedExit, true));
        }
        let due = self.plan.turn_every.is_some_and(|every| self.now.saturating_sub(self.turned_at) >= every.micros());
        if due != self.turn_due {
            self.turn_due = due;
            out.push((FindingKind::RepositioningDue, due));
        }
    }

    /// Whether somebody lies in the bed.
    #[must_use]
    pub const fn lying(&self) -> Lying {
        self.lying
    }

    /// When the patient is to be turned next; `None`: no order.
    #[must_use]
    pub fn turn_due_at(&self) -> Option<DeviceTime> {
        self.plan.turn_every.map(|every| DeviceTime::from_micros(self.turned_at.saturating_add(every.micros())))
    }

    /// Changes the order; what is due by the new one is due at the next step.
    pub const fn order(&mut self, plan: CarePlan) {
        self.plan = plan;
    }
}
