//! The live ward as a stream: pseudonymised values of this moment, from memory, for whoever may watch the ward.
//!
//! INVARIANT: the bedside does not wait for the ledger: if it is down, the entry goes to the spool and the stream begins. A stream ends within
//! two seconds of its session or its right.

use super::{ApiError, Needs, Route, route};
use crate::desk::Ask;
use crate::live::Subscription;
use crate::page::same_origin;
use crate::state::AppState;
use crate::who::Who;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use obhut_access::Action;
use obhut_signin::Standing;
use std::sync::Arc;
use std::time::Duration;

/// Pages on the live stream at once. Far more than a ward has screens.
const PAGES_MAX: usize = 512;
/// How long a page may take to accept one message before it is let go.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How often it is asked whether the watcher still may.
const ASK_AGAIN_EVERY: Duration = Duration::from_secs(1);

pub(super) fn routes() -> Vec<Route> {
    vec![route(Method::GET, "/live", Needs::Permit(Action::LiveView), get(live))]
}

async fn live(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    who: Who,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    if !same_origin(&headers) {
        return Err(ApiError::refused());
    }
    if state.live.clients() >= PAGES_MAX {
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "pages",
            "too many screens watch already",
            "close one that nobody needs",
        ));
    }
    state.desk.permit(&who, Ask::new(Action::LiveView, state.desk.ward())).await?;
    Ok(upgrade.max_message_size(1024).on_upgrade(move |socket| stream(state, who, socket)).into_response())
}

/// Sends the ward until the page goes, lags too long, or its session or its right ends.
async fn stream(state: Arc<AppState>, who: Who, mut socket: WebSocket) {
    let Some(mut standing) = who.session.and_then(|session| state.signin.sessions.watch(session.session)) else {
        return;
    };
    let (mut subscription, snapshot) = Subscription::new(state.live.clone());
    if !send_all(&mut socket, snapshot).await {
        return;
    }
    let mut again = tokio::time::interval(ASK_AGAIN_EVERY);
    loop {
        tokio::select! {
            messages = subscription.next() => match messages {
                Some(messages) => if !send_all(&mut socket, messages).await { return },
                None => break,
            },
            changed = standing.changed() => {
                // A locked screen goes on showing its ward: whoever locks it may still be needed at the next alarm.
                if changed.is_err() || matches!(*standing.borrow(), Standing::Ended(_)) {
                    break;
                }
            }
            _ = again.tick() => {
                if !state.desk.would_permit(&who, &Ask::new(Action::LiveView, state.desk.ward())) {
                    break;
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
