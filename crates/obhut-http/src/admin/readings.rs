//! Readings for the operator: what there is, and a stream of runs from which the command line makes CSV or WFDB.

use super::{refused_at_the_console, time_or_now};
use crate::api::{ApiError, blocking};
use crate::desk::Ask;
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use obhut_access::{Action, Permit, Resource};
use obhut_model::{Code, DeviceTime, Quality, SampleRate, Scale, Subject, TimeRange};
use obhut_store::Run;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Readings are streamed in windows this long, so that a three-day export never lies in memory whole.
const WINDOW_MICROS: i64 = 15 * 60 * 1_000_000;
/// How long before its end a permit is renewed: longer than reading one window takes.
const RENEW_BEFORE_MICROS: i64 = 20 * 1_000_000;
/// Windows that may wait for a slow reader.
const WINDOWS_WAITING_MAX: usize = 4;

/// Which readings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    subject: Option<String>,
    bed: Option<String>,
    code: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
}

/// One line of the stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunLine {
    /// Numbers.
    Numerics {
        /// MDC code.
        code: u32,
        /// Size of a step.
        step: String,
        /// Microseconds, steps, quality.
        values: Vec<(i64, Option<i32>, u8)>,
    },
    /// Samples.
    Waveform {
        /// MDC code.
        code: u32,
        /// Microseconds.
        start: i64,
        /// Microhertz.
        rate: u32,
        /// Sample units per physical unit.
        gain: f64,
        /// The sample that means zero.
        baseline: i32,
        /// Flags.
        quality: u8,
        /// 16-bit little-endian, base64.
        samples: String,
    },
}

impl RunLine {
    /// From what the store gives.
    #[must_use]
    pub fn from_run(code: Code, run: &Run) -> Self {
        match run {
            Run::Numerics { step, values } => Self::Numerics {
                code: code.number(),
                step: step.to_string(),
                values: values.iter().map(|(at, steps, quality)| (at.micros(), *steps, quality.bits())).collect(),
            },
            Run::Waveform { start, rate, scale, quality, samples } => {
                let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                Self::Waveform {
                    code: code.number(),
                    start: start.micros(),
                    rate: rate.microhertz(),
                    gain: scale.gain,
                    baseline: scale.baseline,
                    quality: quality.bits(),
                    samples: STANDARD.encode(bytes),
                }
            }
        }
    }

    /// Back to code and run; `None` if a field is not what [`RunLine::from_run`] writes.
    #[must_use]
    pub fn into_run(self) -> Option<(Code, Run)> {
        match self {
            Self::Numerics { code, step, values } => {
                let values: Option<Vec<_>> = values
                    .into_iter()
                    .map(|(at, steps, quality)| {
                        Some((DeviceTime::from_micros(at), steps, Quality::from_bits(quality)?))
                    })
                    .collect();
                Some((Code::new(code), Run::Numerics { step: step.parse().ok()?, values: values? }))
            }
            Self::Waveform { code, start, rate, gain, baseline, quality, samples } => {
                let bytes = STANDARD.decode(samples).ok()?;
                let samples = obhut_model::Samples::from_le_bytes(&bytes)?.iter().collect();
                let run = Run::Waveform {
                    start: DeviceTime::from_micros(start),
                    rate: SampleRate::from_microhertz(rate)?,
                    scale: Scale { gain, baseline },
                    quality: Quality::from_bits(quality)?,
                    samples,
                };
                Some((Code::new(code), run))
            }
        }
    }
}

fn subject_of(state: &AppState, subject: Option<&str>, bed: Option<&str>) -> Result<Subject, ApiError> {
    if let Some(text) = subject {
        return text
            .parse()
            .map_err(|_| ApiError::bad("subject", "a subject is named by its pseudonym", "see `obhut bed list`"));
    }
    let bed = bed.ok_or_else(|| ApiError::bad("subject", "whose readings?", "give `--subject` or `--bed`"))?;
    let bed = super::devices::declared_bed(state, bed)?;
    let now = time_or_now(state, None);
    let (_, stays) = state.records.bindings()?;
    let stay = stays.iter().find(|s| s.bed == bed && s.from <= now && s.to.is_none_or(|to| now < to));
    stay.map(|s| s.subject).ok_or_else(|| {
        ApiError::unknown("bed_empty", format!("nobody is bound to bed `{bed}`"), "see `obhut bed list`")
    })
}

async fn permit(
    state: &Arc<AppState>,
    who: &Who,
    action: Action,
    which: &Which,
    categories: Option<Vec<Arc<str>>>,
) -> Result<Permit, ApiError> {
    let (state_of, wanted) = (state.clone(), (which.subject.clone(), which.bed.clone()));
    let subject = blocking(move || subject_of(&state_of, wanted.0.as_deref(), wanted.1.as_deref())).await?;
    let mut ask = Ask::new(action, Resource::Patient(state.desk.patient(subject).await?));
    ask.categories = categories.unwrap_or_default();
    state.desk.permit(who, ask).await.map_err(refused_at_the_console)
}

