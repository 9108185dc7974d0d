//! The operator's interface: everything `obhut device`, `obhut patient`, `obhut readings` and `obhut doctor` ask of a running server.
//!
//! Served over a Unix socket in the data directory that only the server's own account may open (mode 0600), never over a network port. The
//! same router answers in-process when no server runs, so that the command line has one way of doing things.
//!
//! Answers are JSON; an error is `{"error": code, "message": sentence, "hint": what to do next}` and holds no personal data.

mod beds;
mod devices;
mod readings;
mod system;

pub(crate) use beds::is_iso_date;
pub use devices::{InviteRequest, InviteWanted};

use crate::api::{self, ApiError};
use crate::desk::Ask;
use crate::state::AppState;
use crate::who::{PeerAccount, Who};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post, put};
use obhut_access::{Action, Resource};
use obhut_model::DeviceTime;
use std::sync::Arc;

/// Largest request body: an invitation for some ten thousand devices.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Everything on the administration socket. What is about this installation alone is open to whoever may open the socket; what is about
/// devices, beds and patients passes the desk, under the role the charter gives the console.
pub fn router(state: Arc<AppState>) -> Router {
    use obhut_charter::schema::Permission::{Bind, DeviceManage, DeviceView, LiveView};
    let ask = |action: Action, handler: MethodRouter<Arc<AppState>>| {
        let asked = Asking { state: state.clone(), action };
        handler.layer(middleware::from_fn_with_state(asked, permitted))
    };
    // A device that was stolen is shut out whether or not the ledger takes entries.
    let take = |action: Action, handler: MethodRouter<Arc<AppState>>| {
        let asked = Asking { state: state.clone(), action };
        handler.layer(middleware::from_fn_with_state(asked, left))
    };
    Router::new()
        .route("/v1/status", get(system::status))
        .route("/v1/ca", get(system::certificate_authority))
        .route("/v1/ledger", get(system::ledger))
        .route("/v1/link", post(api::people::first))
        .route("/v1/charter", get(system::charter))
        .route("/v1/charter/reload", post(system::reload_charter))
        .route("/v1/devices", ask(DeviceView, get(devices::list)))
        .route("/v1/devices", ask(DeviceManage, post(devices::invite)))
        .route("/v1/devices/{id}", ask(DeviceView, get(devices::show)))
        .route("/v1/devices/{id}/revoke", take(DeviceManage, post(devices::revoke)))
        .route("/v1/devices/{id}/bed", ask(DeviceManage, put(devices::place).delete(devices::remove)))
        .route("/v1/beds", ask(LiveView, get(beds::list)))
        .route("/v1/beds/{bed}/patient", ask(Bind, put(beds::admit).delete(beds::discharge)))
        .route("/v1/readings", get(readings::list))
        .route("/v1/readings/runs", get(readings::runs))
        .route("/metrics", get(system::metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(system::ready))
        .merge(api::router())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

/// The same routes inside this very process, for the account it runs under: a tool that opened the installation itself, and the demonstration.
pub fn within(state: Arc<AppState>, account: u32) -> Router {
    router(state).layer(axum::Extension(PeerAccount(account)))
}

/// What a route of the console asks the desk for before its handler runs.
#[derive(Clone)]
struct Asking {
    state: Arc<AppState>,
    action: Action,
}

impl Asking {
    fn ask(&self) -> Ask<'static> {
        // Devices are managed on the whole system; everything else here is about the ward.
        let whole = self.action == Action::DeviceManage;
        Ask::new(self.action, if whole { Resource::System } else { self.state.desk.ward() })
    }
}

async fn permitted(State(asking): State<Asking>, who: ConsoleOnly, request: Request, next: Next) -> Response {
    match asking.state.desk.permit(&who.0, asking.ask()).await {
        Ok(_) => next.run(request).await,
        Err(error) => refused_at_the_console(error).into_response(),
    }
}

/// The same for what takes something away.
async fn left(State(asking): State<Asking>, who: ConsoleOnly, request: Request, next: Next) -> Response {
    match asking.state.desk.leave(&who.0, asking.ask()).await {
        Ok(_) => next.run(request).await,
        Err(error) => refused_at_the_console(error).into_response(),
    }
}

/// The operator is told more than a stranger: which file decides.
fn refused_at_the_console(error: ApiError) -> ApiError {
    if error.status() != StatusCode::FORBIDDEN {
        return error;
    }
    ApiError::new(
        StatusCode::FORBIDDEN,
        "refused",
        "the charter gives the console no right to this",
        "see `console` under [access] in the charter and the permissions of the role it names",
    )
}

/// Only what comes over the operator's socket, or from this very process.
struct ConsoleOnly(Who);

impl<S: Sync> FromRequestParts<S> for ConsoleOnly {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match parts.extensions.get::<PeerAccount>() {
            Some(PeerAccount(uid)) => Ok(Self(Who::console(*uid))),
            None => Err(ApiError::refused().into_response()),
        }
    }
}

/// A time given by the operator in microseconds, or now.
fn time_or_now(state: &AppState, micros: Option<i64>) -> DeviceTime {
    DeviceTime::from_micros(micros.unwrap_or_else(|| state.clock.now().micros()))
}
