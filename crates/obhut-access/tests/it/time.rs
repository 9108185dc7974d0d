//! What time does: rights shrink after discharge, roles, trainings, contracts and projects end, permits are short.

use crate::world::{DAY, DEMO, RULES, Situation, charter, me, now, patient, shipped, ward};
use obhut_access::rules::Thing;
use obhut_access::{
    AccessRules, Action, Assurance, Circumstances, Decision, Patient, Person, PersonKind, Question, Reason, Resource,
    RoleGrant, Stay,
};
use obhut_model::ServerTime;
use std::sync::Arc;

fn nurse(until: Option<ServerTime>, trained_until: Option<ServerTime>) -> Person {
    let grant = RoleGrant { role: Arc::from("nurse"), wards: vec![ward("station-3")], until, trained_until };
    Person { id: me(), kind: PersonKind::Staff, grants: vec![grant], assurance: Assurance::Passkey }
}

fn in_bed(from: ServerTime, to: Option<ServerTime>) -> Resource {
    let stays = vec![Stay { ward: ward("station-3"), from, to }];
    Resource::Patient(Patient { subject: patient(), stays, cases: vec![], restricted: false })
}

fn ask(person: &Person, resource: &Resource, at: ServerTime) -> Decision {
    RULES.decide(&Question {
        person,
        action: Action::HistoryView,
        resource,
        purpose: "monitoring",
        categories: &[],
        circumstances: &Circumstances::at(at),
    })
}

#[test]
fn rights_end_a_week_after_discharge_to_the_microsecond() {
    let person = nurse(None, Some(now().plus_micros(300 * DAY)));
    let left = now().plus_micros(3 * DAY);
    let resource = in_bed(now(), Some(left));
    for (after, granted) in [
        (-DAY, true),
        (-1, true),
        (0, true),
        (7 * DAY - 1, true),
        (7 * DAY, true),
        (7 * DAY + 1, false),
        (100 * DAY, false),
    ] {
        let decision = ask(&person, &resource, left.plus_micros(after));
        assert_eq!(decision.is_granted(), granted, "{after} after discharge: {decision:?}");
        if !granted {
            assert_eq!(decision.reason(), Some(Reason::Discharged));
        }
    }
    // Back on the ward: everything is there again.
    let Resource::Patient(mut back) = resource else { panic!() };
    back.stays.push(Stay { ward: ward("station-3"), from: left.plus_micros(50 * DAY), to: None });
    assert!(ask(&person, &Resource::Patient(back), left.plus_micros(60 * DAY)).is_granted());
}

#[test]
fn a_role_given_for_a_time_and_a_training_end_to_the_microsecond() {
    let resource = in_bed(now(), None);
    let end = now().plus_micros(DAY);
    let far = Some(now().plus_micros(300 * DAY));
    for (person, reason) in [(nurse(Some(end), far), Reason::RoleExpired), (nurse(None, Some(end)), Reason::Training)] {
        assert!(ask(&person, &resource, end.plus_micros(-1)).is_granted());
        let decision = ask(&person, &resource, end);
        assert_eq!(decision.reason(), Some(reason));
        assert!(!RULES.is_awake(&person, &person.grants[0], end) && RULES.permissions(&person, end).is_empty());
        // What is granted just before opens nothing just after.
        let Decision::Granted(grant) = ask(&person, &resource, end.plus_micros(-1)) else { panic!() };
        assert!(grant.until() < end);
    }
    assert_eq!(ask(&nurse(None, None), &resource, now()).reason(), Some(Reason::Training));
}

fn with(from: &str, to: &str) -> AccessRules {
    let text = shipped("demo");
    assert!(text.contains(from), "{from}");
    AccessRules::compile(&charter("changed", &text.replace(from, to))).unwrap()
}

