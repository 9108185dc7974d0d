//! Every route has its denial: each route of the table, asked by each role of the demonstration's charter, by somebody without a role, by somebody
//! whose account was closed, behind a locked screen, and by nobody. The rules in force are the oracle; every refusal is in the ledger.
//!
//! A route that is added without a case here fails this test by its name.

use crate::house::{House, Person, entries};
use crate::support::{Server, demo_charter};
use crate::visitor::{Reply, Visitor};
use obhut_access::{
    AccessRules, Action, Assurance, Circumstances, Patient, PersonKind, Question, Resource, RoleGrant, Stay,
};
use obhut_charter::schema::Relation;
use obhut_charter::{Charter, Checked, Date};
use obhut_http::api::{Needs, all};
use obhut_model::{ServerTime, WardId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a route asks the desk about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    System,
    Ward,
    Patient,
    People,
    Person,
    Ledger,
    Register,
    Retention,
    Project,
    /// The asker's own data: a patient's, or nobody's.
    Own,
    /// The asker's session alone.
    Session,
    /// An emergency access of the nurse's: nobody else's to touch.
    OfTheNurse,
    /// Open to everybody; these are its answers to nobody.
    Open(&'static [u16]),
}

/// One request to one route.
#[derive(Debug, Clone)]
struct Case {
    route: (&'static str, &'static str),
    url: String,
    body: Value,
    about: About,
    categories: &'static [&'static str],
    /// Who may ask for it at all is refused here all the same: it is done at the machine itself.
    only_at_the_machine: bool,
    /// What changes much is asked last.
    order: u8,
}

/// Numbers of what is there.
struct Things {
    subject: String,
    victim: String,
    consent: String,
    request: String,
    hold: String,
    ticket: String,
    crosswalk: String,
    search: String,
    emergency: String,
}

fn things(house: &mut House<'_>) -> Things {
    let subject = house.subject.clone();
    let consent = house.consent(&subject, "research");
    house.server.invite("pump-01", "pump-p1", None);
    let invited = house.invited("victim", &json!({"roles": [{"role": "nurse"}]}));
    let victim = invited["id"].as_str().unwrap().to_owned();
    let soon = crate::signin::today() + 3_600_000_000;
    let external = house.id("pump-service");
    let mut case = |role: &str, path: &str, body: Value| {
        house.who(role).done("POST", path, &body)["case"].as_str().unwrap().to_owned()
    };
    let request = json!({"subject": subject, "kind": "access", "channel": "letter"});
    let hold =
        json!({"subject": subject, "reason": "opinion", "number": "4 O 1/26", "requester": "court", "review": soon});
    let ticket = json!({"person": external, "device": "pump-01", "reason": "battery", "until": soon});
    let walk = json!({"domain": "project/early-warning", "pseudonym": "00".repeat(16), "purpose": "a finding"});
    Things {
        request: case("records", "/requests", request),
        hold: case("records", "/retention/holds", hold),
        ticket: case("technician", "/tickets", ticket),
        crosswalk: case("physician", "/crosswalk", walk),
        search: case("privacy", "/ledger/search", json!({"person": victim, "reason": "a complaint"})),
        emergency: case("nurse", "/break-glass", json!({"bed": "bed-03", "reason": "acute", "text": ""})),
        subject,
        victim,
        consent,
    }
}

