//! From the charter's alarms to a profile an engine takes.
//!
//! The charter is the only place where limits, delays and pauses of a ward are declared; nothing is added here but names. Entries of one data
//! and side become one rule: `heart-rate-high`, `spo2-low`, `spo2-falls`.

use crate::Seconds;
use crate::alarm::{
    Bounds, Breaks, Call, Callee, Condition, Delays, Escalation, Expect, FindingKind, Pauses, Priority, Profile,
    ProfileErrors, ProfileId, RoleId, Rule, RuleId, ScoreOrder, Side, Signalling, Step, TechnicalKind, Term, Watched,
};
use obhut_charter::schema::{self, Alarm, Alarms, Id, PauseBreak};
use obhut_charter::{At, Checked, Period};
use obhut_model::{Code, Decimal};
use std::collections::{BTreeMap, BTreeSet};

/// Why a charter gives no profile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FromCharterError {
    /// The charter has no `[alarms]`.
    #[error("the charter declares no `[alarms]`: this ward has none")]
    NoAlarms,
    /// A name that is too long once the side is added.
    #[error("`{0}` is too long to name a rule")]
    Name(String),
    /// Something refers to data that is not declared; a checked charter has none of that.
    #[error("`{0}` is no declared data")]
    Data(String),
    /// A word this crate does not know.
    #[error("`{0}` is not known to the alarm engine")]
    Word(&'static str),
    /// What came out does not hold together.
    #[error(transparent)]
    Profile(#[from] ProfileErrors),
}

/// The profile of a ward. Its name is the ward's, its version the charter's fingerprint. `// REQ-ALM-020`
///
/// # Errors
/// [`FromCharterError`], also for what only shows once everything is together.
pub fn profile(charter: &Checked) -> Result<Profile, FromCharterError> {
    let alarms = charter.alarm_rules().ok_or(FromCharterError::NoAlarms)?;
    let mut rules = limits(charter)?;
    for part in &alarms.technical {
        let word = part.kind.as_str();
        let kind = TechnicalKind::from_word(word).ok_or(FromCharterError::Word(word))?;
        rules.push(plain(word, Condition::Technical { kind, signal: signalling(&part.signal) })?);
    }
    for part in &alarms.finding {
        let word = part.kind.as_str();
        let finding = FindingKind::from_word(word).ok_or(FromCharterError::Word(word))?;
        rules.push(plain(word, Condition::Finding { finding, signal: signalling(&part.signal) })?);
    }
    for combined in &alarms.combined {
        let terms = combined
            .limits
            .iter()
            .map(|(data, below, above)| term(charter, data, below.as_ref(), above.as_ref()))
            .collect::<Result<Vec<Term>, _>>()?;
        let all = u8::try_from(terms.len()).unwrap_or(u8::MAX);
        let at_least = combined.at_least.as_ref().map_or(all, |n| **n);
        let condition = Condition::Combined { terms, at_least, signal: signalling(&combined.signal) };
        rules.push(plain(&format!("combined-{}", *combined.id), condition)?);
    }
    let ward = charter.ward().id.as_str();
    let profile = Profile {
        id: ProfileId::new(ward).map_err(|_| FromCharterError::Name(ward.to_owned()))?,
        version: charter.fingerprint().to_owned(),
        watched: watched(charter, alarms, &rules)?,
        rules,
        pauses: Pauses {
            audio_max: seconds(*alarms.audio_pause_max),
            alarm_max: seconds(*alarms.alarm_pause_max),
            broken_by: match *alarms.audio_pause_broken_by {
                PauseBreak::MoreUrgent => Breaks::MoreUrgent,
                PauseBreak::Any => Breaks::Any,
            },
            audio_off_allowed: *alarms.audio_off,
        },
        escalation: alarms.escalation.iter().map(escalation).collect::<Result<_, _>>()?,
        update_every: seconds(*alarms.update_every),
        score: alarms
            .score
            .as_ref()
            .zip(alarms.score_every.as_ref())
            .map(|(table, every)| ScoreOrder { table: table.to_string(), every: seconds(**every) }),
    };
    profile.check()?;
    Ok(profile)
}

fn seconds(period: Period) -> Seconds {
    Seconds(u32::try_from(period.seconds()).unwrap_or(u32::MAX))
}

const fn priority(priority: schema::Priority) -> Priority {
    match priority {
        schema::Priority::Low => Priority::Low,
        schema::Priority::Medium => Priority::Medium,
        schema::Priority::High => Priority::High,
    }
}

fn signalling(signal: &schema::Signal) -> Signalling {
    Signalling {
        priority: priority(*signal.priority),
        delays: Delays { condition: seconds(*signal.delay), signal: seconds(*signal.signal_delay) },
        latching: *signal.latching,
    }
}

fn plain(name: &str, condition: Condition) -> Result<Rule, FromCharterError> {
    let id = RuleId::new(name).map_err(|_| FromCharterError::Name(name.to_owned()))?;
    Ok(Rule { id, condition, settable: None })
}

fn code_of(charter: &Checked, data: &Id) -> Result<Code, FromCharterError> {
    charter.data(data).map(|data| *data.code).ok_or_else(|| FromCharterError::Data(data.to_string()))
}

fn term(
    charter: &Checked,
    data: &Id,
    below: Option<&At<Decimal>>,
    above: Option<&At<Decimal>>,
) -> Result<Term, FromCharterError> {
    let side = if below.is_some() { Side::Low } else { Side::High };
    let limit = below.or(above).map_or(f64::NAN, |limit| limit.to_f64());
    Ok(Term { code: code_of(charter, data)?, side, limit })
}

/// One side of one `[[alarm]]`.
type Sided = (&'static str, Side, bool, fn(&Alarm) -> Option<&At<Decimal>>);

fn limits(charter: &Checked) -> Result<Vec<Rule>, FromCharterError> {
    const SIDES: [Sided; 4] = [
        ("low", Side::Low, false, |alarm| alarm.below.as_ref()),
        ("high", Side::High, false, |alarm| alarm.above.as_ref()),
        ("falls", Side::Low, true, |alarm| alarm.falls.as_ref()),
        ("rises", Side::High, true, |alarm| alarm.rises.as_ref()),
    ];
    let mut rules = Vec::new();
    let mut by_data: BTreeMap<&str, Vec<&Alarm>> = BTreeMap::new();
    for alarm in charter.alarms() {
        by_data.entry(alarm.data.as_str()).or_default().push(alarm);
    }
    for (data, alarms) in by_data {
        for (suffix, side, trend, limit) in SIDES {
            let mut own: Vec<(&Alarm, f64)> =
                alarms.iter().filter_map(|alarm| limit(alarm).map(|limit| (*alarm, limit.to_f64()))).collect();
            own.sort_by_key(|(alarm, _)| *alarm.priority);
            let Some((first, _)) = own.first() else { continue };
            rules.push(rule(charter, &format!("{data}-{suffix}"), first, side, trend, &own)?);
        }
    }
    Ok(rules)
}

fn rule(
    charter: &Checked,
    name: &str,
    first: &Alarm,
    side: Side,
    trend: bool,
    own: &[(&Alarm, f64)],
) -> Result<Rule, FromCharterError> {
    let code = code_of(charter, &first.data)?;
    let largest = own.iter().filter_map(|(alarm, _)| alarm.hysteresis.as_ref()).map(|value| value.to_f64());
    let hysteresis = largest.fold(0.0, f64::max);
    let steps: Vec<Step> = own.iter().map(|(alarm, limit)| step(alarm, *limit)).collect();
    let over = own.iter().filter_map(|(alarm, _)| alarm.over.as_ref()).map(|over| seconds(**over)).max();
    let condition = match over.filter(|_| trend) {
        Some(over) => Condition::Trend { code, side, over, hysteresis, steps },
        None => Condition::Limit { code, side, hysteresis, steps },
    };
    // What every entry allows.
    let bounds: Option<Vec<_>> = own.iter().map(|(alarm, _)| alarm.settable.as_ref()).collect();
    let settable = bounds.map(|bounds| {
        let narrow = |bounds: &[&At<schema::Settable>]| Bounds {
            from: bounds.iter().map(|b| b.from.to_f64()).fold(f64::NEG_INFINITY, f64::max),
            to: bounds.iter().map(|b| b.to.to_f64()).fold(f64::INFINITY, f64::min),
        };
        narrow(&bounds)
    });
    Ok(Rule { settable, ..plain(name, condition)? })
}

fn step(alarm: &Alarm, limit: f64) -> Step {
    Step {
        limit,
        signal: Signalling {
            priority: priority(*alarm.priority),
            delays: Delays { condition: seconds(*alarm.delay), signal: seconds(*alarm.signal_delay) },
            latching: *alarm.latching,
        },
    }
}

/// Every code a rule looks at, and what must always be there; stale after two periods (decision 0042).
fn watched(charter: &Checked, alarms: &Alarms, rules: &[Rule]) -> Result<Vec<Watched>, FromCharterError> {
    let always: BTreeSet<Code> = alarms.always.iter().map(|id| code_of(charter, id)).collect::<Result<_, _>>()?;
    let mut codes: BTreeSet<Code> = always.clone();
    for rule in rules {
        codes.extend(rule.condition.code());
        if let Condition::Combined { terms, .. } = &rule.condition {
            codes.extend(terms.iter().map(|term| term.code));
        }
    }
    Ok(codes
        .into_iter()
        .filter_map(|code| {
            // The slowest declaration of a code decides: what is due from it is not yet late by a faster one.
            let periods = charter.all_data().iter().filter(|data| *data.code == code).map(|data| {
                data.period.as_ref().map_or_else(
                    || Seconds::from_micros_up(data.rate_max.period_micros().saturating_mul(2)),
                    |period| Seconds(seconds(**period).0.saturating_mul(2)),
                )
            });
            let expect = if always.contains(&code) { Expect::Always } else { Expect::OnceSeen };
            periods.max().map(|stale_after| Watched { code, stale_after, expect })
        })
        .collect())
}

fn escalation(escalation: &schema::Escalation) -> Result<Escalation, FromCharterError> {
    let steps = escalation.steps.iter().map(|step| {
        let to = match &step.role {
            None => Callee::Responsible,
            Some(role) => {
                Callee::Role(RoleId::new(role.as_str()).map_err(|_| FromCharterError::Name(role.to_string()))?)
            }
        };
        Ok(Call { to, answer_within: seconds(*step.within) })
    });
    Ok(Escalation { priority: priority(*escalation.priority), steps: steps.collect::<Result<_, FromCharterError>>()? })
}
