//! The ward for those who work on it: beds and their patients, one patient's stored course, who lies where, devices, and how the system is.

use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::export::{Export, Form};
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, put};
use obhut_access::{Action, Resource};
use obhut_model::{BedId, Code, DeviceTime, Subject, TimeRange};
use obhut_store::{Identity, Run, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest range of numerics in one answer, microseconds: what a ward's trend shows at most.
const TREND_MICROS_MAX: i64 = 31 * 24 * 3_600 * 1_000_000;
/// Longest range of a waveform in one answer, microseconds.
const WAVE_MICROS_MAX: i64 = 5 * 60 * 1_000_000;
/// Most points of a trend in one answer; longer ones are thinned to the smallest and largest of each stretch.
const POINTS_MAX: usize = 4_000;

pub(super) fn routes() -> Vec<Route> {
    use Needs::Permit;
    vec![
        route(Method::GET, "/patients", Permit(Action::LiveView), get(patients)),
        route(Method::GET, "/patients/{subject}", Permit(Action::IdentityView), get(identity)),
        route(Method::GET, "/patients/{subject}/codes", Permit(Action::HistoryView), get(codes)),
        route(Method::GET, "/patients/{subject}/readings", Permit(Action::HistoryView), get(readings)),
        route(Method::GET, "/patients/{subject}/export", Permit(Action::Export), get(export)),
        route(Method::PUT, "/beds/{bed}/patient", Permit(Action::Bind), put(admit)),
        route(Method::DELETE, "/beds/{bed}/patient", Permit(Action::Bind), delete(discharge)),
        route(Method::GET, "/devices", Permit(Action::DeviceView), get(devices)),
        route(Method::GET, "/system", Permit(Action::SystemView), get(system)),
        route(Method::GET, "/metrics", Permit(Action::SystemView), get(metrics)),
        route(Method::GET, "/charter", Needs::Session, get(charter)),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    /// `1` to be told names: a deliberate look, recorded for each patient.
    names: Option<u8>,
}

/// Beds in screen order with the pseudonym of whoever lies there; names only where asked for and allowed.
async fn patients(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(query): Query<Names>,
) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::LiveView, state.desk.ward())).await?;
    let lying = {
        let state = state.clone();
        blocking(move || lying_now(&state)).await?
    };
    let names = futures_util::future::try_join_all(lying.iter().map(async |(_, _, subject)| match subject {
        Some(subject) if query.names == Some(1) => named(&state, &who, *subject).await,
        _ => Ok(None),
    }));
    let mut rows = Vec::new();
    for ((bed, label, subject), name) in lying.iter().zip(names.await?) {
        // Which of them are the asker's own cases is theirs to know; it says nothing about the patient.
        let mine = subject.zip(who.person()).is_some_and(|(subject, person)| {
            state.desk.register.read(|register| register.cases_of(subject).contains(&person))
        });
        rows.push(json!({"bed": bed.as_str(), "label": label, "subject": subject, "mine": mine, "name": name.map(|identity| json!({
            "family": identity.family, "given": identity.given.join(" "), "birth_date": identity.birth_date,
        }))}));
    }
    let (id, name) = state.charter.load().ward.clone();
    Ok(Json(json!({"ward": {"id": id, "name": name}, "patients": rows})))
}

/// Beds in screen order, each with its label and who lies there.
fn lying_now(state: &AppState) -> Result<Vec<(BedId, String, Option<Subject>)>, ApiError> {
    let (_, stays) = state.records.bindings()?;
    let now = DeviceTime::from_micros(state.clock.now().micros());
    let lies = |bed: &BedId| {
        stays
            .iter()
            .find(|stay| stay.bed == *bed && stay.from <= now && stay.to.is_none_or(|to| now < to))
            .map(|stay| stay.subject)
    };
    let charter = state.charter.load();
    Ok(charter.beds.iter().map(|(bed, label)| (bed.clone(), label.clone(), lies(bed))).collect())
}

