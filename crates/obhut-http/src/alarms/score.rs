//! Early-warning scores of those who lie here: newest values by device, at most a few entries by hand, and the table the charter orders.
//!
//! Points, rounding and what is missing are `obhut-vitals`' to say. Here lies what goes in: the newest value of each code the table looks at, consciousness, breathing,
//! pregnancy, the scale a clinician chose, and completed years as of admission, which is all of the birth date that leaves the identity vault.
//!
//! INVARIANT: nothing is assumed: what nobody measured or entered is missing, and an age nobody knows makes the score not applicable.

use super::Watching;
use obhut_model::{BedId, Code, DeviceId, Numeric, PersonId, Quality, ServerTime, Subject};
use obhut_vitals::score::{
    Breathing, Caveat, ClinicianChoice, Consciousness, Inputs, NotApplicable, Observation, Observed, Origin, Outcome,
    Parameter, Part, PartState, Person, Pregnancy, Scale, Score, Scoring, Table, score, tables,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many ticks lie between two looks at whether a score changed by time alone.
const LOOK_EVERY_TICKS: u32 = 8;

/// What is known of one patient for a score.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sheet {
    values: BTreeMap<u32, Observed>,
    consciousness: Option<Observed>,
    breathing: Option<Observed>,
    scale: Scale,
    scale_reason: Option<String>,
    person: Person,
}

impl Default for Sheet {
    fn default() -> Self {
        Self {
            values: BTreeMap::new(),
            consciousness: None,
            breathing: None,
            scale: Scale::One,
            scale_reason: None,
            person: Person { age: None, pregnancy: Pregnancy::Unknown },
        }
    }
}

/// What somebody enters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// ACVPU.
    pub consciousness: Option<Consciousness>,
    /// What the patient breathes.
    pub breathing: Option<Breathing>,
    /// `no`, `yes`, `unknown`.
    pub pregnancy: Option<String>,
}

/// Why an entry was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreError {
    /// The charter orders no score, or nobody lies there.
    NoScore,
    /// A word that is not one.
    Word,
}

impl Sheet {
    pub(super) fn value(&mut self, device: &DeviceId, numeric: &Numeric) {
        let Some(number) = numeric.steps.and_then(|steps| numeric.step.times(steps)) else { return };
        let newer = self.values.get(&numeric.code.number()).is_none_or(|known| known.at <= numeric.taken_at);
        if newer && looked_at(numeric.code) {
            let what = Observation::Number(number);
            let (at, quality) = (numeric.taken_at, numeric.quality);
            let by = Origin::Device(device.clone());
            self.values.insert(numeric.code.number(), Observed { what, at, by, quality });
        }
    }

    /// The best code with a usable value; without one, the newest of all, so that what is stale or doubtful is said to be.
    fn inputs(&self, table: &Table, now: ServerTime) -> Inputs {
        let mut inputs = Inputs::new();
        for row in &table.rows {
            let codes = match &row.scoring {
                Scoring::Number { codes, .. } | Scoring::Scaled { codes, .. } => codes,
                Scoring::Breathing { .. } => {
                    inputs.extend(self.breathing.clone().map(|observed| (row.parameter, observed)));
                    continue;
                }
                Scoring::Consciousness(_) => {
                    inputs.extend(self.consciousness.clone().map(|observed| (row.parameter, observed)));
                    continue;
                }
            };
            let known: Vec<&Observed> = codes.iter().filter_map(|code| self.values.get(&code.number())).collect();
            let usable = |observed: &&&Observed| {
                let age = now.stand_in_for_device().since(observed.at);
                observed.quality.is_trusted() && age <= row.age_max.micros()
            };
            let best = known.iter().find(usable).or_else(|| known.iter().max_by_key(|observed| observed.at));
            inputs.extend(best.map(|observed| (row.parameter, (*observed).clone())));
        }
        inputs
    }
}

