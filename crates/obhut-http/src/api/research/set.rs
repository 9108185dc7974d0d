//! A project's set: who is in it, how coarse, and its rows.

use super::{Plan, agrees, members};
use crate::api::ApiError;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::body::{Body, Bytes};
use obhut_access::{Permit, Sealed};
use obhut_model::calendar::Utc;
use obhut_model::{Code, DeviceTime, Subject, TimeRange};
use obhut_store::{Domain, Pseudonym, Run};
use obhut_vault::release::{self, KReport, Level, Quasi};
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// Rows are read in pieces of this much time, so that a set never lies in memory whole.
const WINDOW_MICROS: i64 = 6 * 3_600_000_000;
/// Pieces that may wait for a slow reader.
const PIECES_WAITING_MAX: usize = 4;
/// A permit is asked for again this long before it ends.
const RENEW_BEFORE_MICROS: i64 = 2_000_000;

/// Who is in a set.
pub(super) struct Group {
    /// In no order that means anything outside.
    pub(super) subjects: Vec<Subject>,
    traits: Vec<Quasi>,
    /// First and last reading of each.
    spans: Vec<TimeRange>,
    pub(super) report: KReport,
}

/// Opens what is about a member, if he still agrees.
fn open<T>(state: &AppState, sealed: Sealed<T>, permit: &Permit) -> Option<T> {
    sealed.open_of_member(permit, real_now(), |subject, purpose| agrees(state, subject, purpose)).ok()
}

/// Everybody who agrees and has readings for this project, and how alike they look.
pub(super) fn gather(state: &AppState, plan: &Plan, permit: &Permit) -> Result<Group, ApiError> {
    let (mut subjects, mut traits, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    for subject in members(state, &plan.purpose, real_now()) {
        let Some(span) = span(state, plan, subject)? else { continue };
        // Whoever has no identity any more has no age either.
        let identity = state.records.identity(subject)?.and_then(|sealed| open(state, sealed, permit));
        let age = identity.as_ref().and_then(|identity| release::age_years(&identity.birth_date, &day(span.from)));
        subjects.push(subject);
        traits.push(Quasi {
            age_years: age,
            sex: identity.and_then(|identity| identity.sex).map(obhut_store::Sex::as_str),
        });
        spans.push(span);
    }
    let report = release::check(&traits, plan.k_min);
    Ok(Group { subjects, traits, spans, report })
}

/// From a patient's first reading of the project's data to the last; `None` without any.
fn span(state: &AppState, plan: &Plan, subject: Subject) -> Result<Option<TimeRange>, ApiError> {
    let codes = match state.readings.codes(subject) {
        // Erased meanwhile.
        Err(obhut_store::StoreError::Unknown(_)) => return Ok(None),
        other => other?,
    };
    let wanted = codes.into_iter().filter(|(code, _, _)| plan.data.iter().any(|(_, known)| known == code));
    Ok(wanted.fold(None, |span: Option<TimeRange>, (_, first, last)| {
        let (first, last) = (first, last.plus_micros(1));
        Some(span.map_or(TimeRange { from: first, to: last }, |span| TimeRange {
            from: span.from.min(first),
            to: span.to.max(last),
        }))
    }))
}

/// The day of `at` as an ISO 8601 date, UTC.
fn day(at: DeviceTime) -> String {
    Utc::from_micros(at.micros()).iso_day()
}

/// The file, row by row.
pub(super) fn stream(
    state: Arc<AppState>,
    who: Who,
    plan: Arc<Plan>,
    group: Group,
    level: Level,
    permit: Permit,
) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel(PIECES_WAITING_MAX);
    let handle = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut writer = Writer { state, who, plan, permit, handle, sender };
        if let Err(why) = writer.write(&group, level) {
            let _ = writer.sender.blocking_send(Err(std::io::Error::other(why)));
        }
    });
    Body::from_stream(futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    }))
}

struct Writer {
    state: Arc<AppState>,
    who: Who,
    plan: Arc<Plan>,
    permit: Permit,
    handle: tokio::runtime::Handle,
    sender: Sender<Result<Bytes, std::io::Error>>,
}

/// Why a file ends early; the reader sees a broken stream, never a short file that looks whole.
type Ended = &'static str;

