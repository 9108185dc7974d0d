//! Coming in, staying and leaving: the session of whoever sits at the browser.
//!
//! For: joining `obhut-signin` (who proved what) with the register (whose that is, and whether they may come in at all). Not for: what somebody may
//! do once inside, which is asked anew with every request.
//!
//! INVARIANT: nobody who is disabled gets a session, and nobody of another firm without a contract and two pledges of secrecy in force: the firm's
//! and their own (§ 203(4) StGB).

mod passkey;
mod provider;

use super::people::asleep;
use super::{ApiError, Needs, Route, blocking, route};
use crate::state::{AppState, real_now};
use crate::who::{PeerAddress, Recognised, Who, session_ended};
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use obhut_charter::Date;
use obhut_ledger::{Actor, Channel, Event, EventKind, Origin, Outcome, ResourceRef};
use obhut_model::calendar::Utc;
use obhut_model::{PersonId, ServerTime};
use obhut_register::people::{Kind, Person};
use obhut_signin::{Assurance, Begin, Browser, Cookie, Life, SessionId, SignedIn, Why};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn routes() -> Vec<Route> {
    use Needs::{Nothing, Session};
    vec![
        route(Method::GET, "/session", Nothing, get(session)),
        route(Method::GET, "/session/ways", Nothing, get(ways)),
        route(Method::POST, "/session/link", Nothing, post(passkey::link)),
        route(Method::POST, "/session/register", Nothing, post(passkey::register)),
        route(Method::POST, "/session/passkey/begin", Nothing, post(passkey::begin)),
        route(Method::POST, "/session/passkey/finish", Nothing, post(passkey::finish)),
        route(Method::GET, "/session/oidc/start", Nothing, get(provider::start)),
        route(Method::GET, "/session/oidc/callback", Nothing, get(provider::callback)),
        route(Method::POST, "/session/active", Session, post(active)),
        route(Method::POST, "/session/lock", Nothing, post(lock)),
        route(Method::POST, "/session/unlock", Nothing, post(passkey::unlock)),
        route(Method::POST, "/session/switch", Nothing, post(passkey::switch)),
        route(Method::DELETE, "/session", Nothing, delete(leave)),
        route(Method::GET, "/session/all", Session, get(all)),
        route(Method::DELETE, "/session/all/{id}", Session, delete(revoke)),
    ]
}

/// The browser at the other end, signed in or not, locked or not.
pub(super) struct Here {
    pub(super) signed: Option<SignedIn>,
    pub(super) browser: Browser,
    pub(super) address: Option<IpAddr>,
}

impl FromRequestParts<Arc<AppState>> for Here {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Self::Rejection> {
        let agent = parts.headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
        Ok(Self {
            signed: parts.extensions.get::<Recognised>().and_then(|recognised| recognised.0),
            browser: Browser::from_user_agent(agent),
            address: parts.extensions.get::<PeerAddress>().map(|peer| peer.0),
        })
    }
}

impl Here {
    fn signed(&self) -> Result<SignedIn, ApiError> {
        self.signed.ok_or_else(ApiError::signed_out)
    }

    fn origin(&self, session: Option<SessionId>) -> Origin {
        Origin { address: self.address, channel: Channel::Web, session: session.map(SessionId::bytes) }
    }
}

/// Reads a body without repeating what stands in it when it is wrong.
pub(super) fn body<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|_| ApiError::bad("body", "the request is not understood", "send the fields the documentation names"))
}

/// An answer that gives the browser a cookie.
pub(super) fn with_cookie(cookie: &str, answer: Response) -> Response {
    let mut answer = answer;
    if let Ok(value) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
    answer
}

/// Whether somebody may come in at all, beyond having proved who they are.
pub(super) fn may_enter(state: &AppState, person: &Person, now: ServerTime) -> Result<(), &'static str> {
    if person.disabled.is_some() {
        return Err("person_disabled");
    }
    let Kind::External(recipient) = &person.kind else { return Ok(()) };
    if !recipient_in_force(state, recipient, now) {
        return Err("recipient_not_in_force");
    }
    if person.pledged.is_none_or(|until| until <= now) {
        return Err("no_pledge");
    }
    Ok(())
}

