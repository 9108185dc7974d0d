//! Alarms: limits and changes, equipment, combinations, escalation.
//!
//! What is missing here would be silence at the bed, so it is an error and never a default.

use super::Check;
use crate::limits::LOSS_SIGNAL_SECONDS_MAX;
use crate::problem::ProblemCode::{
    AlarmIncomplete, AlarmLimitTooFine, AlarmLimitsCrossed, AlarmOnWaveform, AlarmPriorityReversed, AlarmTooLate,
    AlarmTwice, AlarmWithoutLimit,
};
use crate::schema::{Alarm, AlarmPart, Alarms, Data, Word};
use obhut_model::{Decimal, Kind};
use std::collections::HashSet;

pub(super) fn check(check: &mut Check<'_>) {
    for (at, alarm) in check.entries.alarms.iter().enumerate() {
        limits(check, alarm);
        whole(check, alarm);
        against(check, alarm, check.entries.alarms.get(..at).unwrap_or_default());
        if let Some(data) = check.data(&alarm.data) {
            of_data(check, alarm, data);
        }
    }
    rules(check);
}

fn limits(check: &mut Check<'_>, alarm: &Alarm) {
    match (&alarm.below, &alarm.above) {
        (None, None) if !alarm.is_trend() => {
            let message = format!("the alarm on `{}` has no limit", *alarm.data);
            check.found(
                AlarmWithoutLimit,
                alarm.data.span(),
                message,
                "no limit",
                "add `below`, `above` or both, in the unit of the value",
            );
        }
        (Some(below), Some(above)) if !less(**below, **above) => {
            let message = format!("the alarm on `{}` is below {} and above {} at once", *alarm.data, **below, **above);
            let hint = "`below` must be less than `above`: normal lies between them";
            check.found_with(
                AlarmLimitsCrossed,
                above.span(),
                message,
                "not more than `below`",
                hint,
                (below.span(), "below"),
            );
        }
        _ => {}
    }
}

pub(super) fn less(a: Decimal, b: Decimal) -> bool {
    a.to_f64() < b.to_f64()
}

fn against(check: &mut Check<'_>, alarm: &Alarm, before: &[Alarm]) {
    for other in before.iter().filter(|other| *other.data == *alarm.data) {
        if other.is_trend() != alarm.is_trend() {
            continue;
        }
        if *other.priority == *alarm.priority {
            let message = format!("`{}` has two alarms of priority {}", *alarm.data, alarm.priority.as_str());
            check.found_with(
                AlarmTwice,
                alarm.data.span(),
                message,
                "again here",
                "keep one of them",
                (other.data.span(), "first here"),
            );
            continue;
        }
        let (more, less_urgent) = if *alarm.priority > *other.priority { (alarm, other) } else { (other, alarm) };
        let above = more.above.as_ref().zip(less_urgent.above.as_ref()).filter(|(more, fewer)| less(***more, ***fewer));
        let below = more.below.as_ref().zip(less_urgent.below.as_ref()).filter(|(more, fewer)| less(***fewer, ***more));
        let changes = [(&more.falls, &less_urgent.falls), (&more.rises, &less_urgent.rises)];
        let changes = changes
            .map(|(more, fewer)| more.as_ref().zip(fewer.as_ref()).filter(|(more, fewer)| less(***more, ***fewer)));
        for (urgent, mild) in above.into_iter().chain(below).chain(changes.into_iter().flatten()) {
            let message = format!(
                "on the way out of normal, `{}` reaches its {} limit {} before its {} limit {}",
                *alarm.data,
                more.priority.as_str(),
                **urgent,
                less_urgent.priority.as_str(),
                **mild
            );
            let hint = "the more urgent limit lies further out";
            check.found_with(
                AlarmPriorityReversed,
                urgent.span(),
                message,
                "reached first",
                hint,
                (mild.span(), "reached later"),
            );
        }
    }
}

fn of_data(check: &mut Check<'_>, alarm: &Alarm, data: &Data) {
    if data.code.info().is_some_and(|info| info.kind == Kind::Waveform) {
        let message = format!("`{}` is a waveform and has no single value to compare with a limit", *alarm.data);
        check.found(
            AlarmOnWaveform,
            alarm.data.span(),
            message,
            "a waveform",
            "set the limit on the numeric taken from it",
        );
        return;
    }
    for limit in alarm.below.iter().chain(&alarm.above) {
        let whole = limit.in_steps_of(*data.resolution).and_then(|steps| data.resolution.times(steps));
        if whole.is_some_and(|whole| less(whole, **limit) || less(**limit, whole)) {
            let message =
                format!("the limit {} on `{}` lies between two steps of {}", **limit, *alarm.data, *data.resolution);
            let hint = "the value is only known in whole steps; write a limit that is one";
            check.found_with(
                AlarmLimitTooFine,
                limit.span(),
                message,
                "finer than known",
                hint,
                (data.resolution.span(), "one step"),
            );
        }
    }
}

