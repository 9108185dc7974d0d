//! From a charter to Cedar policies and the schema they are checked against.
//!
//! One `permit` for each role, action and kind of thing, which says who, what for, which data and through which relation. `forbid` policies take away
//! again: expired, untrained, discharged, restricted, without consent, ticket, pledge, contract or passkey. A `forbid` wins over every `permit`. The
//! words of a charter that end up in policy text are identifiers of `[a-z0-9-]`, so nothing in a charter can write a policy.

use super::things::{ADMINISTRATION, DISCLOSING, EMERGENCY, RESTRICTED, Thing, WHOLE, things_of};
use crate::Action;
use obhut_charter::schema::{Project, Relation, Role, Scope, Word as _};
use obhut_charter::{Checked, Date};
use std::fmt::Write as _;
use std::sync::Arc;

/// One policy as text, and where it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, as it stands in the ledger: `nurse/history-view/patient`, `forbid/restricted`.
    pub id: Arc<str>,
    /// Only for this role; `None`: for all.
    pub role: Option<Arc<str>>,
    /// Only for these actions; empty: for all.
    pub actions: Vec<Action>,
    /// The policy.
    pub text: String,
}

/// The schema: what kinds of things there are, and which action fits which.
#[must_use]
pub fn schema() -> String {
    let mut out = String::from(
        "entity Role;\n\
         entity Holder in [Role] { kind: String, person: String, assurance: String, self?: String, wards: Set<Ward>, until?: Long, trained?: Long };\n\
         entity System, People, Ledger, Register, Retention, Project, Device, Colleague, Ward;\n\
         entity Patient { self: String, here: Set<Ward>, was: Set<Ward>, left?: Long, leftWards?: Long, responsible: Set<String>, restricted: Bool };\n\
         type Circumstances = { purpose: String, data: Set<String>, words: Set<String>, now: Long, consent: Bool, emergency: Bool, ticket: Bool, pledged: Bool };\n",
    );
    for (word, action) in Action::ALL {
        let things: Vec<&str> = things_of(*action).iter().map(|thing| thing.entity_type()).collect();
        let _ = writeln!(
            out,
            "action \"{word}\" appliesTo {{ principal: [Holder], resource: [{}], context: Circumstances }};",
            things.join(", ")
        );
    }
    out
}

/// All policies of a charter.
#[must_use]
pub fn generate(charter: &Checked) -> Vec<Rule> {
    let mut out = Vec::new();
    let entries = &charter.charter().entries;
    for role in &entries.roles {
        for action in role.permissions.iter().map(|permission| **permission) {
            if action == Action::ResearchExport {
                out.extend(entries.projects.iter().filter_map(|project| research(charter, role, project)));
                continue;
            }
            out.extend(things_of(action).iter().filter_map(|thing| permit(charter, role, action, *thing)));
        }
        out.extend(emergency(charter, role));
        out.extend(conditions(charter, role));
    }
    out.extend(for_all(charter));
    out
}

fn set<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", items.join(", "))
}

fn actions(actions: &[Action]) -> String {
    let items: Vec<String> = actions.iter().map(|action| format!("Action::\"{}\"", action.as_str())).collect();
    format!("[{}]", items.join(", "))
}

/// To which sort of person a role is open.
pub(super) fn kind_of(charter: &Checked, role: &Role) -> &'static str {
    if charter.access().console.as_ref().is_some_and(|console| **console == *role.id) {
        "console"
    } else if *role.relation == Relation::Own {
        "patient"
    } else if role.recipient.is_some() {
        "external"
    } else {
        "staff"
    }
}

/// The data ids a role sees.
pub(super) fn data_of(charter: &Checked, scope: &Scope) -> Vec<Arc<str>> {
    match scope {
        Scope::All => charter.charter().entries.data.iter().map(|data| Arc::from(data.id.as_str())).collect(),
        Scope::Only(ids) => ids.iter().map(|id| Arc::from(id.as_str())).collect(),
    }
}

/// What for. Purposes that rest on consent only where something is shown to someone.
fn purposes(charter: &Checked, role: &Role, with_consent: bool) -> String {
    let served = role
        .purposes
        .iter()
        .map(|purpose| purpose.as_str())
        .filter(|purpose| with_consent || charter.purpose(purpose).is_some_and(|purpose| !*purpose.needs_consent));
    let served: Vec<&str> = served.collect();
    if served.is_empty() {
        "false".to_owned()
    } else {
        format!("{}.contains(context.purpose)", set(served.into_iter()))
    }
}

/// Which data a role sees. `context.data` holds identifiers the charter declares and nothing else, so for all of them there is nothing to ask.
fn seen(scope: &Scope) -> Option<String> {
    match scope {
        Scope::All => None,
        Scope::Only(ids) if ids.is_empty() => Some("context.data.isEmpty()".to_owned()),
        Scope::Only(ids) => Some(format!("{}.containsAll(context.data)", set(ids.iter().map(|id| id.as_str())))),
    }
}