/// The identity, where the asker may see it; `None` where not: a list is no attempt at those that are not theirs, and is not recorded as one.
async fn named(state: &Arc<AppState>, who: &Who, subject: Subject) -> Result<Option<Identity>, ApiError> {
    let patient = state.desk.patient(subject).await?;
    let ask = Ask::new(Action::IdentityView, Resource::Patient(patient)).about(&["identity"]);
    if !state.desk.would_permit(who, &ask) {
        return Ok(None);
    }
    match state.desk.permit(who, ask).await {
        Ok(permit) => {
            let records = state.records.clone();
            let sealed = blocking(move || Ok(records.identity(subject)?)).await?;
            sealed.map(|sealed| state.desk.open(sealed, &permit)).transpose()
        }
        Err(error) if error.status() == StatusCode::FORBIDDEN => Ok(None),
        Err(error) => Err(error),
    }
}

async fn identity(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
) -> Result<Json<Value>, ApiError> {
    let patient = state.desk.patient(subject).await?;
    let ask = Ask::new(Action::IdentityView, Resource::Patient(patient)).about(&["identity"]);
    let permit = state.desk.permit(&who, ask).await?;
    let records = state.records.clone();
    let (sealed, stays) = blocking(move || Ok((records.identity(subject)?, records.stays(subject)?))).await?;
    let identity = sealed.ok_or_else(ApiError::refused).and_then(|sealed| state.desk.open(sealed, &permit))?;
    let stays: Vec<Value> = stays
        .iter()
        .map(
            |stay| json!({"bed": stay.bed.as_str(), "from": stay.from.micros(), "to": stay.to.map(DeviceTime::micros)}),
        )
        .collect();
    Ok(Json(
        json!({"subject": subject, "family": identity.family, "given": identity.given.join(" "), "birth_date": identity.birth_date,
        "record_number": identity.record_number, "stays": stays}),
    ))
}

