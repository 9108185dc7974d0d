//! Whoever looks after devices, people or pumps walks through everything there is, with numbers that exist and numbers that do not, and comes upon
//! no field of a patient: no name, no birth date, no record number, no pseudonym, no value.

use crate::house::House;
use crate::planted::{Needle, device, found, identity, now, offer, samples, settled, written};
use crate::support::{Server, block_on};
use crate::visitor::{Reply, Visitor};
use obhut_http::api::all;
use obhut_model::{Code, Decimal, Quality};
use obhut_wire::RawNumeric;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A heart rate nothing else here counts to.
const BEATS: i32 = 187;
/// Names of fields that only an answer about a patient has.
const FIELDS: [&str; 14] = [
    "subject",
    "subjects",
    "family",
    "given",
    "birth_date",
    "record_number",
    "patients",
    "identity",
    "points",
    "samples",
    "runs",
    "codes",
    "stays",
    "emergencies",
];

/// Every number in a path, one that exists and some that do not or are none.
struct Numbers {
    subject: String,
    cases: Vec<String>,
    people: Vec<String>,
}

impl Numbers {
    /// The paths a route has: the plausible one first.
    fn paths(&self, path: &str) -> Vec<String> {
        let stranger = "00112233445566778899aabbccddeeff";
        let choices = |name: &str| -> Vec<String> {
            let some = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            match name {
                "subject" => {
                    [vec![self.subject.clone(), self.subject.to_uppercase()], some(&[stranger, "bed-03", "%00"])]
                        .concat()
                }
                "bed" => some(&["bed-03", "bed-01", "bed-77", "3.02-1"]),
                "case" => [self.cases.clone(), vec![self.subject.clone(), stranger.to_owned()], some(&["0"])].concat(),
                "id" => [self.people.clone(), some(&["early-warning", "pump-01", stranger])].concat(),
                "index" => some(&["0", "1", "7", "999999999", "-1"]),
                "*path" => some(&["0/000.p/1", "0/000", "entries/000", "1/000", "..%2f..%2fevents.db"]),
                other => panic!("no choices for {{{other}}}"),
            }
        };
        let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
        let (name, after) = rest.split_once('}').unwrap();
        choices(name).iter().map(|chosen| format!("{before}{chosen}{after}")).collect()
    }
}

/// What of a patient stands in an answer.
fn patient_fields(place: &str, reply: &Reply, needles: &[Needle]) -> Vec<String> {
    let mut hits = found(place, &reply.body, needles);
    let head: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    hits.extend(found(&format!("{place}, head"), head.as_bytes(), needles));
    fn walk(place: &str, value: &Value, hits: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                if FIELDS.contains(&name.as_str()) && !matches!(value, Value::Null) && *value != json!([]) {
                    hits.push(format!("{place}: `{name}`: {value}"));
                }
                walk(place, value, hits);
            }),
            Value::Array(values) => values.iter().for_each(|value| walk(place, value, hits)),
            Value::Number(number) if number.as_f64() == Some(f64::from(BEATS)) => {
                hits.push(format!("{place}: a value"))
            }
            Value::String(text) if *text == BEATS.to_string() => hits.push(format!("{place}: a value")),
            _ => {}
        }
    }
    walk(place, &reply.json(), &mut hits);
    hits
}

/// Asks for everything; gives what was found of patients, and how many requests that took and how many were answered.
fn crawl(visitor: &mut Visitor, numbers: &Numbers, needles: &[Needle]) -> (Vec<String>, usize, BTreeSet<String>) {
    let (mut hits, mut asked, mut answered) = (Vec::new(), 0, BTreeSet::new());
    let mut ask = |visitor: &mut Visitor, method: &str, url: &str, more: &[(&str, &str)], body: Option<&Value>| {
        let reply = visitor.ask(method, url, more, body).unwrap();
        asked += 1;
        // The page itself may not have been built where the tests run.
        assert!(reply.status < 500 || url == "/", "{method} {url}: {} {}", reply.status, reply.json());
        if (200..300).contains(&reply.status) && !reply.body.is_empty() {
            answered.insert(format!("{method} {}", url.split('?').next().unwrap()));
        }
        hits.extend(patient_fields(&format!("{method} {url} ({})", reply.status), &reply, needles));
    };
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let end = now().micros() + 60_000_000;
    let wide = format!("code=MDC_ECG_HEART_RATE&from={}&to={end}", end - 3_600_000_000);
    let wave = format!("code=MDC_ECG_ELEC_POTL_II&from={}&to={end}", end - 200_000_000);
    for route in all() {
        // What ends the crawl: leaving, locking, handing over.
        if ["/session", "/session/lock", "/session/switch"].contains(&route.path) {
            continue;
        }
        let paths = numbers.paths(route.path);
        for (at, path) in paths.iter().enumerate() {
            let url = format!("/api/v1{path}");
            match route.method.as_str() {
                "GET" => {
                    for query in
                        ["", "names=1", &wide, &wave, "format=csv", "format=fhir", "lang=en", "from=0", "before=999999"]
                    {
                        ask(visitor, "GET", &format!("{url}?{query}"), &upgrade, None);
                        if at > 0 {
                            break;
                        }
                    }
                    ask(visitor, "HEAD", &url, &[], None);
                }
                method => {
                    ask(visitor, method, &url, &[], Some(&json!({})));
                    ask(visitor, method, &url, &[], None);
                }
            }
            // And every other method, once for each route.
            if at == 0 {
                for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                    if method != route.method.as_str()
                        && !all().iter().any(|o| o.path == route.path && o.method.as_str() == method)
                    {
                        ask(visitor, method, &url, &[], (method != "GET").then(|| json!({})).as_ref());
                    }
                }
            }
        }
    }
    for page in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/.well-known/est/cacerts",
        "/v1/status",
        "/v1/beds",
        "/v1/readings?bed=bed-03",
    ] {
        ask(visitor, "GET", page, &[], None);
    }
    (hits, asked, answered)
}

