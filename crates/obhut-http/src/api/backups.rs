//! Backups: only for the operator on the machine itself, because paths and recovery keys are theirs. People with a page see the state.
//!
//! Not for restoring: that happens without a server, see `obhut backup restore`.

use super::retention::{failed, room};
use super::{ApiError, Needs, Route, blocking, route};
use crate::desk::Ask;
use crate::state::{AppState, real_now};
use crate::who::Who;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{get, post};
use obhut_access::{Action, Resource};
use obhut_backup::{BackupError, Backups, Listed, Order, Unwatched};
use obhut_retention::Periods;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    let manage = || Needs::Permit(Action::BackupManage);
    vec![
        route(Method::GET, "/backups", manage(), get(list)),
        route(Method::POST, "/backups", manage(), post(create)),
        route(Method::POST, "/backups/key", manage(), post(key)),
        route(Method::POST, "/backups/give-up", manage(), post(give_up)),
    ]
}

fn backups(state: &AppState) -> Result<Arc<Backups>, ApiError> {
    state.backups.get().cloned().ok_or_else(|| ApiError::internal("this program was opened without its backups"))
}

fn refused(error: BackupError) -> ApiError {
    tracing::error!(error = &error as &dyn std::error::Error, "a backup failed");
    match error {
        BackupError::NoRecoveryKey | BackupError::Busy | BackupError::Stopped => {
            ApiError::conflict("backup", error.to_string(), "do what is said, then try again")
        }
        BackupError::Full(_) => ApiError::conflict("full", error.to_string(), "make room there, or name another place"),
        other => ApiError::internal(other.to_string()),
    }
}

/// Asks the desk. Paths are the business of whoever works on the machine: anybody else is refused, after the attempt was recorded.
async fn only_here(state: &AppState, who: &Who, what: &str) -> Result<(), ApiError> {
    let here = who.person().is_none();
    let note = if here { what.to_owned() } else { format!("{what}: only at the machine itself") };
    let _ = state.desk.permit(who, Ask::new(Action::BackupManage, Resource::System).note(note)).await?;
    if here { Ok(()) } else { Err(ApiError::refused()) }
}

fn row(found: &Listed) -> Value {
    let head = &found.head;
    json!({
        "path": found.path, "bytes": found.bytes, "backup": head.backup, "kind": head.kind.as_str(), "made_at": head.made_at,
        "expires_at": head.expires_at, "erasures": head.erasures, "recovery_key": head.recovery, "program": head.program,
    })
}

async fn list(State(state): State<Arc<AppState>>, who: Who) -> Result<Json<Value>, ApiError> {
    let _ = state.desk.permit(&who, Ask::new(Action::BackupManage, Resource::System)).await?;
    let backups = backups(&state)?;
    blocking(move || {
        let places: Vec<Value> = backups
            .places()
            .iter()
            .map(|known| {
                json!({"path": known.path, "reachable": known.path.is_dir(), "backup_at": known.backup_at,
                       "erasures_to": known.erasures_to, "keys_at": known.keys_at, "keys_until": known.keys_until})
            })
            .collect();
        let archives: Vec<Value> = backups.archives().iter().map(row).collect();
        let overdue = backups.overdue(real_now()).len();
        Ok(Json(
            json!({"recovery_key": backups.recovery_key(), "places": places, "archives": archives, "overdue": overdue}),
        ))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    to: PathBuf,
}

async fn create(State(state): State<Arc<AppState>>, who: Who, Json(to): Json<To>) -> Result<Json<Value>, ApiError> {
    only_here(&state, &who, "create").await?;
    let (backups, room) = (backups(&state)?, room(&state)?);
    let made = tokio::spawn(blocking(move || {
        let periods = Periods::of(&state.charter.load().checked).ok_or_else(|| {
            ApiError::conflict(
                "no_rule",
                "the charter does not say how long backups are kept",
                "add a retention class that covers `backup`",
            )
        })?;
        let list = room.signed_list(real_now()).map_err(failed)?;
        let order = Order { periods, list, ledger_size: 0 };
        backups.create(&to.to, &order, &Unwatched).map_err(refused)
    }));
    let made = made.await.map_err(|_| ApiError::internal("the backup broke off; nothing half is left"))??;
    Ok(Json(json!({
        "backup": made.backup, "data": row(&made.data), "keys": row(&made.keys), "files": made.files, "removed": made.removed,
    })))
}

async fn key(State(state): State<Arc<AppState>>, who: Who, Json(to): Json<To>) -> Result<Json<Value>, ApiError> {
    only_here(&state, &who, "recovery key").await?;
    let backups = backups(&state)?;
    blocking(move || {
        let made = format!("{} s since 1970", real_now().micros() / 1_000_000);
        let short = backups.new_recovery_key(&to.to, &made).map_err(refused)?;
        Ok(Json(json!({"recovery_key": short, "file": to.to})))
    })
    .await
}

async fn give_up(State(state): State<Arc<AppState>>, who: Who, Json(to): Json<To>) -> Result<Json<Value>, ApiError> {
    only_here(&state, &who, "give up a place").await?;
    let backups = backups(&state)?;
    blocking(move || Ok(Json(json!({"known": backups.give_up(&to.to).map_err(refused)?})))).await
}
