//! What people reach under `/api/v1`: one table of routes, each with the action it asks the desk for.
//!
//! For: turning a request into a question to the desk, and a permit into an answer. Not for: deciding who may what (`obhut-access` does), nor
//! for knowing roles: a handler names an action and a resource.
//!
//! INVARIANT: a route that declares an action and answers with success without having been given a permit for it answers with an error
//! instead, see `enforce`; a route that is not in [`all`] does not exist.

mod alarms;
mod backups;
mod break_glass;
mod care;
mod consents;
mod copy;
mod error;
mod keys;
mod ledger;
mod live;
mod own;
pub mod people;
mod requests;
mod research;
mod retention;
mod said_no;
mod session;
mod tickets;
mod ward;

pub(crate) use alarms::completed_years;
pub use break_glass::keep_register;
pub use error::ApiError;
pub use keys::KeyRoom;
pub use session::keep_sessions;
pub(crate) use ward::blocking;

use crate::desk::{self, Asked};
use crate::state::AppState;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use obhut_access::Action;
use std::sync::Arc;

/// Who may call a route at all, before its handler looks at the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nobody has signed in yet, or may not have: signing in, ways in, health.
    Nothing,
    /// Somebody has signed in; the answer holds only what is about their own session.
    Session,
    /// A permit for this action.
    Permit(Action),
}

/// One route.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path below `/api/v1`.
    pub path: &'static str,
    /// Who may call it.
    pub needs: Needs,
    /// What answers.
    pub handler: MethodRouter<Arc<AppState>>,
}

/// Writes one line of a route table.
pub(crate) fn route(method: Method, path: &'static str, needs: Needs, handler: MethodRouter<Arc<AppState>>) -> Route {
    Route { method, path, needs, handler }
}

/// Every route under `/api/v1`.
#[must_use]
pub fn all() -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(alarms::routes());
    routes.extend(backups::routes());
    routes.extend(break_glass::routes());
    routes.extend(care::routes());
    routes.extend(consents::routes());
    routes.extend(tickets::routes());
    routes.extend(ledger::routes());
    routes.extend(live::routes());
    routes.extend(keys::routes());
    routes.extend(own::routes());
    routes.extend(people::routes());
    routes.extend(requests::routes());
    routes.extend(research::routes());
    routes.extend(retention::routes());
    routes.extend(session::routes());
    routes.extend(ward::routes());
    routes
}

/// The router of [`all`].
pub(crate) fn router() -> Router<Arc<AppState>> {
    let mut router = Router::new();
    for Route { path, needs, handler, .. } in all() {
        let handler = match needs {
            Needs::Permit(action) => {
                handler.layer(middleware::from_fn(move |request: Request, next: Next| enforce(action, request, next)))
            }
            Needs::Nothing | Needs::Session => handler,
        };
        router = router.route(&format!("/api/v1{path}"), handler);
    }
    router
}

/// Names the entry of the ledger an answer rests on, so that whoever got it can be told of it, and a test can look for it. Random, of no meaning.
const ENTRY: HeaderName = HeaderName::from_static("obhut-request");

/// Lets an answer out only if the handler was given a permit for what its route declares. Wrong code must not become a leak.
async fn enforce(action: Action, request: Request, next: Next) -> Response {
    let asked = Asked::default();
    let mut response = desk::ASKED.scope(asked.clone(), next.run(request)).await;
    let answered = response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if answered && !asked.granted(action) {
        tracing::error!(action = action.as_str(), "a handler answered without a permit; the answer was withheld");
        return ApiError::internal("the server withheld an answer it had not recorded").into_response();
    }
    let entry = asked.entry(action).filter(|_| answered);
    if let Some(name) = entry.and_then(|request| HeaderValue::from_str(&request.to_string()).ok()) {
        response.headers_mut().insert(ENTRY, name);
    }
    response
}