/// What belongs together in one `[[alarm]]`.
fn whole(check: &mut Check<'_>, alarm: &Alarm) {
    let limit = alarm.below.is_some() || alarm.above.is_some();
    if alarm.is_trend() && (limit || alarm.over.is_none()) {
        let message = format!("the alarm on a change of `{}` has no window, or limits beside it", *alarm.data);
        let hint = "write `falls` or `rises` with `over`, and limits in an `[[alarm]]` of their own";
        check.found(AlarmIncomplete, alarm.data.span(), message, "not whole", hint);
    } else if !alarm.is_trend() && alarm.over.is_some() {
        let message = format!("the alarm on `{}` has a window but no change", *alarm.data);
        check.found(AlarmIncomplete, alarm.data.span(), message, "not whole", "write `falls` or `rises`");
    }
    let negative = |value: &Decimal| value.mantissa() < 0;
    let positive = |value: &Decimal| value.mantissa() > 0;
    let changes_good = alarm.falls.iter().chain(&alarm.rises).all(|change| positive(change));
    if alarm.hysteresis.as_ref().is_some_and(|value| negative(value)) || !changes_good {
        let message = format!("the alarm on `{}` has a change or hysteresis that is not positive", *alarm.data);
        check.found(AlarmIncomplete, alarm.data.span(), message, "not positive", "write how much, without a sign");
    }
    if let Some(settable) = &alarm.settable {
        let outside = |limit: &Decimal| less(*limit, settable.from) || less(settable.to, *limit);
        let limits = alarm.below.iter().chain(&alarm.above).chain(&alarm.falls).chain(&alarm.rises);
        if less(settable.to, settable.from) || limits.into_iter().any(|limit| outside(limit)) {
            let message = format!("a limit on `{}` lies outside the bounds within which it may be set", *alarm.data);
            let hint = "widen `settable`, or move the limit";
            check.found(AlarmIncomplete, settable.span(), message, "too narrow", hint);
        }
    }
}

/// `[alarms]` as a whole.
fn rules(check: &mut Check<'_>) {
    let Some(alarms) = &check.draft.alarms else { return };
    let span = alarms.span();
    let mut seen = HashSet::new();
    for part in &alarms.technical {
        if !seen.insert(*part.kind) {
            let message = format!("`{}` is declared twice", part.kind.as_str());
            check.found(AlarmTwice, part.kind.span(), message, "again here", "keep one of them");
        }
        let seconds = part.signal.delay.seconds().saturating_add(part.signal.signal_delay.seconds());
        if part.kind.is_loss() && seconds > LOSS_SIGNAL_SECONDS_MAX {
            let message = format!("`{}` is signalled after {seconds} s", part.kind.as_str());
            let hint = format!("the loss of a part is an alarm within {LOSS_SIGNAL_SECONDS_MAX} s; shorten the delays");
            check.found(AlarmTooLate, part.kind.span(), message, "too late", hint);
        }
    }
    let missing: Vec<&str> =
        AlarmPart::ALL.iter().filter(|(_, part)| !seen.contains(part)).map(|(word, _)| *word).collect();
    if !missing.is_empty() {
        let message = format!("nothing is declared for {}: it would be silent", missing.join(", "));
        let hint = "add `{ kind = \"…\", priority = \"…\" }` to `technical` for each";
        check.found(AlarmIncomplete, span.clone(), message, "not whole", hint);
    }
    let mut seen = HashSet::new();
    for part in &alarms.finding {
        if !seen.insert(*part.kind) {
            let message = format!("`{}` is declared twice", part.kind.as_str());
            check.found(AlarmTwice, part.kind.span(), message, "again here", "keep one of them");
        }
    }
    if alarms.score.is_some() != alarms.score_every.is_some() {
        let message = "a score needs `score` and `score_every`";
        check.found(AlarmIncomplete, span, message, "one is missing", "add the other, or leave both out");
    }
    combinations(check, alarms);
    calls(check, alarms);
}

fn combinations(check: &mut Check<'_>, alarms: &Alarms) {
    for combined in &alarms.combined {
        let parts = combined.limits.len();
        let one_each = combined.limits.iter().all(|(_, below, above)| below.is_some() != above.is_some());
        let enough = combined.at_least.as_ref().is_none_or(|n| usize::from(**n) <= parts);
        if !(2..=crate::limits::COMBINED_PARTS_MAX).contains(&parts) || !one_each || !enough {
            let message = format!("combination `{}` can never hold, or is none", *combined.id);
            let hint = format!(
                "list 2 to {} parts, each with `below` or `above`, and no more `at_least` than parts",
                crate::limits::COMBINED_PARTS_MAX
            );
            check.found(AlarmIncomplete, combined.id.span(), message, "not whole", hint);
        }
        for (data, ..) in &combined.limits {
            if check.data(data).and_then(|data| data.code.info()).is_some_and(|info| info.kind == Kind::Waveform) {
                let message = format!("`{}` is a waveform and has no single value to compare with a limit", **data);
                check.found(AlarmOnWaveform, data.span(), message, "a waveform", "use the numeric taken from it");
            }
        }
    }
}

fn calls(check: &mut Check<'_>, alarms: &Alarms) {
    let mut seen = HashSet::new();
    for escalation in &alarms.escalation {
        if !seen.insert(*escalation.priority) || escalation.steps.is_empty() {
            let message =
                format!("the escalation of priority {} calls nobody, or stands twice", escalation.priority.as_str());
            let hint = "one entry for each priority, with at least one step";
            check.found(AlarmIncomplete, escalation.priority.span(), message, "not whole", hint);
        }
    }
}