#[rustfmt::skip]
fn cases(t: &Things) -> Vec<Case> {
    use About::*;
    let Things { subject, victim, consent, request, hold, ticket, crosswalk, search, emergency } = t;
    let soon = crate::signin::today() + 3_600_000_000;
    let none = Value::Null;
    let identity = json!({"family": "Neu", "given": "Nora", "birth_date": "1950-01-31", "record_number": "R-77"});
    let person = json!({"name": "X", "kind": "staff"});
    let text = json!({"text": "as agreed"});
    let answer = json!({"form": "research", "version": "none", "lang": "de", "decision": "refused"});
    let erase = json!({"subject": subject, "reason": "request"});
    let propose = json!({"class": "trend", "reason": "x", "number": "x", "requester": "x", "review": soon});
    let walk = json!({"domain": "project/early-warning", "pseudonym": "11".repeat(16), "purpose": "y"});
    let rows: Vec<(&'static str, &'static str, String, Value, About, &'static [&'static str], u8)> = vec![
        ("GET", "/alarms", "/alarms".into(), none.clone(), Ward, &[], 0),
        ("POST", "/alarms/acts", "/alarms/acts".into(), json!({"id": "ab".repeat(16), "what": {"do": "accept", "alarm": "none"}}), Ward, &[], 1),
        ("GET", "/alarms/statistics", "/alarms/statistics".into(), none.clone(), Ward, &[], 0),
        ("GET", "/beds/{bed}/alarms/history", "/beds/bed-03/alarms/history".into(), none.clone(), Patient, &[], 0),
        ("POST", "/beds/{bed}/alarms/acts", "/beds/bed-03/alarms/acts".into(), json!({"id": "cd".repeat(16), "what": {"do": "resume"}}), Ward, &[], 1),
        ("GET", "/beds/{bed}/limits", "/beds/bed-03/limits".into(), none.clone(), Ward, &[], 0),
        ("POST", "/beds/{bed}/limits", "/beds/bed-03/limits".into(), json!({"id": "ef".repeat(16), "what": {"do": "pause-alarms", "seconds": 1, "reason": "x"}}), Patient, &[], 1),
        ("GET", "/beds/{bed}/score", "/beds/bed-03/score".into(), none.clone(), Ward, &[], 0),
        ("POST", "/beds/{bed}/score/inputs", "/beds/bed-03/score/inputs".into(), json!({"breathing": "air"}), Ward, &[], 1),
        ("POST", "/beds/{bed}/score/scale", "/beds/bed-03/score/scale".into(), json!({"scale": 1, "reason": "x"}), Patient, &[], 1),
        ("GET", "/backups", "/backups".into(), none.clone(), System, &[], 0),
        ("POST", "/backups", "/backups".into(), json!({"to": "/nowhere"}), System, &[], 9),
        ("POST", "/backups/key", "/backups/key".into(), json!({"to": "/nowhere"}), System, &[], 9),
        ("POST", "/backups/give-up", "/backups/give-up".into(), json!({"to": "/nowhere"}), System, &[], 9),
        ("GET", "/break-glass/reasons", "/break-glass/reasons".into(), none.clone(), Session, &[], 0),
        ("POST", "/break-glass", "/break-glass".into(), json!({"bed": "bed-03", "reason": "acute", "text": ""}), Patient, &[], 1),
        ("GET", "/break-glass", "/break-glass".into(), none.clone(), Session, &[], 0),
        ("DELETE", "/break-glass/{case}", format!("/break-glass/{emergency}"), none.clone(), OfTheNurse, &[], 0),
        ("POST", "/break-glass/{case}/explain", format!("/break-glass/{emergency}/explain"), text.clone(), OfTheNurse, &[], 0),
        ("GET", "/break-glass/reviews", "/break-glass/reviews".into(), none.clone(), Register, &["access-log"], 0),
        ("POST", "/break-glass/{case}/review", format!("/break-glass/{emergency}/review"), json!({"verdict": "justified"}), Register, &["access-log"], 1),
        ("GET", "/patients/{subject}/cases", format!("/patients/{subject}/cases"), none.clone(), Ward, &["binding"], 0),
        ("PUT", "/patients/{subject}/cases", format!("/patients/{subject}/cases"), json!({}), Ward, &["binding"], 1),
        ("DELETE", "/patients/{subject}/cases", format!("/patients/{subject}/cases"), json!({}), Ward, &["binding"], 2),
        ("GET", "/consent-forms", "/consent-forms".into(), none.clone(), Session, &[], 0),
        ("GET", "/patients/{subject}/consents", format!("/patients/{subject}/consents"), none.clone(), Patient, &["consent"], 0),
        ("POST", "/patients/{subject}/consents", format!("/patients/{subject}/consents"), answer.clone(), Patient, &["consent"], 1),
        ("POST", "/consents/{case}/withdraw", format!("/consents/{consent}/withdraw"), json!({}), Patient, &["consent"], 2),
        ("GET", "/tickets", "/tickets".into(), none.clone(), Register, &[], 0),
        ("POST", "/tickets", "/tickets".into(), json!({"person": victim, "device": "pump-77", "reason": "x", "until": soon}), Register, &[], 1),
        ("POST", "/tickets/{case}/close", format!("/tickets/{ticket}/close"), json!({}), Register, &[], 2),
        ("GET", "/service", "/service".into(), none.clone(), Session, &[], 0),
        ("GET", "/ledger", "/ledger".into(), none.clone(), Ledger, &["access-log"], 0),
        ("GET", "/ledger/entries/{index}", "/ledger/entries/0".into(), none.clone(), Ledger, &["access-log"], 0),
        ("GET", "/ledger/entries/{index}/proof", "/ledger/entries/0/proof".into(), none.clone(), Ledger, &["access-log"], 0),
        ("GET", "/ledger/export", "/ledger/export?from=0".into(), none.clone(), Ledger, &["access-log"], 9),
        ("GET", "/ledger/search", "/ledger/search".into(), none.clone(), Ledger, &["access-log"], 0),
        ("POST", "/ledger/search", "/ledger/search".into(), json!({"person": victim, "reason": "x"}), Ledger, &["access-log"], 1),
        ("GET", "/ledger/search/{case}", format!("/ledger/search/{search}"), none.clone(), Ledger, &["access-log"], 0),
        ("POST", "/ledger/search/{case}/answer", format!("/ledger/search/{search}/answer"), json!({"agree": true}), Ledger, &["access-log"], 1),
        ("GET", "/ledger/key", "/ledger/key".into(), none.clone(), Open(&[200]), &[], 0),
        ("GET", "/ledger/checkpoint", "/ledger/checkpoint".into(), none.clone(), Open(&[200, 404]), &[], 0),
        ("GET", "/ledger/tile/{*path}", "/ledger/tile/0/999".into(), none.clone(), Open(&[404]), &[], 0),
        ("GET", "/live", "/live".into(), none.clone(), Ward, &[], 0),
        ("GET", "/keys", "/keys".into(), none.clone(), System, &[], 0),
        ("POST", "/keys/rotate", "/keys/rotate".into(), json!({}), System, &[], 2),
        ("GET", "/own", "/own".into(), none.clone(), Own, &["identity", "binding"], 0),
        ("GET", "/own/readings", "/own/readings?code=MDC_ECG_HEART_RATE&from=0&to=1".into(), none.clone(), Own, &["heart-rate"], 0),
        ("GET", "/own/accesses", "/own/accesses".into(), none.clone(), Own, &["access-log"], 0),
        ("GET", "/own/consents", "/own/consents".into(), none.clone(), Own, &["consent"], 0),
        ("POST", "/own/consents", "/own/consents".into(), answer, Own, &["consent"], 1),
        ("POST", "/own/consents/{case}/withdraw", format!("/own/consents/{consent}/withdraw"), json!({}), Own, &["consent"], 1),
        ("GET", "/own/notices", "/own/notices".into(), none.clone(), Own, &["notice"], 0),
        ("POST", "/own/notices", "/own/notices".into(), json!({"notice": "monitoring", "version": "none"}), Own, &["notice"], 1),
        ("GET", "/own/requests", "/own/requests".into(), none.clone(), Own, &["request"], 0),
        ("POST", "/own/requests", "/own/requests".into(), json!({"kind": "access"}), Own, &["request"], 1),
        ("GET", "/own/copy", "/own/copy?format=csv".into(), none.clone(), Own, &["identity"], 0),
        ("GET", "/people", "/people".into(), none.clone(), People, &["people"], 0),
        ("POST", "/people", "/people".into(), person, People, &["people"], 1),
        ("POST", "/people/{id}/rename", format!("/people/{victim}/rename"), json!({"name": "Y"}), Person, &["people"], 1),
        ("POST", "/people/{id}/grant", format!("/people/{victim}/grant"), json!({"role": "technician"}), Person, &["people"], 1),
        ("POST", "/people/{id}/ungrant", format!("/people/{victim}/ungrant"), json!({"role": "technician"}), Person, &["people"], 2),
        ("POST", "/people/{id}/train", format!("/people/{victim}/train"), json!({"role": "nurse"}), Person, &["people"], 1),
        ("POST", "/people/{id}/pledge", format!("/people/{victim}/pledge"), json!({"until": soon}), Person, &["people"], 1),
        ("POST", "/people/{id}/disable", format!("/people/{victim}/disable"), json!({}), Person, &["people"], 3),
        ("POST", "/people/{id}/enable", format!("/people/{victim}/enable"), json!({}), Person, &["people"], 4),
        ("POST", "/people/{id}/link", format!("/people/{victim}/link"), json!({}), Person, &["people"], 1),
        ("POST", "/people/{id}/sign-out", format!("/people/{victim}/sign-out"), json!({}), Person, &["people"], 2),
        ("POST", "/patients/{subject}/link", format!("/patients/{subject}/link"), json!({}), Patient, &["people"], 1),
        ("GET", "/requests", "/requests".into(), none.clone(), Register, &["request"], 0),
        ("POST", "/requests", "/requests".into(), json!({"subject": subject, "kind": "access", "channel": "mail"}), Register, &["request"], 1),
        ("GET", "/requests/{case}", format!("/requests/{request}"), none.clone(), Patient, &[], 0),
        ("GET", "/requests/{case}/copy", format!("/requests/{request}/copy?format=csv"), none.clone(), Patient, &[], 0),
        ("POST", "/requests/{case}/identify", format!("/requests/{request}/identify"), text.clone(), Patient, &[], 1),
        ("POST", "/requests/{case}/extend", format!("/requests/{request}/extend"), text.clone(), Patient, &[], 2),
        ("POST", "/requests/{case}/refuse", format!("/requests/{request}/refuse"), json!({"ground": "excessive", "text": "x"}), Patient, &[], 5),
        ("POST", "/requests/{case}/fulfil", format!("/requests/{request}/fulfil"), text.clone(), Patient, &[], 4),
        ("POST", "/requests/{case}/correct", format!("/requests/{request}/correct"), json!({"reason": "x"}), Patient, &[], 2),
        ("POST", "/requests/{case}/restrict", format!("/requests/{request}/restrict"), text.clone(), Patient, &[], 2),
        ("POST", "/requests/{case}/unrestrict", format!("/requests/{request}/unrestrict"), text, Patient, &[], 3),
        ("POST", "/requests/{case}/told", format!("/requests/{request}/told"), json!({"recipient": "pump-maker", "text": "x"}), Patient, &[], 2),
        ("GET", "/projects", "/projects".into(), none.clone(), Session, &[], 0),
        ("POST", "/projects/{id}/export", "/projects/early-warning/export".into(), json!({}), Project, &["heart-rate", "resp-rate"], 1),
        ("GET", "/crosswalk", "/crosswalk".into(), none.clone(), Register, &[], 0),
        ("POST", "/crosswalk", "/crosswalk".into(), walk, Register, &[], 1),
        ("POST", "/crosswalk/{case}/approve", format!("/crosswalk/{crosswalk}/approve"), json!({"approve": true}), Register, &[], 1),
        ("POST", "/crosswalk/{case}/open", format!("/crosswalk/{crosswalk}/open"), json!({}), Register, &[], 2),
        ("GET", "/retention", "/retention".into(), none.clone(), Retention, &[], 0),
        ("POST", "/retention/run", "/retention/run".into(), json!({"dry": true}), Retention, &[], 1),
        ("GET", "/retention/holds", "/retention/holds".into(), none.clone(), Retention, &[], 0),
        ("POST", "/retention/holds", "/retention/holds".into(), propose, Retention, &[], 1),
        ("POST", "/retention/holds/{case}/approve", format!("/retention/holds/{hold}/approve"), json!({}), Retention, &[], 1),
        ("POST", "/retention/holds/{case}/review", format!("/retention/holds/{hold}/review"), json!({"review": soon}), Retention, &[], 1),
        ("POST", "/retention/holds/{case}/release", format!("/retention/holds/{hold}/release"), json!({"reason": "x"}), Retention, &[], 2),
        ("GET", "/erasures", "/erasures".into(), none.clone(), Retention, &[], 0),
        ("POST", "/erasures", "/erasures".into(), erase, Patient, &[], 1),
        ("GET", "/erasures/{case}/certificate", format!("/erasures/{hold}/certificate"), none.clone(), Retention, &[], 0),
        ("GET", "/session", "/session".into(), none.clone(), Open(&[401]), &[], 0),
        ("GET", "/session/ways", "/session/ways".into(), none.clone(), Open(&[200]), &[], 0),
        ("POST", "/session/link", "/session/link".into(), json!({"token": "nonsense"}), Open(&[403]), &[], 0),
        ("POST", "/session/register", "/session/register".into(), json!({"token": "nonsense", "credential": {}}), Open(&[400, 403]), &[], 0),
        ("POST", "/session/passkey/begin", "/session/passkey/begin".into(), json!({}), Open(&[200]), &[], 0),
        ("POST", "/session/passkey/finish", "/session/passkey/finish".into(), json!({"ceremony": "x", "credential": {}}), Open(&[400, 403]), &[], 0),
        ("GET", "/session/oidc/start", "/session/oidc/start".into(), none.clone(), Open(&[303, 404]), &[], 0),
        ("GET", "/session/oidc/callback", "/session/oidc/callback?code=x&state=y".into(), none.clone(), Open(&[303, 404]), &[], 0),
        ("POST", "/session/active", "/session/active".into(), json!({}), Session, &[], 0),
        ("POST", "/session/lock", "/session/lock".into(), json!({}), Open(&[401]), &[], 0),
        ("POST", "/session/unlock", "/session/unlock".into(), json!({"ceremony": "x", "credential": {}}), Open(&[401, 403]), &[], 0),
        ("POST", "/session/switch", "/session/switch".into(), json!({}), Open(&[204, 401]), &[], 0),
        ("DELETE", "/session", "/session".into(), none.clone(), Open(&[204]), &[], 0),
        ("GET", "/session/all", "/session/all".into(), none.clone(), Session, &[], 0),
        ("DELETE", "/session/all/{id}", format!("/session/all/{hold}"), none.clone(), Session, &[], 0),
        ("GET", "/patients", "/patients?names=1".into(), none.clone(), Ward, &[], 0),
        ("GET", "/patients/{subject}", format!("/patients/{subject}"), none.clone(), Patient, &["identity"], 0),
        ("GET", "/patients/{subject}/codes", format!("/patients/{subject}/codes"), none.clone(), Patient, &[], 0),
        ("GET", "/patients/{subject}/readings", format!("/patients/{subject}/readings?code=MDC_ECG_HEART_RATE&from=0&to=1"), none.clone(), Patient, &["heart-rate"], 0),
        ("GET", "/patients/{subject}/export", format!("/patients/{subject}/export?format=csv"), none.clone(), Patient, &[], 0),
        ("PUT", "/beds/{bed}/patient", "/beds/bed-05/patient".into(), identity, Ward, &["identity", "binding"], 1),
        ("DELETE", "/beds/{bed}/patient", "/beds/bed-05/patient".into(), none.clone(), Ward, &["binding"], 2),
        ("GET", "/devices", "/devices".into(), none.clone(), Ward, &[], 0),
        ("GET", "/system", "/system".into(), none.clone(), System, &[], 0),
        ("GET", "/metrics", "/metrics".into(), none.clone(), System, &[], 0),
        ("GET", "/charter", "/charter".into(), none, Session, &[], 0),
    ];
    rows.into_iter()
        .map(|(method, path, url, body, about, categories, order)| Case { route: (method, path), url, body, about, categories, order, only_at_the_machine: order == 9 })
        .collect()
}

