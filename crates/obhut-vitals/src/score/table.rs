//! A score as data, and whether such data can be relied on.

use crate::Seconds;
use obhut_model::Code;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What goes into a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parameter {
    /// Breaths a minute.
    RespirationRate,
    /// Oxygen saturation in percent.
    OxygenSaturation,
    /// Air or oxygen.
    Breathing,
    /// Systolic pressure in mmHg.
    SystolicPressure,
    /// Heart beats a minute.
    Pulse,
    /// ACVPU.
    Consciousness,
    /// Degrees Celsius.
    Temperature,
}

/// What the patient breathes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breathing {
    /// Air.
    Air,
    /// Any additional oxygen.
    Oxygen,
}

/// ACVPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consciousness {
    /// A: alert.
    Alert,
    /// C: newly confused.
    Confused,
    /// V: responds to voice.
    Voice,
    /// P: responds to pain.
    Pain,
    /// U: unresponsive.
    Unresponsive,
}

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// German.
    pub de: String,
    /// English.
    pub en: String,
}

/// One score. Read from anywhere serde reads, then [`Table::check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Names it, for example `news2`.
    pub id: String,
    /// Its version; shown with every result.
    pub version: String,
    /// Who approved it for use in this house.
    pub approver: String,
    /// Where its numbers come from.
    pub source: String,
    /// Least age in years.
    pub age_min: u8,
    /// Whether it may be used in pregnancy.
    pub in_pregnancy: bool,
    /// The inputs.
    pub rows: Vec<Row>,
    /// What a total means; from 0 without gaps.
    pub bands: Vec<Band>,
    /// What one input alone can mean.
    pub single: Option<Single>,
}

/// One input of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Which.
    pub parameter: Parameter,
    /// How old it may be.
    pub age_max: Seconds,
    /// How it scores.
    pub scoring: Scoring,
}

/// How an input scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scoring {
    /// By its number.
    Number {
        /// Under which codes devices send it, best first.
        #[serde(with = "crate::form::codes")]
        codes: Vec<Code>,
        /// Digits after the point that count, 0 or 1; ranges count in that step.
        places: u8,
        /// Without gaps from the least to the greatest.
        ranges: Vec<Range>,
    },
    /// By its number, on a scale that a clinician chooses.
    Scaled {
        /// Under which codes devices send it, best first.
        #[serde(with = "crate::form::codes")]
        codes: Vec<Code>,
        /// Scale 1, in whole numbers.
        one: Vec<Range>,
        /// Scale 2, breathing air.
        two_on_air: Vec<Range>,
        /// Scale 2, with oxygen.
        two_on_oxygen: Vec<Range>,
    },
    /// By what the patient breathes.
    Breathing {
        /// Points on air.
        air: u8,
        /// Points with oxygen.
        oxygen: u8,
    },
    /// By ACVPU. A level that is not listed does not score at all.
    Consciousness(Vec<(Consciousness, u8)>),
}

/// Points of a range of numbers, both ends included; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Least.
    pub from: Option<i32>,
    /// Greatest.
    pub to: Option<i32>,
    /// Points.
    pub points: u8,
}

/// What a total means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Names it, and the text of the response in a catalogue: `score.news2.high`.
    pub key: String,
    /// Least total.
    pub from: u8,
    /// What is to be done.
    pub response: Text,
    /// When the score is due again at the latest; `None`: watched without a break.
    pub again_within: Option<Seconds>,
}

/// An input that alone reaches `points` lifts the result at least to band `band`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Single {
    /// From how many points of one input.
    pub points: u8,
    /// Key of the band, for totals that lie below it. It stands in [`Table::bands`] with the total above which it no longer matters.
    pub band: Band,
}

