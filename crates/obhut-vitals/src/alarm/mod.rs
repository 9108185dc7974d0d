//! Alarms of a ward after IEC 60601-1-8, with the phases and states of IHE Alert Communication Management.
//!
//! [`Engine::step`] takes one [`Input`] and gives [`Output`] records. Inside, values become *facts* about conditions (`track`), facts become
//! alarms (`board`), and what a bed adds (limits, pauses, standby, calls) lies around them.
//!
//! It is not a detector, stores nothing, makes no sound and sends nothing; shells do.

mod act;
mod bed;
mod board;
mod check;
mod duty;
mod engine;
mod input;
mod moves;
mod output;
mod pieces;
pub mod profile;
mod quiet;
mod reason;
mod snapshot;
pub mod statistics;
mod stay;
mod track;
mod view;
mod words;

pub use check::{ProfileError, ProfileErrors};
pub use duty::{Duty, Offer};
pub use engine::{Engine, EngineError};
pub use input::{Act, Deed, Finding, Input, Judgement, Move, Place, Reading, SecondOpinion, Setting, Technical};
pub use output::{
    Acknowledged, Alarm, AlarmId, AlarmIdError, AlarmKey, Calling, Cause, Evidence, Output, PauseKind, Refusal, What,
};
pub use pieces::{Common, StayPiece};
pub use profile::{
    Bounds, Breaks, Call, Callee, Condition, Delays, Escalation, Expect, FindingKind, Pauses, Profile, ProfileId,
    RoleId, Rule, RuleId, ScoreOrder, Side, Signalling, Step, TechnicalKind, Term, Watched,
};
pub use quiet::{Pause, Quiet, SoundOff};
pub use reason::Reason;
pub use snapshot::Snapshot;
pub use stay::{LimitSet, StandbySince};
pub use view::{BedView, Limits};
pub use words::{AlarmType, Inactivation, Lang, Phase, Priority, State};
