//! An event as FHIR R4 `AuditEvent`, in the shape of IHE BALP 1.1 where BALP has a profile for it: who, in which role, for which purpose, which
//! categories, when, from where, with what result, for which request.
//!
//! The five fields of EHDS Annex II 3.2 are always there: provider (`agent[user].who` with its organisation, and `source.site`), person
//! (`agent[user].who.identifier`), categories (an entity `data` with one `category` each), time (`recorded`), origin (`agent[client].network`,
//! with `unknown` in words where there is none). Codes: DICOM PS3.16 CID 400 and following, FHIR `restful-interaction`, `iso-21089-lifecycle`, HL7 v3 ActReason.
//!
//! Patients and people are pseudonyms here; names come in only through [`Names`].

use crate::event::{Actor, Channel, Event, EventKind, Outcome};
use obhut_model::calendar::Utc;
use obhut_model::{PersonId, ServerTime};
use serde_json::{Map, Value, json};

/// Names for identifiers, given by whoever may know them. What is not known is left to the identifier.
pub trait Names {
    /// Display name of a person.
    fn person(&self, person: PersonId) -> Option<String>;
    /// Name of the controller's own organisation: the provider where an event names no other.
    fn controller(&self) -> String;
    /// Base of absolute identifiers, for example `https://obhut.example`.
    fn base(&self) -> String;
}

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";

/// Stands where something could not be known, so that the field is there.
const UNKNOWN: &str = "unknown";

