//! Enrolment over EST (RFC 7030, RFC 8951): the HTTP around what `obhut-pki` decides.
//!
//! A device without a certificate shows its serial number and one-time token; one with a certificate renews with it. Both answers say no more
//! to an outsider than they must.

use crate::server::PeerCertificate;
use crate::state::{AppState, real_now, unix};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, body::Body};
use obhut_model::{DeviceId, ServerTime};
use obhut_pki::est::{
    self, CONTENT_TYPE_CERTS, Credentials, Enrollee, EnrolleeState, EstError, Register, RegisterError,
};
use obhut_pki::{Issued, UnixTime};
use obhut_store::{DeviceRecord, DeviceState, Records};
use std::sync::Arc;

pub(crate) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/.well-known/est/cacerts", get(cacerts))
        .route("/.well-known/est/simpleenroll", post(enroll))
        .route("/.well-known/est/simplereenroll", post(reenroll))
}

fn certificates(encoded: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_CERTS)),
        (HeaderName::from_static("content-transfer-encoding"), HeaderValue::from_static("base64")),
    ];
    (headers, encoded).into_response()
}

fn refused(error: &EstError) -> Response {
    tracing::warn!(error = error as &dyn std::error::Error, "an enrolment was refused");
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(error.message() + "\n"));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"obhut\""));
    }
    if let Some(seconds) = error.retry_after_secs() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn cacerts(State(state): State<Arc<AppState>>) -> Response {
    match est::cacerts(&state.authority) {
        Ok(encoded) => certificates(encoded),
        Err(error) => refused(&EstError::Authority(error)),
    }
}

async fn enroll(State(state): State<Arc<AppState>>, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    answer(state, move |state| {
        let shown = Credentials::from_header(authorization.as_deref())?;
        let csr = est::decode_csr(&body)?;
        state.enrolment.simple_enroll(&shown.serial, &shown.token, &csr, unix(real_now()))
    })
    .await
}

async fn reenroll(
    State(state): State<Arc<AppState>>,
    Extension(peer): Extension<PeerCertificate>,
    body: Bytes,
) -> Response {
    answer(state, move |state| {
        let peer = peer.0.ok_or(EstError::NotEntitled(est::Outcome::NotInForce))?;
        let csr = est::decode_csr(&body)?;
        state.enrolment.simple_reenroll(&peer, &csr, unix(real_now()))
    })
    .await
}

/// Runs the decision where it may wait for the disk, lets the gateway know, and answers.
async fn answer(
    state: Arc<AppState>,
    decide: impl FnOnce(&AppState) -> Result<Issued, EstError> + Send + 'static,
) -> Response {
    let decided = tokio::task::spawn_blocking(move || {
        let issued = decide(&state)?;
        if let Err(error) = state.refresh() {
            return Err(EstError::Register(Box::new(error)));
        }
        // RFC 7030, section 4.2.3: the certificate that was issued, and no other.
        est::certs_only([&issued.leaf_der]).map_err(EstError::Authority)
    });
    match decided.await {
        Ok(Ok(encoded)) => certificates(encoded),
        Ok(Err(error)) => refused(&error),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The store's records, as enrolment asks for them.
#[derive(Clone)]
pub struct StoreRegister(pub Arc<dyn Records>);

fn seconds(at: ServerTime) -> UnixTime {
    unix(at)
}

fn enrollee(record: DeviceRecord) -> Enrollee {
    Enrollee {
        id: record.id,
        model: record.model,
        serial: record.serial,
        state: match record.state {
            DeviceState::Invited => EnrolleeState::Invited,
            DeviceState::Enrolled => EnrolleeState::Enrolled,
            DeviceState::Revoked => EnrolleeState::Revoked,
        },
        invited_at: seconds(record.invited_at),
    }
}

fn server_time(at: UnixTime) -> ServerTime {
    ServerTime::from_micros(i64::try_from(at.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

impl Register for StoreRegister {
    fn device(&self, id: &DeviceId) -> Result<Option<Enrollee>, RegisterError> {
        Ok(self.0.device(id)?.map(enrollee))
    }

    fn redeem(&self, token_hash: [u8; 32], serial: &str, now: UnixTime) -> Result<Option<DeviceId>, RegisterError> {
        Ok(self.0.redeem(token_hash, serial, server_time(now))?.map(|record| record.id))
    }

    fn certificate_issued(
        &self,
        id: &DeviceId,
        serial_hex: &str,
        not_after: UnixTime,
        now: UnixTime,
    ) -> Result<(), RegisterError> {
        Ok(self.0.certificate_issued(id, serial_hex, server_time(not_after), server_time(now))?)
    }
}
