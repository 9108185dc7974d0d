//! Consents of a patient, for those who take them: the charter's forms, what was decided, giving, and taking back.
//!
//! A withdrawal is in force before it is written, and nothing is cached: every decision asks the register anew. Care does not run on consent and is not
//! touched.

use super::session::execute;
use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::routing::{get, post};
use obhut_access::{Action, Resource};
use obhut_charter::Lang;
use obhut_ledger::{Event, EventKind, ResourceRef};
use obhut_model::{CaseId, ServerTime, Subject};
use obhut_register::consents::{Channel, Command, Consent, Decided, Decision, Signer, Standing};
use obhut_register::{Digest, Kept};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    let manage = || Needs::Permit(Action::ConsentManage);
    vec![
        route(Method::GET, "/consent-forms", Needs::Session, get(forms)),
        route(Method::GET, "/patients/{subject}/consents", manage(), get(list)),
        route(Method::POST, "/patients/{subject}/consents", manage(), post(decide)),
        route(Method::POST, "/consents/{case}/withdraw", manage(), post(withdraw)),
    ]
}

/// The charter's forms, word for word.
async fn forms(State(state): State<Arc<AppState>>, _: Who) -> Json<Value> {
    let charter = state.charter.load();
    let rows: Vec<Value> = charter
        .checked
        .consent_forms()
        .iter()
        .map(|form| {
            let purpose = charter.checked.purpose(form.purpose.as_str());
            json!({
                "id": form.id.as_str(), "version": form.version.as_str(), "purpose": form.purpose.as_str(),
                "purpose_text": purpose.map(|purpose| json!({"de": purpose.text.de, "en": purpose.text.en})),
                "text": {"de": form.text.de, "en": form.text.en}, "hash": {"de": form.hash(Lang::De), "en": form.hash(Lang::En)},
                "valid_days": form.valid.seconds() / 86_400,
            })
        })
        .collect();
    Json(json!({"forms": rows}))
}

/// One decision as pages show it.
pub(super) fn view(state: &AppState, consent: &Consent, now: ServerTime) -> Value {
    let charter = state.charter.load();
    let purpose = charter.checked.purpose(&consent.purpose);
    json!({
        "case": consent.case, "form": consent.form, "version": consent.version, "purpose": consent.purpose,
        "purpose_text": purpose.map(|purpose| json!({"de": purpose.text.de, "en": purpose.text.en})),
        "hash": consent.text, "language": consent.language,
        "signer": match &consent.signer { Signer::Patient => "patient", Signer::Representative(_) => "representative" },
        "representative": match &consent.signer { Signer::Patient => None, Signer::Representative(name) => Some(name) },
        "channel": consent.channel, "decision": consent.decision, "signed": consent.signed, "entered": consent.entered, "expires": consent.expires,
        "withdrawn": consent.withdrawn.map(|(at, _)| at), "replaced": consent.replaced.map(|(at, _)| at),
        "standing": match consent.standing(now) {
            Standing::InForce => "in-force", Standing::Refused => "refused", Standing::Withdrawn => "withdrawn",
            Standing::Replaced => "replaced", Standing::Expired => "expired", Standing::NotYet => "not-yet",
        },
    })
}

/// Every decision of a patient, the latest first.
pub(super) fn all_of(state: &AppState, subject: Subject) -> Vec<Value> {
    let now = real_now();
    state.desk.register.read(|register| {
        let mut found: Vec<&Consent> = register.consents_of(subject).collect();
        found.sort_by_key(|consent| std::cmp::Reverse((consent.entered, consent.case)));
        found.into_iter().map(|consent| view(state, consent, now)).collect()
    })
}

async fn list(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
) -> Result<Json<Value>, ApiError> {
    let patient = state.desk.patient(subject).await?;
    let _ = state
        .desk
        .permit(&who, Ask::new(Action::ConsentManage, Resource::Patient(patient)).about(&["consent"]))
        .await?;
    Ok(Json(json!({"subject": subject, "consents": all_of(&state, subject)})))
}

/// A decision as it is entered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entered {
    form: String,
    version: String,
    lang: String,
    /// `patient`, or `representative` with a name.
    #[serde(default)]
    signer: Option<String>,
    #[serde(default)]
    representative: Option<String>,
    #[serde(default)]
    pub(super) channel: Option<Channel>,
    decision: Decision,
    /// When the sheet was signed, if not now.
    #[serde(default)]
    signed: Option<i64>,
}

async fn decide(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    Json(entered): Json<Entered>,
) -> Result<Json<Value>, ApiError> {
    let channel = entered.channel.unwrap_or(Channel::Paper);
    // By their own way only patients themselves decide.
    if channel == Channel::Own {
        return Err(ApiError::bad(
            "channel",
            "only patients decide on their own pages",
            "choose paper, screen or spoken",
        ));
    }
    let patient = state.desk.patient(subject).await?;
    let ask = Ask::new(Action::ConsentManage, Resource::Patient(patient)).about(&["consent"]);
    let _ = state.desk.permit(&who, ask).await?;
    let case = enter(&state, &who, subject, channel, entered).await?;
    Ok(Json(json!({"case": case})))
}

