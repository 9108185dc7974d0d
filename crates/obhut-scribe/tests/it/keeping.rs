//! What is recorded is there, findable and provable, also for the next process.

use crate::{event, keys, open, verified};
use obhut_ledger::export::Line;
use obhut_ledger::{EventKind, Place};
use obhut_model::{PersonId, ServerTime, Subject};
use obhut_scribe::{LedgerState, Options, Query, Scribe};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_recorded_once_each() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    assert_eq!(scribe.state(), LedgerState::Good);
    let tasks: Vec<_> = (0..1500)
        .map(|number| {
            let scribe = scribe.clone();
            tokio::spawn(async move { scribe.record(event(number)).await.unwrap() })
        })
        .collect();
    let mut indexes = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        let recorded = task.await.unwrap();
        assert_eq!(recorded.request(), event(number as u64).request);
        let Place::Ledger { index } = recorded.place() else { panic!("spooled") };
        assert_eq!(scribe.entry(index).unwrap().unwrap().event, event(number as u64));
        indexes.push(index);
    }
    indexes.sort_unstable();
    assert!(indexes.into_iter().eq(0..1500));
    scribe.close();
    let again = open(data.path());
    let report = verified(data.path(), &again);
    assert!(report.is_good() && report.size == 1500, "{:?}", report.findings);
    assert_eq!(again.by_request(event(77).request).unwrap()[0].event, event(77));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_leaves_the_event_behind() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    for number in 0..200 {
        let mut record = Box::pin(scribe.record(event(number)));
        // Polled once: handed over, not waited for.
        let _ = futures_poll_once(record.as_mut()).await;
        drop(record);
    }
    let _last = scribe.record(event(200)).await.unwrap();
    for number in 0..=200 {
        assert_eq!(scribe.by_request(event(number).request).unwrap().len(), 1, "{number}");
    }
}

async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
            std::task::Poll::Ready(out) => Some(out),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

async fn filled(scribe: &Arc<Scribe>, count: u64) {
    for number in 0..count {
        let _recorded = scribe.record(event(number)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_found_by_subject_person_kind_and_time() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    filled(&scribe, 60).await;
    let numbers = |query: Query| {
        let found = scribe.find(&Query { limit: 100, ..query }).unwrap();
        found.iter().map(|entry| entry.index).collect::<Vec<_>>()
    };
    let by = |keep: &dyn Fn(u64) -> bool| (0..60).rev().filter(|n| keep(*n)).collect::<Vec<_>>();
    let subject = Some(Subject::from_random([2; 16]));
    assert_eq!(numbers(Query { subject, ..Query::default() }), by(&|n| n % 5 == 2));
    let person = Some(PersonId::from_random([1; 16]));
    assert_eq!(numbers(Query { subject, person, ..Query::default() }), by(&|n| n % 5 == 2 && n % 3 == 1));
    let kinds = vec![EventKind::Denial];
    assert_eq!(numbers(Query { kinds, ..Query::default() }), by(&|n| n % 3 == 0));
    let at = |seconds: i64| Some(ServerTime::from_micros(seconds * 1_000_000));
    assert_eq!(numbers(Query { from: at(10), to: at(20), ..Query::default() }), by(&|n| (10..20).contains(&n)));
    let page = scribe.find(&Query { before: Some(30), limit: 4, ..Query::default() }).unwrap();
    assert_eq!(page.iter().map(|entry| entry.index).collect::<Vec<_>>(), [29, 28, 27, 26]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_can_be_proved_and_its_tiles_served() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    filled(&scribe, 300).await;
    let key = scribe.public_key().parse().unwrap();
    for index in [0, 255, 256, 299] {
        let (proof, line) = (scribe.prove(index).unwrap(), scribe.line(index).unwrap());
        proof.check(&key, &line.leaf().unwrap()).unwrap();
        assert_eq!(line.event().unwrap(), event(index));
        assert_eq!(Line::parse(&line.to_json().to_string()).unwrap(), line);
    }
    assert!(scribe.prove(300).is_err());
    assert_eq!(scribe.tile("tile/0/000").unwrap().len(), 8192);
    assert!(scribe.tile("tile/../events.db").is_none() && scribe.tile("events.db").is_none());
    assert!(scribe.checkpoint().starts_with("ward.example/ledger\n300\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_event_lies_open_on_disk() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    filled(&scribe, 20).await;
    scribe.publish().unwrap();
    let mut looked = 0;
    for dir in ["ledger", "ledger/tile/0", "ledger/tile/entries/000.p"] {
        for file in std::fs::read_dir(data.path().join(dir)).unwrap().flatten().filter(|f| f.path().is_file()) {
            let bytes = std::fs::read(file.path()).unwrap();
            for secret in [b"why 2".as_slice(), b"readings-view", event(3).request.as_bytes(), &[2; 16]] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{:?}", file.path());
            }
            looked += 1;
        }
    }
    assert!(looked > 3);
}

#[test]
fn the_key_file_opens_with_its_provider_and_can_be_wrapped_anew() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("ledger.keys");
    let public = keys(data.path()).public().to_string();
    assert_eq!(keys(data.path()).public().to_string(), public);
    let other = obhut_vault::SoftwareProvider::from_key([8; 32]).unwrap();
    assert!(obhut_scribe::LedgerKeys::open_or_create(&path, "ward.example/ledger", &other).is_err());
    obhut_scribe::LedgerKeys::rewrap(&path, &crate::provider(), &other).unwrap();
    let again = obhut_scribe::LedgerKeys::open_or_create(&path, "ward.example/ledger", &other).unwrap();
    assert_eq!(again.public().to_string(), public);
    let _unused = Options::in_data(data.path());
}