#[test]
fn who_looks_after_devices_comes_upon_no_field_of_a_patient() {
    let server = Server::start();
    let mut house = House::with(&server, &["nurse", "technician", "pump-service", "records", "privacy"]);
    let subject = house.subject.clone();

    // A patient with a course, a consent, a request, an emergency access; a pump at the same bed, and a ticket for it.
    let token = server.invite("mon-05", "monitor-m1", None);
    server.run(&["device", "bind", "mon-05", "--bed", "bed-03", "--from=-1m"]);
    server.enrol("pump-01", "pump-p1", Some("bed-03"));
    block_on(async {
        let agent = device(&server, "mon-05", &token).await;
        offer(&agent);
        let beats = RawNumeric {
            code: Code::ECG_HEART_RATE,
            taken_at: now(),
            value: Some(Decimal::new(BEATS, 0).unwrap()),
            quality: Quality::GOOD,
        };
        agent.offer(&[beats], &[]).unwrap();
        settled(&agent).await;
        agent.shutdown().await;
    });
    let consent = house.consent(&subject, "research");
    let soon = crate::signin::today() + 3_600_000_000;
    let external = house.id("pump-service");
    let mut case = |role: &str, path: &str, body: Value| {
        house.who(role).done("POST", path, &body)["case"].as_str().unwrap().to_owned()
    };
    let ticket = json!({"person": external, "device": "pump-01", "reason": "battery", "until": soon});
    let cases = vec![
        case("records", "/requests", json!({"subject": subject, "kind": "access", "channel": "letter"})),
        case("nurse", "/break-glass", json!({"bed": "bed-03", "reason": "acute", "text": ""})),
        case("technician", "/tickets", ticket),
        consent,
    ];
    let numbers = Numbers { subject: subject.clone(), cases, people: vec![house.id("nurse")] };

    let mut needles: Vec<Needle> = identity().into_iter().chain(samples()).collect();
    needles.extend(written(&subject));
    needles.extend(written(&subject.to_uppercase()));
    let raw: Vec<u8> = (0..32).step_by(2).map(|at| u8::from_str_radix(&subject[at..at + 2], 16).unwrap()).collect();
    needles.push(("the pseudonym as it is kept".to_owned(), raw));

    // The search finds what a nurse is shown.
    let mut hits = Vec::new();
    let end = now().micros() + 60_000_000;
    for path in [
        "/patients?names=1".to_owned(),
        format!("/patients/{subject}"),
        format!("/patients/{subject}/readings?code=MDC_ECG_HEART_RATE&from={}&to={end}", end - 3_600_000_000),
        format!("/patients/{subject}/readings?code=MDC_ECG_ELEC_POTL_II&from={}&to={end}", end - 200_000_000),
    ] {
        let reply = house.who("nurse").get(&path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.json());
        hits.extend(patient_fields(&path, &reply, &needles));
    }
    let hits = hits.join("\n");
    for expected in
        ["Querflöth-Planthagen in UTF-8", "1913-07-29", "PLNT-7731942-XQ", "a value", "decimal", "`points`", &subject]
    {
        assert!(hits.contains(expected), "the search does not find {expected}:\n{hits}");
    }

    for (role, shown) in [
        ("pump-service", ["/api/v1/service"].as_slice()),
        (
            "technician",
            ["/api/v1/devices", "/api/v1/system", "/api/v1/metrics", "/api/v1/tickets", "/api/v1/service"].as_slice(),
        ),
        ("administrator", ["/api/v1/devices", "/api/v1/people", "/api/v1/backups"].as_slice()),
    ] {
        let (hits, asked, answered) = crawl(house.who(role), &numbers, &needles);
        assert!(hits.is_empty(), "{role}:\n{}", hits.join("\n"));
        for path in shown {
            assert!(answered.contains(&format!("GET {path}")), "{role} is not shown {path}: {answered:?}");
        }
        if role == "pump-service" {
            // The ticket was open all the while; the technician's walk closes it.
            let service = house.who(role).done("GET", "/service", &Value::Null);
            assert_eq!(service["tickets"][0]["device"]["id"], "pump-01", "{service}");
        }
        println!("{role}: {asked} requests, {} of them answered with something, 0 fields of a patient", answered.len());
    }
}