/// Whether the charter in force names this recipient with contract and pledge of secrecy that have not expired.
pub(super) fn recipient_in_force(state: &AppState, recipient: &str, now: ServerTime) -> bool {
    let charter = state.charter.load();
    let Some(today) = date_of(now) else { return false };
    charter.checked.recipient(recipient).is_some_and(|recipient| {
        recipient.contract.expiry >= today
            && recipient.secrecy_pledge.as_ref().is_some_and(|pledge| pledge.expiry >= today)
    })
}

/// The day, by the calendar of UTC.
fn date_of(at: ServerTime) -> Option<Date> {
    let Utc { year, month, day, .. } = Utc::from_micros(at.micros());
    Date::new(u16::try_from(year).ok()?, month, day).ok()
}

/// An entry about signing in.
pub(super) fn entry(
    state: &AppState,
    here: &Here,
    kind: EventKind,
    person: Option<PersonId>,
    action: &str,
    outcome: Outcome,
) -> Event {
    let actor = person.map_or(Actor::System, Actor::Person);
    let mut event = Event::new(state.desk.new_request(), real_now(), kind, actor, action);
    event.resource = ResourceRef::new("session", None);
    event.origin = here.origin(here.signed.map(|signed| signed.session));
    event.outcome = outcome;
    event
}

/// Records that somebody did not come in, and says so.
pub(super) fn turned_away(
    state: &AppState,
    here: &Here,
    person: Option<PersonId>,
    way: &str,
    word: &'static str,
) -> ApiError {
    tracing::info!(way, word, "a sign-in was refused");
    let mut event = entry(state, here, EventKind::SignIn, person, "sign-in", Outcome::Denied(word.into()));
    event.resource = ResourceRef::new(way, None);
    state.desk.tell(event);
    let (message, hint) = match word {
        "no_ceremony" | "no_flow" => ("this sign-in took too long or was used already", "begin again"),
        "unknown_passkey" => ("this passkey is not registered here", "use another one, or ask for a new link"),
        "user_not_verified" => {
            ("the passkey did not ask for PIN, finger or face", "set a PIN on the security key, and begin again")
        }
        "passkey_cloned" => (
            "this passkey may have been copied and does not count any more",
            "tell the IT department; ask for a new link",
        ),
        "passkey_taken" => ("this passkey is registered already", "sign in with it"),
        "not_discoverable" => ("the security key did not keep the passkey", "free a place on it, or use another one"),
        "person_disabled" => ("this account is closed", "ask who looks after roles"),
        "recipient_not_in_force" => {
            ("the contract or the pledge of secrecy of your firm has expired", "ask your contact in the hospital")
        }
        "no_pledge" => ("your own pledge of secrecy is missing or has expired", "ask your contact in the hospital"),
        "no_role" => ("none of your groups has a role here", "ask who looks after roles"),
        "other_person" => ("this screen was locked by somebody else", "switch the user"),
        "link_not_for_this" => ("this link does not open a session here", "ask for a new one"),
        "provider_unavailable" => ("the hospital's sign-in cannot be reached", "use your passkey"),
        _ => ("the sign-in does not count", "begin again"),
    };
    let status = if word == "provider_unavailable" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
    ApiError::new(status, word, message, hint)
}

