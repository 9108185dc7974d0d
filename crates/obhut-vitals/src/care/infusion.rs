//! An infusion: rate, volume left, time left, and that it ends soon.

use crate::Seconds;
use crate::alarm::FindingKind;
use obhut_model::{Code, DeviceTime, Quality};
use serde::{Deserialize, Serialize};

/// When an end is near; the ward's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfusionPlan {
    /// How long before the end it is said.
    pub near: Seconds,
    /// How long a value of the pump stands.
    pub stale_after: Seconds,
}

/// How long an infusion still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeLeft {
    /// The pump says so.
    Device(Seconds),
    /// Volume over rate, because the pump says only these.
    Computed(Seconds),
    /// It stands still: rate 0.
    Stopped,
    /// The pump is silent, or says too little.
    Unknown,
}

/// An infusion as shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InfusionState {
    /// mL/h.
    pub rate: Option<f64>,
    /// mL.
    pub volume_left: Option<f64>,
    /// mL.
    pub volume_total: Option<f64>,
    /// How long.
    pub time_left: TimeLeft,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Heard {
    at: i64,
    value: Option<f64>,
}

/// The watch over one channel of a pump. `// REQ-ALM-041`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Infusion {
    plan: InfusionPlan,
    now: i64,
    rate: Option<Heard>,
    left: Option<Heard>,
    total: Option<Heard>,
    time: Option<Heard>,
    near: bool,
    ended: bool,
}

impl Infusion {
    /// A watch that begins now.
    #[must_use]
    pub const fn new(plan: InfusionPlan, now: DeviceTime) -> Self {
        Self { plan, now: now.micros(), rate: None, left: None, total: None, time: None, near: false, ended: false }
    }

    /// Takes one value of the pump in; gives what began (`true`) or ended (`false`). Codes of no pump are ignored, and so are values that
    /// are older than the newest, and copies.
    pub fn reading(
        &mut self,
        code: Code,
        at: DeviceTime,
        value: Option<f64>,
        quality: Quality,
    ) -> Vec<(FindingKind, bool)> {
        let value = value.filter(|value| value.is_finite() && *value >= 0.0 && quality.is_trusted());
        let slot = match code {
            Code::FLOW_FLUID_PUMP => &mut self.rate,
            Code::VOL_FLUID_TBI_REMAIN => &mut self.left,
            Code::VOL_FLUID_TBI => &mut self.total,
            Code::TIME_PD_REMAIN => &mut self.time,
            _ => return Vec::new(),
        };
        if slot.is_some_and(|heard| at.micros() <= heard.at) {
            return Vec::new();
        }
        *slot = Some(Heard { at: at.micros(), value });
        self.elapse(at)
    }

    /// Time went by.
    pub fn elapse(&mut self, now: DeviceTime) -> Vec<(FindingKind, bool)> {
        self.now = self.now.max(now.micros());
        let mut out = Vec::new();
        let state = self.state();
        // An unknown end neither begins nor ends what was said.
        let (near, ended) = match (state.time_left, state.volume_left) {
            (_, Some(0.0)) => (false, true),
            (TimeLeft::Device(left) | TimeLeft::Computed(left), _) => (left <= self.plan.near, left == Seconds::ZERO),
            (TimeLeft::Stopped, Some(_)) => (self.near, false),
            _ => (self.near, self.ended),
        };
        let near = near && !ended;
        for (was, is, kind) in
            [(&mut self.near, near, FindingKind::InfusionNearEnd), (&mut self.ended, ended, FindingKind::InfusionEnded)]
        {
            if *was != is {
                *was = is;
                out.push((kind, is));
            }
        }
        out
    }

    /// The infusion now.
    #[must_use]
    pub fn state(&self) -> InfusionState {
        let fresh = |heard: Option<Heard>| {
            heard
                .filter(|heard| self.now.saturating_sub(heard.at) <= self.plan.stale_after.micros())
                .and_then(|h| h.value)
        };
        let (rate, volume_left, time) = (fresh(self.rate), fresh(self.left), fresh(self.time));
        let time_left = match (rate, time, volume_left) {
            (Some(0.0), _, _) => TimeLeft::Stopped,
            (_, Some(seconds), _) => TimeLeft::Device(whole(seconds)),
            (Some(rate), None, Some(left)) => TimeLeft::Computed(whole(left / rate * 3_600.0)),
            _ => TimeLeft::Unknown,
        };
        InfusionState { rate, volume_left, volume_total: fresh(self.total), time_left }
    }
}

/// Rounded down: an end is never said to be later than it is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
fn whole(seconds: f64) -> Seconds {
    Seconds(seconds.clamp(0.0, f64::from(u32::MAX)) as u32)
}
