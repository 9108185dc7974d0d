//! How loud a ward is, and what would make it quieter: counts, actionable share, time to acknowledge, and suggestions, from the records.
//!
//! A suggestion is arithmetic about the past ("with a delay 8 s longer, 31 of 40 alarms would not have come"), never a clinical judgement:
//! people decide. An alarm counts as actionable only if whoever acknowledged it said so; the share is of those that were judged.

use super::input::{Judgement, Place};
use super::output::{Alarm, AlarmId, Output, What};
use super::profile::{RuleId, TechnicalKind};
use super::reason::Reason;
use super::words::{AlarmType, Phase, Priority};
use crate::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What counts as noise; declared by the ward, not by this program.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Yardstick {
    /// An alarm that ends by itself within this time, unacknowledged, was short.
    pub short: Seconds,
    /// A longer delay is suggested if it avoids at least this share of a rule's alarms, and a shifted limit likewise.
    pub share: f64,
    /// No more than this much delay is ever suggested on top.
    pub delay_more_max: Seconds,
    /// Fewest alarms of a rule before anything is suggested.
    pub alarms_min: u32,
    /// Minutes by which the ward's day is ahead of UTC.
    pub day_offset_minutes: i32,
}

/// Alarms of one bed on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Day {
    /// High priority.
    pub high: u32,
    /// Medium priority.
    pub medium: u32,
    /// Low priority.
    pub low: u32,
    /// Of all these, technical ones.
    pub technical: u32,
}

/// All figures of a ward.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// By bed and day; the day counts from 1970-01-01 in the ward's own time.
    pub days: Vec<(Place, i64, Day)>,
    /// Alarms altogether.
    pub alarms: u32,
    /// How many were judged by who acknowledged them.
    pub judged: u32,
    /// How many of those called for action.
    pub actionable: u32,
    /// Half of the acknowledged alarms were acknowledged within this time.
    pub acknowledged_median: Option<Seconds>,
    /// Nine of ten.
    pub acknowledged_p90: Option<Seconds>,
    /// How many were acknowledged.
    pub acknowledged: u32,
    /// The rules with most alarms, loudest first.
    pub noise: Vec<Noise>,
}

/// One source of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The rule.
    pub rule: RuleId,
    /// How many alarms.
    pub alarms: u32,
    /// How many were short.
    pub short: u32,
    /// What would make it quieter, if anything would.
    pub suggestion: Option<Suggestion>,
}

/// What would have made a rule quieter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Suggestion {
    /// A longer condition delay.
    LongerDelay {
        /// How much longer.
        by: Seconds,
        /// How many alarms would not have come.
        avoids: u32,
    },
    /// A limit further out.
    ShiftLimit {
        /// Where to.
        to: f64,
        /// How many alarms would not have come.
        avoids: u32,
    },
    /// Electrodes, sensor, cable: technical alarms that come again and again.
    CheckSensor {
        /// How many.
        alarms: u32,
    },
}

impl Statistics {
    /// Share of the judged alarms that called for action, 0 to 1; `None` if none was judged.
    #[must_use]
    pub fn actionable_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| f64::from(self.actionable) / f64::from(self.judged))
    }

    /// Counts the records given, in any order, each at most once by alarm. `// REQ-ALM-019`
    #[must_use]
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Output>, yardstick: &Yardstick) -> Self {
        let mut lives: BTreeMap<AlarmId, Life<'a>> = BTreeMap::new();
        for record in records {
            let What::Alarm { phase, alarm, .. } = &record.what else { continue };
            let life = lives.entry(alarm.id.clone()).or_insert_with(|| Life {
                place: &record.place,
                last: alarm,
                ended: None,
            });
            if life.last.reported_at <= alarm.reported_at {
                life.last = alarm;
            }
            if *phase == Phase::End {
                life.ended = Some(alarm);
            }
        }
        let mut statistics = Self { alarms: count(lives.len()), ..Self::default() };
        let mut days: BTreeMap<(Place, i64), Day> = BTreeMap::new();
        let mut waits = Vec::new();
        for life in lives.values() {
            life.count_day(&mut days, yardstick.day_offset_minutes);
            if let Some(ack) = &life.last.acknowledged {
                waits.push(ack.at.since(life.last.raised_at).max(0));
                if let Some(judged) = ack.judged {
                    statistics.judged += 1;
                    statistics.actionable += u32::from(judged == Judgement::Actionable);
                }
            }
        }
        waits.sort_unstable();
        statistics.acknowledged = count(waits.len());
        statistics.acknowledged_median = rank(&waits, 50);
        statistics.acknowledged_p90 = rank(&waits, 90);
        statistics.days = days.into_iter().map(|((place, day), counts)| (place, day, counts)).collect();
        statistics.noise = noise(&lives, yardstick);
        statistics
    }
}

