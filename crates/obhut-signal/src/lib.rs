//! Beats, numerics, signal quality and a second opinion, from waveforms.
//!
//! For setting the curves themselves beside what devices say about them: a heart rate of our own, pressures of our own, whether an arrhythmia
//! alarm is borne out by another signal. It streams: give [`Bed::push`] blocks as they come, ask [`Bed::assess`] once a second and
//! [`Bed::verify`] when an alarm comes. *Not* for alarms (states, priorities, latching), not for diagnosis, and never in place of a
//! device's numbers.
//!
//! What always holds:
//! - No beats found means that the signal's quality is unknown, unless the signal itself shows otherwise; it never means asystole. Asystole takes
//!   a good ECG and a second signal without pulses.
//! - A gap stays a gap: no interval, rate or pressure reaches across one.
//! - The same samples give the same result however they are cut into blocks. Filters compute in whole numbers; "not a number" does not exist
//!   in them. Nothing here panics, whatever the samples are.
//! - Memory is bounded by [`limits`] and set when a channel begins.
//! - A method is a published one, named with its reference in the module that holds it; what was changed stands there too. Thresholds of
//!   judgements are [`Settings`], passed in.
//!
//! Figures and limits: decision 0170.

pub mod beat;
pub mod bed;
pub mod channel;
pub mod ecg;
pub mod events;
pub mod limits;
pub mod pressure;
pub mod pulse;
pub mod quality;
pub mod respiration;
pub mod settings;
pub mod verify;

mod filter;
mod ring;
mod timeline;

pub use beat::{Beat, Rhythm};
pub use bed::{Assessment, Bed, ChannelReport, Measured, Perfusion, Refused};
pub use channel::Sort;
pub use events::{Condition, ConditionKind};
pub use pressure::{Flaw, Gate, PressureBeat, Pressures};
pub use quality::{Doubt, Lack, QualityLimits, SignalQuality};
pub use respiration::Breathing;
pub use settings::{EventLimits, PlethZero, Settings};
pub use verify::{Against, Claim, Support, Uncertainty, Verdict};