async fn codes(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
) -> Result<Json<Value>, ApiError> {
    let patient = state.desk.patient(subject).await?;
    state.desk.permit(&who, Ask::new(Action::HistoryView, Resource::Patient(patient))).await?;
    let readings = state.readings.clone();
    let found = blocking(move || Ok(readings.codes(subject)?)).await?;
    let rows: Vec<Value> = found
        .into_iter()
        .map(|(code, first, last)| {
            let info = code.info();
            json!({"code": code.to_string(), "name": {"de": info.map(|i| i.name_de), "en": info.map(|i| i.name_en)}, "unit": info.map(|i| i.ucum),
                   "kind": info.map(|i| match i.kind { obhut_model::Kind::Numeric => "numeric", obhut_model::Kind::Waveform => "waveform" }),
                   "first": first.micros(), "last": last.micros()})
        })
        .collect();
    Ok(Json(json!({"subject": subject, "codes": rows})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    code: String,
    from: i64,
    to: i64,
}

async fn readings(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let code = Code::by_reference_id(&wanted.code)
        .ok_or_else(|| ApiError::bad("code", "this is not a code", "take one of the patient's codes"))?;
    let wave = code.info().is_some_and(|info| info.kind == obhut_model::Kind::Waveform);
    let longest = if wave { WAVE_MICROS_MAX } else { TREND_MICROS_MAX };
    if wanted.to <= wanted.from || wanted.to.saturating_sub(wanted.from) > longest {
        let hint = if wave { "ask for five minutes or less" } else { "ask for 31 days or less" };
        return Err(ApiError::bad("range", "this range is empty or too long", hint));
    }
    let category = state.desk.category(code).ok_or_else(undeclared)?;
    let patient = state.desk.patient(subject).await?;
    let ask = Ask::new(Action::HistoryView, Resource::Patient(patient)).about(&[&category]);
    let permit = state.desk.permit(&who, ask).await?;
    let range = TimeRange { from: DeviceTime::from_micros(wanted.from), to: DeviceTime::from_micros(wanted.to) };
    let store = state.readings.clone();
    let sealed = blocking(move || Ok(store.read(subject, code, range)?)).await?;
    let runs = state.desk.open(sealed, &permit)?;
    Ok(Json(if wave { curve(&runs) } else { trend(&runs) }))
}

/// A code the charter does not declare has no values here, whoever asks.
pub(super) fn undeclared() -> ApiError {
    ApiError::bad("code", "the charter does not declare this code", "take one of the patient's codes")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    format: String,
    from: Option<i64>,
    to: Option<i64>,
    purpose: Option<String>,
}

/// Values as a table, for a purpose of the charter; the complete copy a patient may ask for is a request and not this.
async fn export(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    Query(taken): Query<Taken>,
) -> Result<Response, ApiError> {
    if taken.format != "csv" {
        return Err(ApiError::bad("format", "there is no such format", "ask for csv"));
    }
    let range = TimeRange {
        from: taken.from.map_or(TimeRange::ALL.from, DeviceTime::from_micros),
        to: taken.to.map_or(TimeRange::ALL.to, DeviceTime::from_micros),
    };
    Export { subject, code: None, range, purpose: taken.purpose }.answer(state, who, Form::Csv).await
}

/// Points `[time, smallest, largest, quality]`, thinned if there are many; a stretch without a value is left out and so stays a gap.
fn trend(runs: &[Run]) -> Value {
    let points: Vec<(i64, f64, u8)> = runs
        .iter()
        .filter_map(|run| match run {
            Run::Numerics { step, values } => Some((step.to_f64(), values)),
            Run::Waveform { .. } => None,
        })
        .flat_map(|(step, values)| {
            values.iter().filter_map(move |(at, steps, quality)| {
                Some((at.micros(), f64::from((*steps)?) * step, quality.bits()))
            })
        })
        .collect();
    let stretch = points.len().div_ceil(POINTS_MAX).max(1);
    let rows: Vec<Value> = points
        .chunks(stretch)
        .filter_map(|chunk| {
            let (at, _, _) = chunk.first()?;
            let (mut low, mut high, mut quality) = (f64::INFINITY, f64::NEG_INFINITY, 0);
            for (_, value, bits) in chunk {
                low = low.min(*value);
                high = high.max(*value);
                quality |= bits;
            }
            Some(json!([at, low, high, quality]))
        })
        .collect();
    json!({"kind": "numeric", "thinned": stretch > 1, "points": rows})
}

fn curve(runs: &[Run]) -> Value {
    let rows: Vec<Value> = runs
        .iter()
        .filter_map(|run| match run {
            Run::Waveform { start, rate, scale, quality, samples } => Some(json!({
                "start": start.micros(), "rate": f64::from(rate.microhertz()) / 1e6, "gain": scale.gain, "baseline": scale.baseline, "quality": quality.bits(),
                "samples": samples.iter().map(|sample| (*sample != obhut_model::NO_VALUE).then_some(*sample)).collect::<Vec<_>>(),
            })),
            Run::Numerics { .. } => None,
        })
        .collect();
    json!({"kind": "waveform", "runs": rows})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Admit {
    family: String,
    given: String,
    birth_date: String,
    record_number: String,
}

async fn admit(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    // What exactly is wrong is not repeated: it would repeat what was typed.
    let admit: Admit = serde_json::from_slice(&body).map_err(|_| {
        ApiError::bad(
            "identity",
            "the identity is not understood",
            "give family and given name, birth date and record number",
        )
    })?;
    if !crate::admin::is_iso_date(&admit.birth_date) {
        return Err(ApiError::bad("birth_date", "the birth date is not a date", "write it as YYYY-MM-DD"));
    }
    if [&admit.family, &admit.record_number].iter().any(|text| text.trim().is_empty()) {
        return Err(ApiError::bad("identifiers", "name and record number are missing", "read them off the wristband"));
    }
    let bed = declared_bed(&state, &bed)?;
    state.desk.permit(&who, Ask::new(Action::Bind, state.desk.ward()).about(&["identity", "binding"])).await?;
    let subject = {
        let (state, bed) = (state.clone(), bed.clone());
        blocking(move || {
            let now = DeviceTime::from_micros(state.clock.now().micros());
            let identity = Identity {
                family: admit.family.trim().to_owned(),
                given: admit.given.split_whitespace().map(str::to_owned).collect(),
                ..Identity::of("", &admit.birth_date, &admit.record_number)
            };
            let subject = state.records.bind_patient(&identity, &bed, now)?;
            state.refresh()?;
            state.alarms.set_age(subject, super::completed_years(&identity.birth_date));
            Ok(subject)
        })
        .await?
    };
    Ok(Json(json!({"bed": bed.as_str(), "subject": subject})))
}

async fn discharge(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
) -> Result<Response, ApiError> {
    let bed = declared_bed(&state, &bed)?;
    state.desk.permit(&who, Ask::new(Action::Bind, state.desk.ward()).about(&["binding"])).await?;
    let work = state.clone();
    blocking(move || {
        let now = DeviceTime::from_micros(work.clock.now().micros());
        work.records.unbind_patient(&bed, now).map_err(|error| match error {
            StoreError::Unknown(_) => ApiError::unknown("bed_empty", "nobody lies in this bed", "choose another bed"),
            other => other.into(),
        })?;
        work.refresh()?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) fn declared_bed(state: &AppState, bed: &str) -> Result<BedId, ApiError> {
    let charter = state.charter.load();
    charter
        .beds
        .iter()
        .map(|(id, _)| id)
        .find(|id| id.as_str() == bed)
        .cloned()
        .ok_or_else(|| ApiError::unknown("bed", "the charter knows no such bed", "choose a bed of this ward"))
}

/// Devices with model, state and bed, and never a patient.
async fn devices(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::DeviceView, state.desk.ward())).await?;
    let work = state.clone();
    let (records, (places, _)) = blocking(move || Ok((work.records.devices()?, work.records.bindings()?))).await?;
    let now = DeviceTime::from_micros(state.clock.now().micros());
    let charter = state.charter.load();
    let rows: Vec<Value> = records
        .iter()
        .map(|device| {
            let bed = places
                .iter()
                .find(|place| place.device == device.id && place.from <= now && place.to.is_none_or(|to| now < to))
                .map(|place| &place.bed);
            let label = charter.beds.iter().find(|(id, _)| Some(id) == bed).map(|(_, label)| label);
            json!({"id": device.id, "model": device.model, "serial": device.serial, "bed": bed, "bed_label": label,
                   "state": match device.state { obhut_store::DeviceState::Invited => "invited", obhut_store::DeviceState::Enrolled => "enrolled", obhut_store::DeviceState::Revoked => "revoked" },
                   "online": state.is_connected(&device.id), "certificate_ends": device.certificate_ends.map(|at| at.micros())})
        })
        .collect();
    Ok(Json(json!({"devices": rows})))
}

/// How the system is: parts, charter, counts; nothing about patients.
async fn system(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::SystemView, Resource::System)).await?;
    let system = state.system_state();
    let charter = state.charter.load();
    let refused: serde_json::Map<String, Value> =
        system.refused.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    Ok(Json(json!({
        "store": system.store, "charter": {"state": system.charter, "name": charter.name, "fingerprint": charter.rules.fingerprint},
        "ledger": state.desk.ledger_word(), "frames": system.frames, "refused": refused, "screens": state.live.clients(),
        "version": env!("CARGO_PKG_VERSION"),
    })))
}

async fn metrics(State(state): State<Arc<AppState>>, who: Who) -> Result<Response, ApiError> {
    state.desk.permit(&who, Ask::new(Action::SystemView, Resource::System)).await?;
    Ok(crate::metrics::answer(&state))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Language {
    lang: Option<String>,
}

/// What may happen to whose data and why, in plain words, for everybody who works under it.
async fn charter(State(state): State<Arc<AppState>>, _who: Who, Query(query): Query<Language>) -> Json<Value> {
    let lang = if query.lang.as_deref() == Some("en") { obhut_charter::Lang::En } else { obhut_charter::Lang::De };
    let charter = state.charter.load();
    Json(json!({
        "fingerprint": charter.rules.fingerprint, "name": charter.name, "text": obhut_charter::explain(&charter.checked, lang),
    }))
}

/// Runs what waits for the disk where it does not hold up the live ward.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("the call ended before it was done")))
}
