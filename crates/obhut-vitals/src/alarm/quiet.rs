//! What silences a bed: audio pause, alarm pause, audio off.
//!
//! A pause ends by itself. It hides nothing: a paused alarm is there, says that it is paused and until when. Alarm pause covers
//! physiological alarms only; what is wrong with equipment stays to be heard. An audio pause is ended by a new alarm, by the profile's rule.

use super::output::{Alarm, Cause, PauseKind, What};
use super::profile::Breaks;
use super::words::{AlarmType, Inactivation, Priority};
use obhut_model::{PersonId, ServerTime};
use serde::{Deserialize, Serialize};

/// A pause that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Until when.
    pub until: ServerTime,
    /// By whom.
    pub by: PersonId,
    /// The most urgent alarm that was there when it began.
    pub ceiling: Priority,
}

/// Sound that is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundOff {
    /// Since when.
    pub since: ServerTime,
    /// By whom.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// What silences a bed now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quiet {
    /// Audio pause.
    pub audio: Option<Pause>,
    /// Alarm pause.
    pub alarms: Option<Pause>,
    /// Audio off.
    pub off: Option<SoundOff>,
}

impl Quiet {
    /// What silences `alarm`: that somebody has seen it, or else what reaches furthest.
    pub(crate) fn inactivation(&self, alarm: &Alarm) -> Inactivation {
        if alarm.acknowledged.is_some() {
            Inactivation::Acknowledged
        } else if self.alarms.is_some() && alarm.kind == AlarmType::Physiological {
            Inactivation::AlarmPaused
        } else if self.off.is_some() {
            Inactivation::AudioOff
        } else if self.audio.is_some() {
            Inactivation::AudioPaused
        } else {
            Inactivation::Enabled
        }
    }

    /// A new or more urgent alarm: ends an audio pause, by the profile's rule. `// REQ-ALM-008`
    pub(crate) fn alarm_raised(&mut self, rule: Breaks, alarm: &Alarm, out: &mut Vec<What>) {
        // An alarm that the alarm pause silences is not heard anyway and ends nothing.
        let covered = self.alarms.is_some() && alarm.kind == AlarmType::Physiological;
        let breaks = self.audio.as_ref().is_some_and(|pause| match rule {
            Breaks::Any => true,
            Breaks::MoreUrgent => alarm.priority > pause.ceiling,
        });
        if breaks && !covered {
            self.audio = None;
            out.push(What::Resumed { pause: PauseKind::Audio, cause: Cause::Alarm(alarm.id.clone()) });
        }
    }

    /// Ends what is over. `// REQ-ALM-007`
    pub(crate) fn elapse(&mut self, now: ServerTime, out: &mut Vec<What>) {
        for (pause, kind) in [(&mut self.audio, PauseKind::Audio), (&mut self.alarms, PauseKind::Alarms)] {
            if pause.as_ref().is_some_and(|pause| pause.until <= now) {
                *pause = None;
                out.push(What::Resumed { pause: kind, cause: Cause::Elapsed });
            }
        }
    }

    /// Ends everything that silences.
    pub(crate) fn resume(&mut self, cause: &Cause, out: &mut Vec<What>) {
        if self.audio.take().is_some() {
            out.push(What::Resumed { pause: PauseKind::Audio, cause: cause.clone() });
        }
        if self.alarms.take().is_some() {
            out.push(What::Resumed { pause: PauseKind::Alarms, cause: cause.clone() });
        }
        if self.off.take().is_some() {
            out.push(What::Resumed { pause: PauseKind::AudioOff, cause: cause.clone() });
        }
    }
}