/// Begins a session for somebody who has proved who they are; one that this browser had before ends.
///
/// The ledger may be down: nobody sees anything without a further entry, and an emergency must not end at the door.
pub(super) fn come_in(
    state: &AppState,
    here: &Here,
    person: PersonId,
    assurance: Assurance,
    life: Life,
) -> Result<String, ApiError> {
    let begin = Begin { person, assurance, life, browser: here.browser };
    let (signed, cookie) = state
        .signin
        .sessions
        .begin(begin, real_now())
        .map_err(|_| ApiError::internal("the random source of this machine failed"))?;
    if let Some(before) = here.signed {
        end(state, here, before.session, Why::Switched);
    }
    let mut event = entry(state, here, EventKind::SignIn, Some(person), "sign-in", Outcome::Success);
    event.origin = here.origin(Some(signed.session));
    event.resource = ResourceRef::new(assurance.word(), None);
    state.desk.tell(event);
    Ok(cookie.header())
}

fn end(state: &AppState, here: &Here, session: SessionId, why: Why) {
    if let Some(ended) = state.signin.sessions.end(session, why) {
        state.desk.tell(session_ended(state, ended, here.address));
    }
}

async fn ways(State(state): State<Arc<AppState>>) -> Json<Value> {
    Json(
        json!({"passkey": state.signin.passkeys.available(), "oidc": state.signin.oidc.as_ref().map(obhut_signin::Oidc::name)}),
    )
}

/// Who is signed in and what they could ask for. Names nobody but the person themselves.
async fn session(State(state): State<Arc<AppState>>, here: Here) -> Result<Json<Value>, ApiError> {
    let signed = here.signed()?;
    let now = real_now();
    let who = Who::signed_in(signed, here.address);
    let rights = state.desk.person(&who, now);
    let charter = state.charter.load();
    let access = charter.access.clone();
    let mut permissions: Vec<&str> = Vec::new();
    let mut roles: Vec<Value> = Vec::new();
    let person = state
        .desk
        .register
        .read(|register| register.person(signed.person).cloned())
        .ok_or_else(ApiError::signed_out)?;
    // Of a locked screen, too: the page must know which ward goes on behind the lock. Asking for anything is refused all the same.
    if let Some(rights) = rights {
        permissions = access.permissions(&rights, now).into_keys().map(obhut_access::Action::as_str).collect();
        for grant in &rights.grants {
            let text = charter.checked.role(&grant.role).map(|role| json!({"de": role.text.de, "en": role.text.en}));
            if let Some(text) = text {
                // Why it rests, in a word; `null` while it counts.
                let held = person.grants.iter().filter(|held| held.runs(now) && held.role == grant.role);
                let asleep = (!access.is_awake(&rights, grant, now)).then(|| {
                    held.into_iter().find_map(|held| asleep(&state, &charter, &person, held, now)).unwrap_or("charter")
                });
                roles.push(json!({"id": grant.role, "text": text, "asleep": asleep}));
            }
        }
    }
    let emergencies = if signed.locked { Vec::new() } else { emergencies(&state, signed.person, now) };
    // Whoever judges emergency accesses sees at once that one was opened.
    let reviews = permissions
        .contains(&obhut_access::Action::BreakGlassReview.as_str())
        .then(|| state.desk.register.read(|register| register.reviews_due().len()));
    let rules = state.signin.sessions.rules();
    let display = state.signin.sessions.is_display(signed.session);
    let (ward, ward_name) = charter.ward.clone();
    Ok(Json(json!({
        "person": {"id": signed.person, "name": person.name.as_str(), "kind": word(&person.kind)},
        "roles": roles,
        "permissions": permissions,
        "assurance": signed.assurance.word(),
        "ends": signed.ends.micros(),
        "locked": signed.locked,
        "idle_lock": (!display).then(|| rules.idle().as_secs()),
        "home": null,
        "emergencies": emergencies,
        "reviews": reviews,
        "ward": {"id": ward, "name": ward_name},
    })))
}

/// A person's sort, as JSON writes it.
pub(super) const fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Staff => "staff",
        Kind::External(_) => "external",
        Kind::Patient(_) => "patient",
    }
}

