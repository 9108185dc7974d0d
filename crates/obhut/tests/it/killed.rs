//! The server is killed while people read, and people go away while it answers: whoever got data has an entry in the ledger, and what was once in the
//! ledger stays there.
//!
//! A few rounds here; `OBHUT_LONG=1` makes it forty.

use crate::faults::verified;
use crate::forgetting::kill;
use crate::house::{House, again, entries};
use crate::signin::Key;
use crate::support::{PATIENCE, Server, demo_charter, until};
use crate::visitor::Visitor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// People who read at the same time.
const READERS: usize = 3;

/// Reads until the server is gone. Whatever came back with data is noted by the entry it names; every seventh time the reader goes away before the
/// answer, every eleventh in the middle of it.
fn read(mut visitor: Visitor, subject: &str, got: &Got, over: &AtomicBool) {
    let end = crate::signin::today() + 600_000_000;
    let paths = [
        format!("/api/v1/patients/{subject}"),
        "/api/v1/patients?names=1".to_owned(),
        format!("/api/v1/patients/{subject}/readings?code=MDC_ECG_HEART_RATE&from={}&to={end}", end - 3_600_000_000),
        format!("/api/v1/patients/{subject}/codes"),
        format!("/api/v1/patients/{subject}/consents"),
    ];
    for (number, path) in (1_usize..).zip(paths.iter().cycle()) {
        if over.load(Ordering::Relaxed) {
            return;
        }
        if number.is_multiple_of(7) {
            let said = visitor.say("GET", path, &[], None);
            visitor.hang_up();
            got.left.fetch_add(1, Ordering::Relaxed);
            if said.is_err() {
                return;
            }
            continue;
        }
        let answer = visitor.ask("GET", path, &[], None);
        if let Some(head) = visitor.head.as_ref().filter(|head| head.status == 200) {
            let entry = head.header("obhut-request").map(str::to_owned);
            got.entries.lock().unwrap().push((path.clone(), entry));
            got.answered.fetch_add(1, Ordering::Relaxed);
        }
        match answer {
            Ok(reply) => assert!(reply.status == 200, "{path}: {} {}", reply.status, reply.json()),
            Err(_) => return,
        }
        if number.is_multiple_of(11) {
            visitor.hang_up();
        }
    }
}

#[derive(Default)]
struct Got {
    /// What was asked and which entry its answer named.
    entries: Mutex<Vec<(String, Option<String>)>>,
    answered: AtomicUsize,
    left: AtomicUsize,
}

#[test]
fn nobody_gets_data_without_an_entry_and_no_entry_is_lost() {
    let long = std::env::var_os("OBHUT_LONG").is_some_and(|value| value == "1");
    let rounds = if long { 40 } else { 4 };
    let mut server = Server::start();
    let mut house = House::with(&server, &["nurse", "privacy"]);
    let subject = house.subject.clone();
    house.consent(&subject, "research");
    let mut take = |role: &str| -> Key { house.people.get_mut(role).unwrap().key.take().unwrap() };
    let (mut nurse, mut privacy) = (take("nurse"), take("privacy"));
    let key = house.who("privacy").done("GET", "/ledger/key", &Value::Null)["key"].as_str().unwrap().to_owned();
    drop(house);

    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut known: BTreeMap<u64, Value> = BTreeMap::new();
    let (mut delivered, mut left) = (0, 0);
    for round in 0..rounds {
        let got = Arc::new(Got::default());
        let over = Arc::new(AtomicBool::new(false));
        let readers: Vec<Visitor> = (0..READERS).map(|_| again(&server, &mut nurse)).collect();
        let threads: Vec<_> = readers
            .into_iter()
            .map(|reader| {
                let (got, over, subject) = (got.clone(), over.clone(), subject.clone());
                std::thread::spawn(move || read(reader, &subject, &got, &over))
            })
            .collect();
        // Killed after some answers, which are somewhere between decision, record and data of others.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let enough = 20 + (state >> 40) as usize % 120;
        until("enough was read", PATIENCE, || (got.answered.load(Ordering::Relaxed) >= enough).then_some(()));
        let dir = kill(server);
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
        server = Server::start_in(dir, &demo_charter());
        let mut reader = again(&server, &mut privacy);
        let now: BTreeMap<u64, Value> =
            entries(&mut reader, None).into_iter().map(|entry| (entry["index"].as_u64().unwrap(), entry)).collect();
        for (index, entry) in &known {
            assert_eq!(now.get(index), Some(entry), "round {round}: entry {index} is not what it was");
        }
        assert!((0..now.len() as u64).eq(now.keys().copied()), "round {round}: a gap");
        let named: std::collections::BTreeSet<&str> =
            now.values().filter(|e| e["outcome"] == "success").map(|e| e["request"].as_str().unwrap()).collect();
        for (path, entry) in got.entries.lock().unwrap().iter() {
            let entry = entry.as_deref().unwrap_or_else(|| panic!("round {round}: {path} names no entry"));
            assert!(named.contains(entry), "round {round}: data of {path} without an entry");
        }
        delivered += got.entries.lock().unwrap().len();
        left += got.left.load(Ordering::Relaxed);
        known = now;
    }
    println!(
        "{rounds} kills: {delivered} answers with data, {left} readers gone before theirs; {} entries, none missing",
        known.len()
    );
    let dir = server.stop();
    verified(&dir.path().join("data"), &key);
}
