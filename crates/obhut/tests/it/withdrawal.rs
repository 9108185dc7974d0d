//! A thousand patients agreed to research and take it back, one after the other: how long it takes until nothing of theirs leaves any more, while the
//! ward goes on as if nothing had happened.

use crate::door::live;
use crate::house::{House, again};
use crate::mqtt::{Mqtt, publish_packet};
use crate::signin::today;
use crate::support::{PATIENCE, Server, block_on};
use crate::visitor::Visitor;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Patients with `OBHUT_LONG`, and without, and beds they pass through one after the other.
const PATIENTS: (usize, usize) = (1_000, 200);
const BEDS: usize = 20;
const FIRST_BED: usize = 11;
/// A withdrawal is effective everywhere within this for 99 of 100 (control P08).
const EFFECTIVE_WITHIN: Duration = Duration::from_secs(5);
/// Ward time each of them lay in a bed, microseconds.
const STAY: i64 = 20_000_000;

fn long() -> bool {
    std::env::var_os("OBHUT_LONG").is_some()
}

fn patients() -> usize {
    if long() { PATIENTS.0 } else { PATIENTS.1 }
}

/// Lets the patients pass through their bed, each with one reading; gives the pseudonyms.
fn ward_course(server: &Server, bed: usize, papers: &crate::support::Papers) -> Vec<String> {
    let name = format!("bed-{:02}", bed + FIRST_BED);
    let each = patients() / BEDS;
    let first = today() - STAY * (each as i64 + 2);
    let mut device = Mqtt::connect(server, papers);
    let mut subjects = Vec::new();
    for number in 0..each {
        let from = first + STAY * number as i64;
        let year = 1930 + number % 70;
        let identity = json!({"name": format!("Patient {bed} {number}"), "birth_date": format!("{year}-05-05"),
            "record_number": format!("R-{bed}-{number}"), "from": from});
        let bound = server.change("PUT", &format!("/v1/beds/{name}/patient"), &identity);
        subjects.push(bound["subject"].as_str().unwrap().to_owned());
        let seconds = from / 1_000_000 + 5;
        let beat = format!(r#"[{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72,"t":{seconds}}}]"#);
        device.send(&publish_packet(0b0010, &format!("obhut/{}/senml", papers.device), &[], beat.as_bytes()));
        let (kind, body) = device.receive().unwrap();
        assert!(kind == 0x40 && (body.len() == 2 || body[2] == 0), "{kind:#x} {body:?}");
        server.change("DELETE", &format!("/v1/beds/{name}/patient"), &json!({"to": from + STAY - 1_000_000}));
    }
    subjects
}

/// How many people a project's set would hold now.
fn members(researcher: &mut Visitor) -> u64 {
    let done = researcher.done("POST", "/projects/early-warning/export", &json!({"dry": true}));
    done["report"]["people"].as_u64().unwrap()
}

/// A monitor that sends a heart rate every second, and a page that shows it, until told to stop. Gives the longest the page waited and how many came.
fn bedside(server: &Server, papers: &crate::support::Papers, bed: &str, over: &AtomicBool) -> (Duration, usize) {
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let (mut device, topic) = (Mqtt::connect(server, papers), format!("obhut/{}/senml", papers.device));
            let began = Instant::now();
            for number in 0_u32.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let beat = format!(r#"[{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":{}}}]"#, 60 + number % 40);
                device.send(&publish_packet(0b0010, &topic, &[], beat.as_bytes()));
                assert_eq!(device.receive().unwrap().0, 0x40);
                // The pace of a monitor, not a wait for something.
                std::thread::sleep(
                    (began + Duration::from_millis(1_050) * (number + 1)).saturating_duration_since(Instant::now()),
                );
            }
        });
        let seen = block_on(async {
            let (mut page, _) = live(server).await;
            let (mut stream, mut last, mut longest, mut count) = (None, None::<Instant>, Duration::ZERO, 0);
            while !over.load(Ordering::Relaxed) {
                let Ok(Some(Ok(Message::Binary(bytes)))) = tokio::time::timeout(PATIENCE, page.next()).await else {
                    panic!("the stream ended");
                };
                let json = || serde_json::from_slice::<Value>(&bytes[1..]).unwrap();
                match bytes[0] {
                    1 => {
                        let layout = json();
                        let bed = layout["beds"].as_array().unwrap().iter().find(|found| found["id"] == bed).unwrap();
                        let streams = bed["streams"].as_array().unwrap();
                        stream = streams.iter().find(|s| s["ref"] == "MDC_ECG_HEART_RATE").map(|s| s["i"].clone());
                    }
                    3 if json()["n"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|n| Some(&n[0]) == stream.as_ref() && !n[2].is_null()) =>
                    {
                        let now = Instant::now();
                        longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
                        last = Some(now);
                        count += 1;
                    }
                    _ => {}
                }
            }
            (longest, count)
        });
        sender.join().unwrap();
        seen
    })
}

