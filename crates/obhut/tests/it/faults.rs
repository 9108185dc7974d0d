//! Emergency access and the bedside while everything else is down: the ledger's disk, the register's disk, the charter, the hospital's provider, each
//! alone and all at once. What waited is in the ledger afterwards, once.

use crate::door::{live, number};
use crate::house::{House, again, enter, entries};
use crate::mqtt::{Mqtt, publish_packet};
use crate::signin::today;
use crate::support::{PATIENCE, Server, demo_charter, obhut, until};
use crate::visitor::Visitor;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// An emergency access is open within this (control B03).
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// A disk that takes nothing: whoever wants to write to this file waits, then fails, until this is dropped.
pub(crate) struct Stuck(#[expect(dead_code, reason = "held, and let go")] Connection);

pub(crate) fn stuck(file: &Path) -> Stuck {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    Stuck(connection)
}

/// A configuration with a provider that nobody answers for.
fn dead_provider(data: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(data).unwrap();
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).unwrap();
    let secret = data.join("secret");
    std::fs::write(&secret, "very-secret\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        "[identity.oidc]\nissuer = \"https://localhost:1\"\nclient_id = \"obhut\"\nclient_secret_file = \"{}\"\nroles = {{ \"pflege\" = \"nurse\" }}\n",
        secret.display()
    );
    std::fs::write(data.join("obhut.toml"), config).unwrap();
}

/// Opens an emergency access to whoever lies in `bed`, and looks: this patient is seen, the other is not. Gives the case.
fn opens(what: &str, physician: &mut Visitor, bed: &str, subject: &str, other: &str) -> String {
    let began = Instant::now();
    let opened = physician.post("/break-glass", &json!({"bed": bed, "reason": "acute", "text": what}));
    assert_eq!(opened.status, 200, "{what}: {}", opened.json());
    let looked = physician.get(&format!("/patients/{subject}"));
    let took = began.elapsed();
    assert_eq!(
        (looked.status, &looked.json()["record_number"]),
        (200, &json!(format!("R-{bed}"))),
        "{what}: {}",
        looked.json()
    );
    assert!(took <= OPEN_WITHIN, "{what}: {took:?}");
    println!("{what}: open and seen after {took:?}");
    let refused = physician.get(&format!("/patients/{other}"));
    assert!(matches!(refused.status, 403 | 503), "{what}: {}", refused.status);
    assert_eq!(opened.json()["subject"], subject);
    opened.json()["case"].as_str().unwrap().to_owned()
}

/// It is in the ledger once, and whoever judges has it in the queue.
fn recorded(what: &str, privacy: &mut Visitor, case: &str) {
    until("the ledger is back and has taken what waited", PATIENCE * 2, || {
        let page = privacy.get("/ledger?kind=break-glass-start");
        let waited = page.status == 200 && page.json()["state"] == "good";
        (waited && page.json()["entries"].as_array().unwrap().iter().any(|entry| entry["case"] == case)).then_some(())
    });
    let starts = entries(privacy, Some("break-glass-start"));
    assert_eq!(starts.iter().filter(|entry| entry["case"] == case).count(), 1, "{what}: {starts:?}");
    let queue = privacy.done("GET", "/break-glass/reviews", &Value::Null);
    assert!(queue["reviews"].as_array().unwrap().iter().any(|row| row["case"] == case), "{what}: {queue}");
}

