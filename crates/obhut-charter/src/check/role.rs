//! Roles: what they see is listed, what must not meet does not meet, and strangers do not learn names.

use super::Check;
use crate::duties::TOXIC;
use crate::problem::ProblemCode::{
    ExternalSeesIdentity, ExternalWithoutTicket, NobodyOversees, OwnAndStaff, RoleDataUnused, RoleWithoutData,
    RoleWithoutPurpose, RoleWithoutRelation, RoleWithoutTraining, ToxicPermissions,
};
use crate::schema::{Permission, Relation, Role, Scope};

pub(super) fn check(check: &mut Check<'_>) {
    for role in &check.entries.roles {
        data(check, role);
        toxic(check, role);
        relation(check, role);
        outside(check, role);
        if role.purposes.is_empty() && !role.permissions.is_empty() {
            let message = format!("role `{}` may do something, but for no purpose", *role.id);
            let hint = "add `purposes = [\"…\"]`: every access says what for (Art. 5(1)(b) GDPR); the first is meant where nobody says";
            check.found(RoleWithoutPurpose, role.id.span(), message, "what for?", hint);
        }
        if role.training.is_none() && needs_training(check, role) {
            let message = format!("role `{}` reaches data of patients without training", *role.id);
            let hint = "add `training = { text = { de = \"…\", en = \"…\" }, months = 12 }`";
            check.found(RoleWithoutTraining, role.id.span(), message, "no training", hint);
        }
    }
    oversight(check);
}

/// Patients need none for their own data; a display shows no names and learns nothing; who works on the machine is in no register of trainings.
fn needs_training(check: &Check<'_>, role: &Role) -> bool {
    let console = check.draft.access.as_ref().and_then(|access| access.console.as_ref());
    let display = role.permissions.iter().all(|permission| **permission == Permission::LiveView);
    role.permissions.iter().any(|permission| permission.reaches_patients())
        && *role.relation != Relation::Own
        && !display
        && console.is_none_or(|console| **console != *role.id)
}

/// Control R09: whoever watches over data protection can always look (Art. 38(2) GDPR).
fn oversight(check: &mut Check<'_>) {
    let sees = |role: &Role| {
        [Permission::LedgerView, Permission::EvidenceView].iter().all(|needed| find(role, *needed).is_some())
            && role.recipient.is_none()
            && !matches!(*role.relation, Relation::Own | Relation::Ticket)
    };
    // A role that was left out because of another mistake may have been the one.
    let left_out = check.draft.broken.iter().any(|(section, _)| *section == "role");
    if left_out || check.entries.roles.iter().any(sees) {
        return;
    }
    let Some(controller) = &check.draft.controller else { return };
    let message = "no role of the house may read both ledger and evidence";
    let hint = "declare `[[role]]` with `permissions = [\"ledger-view\", \"evidence-view\"]`: the data-protection officer must be able to see everything (Art. 38(2), 39 GDPR)";
    check.found(NobodyOversees, controller.dpo.span(), message, "sees nothing", hint);
}

fn relation(check: &mut Check<'_>, role: &Role) {
    let own = *role.relation == Relation::Own;
    let stranger = |permission: Permission| own != (permission == Permission::OwnView);
    if let Some(permission) = role.permissions.iter().find(|permission| stranger(***permission)) {
        let message = format!(
            "role `{}` has the relation `{}` and may `{}`",
            *role.id,
            role.relation.as_str(),
            permission.as_str()
        );
        let hint = "a patient's role has `relation = \"own\"` and `permissions = [\"own-view\"]` and nothing else; no other role has either";
        let related = (role.relation.span(), "relation");
        return check.found_with(OwnAndStaff, permission.span(), message, "does not go with it", hint, related);
    }
    let bound = |permission: Permission| permission.needs_relation() || permission == Permission::BreakGlass;
    if let Some(permission) = role.permissions.iter().find(|permission| bound(***permission))
        && !role.relation.reaches_patients()
    {
        let message = format!("role `{}` may `{}` but reaches no patient", *role.id, permission.as_str());
        let hint = "add `relation = \"ward\"` or `relation = \"case\"`, or remove the permission";
        check.found(RoleWithoutRelation, permission.span(), message, "whose?", hint);
    }
}

/// People of another firm come in with a ticket and learn neither who is ill nor who looked.
fn outside(check: &mut Check<'_>, role: &Role) {
    let Some(recipient) = &role.recipient else { return };
    if *role.relation != Relation::Ticket {
        let message =
            format!("role `{}` belongs to recipient `{}` and could come in at any time", *role.id, **recipient);
        let hint =
            "add `relation = \"ticket\"`: people of other firms see what an open ticket names, as long as it is open";
        let related = (role.relation.span(), "not by ticket");
        check.found_with(ExternalWithoutTicket, recipient.span(), message, "another firm", hint, related);
    }
    if let Some(identity) = NAMING.iter().find_map(|permission| find(role, *permission)) {
        let message =
            format!("role `{}` belongs to recipient `{}` and would see who the patients are", *role.id, **recipient);
        let hint = "remove it: people of other firms work on pseudonyms (§ 203 StGB)";
        let related = (recipient.span(), "another firm");
        check.found_with(ExternalSeesIdentity, identity, message, "names", hint, related);
    }
}

/// What shows who a patient is, or could be used to find out.
const NAMING: &[Permission] = &[
    Permission::IdentityView,
    Permission::BreakGlass,
    Permission::ConsentManage,
    Permission::Crosswalk,
    Permission::LedgerView,
    Permission::RequestManage,
    Permission::PeopleManage,
    Permission::KeyManage,
    Permission::BackupManage,
];

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
    for (one, other, why, _) in TOXIC {
        if let (Some(first), Some(second)) = (find(role, *one), find(role, *other)) {
            let message = format!("role `{}` holds `{}` and `{}`: {why}", *role.id, one.as_str(), other.as_str());
            let hint = "split the role in two and give them to different people";
            check.found_with(ToxicPermissions, second, message, "must not meet", hint, (first, "with this"));
        }
    }
}
