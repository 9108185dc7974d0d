//! Alarms end to end: a device publishes, a page and the API tell of it, people act, parts fail, the server is killed.

use crate::door::{Page, live};
use crate::faults::stuck;
use crate::forgetting::kill;
use crate::house::{House, again, entries};
use crate::mqtt::{Mqtt, publish_packet};
use crate::support::{PATIENCE, Papers, Server, demo_charter, until};
use crate::visitor::Visitor;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Loss of a device or a part is signalled within this.
const LOSS_WITHIN: Duration = Duration::from_secs(5);
/// Alarms are back after a start within this.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// The demonstration's charter, whose less urgent heart rate limit signals at once, so that what is measured is the program and not the delay.
fn charter(dir: &std::path::Path) -> std::path::PathBuf {
    let text = std::fs::read_to_string(demo_charter()).unwrap();
    let rule =
        "data = \"heart-rate\"\npriority = \"medium\"\nbelow = 50\nabove = 120\nhysteresis = 2\ndelay = \"10 s\"\n";
    assert!(text.contains(rule), "the charter changed: mend this test");
    let path = dir.join("charter.toml");
    std::fs::write(&path, text.replace(rule, &rule.replace("delay = \"10 s\"\n", ""))).unwrap();
    path
}

fn started() -> (Server, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let charter = charter(dir.path());
    (Server::start_in(dir, &charter), charter)
}