/// Every entry and tile holds, as anybody can check. The server has been stopped.
pub(crate) fn verified(data: &Path, key: &str) {
    let done = obhut(data).args(["ledger", "verify", "--key", key]).output().unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn an_emergency_access_opens_whatever_is_down() {
    let dir = tempfile::tempdir().unwrap();
    dead_provider(&dir.path().join("data"));
    let charter = dir.path().join("charter.toml");
    std::fs::copy(demo_charter(), &charter).unwrap();
    let server = Server::start_in(dir, &charter);
    let mut house = House::with(&server, &["physician", "privacy"]);
    let beds = ["bed-11", "bed-12", "bed-13", "bed-14", "bed-15", "bed-16"];
    let subjects: Vec<String> = beds.iter().map(|bed| server.admit(bed)).collect();
    let other = server.admit("bed-20");
    let (ledger, register) = (server.data().join("ledger/events.db"), server.data().join("store/register.db"));
    assert!(ledger.is_file() && register.is_file());
    assert_eq!(house.who("physician").get(&format!("/patients/{}", subjects[0])).status, 403);

    // The hospital's provider: nobody comes in by it, and whoever has a passkey does.
    let away = Visitor::nobody(&server).get("/session/oidc/start");
    assert!(away.header("location").is_none_or(|to| to.starts_with("/#")) && away.status != 200, "{away:?}");
    let mut physician = again(&server, house.people.get_mut("physician").unwrap().key.as_mut().unwrap());
    let case = opens("no provider", &mut physician, beds[0], &subjects[0], &other);
    recorded("no provider", house.who("privacy"), &case);

    // The ledger's disk: the entry waits in the spool.
    let held = stuck(&ledger);
    let case = opens("no ledger", &mut physician, beds[1], &subjects[1], &other);
    let unread = house.who("privacy").get("/ledger");
    assert_eq!((unread.status, unread.error()), (503, "ledger_unavailable".to_owned()));
    drop(held);
    recorded("no ledger", house.who("privacy"), &case);

    // The register's disk: in force at once, written when it can be.
    let held = stuck(&register);
    let case = opens("no register", &mut physician, beds[2], &subjects[2], &other);
    recorded("no register", house.who("privacy"), &case);
    drop(held);

    // The charter's file: the one that ruled goes on ruling.
    std::fs::write(&charter, "schema = 1\nnmae = \"x\"\n").unwrap();
    assert!(!server.try_run(&["charter", "reload"], "").status.success());
    let case = opens("no charter", &mut physician, beds[3], &subjects[3], &other);
    recorded("no charter", house.who("privacy"), &case);

    // All of them at once, for somebody who only now comes in.
    let (held, held_too) = (stuck(&ledger), stuck(&register));
    let mut late = again(&server, house.people.get_mut("physician").unwrap().key.as_mut().unwrap());
    let all = opens("nothing but the server", &mut late, beds[4], &subjects[4], &other);
    // And both pages of the same person see it running.
    let running = physician.done("GET", "/break-glass", &Value::Null);
    assert!(running["emergencies"].as_array().unwrap().iter().any(|row| row["case"] == all), "{running}");
    drop((held, held_too));
    recorded("nothing but the server", house.who("privacy"), &all);

    // A ledger that cannot be opened from the start on; and what was in force before it was written is there after the restart.
    let mut cases: Vec<String> = Vec::new();
    for row in house.who("privacy").done("GET", "/break-glass/reviews", &Value::Null)["reviews"].as_array().unwrap() {
        cases.push(row["case"].as_str().unwrap().to_owned());
    }
    let key = house.who("privacy").done("GET", "/ledger/key", &Value::Null)["key"].as_str().unwrap().to_owned();
    let mut keys: Vec<_> =
        ["physician", "privacy"].map(|role| house.people.get_mut(role).unwrap().key.take().unwrap()).into();
    drop(house);
    let dir = server.stop();
    verified(&dir.path().join("data"), &key);
    let lock = std::fs::File::options().write(true).open(dir.path().join("data/ledger/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let server = Server::start_in(dir, &charter);
    let mut physician = again(&server, &mut keys[0]);
    let case = opens("a ledger in other hands", &mut physician, beds[5], &subjects[5], &other);
    drop(lock);
    let mut privacy = again(&server, &mut keys[1]);
    recorded("a ledger in other hands", &mut privacy, &case);
    let queue = privacy.done("GET", "/break-glass/reviews", &Value::Null);
    cases.push(case);
    assert_eq!(cases.len(), beds.len());
    for case in &cases {
        assert!(queue["reviews"].as_array().unwrap().iter().any(|row| row["case"] == *case), "{case}: {queue}");
    }
    let dir = server.stop();
    verified(&dir.path().join("data"), &key);
    assert_eq!(std::fs::read_dir(dir.path().join("data/spool")).unwrap().count(), 0, "the spool is empty");
}

#[test]
fn without_a_ledger_reads_stop_and_the_bedside_and_withdrawals_go_on() {
    let server = Server::start();
    let mut house = House::with(&server, &["nurse", "technician", "researcher", "privacy", "pump-service", "patient"]);
    let subject = house.subject.clone();
    let (research, relatives) = (house.consent(&subject, "research"), house.consent(&subject, "relatives"));
    let papers = server.enrol("mon-05", "monitor-m1", Some("bed-03"));
    server.invite("pump-01", "pump-p1", None);
    let ticket = json!({"person": house.id("pump-service"), "device": "pump-01", "reason": "battery", "until": today() + 3_600_000_000});
    let ticket = house.who("technician").done("POST", "/tickets", &ticket)["case"].as_str().unwrap().to_owned();
    let invited = house.invited("Gone", &json!({"roles": [{"role": "nurse"}], "trained_on": today()}));
    let mut gone = enter(&server, &invited);
    assert_eq!(gone.visitor.get("/patients").status, 200);
    let (mut page, _) = block_on_page(&server);
    let held = stuck(&server.data().join("ledger/events.db"));

    // Stored and naming data stay closed, and the answer says why and what to do.
    let end = today() + 60_000_000;
    let course = format!("/patients/{subject}/readings?code=MDC_ECG_HEART_RATE&from={}&to={end}", end - 3_600_000_000);
    for (role, method, path) in [
        ("nurse", "GET", course.as_str()),
        ("nurse", "GET", &format!("/patients/{subject}")),
        ("nurse", "GET", &format!("/patients/{subject}/codes")),
        ("nurse", "GET", &format!("/patients/{subject}/consents")),
        ("nurse", "GET", "/patients?names=1"),
        ("researcher", "POST", "/projects/early-warning/export"),
        ("patient", "GET", "/own"),
        ("patient", "GET", "/own/copy?format=csv"),
        ("privacy", "GET", "/ledger"),
        ("privacy", "GET", "/break-glass/reviews"),
        ("technician", "GET", "/system"),
    ] {
        let reply = if method == "GET" { house.who(role).get(path) } else { house.who(role).post(path, &json!({})) };
        assert_eq!((reply.status, reply.error()), (503, "ledger_unavailable".to_owned()), "{role} {path}");
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("monitoring goes on"), "{message}");
        assert_eq!(reply.header("obhut-request"), None);
    }
    // What is given needs the ledger, too.
    let forms = house.who("nurse").done("GET", "/consent-forms", &Value::Null);
    let form = forms["forms"].as_array().unwrap().iter().find(|form| form["id"] == "export").unwrap();
    let yes = json!({"form": "export", "version": form["version"], "lang": "de", "decision": "given"});
    assert_eq!(house.who("nurse").post(&format!("/patients/{subject}/consents"), &yes).status, 503);

    // The bedside: beds, the running stream, a new one, and readings that are taken and shown.
    assert_eq!(house.who("nurse").get("/patients").status, 200);
    let mut bed = Mqtt::connect(&server, &papers);
    let beat = br#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#;
    bed.send(&publish_packet(0b0010, "obhut/mon-05/senml", &[], beat));
    let (first, _) = bed.receive().unwrap();
    assert_eq!(first, 0x40, "acknowledged");
    let seen = page.block_on_number("bed-03");
    assert_eq!(seen, 72.0);
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!(house.who("nurse").ask("GET", "/api/v1/live", &upgrade, None).unwrap().status, 101);

    // Whoever takes something back does not wait.
    let begun = Instant::now();
    let withdrawn = house.who("nurse").post(&format!("/consents/{research}/withdraw"), &json!({}));
    assert_eq!((withdrawn.status, &withdrawn.json()["in_force"]), (200, &json!(true)), "{}", withdrawn.json());
    let withdrawn = house.who("patient").post(&format!("/own/consents/{relatives}/withdraw"), &json!({}));
    assert_eq!((withdrawn.status, &withdrawn.json()["in_force"]), (200, &json!(true)), "{}", withdrawn.json());
    assert_eq!(house.who("technician").post(&format!("/tickets/{ticket}/close"), &json!({})).status, 204);
    assert_eq!(house.admin.post(&format!("/people/{}/disable", gone.id), &json!({})).status, 200);
    assert_eq!(gone.visitor.get("/patients").status, 401);
    assert_eq!(server.run(&["device", "revoke", "mon-05", "--reason", "stolen"])["session_cut"], true);
    println!("five withdrawals while the ledger was down: {:?}", begun.elapsed());
    // Whoever may not take back is refused as ever.
    assert_eq!(house.who("technician").post(&format!("/consents/{research}/withdraw"), &json!({})).status, 403);

    drop(held);
    until("the ledger is back", PATIENCE * 2, || {
        let page = house.who("privacy").get("/ledger");
        (page.status == 200 && page.json()["state"] == "good").then_some(())
    });
    assert_eq!(house.who("nurse").get(&course).status, 200);
    // Everything that went on is in the ledger, once.
    let all = entries(house.who("privacy"), None);
    let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|entry| wanted(entry)).count();
    for case in [&research, &relatives] {
        assert_eq!(count(&|e| e["action"] == "consent-withdrawn" && e["case"] == **case), 1, "{case}");
    }
    assert_eq!(count(&|e| e["action"] == "consent-manage" && e["case"] == *research && e["outcome"] == "success"), 1);
    assert_eq!(count(&|e| e["action"] == "consent-manage" && e["case"] == *research && e["outcome"] == "denied"), 1);
    assert_eq!(count(&|e| e["action"] == "own-view" && e["case"] == *relatives), 1);
    assert_eq!(count(&|e| e["action"] == "ticket-manage" && e["case"] == *ticket && e["outcome"] == "success"), 2);
    assert_eq!(count(&|e| e["action"] == "disable" && e["resource"]["id"] == *gone.id), 1);
    let named: Vec<_> = all.iter().map(|entry| entry["request"].clone()).collect();
    let mut once = named.clone();
    once.sort_by_key(Value::to_string);
    once.dedup();
    assert_eq!(once.len(), named.len(), "an entry is there twice");
    let key = house.who("privacy").done("GET", "/ledger/key", &Value::Null)["key"].as_str().unwrap().to_owned();
    drop(house);
    let dir = server.stop();
    verified(&dir.path().join("data"), &key);
}

/// A page on the live stream, with what drives it.
struct LivePage {
    runtime: tokio::runtime::Runtime,
    page: crate::door::Page,
}

fn block_on_page(server: &Server) -> (LivePage, String) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (page, cookie) = runtime.block_on(live(server));
    (LivePage { runtime, page }, cookie)
}

impl LivePage {
    fn block_on_number(&mut self, bed: &str) -> f64 {
        let looking = number(&mut self.page, bed, "MDC_ECG_HEART_RATE");
        self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), looking).await }).unwrap()
    }
}
