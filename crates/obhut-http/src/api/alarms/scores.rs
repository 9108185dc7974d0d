//! Early-warning scores of a bed: the look, entries by hand, the scale.

use super::{about, not_watching, person};
use crate::alarms::{Entry, ScoreError};
use crate::api::ApiError;
use crate::api::ward::declared_bed;
use crate::desk::Ask;
use crate::state::AppState;
use crate::who::Who;
use axum::Json;
use axum::extract::{Path, State};
use obhut_access::Action;
use obhut_model::ServerTime;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Longest reason for a scale, in characters.
const REASON_CHARS_MAX: usize = obhut_vitals::limits::REASON_CHARS_MAX;

/// The score with every input, its age and source.
pub(super) async fn look(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
) -> Result<Json<Value>, ApiError> {
    state.desk.permit(&who, Ask::new(Action::LiveView, state.desk.ward())).await?;
    page(&state, &bed)
}

fn page(state: &AppState, bed: &str) -> Result<Json<Value>, ApiError> {
    let bed = declared_bed(state, bed)?;
    state.alarms.score(&bed).map(Json).ok_or_else(no_score)
}

fn no_score() -> ApiError {
    ApiError::unknown("no_score", "nobody lies in this bed, or the charter orders no score", "choose another bed")
}

fn failed(error: ScoreError) -> ApiError {
    match error {
        ScoreError::NoScore => no_score(),
        ScoreError::Word => ApiError::bad("entry", "this is no word of the score", "see the description of the alarms"),
    }
}

/// What somebody sees at the bed; it does not wait for a disk.
pub(super) async fn enter(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    let ask = Ask::new(Action::AlarmAcknowledge, state.desk.ward());
    state.desk.permit(&who, ask.note(format!("{bed}: score entry"))).await?;
    let entry: Entry = serde_json::from_slice(&body).map_err(|_| failed(ScoreError::Word))?;
    let known = declared_bed(&state, &bed)?;
    if state.alarms.bed(&known).is_none() {
        return Err(not_watching());
    }
    state.alarms.enter(&known, person(&who)?, &entry).map_err(failed)?;
    page(&state, &bed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    scale: u8,
    reason: String,
}

/// The saturation scale, by a clinician, with a reason.
pub(super) async fn scale(
    State(state): State<Arc<AppState>>,
    who: Who,
    Path(bed): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    let resource = about(&state, &bed).await?;
    let ask = Ask::new(Action::AlarmLimits, resource).note(format!("{bed}: score scale"));
    state.desk.permit(&who, ask).await?;
    let chosen: Chosen = serde_json::from_slice(&body).map_err(|_| failed(ScoreError::Word))?;
    let reason = chosen.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(ApiError::conflict("reason", "a reason is needed, at most 400 characters", "say why"));
    }
    if !(1..=2).contains(&chosen.scale) {
        return Err(failed(ScoreError::Word));
    }
    let known = declared_bed(&state, &bed)?;
    let done = state.alarms.choose_scale(&known, person(&who)?, chosen.scale == 2, reason.to_owned());
    done.map_err(failed)?;
    page(&state, &bed)
}

/// Completed years today of somebody born on `date`, written as YYYY-MM-DD; `None` if that is no date or lies ahead.
pub(crate) fn completed_years(date: &str) -> Option<u8> {
    let today = jiff::Zoned::now().date();
    years_between(date.parse().ok()?, today)
}

fn years_between(born: jiff::civil::Date, today: jiff::civil::Date) -> Option<u8> {
    let before_birthday = (today.month(), today.day()) < (born.month(), born.day());
    u8::try_from(i32::from(today.year()) - i32::from(born.year()) - i32::from(before_birthday)).ok()
}

/// Minutes by which the ward's day is ahead of UTC at `now`.
pub(super) fn offset_minutes(now: ServerTime) -> i32 {
    let zone = jiff::tz::TimeZone::system();
    jiff::Timestamp::from_microsecond(now.micros()).map_or(0, |at| zone.to_offset(at).seconds() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn years_are_completed_on_the_birthday() {
        assert_eq!(years_between(date(2010, 5, 17), date(2026, 5, 16)), Some(15));
        assert_eq!(years_between(date(2010, 5, 17), date(2026, 5, 17)), Some(16));
        assert_eq!(years_between(date(2027, 1, 1), date(2026, 5, 17)), None);
        assert_eq!(completed_years("17.05.2010"), None);
    }
}
