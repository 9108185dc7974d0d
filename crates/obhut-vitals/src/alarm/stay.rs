//! What belongs to a patient and goes along to another bed: limits, what is expected, values, alarms about the patient, pauses, history.

use super::board::{Board, Plan};
use super::input::Setting;
use super::output::{AlarmKey, Output};
use super::profile::{
    Condition, Expect, FindingKind, Profile, ProfileId, Rule, RuleId, Side, Signalling, TechnicalKind,
};
use super::quiet::Quiet;
use super::reason::Reason;
use super::words::{AlarmType, Priority};
use crate::alarm::board::{Latest, UNTIL_TAKEN_BACK};
use crate::limits::{HISTORY_MAX, TREND_BUCKETS};
use obhut_model::{Code, DeviceId, PersonId, Quality, ServerTime, Subject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A limit set at the bedside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitSet {
    /// To what. Never [`Setting::Profile`]: that takes the entry away.
    pub to: Setting,
    /// By whom.
    pub by: PersonId,
    /// When.
    pub at: ServerTime,
    /// Why.
    pub reason: String,
}

/// The patient is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandbySince {
    /// Since when.
    pub since: ServerTime,
    /// By whom.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// The newest value of one code from one device.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Value {
    pub(crate) at: i64,
    /// When there was a number last.
    pub(crate) good_at: Option<i64>,
    pub(crate) value: Option<f64>,
    #[serde(with = "crate::form::quality")]
    pub(crate) quality: Quality,
}

/// Least and greatest value of each part of a trend's window. Order of arrival does not matter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Window(BTreeMap<i64, (f64, f64)>);