/// Enters a decision, after the permit for it.
pub(super) async fn enter(
    state: &Arc<AppState>,
    who: &Who,
    subject: Subject,
    channel: Channel,
    entered: Entered,
) -> Result<CaseId, ApiError> {
    let (lang, words) = match entered.lang.as_str() {
        "de" => (Lang::De, "de"),
        "en" => (Lang::En, "en"),
        _ => return Err(ApiError::bad("lang", "forms are in German and English", "write `de` or `en`")),
    };
    let signer = match (entered.signer.as_deref().unwrap_or("patient"), entered.representative) {
        ("patient", None) => Signer::Patient,
        ("representative", Some(name)) => Signer::Representative(name.trim().into()),
        _ => {
            return Err(ApiError::bad(
                "signer",
                "it is not said who signed",
                "write `patient`, or `representative` with a name",
            ));
        }
    };
    if channel == Channel::Own && (signer != Signer::Patient || entered.signed.is_some()) {
        return Err(ApiError::bad("signer", "on this page a patient decides, and now", "leave signer and time out"));
    }
    let now = real_now();
    let signed = entered.signed.map_or(now, ServerTime::from_micros);
    let case = state.desk.new_case();
    let decided = {
        let charter = state.charter.load();
        let form = charter
            .checked
            .consent_forms()
            .iter()
            .find(|form| form.id.as_str() == entered.form && form.version.as_str() == entered.version)
            .ok_or_else(|| {
                ApiError::conflict(
                    "form",
                    "the charter has no such form in this version",
                    "load the forms again; the patient must see the words that count",
                )
            })?;
        let valid = i64::try_from(form.valid.seconds()).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000);
        Decided {
            case,
            subject,
            purpose: Arc::from(form.purpose.as_str()),
            form: Arc::from(form.id.as_str()),
            version: Arc::from(form.version.as_str()),
            text: digest(&form.hash(lang)).ok_or_else(|| ApiError::internal("the form has no hash"))?,
            language: words.into(),
            signer,
            channel,
            decision: entered.decision,
            signed,
            expires: signed.plus_micros(valid),
        }
    };
    let purpose = decided.purpose.clone();
    execute(state, who.by(), Command::Decide(decided)).await??;
    note(
        state,
        who,
        subject,
        case,
        purpose,
        match entered.decision {
            Decision::Given => "consent-given",
            Decision::Refused => "consent-refused",
        },
    );
    Ok(case)
}

fn digest(hex: &str) -> Option<Digest> {
    serde_json::from_value(Value::String(hex.to_owned())).ok()
}

fn note(state: &AppState, who: &Who, subject: Subject, case: CaseId, purpose: Arc<str>, action: &str) {
    let mut event = Event::new(state.desk.new_request(), real_now(), EventKind::Consent, who.actor(), action);
    event.resource = ResourceRef::new("consent", None);
    event.subject = Some(subject);
    event.case = Some(case);
    event.purpose = Some(purpose);
    event.categories = vec!["consent".into()];
    event.origin = who.origin.clone();
    state.desk.tell(event);
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Way {
    channel: Option<Channel>,
}

async fn withdraw(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(case): Path<CaseId>,
    way: Option<Json<Way>>,
) -> Result<Json<Value>, ApiError> {
    let known = state.desk.register.read(|register| register.consent_case(case).map(|consent| consent.subject));
    let resource = match known {
        Some(subject) => Resource::Patient(state.desk.patient(subject).await?),
        // Of a consent nobody gave: refused at the desk, so that the attempt is recorded.
        None => Resource::Register,
    };
    let _leave =
        state.desk.leave(&who, Ask::new(Action::ConsentManage, resource).about(&["consent"]).case(case)).await?;
    let channel = way.and_then(|Json(way)| way.channel).unwrap_or(Channel::Spoken);
    take_back(&state, &who, case, channel).await.map(Json)
}

/// Takes a consent back, after the leave for it. Answers with nothing that was stored.
pub(super) async fn take_back(
    state: &Arc<AppState>,
    who: &Who,
    case: CaseId,
    channel: Channel,
) -> Result<Value, ApiError> {
    let done = execute(state, who.by(), Command::Withdraw { case, channel }).await??;
    if let Some(consent) = state.desk.register.read(|register| register.consent_case(case).cloned()) {
        note(state, who, consent.subject, case, consent.purpose, "consent-withdrawn");
    }
    Ok(json!({"case": case, "in_force": true, "written": done.kept == Kept::Durable}))
}