struct Life<'a> {
    place: &'a Place,
    last: &'a Alarm,
    ended: Option<&'a Alarm>,
}

impl Life<'_> {
    fn count_day(&self, days: &mut BTreeMap<(Place, i64), Day>, offset_minutes: i32) {
        const DAY: i64 = 86_400_000_000;
        let local = self.last.raised_at.micros() + i64::from(offset_minutes) * 60_000_000;
        let day = days.entry((self.place.clone(), local.div_euclid(DAY))).or_default();
        match self.last.declared {
            Priority::High => day.high += 1,
            Priority::Medium => day.medium += 1,
            Priority::Low | Priority::None => day.low += 1,
        }
        day.technical += u32::from(self.last.kind == AlarmType::Technical);
    }

    /// How long the signal was there before the condition ended by itself; `None` if somebody acknowledged it or it has not ended.
    fn length(&self) -> Option<i64> {
        let ended = self.ended?;
        let delay = ended.delays.total().micros();
        let condition = ended.ended?.since(ended.onset);
        (ended.acknowledged.is_none() && self.last.acknowledged.is_none()).then_some((condition - delay).max(0))
    }
}

fn noise(lives: &BTreeMap<AlarmId, Life<'_>>, yardstick: &Yardstick) -> Vec<Noise> {
    let rules: BTreeSet<&RuleId> = lives.keys().map(AlarmId::rule).collect();
    let mut all: Vec<Noise> = rules
        .into_iter()
        .map(|rule| {
            let of_rule: Vec<&Life<'_>> =
                lives.iter().filter(|(id, _)| id.rule() == rule).map(|(_, life)| life).collect();
            let short = of_rule.iter().filter(|life| life.length().is_some_and(|l| l <= yardstick.short.micros()));
            Noise {
                rule: rule.clone(),
                alarms: count(of_rule.len()),
                short: count(short.count()),
                suggestion: suggest(&of_rule, yardstick),
            }
        })
        .collect();
    all.sort_by_key(|noise| std::cmp::Reverse(noise.alarms));
    all
}

fn suggest(of_rule: &[&Life<'_>], yardstick: &Yardstick) -> Option<Suggestion> {
    let alarms = count(of_rule.len());
    if alarms < yardstick.alarms_min {
        return None;
    }
    let sensor = of_rule.iter().all(|life| {
        let kinds = [TechnicalKind::LeadOff, TechnicalKind::NoSignal, TechnicalKind::SuspectData];
        matches!(&life.last.reason, Reason::Technical { kind, .. } if kinds.contains(kind))
    });
    if sensor {
        return Some(Suggestion::CheckSensor { alarms });
    }
    let enough = |avoided: u32| f64::from(avoided) >= yardstick.share * f64::from(alarms);
    let mut lengths: Vec<i64> = of_rule.iter().filter_map(|life| life.length()).collect();
    lengths.sort_unstable();
    lengths.retain(|length| *length < yardstick.delay_more_max.micros());
    if enough(count(lengths.len())) {
        let by = Seconds::from_micros_up(lengths.last().copied().unwrap_or(0) + 1);
        return Some(Suggestion::LongerDelay { by, avoids: count(lengths.len()) });
    }
    shift(of_rule, &enough)
}

/// The nearest limit that the smaller part of the excursions would still have passed.
fn shift(of_rule: &[&Life<'_>], enough: &dyn Fn(u32) -> bool) -> Option<Suggestion> {
    let mut beyond: Vec<(f64, f64)> = of_rule
        .iter()
        .filter(|life| matches!(life.last.reason, Reason::Limit { .. }))
        .filter_map(|life| life.last.worst.zip(life.last.reason.limit()))
        .map(|(worst, limit)| ((worst - limit).abs(), worst))
        .collect();
    beyond.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The value furthest out of those that would be avoided: a limit there is not passed by them.
    (1..=beyond.len()).find(|n| enough(count(*n))).filter(|n| *n < beyond.len()).and_then(|n| {
        let (_, to) = beyond.get(n - 1).copied()?;
        Some(Suggestion::ShiftLimit { to, avoids: count(n) })
    })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The nearest rank of a percentile.
fn rank(sorted: &[i64], percent: usize) -> Option<Seconds> {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).map(|micros| Seconds::from_micros_up(*micros))
}
