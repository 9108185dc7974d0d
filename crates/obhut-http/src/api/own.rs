//! The patient's own page: own values, notices, consents, requests, the copy, and who looked when and why.
//!
//! Not for anybody else: the subject is that of the account, never one that is asked for.
//!
//! INVARIANT: a withdrawal counts when this answers, whatever the disk does; giving and taking back are one request each.

use super::consents::{Entered, enter, take_back};
use super::copy::{self, Wanted, kind_text, pick};
use super::requests::{is_offered, receive, row};
use super::session::{body, execute};
use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use obhut_access::{Action, Permit, Resource};
use obhut_interop::Language;
use obhut_model::{CaseId, Code, DeviceTime, ServerTime, Subject, TimeRange};
use obhut_register::consents::{self, Standing};
use obhut_register::requests::{self, Channel, Kind, Requester};
use obhut_register::{Private, rights};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest range of values in one answer, microseconds.
const RANGE_MICROS_MAX: i64 = 31 * 24 * 3_600 * 1_000_000;
/// Entries of the ledger in one answer.
const ACCESSES_MAX: usize = 50;
/// Points in one answer; more are thinned to the lowest and highest of each stretch.
const POINTS_MAX: usize = 600;

pub(super) fn routes() -> Vec<Route> {
    let needs = || Needs::Permit(Action::OwnView);
    vec![
        route(Method::GET, "/own", needs(), get(own)),
        route(Method::GET, "/own/readings", needs(), get(readings)),
        route(Method::GET, "/own/accesses", needs(), get(accesses)),
        route(Method::GET, "/own/consents", needs(), get(list_consents)),
        route(Method::POST, "/own/consents", needs(), post(decide)),
        route(Method::POST, "/own/consents/{case}/withdraw", needs(), post(withdraw)),
        route(Method::GET, "/own/notices", needs(), get(notices)),
        route(Method::POST, "/own/notices", needs(), post(acknowledge)),
        route(Method::GET, "/own/requests", needs(), get(list_requests)),
        route(Method::POST, "/own/requests", needs(), post(ask)),
        route(Method::GET, "/own/copy", needs(), get(copied)),
    ]
}

/// The patient behind the account.
fn subject_of(state: &AppState, who: &Who) -> Result<Subject, ApiError> {
    let person = who.person().ok_or_else(ApiError::refused)?;
    state
        .desk
        .register
        .read(|register| register.person(person).and_then(|person| person.subject()))
        .ok_or_else(ApiError::refused)
}

/// The patient behind the account, and the question to the desk about them.
async fn question<'a>(state: &Arc<AppState>, who: &Who, categories: &[&str]) -> Result<(Subject, Ask<'a>), ApiError> {
    let subject = match subject_of(state, who) {
        Ok(subject) => subject,
        Err(error) => {
            // Somebody who is no patient asks: refused at the desk, so that the attempt is recorded.
            let _way = state.desk.permit(who, Ask::new(Action::OwnView, Resource::Register)).await?;
            return Err(error);
        }
    };
    let patient = state.desk.patient(subject).await?;
    Ok((subject, Ask::new(Action::OwnView, Resource::Patient(patient)).about(categories)))
}

async fn permit(state: &Arc<AppState>, who: &Who, categories: &[&str]) -> Result<(Subject, Permit), ApiError> {
    let (subject, ask) = question(state, who, categories).await?;
    Ok((subject, state.desk.permit(who, ask).await?))
}

const KINDS: [Kind; 7] = [
    Kind::Access,
    Kind::Rectification,
    Kind::Erasure,
    Kind::Restriction,
    Kind::Portability,
    Kind::Objection,
    Kind::TreatmentFile,
];

