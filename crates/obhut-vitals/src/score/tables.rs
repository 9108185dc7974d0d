//! The tables that come with the program.
//!
//! NEWS2: reproduced from Royal College of Physicians, *National Early Warning Score (NEWS) 2*, London 2017. MEWS: Subbe et al., QJM 2001.
//! qSOFA: Singer et al., JAMA 2016. How old an input may be is not in these sources: it is a choice of the house, marked as such in
//! `version`, and the first thing for an approver to change.

use super::table::{Band, Consciousness, Parameter, Range, Row, Scoring, Single, Table, Text};
use crate::Seconds;
use obhut_model::Code;

/// How old a measured input may be in the tables below: a choice of this program until a house makes its own.
const MEASURED_AGE_MAX: Seconds = Seconds(3_600);
/// How old an input entered by hand may be: likewise.
const ENTERED_AGE_MAX: Seconds = Seconds(4 * 3_600);

const RESP: &[Code] = &[Code::RESP_RATE, Code::CO2_RESP_RATE, Code::TTHOR_RESP_RATE];
const SATURATION: &[Code] = &[Code::PULS_OXIM_SAT_O2];
const SYSTOLIC: &[Code] = &[Code::PRESS_BLD_ART_ABP_SYS, Code::PRESS_BLD_NONINV_SYS, Code::PRESS_BLD_SYS];
const PULSE: &[Code] = &[Code::ECG_HEART_RATE, Code::PULS_OXIM_PULS_RATE, Code::PULS_RATE];
const TEMPERATURE: &[Code] = &[Code::TEMP_CORE, Code::TEMP_BODY, Code::TEMP];

/// Ranges from their upper ends: `(to, points)`, the last one open.
fn up_to(ends: &[(i32, u8)], last: u8) -> Vec<Range> {
    let mut from = None;
    let mut ranges: Vec<Range> = Vec::new();
    for (to, points) in ends {
        ranges.push(Range { from, to: Some(*to), points: *points });
        from = to.checked_add(1);
    }
    ranges.push(Range { from, to: None, points: last });
    ranges
}

/// The same for percentages: nothing below 0 or above 100 scores.
fn percent(ends: &[(i32, u8)], last: u8) -> Vec<Range> {
    let mut ranges = up_to(ends, last);
    if let Some(first) = ranges.first_mut() {
        first.from = Some(0);
    }
    if let Some(last) = ranges.last_mut() {
        last.to = Some(100);
    }
    ranges
}

fn number(parameter: Parameter, codes: &[Code], places: u8, ranges: Vec<Range>) -> Row {
    Row { parameter, age_max: MEASURED_AGE_MAX, scoring: Scoring::Number { codes: codes.to_vec(), places, ranges } }
}

fn consciousness(levels: &[(Consciousness, u8)]) -> Row {
    let scoring = Scoring::Consciousness(levels.to_vec());
    Row { parameter: Parameter::Consciousness, age_max: ENTERED_AGE_MAX, scoring }
}

fn band(key: &str, from: u8, again_within: Option<u32>, de: &str, en: &str) -> Band {
    Band {
        key: key.to_owned(),
        from,
        response: Text { de: de.to_owned(), en: en.to_owned() },
        again_within: again_within.map(Seconds),
    }
}

