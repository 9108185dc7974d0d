//! The first link of an installation, and the links of the demonstration.
//!
//! INVARIANT: the first link exists only while nobody who could come in looks after people; as soon as somebody does, they are the way in.

use super::change::{link_to, training_of};
use super::{apart, kind_of, new_person, wards_of};
use crate::api::ApiError;
use crate::api::session::execute;
use crate::state::{AppState, CharterInForce, real_now};
use axum::Json;
use axum::extract::State;
use obhut_access::Action;
use obhut_charter::schema::Role;
use obhut_model::{PersonId, ServerTime};
use obhut_register::invitations::Opens;
use obhut_register::people::{Kind, Source};
use obhut_register::{By, Command, Private};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long the first link may be used.
const FIRST_LIFE: Duration = Duration::from_secs(3_600);
/// How long a link of the demonstration may be used.
const DEMO_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// What the first administrator is called until they say otherwise.
const FIRST_NAME: &str = "Administration";

/// The first link, for the console.
#[derive(Debug)]
pub struct FirstLink {
    /// Address with the token; works once.
    pub link: String,
    /// Until when.
    pub expires: ServerTime,
    /// The role it leads to.
    pub role: String,
}

fn manages(charter: &CharterInForce, id: &str) -> bool {
    charter
        .checked
        .role(id)
        .is_some_and(|role| role.permissions.iter().any(|permission| **permission == Action::PeopleManage))
}

/// A link with which an administrator registers the first passkey; `None` if somebody looks after people already, or the charter lets nobody.
///
/// # Errors
/// If the register cannot write.
pub async fn first_link(state: &Arc<AppState>) -> Result<Option<FirstLink>, ApiError> {
    let charter = state.charter.load_full();
    let now = real_now();
    let (somebody, waiting) = state.desk.register.read(|register| {
        let managers =
            || register.people().filter(|person| person.roles(now).any(|grant| manages(&charter, &grant.role)));
        let somebody = managers().any(|person| !person.credentials.is_empty() || person.oidc.is_some());
        (somebody, managers().map(|person| person.id).next())
    });
    if somebody {
        return Ok(None);
    }
    let managing = |role: &&Role| manages(&charter, role.id.as_str()) && kind_of(&charter, role) == "staff";
    let Some(role) = charter.checked.roles().iter().find(managing) else {
        tracing::error!(
            "no role of the charter for people of the hospital has the permission `people-manage`; nobody can be let in"
        );
        return Ok(None);
    };
    let person = match waiting {
        Some(person) => person,
        None => add(state, &charter, role.id.as_str(), FIRST_NAME).await?,
    };
    let (link, expires) = link_to(state, By::System, person, Opens::Passkey, FIRST_LIFE).await?;
    Ok(Some(FirstLink { link, expires, role: role.id.as_str().to_owned() }))
}

/// The same for the operator's socket.
pub(crate) async fn first(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    let first = first_link(&state).await?.ok_or_else(|| {
        ApiError::conflict(
            "not_first",
            "somebody looks after people already, or the charter has no role that may",
            "they invite others on the page; on this machine: `obhut people invite`, `obhut people link`",
        )
    })?;
    Ok(Json(json!({"link": first.link, "expires": first.expires.micros(), "role": first.role})))
}

/// Roles the demonstration shows: those of people, and not the patient's, who would need a patient.
pub fn roles_for_demo(charter: &CharterInForce) -> impl Iterator<Item = &Role> {
    charter.checked.roles().iter().filter(|role| matches!(kind_of(charter, role), "staff" | "external"))
}

/// A link that opens a session in this role at once; for the demonstration only, which says so with [`obhut_signin::SignIn::demonstrate`].
///
/// # Errors
/// If the charter has no such role, or the register cannot write.
pub async fn demo_link(state: &Arc<AppState>, role: &str, name: &str) -> Result<(PersonId, String), ApiError> {
    let charter = state.charter.load_full();
    let known = state.desk.register.read(|register| {
        let mut people = register.people();
        people
            .find(|person| person.name.as_str() == name && person.roles(real_now()).any(|g| *g.role == *role))
            .map(|p| p.id)
    });
    let person = match known {
        Some(person) => person,
        None => add(state, &charter, role, name).await?,
    };
    let (link, _) = link_to(state, By::System, person, Opens::Session, DEMO_LIFE).await?;
    Ok((person, link))
}

/// Makes somebody known with one role, trained for it.
async fn add(state: &Arc<AppState>, charter: &CharterInForce, id: &str, name: &str) -> Result<PersonId, ApiError> {
    let role = super::role(charter, id)?;
    let kind = match (kind_of(charter, role), &role.recipient) {
        ("external", Some(recipient)) => Kind::External(Arc::from(recipient.as_str())),
        _ => Kind::Staff,
    };
    let person = new_person().ok_or_else(|| ApiError::internal("the random source of this machine failed"))?;
    let now = real_now();
    let mut commands = vec![Command::AddPerson { person, kind: kind.clone(), name: Private::from(name) }];
    if matches!(kind, Kind::External(_)) {
        commands.push(Command::Pledge { person, until: now.plus_micros(super::DAY_MICROS * 30) });
    }
    commands.push(Command::Grant {
        person,
        role: Arc::from(id),
        wards: wards_of(charter, id),
        until: None,
        source: Source::Hand,
        apart: apart(charter),
    });
    commands.extend(training_of(charter, person, id, now.micros())?);
    for command in commands {
        execute(state, By::System, command).await?.map_err(|refusal| ApiError::internal(refusal.to_string()))?;
    }
    Ok(person)
}