fn emergencies(state: &AppState, person: PersonId, now: ServerTime) -> Vec<Value> {
    let charter = state.charter.load();
    let label =
        |bed: &obhut_model::BedId| charter.beds.iter().find(|(id, _)| id == bed).map(|(_, label)| label.clone());
    state.desk.register.read(|register| {
        register
            .emergencies_of(person, now)
            .map(|emergency| {
                json!({"case": emergency.case, "subject": emergency.subject, "bed": emergency.bed.as_ref().and_then(label),
                       "until": emergency.end().micros()})
            })
            .collect()
    })
}

/// Somebody is at the page: a key, a touch. The request itself is what counts.
async fn active(_: Who) -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn lock(State(state): State<Arc<AppState>>, here: Here) -> Result<StatusCode, ApiError> {
    let signed = here.signed()?;
    if signed.assurance == Assurance::Link {
        return Err(ApiError::conflict(
            "no_passkey",
            "this session began with a link and could not be unlocked again",
            "sign out instead",
        ));
    }
    state.signin.sessions.lock(signed.session).ok_or_else(ApiError::signed_out)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn leave(State(state): State<Arc<AppState>>, here: Here) -> Response {
    if let Some(signed) = here.signed {
        end(&state, &here, signed.session, Why::SignedOut);
    }
    with_cookie(&Cookie::forget(), StatusCode::NO_CONTENT.into_response())
}

/// One's own sessions.
async fn all(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let signed = who.session.ok_or_else(ApiError::signed_out)?;
    let rows: Vec<Value> = state
        .signin
        .sessions
        .list(Some(signed.person))
        .into_iter()
        .map(|listed| {
            json!({"id": listed.who.session.to_string(), "began": listed.who.began.micros(), "ends": listed.who.ends.micros(),
                   "active": listed.active.micros(), "locked": listed.who.locked, "assurance": listed.who.assurance.word(),
                   "this": listed.who.session == signed.session})
        })
        .collect();
    Ok(Json(json!({"sessions": rows})))
}

/// Ends one of one's own sessions, wherever it is.
async fn revoke(
    State(state): State<Arc<AppState>>,
    who: Who,
    here: Here,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let signed = who.session.ok_or_else(ApiError::signed_out)?;
    let unknown = || ApiError::unknown("session", "there is no such session of yours", "look at the list again");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    if !state.signin.sessions.list(Some(signed.person)).iter().any(|listed| listed.who.session == id) {
        return Err(unknown());
    }
    end(&state, &here, id, Why::Revoked);
    Ok(StatusCode::NO_CONTENT)
}

/// How often sessions are looked at that end by the clock or lock because nobody is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets people in at the address the server listens on, and keeps the book of sessions until the server stops: ends what is over, locks what is idle.
///
/// Call once the HTTPS port is bound. Passkeys need a name in that address; without one the other ways still work.
pub async fn keep_sessions(state: Arc<AppState>) {
    if state.signin.passkeys.reached_at(&state.address()).is_err() {
        tracing::warn!("the first of `names` is an address: passkeys need a name, so nobody can register or use one");
    }
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = look.tick() => {}
        }
        for ended in state.signin.sessions.sweep(real_now()) {
            state.desk.tell(session_ended(&state, ended, None));
        }
    }
}

/// Runs a command of the register where it does not hold up the live ward.
pub(super) async fn execute(
    state: &Arc<AppState>,
    by: obhut_register::By,
    command: impl Into<obhut_register::Command> + Send + 'static,
) -> Result<Result<obhut_register::Done, obhut_register::Refusal>, ApiError> {
    let register = state.desk.register.clone();
    blocking(move || Ok(register.execute(by, real_now(), command))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (day, (year, month, of_month)) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (19_782, (2024, 2, 29)),
            (19_783, (2024, 3, 1)),
            (20_781, (2026, 11, 24)),
        ] {
            let date = date_of(ServerTime::from_micros(day * 86_400_000_000 + 1)).unwrap();
            assert_eq!((date.year(), date.month(), date.day()), (year, month, of_month));
        }
    }
}