impl Window {
    /// Takes a value in and gives how far it lies above the least, or below the greatest, of the window that ends with it.
    pub(crate) fn change(&mut self, at: i64, value: f64, over: i64, side: Side) -> f64 {
        let width = (over / TREND_BUCKETS).max(1_000_000);
        let index = at.div_euclid(width);
        let bucket = self.0.entry(index).or_insert((value, value));
        *bucket = (bucket.0.min(value), bucket.1.max(value));
        while self.0.len() as i64 > 2 * TREND_BUCKETS {
            self.0.pop_first();
        }
        let first = (at - over).div_euclid(width);
        self.0.range(first..=index).fold(0.0, |change: f64, (_, (least, greatest))| {
            change.max(match side {
                Side::High => value - least,
                Side::Low => greatest - value,
            })
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stay {
    pub(crate) subject: Option<Subject>,
    pub(crate) profile: ProfileId,
    pub(crate) since: ServerTime,
    /// What was measured at this bed before is not this patient's.
    pub(crate) here_since: i64,
    /// Silence counts from here: admission, or the end of standby.
    pub(crate) attended_from: i64,
    #[serde(with = "crate::form::pairs")]
    pub(crate) limits: BTreeMap<(RuleId, Priority), LimitSet>,
    /// Codes someone switched watching on or off for, by number.
    pub(crate) watch: BTreeMap<u32, bool>,
    #[serde(with = "crate::form::pairs")]
    pub(crate) values: BTreeMap<(u32, DeviceId), Value>,
    #[serde(with = "crate::form::pairs")]
    pub(crate) windows: BTreeMap<(RuleId, DeviceId), Window>,
    pub(crate) board: Board,
    pub(crate) quiet: Quiet,
    pub(crate) standby: Option<StandbySince>,
    /// Shared, so that a snapshot costs little however much has happened.
    pub(crate) history: VecDeque<Arc<Output>>,
}

impl Stay {
    pub(crate) fn new(profile: ProfileId, subject: Option<Subject>, now: ServerTime) -> Self {
        Self {
            subject,
            profile,
            since: now,
            here_since: i64::MIN,
            attended_from: now.micros(),
            limits: BTreeMap::new(),
            watch: BTreeMap::new(),
            values: BTreeMap::new(),
            windows: BTreeMap::new(),
            board: Board::default(),
            quiet: Quiet::default(),
            standby: None,
            history: VecDeque::new(),
        }
    }

    pub(crate) fn remember(&mut self, output: &Output) {
        self.history.push_back(Arc::new(output.clone()));
        while self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// The steps of a rule as they hold here; `None`: switched off.
    pub(crate) fn steps(&self, rule: &Rule) -> Vec<Option<(f64, Signalling)>> {
        rule.condition
            .signals()
            .map(|(limit, signal)| {
                let limit = limit.unwrap_or_default();
                match self.limits.get(&(rule.id.clone(), signal.priority)).map(|set| set.to) {
                    Some(Setting::Off) => None,
                    Some(Setting::At(limit)) => Some((limit, signal)),
                    Some(Setting::Profile) | None => Some((limit, signal)),
                }
            })
            .collect()
    }

    /// Whether `code` must not fall silent now, and since when there has been no number.
    pub(crate) fn silent_since(&self, code: Code, expect: Expect) -> Option<i64> {
        let seen = self.good_at(code);
        let expected = match (self.watch.get(&code.number()), expect) {
            (Some(expected), _) => *expected,
            (None, Expect::Always) => true,
            (None, Expect::OnceSeen) => seen.is_some(),
        };
        expected.then(|| seen.unwrap_or(i64::MIN).max(self.attended_from))
    }

    pub(crate) fn good_at(&self, code: Code) -> Option<i64> {
        self.of_code(code).filter_map(|(_, value)| value.good_at).max()
    }

    pub(crate) fn of_code(&self, code: Code) -> impl Iterator<Item = (&DeviceId, &Value)> {
        self.values
            .iter()
            .filter(move |((number, _), _)| *number == code.number())
            .map(|((_, device), value)| (device, value))
    }
}

pub(crate) fn type_of(condition: &Condition) -> AlarmType {
    match condition {
        Condition::Limit { .. } | Condition::Trend { .. } | Condition::Combined { .. } => AlarmType::Physiological,
        Condition::Finding { finding, .. } if finding.is_advice() => AlarmType::Advisory,
        Condition::Finding { .. } => AlarmType::Physiological,
        Condition::Technical { .. } => AlarmType::Technical,
    }
}

/// How long a fact of this condition stands for the present, in microseconds.
pub(crate) fn hold_of(condition: &Condition, profile: &Profile) -> i64 {
    let stale = |code: Code| profile.stale_after(code).map_or(0, |stale| stale.micros());
    match condition {
        Condition::Limit { code, .. } | Condition::Trend { code, .. } => stale(*code),
        Condition::Combined { terms, .. } => terms.iter().map(|term| stale(term.code)).max().unwrap_or(0),
        Condition::Finding { .. } | Condition::Technical { .. } => UNTIL_TAKEN_BACK,
    }
}

fn reason_of(rule: &Rule, limits: &[Option<f64>], key: &AlarmKey, step: u8, latest: &Latest) -> Reason {
    let limit = limits.get(usize::from(step)).copied().flatten().unwrap_or_default();
    let value = latest.values.first().copied().flatten().unwrap_or_default();
    match &rule.condition {
        Condition::Limit { code, side, .. } => Reason::Limit { code: *code, side: *side, value, limit },
        Condition::Trend { code, side, over, .. } => {
            Reason::Trend { code: *code, side: *side, change: value, limit, over: over.0 }
        }
        Condition::Finding { finding, .. } => Reason::Finding { finding: *finding },
        Condition::Combined { terms, at_least, .. } => Reason::Combined {
            parts: terms.iter().copied().zip(latest.values.iter().copied().chain(std::iter::repeat(None))).collect(),
            at_least: *at_least,
        },
        Condition::Technical { kind, .. } => Reason::Technical { kind: *kind, code: key.code },
    }
}

/// Calls `with` with the plan by which the facts of `key` become an alarm.
pub(crate) fn with_plan<T>(
    rule: &Rule,
    steps: &[Option<(f64, Signalling)>],
    profile: &Profile,
    key: &AlarmKey,
    with: impl FnOnce(&Plan<'_>) -> T,
) -> T {
    let limits: Vec<Option<f64>> = steps.iter().map(|step| step.map(|(limit, _)| limit)).collect();
    let low = matches!(&rule.condition, Condition::Limit { side: Side::Low, .. });
    let arrhythmia =
        matches!(&rule.condition, Condition::Finding { finding, .. } if FindingKind::is_arrhythmia(*finding));
    with(&Plan {
        kind: type_of(&rule.condition),
        hold: hold_of(&rule.condition, profile),
        steps: steps.iter().map(|step| step.map(|(_, signal)| signal)).collect(),
        can_be_contradicted: arrhythmia,
        reason: &|step, latest| reason_of(rule, &limits, key, step, latest),
        worse: if low { f64::min } else { f64::max },
    })
}

/// The steps of a rule as the profile has them, for places without a patient.
pub(crate) fn steps_of_profile(rule: &Rule) -> Vec<Option<(f64, Signalling)>> {
    rule.condition.signals().map(|(limit, signal)| Some((limit.unwrap_or_default(), signal))).collect()
}

/// The key of a technical alarm.
pub(crate) fn technical_key(
    profile: &Profile,
    kind: TechnicalKind,
    code: Option<Code>,
    source: Option<DeviceId>,
) -> Option<(&Rule, AlarmKey)> {
    profile.technical(kind).map(|rule| (rule, AlarmKey { rule: rule.id.clone(), code, source }))
}
