//! Links and passkeys: from a one-time link to a registered passkey, from a passkey to a session, and unlocking and switching with one.
//!
//! INVARIANT: a link is used up in the same step of the register that adds the passkey, or before the session it opens begins. The new counter of a
//! passkey is kept before its session begins, unless the register cannot write: then people still come in, and that is logged.

use super::{Here, body, come_in, entry, execute, may_enter, turned_away, with_cookie};
use crate::api::ApiError;
use crate::state::{AppState, real_now};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use obhut_access::Action;
use obhut_ledger::{EventKind, Outcome};
use obhut_model::{PersonId, ServerTime};
use obhut_register::invitations::{Invitation, Opens};
use obhut_register::people::Person;
use obhut_register::{By, Command, Digest, Private, Refusal};
use obhut_signin::{Assurance, Cookie, Known, Life, TokenHash, Why};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    token: String,
}

/// Looks at a link: a wall display's or the demonstration's opens a session at once, an invitation leads to the registration of a passkey.
pub(super) async fn link(State(state): State<Arc<AppState>>, here: Here, bytes: Bytes) -> Result<Response, ApiError> {
    let Link { token } = body(&bytes)?;
    let hash = TokenHash::of(&token);
    let now = real_now();
    let (invitation, person) = good(&state, &here, hash, now)?;
    if invitation.opens == Opens::Session {
        let life = life_of(&state, &person, now)
            .ok_or_else(|| turned_away(&state, &here, Some(person.id), "link", "link_not_for_this"))?;
        let used =
            execute(&state, By::Person(person.id), Command::UseInvitation { token: Digest(*hash.as_bytes()) }).await?;
        used.map_err(|refusal| not_good(&state, &here, Some(person.id), &refusal))?;
        let cookie = come_in(&state, &here, person.id, Assurance::Link, life)?;
        return Ok(with_cookie(&cookie, Json(json!({"next": "session"})).into_response()));
    }
    let taken: Vec<Vec<u8>> = person.credentials.iter().map(|credential| credential.id.0.clone()).collect();
    // What the authenticator shows its owner. A patient has no name here, and needs none to find the passkey.
    let name = if person.name.is_blank() { "Obhut" } else { person.name.as_str() };
    let options = state
        .signin
        .passkeys
        .begin_registration(hash, person.id, name, &taken, now)
        .map_err(|error| turned_away(&state, &here, Some(person.id), "link", error.word()))?;
    Ok(Json(json!({"next": "register", "options": options, "name": person.name.as_str()})).into_response())
}

fn good(state: &AppState, here: &Here, hash: TokenHash, now: ServerTime) -> Result<(Invitation, Person), ApiError> {
    let found = state.desk.register.read(|register| {
        let invitation = register.invitation_by_token(Digest(*hash.as_bytes()))?;
        Some((invitation.clone(), register.person(invitation.person)?.clone()))
    });
    let (invitation, person) = found.ok_or_else(|| not_good(state, here, None, &Refusal::NoSuchInvitation))?;
    if !invitation.good(now) {
        use obhut_register::invitations::Fate;
        let refusal = match invitation.fate {
            Fate::Used(_) => Refusal::InvitationUsed,
            Fate::Revoked(_) => Refusal::InvitationRevoked,
            Fate::Open => Refusal::InvitationExpired,
        };
        return Err(not_good(state, here, Some(person.id), &refusal));
    }
    may_enter(state, &person, now).map_err(|word| turned_away(state, here, Some(person.id), "link", word))?;
    Ok((invitation, person))
}

fn not_good(state: &AppState, here: &Here, person: Option<PersonId>, refusal: &Refusal) -> ApiError {
    if *refusal == Refusal::Unavailable {
        return register_unavailable();
    }
    state.desk.tell(entry(state, here, EventKind::SignIn, person, "sign-in", Outcome::Denied(refusal.code().into())));
    ApiError::new(StatusCode::FORBIDDEN, refusal.code(), refusal.to_string(), "ask for a new link")
}

fn register_unavailable() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "register_unavailable",
        "the register cannot write at the moment; nothing was changed",
        "try again; who has a passkey already can sign in with it",
    )
}

