//! How long access lasts, what stays apart, what patients are asked, what projects get.

use super::Check;
use crate::limits::{
    AFTER_DISCHARGE_SECONDS_MAX, BREAK_GLASS_SECONDS_MAX, IDLE_SECONDS_MAX, REVIEW_SECONDS_MAX, SESSION_SECONDS_MAX,
};
use crate::problem::ProblemCode::{
    ApartFromItself, ConsentWithoutForm, ConsoleNotStaff, FormWithoutNeed, NoEmergencyReason, OutOfBounds,
    ProjectBeyondRecipient, ProjectExpired, ProjectWithoutData,
};
use crate::schema::{Access, Permission, Project, Relation, Scope};
use crate::{At, Period};

pub(super) fn check(check: &mut Check<'_>) {
    if let Some(access) = &check.draft.access {
        bounds(check, access);
        apart(check, access);
        console(check, access);
        reasons(check, access);
    }
    forms(check);
    for project in &check.entries.projects {
        self::project(check, project);
    }
}

fn bounds(check: &mut Check<'_>, access: &Access) {
    let bounds: [(&str, &At<Period>, u64, &str, &str); 5] = [
        (
            "after_discharge",
            &access.after_discharge,
            AFTER_DISCHARGE_SECONDS_MAX,
            "92 d",
            "rights of treatment end with the treatment",
        ),
        ("session_max", &access.session_max, SESSION_SECONDS_MAX, "8 h", "nobody stays signed in longer than a shift"),
        (
            "idle_lock",
            &access.idle_lock,
            IDLE_SECONDS_MAX,
            "30 min",
            "a screen nobody touches is open to whoever passes",
        ),
        (
            "break_glass_max",
            &access.break_glass_max,
            BREAK_GLASS_SECONDS_MAX,
            "4 h",
            "an emergency access is for this emergency",
        ),
        (
            "review_within",
            &access.review_within,
            REVIEW_SECONDS_MAX,
            "7 d",
            "an unreviewed emergency access is none that is watched",
        ),
    ];
    for (key, period, most, written, why) in bounds {
        if period.seconds() > most {
            let message = format!("`{key}` of `access` is `{}`, longer than `{written}`", **period);
            check.found(OutOfBounds, period.span(), message, "too long", format!("write `{written}` or less: {why}"));
        }
    }
    if access.idle_lock.seconds() > access.session_max.seconds() {
        let message = "`idle_lock` of `access` is longer than the session it locks";
        let related = (access.session_max.span(), "the session");
        check.found_with(
            OutOfBounds,
            access.idle_lock.span(),
            message,
            "never reached",
            "write a shorter one",
            related,
        );
    }
}

fn apart(check: &mut Check<'_>, access: &Access) {
    for (at, pair) in access.apart.iter().enumerate() {
        let again = access.apart.iter().take(at).find(|other| {
            (&other.one, &other.other) == (&pair.one, &pair.other)
                || (&other.other, &other.one) == (&pair.one, &pair.other)
        });
        if pair.one == pair.other {
            let message = format!("role `{}` is to be kept apart from itself", pair.one);
            check.found(ApartFromItself, pair.span(), message, "twice the same", "name two roles, or remove the pair");
        } else if let Some(first) = again {
            let message = format!("`{}` and `{}` are kept apart twice", pair.one, pair.other);
            let related = (first.span(), "first here");
            check.found_with(ApartFromItself, pair.span(), message, "again here", "remove one of them", related);
        }
    }
}

fn console(check: &mut Check<'_>, access: &Access) {
    let Some(console) = &access.console else { return };
    let Some(role) = check.entries.roles.iter().find(|role| *role.id == **console) else { return };
    if role.recipient.is_some() || matches!(*role.relation, Relation::Own | Relation::Ticket) {
        let message = format!("role `{}` is for patients or another firm and cannot be the machine's own", **console);
        let hint =
            "declare a role of its own for the operator, without `recipient` and with `relation = \"ward\"` or none";
        check.found_with(
            ConsoleNotStaff,
            console.span(),
            message,
            "not for operators",
            hint,
            (role.id.span(), "this role"),
        );
    }
}

fn reasons(check: &mut Check<'_>, access: &Access) {
    if !access.break_glass_reasons.is_empty() {
        return;
    }
    let held =
        check.entries.roles.iter().flat_map(|role| &role.permissions).find(|held| ***held == Permission::BreakGlass);
    if let Some(held) = held {
        let hint = "add `break_glass_reason = [{ id = \"acute\", text = { de = \"…\", en = \"…\" } }]` to `[access]`";
        let message = "emergency access is allowed, but `[access]` offers no reason for it";
        check.found(NoEmergencyReason, held.span(), message, "why?", hint);
    }
}

fn forms(check: &mut Check<'_>) {
    for form in &check.entries.consent_forms {
        if let Some(purpose) = check.purpose(&form.purpose).filter(|purpose| !*purpose.needs_consent) {
            let message =
                format!("consent form `{}` asks for purpose `{}`, which needs no consent", *form.id, *purpose.id);
            let hint = "remove the form: a consent that changes nothing misleads the patient";
            check.found(FormWithoutNeed, form.purpose.span(), message, "needs none", hint);
        }
    }
    for purpose in check.entries.purposes.iter().filter(|purpose| *purpose.needs_consent) {
        if !check.entries.consent_forms.iter().any(|form| *form.purpose == *purpose.id) {
            let message = format!("purpose `{}` needs consent, and no form asks for it", *purpose.id);
            let hint = "declare `[[consent_form]]`; without one nobody can agree and nothing happens for this purpose";
            check.found(ConsentWithoutForm, purpose.id.span(), message, "never allowed", hint);
        }
    }
}

fn project(check: &mut Check<'_>, project: &Project) {
    let what = format!("project `{}`", *project.id);
    check.expiry(ProjectExpired, project.expiry.span(), &what, *project.expiry);
    if matches!(&*project.data, Scope::Only(ids) if ids.is_empty()) {
        let hint = "add `data = [\"heart-rate\", …]` with what the question needs, and nothing else";
        check.found(ProjectWithoutData, project.id.span(), format!("{what} lists no data"), "which values?", hint);
    }
    let Some(recipient) = project.recipient.as_ref() else { return };
    let Some(declared) = check.entries.recipients.iter().find(|x| *x.id == **recipient) else { return };
    if *declared.purpose != *project.purpose {
        let message = format!(
            "{what} is for `{}`, its recipient `{}` for `{}`",
            *project.purpose, **recipient, *declared.purpose
        );
        let hint = "declare a recipient for this purpose: another purpose is another contract";
        let related = (declared.purpose.span(), "the recipient's purpose");
        check.found_with(ProjectBeyondRecipient, project.purpose.span(), message, "another purpose", hint, related);
    }
    let beyond = match (&*project.data, &*declared.data) {
        (_, Scope::All) => None,
        (Scope::All, Scope::Only(_)) => Some((project.data.span(), "all".to_owned())),
        (Scope::Only(given), Scope::Only(allowed)) => {
            given.iter().find(|id| !allowed.contains(id)).map(|id| (id.span(), id.to_string()))
        }
    };
    if let Some((span, data)) = beyond {
        let message = format!("{what} gives recipient `{}` `{data}`, which is not declared there", **recipient);
        let hint = "add it to the `data` of the recipient, if its contract covers it, or remove it here";
        check.found_with(
            ProjectBeyondRecipient,
            span,
            message,
            "not declared",
            hint,
            (declared.id.span(), "the recipient"),
        );
    }
}