fn code_of(text: &str) -> Result<Code, ApiError> {
    Code::by_reference_id(text).or_else(|| text.parse().ok().map(Code::new)).ok_or_else(|| {
        ApiError::bad(
            "code",
            format!("`{text}` is not a code"),
            "give a reference identifier like `MDC_ECG_HEART_RATE`, or its number",
        )
    })
}

fn range(which: &Which) -> TimeRange {
    TimeRange {
        from: which.from.map_or(TimeRange::ALL.from, DeviceTime::from_micros),
        to: which.to.map_or(TimeRange::ALL.to, DeviceTime::from_micros),
    }
}

/// Codes wanted, with the part of the range in which there is anything.
fn plan(state: &AppState, which: &Which) -> Result<(Subject, Vec<(Code, TimeRange)>), ApiError> {
    let subject = subject_of(state, which.subject.as_deref(), which.bed.as_deref())?;
    let wanted = which.code.as_deref().map(code_of).transpose()?;
    let range = range(which);
    let codes = state.readings.codes(subject)?;
    let found = codes
        .into_iter()
        .filter(|(code, first, last)| wanted.is_none_or(|w| w == *code) && range.touches(*first, *last))
        .map(|(code, first, last)| {
            (code, TimeRange { from: range.from.max(first), to: range.to.min(last.plus_micros(1)) })
        })
        .collect();
    Ok((subject, found))
}

pub(super) async fn list(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(which): Query<Which>,
) -> Result<Json<Value>, ApiError> {
    permit(&state, &who, Action::HistoryView, &which, None).await?;
    blocking(move || {
        let (subject, codes) = plan(&state, &which)?;
        let rows: Vec<Value> = codes
            .iter()
            .map(|(code, range)| {
                let info = code.info();
                json!({"code": code.number(), "reference_id": code.to_string(), "name_en": info.map(|i| i.name_en), "name_de": info.map(|i| i.name_de),
                       "unit": info.map(|i| i.ucum), "first": range.from.micros(), "last": range.to.micros() - 1})
            })
            .collect();
        Ok(Json(json!({"subject": subject.to_string(), "readings": rows})))
    })
    .await
}

/// One decision for the whole export: the kinds of data it will hold stand in its entry.
pub(super) async fn runs(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let which = Arc::new(which);
    let (for_plan, wanted) = (state.clone(), which.clone());
    let (subject, codes) = blocking(move || plan(&for_plan, &wanted)).await?;
    let categories: Vec<Arc<str>> = codes.iter().filter_map(|(code, _)| state.desk.category(*code)).collect();
    let permit = permit(&state, &who, Action::Export, &which, Some(categories.clone())).await?;
    let mut opener = Opener { state: state.clone(), who, which, categories, permit };
    let handle = tokio::runtime::Handle::current();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(WINDOWS_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        for (code, range) in codes {
            if !send_code(&mut opener, &handle, subject, code, range, &sender) {
                return;
            }
        }
    });
    let body = Body::from_stream(futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    }));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Opens what a long export reads. A permit lasts a minute; before it ends the desk is asked again, and again it is recorded.
struct Opener {
    state: Arc<AppState>,
    who: Who,
    which: Arc<Which>,
    categories: Vec<Arc<str>>,
    permit: Permit,
}

impl Opener {
    async fn renew(&mut self) -> Result<(), ApiError> {
        if crate::state::real_now().plus_micros(RENEW_BEFORE_MICROS) >= self.permit.until() {
            self.permit =
                permit(&self.state, &self.who, Action::Export, &self.which, Some(self.categories.clone())).await?;
        }
        Ok(())
    }
}

/// Sends everything under one code, window by window; `false` when the reader has gone or the store has failed.
fn send_code(
    opener: &mut Opener,
    handle: &tokio::runtime::Handle,
    subject: Subject,
    code: Code,
    range: TimeRange,
    sender: &tokio::sync::mpsc::Sender<Result<Bytes, std::io::Error>>,
) -> bool {
    let mut from = range.from;
    while from < range.to {
        let to = from.plus_micros(WINDOW_MICROS).min(range.to);
        if handle.block_on(opener.renew()).is_err() {
            let _ = sender.blocking_send(Err(std::io::Error::other("the right to export has ended")));
            return false;
        }
        let runs = opener.state.readings.read(subject, code, TimeRange { from, to });
        let lines = match runs.map(|sealed| opener.state.desk.open(sealed, &opener.permit)) {
            Ok(Ok(runs)) => runs.iter().try_fold(Vec::new(), |mut out, run| {
                serde_json::to_writer(&mut out, &RunLine::from_run(code, run))?;
                out.push(b'\n');
                Ok(out)
            }),
            // The desk has logged why.
            Ok(Err(_)) => Err(std::io::Error::other("the permit ended")),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an export stopped");
                Err(std::io::Error::other("reading failed"))
            }
        };
        let failed = lines.is_err();
        if sender.blocking_send(lines.map(Bytes::from)).is_err() || failed {
            return false;
        }
        from = to;
    }
    true
}
