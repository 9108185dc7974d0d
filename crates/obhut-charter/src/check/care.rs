//! Gates and figures.

use super::Check;
use super::alarms::less;
use crate::problem::ProblemCode::{GateWithoutApprover, GateWithoutKpi, KpiUnused, KpiWithoutTarget};

pub(super) fn check(check: &mut Check<'_>) {
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