/// The routes of the server and what each needs.
fn routes() -> BTreeMap<(String, String), Needs> {
    all().into_iter().map(|route| ((route.method.to_string(), route.path.to_owned()), route.needs)).collect()
}

/// Every route has exactly one case, and what the case says it needs is what the route declares.
fn complete(cases: &[Case], routes: &BTreeMap<(String, String), Needs>) {
    let named: BTreeSet<(String, String)> =
        cases.iter().map(|case| (case.route.0.to_owned(), case.route.1.to_owned())).collect();
    let known: BTreeSet<(String, String)> = routes.keys().cloned().collect();
    let without: Vec<_> = known.difference(&named).collect();
    assert!(without.is_empty(), "routes without a denial case: {without:?}; add a line to `cases`");
    let gone: Vec<_> = named.difference(&known).collect();
    assert!(gone.is_empty(), "cases of routes that are gone: {gone:?}");
    assert_eq!(named.len(), cases.len(), "a route has two cases");
    for case in cases {
        let needs = routes[&(case.route.0.to_owned(), case.route.1.to_owned())];
        let agrees = match case.about {
            About::Open(_) => needs == Needs::Nothing,
            About::Session | About::OfTheNurse => needs == Needs::Session,
            _ => matches!(needs, Needs::Permit(_)),
        };
        assert!(agrees, "{:?} needs {needs:?}", case.route);
    }
}

