//! What a checked charter compiles to: immutable tables, looked up without allocation on the way of every reading.
//!
//! Not the schema (see `schema`), and not a judge of people: access rules come with `obhut-access`.
//! INVARIANT: a stream that is not in these tables does not exist; there is no default rule.

use obhut_model::{Code, Decimal, Kind, ModelId, SampleRate};
use std::collections::HashMap;
use std::sync::Arc;

/// The rules in force. Share it as `Arc<Rules>`; a reload makes a new one.
#[derive(Debug)]
pub struct Rules {
    /// SHA-256 of the charter's bytes, lower-case hexadecimal: names the version in force in logs, pages and records.
    pub fingerprint: String,
    /// What may be sent, by model.
    pub models: HashMap<ModelId, Arc<ModelRules>>,
    /// Retention classes; [`StreamRule::retention`] indexes this.
    pub retention: Vec<RetentionRule>,
    /// Purposes; [`StreamRule::purpose`] indexes this.
    pub purposes: Vec<PurposeRule>,
}

/// What devices of one model may do.
#[derive(Debug)]
pub struct ModelRules {
    /// The model.
    pub model: ModelId,
    /// Sorted by code; use [`ModelRules::stream`].
    pub streams: Vec<StreamRule>,
    /// Most messages a second over any ten seconds.
    pub messages_per_second_max: u32,
    /// Largest payload, bytes.
    pub payload_bytes_max: u32,
    /// Whether the charter calls the model life-supporting (never limited by the network side without a human).
    pub life_supporting: bool,
}

impl ModelRules {
    /// The rule for `code`, or `None`: undeclared, and so refused.
    #[must_use]
    pub fn stream(&self, code: Code) -> Option<&StreamRule> {
        self.streams.binary_search_by_key(&code, |rule| rule.code).ok().and_then(|at| self.streams.get(at))
    }
}

/// What one model may send under one code.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRule {
    /// The code.
    pub code: Code,
    /// Numeric or waveform.
    pub kind: Kind,
    /// Most values (numeric) or samples (waveform) a second.
    pub rate_max: SampleRate,
    /// How long after one value the next is due, in microseconds: the charter's `period` of the data (or of the model's `sends` entry), and
    /// where it gives none, one over `rate_max`. A value older than twice this is stale on every screen. A cuff measured every 15 minutes
    /// has `rate_max = "1/min"` (a nurse may start one by hand) and `period = "15 min"`.
    pub period_micros: i64,
    /// Finest step that may be kept, in the code's unit. Numerics are rounded to it; a waveform whose own step is finer is re-quantised.
    pub resolution: Decimal,
    /// Whether the value needs a bound patient. If so, an unbound device's values are refused; if not, they are live only and never stored.
    pub needs_patient: bool,
    /// Index into [`Rules::retention`].
    pub retention: u16,
    /// Index into [`Rules::purposes`].
    pub purpose: u16,
}

/// How long a class of data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Identifier in the charter.
    pub id: String,
    /// Seconds from measurement until it must be gone.
    pub seconds: u64,
}

/// A purpose, for those who count or explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeRule {
    /// Identifier in the charter.
    pub id: String,
    /// Whether it needs consent.
    pub needs_consent: bool,
}