impl Writer {
    fn write(&mut self, group: &Group, level: Level) -> Result<(), Ended> {
        let domain = Domain::Project(self.plan.id.clone());
        let names = self.state.records.pseudonyms(&domain, &group.subjects).map_err(failed)?;
        self.renew()?;
        let names = names.open(&self.permit, real_now()).map_err(|_| "the permit is not for this")?;
        // In the order of the new names, so that the order tells nothing of the old.
        let mut order: Vec<(Pseudonym, usize)> = names.into_iter().zip(0..).collect();
        order.sort_unstable();
        self.send("pseudonym,age,sex,seconds,reading,value,unit,quality\n".into())?;
        for (name, at) in order {
            let (Some(subject), Some(quasi), Some(span)) =
                (group.subjects.get(at), group.traits.get(at), group.spans.get(at))
            else {
                continue;
            };
            let (age, sex) = level.generalise(quasi);
            self.one(*subject, &format!("{name},{age},{sex}"), *span)?;
        }
        Ok(())
    }

    fn one(&mut self, subject: Subject, front: &str, span: TimeRange) -> Result<(), Ended> {
        let plan = self.plan.clone();
        for (_, code) in &plan.data {
            let mut from = span.from;
            while from < span.to {
                let to = from.plus_micros(WINDOW_MICROS).min(span.to);
                self.renew()?;
                let sealed = match self.state.readings.read(subject, *code, TimeRange { from, to }) {
                    // Erased meanwhile: his part ends here.
                    Err(obhut_store::StoreError::Unknown(_)) => return Ok(()),
                    other => other.map_err(failed)?,
                };
                // Withdrawn meanwhile: likewise.
                let Some(runs) = open(&self.state, sealed, &self.permit) else { return Ok(()) };
                let mut out = String::new();
                for run in &runs {
                    rows(&mut out, front, *code, span.from, run);
                }
                self.send(out)?;
                from = to;
            }
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), Ended> {
        if real_now().plus_micros(RENEW_BEFORE_MICROS) >= self.permit.until() {
            let again = self.handle.block_on(self.state.desk.permit(&self.who, self.plan.ask()));
            self.permit = again.map_err(|_| "the right to export has ended")?;
        }
        Ok(())
    }

    fn send(&self, text: String) -> Result<(), Ended> {
        if text.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(Bytes::from(text))).map_err(|_| "the reader has gone")
    }
}

fn failed(error: obhut_store::StoreError) -> Ended {
    tracing::error!(error = &error as &dyn std::error::Error, "a research export stopped");
    "reading failed"
}

/// Rows of one run; times in seconds since the patient's first reading.
fn rows(out: &mut String, front: &str, code: Code, zero: DeviceTime, run: &Run) {
    let unit = code.info().map_or("", |info| info.ucum);
    let mut row = |at: DeviceTime, value: String, quality: u8| {
        let micros = at.since(zero);
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "{front},{}.{:03},{code},{value},{unit},{quality}",
            micros / 1_000_000,
            micros % 1_000_000 / 1000
        );
    };
    match run {
        Run::Numerics { step, values } => {
            for (at, steps, quality) in values {
                let value =
                    steps.and_then(|steps| step.times(steps)).map_or_else(String::new, |value| value.to_string());
                row(*at, value, quality.bits());
            }
        }
        Run::Waveform { start, rate, scale, quality, samples } => {
            for (index, sample) in (0u64..).zip(samples) {
                let value = scale.value(*sample).map_or_else(String::new, |value| value.to_string());
                row(start.plus_micros(rate.offset_micros(index)), value, quality.bits());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obhut_model::calendar::DAY_MICROS;
    use obhut_model::{Decimal, Quality};

    #[test]
    fn days_are_dates() {
        for (day_number, want) in
            [(0, "1970-01-01"), (-1, "1969-12-31"), (19_782, "2024-02-29"), (20_781, "2026-11-24")]
        {
            assert_eq!(day(DeviceTime::from_micros(day_number * DAY_MICROS + 5)), want);
        }
    }

    #[test]
    fn rows_are_relative_and_name_nobody() {
        let at = DeviceTime::from_micros;
        let step = Decimal::new(1, -1).unwrap();
        let values = vec![(at(5_000_000), Some(366), Quality::GOOD), (at(65_250_000), None, Quality::GOOD)];
        let mut out = String::new();
        rows(&mut out, "p,40-44,female", Code::TEMP, at(5_000_000), &Run::Numerics { step, values });
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].starts_with(&format!("p,40-44,female,0.000,{},36.6,Cel,", Code::TEMP)), "{out}");
        assert!(lines[1].starts_with(&format!("p,40-44,female,60.250,{},,Cel,", Code::TEMP)), "{out}");
    }
}
