//! What only the inside can show: asking a part of the policies is asking all of them; the rule for emergencies opens nothing more than they do; a
//! failure denies.

use super::*;
use crate::question::{Assurance, Circumstances, Patient, PersonKind, Resource, Stay};
use obhut_charter::schema::Word as _;
use obhut_charter::{Charter, Date};
use obhut_model::{CaseId, PersonId, Subject, WardId};
use proptest::prelude::*;
use std::sync::LazyLock;

static DEMO: LazyLock<Checked> = LazyLock::new(|| {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charters/demo.toml")).unwrap();
    Charter::parse("demo", &text, Date::new(2026, 11, 24).unwrap()).unwrap()
});
static RULES: LazyLock<AccessRules> = LazyLock::new(|| AccessRules::compile(&DEMO).unwrap());

const NOW: i64 = 1_795_000_000_000_000;

fn ward() -> WardId {
    WardId::new("station-3").unwrap()
}

fn person(role: &str, trained: bool) -> Person {
    Person {
        id: PersonId::from_random([5; 16]),
        kind: PersonKind::Staff,
        grants: vec![RoleGrant {
            role: Arc::from(role),
            wards: vec![ward()],
            until: None,
            trained_until: trained.then(|| ServerTime::from_micros(NOW + 1)),
        }],
        assurance: Assurance::Passkey,
    }
}

fn patient(to: Option<i64>, restricted: bool) -> Resource {
    let stay =
        Stay { ward: ward(), from: ServerTime::from_micros(NOW - 10_000_000), to: to.map(ServerTime::from_micros) };
    Resource::Patient(Patient { subject: Subject::from_random([6; 16]), stays: vec![stay], cases: vec![], restricted })
}

fn circumstances(emergency: bool) -> Circumstances {
    let now = ServerTime::from_micros(NOW);
    Circumstances { emergency: emergency.then(|| CaseId::from_random([1; 16])), ..Circumstances::at(now) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_part_of_the_policies_says_what_all_say(
        role in prop::sample::select(vec!["nurse", "physician", "wall", "records", "privacy", "administrator"]),
        action in prop::sample::select(Action::ALL.iter().map(|(_, action)| *action).collect::<Vec<_>>()),
        purpose in prop::sample::select(vec!["monitoring", "relatives", "rights", "oversight", "operation"]),
        flags in any::<[bool; 5]>(),
    ) {
        let (trained, emergency, restricted, gone, consent) = (flags[0], flags[1], flags[2], flags[3], flags[4]);
        let person = person(role, trained);
        let resource = patient(gone.then_some(NOW - 8 * 86_400_000_000), restricted);
        let circumstances = Circumstances { consent, ..circumstances(emergency) };
        let question =
            Question { person: &person, action, resource: &resource, purpose, categories: &[], circumstances: &circumstances };
        let rules = &RULES.roles[role];
        if rules.actions.contains_key(&action) {
            let (part, all) =
                (RULES.ask(&question, rules, &person.grants[0]), RULES.ask_of(&RULES.all, &question, rules, &person.grants[0]));
            match (part, all) {
                (Verdict::Yes { policies: a }, Verdict::Yes { policies: b }) => prop_assert_eq!(a, b),
                (Verdict::No { reason: a, policies: x }, Verdict::No { reason: b, policies: y }) => {
                    prop_assert_eq!((a, x), (b, y));
                }
                _ => prop_assert!(false, "{role} {action:?} differ"),
            }
        }
    }

    #[test]
    fn the_rule_for_emergencies_opens_nothing_that_policies_would_not(
        role in prop::sample::select(vec!["nurse", "physician", "wall", "technician", "records", "privacy"]),
        action in prop::sample::select(Action::ALL.iter().map(|(_, action)| *action).collect::<Vec<_>>()),
        purpose in prop::sample::select(vec!["monitoring", "relatives", "rights", "operation"]),
        category in prop::sample::select(vec![None, Some("heart-rate"), Some("identity"), Some("consent")]),
        flags in any::<[bool; 3]>(),
    ) {
        let person = person(role, flags[0]);
        let resource = patient(Some(NOW - 90 * 86_400_000_000), flags[1]);
        let circumstances = circumstances(flags[2]);
        let categories: Vec<Arc<str>> = category.into_iter().map(Arc::from).collect();
        let question =
            Question { person: &person, action, resource: &resource, purpose, categories: &categories, circumstances: &circumstances };
        if emergency::decide(&RULES.emergency, &question).is_some() {
            prop_assert!(RULES.decide(&question).is_granted(), "{role} {action:?}");
        }
    }
}

#[test]
fn an_evaluation_error_denies_but_not_in_an_emergency() {
    let person = person("nurse", true);
    // A stay that ended just before the last instant there is, asked at that instant: the end of the rights lies beyond what can be counted.
    let resource = patient(Some(i64::MAX - 1), false);
    let at = |emergency: bool, action| {
        let circumstances = Circumstances { now: ServerTime::from_micros(i64::MAX), ..circumstances(emergency) };
        let mut person = person.clone();
        person.grants[0].trained_until = None;
        let question = Question {
            person: &person,
            action,
            resource: &resource,
            purpose: "monitoring",
            categories: &[],
            circumstances: &circumstances,
        };
        RULES.decide(&question).reason()
    };
    assert_eq!(at(false, Action::HistoryView), Some(Reason::PolicyFailed));
    assert_eq!(at(false, Action::Export), Some(Reason::NotPermitted));
    // Untrained, the minimal rule does not help either.
    assert_eq!(at(true, Action::ConsentManage), Some(Reason::PolicyFailed));
}

#[test]
fn without_policies_only_emergencies_are_left() {
    let bare = AccessRules::emergency_only(&DEMO);
    let resource = patient(None, false);
    let ask = |role: &str, trained: bool, emergency: bool, action| {
        let (person, circumstances) = (person(role, trained), circumstances(emergency));
        let question = Question {
            person: &person,
            action,
            resource: &resource,
            purpose: "monitoring",
            categories: &[],
            circumstances: &circumstances,
        };
        bare.decide(&question)
    };
    assert!(ask("nurse", true, false, Action::BreakGlass).is_granted(), "starting one");
    assert!(ask("nurse", true, true, Action::HistoryView).is_granted(), "using it");
    assert!(ask("nurse", true, true, Action::IdentityView).is_granted());
    for (role, trained, emergency, action) in [
        ("nurse", true, false, Action::HistoryView),
        ("nurse", true, false, Action::LiveView),
        ("nurse", false, true, Action::HistoryView),
        ("nurse", true, true, Action::ConsentManage),
        ("physician", true, true, Action::Export),
        ("wall", true, true, Action::LiveView),
        ("administrator", true, true, Action::PeopleManage),
        ("nobody", true, true, Action::HistoryView),
    ] {
        assert_eq!(ask(role, trained, emergency, action).reason(), Some(Reason::PolicyFailed), "{role} {action:?}");
    }
    let Decision::Granted(grant) = ask("nurse", true, true, Action::HistoryView) else { panic!() };
    assert!(grant.may_spool() && grant.is_emergency());
}
