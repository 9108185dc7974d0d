//! Sign-in at the hospital's provider: there and back, and what its groups mean for the roles in the register.
//!
//! INVARIANT: a role that came from a group goes with the group, at the next sign-in, and by itself after the configured time without one. Roles
//! granted by hand are not touched. Roles the charter keeps apart are not given together, whatever the groups say.

use super::{Here, come_in, entry, execute, may_enter, turned_away, with_cookie};
use crate::api::ApiError;
use crate::state::{AppState, real_now};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use obhut_ledger::{EventKind, Outcome, ResourceRef};
use obhut_model::{PersonId, ServerTime};
use obhut_register::people::{Kind, Oidc as Account, Source};
use obhut_register::{By, Command, Private, Refusal};
use obhut_signin::{Answer, Assurance, Identity, Life};
use std::sync::Arc;

/// Ties the provider's answer to the browser. `Lax`, because the way back is a link from the provider's page, with which a browser sends nothing stricter.
const FLOW: &str = "__Host-obhut-flow";

fn redirect(state: &AppState) -> String {
    format!("{}/api/v1/session/oidc/callback", state.address())
}

fn to(place: &str) -> Response {
    let location = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Back to the sign-in page, with the word for what happened in the fragment, which no server logs.
fn back(error: &ApiError) -> Response {
    with_cookie(&flow_cookie("", 0), to(&format!("/#sign-in={}", error.code())))
}

fn flow_cookie(value: &str, seconds: u64) -> String {
    format!("{FLOW}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

/// Sends the browser to the provider. Begun on a locked screen, the provider must ask the person anew.
pub(super) async fn start(State(state): State<Arc<AppState>>, here: Here) -> Response {
    let Some(oidc) = &state.signin.oidc else {
        return ApiError::unknown("no_provider", "no provider is configured", "use your passkey").into_response();
    };
    let unlocks = here.signed.filter(|signed| signed.locked).map(|signed| signed.session);
    match oidc.begin(&redirect(&state), unlocks, real_now()).await {
        Ok(started) => {
            let seconds = obhut_signin::limits::FLOW_LIFE.as_secs();
            with_cookie(&flow_cookie(&started.flow, seconds), to(&started.url))
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "sign-in at the provider could not begin");
            back(&turned_away(&state, &here, None, "oidc", error.word()))
        }
    }
}

/// Takes the provider's answer.
pub(super) async fn callback(
    State(state): State<Arc<AppState>>,
    here: Here,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    match take(&state, &here, &headers, answer).await {
        Ok(cookie) => with_cookie(&flow_cookie("", 0), with_cookie(&cookie, to("/"))),
        Err(error) => back(&error),
    }
}

async fn take(state: &Arc<AppState>, here: &Here, headers: &HeaderMap, answer: Answer) -> Result<String, ApiError> {
    let oidc = state.signin.oidc.as_ref().ok_or_else(|| turned_away(state, here, None, "oidc", "no_flow"))?;
    let flow = flow_of(headers).unwrap_or_default();
    let identity = oidc.finish(flow, answer, real_now()).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "sign-in at the provider failed");
        turned_away(state, here, None, "oidc", error.word())
    })?;
    let person = known_or_new(state, here, &identity).await?;
    let now = real_now();
    let record = state.desk.register.read(|register| register.person(person).cloned());
    let record = record.ok_or_else(|| turned_away(state, here, None, "oidc", "no_role"))?;
    may_enter(state, &record, now).map_err(|word| turned_away(state, here, Some(person), "oidc", word))?;
    follow_groups(state, here, person, &identity, now).await;
    if let Some(locked) = identity.unlocks {
        if let Some((_, cookie)) = state.signin.sessions.unlock(locked, person, now) {
            state.desk.tell(entry(state, here, EventKind::SignIn, Some(person), "unlock", Outcome::Success));
            return Ok(cookie.header());
        }
        // Somebody else came: the locked session ends, as with any switch of users.
        super::end(state, here, locked, obhut_signin::Why::Switched);
    }
    come_in(state, here, person, Assurance::Oidc, Life::Person)
}

fn flow_of(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == FLOW).then_some(value))
}