fn charter() -> Checked {
    let text = std::fs::read_to_string(demo_charter()).unwrap();
    let days = i32::try_from(crate::signin::today() / 86_400_000_000).unwrap();
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
    let today = Date::new(date.year().unsigned_abs(), date.month().unsigned_abs(), date.day().unsigned_abs()).unwrap();
    Charter::parse("demo", &text, today).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

/// What the rules in force say of one case.
struct Oracle {
    charter: Checked,
    rules: AccessRules,
}

impl Oracle {
    fn new() -> Self {
        let charter = charter();
        let rules = AccessRules::compile(&charter).unwrap();
        Self { charter, rules }
    }

    fn grants(&self, role: &str, person: &Person, case: &Case, action: Action, subject: &str) -> bool {
        let now = ServerTime::from_micros(crate::signin::today());
        let ward = (*self.charter.ward().id).clone();
        let far = now.plus_micros(3_600_000_000);
        let relation = self.charter.role(role).map(|role| *role.relation);
        let wards: Vec<WardId> = match relation {
            Some(Relation::Ward | Relation::Case) => vec![ward.clone()],
            _ => Vec::new(),
        };
        let grants = match relation {
            Some(_) => vec![RoleGrant { role: Arc::from(role), wards, until: None, trained_until: Some(far) }],
            None => Vec::new(),
        };
        let subject = subject.parse().unwrap();
        let (kind, assurance) = match role {
            "patient" => (PersonKind::Patient(subject), Assurance::Passkey),
            "pump-service" => (PersonKind::External, Assurance::Passkey),
            "wall" => (PersonKind::Staff, Assurance::Link),
            _ => (PersonKind::Staff, Assurance::Passkey),
        };
        let id = person.id.parse().unwrap();
        let asker = obhut_access::Person { id, kind, grants, assurance };
        let stays = vec![Stay { ward: ward.clone(), from: now.plus_micros(-60_000_000), to: None }];
        let patient = Resource::Patient(Patient { subject, stays, cases: Vec::new(), restricted: false });
        let resource = match case.about {
            About::System => Resource::System,
            About::Ward => Resource::Ward(ward),
            About::Own if role != "patient" => Resource::Register,
            About::Patient | About::Own => patient,
            About::People => Resource::People,
            About::Person => Resource::Person(id),
            About::Ledger => Resource::Ledger,
            About::Register => Resource::Register,
            About::Retention => Resource::Retention,
            About::Project => Resource::Project(Arc::from("early-warning")),
            About::Session | About::OfTheNurse | About::Open(_) => return true,
        };
        let purpose = match case.about {
            About::Project => Some(Arc::from("research")),
            _ => self.rules.default_purpose(&asker, action, now),
        };
        let Some(purpose) = purpose else { return false };
        let categories: Vec<Arc<str>> = case.categories.iter().map(|category| Arc::from(*category)).collect();
        let circumstances = Circumstances { pledged: true, ..Circumstances::at(now) };
        let question = Question {
            person: &asker,
            action,
            resource: &resource,
            purpose: &purpose,
            categories: &categories,
            circumstances: &circumstances,
        };
        self.rules.decide(&question).is_granted()
    }
}

fn send(visitor: &mut Visitor, case: &Case) -> Reply {
    // What opens the live stream; every other route takes no notice.
    const UPGRADE: [(&str, &str); 4] = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let more: &[(&str, &str)] = if case.route.1 == "/live" { &UPGRADE } else { &[] };
    let body = (!case.body.is_null()).then_some(&case.body);
    visitor.ask(case.route.0, &format!("/api/v1{}", case.url), more, body).unwrap()
}

/// The whole of a refusal: a word, and nothing that depends on what was asked for.
fn says_nothing(case: &Case, reply: &Reply, word: &str) {
    assert_eq!(reply.error(), word, "{:?}: {}", case.route, reply.json());
    let fields: BTreeSet<String> = reply.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, BTreeSet::from(["error", "hint", "message"].map(str::to_owned)), "{:?}", case.route);
    assert_eq!(reply.header("obhut-request"), None, "{:?}", case.route);
}

