//! From inputs with their age and source to a score, or to what is missing for one.

use super::table::{Band, Breathing, Consciousness, Parameter, Row, Scoring, Table, points};
use crate::Seconds;
use obhut_model::{Decimal, DeviceId, DeviceTime, PersonId, Quality, ServerTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One input as it was measured or entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// What.
    pub what: Observation,
    /// When.
    pub at: DeviceTime,
    /// By whom or what.
    pub by: Origin,
    /// How good.
    #[serde(with = "crate::form::quality")]
    pub quality: Quality,
}

/// What was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// A number in the parameter's unit, exact.
    Number(#[serde(with = "crate::form::decimal")] Decimal),
    /// Air or oxygen.
    Breathing(Breathing),
    /// ACVPU.
    Consciousness(Consciousness),
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A device.
    Device(DeviceId),
    /// A person, by hand.
    Person(PersonId),
}

/// The newest input of each sort.
pub type Inputs = BTreeMap<Parameter, Observed>;

/// Which saturation scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// Scale 1, for everybody.
    One,
    /// Scale 2, because a clinician set a target of 88 to 92 %.
    Two(ClinicianChoice),
}

/// Who chose scale 2, and when. There is no other way to it. `// REQ-ALM-033`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClinicianChoice {
    /// Who.
    pub who: PersonId,
    /// When.
    pub at: ServerTime,
}

/// What must be known about a patient before a score may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Completed years; `None`: not known.
    pub age: Option<u8>,
    /// Pregnancy.
    pub pregnancy: Pregnancy,
}

/// Pregnancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pregnancy {
    /// No, or not possible.
    No,
    /// Yes.
    Yes,
    /// Not known: the score says that it was assumed not.
    Unknown,
}

/// A score, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Which table.
    pub table: String,
    /// Which version of it.
    pub version: String,
    /// As of when.
    pub at: ServerTime,
    /// Which saturation scale, and who chose it.
    pub scale: Scale,
    /// Every input with its age, source and points.
    pub parts: Vec<Part>,
    /// The result.
    pub outcome: Outcome,
    /// What was assumed.
    pub caveats: Vec<Caveat>,
}

/// One input of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which.
    pub parameter: Parameter,
    /// What was observed, if anything.
    pub observed: Option<Observed>,
    /// How old it is.
    pub age: Option<Seconds>,
    /// The number that was scored, in steps of the table's precision.
    pub rounded: Option<i32>,
    /// What came of it.
    pub state: PartState,
}

/// What came of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartState {
    /// It scored.
    Scored(u8),
    /// Nobody observed it.
    Missing,
    /// It is too old.
    Stale,
    /// The device doubts it.
    Doubtful,
    /// The table has no points for it: a percentage above 100, a level it does not know, a text where a number belongs.
    Unscorable,
    /// Scale 2 needs to know what the patient breathes.
    NeedsBreathing,
}

/// A total, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All inputs were there.
    Complete {
        /// The sum.
        total: u8,
        /// Whether one input alone lifted the band.
        single: bool,
        /// What it means.
        band: Band,
    },
    /// Something is missing: no total, but a lower bound. `// REQ-ALM-032`
    Incomplete {
        /// What did not score.
        missing: Vec<Parameter>,
        /// The points of what did; the total is at least this.
        partial: u8,
        /// Whether one input alone reached the points that matter alone.
        single: bool,
        /// What it means at least.
        at_least: Band,
    },
    /// The score was not made for this patient. `// REQ-ALM-034`
    NotApplicable(NotApplicable),
}

/// Why a score is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotApplicable {
    /// Too young for it.
    TooYoung,
    /// Nobody knows how old.
    AgeUnknown,
    /// Pregnant.
    Pregnant,
    /// The table has no bands, so that nothing follows from it.
    NoBand,
}

/// What was assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caveat {
    /// That the patient is not pregnant.
    NotPregnantAssumed,
}

/// Scores `inputs` with `table` as of `now`. Use a table that passed [`Table::check`]. `// REQ-ALM-030`
#[must_use]
pub fn score(table: &Table, inputs: &Inputs, scale: &Scale, person: Person, now: ServerTime) -> Score {
    let parts: Vec<Part> = table.rows.iter().map(|row| part(row, table, inputs, scale, now)).collect();
    let unknown = !table.in_pregnancy && person.pregnancy == Pregnancy::Unknown;
    let outcome = match refusal(table, person) {
        Some(why) => Outcome::NotApplicable(why),
        None => outcome(table, &parts),
    };
    Score {
        table: table.id.clone(),
        version: table.version.clone(),
        at: now,
        scale: scale.clone(),
        parts,
        outcome,
        caveats: if unknown { vec![Caveat::NotPregnantAssumed] } else { Vec::new() },
    }
}

