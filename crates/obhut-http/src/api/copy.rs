//! What a patient's complete copy is made of, gathered from store, register, charter and ledger; and the words in which a patient is told who looked.
//!
//! For: `requests` (staff) and `own` (the patient). Not for deciding: whoever calls holds a permit, and every piece of readings opens with it.
//!
//! INVARIANT: a copy is read piece by piece, each piece with a permit that is still in force and recorded; when the permit ends, a new one is asked
//! for, and a refusal then ends the copy.

mod clock;
mod dossier;
mod words;

pub(super) use clock::HouseTime;
pub(super) use dossier::{purposes_of, rights_of};
pub(super) use words::{accesses, kind_text, pick};

use super::ApiError;
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use dossier::dossier;
use obhut_access::{Action, Permit, Resource};
use obhut_interop::{Access, Format, Language, Source, SourceError, Stretch};
use obhut_model::{Code, DeviceTime, Subject, TimeRange};
use obhut_store::Run;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Entries of the ledger asked for at once.
const PAGE: usize = 200;
/// A permit that ends sooner than this is renewed before it is used, microseconds.
const RENEW_MICROS: i64 = 5_000_000;

/// Readings and accesses of one patient for whoever was permitted. Used on a thread that may wait.
pub(super) struct Opened {
    pub(super) state: Arc<AppState>,
    pub(super) who: Who,
    pub(super) action: Action,
    pub(super) subject: Subject,
    pub(super) permit: Permit,
    pub(super) language: Language,
    /// Which codes go out; all if `None`.
    pub(super) only: Option<BTreeSet<Code>>,
    pub(super) runtime: tokio::runtime::Handle,
}

/// The question whose permit opens a whole copy.
pub(super) fn whole<'a>(state: &AppState, action: Action, patient: obhut_access::Patient) -> Ask<'a> {
    let charter = state.charter.load();
    let mut categories = vec!["identity", "consent", "notice", "request", "access-log", "binding"];
    categories.extend(charter.checked.all_data().iter().map(|data| data.id.as_str()));
    Ask::new(action, Resource::Patient(patient)).about(&categories)
}

impl Opened {
    /// A permit that will not end while the next piece is read.
    fn renewed(&mut self) -> Result<&Permit, SourceError> {
        if self.permit.until() <= real_now().plus_micros(RENEW_MICROS) {
            let refused = |error: ApiError| SourceError(error.to_string());
            let state = self.state.clone();
            let (who, action, subject) = (self.who.clone(), self.action, self.subject);
            self.permit = self
                .runtime
                .block_on(async move {
                    let patient = state.desk.patient(subject).await?;
                    state.desk.permit(&who, whole(&state, action, patient)).await
                })
                .map_err(refused)?;
        }
        Ok(&self.permit)
    }
}

impl Source for Opened {
    fn codes(&mut self) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, SourceError> {
        let all = self.state.readings.codes(self.subject).map_err(|error| SourceError(error.to_string()))?;
        Ok(all.into_iter().filter(|(code, ..)| self.only.as_ref().is_none_or(|only| only.contains(code))).collect())
    }

    fn readings(&mut self, code: Code, range: TimeRange) -> Result<Vec<Stretch>, SourceError> {
        let sealed =
            self.state.readings.read(self.subject, code, range).map_err(|error| SourceError(error.to_string()))?;
        let runs = sealed.open(self.renewed()?, real_now()).map_err(|error| SourceError(error.to_string()))?;
        Ok(runs.into_iter().map(stretch).collect())
    }

    fn accesses(&mut self, before: Option<u64>) -> Result<Vec<Access>, SourceError> {
        self.renewed()?;
        accesses(&self.state, self.language, self.subject, before, PAGE)
    }
}

fn stretch(run: Run) -> Stretch {
    match run {
        Run::Numerics { step, values } => Stretch::Numerics { step, values },
        Run::Waveform { start, rate, scale, quality, samples } => {
            Stretch::Waveform { start, rate, scale, quality, samples }
        }
    }
}

/// What a copy is asked as.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `fhir`, `csv` or `pdf`.
    format: String,
    /// `de` or `en`.
    lang: Option<String>,
}

/// Pieces of a copy that wait for the reader at most.
const PIECES_WAITING_MAX: usize = 8;
/// Bytes of one piece.
const PIECE_BYTES: usize = 1 << 16;

/// Gathers and hands out a copy. `permit` opens it; `only` narrows the readings to what may be taken along (Art. 20).
pub(super) async fn hand_out(
    state: Arc<AppState>,
    who: Who,
    permit: Permit,
    subject: Subject,
    wanted: &Wanted,
    only: Option<BTreeSet<Code>>,
) -> Result<Response, ApiError> {
    let format = Format::of(&wanted.format)
        .ok_or_else(|| ApiError::bad("format", "there is no such format", "ask for fhir, csv or pdf"))?;
    let language = wanted.lang.as_deref().and_then(Language::of).unwrap_or_default();
    let seed = crate::desk::random();
    let action = permit.action();
    let (dossier, permit) = {
        let state = state.clone();
        super::blocking(move || {
            let versions = state.desk.open(state.records.identity_versions(subject)?, &permit)?;
            let names = state.desk.open(state.records.names_of(subject)?, &permit)?;
            Ok((dossier(&state, language, subject, &versions, &names)?, permit))
        })
        .await?
    };
    let runtime = tokio::runtime::Handle::current();
    let mut source = Opened { state, who, action, subject, permit, language, only, runtime };
    let (sender, mut receiver) = tokio::sync::mpsc::channel(PIECES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut out = std::io::BufWriter::with_capacity(PIECE_BYTES, Pieces(sender.clone()));
        let result = obhut_interop::write(format, &dossier, &mut source, &HouseTime::here(), seed, &mut out);
        drop(out);
        if let Err(error) = result {
            tracing::warn!(error = &error as &dyn std::error::Error, "a copy was not finished");
            // The reader must see that it is not whole.
            let _ = sender.blocking_send(Err(std::io::Error::other("the copy was not finished")));
        }
    });
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let name = format!("obhut-{}.{}", language.pick("kopie", "copy"), format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// Hands pieces to the answer, and waits while the reader is slow.
struct Pieces(tokio::sync::mpsc::Sender<Result<Bytes, std::io::Error>>);

impl std::io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