/// Whether any score looks at a code; the rest is not kept.
fn looked_at(code: Code) -> bool {
    use std::sync::OnceLock;
    static CODES: OnceLock<Vec<Code>> = OnceLock::new();
    let codes = CODES.get_or_init(|| {
        let rows = tables::all().into_iter().flat_map(|table| table.rows);
        rows.filter_map(|row| match row.scoring {
            Scoring::Number { codes, .. } | Scoring::Scaled { codes, .. } => Some(codes),
            Scoring::Breathing { .. } | Scoring::Consciousness(_) => None,
        })
        .flatten()
        .collect()
    });
    codes.contains(&code)
}

impl Watching {
    /// The table the charter orders.
    pub(super) fn choose_table(&mut self) {
        let ordered =
            self.engine.iter().flat_map(|engine| engine.profiles()).find_map(|profile| profile.score.as_ref());
        self.table = ordered.and_then(|order| tables::all().into_iter().find(|table| table.id == order.table));
        if let (Some(order), None) = (ordered, &self.table) {
            tracing::error!(table = order.table, "the charter orders a score this program has no table for");
        }
    }

    fn score(&self, bed: &BedId, now: ServerTime) -> Option<(Score, &Table, Sheet)> {
        let table = self.table.as_ref()?;
        let sheet = self.sheets.get(self.lying.get(bed)?).cloned().unwrap_or_default();
        let result = score(table, &sheet.inputs(table, now), &sheet.scale, sheet.person, now);
        Some((result, table, sheet))
    }

    /// The short form.
    pub(super) fn score_row(&self, bed: &BedId, now: ServerTime) -> Option<Value> {
        self.score(bed, now).map(|(score, _, _)| short(&score))
    }

    /// The long form.
    pub(super) fn score_page(&self, bed: &BedId, now: ServerTime) -> Option<Value> {
        let (score, table, _) = self.score(bed, now)?;
        let parts: Vec<Value> = score.parts.iter().map(part).collect();
        let (scale, by) = match &score.scale {
            Scale::One => (1, None),
            Scale::Two(choice) => (2, Some(json!({"by": choice.who, "at": choice.at.micros()}))),
        };
        let caveats: Vec<&str> =
            score.caveats.iter().map(|Caveat::NotPregnantAssumed| "not-pregnant-assumed").collect();
        Some(json!({
            "score": short(&score), "scale": scale, "scale_by": by, "version": score.version, "approver": table.approver, "source": table.source,
            "caveats": caveats, "parts": parts,
        }))
    }

    /// Notes which scores changed by time or value, so that pages are told.
    pub(super) fn scores(&mut self, now: ServerTime) {
        self.ticks = self.ticks.wrapping_add(1);
        if self.table.is_none() || !self.ticks.is_multiple_of(LOOK_EVERY_TICKS) {
            return;
        }
        let beds: Vec<BedId> = self.lying.keys().cloned().collect();
        for bed in beds {
            let Some((score, _, _)) = self.score(&bed, now) else { continue };
            if self.scored.get(&bed) != Some(&score.outcome) {
                self.scored.insert(bed.clone(), score.outcome);
                self.untold.insert(bed);
            }
        }
    }

    /// Takes an entry.
    pub(super) fn enter(
        &mut self,
        bed: &BedId,
        who: PersonId,
        entry: &Entry,
        now: ServerTime,
    ) -> Result<(), ScoreError> {
        let subject = self.lying.get(bed).copied().filter(|_| self.table.is_some()).ok_or(ScoreError::NoScore)?;
        let pregnancy = match entry.pregnancy.as_deref() {
            None => None,
            Some("no") => Some(Pregnancy::No),
            Some("yes") => Some(Pregnancy::Yes),
            Some("unknown") => Some(Pregnancy::Unknown),
            Some(_) => return Err(ScoreError::Word),
        };
        let sheet = self.sheets.entry(subject).or_default();
        let observed =
            |what| Observed { what, at: now.stand_in_for_device(), by: Origin::Person(who), quality: Quality::GOOD };
        if let Some(level) = entry.consciousness {
            sheet.consciousness = Some(observed(Observation::Consciousness(level)));
        }
        if let Some(breathing) = entry.breathing {
            sheet.breathing = Some(observed(Observation::Breathing(breathing)));
        }
        sheet.person.pregnancy = pregnancy.unwrap_or(sheet.person.pregnancy);
        self.unkept.sheet(bed);
        self.untold.insert(bed.clone());
        Ok(())
    }

