//! What the HTTPS port offers: pages, the session, the live stream, the charter in plain words, enrolment, health.
//!
//! A route that is not in [`router`] does not exist. Every route except the pages, the session's beginning, enrolment and health needs a session.

use crate::live::Subscription;
use crate::state::AppState;
use crate::{assets, est};
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use obhut_charter::Lang;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Cookie name. The prefix makes browsers insist on `Secure`, `Path=/` and no domain.
const COOKIE: &str = "__Host-obhut";
/// Largest request body, bytes; enrolment is the largest.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take, its body included; nothing here waits for anything slower than a disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Pages on the live stream at once. Far more than a ward has screens.
const PAGES_MAX: usize = 512;
/// How long a page may take to accept one message before it is let go.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Everything on the HTTPS port.
pub fn router(state: Arc<AppState>) -> Router {
    Router::new()
        .route("/api/v1/session", post(enter).get(session).delete(leave))
        .route("/api/v1/live", get(live))
        .route("/api/v1/charter", get(charter))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(est::routes())
        .fallback(get(assets::serve).fallback(assets::not_for_reading))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(harden))
        .with_state(state)
}

/// Puts the server's name where every handler looks for it, lets none take for ever, and sets the headers that every answer carries.
async fn harden(mut request: Request<Body>, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    // HTTP/2 names the server in the request's authority (RFC 9113, 8.3.1); what follows looks in one place.
    let authority = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(authority) = authority {
        request.headers_mut().insert(header::HOST, authority);
    }
    let answered = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response());
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_SECURITY_POLICY, assets::CONTENT_SECURITY_POLICY),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// Proof that the request belongs to a session; carries the cookie so that a stream can notice its end.
struct Session {
    cookie: String,
    remaining: Duration,
}

impl FromRequestParts<Arc<AppState>> for Session {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, StatusCode> {
        let cookie = cookie(&parts.headers).ok_or(StatusCode::UNAUTHORIZED)?;
        let remaining = state.sessions.remaining(cookie).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self { cookie: cookie.to_owned(), remaining })
    }
}

/// Whether `Origin` names this server. A browser always sends it where it matters; a request without one that changes something is refused.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://") == Some(host),
        _ => false,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enter {
    token: String,
}

async fn enter(State(state): State<Arc<AppState>>, headers: HeaderMap, Json(enter): Json<Enter>) -> Response {
    if !same_origin(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match state.sessions.enter(&enter.token) {
        Ok(Some(cookie)) => {
            let seconds = crate::session::SESSION_LIFE.as_secs();
            let value = format!("{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}");
            (StatusCode::NO_CONTENT, [(header::SET_COOKIE, value)]).into_response()
        }
        Ok(None) => StatusCode::FORBIDDEN.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn session(State(state): State<Arc<AppState>>, session: Session) -> Response {
    let left = i64::try_from(session.remaining.as_micros()).unwrap_or(i64::MAX);
    Json(json!({"ends": state.clock.now().plus_micros(left).micros()})).into_response()
}

async fn leave(State(state): State<Arc<AppState>>, headers: HeaderMap, session: Session) -> Response {
    if !same_origin(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    state.sessions.leave(&session.cookie);
    let gone = format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response()
}

#[derive(Deserialize)]
struct Language {
    lang: Option<String>,
}

async fn charter(State(state): State<Arc<AppState>>, _session: Session, Query(query): Query<Language>) -> Response {
    let lang = if query.lang.as_deref() == Some("en") { Lang::En } else { Lang::De };
    let charter = state.charter.load();
    Json(json!({
        "fingerprint": charter.rules.fingerprint,
        "name": charter.name,
        "text": obhut_charter::explain(&charter.checked, lang),
    }))
    .into_response()
}

async fn metrics(State(state): State<Arc<AppState>>, _session: Session) -> Response {
    crate::metrics::answer(&state)
}

async fn ready(State(state): State<Arc<AppState>>) -> Response {
    if state.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn live(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    session: Session,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !same_origin(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if state.live.clients() >= PAGES_MAX {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.max_message_size(1024).on_upgrade(move |socket| stream(state, session, socket))
}

/// Sends the ward until the page goes, lags too long, or its session ends.
async fn stream(state: Arc<AppState>, session: Session, mut socket: WebSocket) {
    let (mut subscription, snapshot) = Subscription::new(state.live.clone());
    if !send_all(&mut socket, snapshot).await {
        return;
    }
    loop {
        tokio::select! {
            messages = subscription.next() => {
                let alive = state.sessions.remaining(&session.cookie).is_some();
                match messages {
                    Some(messages) if alive => if !send_all(&mut socket, messages).await { return },
                    _ => break,
                }
            }
            () = state.stopping.cancelled() => break,
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
    let _ = tokio::time::timeout(SEND_WITHIN, socket.send(Message::Close(None))).await;
}

async fn send_all(socket: &mut WebSocket, messages: Vec<bytes::Bytes>) -> bool {
    for message in messages {
        match tokio::time::timeout(SEND_WITHIN, socket.send(Message::Binary(message))).await {
            Ok(Ok(())) => {}
            _ => return false,
        }
    }
    true
}
