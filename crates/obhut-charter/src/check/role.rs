//! Roles: what they see is listed, what must not meet does not meet, and strangers do not learn names.

use super::Check;
use crate::problem::ProblemCode::{
    ExternalSeesIdentity, RoleDataUnused, RoleWithoutData, RoleWithoutTraining, ToxicPermissions,
};
use crate::schema::{Permission, Role, Scope};

/// Pairs that one role must not hold, and why (separation of duties, SDM building block 51).
const TOXIC: &[(Permission, Permission, &str)] = &[
    (Permission::BreakGlass, Permission::BreakGlassReview, "nobody reviews their own emergency access"),
    (
        Permission::DeviceMaintain,
        Permission::IdentityView,
        "who maintains devices does not need to know whose they are",
    ),
    (Permission::CharterManage, Permission::HistoryView, "who writes the rules does not read the values"),
    (Permission::CharterManage, Permission::Erase, "who writes the rules does not erase"),
    (Permission::LedgerView, Permission::Erase, "who reads the proof does not erase what it is about"),
];

pub(super) fn check(check: &mut Check<'_>) {
    for role in &check.entries.roles {
        data(check, role);
        toxic(check, role);
        if let (Some(recipient), Some(identity)) = (&role.recipient, find(role, Permission::IdentityView)) {
            let message = format!(
                "role `{}` belongs to recipient `{}` and would see who the patients are",
                *role.id, **recipient
            );
            let hint = "remove `identity-view`: people of other firms work on pseudonyms (§ 203 StGB)";
            check.found_with(
                ExternalSeesIdentity,
                identity,
                message,
                "names",
                hint,
                (recipient.span(), "another firm"),
            );
        }
        if role.training.is_none() && role.permissions.iter().any(|permission| permission.reaches_patients()) {
            let message = format!("role `{}` reaches data of patients without training", *role.id);
            let hint = "add `training = { text = { de = \"…\", en = \"…\" }, months = 12 }`";
            check.found(RoleWithoutTraining, role.id.span(), message, "no training", hint);
        }
    }
}

fn find(role: &Role, permission: Permission) -> Option<std::ops::Range<usize>> {
    role.permissions.iter().find(|held| ***held == permission).map(crate::At::span)
}

fn data(check: &mut Check<'_>, role: &Role) {
    let empty = matches!(&*role.data, Scope::Only(ids) if ids.is_empty());
    let shows = role.permissions.iter().find(|permission| permission.shows_values());
    match (shows, empty) {
        (Some(permission), true) => {
            let message = format!("role `{}` may `{}` but lists no data", *role.id, permission.as_str());
            let hint = "add `data = [\"heart-rate\", …]`, or `data = \"all\"` if the work really needs everything";
            check.found(RoleWithoutData, permission.span(), message, "which values?", hint);
        }
        (None, false) => {
            let message = format!("role `{}` lists data but has no permission that shows values", *role.id);
            check.found(
                RoleDataUnused,
                role.data.span(),
                message,
                "never shown",
                "remove `data`, or give the role `live-view` or `history-view`",
            );
        }
        (Some(_), false) | (None, true) => {}
    }
}

fn toxic(check: &mut Check<'_>, role: &Role) {
    for (one, other, why) in TOXIC {
        if let (Some(first), Some(second)) = (find(role, *one), find(role, *other)) {
            let message = format!("role `{}` holds `{}` and `{}`: {why}", *role.id, one.as_str(), other.as_str());
            let hint = "split the role in two and give them to different people";
            check.found_with(ToxicPermissions, second, message, "must not meet", hint, (first, "with this"));
        }
    }
}
