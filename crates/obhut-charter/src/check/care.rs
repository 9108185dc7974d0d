//! Alarm defaults, gates and figures.

use super::Check;
use crate::problem::ProblemCode::{
    AlarmLimitTooFine, AlarmLimitsCrossed, AlarmOnWaveform, AlarmPriorityReversed, AlarmTwice, AlarmWithoutLimit,
    GateWithoutApprover, GateWithoutKpi, KpiUnused, KpiWithoutTarget,
};
use crate::schema::{Alarm, Data};
use obhut_model::{Decimal, Kind};

pub(super) fn check(check: &mut Check<'_>) {
    for (at, alarm) in check.entries.alarms.iter().enumerate() {
        limits(check, alarm);
        against(check, alarm, check.entries.alarms.get(..at).unwrap_or_default());
        if let Some(data) = check.data(&alarm.data) {
            of_data(check, alarm, data);
        }
    }
    gates(check);
}

fn limits(check: &mut Check<'_>, alarm: &Alarm) {
    match (&alarm.below, &alarm.above) {
        (None, None) => {
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

fn less(a: Decimal, b: Decimal) -> bool {
    a.to_f64() < b.to_f64()
}

fn against(check: &mut Check<'_>, alarm: &Alarm, before: &[Alarm]) {
    for other in before.iter().filter(|other| *other.data == *alarm.data) {
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
        for (urgent, mild) in above.into_iter().chain(below) {
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

fn gates(check: &mut Check<'_>) {
    for gate in &check.entries.gates {
        if gate.approvers.is_empty() {
            let message = format!("nobody signs gate `{}`", *gate.id);
            let hint = "add `approvers = [\"dpo\", \"security-officer\", \"medical-lead\"]`";
            check.found(GateWithoutApprover, gate.id.span(), message, "who decides?", hint);
        }
        if gate.kpis.is_empty() {
            let message = format!("gate `{}` asks for no figure", *gate.id);
            check.found(
                GateWithoutKpi,
                gate.id.span(),
                message,
                "nothing measured",
                "list the ids of `[[kpi]]` that must be met",
            );
        }
    }
    for kpi in &check.entries.kpis {
        let met = match (&kpi.at_least, &kpi.at_most) {
            (None, None) => false,
            (Some(least), Some(most)) => !less(**most, **least),
            _ => true,
        };
        if !met {
            let message = format!("figure `{}` can never be met", *kpi.id);
            check.found(
                KpiWithoutTarget,
                kpi.id.span(),
                message,
                "no target",
                "add `at_least` or `at_most`; if both, the first not above the second",
            );
        }
        if !check.entries.gates.iter().flat_map(|gate| &gate.kpis).any(|id| **id == *kpi.id) {
            let message = format!("no gate asks for figure `{}`", *kpi.id);
            check.found(KpiUnused, kpi.id.span(), message, "unused", "remove it, or list it in the `kpis` of a gate");
        }
    }
}
