//! Changes to people: inviting, granting, training, disabling, new links, signing out.

use super::{DAY_MICROS, LINK_LIFE, LINK_LIFE_MAX, apart, kind_of, new_link, new_person, role, wards_of};
use crate::api::ApiError;
use crate::api::session::{body, execute, recipient_in_force};
use crate::desk::Ask;
use crate::state::{AppState, CharterInForce, real_now};
use crate::who::{Who, session_ended};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use obhut_access::{Action, Resource};
use obhut_ledger::{Event, EventKind, ResourceRef};
use obhut_model::{PersonId, ServerTime, Subject, WardId};
use obhut_register::invitations::Opens;
use obhut_register::people::{Kind, Person, Source};
use obhut_register::{By, Command, Digest, Private, Refusal};
use obhut_signin::Why;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

async fn tell(state: &Arc<AppState>, by: By, command: Command) -> Result<(), ApiError> {
    Ok(execute(state, by, command).await?.map(drop)?)
}

/// Asks the desk to change one person; the permit's entry names the person and what is done.
async fn may(state: &AppState, who: &Who, person: PersonId, what: &str) -> Result<(), ApiError> {
    let ask = Ask::new(Action::PeopleManage, Resource::Person(person)).about(&["people"]).note(what);
    state.desk.permit(who, ask).await.map(drop)
}

/// The same for what takes something away from them: that does not wait for the ledger.
async fn may_take(state: &AppState, who: &Who, person: PersonId, what: &str) -> Result<(), ApiError> {
    let ask = Ask::new(Action::PeopleManage, Resource::Person(person)).about(&["people"]).note(what);
    state.desk.leave(who, ask).await.map(drop)
}

/// Writes what was done beside the permission for it.
fn done(state: &AppState, who: &Who, person: PersonId, what: &str) {
    let mut event = Event::new(state.desk.new_request(), real_now(), EventKind::People, who.actor(), what);
    event.resource = ResourceRef::new("person", Some(&person.to_string()));
    event.origin = who.origin.clone();
    state.desk.tell(event);
}

