//! People, their roles, trainings and one-time links, for whoever looks after them.
//!
//! For: `GET /people` and the changes to a person. Not for: signing in (`session`), nor for what a role may do (the charter says).
//!
//! INVARIANT: every change is asked for at the desk first, and recorded. Two roles the charter keeps apart are not given to one person. A link is
//! shown once, to whoever made it; the register keeps its hash.

mod change;
mod first;

pub(crate) use first::first;
pub use first::{FirstLink, demo_link, first_link, roles_for_demo};

use super::session::{recipient_in_force, word};
use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::state::{AppState, CharterInForce, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{get, post};
use obhut_access::{Action, PersonKind, Resource, RoleGrant};
use obhut_charter::schema::{Relation, Role};
use obhut_model::{PersonId, ServerTime, WardId};
use obhut_register::people::{Grant, Kind, Person, Source};
use obhut_signin::OneTimeToken;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a link may be used unless whoever makes it says otherwise.
pub(super) const LINK_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How long at most: a letter to a patient takes some days.
pub(super) const LINK_LIFE_MAX: Duration = Duration::from_secs(14 * 24 * 3_600);
/// A day, in microseconds.
const DAY_MICROS: i64 = 86_400_000_000;

pub(super) fn routes() -> Vec<Route> {
    let needs = || Needs::Permit(Action::PeopleManage);
    vec![
        route(Method::GET, "/people", needs(), get(people)),
        route(Method::POST, "/people", needs(), post(change::invite)),
        route(Method::POST, "/people/{id}/rename", needs(), post(change::rename)),
        route(Method::POST, "/people/{id}/grant", needs(), post(change::grant)),
        route(Method::POST, "/people/{id}/ungrant", needs(), post(change::ungrant)),
        route(Method::POST, "/people/{id}/train", needs(), post(change::train)),
        route(Method::POST, "/people/{id}/pledge", needs(), post(change::pledge)),
        route(Method::POST, "/people/{id}/disable", needs(), post(change::disable)),
        route(Method::POST, "/people/{id}/enable", needs(), post(change::enable)),
        route(Method::POST, "/people/{id}/link", needs(), post(change::link)),
        route(Method::POST, "/people/{id}/sign-out", needs(), post(change::sign_out)),
        route(
            Method::POST,
            "/patients/{subject}/link",
            Needs::Permit(Action::ConsentManage),
            post(change::invite_patient),
        ),
    ]
}

/// A name for somebody new; `None` if the random source failed.
pub(super) fn new_person() -> Option<PersonId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(PersonId::from_random(bytes))
}

/// A role of the charter that is in force.
pub(super) fn role<'a>(charter: &'a CharterInForce, id: &str) -> Result<&'a Role, ApiError> {
    charter.checked.role(id).ok_or_else(|| {
        ApiError::bad("role", format!("the charter knows no role `{}`", plain(id)), "choose one of its roles")
    })
}

/// What somebody sent as an identifier, as far as it may be repeated.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

/// Where a role is held if nobody says where: the charter's ward for a role that reaches patients, nowhere for another.
pub(super) fn wards_of(charter: &CharterInForce, id: &str) -> Vec<WardId> {
    match charter.checked.role(id).map(|role| *role.relation) {
        Some(Relation::Ward | Relation::Case) => vec![(*charter.checked.ward().id).clone()],
        _ => Vec::new(),
    }
}

/// Pairs of roles the charter names as kept apart.
pub(super) fn apart(charter: &CharterInForce) -> Vec<(Arc<str>, Arc<str>)> {
    let pairs = charter.checked.access().apart.iter();
    pairs.map(|pair| (Arc::from(pair.one.as_str()), Arc::from(pair.other.as_str()))).collect()
}

/// Which sort of person a role is for.
pub(super) fn kind_of(charter: &CharterInForce, role: &Role) -> &'static str {
    if charter.checked.access().console.as_ref().is_some_and(|console| console.as_str() == role.id.as_str()) {
        "console"
    } else if role.recipient.is_some() {
        "external"
    } else if *role.relation == Relation::Own {
        "patient"
    } else {
        "staff"
    }
}

/// A token and the address it stands in. The token is in the fragment, which browsers do not send.
pub(super) fn new_link(state: &AppState) -> Result<(OneTimeToken, String), ApiError> {
    let token = OneTimeToken::draw().map_err(|_| ApiError::internal("the random source of this machine failed"))?;
    let link = format!("{}/#enter={}", state.address(), token.reveal());
    Ok((token, link))
}

