//! The schema of alarms: `[[alarm]]`, limits a bed starts with, and `[alarms]`, how everything is signalled, paused and passed on.

use super::{AlarmFinding, AlarmPart, Id, PauseBreak, Priority};
use crate::{At, Period};
use obhut_model::Decimal;

/// `[[alarm]]`: limits a bed starts with, until someone sets its own. Either limits (`below`, `above`) or changes (`falls`, `rises`).
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Which numeric.
    pub data: At<Id>,
    /// How urgent (IEC 60601-1-8).
    pub priority: At<Priority>,
    /// Alarm when lower than this.
    pub below: Option<At<Decimal>>,
    /// Alarm when higher than this.
    pub above: Option<At<Decimal>>,
    /// Alarm when it falls by more than this within `over`.
    pub falls: Option<At<Decimal>>,
    /// Alarm when it rises by more than this within `over`.
    pub rises: Option<At<Decimal>>,
    /// The window of a change.
    pub over: Option<At<Period>>,
    /// How far back inside a value must come before the condition is over.
    pub hysteresis: Option<At<Decimal>>,
    /// How long the limit must be passed first.
    pub delay: At<Period>,
    /// How long after that the signal comes.
    pub signal_delay: At<Period>,
    /// Whether the signal stays after the condition ended, until acknowledged.
    pub latching: At<bool>,
    /// Inside which bounds the limit may be set at the bedside; absent: not at all.
    pub settable: Option<At<Settable>>,
}

impl Alarm {
    /// Whether it is about changes and not about limits.
    #[must_use]
    pub const fn is_trend(&self) -> bool {
        self.falls.is_some() || self.rises.is_some()
    }
}

/// Bounds of a bedside limit, both allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settable {
    /// Least.
    pub from: Decimal,
    /// Most.
    pub to: Decimal,
}

/// `[alarms]`: how alarms are signalled, paused and passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarms {
    /// Longest audio pause.
    pub audio_pause_max: At<Period>,
    /// Longest alarm pause.
    pub alarm_pause_max: At<Period>,
    /// Which new alarm ends an audio pause.
    pub audio_pause_broken_by: At<PauseBreak>,
    /// Whether the sound of a bed may be switched off without an end. Not unless said otherwise.
    pub audio_off: At<bool>,
    /// How soon an alarm's new value is reported again, at the earliest.
    pub update_every: At<Period>,
    /// Data that must not fall silent from admission on; the others from their first value on.
    pub always: Vec<At<Id>>,
    /// The early-warning score of the ward, by its table; absent: none.
    pub score: Option<At<Id>>,
    /// How often at least; needed with `score`.
    pub score_every: Option<At<Period>>,
    /// Equipment, links, signals. Each one exactly once: what is left out would be silent.
    pub technical: Vec<Part<AlarmPart>>,
    /// What detectors find. What is left out is no alarm.
    pub finding: Vec<Part<AlarmFinding>>,
    /// Several values at once.
    pub combined: Vec<Combined>,
    /// Who is called when nobody answers.
    pub escalation: Vec<Escalation>,
}

/// How something is signalled.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// How urgent.
    pub priority: At<Priority>,
    /// How long the condition must hold.
    pub delay: At<Period>,
    /// How long after that the signal comes.
    pub signal_delay: At<Period>,
    /// Whether it stays until acknowledged.
    pub latching: At<bool>,
}

/// One item of `technical` or `finding`: `{ kind = "…", priority = "…", delay = "…" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<K> {
    /// What.
    pub kind: At<K>,
    /// How it is signalled.
    pub signal: Signal,
}

/// One item of `combined`: `{ id = "…", limits = [{ data = "…", above = … }, …], at_least = 2, priority = "…" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    /// Key.
    pub id: At<Id>,
    /// The parts: data, alarm below, alarm above; one of the two each.
    pub limits: Vec<(At<Id>, Option<At<Decimal>>, Option<At<Decimal>>)>,
    /// How many must hold; all of them unless said otherwise.
    pub at_least: Option<At<u8>>,
    /// How it is signalled.
    pub signal: Signal,
}

/// One item of `escalation`: `{ priority = "high", steps = [{ within = "30 s" }, { role = "nurse", within = "60 s" }] }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// Alarms of this priority.
    pub priority: At<Priority>,
    /// Who is called, in order.
    pub steps: Vec<CallStep>,
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq)]
pub struct CallStep {
    /// A role; absent: whoever is responsible for the bed.
    pub role: Option<At<Id>>,
    /// How long until the next step.
    pub within: At<Period>,
}
