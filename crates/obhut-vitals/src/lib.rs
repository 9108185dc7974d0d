//! What a ward watches: alarms after IEC 60601-1-8 and IHE ACM, early-warning scores, care at the bed.
//!
//! Pure state machines: values, events and the time come in, records of what changed come out. No clock, file, socket or global; what this
//! crate decides it decides again in the same way from the same inputs. It is *not* a detector (heart beats, signal quality and the check
//! of arrhythmia alarms come in as [`alarm::Finding`]), not the place where limits are chosen (the charter and the bedside do that) and
//! not a certified medical device.
//!
//! What always holds:
//! - *Unknown is never normal.* A value that is missing, stale or doubtful never ends an alarm, is never scored as 0, and of a watched code
//!   becomes a technical alarm.
//! - Acknowledging and pausing silence; they never remove what is still true. Every pause ends by itself.
//! - One episode is one alarm with one identifier, however often and in whatever order its readings arrive, and across a restart.
//! - Every alarm says why: value, limit, rule and its version, source, since when, how sure.
//!
//! Sources: IEC 60601-1-8:2006+A1+A2 (words, priorities, latching), IHE DEV Alert Communication Management (phases and states),
//! Royal College of Physicians, National Early Warning Score 2, 2017. Requirements: `docs/requirements/alarm.toml`; `docs/alarm-trace.md`
//! says which of them is where in code and tests.

pub mod alarm;
pub mod care;
mod form;
pub mod from_charter;
pub mod limits;
pub mod score;
mod seconds;

pub use seconds::Seconds;
