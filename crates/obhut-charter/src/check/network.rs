//! Zones and flows: no shared VLAN, no opening twice, none without an end that is still ahead.

use super::Check;
use crate::problem::ProblemCode::{FlowExpired, FlowTwice, FlowWithinZone, VlanShared};

pub(super) fn check(check: &mut Check<'_>) {
    for (at, zone) in check.entries.zones.iter().enumerate() {
        if let Some(other) = check.entries.zones.iter().take(at).find(|other| *other.vlan == *zone.vlan) {
            let message = format!("zones `{}` and `{}` share VLAN {}", *other.id, *zone.id, *zone.vlan);
            let hint = "two zones in one VLAN are one zone: no rule stands between them";
            check.found_with(
                VlanShared,
                zone.vlan.span(),
                message,
                "same VLAN",
                hint,
                (other.vlan.span(), "first here"),
            );
        }
    }
    for (at, flow) in check.entries.flows.iter().enumerate() {
        check.expiry(FlowExpired, flow.expiry.span(), &format!("flow `{}`", *flow.id), *flow.expiry);
        if *flow.from == *flow.to {
            let message = format!("flow `{}` stays inside zone `{}`", *flow.id, *flow.from);
            let hint = "rules between zones never see it; use separate zones, or remove it";
            check.found(FlowWithinZone, flow.to.span(), message, "the same zone", hint);
        }
        let same = |other: &&crate::schema::Flow| {
            *other.from == *flow.from
                && *other.to == *flow.to
                && *other.port == *flow.port
                && *other.protocol == *flow.protocol
        };
        if let Some(other) = check.entries.flows.iter().take(at).find(same) {
            let message = format!("flows `{}` and `{}` open the same connection", *other.id, *flow.id);
            let hint = "keep one: otherwise closing one of them closes nothing";
            check.found_with(FlowTwice, flow.id.span(), message, "again here", hint, (other.id.span(), "first here"));
        }
    }
}