fn known(state: &AppState, person: PersonId) -> Result<Person, ApiError> {
    let found = state.desk.register.read(|register| register.person(person).cloned());
    found.ok_or_else(|| Refusal::NoSuchPerson.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    role: String,
    wards: Option<Vec<WardId>>,
    until: Option<i64>,
}

/// Nobody gets roles the charter keeps apart, nor one for another sort of person.
fn check_roles(charter: &CharterInForce, kind: &Kind, roles: &[&str]) -> Result<(), ApiError> {
    for id in roles {
        let role = role(charter, id)?;
        let (wanted, recipient) = match kind {
            Kind::Staff => ("staff", None),
            Kind::External(recipient) => ("external", Some(&**recipient)),
            Kind::Patient(_) => ("patient", None),
        };
        if kind_of(charter, role) != wanted || role.recipient.as_ref().map(|id| id.as_str()) != recipient {
            return Err(ApiError::conflict(
                "role_kind",
                "this role is for another sort of people",
                "people of other firms get roles that name their firm, and only those",
            ));
        }
    }
    match charter.access.toxic(roles) {
        Some((role, other)) => Err(Refusal::RolesApart { role, other }.into()),
        None => Ok(()),
    }
}

fn grant_of(charter: &CharterInForce, person: PersonId, wanted: &Wanted) -> Result<Command, ApiError> {
    let wards = match &wanted.wards {
        Some(wards) if !wards.is_empty() => {
            if wards.iter().any(|ward| *ward != *charter.checked.ward().id) {
                return Err(ApiError::bad("ward", "the charter knows no such ward", "choose one of its wards"));
            }
            wards.clone()
        }
        _ => wards_of(charter, &wanted.role),
    };
    Ok(Command::Grant {
        person,
        role: Arc::from(wanted.role.as_str()),
        wards,
        until: wanted.until.map(ServerTime::from_micros),
        source: Source::Hand,
        apart: apart(charter),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invite {
    name: String,
    kind: String,
    recipient: Option<String>,
    #[serde(default)]
    roles: Vec<Wanted>,
    /// When each training was had that the roles need.
    trained_on: Option<i64>,
    /// Until when somebody of another firm is pledged to secrecy.
    pledged_until: Option<i64>,
    /// How long the link may be used.
    hours: Option<u32>,
}

/// Makes somebody known and gives the link with which they come in for the first time.
pub(super) async fn invite(
    State(state): State<Arc<AppState>>,
    who: Who,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::PeopleManage, Resource::People).about(&["people"]).note("invite")).await?;
    let invite: Invite = body(&bytes)?;
    let now = real_now();
    let charter = state.charter.load_full();
    let kind = match (invite.kind.as_str(), invite.recipient) {
        ("staff", None) => Kind::Staff,
        ("external", Some(recipient)) => {
            if !recipient_in_force(&state, &recipient, now) {
                return Err(ApiError::conflict(
                    "recipient_not_in_force",
                    "the charter names no such firm with a contract and a pledge of secrecy in force",
                    "renew them in the charter first",
                ));
            }
            Kind::External(Arc::from(recipient))
        }
        _ => {
            return Err(ApiError::bad(
                "kind",
                "this sort of person is not invited here",
                "say `staff`, or `external` with the firm",
            ));
        }
    };
    let ids: Vec<&str> = invite.roles.iter().map(|wanted| wanted.role.as_str()).collect();
    check_roles(&charter, &kind, &ids)?;
    let person = new_person().ok_or_else(|| ApiError::internal("the random source of this machine failed"))?;
    let mut commands = vec![Command::AddPerson { person, kind, name: Private::from(invite.name.trim()) }];
    if let Some(until) = invite.pledged_until {
        commands.push(Command::Pledge { person, until: ServerTime::from_micros(until) });
    }
    for wanted in &invite.roles {
        commands.push(grant_of(&charter, person, wanted)?);
        if let Some(on) = invite.trained_on {
            commands.extend(training_of(&charter, person, &wanted.role, on)?);
        }
    }
    for command in commands {
        tell(&state, who.by(), command).await?;
    }
    done(&state, &who, person, "invite");
    let (link, expires) = make_link(&state, who.by(), person, invite.hours).await?;
    Ok(Json(json!({"id": person, "link": link, "expires": expires.micros()})))
}

/// A link for somebody: to a wall display's session where a role only looks at the live ward, to a passkey otherwise. Older open links end.
pub(super) async fn make_link(
    state: &Arc<AppState>,
    by: By,
    person: PersonId,
    hours: Option<u32>,
) -> Result<(String, ServerTime), ApiError> {
    let life = hours
        .map_or(LINK_LIFE, |hours| Duration::from_secs(u64::from(hours) * 3_600))
        .clamp(Duration::from_secs(60), LINK_LIFE_MAX);
    let opens = if only_looks(state, person) { Opens::Session } else { Opens::Passkey };
    link_to(state, by, person, opens, life).await
}

/// A link of this sort.
pub(super) async fn link_to(
    state: &Arc<AppState>,
    by: By,
    person: PersonId,
    opens: Opens,
    life: Duration,
) -> Result<(String, ServerTime), ApiError> {
    let (token, link) = new_link(state)?;
    let expires = real_now().plus_micros(i64::try_from(life.as_micros()).unwrap_or(i64::MAX));
    let token = Digest(*token.hash().as_bytes());
    tell(state, by, Command::Invite { case: state.desk.new_case(), person, token, opens, expires }).await?;
    Ok((link, expires))
}

fn only_looks(state: &AppState, person: PersonId) -> bool {
    let charter = state.charter.load();
    let looks = |id: &str| {
        charter.checked.role(id).is_some_and(|role| {
            role.permissions.iter().all(|p| **p == Action::LiveView) && !role.permissions.is_empty()
        })
    };
    state.desk.register.read(|register| {
        register.person(person).is_some_and(|person| {
            let mut roles = person.roles(real_now()).peekable();
            roles.peek().is_some() && roles.all(|grant| looks(&grant.role))
        })
    })
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LinkWanted {
    hours: Option<u32>,
}

pub(super) async fn link(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    may(&state, &who, person, "link").await?;
    let wanted: LinkWanted = if bytes.is_empty() { LinkWanted::default() } else { body(&bytes)? };
    known(&state, person)?;
    let (link, expires) = make_link(&state, who.by(), person, wanted.hours).await?;
    done(&state, &who, person, "link");
    Ok(Json(json!({"link": link, "expires": expires.micros()})))
}

/// Invites a patient to their own data. Done by those who treat them, who know who the patient is; the register holds no name.
pub(super) async fn invite_patient(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(subject): Path<Subject>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let patient = state.desk.patient(subject).await?;
    let ask = Ask::new(Action::ConsentManage, Resource::Patient(patient)).about(&["people"]).note("invite");
    state.desk.permit(&who, ask).await?;
    let wanted: LinkWanted = if bytes.is_empty() { LinkWanted::default() } else { body(&bytes)? };
    let charter = state.charter.load_full();
    let role = charter.checked.roles().iter().find(|role| kind_of(&charter, role) == "patient").ok_or_else(|| {
        ApiError::conflict("no_role", "the charter has no role for patients", "add one with `relation = \"own\"`")
    })?;
    let known = state.desk.register.read(|register| register.person_of_patient(subject).map(|person| person.id));
    let person = match known {
        Some(person) => person,
        None => {
            let person = new_person().ok_or_else(|| ApiError::internal("the random source of this machine failed"))?;
            tell(
                &state,
                who.by(),
                Command::AddPerson { person, kind: Kind::Patient(subject), name: Private::default() },
            )
            .await?;
            person
        }
    };
    let runs = state.desk.register.read(|register| {
        register
            .person(person)
            .is_some_and(|person| person.roles(real_now()).any(|grant| *grant.role == *role.id.as_str()))
    });
    if !runs {
        let wanted = Wanted { role: role.id.as_str().to_owned(), wards: None, until: None };
        tell(&state, who.by(), grant_of(&charter, person, &wanted)?).await?;
    }
    let (link, expires) = make_link(&state, who.by(), person, wanted.hours).await?;
    Ok(Json(json!({"id": person, "link": link, "expires": expires.micros()})))
}

pub(super) async fn rename(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rename {
        name: String,
    }
    may(&state, &who, person, "rename").await?;
    let Rename { name } = body(&bytes)?;
    tell(&state, who.by(), Command::Rename { person, name: Private::from(name.trim()) }).await?;
    done(&state, &who, person, "rename");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn grant(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    may(&state, &who, person, "grant").await?;
    let wanted: Wanted = body(&bytes)?;
    let charter = state.charter.load_full();
    let record = known(&state, person)?;
    // Nobody widens their own rights, not even those who look after everybody's.
    if who.person() == Some(person) {
        return Err(ApiError::conflict(
            "own_role",
            "nobody gives a role to themselves",
            "ask a second person who looks after roles",
        ));
    }
    let mut roles: Vec<String> =
        record.roles(real_now()).map(|grant| grant.role.to_string()).filter(|held| *held != wanted.role).collect();
    roles.push(wanted.role.clone());
    let names: Vec<&str> = roles
        .iter()
        .map(String::as_str)
        .filter(|id| charter.checked.role(id).is_some() || *id == wanted.role)
        .collect();
    check_roles(&charter, &record.kind, &names)?;
    tell(&state, who.by(), grant_of(&charter, person, &wanted)?).await?;
    done(&state, &who, person, "grant");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn ungrant(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ungrant {
        role: String,
    }
    may(&state, &who, person, "ungrant").await?;
    let Ungrant { role } = body(&bytes)?;
    tell(&state, who.by(), Command::Ungrant { person, role: Arc::from(role) }).await?;
    done(&state, &who, person, "ungrant");
    Ok(StatusCode::NO_CONTENT)
}

/// The training a role needs, had on that day; nothing if it needs none. It counts as long as the charter says.
pub(super) fn training_of(
    charter: &CharterInForce,
    person: PersonId,
    id: &str,
    on: i64,
) -> Result<Option<Command>, ApiError> {
    let Some(training) = &role(charter, id)?.training else { return Ok(None) };
    if on > real_now().micros() {
        return Err(ApiError::bad("on", "this training has not been had yet", "give a day that is over"));
    }
    let on = ServerTime::from_micros(on);
    // Twelve months are a year, whichever day it began on: 30.44 days each, rounded down, and never more.
    let until = on.plus_micros(i64::from(training.months) * 30_436_875 * (DAY_MICROS / 1_000_000));
    Ok(Some(Command::Train { person, training: Arc::from(id), on, until }))
}

pub(super) async fn train(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Train {
        /// The role whose training it is.
        role: String,
        on: Option<i64>,
    }
    may(&state, &who, person, "train").await?;
    let train: Train = body(&bytes)?;
    if who.person() == Some(person) {
        return Err(ApiError::conflict(
            "own_role",
            "nobody confirms their own training",
            "ask a second person who looks after roles",
        ));
    }
    let charter = state.charter.load_full();
    let on = train.on.unwrap_or_else(|| real_now().micros());
    let command = training_of(&charter, person, &train.role, on)?
        .ok_or_else(|| ApiError::conflict("no_training", "this role needs no training", "choose one that does"))?;
    tell(&state, who.by(), command).await?;
    done(&state, &who, person, "train");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn pledge(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pledge {
        until: i64,
    }
    may(&state, &who, person, "pledge").await?;
    let Pledge { until } = body(&bytes)?;
    tell(&state, who.by(), Command::Pledge { person, until: ServerTime::from_micros(until) }).await?;
    done(&state, &who, person, "pledge");
    Ok(StatusCode::NO_CONTENT)
}

/// Stops somebody from coming in, and ends every session of theirs.
pub(super) async fn disable(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
) -> Result<Json<Value>, ApiError> {
    may_take(&state, &who, person, "disable").await?;
    if who.person() == Some(person) {
        return Err(ApiError::conflict(
            "own_account",
            "nobody closes their own account",
            "ask a second person who looks after roles",
        ));
    }
    tell(&state, who.by(), Command::Disable { person }).await?;
    let ended = end_sessions(&state, &who, person, Why::Disabled);
    done(&state, &who, person, "disable");
    Ok(Json(json!({"sessions_ended": ended})))
}

pub(super) async fn enable(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
) -> Result<StatusCode, ApiError> {
    may(&state, &who, person, "enable").await?;
    tell(&state, who.by(), Command::Enable { person }).await?;
    done(&state, &who, person, "enable");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn sign_out(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(person): Path<PersonId>,
) -> Result<Json<Value>, ApiError> {
    may_take(&state, &who, person, "sign-out").await?;
    known(&state, person)?;
    let ended = end_sessions(&state, &who, person, Why::Revoked);
    Ok(Json(json!({"sessions_ended": ended})))
}

fn end_sessions(state: &AppState, who: &Who, person: PersonId, why: Why) -> usize {
    let ended = state.signin.sessions.end_all_of(person, why);
    for ended in &ended {
        state.desk.tell(session_ended(state, *ended, who.origin.address));
    }
    ended.len()
}