    /// Lets a clinician choose the saturation scale.
    pub(super) fn choose_scale(
        &mut self,
        bed: &BedId,
        who: PersonId,
        two: bool,
        reason: String,
        now: ServerTime,
    ) -> Result<(), ScoreError> {
        let subject = self.lying.get(bed).copied().filter(|_| self.table.is_some()).ok_or(ScoreError::NoScore)?;
        let sheet = self.sheets.entry(subject).or_default();
        sheet.scale = if two { Scale::Two(ClinicianChoice { who, at: now }) } else { Scale::One };
        sheet.scale_reason = Some(reason);
        self.unkept.sheet(bed);
        self.untold.insert(bed.clone());
        Ok(())
    }

    /// Completed years of whoever was admitted.
    pub(super) fn age(&mut self, subject: Subject, age: Option<u8>) {
        self.sheets.entry(subject).or_default().person.age = age;
        let bed = self.lying.iter().find(|(_, lies)| **lies == subject).map(|(bed, _)| bed.clone());
        if let Some(bed) = bed {
            self.unkept.sheet(&bed);
            self.untold.insert(bed);
        }
    }
}

fn short(score: &Score) -> Value {
    let (table, at) = (&score.table, score.at.micros());
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    match &score.outcome {
        Outcome::Complete { total, single, band } => {
            json!({"table": table, "complete": true, "total": total, "at_least": total, "band": last(&band.key),
                   "text": {"de": band.response.de, "en": band.response.en}, "single": single, "missing": [], "at": at})
        }
        Outcome::Incomplete { missing, partial, single, at_least } => {
            let missing: Vec<&str> = missing.iter().map(|parameter| word(*parameter)).collect();
            json!({"table": table, "complete": false, "total": null, "at_least": partial, "band": last(&at_least.key),
                   "text": {"de": at_least.response.de, "en": at_least.response.en}, "single": single, "missing": missing, "at": at})
        }
        Outcome::NotApplicable(why) => {
            let why = match why {
                NotApplicable::TooYoung => "too-young",
                NotApplicable::AgeUnknown => "age-unknown",
                NotApplicable::Pregnant => "pregnant",
                NotApplicable::NoBand => "no-band",
            };
            json!({"table": table, "complete": false, "total": null, "not_applicable": why, "at": at})
        }
    }
}

const fn word(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::RespirationRate => "respiration-rate",
        Parameter::OxygenSaturation => "oxygen-saturation",
        Parameter::Breathing => "breathing",
        Parameter::SystolicPressure => "systolic-pressure",
        Parameter::Pulse => "pulse",
        Parameter::Consciousness => "consciousness",
        Parameter::Temperature => "temperature",
    }
}

fn part(part: &Part) -> Value {
    let (state, points) = match part.state {
        PartState::Scored(points) => ("scored", Some(points)),
        PartState::Missing => ("missing", None),
        PartState::Stale => ("stale", None),
        PartState::Doubtful => ("doubtful", None),
        PartState::Unscorable => ("unscorable", None),
        PartState::NeedsBreathing => ("needs-breathing", None),
    };
    let value = part.observed.as_ref().map(|observed| match observed.what {
        Observation::Number(number) => json!(number.to_f64()),
        Observation::Breathing(breathing) => json!(breathing),
        Observation::Consciousness(level) => json!(level),
    });
    let by = part.observed.as_ref().map(|observed| match &observed.by {
        Origin::Device(device) => json!({"device": device.as_str()}),
        Origin::Person(person) => json!({"person": person}),
    });
    json!({"parameter": word(part.parameter), "state": state, "points": points, "value": value,
           "at": part.observed.as_ref().map(|observed| observed.at.micros()), "age": part.age.map(|age| age.0), "by": by})
}
