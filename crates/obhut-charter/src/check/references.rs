//! Names: every one unique in its section, every reference declared.

use super::Check;
use crate::At;
use crate::problem::ProblemCode::{DanglingReference, DuplicateId, RepeatedItem};
use crate::schema::{Id, Scope};
use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::ops::Range;

pub(super) fn check(check: &mut Check<'_>) {
    duplicates(check);
    let e = check.entries;
    let known = |section: &'static str, word: &'static str, ids: Vec<&At<Id>>| {
        let ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
        Known { section, word, ids }
    };
    let purposes = known("purpose", "purpose", e.purposes.iter().map(|x| &x.id).collect());
    let data = known("data", "data entry", e.data.iter().map(|x| &x.id).collect());
    let zones = known("zone", "zone", e.zones.iter().map(|x| &x.id).collect());
    let classes = known("retention", "retention class", e.retention.iter().map(|x| &x.id).collect());
    let recipients = known("recipient", "recipient", e.recipients.iter().map(|x| &x.id).collect());
    let roles = known("role", "role", e.roles.iter().map(|x| &x.id).collect());
    let kpis = known("kpi", "figure (`[[kpi]]`)", e.kpis.iter().map(|x| &x.id).collect());
    for x in &e.data {
        purposes.refer(check, &x.purpose);
        classes.refer(check, &x.retention);
    }
    for send in e.models.iter().flat_map(|model| &model.sends) {
        data.refer(check, &send.data);
    }
    for x in &e.flows {
        zones.refer(check, &x.from);
        zones.refer(check, &x.to);
        purposes.refer(check, &x.purpose);
    }
    for x in &e.roles {
        data.refer_scope(check, &x.data);
        x.purposes.iter().for_each(|id| purposes.refer(check, id));
        x.recipient.iter().for_each(|id| recipients.refer(check, id));
    }
    for x in &e.consent_forms {
        purposes.refer(check, &x.purpose);
    }
    for x in &e.projects {
        purposes.refer(check, &x.purpose);
        data.refer_scope(check, &x.data);
        x.recipient.iter().for_each(|id| recipients.refer(check, id));
    }
    if let Some(access) = &check.draft.access {
        for pair in &access.apart {
            for id in [&pair.one, &pair.other] {
                roles.refer(check, &At::new(id.clone(), pair.span()));
            }
        }
        access.console.iter().for_each(|id| roles.refer(check, id));
    }
    for x in &e.recipients {
        purposes.refer(check, &x.purpose);
        data.refer_scope(check, &x.data);
    }
    for x in &e.interfaces {
        purposes.refer(check, &x.purpose);
        data.refer_scope(check, &x.data);
        x.recipient.iter().for_each(|id| recipients.refer(check, id));
    }
    for x in &e.alarms {
        data.refer(check, &x.data);
    }
    if let Some(alarms) = &check.draft.alarms {
        alarms.always.iter().for_each(|id| data.refer(check, id));
        alarms.combined.iter().flat_map(|combined| &combined.limits).for_each(|(id, ..)| data.refer(check, id));
        let called =
            alarms.escalation.iter().flat_map(|escalation| &escalation.steps).filter_map(|step| step.role.as_ref());
        called.for_each(|id| roles.refer(check, id));
    }
    for id in e.gates.iter().flat_map(|gate| &gate.kpis) {
        kpis.refer(check, id);
    }
    repeated(check);
}

struct Known {
    section: &'static str,
    /// The section as a sentence names it.
    word: &'static str,
    ids: Vec<String>,
}

impl Known {
    fn refer(&self, check: &mut Check<'_>, id: &At<Id>) {
        let name = id.as_str();
        if self.ids.iter().any(|known| known == name) || check.draft.broken.contains(&(self.section, name.to_owned())) {
            return;
        }
        let words: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        let hint = match crate::decode::nearest(name, &words) {
            Some(near) => {
                format!("did you mean `{near}`? Otherwise declare `[[{}]]` with `id = \"{name}\"`", self.section)
            }
            None => format!("declare `[[{}]]` with `id = \"{name}\"`, or refer to one that is declared", self.section),
        };
        let message = format!("no {} is called `{name}`", self.word);
        check.found(DanglingReference, id.span(), message, "declared nowhere", hint);
    }

