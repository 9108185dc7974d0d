//! What the HTTPS port offers: pages, the session, the live stream, the charter in plain words, enrolment, health.
//!
//! A route that is not in [`router`] does not exist. Every route except the pages, the session's beginning, enrolment and health needs a session.

use crate::state::AppState;
use crate::who::recognise;
use crate::{api, assets, est};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;

/// Largest request body, bytes; enrolment is the largest.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take, its body included; nothing here waits for anything slower than a disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Everything on the HTTPS port.
pub fn router(state: Arc<AppState>) -> Router {
    Router::new()
        .merge(api::router())
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(est::routes())
        .fallback(get(assets::serve).fallback(assets::not_for_reading))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(state.clone(), recognise))
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

/// Whether `Origin` names this server. A browser always sends it where it matters; a request without one that changes something is refused.
pub(crate) fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://") == Some(host),
        _ => false,
    }
}

async fn ready(State(state): State<Arc<AppState>>) -> Response {
    if state.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}
