//! The operator's interface: everything `obhut device`, `obhut patient`, `obhut readings` and `obhut doctor` ask of a running server.
//!
//! Served over a Unix socket in the data directory that only the server's own account may open (mode 0600), never over a network port. The
//! same router answers in-process when no server runs, so that the command line has one way of doing things.
//!
//! Answers are JSON; an error is `{"error": code, "message": sentence, "hint": what to do next}` and holds no personal data.

mod beds;
mod devices;
mod error;
mod readings;
mod system;

pub use devices::{InviteRequest, InviteWanted};
pub use error::AdminError;
pub use readings::RunLine;

use crate::state::AppState;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use obhut_model::DeviceTime;
use std::sync::Arc;

/// Largest request body: an invitation for some ten thousand devices.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Everything on the administration socket.
pub fn router(state: Arc<AppState>) -> Router {
    Router::new()
        .route("/v1/status", get(system::status))
        .route("/v1/ca", get(system::certificate_authority))
        .route("/v1/link", post(system::link))
        .route("/v1/charter", get(system::charter))
        .route("/v1/charter/reload", post(system::reload_charter))
        .route("/v1/devices", get(devices::list).post(devices::invite))
        .route("/v1/devices/{id}", get(devices::show))
        .route("/v1/devices/{id}/revoke", post(devices::revoke))
        .route("/v1/devices/{id}/bed", put(devices::place).delete(devices::remove))
        .route("/v1/beds", get(beds::list))
        .route("/v1/beds/{bed}/patient", put(beds::admit).delete(beds::discharge))
        .route("/v1/subjects/{subject}", delete(beds::erase))
        .route("/v1/readings", get(readings::list))
        .route("/v1/readings/runs", get(readings::runs))
        .route("/metrics", get(system::metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(system::ready))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

/// Runs a call that waits for the disk where it does not hold up the live ward.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(AdminError::internal("the call ended before it was done")),
    }
}

/// A time given by the operator in microseconds, or now.
fn time_or_now(state: &AppState, micros: Option<i64>) -> DeviceTime {
    DeviceTime::from_micros(micros.unwrap_or_else(|| state.clock.now().micros()))
}
