//! Retention and erasure: events, salts and texts go, commitments stay, the log still verifies.

use crate::{event, open, verified};
use obhut_ledger::EventKind;
use obhut_ledger::export::Line;
use obhut_model::{ServerTime, Subject};
use obhut_scribe::Query;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_goes_and_the_log_still_verifies() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    for number in 0..300 {
        let _recorded = scribe.record(event(number)).await.unwrap();
    }
    let leaves: Vec<_> = (0..300).map(|index| scribe.leaf(index).unwrap()).collect();
    let before = ServerTime::from_micros(100 * 1_000_000);
    assert_eq!(scribe.count_before(before, &[EventKind::Denial]).unwrap(), 34);
    assert_eq!(scribe.remove_events(before, &[EventKind::Denial]).unwrap(), 34);
    assert_eq!(scribe.count_before(before, &[EventKind::Denial]).unwrap(), 0);
    assert_eq!(scribe.entry(3).unwrap(), None);
    assert_eq!(scribe.line(3).unwrap(), Line::Removed { index: 3 });
    assert!(scribe.by_request(event(3).request).unwrap().is_empty());
    assert_eq!(scribe.entry(4).unwrap().unwrap().event, event(4));
    assert!((0..300).all(|index| scribe.leaf(index).unwrap() == leaves[index as usize]));
    let report = verified(data.path(), &scribe);
    assert!(report.is_good() && report.size == 300);
    // What was removed can still be shown to have been there, by its commitment.
    let key = scribe.public_key().parse().unwrap();
    scribe.prove(3).unwrap().check(&key, &leaves[3]).unwrap();
    // And no trace of its sealed bytes is in any file.
    scribe.close();
    drop(scribe);
    let again = open(data.path());
    assert_eq!(again.entry(3).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_subject_s_texts_go_and_the_record_stays() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    for number in 0..50 {
        let _recorded = scribe.record(event(number)).await.unwrap();
    }
    let subject = Subject::from_random([2; 16]);
    assert_eq!(scribe.remove_notes(subject).unwrap(), 5);
    for entry in scribe.find(&Query { subject: Some(subject), limit: 100, ..Query::default() }).unwrap() {
        assert_eq!((entry.event.note.clone(), entry.note_removed), (None, entry.index % 2 == 0));
    }
    assert_eq!(scribe.entry(4).unwrap().unwrap().event.note.as_deref(), Some("why 4"));
    scribe.publish().unwrap();
    assert!(verified(data.path(), &scribe).is_good());
    let key = scribe.public_key().parse().unwrap();
    scribe.prove(2).unwrap().check(&key, &scribe.line(2).unwrap().leaf().unwrap()).unwrap();
}
