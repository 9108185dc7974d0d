//! Values of one patient on their way out: to the operator's command line, and to somebody at a page whose role may export.
//!
//! For: streaming in windows, so that three days never lie in memory whole, each opened with a permit that is in force and recorded. Not for: the
//! complete copy a patient asks for, which holds more than values (`api::copy`).
//!
//! INVARIANT: a permit lasts a minute; before it ends the desk is asked again, and again it is recorded. A refusal ends the export in the middle,
//! and the reader sees that it is not whole.

use crate::api::{ApiError, blocking};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use obhut_access::{Action, Permit, Resource};
use obhut_model::calendar::Utc;
use obhut_model::{Code, DeviceTime, Quality, SampleRate, Scale, Subject, TimeRange};
use obhut_store::Run;
use serde::{Deserialize, Serialize};
use std::io::{Error, Write};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// Length of one window.
const WINDOW_MICROS: i64 = 15 * 60 * 1_000_000;
/// How long before its end a permit is renewed: longer than reading one window takes.
const RENEW_BEFORE_MICROS: i64 = 20 * 1_000_000;
/// Windows that may wait for a slow reader.
const WINDOWS_WAITING_MAX: usize = 4;

/// First line of the table [`csv`] writes.
pub const CSV_HEAD: &str = "time,code,reading,value,unit,quality\n";

/// One line of the stream the command line reads.
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

/// Writes one run as rows of a table, one value each; a value that is absent leaves its field empty.
///
/// # Errors
/// Those of `out`.
pub fn csv(out: &mut impl Write, code: Code, run: &Run) -> std::io::Result<()> {
    let (number, unit) = (code.number(), code.info().map_or("", |info| info.ucum));
    match run {
        Run::Numerics { step, values } => {
            for (at, steps, quality) in values {
                // Exact: the value as the charter's step times a whole number, never through a float.
                let value = steps.and_then(|steps| step.times(steps)).map_or_else(String::new, |v| v.to_string());
                writeln!(out, "{},{number},{code},{value},{unit},{}", instant(*at), quality.bits())?;
            }
        }
        Run::Waveform { start, rate, scale, quality, samples } => {
            for (index, sample) in samples.iter().enumerate() {
                let at = start.plus_micros(rate.offset_micros(index as u64));
                let value = scale.value(*sample).map_or_else(String::new, |value| format!("{value}"));
                writeln!(out, "{},{number},{code},{value},{unit},{}", instant(at), quality.bits())?;
            }
        }
    }
    Ok(())
}

fn instant(at: DeviceTime) -> String {
    Utc::from_micros(at.micros()).rfc3339()
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One [`RunLine`] a line.
    Lines,
    /// The table of [`csv`], as a file.
    Csv,
}

/// What is exported.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    /// Whose values.
    pub(crate) subject: Subject,
    /// Which; all if `None`.
    pub(crate) code: Option<Code>,
    /// From when to when.
    pub(crate) range: TimeRange,
    /// What for; the role's own purpose if `None`.
    pub(crate) purpose: Option<String>,
}

/// What there is of a patient, each code with the part of the range in which there is anything.
pub(crate) fn codes(
    state: &AppState,
    subject: Subject,
    wanted: Option<Code>,
    range: TimeRange,
) -> Result<Vec<(Code, TimeRange)>, ApiError> {
    let found = state.readings.codes(subject)?.into_iter();
    let found = found.filter(|(code, first, last)| wanted.is_none_or(|w| w == *code) && range.touches(*first, *last));
    let within = |(code, first, last): (Code, DeviceTime, DeviceTime)| {
        (code, TimeRange { from: range.from.max(first), to: range.to.min(last.plus_micros(1)) })
    };
    Ok(found.map(within).collect())
}

impl Export {
    /// One decision for the whole of it: the kinds of data it will hold stand in its entry.
    pub(crate) async fn answer(self, state: Arc<AppState>, who: Who, form: Form) -> Result<Response, ApiError> {
        let codes = {
            let (state, subject, code, range) = (state.clone(), self.subject, self.code, self.range);
            blocking(move || codes(&state, subject, code, range)).await?
        };
        let categories = codes.iter().filter_map(|(code, _)| state.desk.category(*code)).collect();
        let mut opener = Opener::begin(state, who, self, categories).await?;
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Error>>(WINDOWS_WAITING_MAX);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            if form == Form::Csv && sender.blocking_send(Ok(Bytes::from_static(CSV_HEAD.as_bytes()))).is_err() {
                return;
            }
            for (code, range) in codes {
                if !opener.send(&runtime, code, range, form, &sender) {
                    return;
                }
            }
        });
        let body = Body::from_stream(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context)));
        Ok(match form {
            Form::Lines => ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response(),
            Form::Csv => {
                let headers = [
                    (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                    (header::CONTENT_DISPOSITION, "attachment; filename=\"obhut.csv\""),
                    (header::CACHE_CONTROL, "no-store"),
                ];
                (headers, body).into_response()
            }
        })
    }
}

/// Opens what an export reads.
struct Opener {
    state: Arc<AppState>,
    who: Who,
    export: Export,
    categories: Vec<Arc<str>>,
    permit: Permit,
}

impl Opener {
    async fn begin(
        state: Arc<AppState>,
        who: Who,
        export: Export,
        categories: Vec<Arc<str>>,
    ) -> Result<Self, ApiError> {
        let permit = permit(&state, &who, &export, &categories).await?;
        Ok(Self { state, who, export, categories, permit })
    }

    async fn renew(&mut self) -> Result<(), ApiError> {
        if real_now().plus_micros(RENEW_BEFORE_MICROS) >= self.permit.until() {
            self.permit = permit(&self.state, &self.who, &self.export, &self.categories).await?;
        }
        Ok(())
    }

    /// Sends everything under one code, window by window; `false` when the reader has gone or something failed.
    fn send(
        &mut self,
        runtime: &tokio::runtime::Handle,
        code: Code,
        range: TimeRange,
        form: Form,
        sender: &Sender<Result<Bytes, Error>>,
    ) -> bool {
        let mut from = range.from;
        while from < range.to {
            let to = from.plus_micros(WINDOW_MICROS).min(range.to);
            if runtime.block_on(self.renew()).is_err() {
                let _ = sender.blocking_send(Err(Error::other("the right to export has ended")));
                return false;
            }
            let piece = self.piece(code, TimeRange { from, to }, form);
            let failed = piece.is_err();
            if sender.blocking_send(piece.map(Bytes::from)).is_err() || failed {
                return false;
            }
            from = to;
        }
        true
    }

    fn piece(&self, code: Code, window: TimeRange, form: Form) -> Result<Vec<u8>, Error> {
        let sealed = self.state.readings.read(self.export.subject, code, window).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "an export stopped");
            Error::other("reading failed")
        })?;
        // The desk has logged why.
        let runs = self.state.desk.open(sealed, &self.permit).map_err(|_| Error::other("the permit ended"))?;
        let mut out = Vec::new();
        for run in &runs {
            match form {
                Form::Lines => {
                    serde_json::to_writer(&mut out, &RunLine::from_run(code, run))?;
                    out.push(b'\n');
                }
                Form::Csv => csv(&mut out, code, run)?,
            }
        }
        Ok(out)
    }
}

async fn permit(state: &AppState, who: &Who, export: &Export, categories: &[Arc<str>]) -> Result<Permit, ApiError> {
    let mut ask = Ask::new(Action::Export, Resource::Patient(state.desk.patient(export.subject).await?));
    ask.purpose = export.purpose.as_deref();
    ask.categories = categories.to_vec();
    state.desk.permit(who, ask).await
}