/// How a session that a link opens lives; `None` if this link must not open one. Only the live ward, or the demonstration: a link alone proves too little.
fn life_of(state: &AppState, person: &Person, now: ServerTime) -> Option<Life> {
    let charter = state.charter.load();
    let mut grants = person.roles(now).peekable();
    grants.peek()?;
    let mut until = ServerTime::from_micros(i64::MAX);
    let mut only_looks = true;
    for grant in grants {
        until = until.min(grant.until.unwrap_or(until));
        only_looks &= charter
            .checked
            .role(&grant.role)
            .is_some_and(|role| role.permissions.iter().all(|p| **p == Action::LiveView));
    }
    match (only_looks, state.signin.demonstrates()) {
        (true, _) => Some(Life::Display { until }),
        (false, true) => Some(Life::Person),
        (false, false) => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    token: String,
    credential: Value,
    label: Option<String>,
}

/// Registers the passkey a link allows, and lets its owner in: making it needed PIN, finger or face already.
pub(super) async fn register(
    State(state): State<Arc<AppState>>,
    here: Here,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let Register { token, credential, label } = body(&bytes)?;
    let hash = TokenHash::of(&token);
    let now = real_now();
    let (_, person) = good(&state, &here, hash, now)?;
    let taken = |id: &[u8]| state.desk.register.read(|register| register.credential(id).is_some());
    let made = state
        .signin
        .passkeys
        .finish_registration(hash, credential, now, taken)
        .map_err(|error| turned_away(&state, &here, Some(person.id), "link", error.word()))?;
    if made.person != person.id {
        return Err(turned_away(&state, &here, Some(person.id), "link", "no_ceremony"));
    }
    let command = Command::UseInvitationWithCredential {
        token: Digest(*hash.as_bytes()),
        id: obhut_register::Bytes(made.id),
        passkey: obhut_register::Bytes(made.key),
        label: Private::from(label.unwrap_or_default()),
    };
    execute(&state, By::Person(person.id), command)
        .await?
        .map_err(|refusal| not_good(&state, &here, Some(person.id), &refusal))?;
    state.desk.tell(entry(&state, &here, EventKind::People, Some(person.id), "register-passkey", Outcome::Success));
    let cookie = come_in(&state, &here, person.id, Assurance::Passkey, Life::Person)?;
    Ok(with_cookie(&cookie, Json(json!({"next": "session"})).into_response()))
}

pub(super) async fn begin(State(state): State<Arc<AppState>>, here: Here) -> Result<Json<Value>, ApiError> {
    let begun = state
        .signin
        .passkeys
        .begin(real_now())
        .map_err(|error| turned_away(&state, &here, None, "passkey", error.word()))?;
    Ok(Json(json!({"ceremony": begun.ceremony, "options": begun.options})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    ceremony: String,
    credential: Value,
}

/// Who answered a ceremony, and that they may come in.
async fn prove(state: &Arc<AppState>, here: &Here, finish: Finish) -> Result<PersonId, ApiError> {
    let now = real_now();
    let mut owner = None;
    let find = |id: &[u8]| {
        state.desk.register.read(|register| {
            let (person, credential) = register.credential(id)?;
            owner = Some(person.id);
            Some(Known { person: person.id, key: credential.passkey.0.clone() })
        })
    };
    let proved = state.signin.passkeys.finish(&finish.ceremony, finish.credential, now, find);
    let proved = proved.map_err(|error| turned_away(state, here, owner, "passkey", error.word()))?;
    let person = state.desk.register.read(|register| register.person(proved.person).cloned());
    let person = person.ok_or_else(|| turned_away(state, here, None, "passkey", "unknown_passkey"))?;
    may_enter(state, &person, now).map_err(|word| turned_away(state, here, Some(person.id), "passkey", word))?;
    if let Some(key) = proved.key {
        let command = Command::UseCredential {
            id: obhut_register::Bytes(proved.credential),
            passkey: obhut_register::Bytes(key),
        };
        match execute(state, By::Person(person.id), command).await? {
            Ok(_) => {}
            // A full disk must not keep a physician from the emergency access; a copy of the key would be noticed one sign-in later.
            Err(Refusal::Unavailable) => tracing::error!("the register cannot write; a passkey's counter was not kept"),
            Err(refusal) => return Err(not_good(state, here, Some(person.id), &refusal)),
        }
    }
    Ok(person.id)
}

pub(super) async fn finish(State(state): State<Arc<AppState>>, here: Here, bytes: Bytes) -> Result<Response, ApiError> {
    let person = prove(&state, &here, body(&bytes)?).await?;
    let cookie = come_in(&state, &here, person, Assurance::Passkey, Life::Person)?;
    Ok(with_cookie(&cookie, StatusCode::NO_CONTENT.into_response()))
}

/// Unlocks the screen for the person who locked it, and for nobody else.
pub(super) async fn unlock(State(state): State<Arc<AppState>>, here: Here, bytes: Bytes) -> Result<Response, ApiError> {
    let signed = here.signed()?;
    let person = prove(&state, &here, body(&bytes)?).await?;
    if person != signed.person {
        return Err(turned_away(&state, &here, Some(person), "passkey", "other_person"));
    }
    let (_, cookie) =
        state.signin.sessions.unlock(signed.session, person, real_now()).ok_or_else(ApiError::signed_out)?;
    state.desk.tell(entry(&state, &here, EventKind::SignIn, Some(person), "unlock", Outcome::Success));
    Ok(with_cookie(&cookie.header(), StatusCode::NO_CONTENT.into_response()))
}

/// The next person at the same workstation. With a passkey's answer they are in at once; without one, the session ends and the sign-in page comes.
pub(super) async fn switch(State(state): State<Arc<AppState>>, here: Here, bytes: Bytes) -> Result<Response, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Switch {
        ceremony: Option<String>,
        credential: Option<Value>,
    }
    let switch: Switch = if bytes.is_empty() { Switch { ceremony: None, credential: None } } else { body(&bytes)? };
    if let (Some(ceremony), Some(credential)) = (switch.ceremony, switch.credential) {
        let person = prove(&state, &here, Finish { ceremony, credential }).await?;
        let cookie = come_in(&state, &here, person, Assurance::Passkey, Life::Person)?;
        return Ok(with_cookie(&cookie, StatusCode::NO_CONTENT.into_response()));
    }
    let signed = here.signed()?;
    super::end(&state, &here, signed.session, Why::Switched);
    Ok(with_cookie(&Cookie::forget(), StatusCode::NO_CONTENT.into_response()))
}