/// Everybody but patients, whose names are not here and whom those who treat them invite.
async fn people(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::PeopleManage, Resource::People).about(&["people"])).await?;
    let now = real_now();
    let charter = state.charter.load_full();
    let mut rows: Vec<(String, Value)> = state.desk.register.read(|register| {
        register
            .people()
            .filter(|person| person.subject().is_none())
            .map(|person| {
                let invited =
                    register.invitations_of(person.id).find(|invitation| invitation.good(now)).map(|open| open.expires);
                (person.name.as_str().to_lowercase(), row(&state, &charter, person, invited, now))
            })
            .collect()
    });
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let people: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    let roles: Vec<Value> = charter
        .checked
        .roles()
        .iter()
        .filter(|role| !matches!(kind_of(&charter, role), "console" | "patient"))
        .map(|role| {
            let others = charter.checked.roles().iter().filter(|other| other.id.as_str() != role.id.as_str());
            let apart: Vec<&str> =
                others.map(|other| other.id.as_str()).filter(|other| charter.access.toxic(&[role.id.as_str(), other]).is_some()).collect();
            json!({"id": role.id.as_str(), "text": {"de": role.text.de, "en": role.text.en}, "kind": kind_of(&charter, role),
                   "recipient": role.recipient.as_ref().map(|id| id.as_str().to_owned()),
                   "wards": matches!(*role.relation, Relation::Ward | Relation::Case),
                   "training": role.training.as_ref().map(|training| json!({"text": {"de": training.text.de, "en": training.text.en}, "months": training.months})),
                   "apart": apart})
        })
        .collect();
    let recipients: Vec<Value> = charter
        .checked
        .recipients()
        .iter()
        .map(|recipient| json!({"id": recipient.id.as_str(), "name": *recipient.name, "in_force": recipient_in_force(&state, recipient.id.as_str(), now)}))
        .collect();
    let (ward, ward_name) = charter.ward.clone();
    Ok(Json(
        json!({"people": people, "roles": roles, "recipients": recipients, "wards": [{"id": ward, "name": ward_name}],
                   "oidc": state.signin.oidc.as_ref().map(obhut_signin::Oidc::name)}),
    ))
}

fn row(
    state: &AppState,
    charter: &CharterInForce,
    person: &Person,
    invited: Option<ServerTime>,
    now: ServerTime,
) -> Value {
    let roles: Vec<Value> = person
        .grants
        .iter()
        .filter(|grant| grant.runs(now))
        .map(|grant| {
            json!({"role": grant.role, "wards": grant.wards, "source": source(grant.source), "from": grant.from.micros(),
                   "until": grant.until.map(ServerTime::micros), "asleep": asleep(state, charter, person, grant, now)})
        })
        .collect();
    let trainings: Vec<Value> = person
        .trainings
        .iter()
        .map(|(training, had)| json!({"training": training, "on": had.on.micros(), "until": had.until.micros()}))
        .collect();
    let recipient = match &person.kind {
        Kind::External(recipient) => Some(recipient.clone()),
        Kind::Staff | Kind::Patient(_) => None,
    };
    let passkeys: Vec<Value> = person
        .credentials
        .iter()
        .map(|credential| json!({"label": credential.label.as_str(), "added": credential.added.micros(), "used": credential.used.map(ServerTime::micros)}))
        .collect();
    json!({"id": person.id, "name": person.name.as_str(), "kind": word(&person.kind), "recipient": recipient, "roles": roles, "trainings": trainings,
           "pledged": person.pledged.map(ServerTime::micros), "disabled": person.disabled.map(ServerTime::micros), "passkeys": passkeys,
           "provider": person.oidc.is_some(), "invited": invited.map(ServerTime::micros),
           "sessions": state.signin.sessions.list(Some(person.id)).len()})
}

const fn source(source: Source) -> &'static str {
    match source {
        Source::Hand => "hand",
        Source::Provider => "provider",
    }
}

/// Why a role rests, in a word; `None` if it counts.
pub(super) fn asleep(
    state: &AppState,
    charter: &CharterInForce,
    person: &Person,
    grant: &Grant,
    now: ServerTime,
) -> Option<&'static str> {
    let Some(role) = charter.checked.role(&grant.role) else { return Some("not_in_charter") };
    let kind = match &person.kind {
        Kind::Staff => PersonKind::Staff,
        Kind::External(_) => PersonKind::External,
        Kind::Patient(subject) => PersonKind::Patient(*subject),
    };
    let trained_until = person.trainings.get(&grant.role).map(|training| training.until);
    let grants =
        vec![RoleGrant { role: grant.role.clone(), wards: grant.wards.clone(), until: grant.until, trained_until }];
    let seen = obhut_access::Person { id: person.id, kind, grants, assurance: obhut_access::Assurance::Passkey };
    let counts = seen.grants.iter().any(|grant| charter.access.is_awake(&seen, grant, now));
    if person.disabled.is_some() {
        Some("disabled")
    } else if let Kind::External(recipient) = &person.kind
        && !recipient_in_force(state, recipient, now)
    {
        Some("recipient")
    } else if matches!(person.kind, Kind::External(_)) && person.pledged.is_none_or(|until| until <= now) {
        Some("pledge")
    } else if role.training.is_some() && trained_until.is_none_or(|until| until <= now) {
        Some("training")
    } else {
        (!counts).then_some("charter")
    }
}