/// Who the provider means. Somebody it sends for the first time becomes known if a group of theirs has a role here; others stay unknown.
async fn known_or_new(state: &Arc<AppState>, here: &Here, identity: &Identity) -> Result<PersonId, ApiError> {
    let known = state
        .desk
        .register
        .read(|register| register.person_at_provider(&identity.issuer, &identity.subject).map(|person| person.id));
    if let Some(person) = known {
        return Ok(person);
    }
    if identity.roles.is_empty() {
        return Err(turned_away(state, here, None, "oidc", "no_role"));
    }
    let person = super::super::people::new_person()
        .ok_or_else(|| ApiError::internal("the random source of this machine failed"))?;
    let name = identity.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| identity.subject.clone());
    let name: String = name.chars().take(obhut_register::people::NAME_CHARACTERS_MAX).collect();
    let account = Account { issuer: identity.issuer.clone(), subject: Private::from(identity.subject.clone()) };
    for command in [
        Command::AddPerson { person, kind: Kind::Staff, name: Private::from(name) },
        Command::LinkOidc { person, oidc: account },
    ] {
        if let Err(refusal) = execute(state, By::System, command).await? {
            // Signed in twice at the same moment: the first of the two has it.
            let first = state.desk.register.read(|register| {
                register.person_at_provider(&identity.issuer, &identity.subject).map(|person| person.id)
            });
            return first.ok_or_else(|| {
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    refusal.code(),
                    refusal.to_string(),
                    "try again, or use your passkey",
                )
            });
        }
    }
    state.desk.tell(change(state, here, person, "add-person", Outcome::Success));
    Ok(person)
}

fn change(state: &AppState, here: &Here, person: PersonId, action: &str, outcome: Outcome) -> obhut_ledger::Event {
    let mut event = entry(state, here, EventKind::People, None, action, outcome);
    event.resource = ResourceRef::new("person", Some(&person.to_string()));
    event
}

/// Makes the roles that come from the provider those its groups mean now.
async fn follow_groups(state: &Arc<AppState>, here: &Here, person: PersonId, identity: &Identity, now: ServerTime) {
    let Some(oidc) = &state.signin.oidc else { return };
    let keep = i64::try_from(oidc.keep().as_micros()).unwrap_or(i64::MAX);
    let charter = state.charter.load_full();
    let running = state.desk.register.read(|register| {
        register.person(person).map(|person| {
            person.roles(now).map(|grant| (grant.role.clone(), grant.source, grant.until)).collect::<Vec<_>>()
        })
    });
    let running = running.unwrap_or_default();
    for (role, _, _) in running
        .iter()
        .filter(|(role, source, _)| *source == Source::Provider && !identity.roles.iter().any(|r| **r == **role))
    {
        let command = Command::Ungrant { person, role: role.clone() };
        note(state, here, person, "ungrant", execute(state, By::System, command).await);
    }
    let mut held: Vec<String> = running
        .iter()
        .filter(|(role, source, _)| *source == Source::Hand || identity.roles.iter().any(|r| **r == **role))
        .map(|(role, _, _)| role.to_string())
        .collect();
    for role in identity.roles.iter().filter(|role| charter.checked.role(role).is_some()) {
        let mine = running.iter().find(|(held, _, _)| **held == **role);
        // By hand, or from the provider and good for a while yet.
        let enough = mine.is_some_and(|(_, source, until)| {
            *source == Source::Hand || until.is_none_or(|until| until.since(now) > keep / 2)
        });
        if enough {
            continue;
        }
        if !held.contains(role) {
            held.push(role.clone());
        }
        let names: Vec<&str> = held.iter().map(String::as_str).collect();
        if charter.access.toxic(&names).is_some() {
            held.retain(|held| held != role);
            tracing::warn!(
                role,
                "a group of the provider means a role the charter keeps apart from another one; it was not given"
            );
            state.desk.tell(change(state, here, person, "grant", Outcome::Denied("roles_apart".into())));
            continue;
        }
        let command = Command::Grant {
            person,
            role: Arc::from(role.as_str()),
            wards: super::super::people::wards_of(&charter, role),
            until: Some(now.plus_micros(keep)),
            source: Source::Provider,
            apart: super::super::people::apart(&charter),
        };
        note(state, here, person, "grant", execute(state, By::System, command).await);
    }
}

fn note(
    state: &AppState,
    here: &Here,
    person: PersonId,
    action: &str,
    done: Result<Result<obhut_register::Done, Refusal>, ApiError>,
) {
    let outcome = match done {
        Ok(Ok(_)) => Outcome::Success,
        Ok(Err(refusal)) => Outcome::Failed(refusal.code().into()),
        Err(_) => Outcome::Failed("internal".into()),
    };
    state.desk.tell(change(state, here, person, action, outcome));
}