/// What kind of act an event is, in the words of the standards.
struct Shape {
    kind: (&'static str, &'static str, &'static str),
    sub: (&'static str, &'static str, &'static str),
    action: &'static str,
    /// Name of the BALP profile without its prefix, for success without and with a patient.
    profile: Option<(&'static str, &'static str)>,
    /// Role of the client and of the server: who sends the data.
    roles: (Role, Role),
}

type Role = (&'static str, &'static str, &'static str);
const SOURCE: Role = (DCM, "110153", "Source Role ID");
const DESTINATION: Role = (DCM, "110152", "Destination Role ID");
const APPLICATION: Role = (DCM, "110150", "Application");
const CUSTODIAN: Role = ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian", "Custodian");

const RESTFUL: (&str, &str, &str) = (EVENT_TYPE, "rest", "RESTful Operation");
const SECURITY_ALERT: (&str, &str, &str) = (DCM, "110113", "Security Alert");

fn shape(event: &Event) -> Shape {
    let dicom = |kind: (&'static str, &'static str, &'static str), code, display, action| Shape {
        kind,
        sub: (DCM, code, display),
        action,
        profile: None,
        roles: (SOURCE, DESTINATION),
    };
    let life = |code, display, action| Shape {
        kind: (LIFECYCLE, code, display),
        sub: (LIFECYCLE, code, display),
        action,
        profile: None,
        roles: (APPLICATION, CUSTODIAN),
    };
    match event.kind {
        EventKind::Access | EventKind::Denial => rest(event),
        EventKind::SignIn => dicom((DCM, "110114", "User Authentication"), "110122", "Login", "E"),
        EventKind::SignOut => dicom((DCM, "110114", "User Authentication"), "110123", "Logout", "E"),
        EventKind::BreakGlassStart => dicom(SECURITY_ALERT, "110127", "Emergency Override Started", "E"),
        EventKind::BreakGlassStop => dicom(SECURITY_ALERT, "110138", "Emergency Override Stopped", "E"),
        EventKind::BreakGlassReview => life("verify", "Verify Record Lifecycle Event", "U"),
        EventKind::Consent => Shape {
            kind: RESTFUL,
            sub: (REST, "create", "create"),
            action: "C",
            profile: Some(("Create", "PatientCreate")),
            roles: (SOURCE, DESTINATION),
        },
        EventKind::Request => life("amend", "Amend (Update) Record Lifecycle Event", "U"),
        EventKind::Erasure | EventKind::Retention => life("destroy", "Destroy/Delete Record Lifecycle Event", "D"),
        EventKind::Backup => life("archive", "Archive Record Lifecycle Event", "E"),
        EventKind::People => dicom(SECURITY_ALERT, "110137", "User Security Attributes Changed", "U"),
        EventKind::Charter => dicom(SECURITY_ALERT, "110131", "Software Configuration", "U"),
        EventKind::Device => dicom(SECURITY_ALERT, "110134", "Hardware Configuration", "U"),
        EventKind::Key => dicom(SECURITY_ALERT, "110129", "Security Configuration", "U"),
        EventKind::Export => dicom((DCM, "110106", "Export"), "110106", "Export", "R"),
        EventKind::Search => dicom((DCM, "110101", "Audit Log Used"), "110101", "Audit Log Used", "R"),
        EventKind::System => dicom((DCM, "110100", "Application Activity"), "110120", "Application Start", "E"),
    }
}

/// What a person did at the interface: the action's word says whether it was looking, changing or removing.
fn rest(event: &Event) -> Shape {
    let changes = ["manage", "bind", "write", "set", "assign", "correct", "restrict"];
    let removes = ["unbind", "delete", "remove", "erase"];
    let has = |words: &[&str]| event.action.split('-').any(|part| words.contains(&part));
    if event.resource.id.is_none() && event.subject.is_none() {
        Shape {
            kind: RESTFUL,
            sub: (REST, "search-type", "search-type"),
            action: "E",
            profile: Some(("Query", "PatientQuery")),
            roles: (SOURCE, DESTINATION),
        }
    } else if has(&removes) {
        Shape {
            kind: RESTFUL,
            sub: (REST, "delete", "delete"),
            action: "D",
            profile: Some(("Delete", "PatientDelete")),
            roles: (APPLICATION, CUSTODIAN),
        }
    } else if has(&changes) {
        Shape {
            kind: RESTFUL,
            sub: (REST, "update", "update"),
            action: "U",
            profile: Some(("Update", "PatientUpdate")),
            roles: (SOURCE, DESTINATION),
        }
    } else {
        Shape {
            kind: RESTFUL,
            sub: (REST, "read", "read"),
            action: "R",
            profile: Some(("Read", "PatientRead")),
            roles: (DESTINATION, SOURCE),
        }
    }
}

impl Event {
    /// The event as FHIR R4 `AuditEvent`.
    #[must_use]
    pub fn to_fhir(&self, names: &dyn Names) -> Value {
        let shape = shape(self);
        let base = names.base();
        let mut out = Map::new();
        out.insert("resourceType".to_owned(), "AuditEvent".into());
        out.insert("id".to_owned(), self.request.to_string().into());
        // BALP's profiles are for success only; a refusal keeps the shape and does not claim the profile.
        if let (Some((plain, patient)), Outcome::Success) = (shape.profile, &self.outcome) {
            let name = if self.subject.is_some() { patient } else { plain };
            out.insert("meta".to_owned(), json!({"profile": [format!("{BALP}.{name}")]}));
        }
        out.insert("type".to_owned(), coding(shape.kind));
        out.insert("subtype".to_owned(), json!([coding(shape.sub)]));
        out.insert("action".to_owned(), shape.action.into());
        out.insert("recorded".to_owned(), instant(self.at).into());
        let (code, why) = match &self.outcome {
            Outcome::Success => ("0", None),
            Outcome::Denied(why) => ("4", Some(format!("denied: {why}"))),
            Outcome::Failed(why) => ("8", Some(format!("failed: {why}"))),
        };
        out.insert("outcome".to_owned(), code.into());
        if let Some(why) = why {
            out.insert("outcomeDesc".to_owned(), why.into());
        }
        if let Some(reason) = purpose(self) {
            out.insert("purposeOfEvent".to_owned(), json!([reason]));
        }
        out.insert("agent".to_owned(), Value::Array(self.agents(&shape, names, &base)));
        out.insert(
            "source".to_owned(),
            json!({
                "site": self.organisation.as_deref().map_or_else(|| names.controller(), str::to_owned),
                "observer": {"display": "Obhut", "identifier": {"system": base, "value": "obhut"}},
                "type": [coding(("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server"))],
            }),
        );
        out.insert("entity".to_owned(), Value::Array(self.entities(&shape, &base)));
        Value::Object(out)
    }

    fn agents(&self, shape: &Shape, names: &dyn Names, base: &str) -> Vec<Value> {
        let server = json!({
            "type": concept(shape.roles.1),
            "who": {"display": "Obhut", "identifier": {"system": base, "value": "obhut"}},
            "requestor": false,
            "network": {"address": base, "type": "5"},
        });
        let client = json!({
            "type": concept(shape.roles.0),
            "who": {"display": self.origin.channel.word(), "identifier": {"system": format!("{base}/session"), "value": session(self)}},
            "requestor": false,
            "network": match self.origin.address {
                Some(address) => json!({"address": address.to_string(), "type": "2"}),
                None => json!({"address": match self.origin.channel {
                    Channel::Console | Channel::Internal => "localhost",
                    Channel::Web | Channel::Device => UNKNOWN,
                }, "type": "1"}),
            },
        });
        vec![self.user(names, base), client, server]
    }

    fn user(&self, names: &dyn Names, base: &str) -> Value {
        let (system, value, display) = match &self.actor {
            Actor::Person(person) => ("person", person.to_string(), names.person(*person)),
            Actor::Console { uid } => ("console", format!("uid-{uid}"), Some("operator at the machine".to_owned())),
            Actor::Device(device) => ("device", device.to_string(), None),
            Actor::System => ("system", "obhut".to_owned(), Some("Obhut itself".to_owned())),
        };
        let organisation = self.organisation.as_deref().map_or_else(|| names.controller(), str::to_owned);
        let mut who = json!({"identifier": {
            "system": format!("{base}/{system}"), "value": value, "assigner": {"display": organisation},
        }});
        let mut user = json!({
            "type": concept((
                "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", "information recipient"
            )),
            "requestor": true,
        });
        if let (Some(who), Some(display)) = (who.as_object_mut(), &display) {
            who.insert("display".to_owned(), display.as_str().into());
        }
        if let Some(user) = user.as_object_mut() {
            user.insert("who".to_owned(), who);
            if let Some(role) = &self.role {
                let role = json!({"coding": [{"system": format!("{base}/role"), "code": &**role}], "text": &**role});
                user.insert("role".to_owned(), json!([role]));
            }
            if let Some(purpose) = purpose(self) {
                user.insert("purposeOfUse".to_owned(), json!([purpose]));
            }
            if !self.policies.is_empty() {
                let policies: Vec<String> = self.policies.iter().map(|p| format!("{base}/policy/{p}")).collect();
                user.insert("policy".to_owned(), json!(policies));
            }
        }
        user
    }

    fn entities(&self, shape: &Shape, base: &str) -> Vec<Value> {
        let resource = match &self.resource.id {
            Some(id) => format!("{}/{id}", self.resource.kind),
            None => self.resource.kind.to_string(),
        };
        let mut details: Vec<Value> =
            self.categories.iter().map(|category| json!({"type": "category", "valueString": &**category})).collect();
        if details.is_empty() {
            details.push(json!({"type": "category", "valueString": "none"}));
        }
        details.push(json!({"type": "permission", "valueString": &*self.action}));
        if let Some(case) = self.case {
            details.push(json!({"type": "case", "valueString": case.to_string()}));
        }
        let what = json!({"identifier": {"system": format!("{base}/{}", self.resource.kind), "value": resource}});
        // BALP's query profile knows one system object, the query itself; what it was about stands beside it as another thing.
        let is_search = shape.sub.1 == "search-type";
        let sort = if is_search { ("4", "Other") } else { ("2", "System Object") };
        let mut out = vec![json!({
            "what": what,
            "type": coding((ENTITY_TYPE, sort.0, sort.1)),
            "role": coding((OBJECT_ROLE, "4", "Domain Resource")),
            "detail": details,
        })];
        if is_search {
            // BALP wants the query on its own; ours is the kind of resource that was listed, nothing the caller typed.
            use base64::Engine as _;
            let query = base64::engine::general_purpose::STANDARD.encode(resource.as_bytes());
            out.push(json!({
                "type": coding((ENTITY_TYPE, "2", "System Object")),
                "role": coding((OBJECT_ROLE, "24", "Query")),
                "query": query,
            }));
        }
        if let Some(subject) = self.subject {
            out.push(json!({
                "what": {"type": "Patient", "identifier": {"system": format!("{base}/subject"), "value": subject.to_string()}},
                "type": coding((ENTITY_TYPE, "1", "Person")),
                "role": coding((OBJECT_ROLE, "1", "Patient")),
            }));
        }
        out.push(json!({
            "what": {"identifier": {"system": format!("{base}/request"), "value": self.request.to_string()}},
            "type": coding((BALP_ENTITY, "XrequestId", "XrequestId")),
        }));
        out
    }
}

/// The purpose as FHIR knows it, with the charter's own word beside it.
fn purpose(event: &Event) -> Option<Value> {
    let emergency = matches!(event.kind, EventKind::BreakGlassStart | EventKind::BreakGlassStop);
    let own = event.purpose.as_deref();
    let codes: &[(&str, &str)] = match own {
        Some("btg" | "emergency" | "break-glass") => &[("BTG", "break the glass"), ("ETREAT", "Emergency Treatment")],
        _ if emergency => &[("BTG", "break the glass"), ("ETREAT", "Emergency Treatment")],
        Some("treatment") => &[("TREAT", "treatment")],
        Some("research") => &[("HRESCH", "healthcare research")],
        Some("operation" | "operations" | "maintenance") => &[("HOPERAT", "healthcare operations")],
        Some("patient" | "own" | "relatives") => &[("PATRQT", "patient requested")],
        Some("legal" | "request" | "accountability" | "audit") => &[("HCOMPL", "health compliance")],
        Some(_) => &[],
        None => return None,
    };
    let mut coding: Vec<Value> =
        codes.iter().map(|(code, display)| json!({"system": REASON, "code": code, "display": display})).collect();
    if let Some(own) = own {
        coding.push(json!({"system": "urn:obhut:purpose", "code": own}));
    }
    let mut out = json!({"coding": coding});
    if let (Some(out), Some(own)) = (out.as_object_mut(), own) {
        out.insert("text".to_owned(), own.into());
    }
    Some(out)
}

fn session(event: &Event) -> String {
    event.origin.session.map_or_else(|| UNKNOWN.to_owned(), |session| crate::export::hex(&session))
}

fn coding((system, code, display): (&str, &str, &str)) -> Value {
    json!({"system": system, "code": code, "display": display})
}

fn concept(of: (&str, &str, &str)) -> Value {
    json!({"coding": [coding(of)]})
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn instant(at: ServerTime) -> String {
    Utc::from_micros(at.micros()).rfc3339()
}

/// The five fields EHDS Annex II 3.2 wants, read back from an `AuditEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ehds {
    /// The provider.
    pub provider: String,
    /// The person, or what acted instead.
    pub person: String,
    /// The categories of data.
    pub categories: Vec<String>,
    /// When.
    pub time: String,
    /// From where.
    pub origin: String,
}

impl Ehds {
    /// Reads the five fields. `None` if one is missing or empty: then the event does not do what the law wants.
    #[must_use]
    pub fn of(audit_event: &Value) -> Option<Self> {
        let text = |pointer: &str| {
            audit_event.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let categories: Vec<String> = audit_event
            .pointer("/entity/0/detail")?
            .as_array()?
            .iter()
            .filter(|detail| detail.get("type").and_then(Value::as_str) == Some("category"))
            .filter_map(|detail| detail.get("valueString").and_then(Value::as_str).map(str::to_owned))
            .collect();
        let found = Self {
            provider: text("/agent/0/who/identifier/assigner/display")?,
            person: text("/agent/0/who/identifier/value")?,
            categories,
            time: text("/recorded")?,
            origin: text("/agent/1/network/address")?,
        };
        (!found.categories.is_empty()).then_some(found)
    }
}