    fn refer_scope(&self, check: &mut Check<'_>, scope: &Scope) {
        if let Scope::Only(ids) = scope {
            ids.iter().for_each(|id| self.refer(check, id));
        }
    }
}

/// Names and where they stand.
type Names = Vec<(String, Range<usize>)>;

fn duplicates(check: &mut Check<'_>) {
    let e = check.entries;
    let mut all: Vec<(&str, Names)> = Vec::new();
    macro_rules! names {
        ($($section:literal $list:expr;)*) => { $(all.push(($section, $list.iter().map(|x| (x.id.to_string(), x.id.span())).collect()));)* };
    }
    names! {
        "purpose" e.purposes; "data" e.data; "device model" e.models; "zone" e.zones; "flow" e.flows; "role" e.roles;
        "retention class" e.retention; "recipient" e.recipients; "interface" e.interfaces; "gate" e.gates; "kpi" e.kpis; "consent form" e.consent_forms; "project" e.projects;
        "notice" e.notices;
    }
    if let Some(ward) = &check.draft.ward {
        all.push(("bed", ward.beds.iter().map(|bed| (bed.id.to_string(), bed.id.span())).collect()));
        all.push(("bed label", ward.beds.iter().map(|bed| (bed.label.to_string(), bed.label.span())).collect()));
    }
    if let Some(access) = &check.draft.access {
        let reasons = &access.break_glass_reasons;
        all.push(("reason", reasons.iter().map(|reason| (reason.id.to_string(), reason.id.span())).collect()));
    }
    for (what, names) in all {
        for (name, span, first) in doubles(names) {
            let message = format!("the {what} `{}` is declared twice", crate::problem::shown(&name));
            check.found_with(
                DuplicateId,
                span,
                message,
                "again here",
                "give one of them another name, or remove it",
                (first, "first here"),
            );
        }
    }
}

/// The second and further occurrences, each with the place of the first.
fn doubles<T: Hash + Eq + Clone>(items: Vec<(T, Range<usize>)>) -> Vec<(T, Range<usize>, Range<usize>)> {
    let mut first: HashMap<T, Range<usize>> = HashMap::new();
    let mut out = Vec::new();
    for (item, span) in items {
        match first.get(&item) {
            Some(before) => out.push((item, span, before.clone())),
            None => drop(first.insert(item, span)),
        }
    }
    out
}

fn repeated(check: &mut Check<'_>) {
    fn list<T: Hash + Eq + Clone>(
        items: &[At<T>],
        name: impl Fn(&T) -> String,
    ) -> Vec<(String, Range<usize>, Range<usize>)> {
        let items = items.iter().map(|item| ((**item).clone(), item.span())).collect();
        doubles(items).into_iter().map(|(item, again, first)| (name(&item), again, first)).collect()
    }
    fn plain<T: Display>(item: &T) -> String {
        item.to_string()
    }
    fn scope(scope: &Scope) -> Vec<(String, Range<usize>, Range<usize>)> {
        match scope {
            Scope::All => Vec::new(),
            Scope::Only(ids) => list(ids, plain),
        }
    }
    let e = check.entries;
    let mut found = Vec::new();
    for x in &e.models {
        found.extend(doubles(x.sends.iter().map(|send| (send.data.to_string(), send.data.span())).collect()));
    }
    for x in &e.roles {
        found.extend(list(&x.permissions, |permission| permission.as_str().to_owned()));
        found.extend(scope(&x.data));
        found.extend(list(&x.purposes, plain));
    }
    e.projects.iter().for_each(|x| found.extend(scope(&x.data)));
    e.recipients.iter().for_each(|x| found.extend(scope(&x.data)));
    e.interfaces.iter().for_each(|x| found.extend(scope(&x.data)));
    for x in &e.gates {
        found.extend(list(&x.kpis, plain));
        found.extend(list(&x.approvers, |approver| approver.as_str().to_owned()));
    }
    for x in &e.purposes {
        let grounds =
            x.basis.iter().chain(&x.exception).map(|ground| (ground.written.to_owned(), ground.span())).collect();
        found.extend(doubles(grounds));
    }
    e.retention.iter().for_each(|x| found.extend(list(&x.covers, |covers| covers.as_str().to_owned())));
    for (name, again, first) in found {
        let message = format!("`{name}` stands twice in one list");
        check.found_with(RepeatedItem, again, message, "again here", "remove one of them", (first, "first here"));
    }
}