async fn own(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let (subject, permit) = permit(&state, &who, &["identity", "binding"]).await?;
    let (identity, stays, codes) = {
        let state = state.clone();
        super::blocking(move || {
            let sealed = state.records.identity(subject)?.ok_or_else(ApiError::refused)?;
            let identity = state.desk.open(sealed, &permit)?;
            Ok((identity, state.records.stays(subject)?, state.readings.codes(subject)?))
        })
        .await?
    };
    let charter = state.charter.load_full();
    let label =
        |bed: &obhut_model::BedId| charter.beds.iter().find(|(id, _)| id == bed).map(|(_, label)| label.clone());
    let stays: Vec<Value> = stays
        .iter()
        .map(|stay| {
            json!({"ward": charter.ward.1, "bed": label(&stay.bed), "from": stay.from.micros(), "to": stay.to.map(DeviceTime::micros)})
        })
        .collect();
    let codes: Vec<Value> = codes
        .iter()
        .filter_map(|(code, first, last)| {
            let info = code.info().filter(|info| info.kind == obhut_model::Kind::Numeric)?;
            Some(json!({"code": info.reference_id, "name": {"de": info.name_de, "en": info.name_en}, "unit": info.unit_shown,
                "first": first.micros(), "last": last.micros()}))
        })
        .collect();
    let controller = charter.checked.controller();
    let offered: Vec<Kind> = KINDS.into_iter().filter(|kind| is_offered(&state, *kind)).collect();
    Ok(Json(json!({
        "family": identity.family, "given": identity.given.join(" "), "birth_date": identity.birth_date,
        "house": controller.name.as_str(), "dpo": {"name": controller.dpo.name, "email": controller.dpo.email, "phone": controller.dpo.phone},
        "authority": controller.authority.as_ref().map(|each| each.as_str()),
        "stays": stays, "codes": codes, "kinds": offered,
        "restricted": state.desk.register.read(|register| register.restricted(subject)),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    code: String,
    from: i64,
    to: i64,
}

async fn readings(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(which): Query<Which>,
) -> Result<Json<Value>, ApiError> {
    let code = Code::by_reference_id(&which.code)
        .ok_or_else(|| ApiError::bad("code", "this is not a code", "take one of your codes"))?;
    if which.to <= which.from || which.to.saturating_sub(which.from) > RANGE_MICROS_MAX {
        return Err(ApiError::bad("range", "this range is empty or too long", "ask for 31 days or less"));
    }
    let category = state.desk.category(code).ok_or_else(super::ward::undeclared)?;
    let (subject, permit) = permit(&state, &who, &[&category]).await?;
    let range = TimeRange { from: DeviceTime::from_micros(which.from), to: DeviceTime::from_micros(which.to) };
    let store = state.readings.clone();
    let sealed = super::blocking(move || Ok(store.read(subject, code, range)?)).await?;
    let runs = state.desk.open(sealed, &permit)?;
    let points: Vec<(i64, String, f64)> = runs
        .iter()
        .flat_map(|run| match run {
            obhut_store::Run::Numerics { step, values } => values
                .iter()
                .filter_map(|(at, steps, _)| {
                    let steps = (*steps)?;
                    Some((at.micros(), obhut_interop::exact(*step, steps), step.to_f64() * f64::from(steps)))
                })
                .collect(),
            obhut_store::Run::Waveform { .. } => Vec::new(),
        })
        .collect();
    let stretch = points.len().div_ceil(POINTS_MAX).max(1);
    let by_value = |a: &&(i64, String, f64), b: &&(i64, String, f64)| a.2.total_cmp(&b.2);
    let rows: Vec<Value> = points
        .chunks(stretch)
        .filter_map(|chunk| {
            let (low, high) = (chunk.iter().min_by(by_value)?, chunk.iter().max_by(by_value)?);
            Some(json!({"at": chunk.first()?.0, "low": low.1, "high": high.1, "last": chunk.last()?.1}))
        })
        .collect();
    Ok(Json(json!({"points": rows, "count": points.len()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    before: Option<u64>,
    lang: Option<String>,
}

fn language(tag: Option<&str>) -> Language {
    tag.and_then(Language::of).unwrap_or_default()
}

async fn accesses(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let (subject, _permit) = permit(&state, &who, &["access-log"]).await?;
    let lang = language(page.lang.as_deref());
    let work = state.clone();
    let found = super::blocking(move || {
        copy::accesses(&work, lang, subject, page.before, ACCESSES_MAX).map_err(|error| {
            tracing::error!(error = %error, "the ledger could not be read for a patient");
            ApiError::internal("the list of accesses could not be read")
        })
    })
    .await?;
    let next = (found.len() == ACCESSES_MAX).then(|| found.last().map(|access| access.index)).flatten();
    let rows: Vec<Value> = found
        .iter()
        .map(|access| {
            json!({"index": access.index, "at": access.at.micros(), "who": access.who, "what": access.what, "why": access.why,
                "data": access.categories, "from": access.origin, "emergency": access.emergency, "refused": access.refused})
        })
        .collect();
    Ok(Json(json!({"accesses": rows, "next": next})))
}

async fn list_consents(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let (subject, _permit) = permit(&state, &who, &["consent"]).await?;
    let (charter, now) = (state.charter.load_full(), real_now());
    let known: Vec<consents::Consent> =
        state.desk.register.read(|register| register.consents_of(subject).cloned().collect());
    let forms: Vec<Value> = charter
        .checked
        .consent_forms()
        .iter()
        .map(|form| {
            let purpose = charter.checked.purpose(form.purpose.as_str());
            let mut own: Vec<&consents::Consent> =
                known.iter().filter(|consent| *consent.purpose == *form.purpose.as_str()).collect();
            own.sort_by_key(|consent| consent.signed);
            let latest = own.last().map(|consent| {
                json!({"case": consent.case, "signed": consent.signed.micros(), "expires": consent.expires.micros(), "state": match consent.standing(now) {
                    Standing::InForce => "in-force", Standing::Refused => "refused", Standing::Withdrawn => "withdrawn",
                    Standing::Replaced => "replaced", Standing::Expired => "expired", Standing::NotYet => "not-yet" }})
            });
            json!({"form": form.id.as_str(), "version": form.version.as_str(), "text": {"de": form.text.de, "en": form.text.en},
                "purpose": purpose.map(|purpose| json!({"de": purpose.text.de, "en": purpose.text.en})), "latest": latest})
        })
        .collect();
    Ok(Json(json!({"forms": forms})))
}

async fn decide(State(state): State<Arc<AppState>>, who: Who, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let answer: Entered = body(&bytes)?;
    let (subject, _permit) = permit(&state, &who, &["consent"]).await?;
    enter(&state, &who, subject, consents::Channel::Own, answer).await?;
    list_consents(State(state), who).await
}

async fn withdraw(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
) -> Result<Json<Value>, ApiError> {
    // Somebody else's consent, or none at all, is refused at the desk, so that the attempt is recorded.
    let resource = match state.desk.register.read(|register| register.consent_case(case).map(|consent| consent.subject))
    {
        Some(subject) => Resource::Patient(state.desk.patient(subject).await?),
        None => Resource::Register,
    };
    let ask = Ask::new(Action::OwnView, resource).about(&["consent"]).case(case);
    let _leave = state.desk.leave(&who, ask).await?;
    take_back(&state, &who, case, consents::Channel::Own).await.map(Json)
}

async fn notices(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let (subject, _permit) = permit(&state, &who, &["notice"]).await?;
    let charter = state.charter.load_full();
    let shown: Vec<rights::NoticeShown> =
        state.desk.register.read(|register| register.notices_of(subject).cloned().collect());
    let rows: Vec<Value> = charter
        .checked
        .notices()
        .iter()
        .map(|notice| {
            let known = shown
                .iter()
                .find(|each| *each.notice == *notice.id.as_str() && *each.version == *notice.version.as_str());
            json!({"notice": notice.id.as_str(), "version": notice.version.as_str(),
                "text": {"de": pick(Language::De, &notice.text), "en": pick(Language::En, &notice.text)},
                "acknowledged": known.and_then(|each| each.shown).map(ServerTime::micros)})
        })
        .collect();
    Ok(Json(json!({"notices": rows})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    notice: String,
    version: String,
}

async fn acknowledge(State(state): State<Arc<AppState>>, who: Who, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let seen: Seen = body(&bytes)?;
    let (subject, _permit) = permit(&state, &who, &["notice"]).await?;
    let charter = state.charter.load_full();
    let is = |each: &&obhut_charter::schema::Notice| {
        each.id.as_str() == seen.notice && each.version.as_str() == seen.version
    };
    if charter.checked.notices().iter().find(is).is_none() {
        return Err(ApiError::conflict("notice", "this notice has changed", "read it again"));
    }
    let command = rights::Command::GiveNotice {
        case: state.desk.new_case(),
        subject,
        notice: Arc::from(seen.notice.as_str()),
        version: Arc::from(seen.version.as_str()),
    };
    execute(&state, who.by(), command).await??;
    notices(State(state), who).await
}

async fn list_requests(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let (subject, _permit) = permit(&state, &who, &["request"]).await?;
    let mine: Vec<requests::Request> = state
        .desk
        .register
        .read(|register| register.requests().into_iter().filter(|each| each.subject == subject).cloned().collect());
    let rows: Vec<Value> = mine
        .iter()
        .map(|request| {
            let mut row = row(&state, request);
            if let Some(map) = row.as_object_mut() {
                // Notes of those who work on it are theirs; the patient gets the answer.
                for inside in ["steps", "recipients", "alerts", "warned", "subject"] {
                    map.remove(inside);
                }
                let (de, en) = (kind_text(Language::De, request.kind), kind_text(Language::En, request.kind));
                map.insert("what".to_owned(), json!({"de": de, "en": en}));
            }
            row
        })
        .collect();
    Ok(Json(json!({"requests": rows})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    kind: Kind,
    #[serde(default)]
    text: String,
}

async fn ask(State(state): State<Arc<AppState>>, who: Who, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let wish: Wish = body(&bytes)?;
    let (subject, _permit) = permit(&state, &who, &["request"]).await?;
    if !is_offered(&state, wish.kind) {
        return Err(ApiError::conflict(
            "not_offered",
            "the law gives this right for none of the purposes here",
            "ask the data-protection office",
        ));
    }
    let case = state.desk.new_case();
    let command = receive(case, subject, (wish.kind, Channel::Own), Requester::Patient, wish.text, real_now());
    execute(&state, who.by(), command).await??;
    // Whoever signed in with the account has proved who they are.
    let how = Private::from("signed in to the patient's own page");
    execute(&state, who.by(), requests::Command::Identify { case, how }).await??;
    list_requests(State(state), who).await
}

async fn copied(
    State(state): State<Arc<AppState>>,
    who: Who,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let (subject, _first) = permit(&state, &who, &["identity"]).await?;
    let patient = state.desk.patient(subject).await?;
    let all = state.desk.permit(&who, copy::whole(&state, Action::OwnView, patient)).await?;
    copy::hand_out(state, who, all, subject, &wanted, None).await
}
