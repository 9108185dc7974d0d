//! Events as AuditEvent: golden for a few, and the five fields of EHDS for all.

use crate::encoding::events;
use obhut_ledger::{Actor, Ehds, Event, EventKind, Names, Outcome};
use obhut_model::PersonId;
use proptest::prelude::*;
use serde_json::Value;

struct Known;

impl Names for Known {
    fn person(&self, _: PersonId) -> Option<String> {
        Some("N. Muster".to_owned())
    }

    fn controller(&self) -> String {
        "Klinikum Musterstadt".to_owned()
    }

    fn base(&self) -> String {
        "https://obhut.example".to_owned()
    }
}

fn golden(name: &str, event: &Event) {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let found = event.to_fhir(&Known);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    // As JSON: the order of an object's members means nothing, and differs with what else is built beside this crate.
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found, golden, "{name}: set UPDATE_GOLDEN to accept");
}

#[test]
fn audit_events_are_golden() {
    let read = crate::log::event(1);
    golden("patient-read", &read);
    golden(
        "denied",
        &Event { kind: EventKind::Denial, outcome: Outcome::Denied("no-relation".into()), ..read.clone() },
    );
    golden(
        "break-glass",
        &Event {
            kind: EventKind::BreakGlassStart,
            action: "break-glass".into(),
            purpose: Some("btg".into()),
            note: Some("never in the resource".to_owned()),
            ..read.clone()
        },
    );
    let list = Event { subject: None, resource: obhut_ledger::ResourceRef::new("patient", None), ..read };
    golden("query", &list);
    assert!(!list.to_fhir(&Known).to_string().contains("never"));
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

#[test]
fn break_glass_says_so_in_the_words_of_dicom_and_hl7() {
    let event = Event { kind: EventKind::BreakGlassStart, purpose: None, ..crate::log::event(1) };
    let audit = event.to_fhir(&Known);
    assert_eq!(at(&audit, "/type/code"), "110113");
    assert_eq!(at(&audit, "/subtype/0/code"), "110127");
    assert_eq!(at(&audit, "/agent/0/purposeOfUse/0/coding/0/code"), "BTG");
    assert_eq!(at(&audit, "/agent/0/purposeOfUse/0/coding/1/code"), "ETREAT");
    let stop = Event { kind: EventKind::BreakGlassStop, ..event }.to_fhir(&Known);
    assert_eq!(at(&stop, "/subtype/0/code"), "110138");
}

#[test]
fn balp_shapes_have_what_their_profiles_demand() {
    let read = crate::log::event(1).to_fhir(&Known);
    assert!(at(&read, "/meta/profile/0").ends_with("IHE.BasicAudit.PatientRead"));
    let agents = read["agent"].as_array().unwrap();
    let codes: Vec<&str> = agents.iter().map(|agent| at(agent, "/type/coding/0/code")).collect();
    assert_eq!(codes, ["IRCP", "110152", "110153"]);
    assert!(agents[0].get("network").is_none(), "users are not network devices");
    assert!(agents[1..].iter().all(|agent| agent.get("network").is_some() && agent.get("who").is_some()));
    let sorts: Vec<&str> = read["entity"].as_array().unwrap().iter().map(|e| at(e, "/type/code")).collect();
    assert_eq!(sorts, ["2", "1", "XrequestId"]);
    let query =
        Event { subject: None, resource: obhut_ledger::ResourceRef::new("patient", None), ..crate::log::event(1) };
    let query = query.to_fhir(&Known);
    let sorts: Vec<&str> = query["entity"].as_array().unwrap().iter().map(|e| at(e, "/type/code")).collect();
    assert_eq!(sorts, ["4", "2", "XrequestId"], "one system object only: the query");
    // A refusal claims no profile: those are for success.
    let denied = Event { outcome: Outcome::Denied("x".into()), ..crate::log::event(1) }.to_fhir(&Known);
    assert!(denied.get("meta").is_none() && at(&denied, "/outcome") == "4");
}

#[test]
fn times_are_those_of_the_calendar() {
    let at = |micros| {
        let event = Event { at: obhut_model::ServerTime::from_micros(micros), ..crate::log::event(1) };
        event.to_fhir(&Known)["recorded"].as_str().unwrap().to_owned()
    };
    assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(at(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(at(1_709_210_096_789_012), "2024-02-29T12:34:56.789012Z");
    assert_eq!(at(4_107_542_399_000_000), "2100-02-28T23:59:59.000000Z");
    assert_eq!(at(4_107_542_400_000_000), "2100-03-01T00:00:00.000000Z");
}

proptest! {
    #[test]
    fn the_five_fields_are_always_there(event in events()) {
        let audit = event.to_fhir(&Known);
        let five = Ehds::of(&audit).unwrap();
        prop_assert!(!five.categories.is_empty());
        prop_assert_eq!(five.provider, event.organisation.as_deref().unwrap_or("Klinikum Musterstadt"));
        if let Actor::Person(person) = event.actor {
            prop_assert_eq!(five.person, person.to_string());
        }
        if let Some(note) = event.note.filter(|note| note.len() > 12) {
            prop_assert!(!audit.to_string().contains(&note));
        }
    }
}
