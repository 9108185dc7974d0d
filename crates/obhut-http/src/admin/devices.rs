//! Devices: invite, list, show, revoke, and put at a bed.

use super::time_or_now;
use crate::api::{ApiError, blocking};
use crate::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use obhut_model::{BedId, DeviceId, DeviceTime, ModelId, ServerTime};
use obhut_pki::est::Token;
use obhut_store::{DeviceAtBed, DeviceRecord, DeviceState, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// How long a token may be used, microseconds.
const TOKEN_LIFE_MICROS: i64 = obhut_pki::limits::TOKEN_LIFE_SECS.cast_signed() * 1_000_000;
/// Most invitations in one request.
const INVITES_MAX: usize = 20_000;

/// Invitations wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// One for each device.
    pub devices: Vec<InviteWanted>,
}

/// One invitation wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteWanted {
    /// Name of the device; its serial number in lower case if left out.
    pub id: Option<String>,
    /// Model of the charter.
    pub model: String,
    /// The maker's serial number.
    pub serial: String,
}

fn device_id(text: &str) -> Result<DeviceId, ApiError> {
    DeviceId::new(text).map_err(|error| {
        ApiError::bad(
            "device_name",
            format!("`{text}` is not a device name: {error}"),
            "give a name of your own with `--id`",
        )
    })
}

fn state_name(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Invited => "invited",
        DeviceState::Enrolled => "enrolled",
        DeviceState::Revoked => "revoked",
    }
}

fn view(state: &AppState, record: &DeviceRecord, stays: &[DeviceAtBed], now: DeviceTime) -> Value {
    let bed = stays
        .iter()
        .find(|s| s.device == record.id && s.from <= now && s.to.is_none_or(|to| now < to))
        .map(|s| s.bed.as_str());
    json!({
        "id": record.id.as_str(), "model": record.model.as_str(), "serial": record.serial, "state": state_name(record.state),
        "invited_at": record.invited_at.micros(), "enrolled_at": record.enrolled_at.map(ServerTime::micros),
        "certificate": record.certificate, "certificate_ends": record.certificate_ends.map(ServerTime::micros),
        "bed": bed, "connected": state.is_connected(&record.id),
    })
}

pub(super) async fn list(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let devices = state.records.devices()?;
        let (stays, _) = state.records.bindings()?;
        let now = time_or_now(&state, None);
        let rows: Vec<Value> = devices.iter().map(|record| view(&state, record, &stays, now)).collect();
        Ok(Json(json!({"devices": rows})))
    })
    .await
}

fn known(state: &AppState, id: &DeviceId) -> Result<DeviceRecord, ApiError> {
    let found = state.records.device(id)?;
    found.ok_or_else(|| {
        ApiError::unknown("device_unknown", format!("device `{id}` is not known"), "see `obhut device list`")
    })
}

pub(super) async fn show(State(state): State<Arc<AppState>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let record = known(&state, &device_id(&id)?)?;
        let (stays, _) = state.records.bindings()?;
        let mut shown = view(&state, &record, &stays, time_or_now(&state, None));
        if let (Some(fields), Some(model)) = (shown.as_object_mut(), state.charter.load().rules.models.get(&record.model)) {
            let sends: Vec<Value> = model
                .streams
                .iter()
                .map(|rule| json!({"code": rule.code.to_string(), "rate_max_hz": rule.rate_max.hertz(), "resolution": rule.resolution.to_string()}))
                .collect();
            fields.insert("may_send".into(), json!(sends));
        }
        Ok(Json(shown))
    })
    .await
}

pub(super) async fn invite(
    State(state): State<Arc<AppState>>,
    Json(request): Json<InviteRequest>,
) -> Result<Json<Value>, ApiError> {
    if request.devices.len() > INVITES_MAX {
        return Err(ApiError::bad("too_many", format!("at most {INVITES_MAX} invitations at once"), "split the list"));
    }
    blocking(move || {
        let rows = request.devices.iter().map(|wanted| invite_one(&state, wanted)).collect::<Result<Vec<_>, _>>();
        state.refresh()?;
        Ok(Json(json!({"ca_sha256": state.authority.root_fingerprint(), "devices": rows?})))
    })
    .await
}

fn invite_one(state: &AppState, wanted: &InviteWanted) -> Result<Value, ApiError> {
    let id = device_id(wanted.id.as_deref().unwrap_or(&wanted.serial.to_lowercase()))?;
    let model = ModelId::new(&wanted.model)
        .ok()
        .filter(|model| state.charter.load().rules.models.contains_key(model))
        .ok_or_else(|| {
            let message = format!("the charter declares no model `{}`", wanted.model);
            ApiError::bad(
                "model_undeclared",
                message,
                "declare it under [[device_model]], or see `obhut charter explain`",
            )
        })?;
    let token = Token::generate().map_err(|error| ApiError::internal(error.to_string()))?;
    let now = crate::state::real_now();
    let expires = now.plus_micros(TOKEN_LIFE_MICROS);
    let record = DeviceRecord {
        id,
        model,
        serial: wanted.serial.clone(),
        state: DeviceState::Invited,
        invited_at: now,
        enrolled_at: None,
        certificate: None,
        certificate_ends: None,
    };
    state.records.invite(&record, token.hash(), expires)?;
    Ok(
        json!({"id": record.id.as_str(), "model": record.model.as_str(), "serial": wanted.serial, "token": token.text().as_str(),
              "expires": expires.micros()}),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    reason: String,
}

pub(super) async fn revoke(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    Json(revoke): Json<Revoke>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let id = device_id(&id)?;
        known(&state, &id)?;
        let cut = state.revoke(&id, &revoke.reason)?;
        Ok(Json(json!({"id": id.as_str(), "state": "revoked", "session_cut": cut})))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    bed: String,
    from: Option<i64>,
}

pub(super) fn declared_bed(state: &AppState, bed: &str) -> Result<BedId, ApiError> {
    BedId::new(bed).ok().filter(|bed| state.charter.load().beds.iter().any(|b| b.0 == *bed)).ok_or_else(|| {
        ApiError::unknown("bed_undeclared", format!("the charter declares no bed `{bed}`"), "see `obhut bed list`")
    })
}

pub(super) async fn place(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    Json(place): Json<Place>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let id = device_id(&id)?;
        known(&state, &id)?;
        let bed = declared_bed(&state, &place.bed)?;
        let from = time_or_now(&state, place.from);
        state.records.place_device(&id, &bed, from)?;
        state.refresh()?;
        Ok(Json(json!({"id": id.as_str(), "bed": bed.as_str(), "from": from.micros()})))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    pub(super) to: Option<i64>,
}

pub(super) async fn remove(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    Json(until): Json<Until>,
) -> Result<Json<Value>, ApiError> {
    blocking(move || {
        let id = device_id(&id)?;
        known(&state, &id)?;
        let to = time_or_now(&state, until.to);
        state.records.remove_device(&id, to).map_err(|error| match error {
            StoreError::Unknown(_) => ApiError::unknown(
                "device_nowhere",
                format!("device `{id}` stands at no bed"),
                "see `obhut device list`",
            ),
            other => other.into(),
        })?;
        state.refresh()?;
        Ok(Json(json!({"id": id.as_str(), "bed": null, "to": to.micros()})))
    })
    .await
}