#[test]
fn contract_pledge_and_project_end_with_their_last_day() {
    let service = Situation::generous("pump-service", Action::DeviceView, Thing::Device, "operation");
    let research = Situation {
        project: "pump-faults".to_owned(),
        ..Situation::generous("researcher", Action::ResearchExport, Thing::Project, "vendor-analytics")
    };
    // The situations are asked on 2026-11-24.
    for (day, granted) in [("2026-11-24", true), ("2026-11-25", true)] {
        let contract = with(
            "Wartung der Spritzenpumpen\", expiry = 2036-12-31",
            &format!("Wartung der Spritzenpumpen\", expiry = {day}"),
        );
        assert_eq!(service.decide(&contract).is_granted(), granted, "{day}");
        let project = with("k_min = 10\nexpiry = 2036-12-31", &format!("k_min = 10\nexpiry = {day}"));
        assert_eq!(research.decide(&project).is_granted(), granted, "{day}");
    }
    // The same charter, still loaded the day after.
    let contract =
        with("Wartung der Spritzenpumpen\", expiry = 2036-12-31", "Wartung der Spritzenpumpen\", expiry = 2026-11-24");
    let project = with("k_min = 10\nexpiry = 2036-12-31", "k_min = 10\nexpiry = 2026-11-24");
    let at = |rules: &AccessRules, situation: &Situation, at: ServerTime| {
        situation.ask(|question| {
            let mut person = question.person.clone();
            person.grants[0].trained_until = Some(at.plus_micros(DAY));
            let circumstances = Circumstances { now: at, ..*question.circumstances };
            rules.decide(&Question { circumstances: &circumstances, person: &person, ..*question }).reason()
        })
    };
    assert_eq!(at(&contract, &service, now().plus_micros(DAY - 1)), None);
    assert_eq!(at(&contract, &service, now().plus_micros(DAY)), Some(Reason::ContractEnded));
    assert_eq!(at(&project, &research, now().plus_micros(DAY - 1)), None);
    assert_eq!(at(&project, &research, now().plus_micros(DAY)), Some(Reason::ProjectEnded));
}

#[test]
fn a_permit_is_short_and_shorter_where_it_rests_on_consent() {
    let until = |situation: &Situation| match situation.decide(&RULES) {
        Decision::Granted(grant) => grant.until().since(now()),
        Decision::Denied(denial) => panic!("{denial:?}"),
    };
    let care = Situation::generous("nurse", Action::HistoryView, Thing::Patient, "monitoring");
    let relatives = Situation { purpose: "relatives".to_owned(), ..care.clone() };
    assert_eq!(until(&care), 60_000_000);
    assert_eq!(until(&relatives), 5_000_000);
    assert_eq!(Situation { consent: false, ..relatives }.decide(&RULES).reason(), Some(Reason::NoConsent));
    // A withdrawal does not touch the treatment.
    assert!(Situation { consent: false, ..care }.decide(&RULES).is_granted());
}

#[test]
fn the_purpose_nobody_names_is_the_first_of_a_role_that_is_awake() {
    let person = nurse(None, Some(now().plus_micros(DAY)));
    let purpose = |action, at| RULES.default_purpose(&person, action, at);
    assert_eq!(purpose(Action::HistoryView, now()).as_deref(), Some("monitoring"));
    assert_eq!(purpose(Action::Erase, now()), None);
    // Asleep, it is still named, so that the refusal is recorded with it.
    assert_eq!(purpose(Action::Bind, now().plus_micros(2 * DAY)).as_deref(), Some("monitoring"));
    let mut both = person.clone();
    both.grants[0].until = Some(now());
    both.grants.push(RoleGrant { role: Arc::from("technician"), wards: vec![], until: None, trained_until: None });
    assert_eq!(RULES.default_purpose(&both, Action::DeviceView, now()).as_deref(), Some("operation"));
    let bare = AccessRules::emergency_only(&DEMO);
    assert_eq!(bare.default_purpose(&person, Action::BreakGlass, now()).as_deref(), Some("monitoring"));
    assert_eq!((RULES.console_role().as_deref(), bare.console_role().as_deref()), (Some("console"), Some("console")));
}