#[test]
fn a_withdrawal_counts_everywhere_within_five_seconds() {
    let patients = patients();
    let server = Server::start();
    let mut house = House::with(&server, &["nurse", "researcher"]);
    let monitors: Vec<_> =
        (0..BEDS).map(|bed| server.enrol(&format!("mon-{:02}", bed + FIRST_BED), "monitor-m1", None)).collect();
    for papers in &monitors {
        server.run(&["device", "bind", &papers.device, "--bed", &papers.device.replace("mon", "bed"), "--from=-60m"]);
    }
    let setting = Instant::now();
    let mut subjects: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = monitors
            .iter()
            .enumerate()
            .map(|(bed, papers)| {
                scope.spawn({
                    let server = &server;
                    move || ward_course(server, bed, papers)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(subjects.len(), patients);
    // One of them lies here again, and is watched all the while.
    let watched = subjects.pop().unwrap();
    let (bed, number) = (BEDS - 1, patients / BEDS - 1);
    let identity = json!({"name": format!("Patient {bed} {number}"), "birth_date": format!("{}-05-05", 1930 + number % 70),
        "record_number": format!("R-{bed}-{number}")});
    let back = server.change("PUT", "/v1/beds/bed-30/patient", &identity);
    assert_eq!(back["subject"], watched.as_str(), "the same two identifiers, the same patient");
    subjects.insert(0, watched);

    let nurse = house.people.get_mut("nurse").unwrap().key.as_mut().unwrap();
    let nurses: Vec<Visitor> = (0..4).map(|_| again(&server, nurse)).collect();
    let forms = house.who("nurse").done("GET", "/consent-forms", &Value::Null);
    let form = forms["forms"].as_array().unwrap().iter().find(|form| form["id"] == "research").unwrap().clone();
    let yes = json!({"form": "research", "version": form["version"], "lang": "de", "decision": "given"});
    let chunk = patients.div_ceil(nurses.len());
    let (nurses, consents): (Vec<Visitor>, Vec<Vec<String>>) = std::thread::scope(|scope| {
        let threads: Vec<_> = nurses
            .into_iter()
            .zip(subjects.chunks(chunk))
            .map(|(mut nurse, mine)| {
                let yes = &yes;
                scope.spawn(move || {
                    let give = |subject: &String| {
                        let given = nurse.done("POST", &format!("/patients/{subject}/consents"), yes);
                        given["case"].as_str().unwrap().to_owned()
                    };
                    let cases = mine.iter().map(give).collect();
                    (nurse, cases)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).unzip()
    });
    println!("{patients} patients with a reading and a consent after {:?}", setting.elapsed());
    assert_eq!(members(house.who("researcher")), patients as u64);

    // Withdrawals as fast as they are taken, and a researcher who asks again and again.
    let (over, watching) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (sent, done) = (Mutex::new(Vec::<(Instant, Instant)>::new()), AtomicUsize::new(0));
    let (asked, seen) = std::thread::scope(|scope| {
        let bedside = scope.spawn(|| bedside(&server, &monitors[19], "bed-30", &watching));
        let mut researcher = house.people.remove("researcher").unwrap().visitor;
        let over = &over;
        let asking = scope.spawn(move || {
            let mut asked = Vec::new();
            loop {
                let last = over.load(Ordering::Acquire);
                let people = members(&mut researcher);
                asked.push((Instant::now(), people));
                if last {
                    return asked;
                }
            }
        });
        let threads: Vec<_> = nurses
            .into_iter()
            .zip(&consents)
            .map(|(mut nurse, mine)| {
                let (sent, done) = (&sent, &done);
                scope.spawn(move || {
                    for case in mine {
                        let at = Instant::now();
                        let gone = nurse.done("POST", &format!("/consents/{case}/withdraw"), &json!({}));
                        assert_eq!(gone["in_force"], true);
                        sent.lock().unwrap().push((at, Instant::now()));
                        done.fetch_add(1, Ordering::AcqRel);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        over.store(true, Ordering::Release);
        let asked = asking.join().unwrap();
        watching.store(true, Ordering::Release);
        (asked, bedside.join().unwrap())
    });

    // The k-th withdrawal to be sent is effective at the latest when an answer counts k fewer.
    let mut sent = sent.into_inner().unwrap();
    sent.sort();
    let took = |number: usize, at: Instant| {
        let first = asked.iter().find(|(_, people)| *people <= (patients - 1 - number) as u64);
        first.map(|(counted, _)| counted.saturating_duration_since(at)).unwrap()
    };
    let mut effective: Vec<Duration> = sent.iter().enumerate().map(|(number, (at, _))| took(number, *at)).collect();
    let mut answered: Vec<Duration> = sent.iter().map(|(at, answered)| *answered - *at).collect();
    effective.sort();
    answered.sort();
    let at = |times: &[Duration], share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "{patients} withdrawals: answered p50 {:?}, p99 {:?}; nothing leaves any more after p50 {:?}, p99 {:?}, worst {:?} ({} sets counted meanwhile)",
        at(&answered, 50),
        at(&answered, 99),
        at(&effective, 50),
        at(&effective, 99),
        at(&effective, 100),
        asked.len()
    );
    assert_eq!(done.into_inner(), patients);
    assert_eq!(asked.last().unwrap().1, 0);
    if long() {
        assert!(at(&effective, 99) <= EFFECTIVE_WITHIN, "{:?}", at(&effective, 99));
    }
    let (longest, count) = seen;
    println!("the bedside meanwhile: {count} heart rates on the page, at most {longest:?} between two");
    assert!(count >= 2 && (longest < Duration::from_secs(3) || !long()), "{count} {longest:?}");
}