/// One mistake of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Nobody approved it, or it has no name, version or source.
    #[error("`{0}` is empty")]
    Unsigned(&'static str),
    /// Nothing to score.
    #[error("the table has no inputs, or none twice: {0:?}")]
    Rows(Option<Parameter>),
    /// Numbers that score twice or not at all.
    #[error("{parameter:?}: the ranges leave a gap, overlap, or are not in order")]
    Ranges {
        /// Of which input.
        parameter: Parameter,
    },
    /// More digits than the engine reads.
    #[error("{parameter:?}: {places} digits after the point; 0 or 1 are read")]
    Places {
        /// Of which input.
        parameter: Parameter,
        /// Found.
        places: u8,
    },
    /// A scale that depends on oxygen, and no question for it.
    #[error("scale 2 depends on what the patient breathes, which the table does not ask for")]
    NoBreathing,
    /// Bands that do not begin at 0 or do not rise.
    #[error("the bands do not begin at 0, do not rise, or the lifted band is no step of theirs")]
    Bands,
}

/// Everything wrong with a table; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("score table `{table}`: {}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct TableErrors {
    /// Its name.
    pub table: String,
    /// What is wrong.
    pub errors: Vec<TableError>,
}

impl Table {
    /// Whether it can be used. `// REQ-ALM-031`
    ///
    /// # Errors
    /// [`TableErrors`] with everything that is wrong.
    pub fn check(&self) -> Result<(), TableErrors> {
        let mut errors = Vec::new();
        let signed =
            [("id", &self.id), ("version", &self.version), ("approver", &self.approver), ("source", &self.source)];
        errors
            .extend(signed.iter().filter(|(_, text)| text.trim().is_empty()).map(|(key, _)| TableError::Unsigned(key)));
        if self.rows.is_empty() {
            errors.push(TableError::Rows(None));
        }
        let mut seen = BTreeSet::new();
        for row in &self.rows {
            if !seen.insert(row.parameter) {
                errors.push(TableError::Rows(Some(row.parameter)));
            }
            row.check(&mut errors);
        }
        let scaled = self.rows.iter().any(|row| matches!(row.scoring, Scoring::Scaled { .. }));
        if scaled && !seen.contains(&Parameter::Breathing) {
            errors.push(TableError::NoBreathing);
        }
        let rising = self.bands.iter().zip(self.bands.iter().skip(1)).all(|(a, b)| a.from < b.from);
        let lifted = self.single.as_ref().is_none_or(|single| single.points > 0 && single.band.from > 0);
        if self.bands.first().is_none_or(|band| band.from != 0) || !rising || !lifted {
            errors.push(TableError::Bands);
        }
        if errors.is_empty() { Ok(()) } else { Err(TableErrors { table: self.id.clone(), errors }) }
    }
}

impl Row {
    fn check(&self, errors: &mut Vec<TableError>) {
        let parameter = self.parameter;
        let lists: Vec<&[Range]> = match &self.scoring {
            Scoring::Number { ranges, places, .. } => {
                if *places > 1 {
                    errors.push(TableError::Places { parameter, places: *places });
                }
                vec![ranges]
            }
            Scoring::Scaled { one, two_on_air, two_on_oxygen, .. } => vec![one, two_on_air, two_on_oxygen],
            Scoring::Breathing { .. } | Scoring::Consciousness(_) => Vec::new(),
        };
        if lists.into_iter().any(|ranges| !joined(ranges)) {
            errors.push(TableError::Ranges { parameter });
        }
    }
}

/// Whether each range begins right after the one before; only the outermost ends may be open.
fn joined(ranges: &[Range]) -> bool {
    let inner = ranges.iter().zip(ranges.iter().skip(1)).all(|(a, b)| match (a.to, b.from) {
        (Some(to), Some(from)) => to.checked_add(1) == Some(from),
        _ => false,
    });
    let ordered = ranges.iter().all(|range| range.from.zip(range.to).is_none_or(|(from, to)| from <= to));
    !ranges.is_empty() && inner && ordered
}

/// Points of `value`; `None` outside all ranges.
pub(super) fn points(ranges: &[Range], value: i32) -> Option<u8> {
    let inside = |range: &&Range| range.from.is_none_or(|from| from <= value) && range.to.is_none_or(|to| value <= to);
    ranges.iter().find(inside).map(|range| range.points)
}