fn refusal(table: &Table, person: Person) -> Option<NotApplicable> {
    if table.age_min > 0 && person.age.is_none() {
        Some(NotApplicable::AgeUnknown)
    } else if person.age.is_some_and(|age| age < table.age_min) {
        Some(NotApplicable::TooYoung)
    } else if person.pregnancy == Pregnancy::Yes && !table.in_pregnancy {
        Some(NotApplicable::Pregnant)
    } else {
        None
    }
}

fn part(row: &Row, table: &Table, inputs: &Inputs, scale: &Scale, now: ServerTime) -> Part {
    let parameter = row.parameter;
    let Some(observed) = inputs.get(&parameter) else {
        return Part { parameter, observed: None, age: None, rounded: None, state: PartState::Missing };
    };
    let micros = now.stand_in_for_device().since(observed.at).max(0);
    let (rounded, state) = if micros > row.age_max.micros() {
        (None, PartState::Stale)
    } else if !observed.quality.is_trusted() {
        (None, PartState::Doubtful)
    } else {
        let breathing = inputs.get(&Parameter::Breathing).filter(|_| usable(table, inputs, now));
        points_of(&row.scoring, observed.what, scale, breathing.map(|observed| observed.what))
    };
    let age = Some(Seconds(u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX)));
    Part { parameter, observed: Some(observed.clone()), age, rounded, state }
}

/// Whether what the patient breathes is known and fresh.
fn usable(table: &Table, inputs: &Inputs, now: ServerTime) -> bool {
    let row = table.rows.iter().find(|row| row.parameter == Parameter::Breathing);
    row.zip(inputs.get(&Parameter::Breathing)).is_some_and(|(row, observed)| {
        now.stand_in_for_device().since(observed.at) <= row.age_max.micros() && observed.quality.is_trusted()
    })
}

fn points_of(
    scoring: &Scoring,
    what: Observation,
    scale: &Scale,
    breathing: Option<Observation>,
) -> (Option<i32>, PartState) {
    let found = |points: Option<u8>| points.map_or(PartState::Unscorable, PartState::Scored);
    match (scoring, what) {
        (Scoring::Number { places, ranges, .. }, Observation::Number(value)) => {
            let rounded = rounded(value, *places);
            (rounded, found(rounded.and_then(|value| points(ranges, value))))
        }
        (Scoring::Scaled { one, two_on_air, two_on_oxygen, .. }, Observation::Number(value)) => {
            let rounded = rounded(value, 0);
            let ranges = match (scale, breathing) {
                (Scale::One, _) => one,
                (Scale::Two(_), Some(Observation::Breathing(Breathing::Air))) => two_on_air,
                (Scale::Two(_), Some(Observation::Breathing(Breathing::Oxygen))) => two_on_oxygen,
                (Scale::Two(_), _) => return (rounded, PartState::NeedsBreathing),
            };
            (rounded, found(rounded.and_then(|value| points(ranges, value))))
        }
        (Scoring::Breathing { air, oxygen }, Observation::Breathing(breathing)) => {
            (None, PartState::Scored(if breathing == Breathing::Air { *air } else { *oxygen }))
        }
        (Scoring::Consciousness(levels), Observation::Consciousness(level)) => {
            (None, found(levels.iter().find(|(known, _)| *known == level).map(|(_, points)| *points)))
        }
        _ => (None, PartState::Unscorable),
    }
}

/// Half away from zero, in exact decimals. `// REQ-ALM-035`
fn rounded(value: Decimal, places: u8) -> Option<i32> {
    let step = Decimal::new(1, if places == 0 { 0 } else { -1 }).ok()?;
    value.in_steps_of(step)
}

fn outcome(table: &Table, parts: &[Part]) -> Outcome {
    let scored = |part: &Part| match part.state {
        PartState::Scored(points) => Some(points),
        _ => None,
    };
    let sum = parts.iter().filter_map(scored).fold(0u8, u8::saturating_add);
    let most = parts.iter().filter_map(scored).max().unwrap_or(0);
    let Some(band) = table.bands.iter().rev().find(|band| band.from <= sum) else {
        return Outcome::NotApplicable(NotApplicable::NoBand);
    };
    let lifted = table.single.as_ref().filter(|single| most >= single.points && sum < single.band.from);
    let single = table.single.as_ref().is_some_and(|single| most >= single.points);
    let band = lifted.map_or(band, |single| &single.band).clone();
    let missing: Vec<Parameter> =
        parts.iter().filter(|part| scored(part).is_none()).map(|part| part.parameter).collect();
    if missing.is_empty() {
        Outcome::Complete { total: sum, single, band }
    } else {
        Outcome::Incomplete { missing, partial: sum, single, at_least: band }
    }
}