#[test]
fn every_route_is_refused_to_whom_the_charter_does_not_name() {
    let (oracle, routes) = (Oracle::new(), routes());
    let roles = oracle.rules.roles();
    let roles: Vec<&str> = roles.iter().map(AsRef::as_ref).filter(|role| *role != "console").collect();
    for role in [
        "nurse",
        "physician",
        "technician",
        "pump-service",
        "administrator",
        "privacy",
        "patient",
        "researcher",
        "wall",
    ] {
        assert!(roles.contains(&role), "{role}");
    }
    let server = Server::start();
    // The nurse first: she invites the patient.
    let mut order = vec!["nurse"];
    order.extend(roles.iter().filter(|role| **role != "nurse"));
    order.push("");
    let mut house = House::with(&server, &order);
    let things = things(&mut house);
    let mut cases = cases(&things);
    complete(&cases, &routes);
    let action = |case: &Case| match routes[&(case.route.0.to_owned(), case.route.1.to_owned())] {
        Needs::Permit(action) => Some(action),
        Needs::Nothing | Needs::Session => None,
    };

    // Nobody, and somebody whose account was closed while the screen was open.
    let invited = house.invited("closed", &json!({"roles": [{"role": "nurse"}], "trained_on": crate::signin::today()}));
    let mut closed = crate::house::enter(&server, &invited);
    assert_eq!(closed.visitor.get("/patients").status, 200);
    house.admin.done("POST", &format!("/people/{}/disable", closed.id), &json!({}));
    for visitor in [&mut Visitor::nobody(&server), &mut closed.visitor] {
        for case in &cases {
            let reply = send(visitor, case);
            match case.about {
                About::Open(statuses) => {
                    assert!(statuses.contains(&reply.status), "{:?}: {}", case.route, reply.status)
                }
                _ => {
                    assert_eq!(reply.status, 401, "{:?}", case.route);
                    says_nothing(case, &reply, "signed_out");
                }
            }
        }
    }

    // Behind a locked screen there is only the way out of it.
    let invited = house.invited("locked", &json!({"roles": [{"role": "nurse"}], "trained_on": crate::signin::today()}));
    let mut locked = crate::house::enter(&server, &invited).visitor;
    locked.done("POST", "/session/lock", &json!({}));
    for case in cases.iter().filter(|case| !matches!(case.about, About::Open(_))) {
        let reply = send(&mut locked, case);
        assert_eq!(reply.status, 423, "{:?}", case.route);
        says_nothing(case, &reply, "locked");
    }

    // Everybody who is denied, with the entry that says so.
    let mut expected: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut granted: Vec<(u8, String, Case)> = Vec::new();
    let mut denied = 0;
    for role in &order {
        let role = *role;
        for case in &cases {
            let refused = match (case.about, action(case)) {
                (About::OfTheNurse, _) => (role != "nurse").then_some("break-glass"),
                (_, Some(action)) => {
                    let grants = oracle.grants(role, &house.people[role], case, action, &things.subject);
                    (!grants).then_some(action.as_str())
                }
                (_, None) => continue,
            };
            let Some(word) = refused else {
                granted.push((case.order, role.to_owned(), case.clone()));
                continue;
            };
            let reply = send(house.who(role), case);
            assert_eq!(reply.status, 403, "{role} {:?}: {}", case.route, reply.json());
            says_nothing(case, &reply, "refused");
            *expected.entry((house.id(role), word.to_owned())).or_default() += 1;
            denied += 1;
        }
    }
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for entry in entries(house.who("privacy"), Some("denial")) {
        assert_eq!(entry["outcome"], "denied", "{entry}");
        let key = (entry["actor"]["id"].as_str().unwrap().to_owned(), entry["action"].as_str().unwrap().to_owned());
        *found.entry(key).or_default() += 1;
    }
    let named = |id: &str| house.people.iter().find(|(_, person)| person.id == *id).map(|(role, _)| role.clone());
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(key, count)| found.get(*key) != Some(*count))
        .map(|(key, count)| format!("{:?} {}: {count} refused, {:?} recorded", named(&key.0), key.1, found.get(key)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let others: Vec<_> = found.keys().filter(|key| !expected.contains_key(*key)).collect();
    assert!(others.is_empty(), "{others:?}");

    // Whom the charter names is not refused, whatever else may be wrong with the request.
    granted.sort_by_key(|grant| grant.0);
    cases.clear();
    for (_, role, case) in &granted {
        let reply = send(house.who(role), case);
        if case.only_at_the_machine {
            assert_eq!(reply.status, 403, "{role} {:?}", case.route);
            continue;
        }
        let fine = !matches!(reply.status, 401 | 403 | 423) && reply.status < 500;
        assert!(fine, "{role} {:?}: {} {}", case.route, reply.status, reply.json());
        let answered = reply.status < 300 || reply.status == 101;
        if answered && action(case).is_some() {
            assert!(reply.header("obhut-request").is_some(), "{:?} names no entry", case.route);
        }
    }
    println!(
        "{} routes, {} people: {denied} denials, each recorded; {} grants",
        routes.len(),
        order.len(),
        granted.len()
    );
}

#[test]
fn what_is_not_listed_is_not_there() {
    let server = Server::start();
    let mut house = House::with(&server, &["technician"]);
    let known: BTreeMap<&'static str, BTreeSet<String>> =
        all().into_iter().fold(BTreeMap::new(), |mut known, route| {
            known.entry(route.path).or_insert_with(BTreeSet::new).insert(route.method.to_string());
            known
        });
    let mut nobody = Visitor::nobody(&server);
    let subject = house.subject.clone();
    for visitor in [house.who("technician"), &mut nobody] {
        for path in [
            "/api/v1",
            "/api/v1/",
            "/api/v1/nothing",
            "/api/v2/patients",
            "/api/v1/patients/",
            "/api/v1/patient",
            "/api/v1/beds",
            "/api/v1/beds/bed-03",
            "/api/v1/identities",
            "/api/v1/readings",
            "/api/v1/admin",
            "/metrics",
            "/v1/status",
            "/v1/devices",
            "/v1/beds",
            "/v1/readings",
            "/v1/readings/runs",
            "/v1/ca",
            "/v1/link",
            "/v1/charter",
            "/v1/charter/reload",
            "/debug",
            "/api/v1/../v1/status",
            "/api/v1/%2e%2e/patients",
            &format!("/api/v1/patients/{subject}/identity"),
            &format!("/api/v1/subjects/{subject}"),
        ] {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
                let reply = visitor.ask(method, path, &[], None).unwrap();
                assert_eq!((reply.status, reply.body.len()), (404, 0), "{method} {path}");
            }
        }
        // A method that a route does not have is no way in, and the answer says nothing of what lies there.
        for (path, methods) in &known {
            let url = path.replace("{subject}", &subject).replace("{bed}", "bed-03").replace("{index}", "0");
            let url = format!(
                "/api/v1{}",
                url.replace("{*path}", "0/000").replace("{case}", &subject).replace("{id}", &subject)
            );
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                if !methods.contains(method) {
                    let reply = visitor.ask(method, &url, &[], None).unwrap();
                    assert!(matches!(reply.status, 404 | 405), "{method} {url}: {}", reply.status);
                    assert!(reply.body.is_empty(), "{method} {url}");
                }
            }
        }
    }
}