/// Who, through which relation, what for, which data: what every permit of a role asks. What most questions fail at and costs least comes first.
fn base(charter: &Checked, role: &Role, action: Action, relation: Option<&str>) -> Vec<String> {
    let mut when = vec![format!("principal.kind == \"{}\"", kind_of(charter, role))];
    when.extend(relation.map(str::to_owned));
    when.push(purposes(charter, role, DISCLOSING.contains(&action)));
    if action.shows_values() && action != Action::BreakGlass {
        when.extend(seen(&role.data));
        if action != Action::OwnView {
            when.push("context.words.isEmpty()".to_owned());
        }
    } else if !WHOLE.contains(&action) {
        when.push("context.data.isEmpty()".to_owned());
    }
    when
}

fn permit(charter: &Checked, role: &Role, action: Action, thing: Thing) -> Option<Rule> {
    let mut relation = None;
    if action.needs_relation() {
        relation = Some(reached(*role.relation, thing)?);
    } else if *role.relation == Relation::Ticket && thing != Thing::Device {
        // People of other firms reach what their ticket names and no list of anything.
        return None;
    }
    let when = base(charter, role, action, relation);
    let id = format!("{}/{}/{}", *role.id, action.as_str(), thing.word());
    Some(rule_of(role, action, thing, &id, &when))
}

fn rule_of(role: &Role, action: Action, thing: Thing, id: &str, when: &[String]) -> Rule {
    let text = format!(
        "permit (principal in Role::\"{}\", action == Action::\"{}\", resource is {})\nwhen {{ {} }};",
        *role.id,
        action.as_str(),
        thing.entity_type(),
        when.join(" && ")
    );
    Rule { id: Arc::from(id), role: Some(Arc::from(role.id.as_str())), actions: vec![action], text }
}

/// Through what the role reaches `thing`; `None`: not at all.
const fn reached(relation: Relation, thing: Thing) -> Option<&'static str> {
    match (relation, thing) {
        (Relation::Ward | Relation::Case, Thing::Ward) => Some("principal.wards.contains(resource)"),
        (Relation::Ward, Thing::Patient) => {
            Some("(resource.here.containsAny(principal.wards) || resource.was.containsAny(principal.wards))")
        }
        (Relation::Case, Thing::Patient) => Some("resource.responsible.contains(principal.person)"),
        (Relation::Own, Thing::Patient) => Some("principal has self && resource.self == principal.self"),
        _ => None,
    }
}

fn emergency(charter: &Checked, role: &Role) -> Option<Rule> {
    let held: Vec<Action> = emergency_actions(role);
    if held.is_empty() {
        return None;
    }
    // One rule for all actions it opens: they see the same data, and names where the role sees names.
    let mut when = vec![in_emergency(charter, role), format!("principal.kind == \"{}\"", kind_of(charter, role))];
    when.extend(seen(&role.data));
    let text = format!(
        "permit (principal in Role::\"{}\", action in {}, resource is Patient)\nwhen {{ {} }};",
        *role.id,
        actions(&held),
        when.join(" && ")
    );
    let id = Arc::from(format!("{}/emergency", *role.id));
    Some(Rule { id, role: Some(Arc::from(role.id.as_str())), actions: held, text })
}

/// That an emergency access runs, for what emergencies are for. They never rest on a consent.
fn in_emergency(charter: &Checked, role: &Role) -> String {
    let purposes = purposes(charter, role, false);
    format!("context.emergency && {purposes} && [\"identity\"].containsAll(context.words)")
}

/// What a running emergency access opens for `role`; empty if it has none.
pub(super) fn emergency_actions(role: &Role) -> Vec<Action> {
    let holds = |action: Action| role.permissions.iter().any(|permission| **permission == action);
    if !holds(Action::BreakGlass) {
        return Vec::new();
    }
    EMERGENCY.iter().copied().filter(|action| holds(*action)).collect()
}

fn research(charter: &Checked, role: &Role, project: &Project) -> Option<Rule> {
    if !role.purposes.iter().any(|purpose| **purpose == *project.purpose) {
        return None;
    }
    let data = data_of(charter, &project.data);
    let when = [
        format!("principal.kind == \"{}\"", kind_of(charter, role)),
        format!("context.purpose == \"{}\"", *project.purpose),
        format!("{}.containsAll(context.data)", set(data.iter().map(AsRef::as_ref))),
        "context.words.isEmpty()".to_owned(),
    ];
    let action = Action::ResearchExport;
    let text = format!(
        "permit (principal in Role::\"{}\", action == Action::\"{}\", resource == Project::\"{}\")\nwhen {{ {} }};",
        *role.id,
        action.as_str(),
        *project.id,
        when.join(" && ")
    );
    let id = Arc::from(format!("{}/{}/{}", *role.id, action.as_str(), *project.id));
    Some(Rule { id, role: Some(Arc::from(role.id.as_str())), actions: vec![action], text })
}