/// A monitor that sends a heart rate every second, and says when it began to send another one.
struct Monitor {
    rate: Arc<AtomicU32>,
    sent: Arc<Mutex<BTreeMap<u32, Instant>>>,
    over: Arc<AtomicBool>,
    mute: Arc<AtomicBool>,
    last: Arc<Mutex<Instant>>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    fn start(server: &Server, papers: &Papers, rate: u32) -> Self {
        let mut mqtt = Mqtt::connect(server, papers);
        let topic = format!("obhut/{}/senml", papers.device);
        let (rate, over, mute) = (Arc::new(AtomicU32::new(rate)), Arc::default(), Arc::default());
        let sent: Arc<Mutex<BTreeMap<u32, Instant>>> = Arc::default();
        let last = Arc::new(Mutex::new(Instant::now()));
        let thread = {
            let (rate, over, sent) = (rate.clone(), Arc::<AtomicBool>::clone(&over), sent.clone());
            let (mute, last) = (Arc::<AtomicBool>::clone(&mute), last.clone());
            std::thread::spawn(move || {
                let mut next = Instant::now();
                while !over.load(Ordering::Relaxed) {
                    if mute.load(Ordering::Relaxed) || Instant::now() < next {
                        std::thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                    next += Duration::from_millis(1_050);
                    let value = rate.load(Ordering::Relaxed);
                    let senml = format!(r#"[{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":{value}}}]"#);
                    sent.lock().unwrap().entry(value).or_insert_with(Instant::now);
                    *last.lock().unwrap() = Instant::now();
                    mqtt.send(&publish_packet(0b0010, &topic, &[], senml.as_bytes()));
                    if mqtt.receive().is_err() {
                        return;
                    }
                }
            })
        };
        Self { rate, sent, over, mute, last, thread: Some(thread) }
    }

    fn say(&self, rate: u32) {
        self.sent.lock().unwrap().remove(&rate);
        self.rate.store(rate, Ordering::Relaxed);
    }

    fn sent(&self, rate: u32) -> Instant {
        self.sent.lock().unwrap()[&rate]
    }

    /// Cuts the connection.
    fn cut(mut self) -> Instant {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        Instant::now()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A page that keeps what the stream tells of alarms.
pub(crate) struct Screen {
    runtime: tokio::runtime::Runtime,
    page: Page,
    pub(crate) beds: BTreeMap<String, Value>,
    ward: Value,
}

impl Screen {
    pub(crate) fn open(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (page, _) = runtime.block_on(live(server));
        Self { runtime, page, beds: BTreeMap::new(), ward: Value::Null }
    }

    /// Reads on until `met` gives something; says when.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        met: impl Fn(&Self) -> Option<T>,
    ) -> (T, Instant) {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = met(self) {
                return (found, Instant::now());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let next = self.runtime.block_on(async { tokio::time::timeout(left, self.page.next()).await });
            let Ok(message) = next else { panic!("not within {patience:?}: {what}: {:?} {}", self.beds, self.ward) };
            let Message::Binary(bytes) = message.unwrap().unwrap() else { continue };
            if bytes[0] == 5 {
                self.take(&serde_json::from_slice(&bytes[1..]).unwrap());
            }
        }
    }

    fn take(&mut self, message: &Value) {
        assert_eq!(message["watching"], true);
        if message["whole"] == true {
            self.beds.clear();
        }
        for row in message["beds"].as_array().unwrap() {
            self.beds.insert(row["bed"].as_str().unwrap().to_owned(), row.clone());
        }
        if !message["ward"].is_null() {
            self.ward = message["ward"].clone();
        }
    }

    pub(crate) fn alarm(&self, bed: &str, rule: &str) -> Option<Value> {
        find(&self.beds.get(bed)?["alarms"], rule)
    }
}

fn find(alarms: &Value, rule: &str) -> Option<Value> {
    alarms.as_array()?.iter().find(|alarm| alarm["rule"] == rule).cloned()
}

fn row(visitor: &mut Visitor, bed: &str) -> Value {
    let all = visitor.done("GET", "/alarms", &Value::Null);
    all["beds"].as_array().unwrap().iter().find(|row| row["bed"] == bed).unwrap().clone()
}

fn act(visitor: &mut Visitor, path: &str, number: u8, what: &Value) -> (u16, Value) {
    let reply = visitor.post(path, &json!({"id": format!("{number:032x}"), "what": what}));
    (reply.status, reply.json())
}

const HIGH: &str = "heart-rate-high";

#[test]
fn a_limit_passed_at_the_device_is_an_alarm_people_answer() {
    let (server, _) = started();
    let mut house = House::with(&server, &["nurse", "physician", "privacy"]);
    let papers = server.enrol("mon-05", "monitor-m1", Some("bed-03"));
    let monitor = Monitor::start(&server, &papers, 72);
    let mut screen = Screen::open(&server);

    // From the device to a page, ten times.
    let mut took = Vec::new();
    for round in 0..10 {
        let rate = 130 + round;
        monitor.say(rate);
        let (alarm, at) = screen.until("the alarm", PATIENCE, |screen| screen.alarm("bed-03", HIGH));
        took.push(at.saturating_duration_since(monitor.sent(rate)));
        assert_eq!(
            (&alarm["text"]["de"], &alarm["text"]["en"]),
            (&json!(format!("HF {rate} > 120")), &json!(format!("HR {rate} > 120")))
        );
        assert_eq!(
            (&alarm["priority"], &alarm["marks"], &alarm["phase"]),
            (&json!("medium"), &json!("**"), &json!("start"))
        );
        monitor.say(72);
        screen.until("the end", PATIENCE, |screen| screen.alarm("bed-03", HIGH).is_none().then_some(()));
    }
    took.sort();
    println!("from the device's publish to the page: {took:?}");
    assert!(took[9] < Duration::from_millis(500), "{took:?}");

    // The API tells the same; somebody sees it, once, whatever the line repeats.
    monitor.say(134);
    let (alarm, _) = screen.until("the alarm", PATIENCE, |screen| screen.alarm("bed-03", HIGH));
    let told = row(house.who("nurse"), "bed-03");
    assert_eq!(find(&told["alarms"], HIGH).unwrap()["id"], alarm["id"]);
    assert_eq!((&told["sound"], &told["occupied"], &told["label"]), (&json!("medium"), &json!(true), &told["label"]));
    assert!(!told.to_string().contains(&house.subject) && !told.to_string().contains(crate::house::FAMILY));
    let acknowledge = json!({"do": "acknowledge", "alarm": alarm["id"], "judged": "actionable"});
    for _ in 0..2 {
        let (status, answer) = act(house.who("nurse"), "/beds/bed-03/alarms/acts", 1, &acknowledge);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(find(&answer["bed"]["alarms"], HIGH).unwrap()["inactivation"], "alert-acknowledged");
        assert_eq!(answer["bed"]["sound"], Value::Null);
    }
    let nurse = house.id("nurse");
    screen.until("the page is told who saw it", PATIENCE, |screen| {
        (screen.alarm("bed-03", HIGH)?["acknowledged"]["by"] == *nurse).then_some(())
    });
    let (status, answer) = act(house.who("nurse"), "/beds/bed-04/alarms/acts", 2, &acknowledge);
    assert_eq!((status, &answer["error"]), (409, &json!("unknown_alarm")), "an alarm of another bed");

    // Limits, with a reason; the alarm that no longer holds ends.
    let set = |to: Value, reason: &str| json!({"do": "set-limit", "rule": HIGH, "priority": "medium", "to": to, "reason": reason});
    let (status, answer) = act(house.who("nurse"), "/beds/bed-03/limits", 3, &set(json!(140), ""));
    assert_eq!((status, &answer["error"]), (409, &json!("reason")));
    // The same act again is refused the same.
    let (status, answer) = act(house.who("nurse"), "/beds/bed-03/limits", 3, &set(json!(140), ""));
    assert_eq!((status, &answer["error"]), (409, &json!("reason")));
    let (status, answer) = act(house.who("nurse"), "/beds/bed-03/limits", 4, &set(json!(999), "fever"));
    assert_eq!((status, &answer["error"]), (409, &json!("limit")));
    let (status, answer) = act(house.who("nurse"), "/beds/bed-03/limits", 5, &set(json!(140), "fever"));
    assert_eq!((status, &answer["bed"]["limits_set"]), (200, &json!(1)), "{answer}");
    assert!(find(&answer["bed"]["alarms"], HIGH).is_none(), "{answer}");
    let limits = house.who("nurse").done("GET", "/beds/bed-03/limits", &Value::Null);
    let of_rule = |l: &&Value| l["rule"] == HIGH && l["priority"] == "medium";
    let limit = limits["limits"].as_array().unwrap().iter().find(of_rule).unwrap();
    assert_eq!(
        (&limit["limit"], &limit["profile"], &limit["set"]["reason"], &limit["set"]["by"]),
        (&json!(140.0), &json!(120.0), &json!("fever"), &json!(nurse))
    );

    // Pause and responsibility.
    let (status, answer) =
        act(house.who("nurse"), "/beds/bed-03/alarms/acts", 6, &json!({"do": "pause-audio", "seconds": 60}));
    assert!(status == 200 && answer["bed"]["audio_paused_until"].is_i64(), "{answer}");
    let (status, answer) = act(house.who("nurse"), "/beds/bed-03/alarms/acts", 7, &json!({"do": "take"}));
    assert_eq!((status, &answer["bed"]["responsible"]), (200, &json!(nurse)));

    // Scores say what is missing and take what is seen.
    let score = house.who("nurse").done("GET", "/beds/bed-03/score", &Value::Null);
    assert_eq!((&score["score"]["total"], &score["score"]["complete"]), (&Value::Null, &json!(false)), "{score}");
    let seen = json!({"consciousness": "confused", "breathing": "oxygen"});
    let score = house.who("nurse").done("POST", "/beds/bed-03/score/inputs", &seen);
    let missing: Vec<&str> =
        score["score"]["missing"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    assert_eq!(missing, ["respiration-rate", "oxygen-saturation", "systolic-pressure", "temperature"], "{score}");
    assert_eq!(score["score"]["at_least"], 3 + 2 + 3, "confused, oxygen, pulse of 134: {score}");

    // History of the patient: what happened, in order; and it is recorded who looked.
    let history = until("the history is kept", PATIENCE, || {
        let told = house.who("nurse").done("GET", "/beds/bed-03/alarms/history", &Value::Null);
        told["records"].as_array().unwrap().iter().any(|r| r["what"] == "responsible").then_some(told)
    });
    let what = |wanted: &str| history["records"].as_array().unwrap().iter().filter(|r| r["what"] == wanted).count();
    let phases = |phase: &str| {
        history["records"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["phase"] == phase && r["alarm"]["rule"] == HIGH)
            .count()
    };
    assert_eq!((phases("start"), phases("end"), what("limit-set"), what("paused")), (11, 11, 1, 1), "{history}");
    let statistics = house.who("nurse").done("GET", "/alarms/statistics?days=1", &Value::Null);
    assert!(statistics["alarms"].as_u64().unwrap() >= 11 && statistics["actionable"] == 1, "{statistics}");
    let kinds = entries(house.who("privacy"), None);
    let noted =
        |action: &str| kinds.iter().filter(|entry| entry["action"] == action && entry["outcome"] == "success").count();
    assert!(noted("alarm-acknowledge") >= 5 && noted("alarm-limits") >= 3, "{kinds:?}");
}

#[test]
fn alarms_of_before_a_kill_are_there_again_and_none_twice() {
    let (mut server, charter) = started();
    let mut house = House::with(&server, &["nurse"]);
    let beds = ["bed-03", "bed-04", "bed-05"];
    server.admit("bed-04");
    server.admit("bed-05");
    let papers: Vec<Papers> = beds
        .iter()
        .enumerate()
        .map(|(n, bed)| server.enrol(&format!("mon-0{}", n + 3), "monitor-m1", Some(bed)))
        .collect();
    let monitors: Vec<Monitor> = papers.iter().map(|papers| Monitor::start(&server, papers, 135)).collect();
    let mut screen = Screen::open(&server);
    let mut known: BTreeMap<&str, Value> = BTreeMap::new();
    for bed in beds {
        known.insert(bed, screen.until("the alarm", PATIENCE, |screen| screen.alarm(bed, HIGH)).0["id"].clone());
    }
    let acknowledge = json!({"do": "acknowledge", "alarm": known["bed-04"]});
    assert_eq!(act(house.who("nurse"), "/beds/bed-04/alarms/acts", 1, &acknowledge).0, 200);
    let pause = json!({"do": "pause-alarms", "seconds": 120, "reason": "being washed"});
    assert_eq!(act(house.who("nurse"), "/beds/bed-05/limits", 2, &pause).0, 200);
    let set = json!({"do": "set-limit", "rule": "spo2-low", "priority": "medium", "to": 88, "reason": "copd"});
    assert_eq!(act(house.who("nurse"), "/beds/bed-05/limits", 3, &set).0, 200);
    assert_eq!(act(house.who("nurse"), "/beds/bed-03/alarms/acts", 4, &json!({"do": "take"})).0, 200);
    let until_before = row(house.who("nurse"), "bed-05")["alarms_paused_until"].clone();
    // What was said is on its way to disk; a record of it is the sign that it has come there.
    until("it is on disk", PATIENCE, || {
        let told = house.who("nurse").done("GET", "/beds/bed-05/alarms/history", &Value::Null);
        told["records"].as_array().unwrap().iter().any(|r| r["what"] == "limit-set").then_some(())
    });
    let nurse_id = house.id("nurse");
    let mut nurse = house.people.get_mut("nurse").unwrap().key.take().unwrap();
    drop(house);

    for round in 0..3 {
        let dir = kill(server);
        server = Server::start_in(dir, &charter);
        let began = Instant::now();
        let mut screen = Screen::open(&server);
        let (_, at) = screen.until("they are back", BACK_WITHIN, |screen| {
            beds.iter().all(|bed| screen.alarm(bed, HIGH).is_some()).then_some(())
        });
        println!("round {round}: back {:?} after the start, a display's sign-in included", at - began);
        for bed in beds {
            assert_eq!(screen.alarm(bed, HIGH).unwrap()["id"], known[bed], "the same alarm");
            let all = screen.beds[bed]["alarms"].as_array().unwrap();
            assert_eq!(all.iter().filter(|alarm| alarm["rule"] == HIGH).count(), 1);
        }
        let mut visitor = again(&server, &mut nurse);
        let acknowledged = find(&row(&mut visitor, "bed-04")["alarms"], HIGH).unwrap();
        assert_eq!(
            (&acknowledged["inactivation"], &acknowledged["acknowledged"]["by"]),
            (&json!("alert-acknowledged"), &json!(nurse_id))
        );
        let paused = row(&mut visitor, "bed-05");
        let micros = |value: &Value| value.as_i64().unwrap();
        assert!((micros(&paused["alarms_paused_until"]) - micros(&until_before)).abs() < 2_000_000, "{paused}");
        assert_eq!((&paused["limits_set"], &row(&mut visitor, "bed-03")["responsible"]), (&json!(1), &json!(nurse_id)));
        // The devices come back with the same values: the same alarms.
        let monitors: Vec<Monitor> = papers.iter().map(|papers| Monitor::start(&server, papers, 136)).collect();
        screen.until("a value came after the restart", PATIENCE, |screen| {
            beds.iter().all(|bed| screen.alarm(bed, HIGH).is_some_and(|alarm| alarm["worst"] == 136.0)).then_some(())
        });
        for bed in beds {
            assert_eq!(screen.alarm(bed, HIGH).unwrap()["id"], known[bed], "the same alarm");
        }
        drop(monitors);
    }
    drop(monitors);
}

#[test]
fn a_device_that_goes_is_an_alarm_within_five_seconds() {
    let (server, _) = started();
    server.admit("bed-03");
    server.admit("bed-04");
    let (cut, mute) =
        (server.enrol("mon-03", "monitor-m1", Some("bed-03")), server.enrol("mon-04", "monitor-m1", Some("bed-04")));
    let (cut, silent) = (Monitor::start(&server, &cut, 72), Monitor::start(&server, &mute, 72));
    let mut screen = Screen::open(&server);
    until("both were heard", PATIENCE, || {
        (cut.sent.lock().unwrap().len() + silent.sent.lock().unwrap().len() == 2).then_some(())
    });
    let began = cut.cut();
    let (alarm, at) = screen.until("the device is lost", LOSS_WITHIN, |screen| screen.alarm("bed-03", "device-lost"));
    println!("cut to alarm: {:?}", at - began);
    assert_eq!(
        (&alarm["kind"], &alarm["source"], &alarm["priority"]),
        (&json!("technical"), &json!("mon-03"), &json!("high"))
    );

    silent.mute.store(true, Ordering::Relaxed);
    let (_, at) = screen.until("the link is lost", PATIENCE, |screen| screen.alarm("bed-04", "link-lost"));
    let took = at - *silent.last.lock().unwrap();
    println!("last word to alarm: {took:?}");
    assert!(took <= LOSS_WITHIN, "{took:?}");
    silent.mute.store(false, Ordering::Relaxed);
    screen.until("it is heard again", PATIENCE, |screen| screen.alarm("bed-04", "link-lost").is_none().then_some(()));
    // A value that is no longer there is one, too.
    screen.until("no value", PATIENCE, |screen| screen.alarm("bed-03", "no-signal"));
}

#[test]
fn alarms_and_acknowledging_go_on_without_ledger_and_without_a_disk_for_alarms() {
    let (server, _) = started();
    let mut house = House::with(&server, &["nurse", "privacy"]);
    let papers = server.enrol("mon-05", "monitor-m1", Some("bed-03"));
    let monitor = Monitor::start(&server, &papers, 72);
    let mut screen = Screen::open(&server);
    until("it was heard", PATIENCE, || monitor.sent.lock().unwrap().get(&72).copied());

    let (ledger, alarms) = (server.data().join("ledger/events.db"), server.data().join("store/alarms.db"));
    let held = (stuck(&ledger), stuck(&alarms));
    monitor.say(134);
    let (alarm, at) = screen.until("the alarm", PATIENCE, |screen| screen.alarm("bed-03", HIGH));
    println!("with ledger and alarm disk gone: {:?}", at - monitor.sent(134));
    let began = Instant::now();
    let (status, answer) =
        act(house.who("nurse"), "/beds/bed-03/alarms/acts", 1, &json!({"do": "acknowledge", "alarm": alarm["id"]}));
    assert_eq!(
        (status, &find(&answer["bed"]["alarms"], HIGH).unwrap()["inactivation"]),
        (200, &json!("alert-acknowledged"))
    );
    println!("acknowledged without a ledger in {:?}", began.elapsed());
    let set = json!({"do": "set-limit", "rule": HIGH, "priority": "medium", "to": 140, "reason": "fever"});
    assert_eq!(act(house.who("nurse"), "/beds/bed-03/limits", 2, &set).0, 503, "limits wait for their record");
    let lost = |screen: &Screen, source: &str| {
        screen.ward["alarms"].as_array()?.iter().find(|alarm| alarm["source"] == source).cloned()
    };
    screen.until("the ledger's loss is an alarm", PATIENCE, |screen| lost(screen, "ledger"));
    screen.until("the disk's loss is an alarm", PATIENCE, |screen| lost(screen, "alarms"));
    monitor.say(72);
    screen.until("the end", PATIENCE, |screen| screen.alarm("bed-03", HIGH).is_none().then_some(()));

    drop(held);
    screen.until("both are back", PATIENCE * 2, |screen| {
        (lost(screen, "ledger").is_none() && lost(screen, "alarms").is_none()).then_some(())
    });
    let history = until("what happened meanwhile is kept", PATIENCE, || {
        let told = house.who("nurse").get("/beds/bed-03/alarms/history");
        let rows = told.json()["records"].as_array().cloned().unwrap_or_default();
        rows.iter().any(|r| r["phase"] == "end" && r["alarm"]["rule"] == HIGH).then_some(rows)
    });
    assert_eq!(history.iter().filter(|r| r["phase"] == "start" && r["alarm"]["rule"] == HIGH).count(), 1);
    let noted = until("the entry is in the ledger", PATIENCE, || {
        let all = entries(house.who("privacy"), None);
        let own: Vec<Value> = all.into_iter().filter(|entry| entry["action"] == "alarm-acknowledge").collect();
        (!own.is_empty()).then_some(own)
    });
    assert_eq!(noted.len(), 1, "once");
}
