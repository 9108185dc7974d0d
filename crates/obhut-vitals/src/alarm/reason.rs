//! Why an alarm is there, in parts from which screens and messages make their own sentences, and a short form for a banner.

use super::profile::{FindingKind, Side, TechnicalKind, Term};
use super::words::Lang;
use obhut_model::Code;
use serde::{Deserialize, Serialize};

/// Why. `// REQ-ALM-004`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reason {
    /// A value beyond a limit.
    Limit {
        /// Of what.
        #[serde(with = "crate::form::code")]
        code: Code,
        /// On which side.
        side: Side,
        /// The newest known value beyond it.
        value: f64,
        /// The limit of the step that holds.
        limit: f64,
    },
    /// A change within a window.
    Trend {
        /// Of what.
        #[serde(with = "crate::form::code")]
        code: Code,
        /// Rise or fall.
        side: Side,
        /// By how much.
        change: f64,
        /// How much is allowed.
        limit: f64,
        /// Within how many seconds.
        over: u32,
    },
    /// What a detector found.
    Finding {
        /// What.
        finding: FindingKind,
    },
    /// Several values at once.
    Combined {
        /// Each part with its newest known value.
        parts: Vec<(Term, Option<f64>)>,
        /// How many must hold.
        at_least: u8,
    },
    /// Equipment, link or signal.
    Technical {
        /// What.
        kind: TechnicalKind,
        /// About which code.
        #[serde(with = "crate::form::some_code")]
        code: Option<Code>,
    },
}

impl Reason {
    /// For a banner: `HF 134 > 120`, `HR 134 > 120`, `SpO2 ↓ 6 in 300 s`, `asystole`, `SpO2: no value`.
    #[must_use]
    pub fn short(&self, lang: Lang) -> String {
        match self {
            Self::Limit { code, side, value, limit } => compare(*code, *side, *value, *limit, lang),
            Self::Trend { code, side, change, over, .. } => {
                let arrow = if *side == Side::High { "↑" } else { "↓" };
                format!("{} {arrow} {} in {over} s", name(*code, lang), number(*change, lang))
            }
            Self::Finding { finding } => said(lang, finding.de(), finding.en()),
            Self::Combined { parts, .. } => parts
                .iter()
                .map(|(term, value)| match value {
                    Some(value) => compare(term.code, term.side, *value, term.limit, lang),
                    None => format!("{} ?", name(term.code, lang)),
                })
                .collect::<Vec<_>>()
                .join(" + "),
            Self::Technical { kind, code: Some(code) } => {
                format!("{}: {}", name(*code, lang), said(lang, kind.de(), kind.en()))
            }
            Self::Technical { kind, code: None } => said(lang, kind.de(), kind.en()),
        }
    }

    /// The number it is about, if it is about one.
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        match self {
            Self::Limit { value, .. } => Some(*value),
            Self::Trend { change, .. } => Some(*change),
            Self::Finding { .. } | Self::Combined { .. } | Self::Technical { .. } => None,
        }
    }

    /// The limit it is about, if it is about one.
    #[must_use]
    pub const fn limit(&self) -> Option<f64> {
        match self {
            Self::Limit { limit, .. } | Self::Trend { limit, .. } => Some(*limit),
            Self::Finding { .. } | Self::Combined { .. } | Self::Technical { .. } => None,
        }
    }

    /// The code it is about, if it is about one.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Limit { code, .. } | Self::Trend { code, .. } => Some(*code),
            Self::Technical { code, .. } => *code,
            Self::Finding { .. } | Self::Combined { .. } => None,
        }
    }

    /// The unit of value and limit, UCUM, if there is one.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        match self {
            Self::Limit { code, .. } | Self::Trend { code, .. } => code.info().map(|info| info.ucum),
            _ => None,
        }
    }
}

fn said(lang: Lang, de: &str, en: &str) -> String {
    if lang == Lang::De { de } else { en }.to_owned()
}

fn compare(code: Code, side: Side, value: f64, limit: f64, lang: Lang) -> String {
    let sign = if side == Side::High { '>' } else { '<' };
    format!("{} {} {sign} {}", name(code, lang), number(value, lang), number(limit, lang))
}

/// The short name on a German or an English screen (decision 0043).
fn name(code: Code, lang: Lang) -> String {
    let german = match code {
        Code::ECG_HEART_RATE => Some("HF"),
        Code::RESP_RATE | Code::TTHOR_RESP_RATE => Some("AF"),
        Code::CO2_RESP_RATE => Some("AF CO2"),
        Code::PULS_RATE | Code::PULS_OXIM_PULS_RATE => Some("Puls"),
        Code::PRESS_BLD_VEN_CENT_MEAN => Some("ZVD"),
        _ => None,
    };
    match german.filter(|_| lang == Lang::De) {
        Some(german) => german.to_owned(),
        None => code.info().map_or_else(|| code.to_string(), |info| info.label.to_owned()),
    }
}

/// At most two digits after the point, none that say nothing; a comma in German.
fn number(value: f64, lang: Lang) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    if lang == Lang::De { text.replace('.', ",") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    // REQ-ALM-004
    #[test]
    fn a_banner_reads_as_on_a_monitor() {
        let high = |code, value, limit| Reason::Limit { code, side: Side::High, value, limit };
        let hr = high(Code::ECG_HEART_RATE, 134.0, 120.0);
        assert_eq!(hr.short(Lang::De), "HF 134 > 120");
        assert_eq!(hr.short(Lang::En), "HR 134 > 120");
        let fever = high(Code::TEMP_CORE, 39.1, 38.5);
        assert_eq!(fever.short(Lang::De), "T core 39,1 > 38,5");
        let lost = Reason::Technical { kind: TechnicalKind::NoSignal, code: Some(Code::PULS_OXIM_SAT_O2) };
        assert_eq!(lost.short(Lang::En), "SpO2: no value");
        let fall = Reason::Trend { code: Code::PULS_OXIM_SAT_O2, side: Side::Low, change: 6.0, limit: 5.0, over: 300 };
        assert_eq!(fall.short(Lang::De), "SpO2 ↓ 6 in 300 s");
        let shock = Reason::Combined {
            parts: vec![
                (Term { code: Code::ECG_HEART_RATE, side: Side::High, limit: 110.0 }, Some(118.0)),
                (Term { code: Code::PRESS_BLD_NONINV_SYS, side: Side::Low, limit: 100.0 }, None),
            ],
            at_least: 2,
        };
        assert_eq!(shock.short(Lang::En), "HR 118 > 110 + NIBP sys ?");
    }
}