/// What a role is taken away by.
fn conditions(charter: &Checked, role: &Role) -> Vec<Rule> {
    let mut out = Vec::new();
    let mut forbid = |what: &str, scope: &str, actions: Vec<Action>, condition: &str| {
        let text = format!("forbid (principal in Role::\"{}\", {scope})\n{condition};", *role.id);
        let id = Arc::from(format!("forbid/{what}/{}", *role.id));
        out.push(Rule { id, role: Some(Arc::from(role.id.as_str())), actions, text });
    };
    if role.training.is_some() {
        forbid(
            "training",
            "action, resource",
            Vec::new(),
            "unless { principal has trained && context.now < principal.trained }",
        );
    }
    if *role.relation == Relation::Ticket {
        forbid("ticket", "action, resource", Vec::new(), "unless { context.ticket }");
    }
    if let Some(recipient) = role.recipient.as_ref().and_then(|id| charter.recipient(id.as_str())) {
        forbid("pledge", "action, resource", Vec::new(), "unless { context.pledged }");
        let pledge = recipient.secrecy_pledge.as_ref().map(|pledge| pledge.expiry);
        let last = pledge.map_or(recipient.contract.expiry, |pledge| pledge.min(recipient.contract.expiry));
        let condition = format!("when {{ context.now >= {} }}", end_of(last));
        forbid("contract", "action, resource", Vec::new(), &condition);
    }
    // What a running emergency access opens, discharge and restriction do not close. All else they close with or without one.
    let held: Vec<Action> = role.permissions.iter().map(|permission| **permission).collect();
    let lifted = emergency_actions(role);
    let emergency = in_emergency(charter, role);
    let mut closed = |what: &str, among: &dyn Fn(Action) -> bool, open: &str| {
        let (in_emergency, always): (Vec<Action>, Vec<Action>) =
            held.iter().copied().filter(|action| among(*action)).partition(|action| lifted.contains(action));
        for (name, list, open) in [
            (what.to_owned(), always, open.to_owned()),
            (format!("{what}-unless-emergency"), in_emergency, format!("({emergency}) || {open}")),
        ] {
            if !list.is_empty() {
                let scope = format!("action in {}, resource is Patient", actions(&list));
                forbid(&name, &scope, list, &format!("unless {{ {open} }}"));
            }
        }
    };
    closed("restricted", &|action| RESTRICTED.contains(&action), "!resource.restricted");
    let after = i64::try_from(charter.access().after_discharge.seconds()).unwrap_or(0).saturating_mul(1_000_000);
    let left = match *role.relation {
        Relation::Ward => Some(("resource.here.containsAny(principal.wards)", "leftWards")),
        Relation::Case => Some(("!resource.here.isEmpty()", "left")),
        Relation::Own | Relation::Ticket | Relation::None => None,
    };
    if let Some((here, left)) = left {
        let open = format!("{here} || (resource has {left} && context.now <= resource.{left} + {after})");
        closed("discharged", &reaches, &open);
    }
    out
}

/// Whether `action` can reach one patient through a relation.
fn reaches(action: Action) -> bool {
    action.needs_relation() && things_of(action).contains(&Thing::Patient)
}

/// What holds for every role.
fn for_all(charter: &Checked) -> Vec<Rule> {
    let mut out = vec![
        Rule {
            id: Arc::from("forbid/expired"),
            role: None,
            actions: Vec::new(),
            text:
                "forbid (principal, action, resource)\nwhen { principal has until && context.now >= principal.until };"
                    .to_owned(),
        },
        Rule {
            id: Arc::from("forbid/assurance"),
            role: None,
            actions: ADMINISTRATION.to_vec(),
            text: format!(
                "forbid (principal, action in {}, resource)\nwhen {{ principal.assurance == \"oidc\" }};",
                actions(ADMINISTRATION)
            ),
        },
    ];
    let entries = &charter.charter().entries;
    for purpose in entries.purposes.iter().filter(|purpose| *purpose.needs_consent) {
        out.push(Rule {
            id: Arc::from(format!("forbid/consent/{}", *purpose.id)),
            role: None,
            actions: Vec::new(),
            text: format!(
                // A project is about many: its permit opens only what is about those who agreed (`Sealed::open_of_member`).
                "forbid (principal, action, resource)\nwhen {{ context.purpose == \"{}\" && action != Action::\"research-export\" }} unless {{ context.consent }};",
                *purpose.id
            ),
        });
    }
    for project in &entries.projects {
        out.push(Rule {
            id: Arc::from(format!("forbid/project/{}", *project.id)),
            role: None,
            actions: vec![Action::ResearchExport],
            text: format!(
                "forbid (principal, action == Action::\"research-export\", resource == Project::\"{}\")\nwhen {{ context.now >= {} }};",
                *project.id,
                end_of(*project.expiry)
            ),
        });
    }
    out
}

/// The first microsecond after a day, in UTC.
pub(super) fn end_of(day: Date) -> i64 {
    let Ok(epoch) = Date::new(1970, 1, 1) else { return 0 };
    (day.days_since(epoch) + 1) * 86_400 * 1_000_000
}
