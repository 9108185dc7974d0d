//! Tickets: leave for a technician of another firm to look after one device, and what they see of it.
//!
//! INVARIANT: nothing here names a patient or a bed. Without a ticket and a pledge of secrecy (§ 203(4) StGB) in force there is nothing to see.

use super::session::execute;
use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use obhut_access::{Action, Device, Resource};
use obhut_model::{CaseId, DeviceId, DeviceTime, PersonId, ServerTime};
use obhut_register::outside::{Command, Ticket, TicketOpened};
use obhut_store::{DeviceRecord, DeviceState};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    let manage = || Needs::Permit(Action::TicketManage);
    vec![
        route(Method::GET, "/tickets", manage(), get(list)),
        route(Method::POST, "/tickets", manage(), post(open)),
        route(Method::POST, "/tickets/{case}/close", manage(), post(close)),
        route(Method::GET, "/service", Needs::Session, get(service)),
    ]
}

/// Every ticket, running ones first; with the people one may be made out to.
async fn list(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::TicketManage, Resource::Register)).await?;
    let now = real_now();
    let (rows, people) = state.desk.register.read(|register| {
        let mut tickets: Vec<&Ticket> = register.tickets().collect();
        tickets.sort_by_key(|ticket| (!ticket.runs(now), std::cmp::Reverse(ticket.opened)));
        let name = |id| register.person(id).map(|person| person.name.as_str().to_owned());
        let rows: Vec<Value> = tickets
            .into_iter()
            .map(|t| {
                json!({"case": t.case, "person": {"id": t.person, "name": name(t.person)}, "device": t.device, "reason": t.reason,
                       "opened": t.opened, "until": t.until, "closed": t.closed.or_else(|| (now >= t.until).then_some(t.until)), "running": t.runs(now)})
            })
            .collect();
        let external = register.people().filter(|p| p.disabled.is_none());
        let people: Vec<Value> = external
            .filter_map(|p| match &p.kind {
                obhut_register::people::Kind::External(firm) => {
                    Some(json!({"id": p.id, "name": p.name, "recipient": firm, "pledged": register.pledged(p.id, now)}))
                }
                _ => None,
            })
            .collect();
        (rows, people)
    });
    Ok(Json(json!({"tickets": rows, "people": people})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    person: PersonId,
    device: DeviceId,
    reason: String,
    until: ServerTime,
}

async fn open(
    State(state): State<Arc<AppState>>,
    who: Who,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let Wanted { person, device, reason, until } = wanted;
    let case = state.desk.new_case();
    let _ = state.desk.permit(&who, Ask::new(Action::TicketManage, Resource::Register).case(case)).await?;
    device_of(&state, device.clone()).await?;
    let opened = TicketOpened { case, person, device, reason: reason.trim().into(), until };
    execute(&state, who.by(), Command::OpenTicket(opened)).await??;
    Ok(Json(json!({"case": case})))
}

async fn close(State(state): State<Arc<AppState>>, who: Who, Path(case): Path<CaseId>) -> Result<StatusCode, ApiError> {
    let _ = state.desk.leave(&who, Ask::new(Action::TicketManage, Resource::Register).case(case)).await?;
    execute(&state, who.by(), Command::CloseTicket { case }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The device and whether it is at a patient.
async fn device_of(state: &Arc<AppState>, id: DeviceId) -> Result<(DeviceRecord, bool), ApiError> {
    let work = state.clone();
    blocking(move || {
        let device = work.records.device(&id)?.ok_or_else(|| {
            ApiError::unknown("device", "there is no such device", "look at the devices and choose again")
        })?;
        let now = DeviceTime::from_micros(work.clock.now().micros());
        let (places, stays) = work.records.bindings()?;
        let open = |from: DeviceTime, to: Option<DeviceTime>| from <= now && to.is_none_or(|to| now < to);
        let bed = places.iter().find(|place| place.device == id && open(place.from, place.to)).map(|place| &place.bed);
        let bound = bed.is_some_and(|bed| stays.iter().any(|stay| stay.bed == *bed && open(stay.from, stay.to)));
        Ok((device, bound))
    })
    .await
}

/// What the asker's tickets open: devices as devices, one decision and one entry for each.
async fn service(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let person = who.person().ok_or_else(ApiError::refused)?;
    let now = real_now();
    let tickets: Vec<Ticket> = state.desk.register.read(|register| register.tickets_of(person, now).cloned().collect());
    let mut rows = Vec::new();
    for ticket in tickets {
        let (device, bound) = device_of(&state, ticket.device.clone()).await?;
        let resource = Resource::Device(Device { id: device.id.clone(), model: device.model.clone(), bound });
        match state.desk.permit(&who, Ask::new(Action::DeviceView, resource).case(ticket.case)).await {
            Ok(_) => {}
            Err(error) if error.status() == StatusCode::FORBIDDEN => continue,
            Err(error) => return Err(error),
        }
        rows.push(json!({
            "case": ticket.case, "reason": ticket.reason, "until": ticket.until,
            "device": {"id": device.id, "model": device.model, "serial": device.serial, "in_use": bound, "online": state.is_connected(&device.id),
                "state": match device.state { DeviceState::Invited => "invited", DeviceState::Enrolled => "enrolled", DeviceState::Revoked => "revoked" },
                "certificate_ends": device.certificate_ends.map(|at| at.micros())},
        }));
    }
    let pledged = state.desk.register.read(|register| register.pledged(person, now));
    Ok(Json(json!({"tickets": rows, "pledged": pledged})))
}
