//! Who a request comes from: the session behind its cookie, or the operator's account at the machine's own socket.
//!
//! The layer `recognise` looks once for every request and renews the cookie where the session book says so; handlers take [`Who`], which is there
//! only for somebody who is signed in and whose screen is not locked.

use crate::api::ApiError;
use crate::state::{AppState, real_now};
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use obhut_access::Assurance;
use obhut_ledger::{Actor, Channel, Event, EventKind, Origin, Outcome};
use obhut_model::PersonId;
use obhut_signin::{Activity, Browser, COOKIE, Cookie, Ended, Refused, SignedIn};
use std::net::IpAddr;
use std::sync::Arc;

/// A page that asks by itself, without anybody touching it, says so with this header; such requests do not keep a screen from locking.
pub const BACKGROUND: HeaderName = HeaderName::from_static("obhut-background");

/// The network address of the other side.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// The account at the other end of the operator's socket, as the kernel gives it.
#[derive(Debug, Clone, Copy)]
pub struct PeerAccount(pub u32);

/// Who asks.
#[derive(Debug, Clone)]
pub struct Who {
    /// A person, or the operator on the machine itself.
    pub asker: Asker,
    /// How they proved it.
    pub assurance: Assurance,
    /// From where.
    pub origin: Origin,
    /// Their session; none at the machine itself.
    pub session: Option<SignedIn>,
}

/// A signed-in person, or the operator on the machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Signed in.
    Person(PersonId),
    /// At the operator's socket, under this account of the machine.
    Console(u32),
}

impl Who {
    /// The operator on the machine itself.
    #[must_use]
    pub fn console(uid: u32) -> Self {
        Self {
            asker: Asker::Console(uid),
            assurance: Assurance::Console,
            origin: Origin { address: None, channel: Channel::Console, session: None },
            session: None,
        }
    }

    /// The person, if it is one.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self.asker {
            Asker::Person(person) => Some(person),
            Asker::Console(_) => None,
        }
    }

    /// As the ledger names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.asker {
            Asker::Person(person) => Actor::Person(person),
            Asker::Console(uid) => Actor::Console { uid },
        }
    }

    /// As the register names them.
    #[must_use]
    pub fn by(&self) -> obhut_register::By {
        match self.asker {
            Asker::Person(person) => obhut_register::By::Person(person),
            Asker::Console(uid) => obhut_register::By::Console(uid),
        }
    }

    pub(crate) fn signed_in(signed: SignedIn, address: Option<IpAddr>) -> Self {
        Self {
            asker: Asker::Person(signed.person),
            assurance: match signed.assurance {
                obhut_signin::Assurance::Passkey => Assurance::Passkey,
                obhut_signin::Assurance::Oidc => Assurance::Oidc,
                obhut_signin::Assurance::Link => Assurance::Link,
            },
            origin: Origin { address, channel: Channel::Web, session: Some(signed.session.bytes()) },
            session: Some(signed),
        }
    }
}

/// What `recognise` found.
#[derive(Debug, Clone, Copy)]
pub struct Recognised(pub Option<SignedIn>);

/// Looks who is there, once for every request, and renews the cookie. A request that changes something and does not come from a page of this very
/// server is refused: a browser always says where it comes from.
pub(crate) async fn recognise(State(state): State<Arc<AppState>>, mut request: Request<Body>, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && request.uri().path().starts_with("/api/") {
        // A body nobody reads would end an HTTP/2 stream with a reset, which some clients take for a failure.
        let (parts, body) = request.into_parts();
        let Ok(bytes) = axum::body::to_bytes(body, crate::page::BODY_BYTES_MAX).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        request = Request::from_parts(parts, Body::from(bytes));
        if !crate::page::same_origin(request.headers()) {
            return ApiError::refused().into_response();
        }
    }
    let agent = request.headers().get(header::USER_AGENT).map(HeaderValue::as_bytes);
    let browser = Browser::from_user_agent(agent);
    // Pages ask after the session by themselves; that is nobody at the screen.
    let asks_after_itself = *request.method() == Method::GET && request.uri().path() == "/api/v1/session";
    let by_itself = asks_after_itself || request.headers().contains_key(BACKGROUND);
    let activity = if by_itself { Activity::Background } else { Activity::Person };
    let address = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
    let seen = cookie(request.headers()).map(|value| state.signin.sessions.see(value, browser, activity, real_now()));
    let (who, renewed) = match seen {
        None => (None, None),
        Some(Ok(seen)) => (Some(seen.who), seen.renewed.map(|cookie| cookie.header())),
        Some(Err(Refused::NoSession)) => (None, Some(Cookie::forget())),
        Some(Err(Refused::Ended(ended))) => {
            state.desk.tell(session_ended(&state, ended, address));
            (None, Some(Cookie::forget()))
        }
    };
    request.extensions_mut().insert(Recognised(who));
    let mut response = next.run(request).await;
    // A handler that began or ended a session has said what the cookie is now.
    if let Some(value) = renewed.and_then(|value| HeaderValue::from_str(&value).ok())
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The entry for a session that ended.
pub(crate) fn session_ended(state: &AppState, ended: Ended, address: Option<IpAddr>) -> Event {
    let actor = Actor::Person(ended.was.person);
    let mut event = Event::new(state.desk.new_request(), real_now(), EventKind::SignOut, actor, "sign-out");
    event.origin = Origin { address, channel: Channel::Web, session: Some(ended.was.session.bytes()) };
    event.outcome = match ended.why {
        obhut_signin::Why::OtherBrowser | obhut_signin::Why::CookieReused => Outcome::Denied(ended.why.word().into()),
        _ => Outcome::Success,
    };
    event
}

/// The value of our cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

impl FromRequestParts<Arc<AppState>> for Who {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, Response> {
        if let Some(PeerAccount(uid)) = parts.extensions.get::<PeerAccount>() {
            return Ok(Self::console(*uid));
        }
        let Some(Recognised(Some(signed))) = parts.extensions.get::<Recognised>() else {
            return Err(ApiError::signed_out().into_response());
        };
        if signed.locked {
            return Err(ApiError::locked().into_response());
        }
        let address = parts.extensions.get::<PeerAddress>().map(|peer| peer.0);
        Ok(Self::signed_in(*signed, address))
    }
}