/// NEWS2. `// REQ-ALM-030`
#[must_use]
pub fn news2() -> Table {
    use Consciousness::{Alert, Confused, Pain, Unresponsive, Voice};
    Table {
        id: "news2".to_owned(),
        version: "RCP 2017; ages of inputs 1 h measured, 4 h entered (2026)".to_owned(),
        approver: "Royal College of Physicians (points); ages of inputs: to be approved by the house".to_owned(),
        source: "Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017, chart 1".to_owned(),
        age_min: 16,
        in_pregnancy: false,
        rows: vec![
            number(Parameter::RespirationRate, RESP, 0, up_to(&[(8, 3), (11, 1), (20, 0), (24, 2)], 3)),
            Row {
                parameter: Parameter::OxygenSaturation,
                age_max: MEASURED_AGE_MAX,
                scoring: Scoring::Scaled {
                    codes: SATURATION.to_vec(),
                    one: percent(&[(91, 3), (93, 2), (95, 1)], 0),
                    two_on_air: percent(&[(83, 3), (85, 2), (87, 1)], 0),
                    two_on_oxygen: percent(&[(83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2)], 3),
                },
            },
            Row {
                parameter: Parameter::Breathing,
                age_max: ENTERED_AGE_MAX,
                scoring: Scoring::Breathing { air: 0, oxygen: 2 },
            },
            number(Parameter::SystolicPressure, SYSTOLIC, 0, up_to(&[(90, 3), (100, 2), (110, 1), (219, 0)], 3)),
            number(Parameter::Pulse, PULSE, 0, up_to(&[(40, 3), (50, 1), (90, 0), (110, 1), (130, 2)], 3)),
            consciousness(&[(Alert, 0), (Confused, 3), (Voice, 3), (Pain, 3), (Unresponsive, 3)]),
            number(Parameter::Temperature, TEMPERATURE, 1, up_to(&[(350, 3), (360, 1), (380, 0), (390, 1)], 2)),
        ],
        bands: vec![
            band(
                "score.news2.none",
                0,
                Some(12 * 3_600),
                "Mindestens alle 12 Stunden erneut erheben.",
                "At least every 12 hours.",
            ),
            band(
                "score.news2.low",
                1,
                Some(6 * 3_600),
                "Mindestens alle 4 bis 6 Stunden; eine Pflegefachperson beurteilt und entscheidet.",
                "At least every 4 to 6 hours; a registered nurse assesses and decides.",
            ),
            band(
                "score.news2.medium",
                5,
                Some(3_600),
                "Mindestens stündlich; dringliche ärztliche Beurteilung innerhalb einer Stunde.",
                "At least hourly; urgent assessment by a clinician within one hour.",
            ),
            band(
                "score.news2.high",
                7,
                None,
                "Ständig überwachen; Notfallbeurteilung innerhalb von 30 Minuten, Verlegung auf eine Überwachungs- oder Intensivstation erwägen.",
                "Continuous monitoring; emergency assessment within 30 minutes, consider level 2 or 3 care.",
            ),
        ],
        single: Some(Single {
            points: 3,
            band: band(
                "score.news2.single",
                5,
                Some(3_600),
                "Ein einzelner Wert mit 3 Punkten: mindestens stündlich, dringliche ärztliche Beurteilung wie bei 5 bis 6.",
                "A single value scores 3: at least hourly, urgent assessment by a clinician as for 5 to 6.",
            ),
        }),
    }
}

/// MEWS. New confusion is not part of AVPU and does not score: the entry must be made again in its words. `// REQ-ALM-031`
#[must_use]
pub fn mews() -> Table {
    use Consciousness::{Alert, Pain, Unresponsive, Voice};
    Table {
        id: "mews".to_owned(),
        version: "Subbe 2001; ages of inputs 1 h measured, 4 h entered (2026)".to_owned(),
        approver: "to be approved by the house".to_owned(),
        source:
            "Subbe CP et al., Validation of a modified Early Warning Score in medical admissions, QJM 2001;94:521-526"
                .to_owned(),
        age_min: 16,
        in_pregnancy: false,
        rows: vec![
            number(Parameter::SystolicPressure, SYSTOLIC, 0, up_to(&[(70, 3), (80, 2), (100, 1), (199, 0)], 2)),
            number(Parameter::Pulse, PULSE, 0, up_to(&[(40, 2), (50, 1), (100, 0), (110, 1), (129, 2)], 3)),
            number(Parameter::RespirationRate, RESP, 0, up_to(&[(8, 2), (14, 0), (20, 1), (29, 2)], 3)),
            number(Parameter::Temperature, TEMPERATURE, 1, up_to(&[(349, 2), (384, 0)], 2)),
            consciousness(&[(Alert, 0), (Voice, 1), (Pain, 2), (Unresponsive, 3)]),
        ],
        bands: vec![
            band("score.mews.low", 0, Some(12 * 3_600), "Weiter nach Anordnung erheben.", "Continue as ordered."),
            band(
                "score.mews.critical",
                5,
                None,
                "Kritisch: sofort ärztlich beurteilen.",
                "Critical: immediate assessment by a clinician.",
            ),
        ],
        single: None,
    }
}

/// qSOFA. `// REQ-ALM-031`
#[must_use]
pub fn qsofa() -> Table {
    use Consciousness::{Alert, Confused, Pain, Unresponsive, Voice};
    Table {
        id: "qsofa".to_owned(),
        version: "Sepsis-3 2016; ages of inputs 1 h measured, 4 h entered (2026)".to_owned(),
        approver: "to be approved by the house".to_owned(),
        source: "Singer M et al., The Third International Consensus Definitions for Sepsis and Septic Shock, JAMA 2016;315:801-810".to_owned(),
        age_min: 16,
        in_pregnancy: false,
        rows: vec![
            number(Parameter::RespirationRate, RESP, 0, up_to(&[(21, 0)], 1)),
            number(Parameter::SystolicPressure, SYSTOLIC, 0, up_to(&[(100, 1)], 0)),
            // Altered mentation is GCS below 15: everything but alert.
            consciousness(&[(Alert, 0), (Confused, 1), (Voice, 1), (Pain, 1), (Unresponsive, 1)]),
        ],
        bands: vec![
            band("score.qsofa.negative", 0, Some(12 * 3_600), "Weiter nach Anordnung erheben.", "Continue as ordered."),
            band("score.qsofa.positive", 2, None, "Verdacht auf Sepsis: sofort ärztlich beurteilen.", "Suspected sepsis: immediate assessment by a clinician."),
        ],
        single: None,
    }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Table> {
    vec![news2(), mews(), qsofa()]
}
