//! The ledger down: nothing but the bedside goes on, its events wait in the spool and come in once, in order, when the ledger is back.

use crate::{event, open, verified, wait};
use obhut_ledger::Place;
use obhut_scribe::{LedgerDown, LedgerState};
use std::fs::File;
use std::path::Path;

/// Keeps the ledger from being opened, as another program would.
fn hold(data: &Path) -> File {
    std::fs::create_dir_all(data.join("ledger")).unwrap();
    let file = File::options().create(true).write(true).truncate(false).open(data.join("ledger/lock")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn urgent_events_wait_in_the_spool_and_come_in_once() {
    let data = tempfile::tempdir().unwrap();
    let held = hold(data.path());
    let scribe = open(data.path());
    assert!(scribe.why().unwrap().contains("another program"));
    assert_eq!(scribe.record(event(0)).await, Err(LedgerDown));
    for number in 0..40 {
        assert_eq!(scribe.record_or_spool(event(number)).await.unwrap().place(), Place::Spool);
    }
    assert_eq!(scribe.state(), LedgerState::Spooling { waiting: 40 });
    // A crash between: the next process finds them, and spools more.
    scribe.close();
    drop(scribe);
    let scribe = open(data.path());
    assert_eq!(scribe.state(), LedgerState::Spooling { waiting: 40 });
    for number in 40..50 {
        let _recorded = scribe.record_or_spool(event(number)).await.unwrap();
    }
    drop(held);
    wait("the ledger is back", || scribe.state() == LedgerState::Good && scribe.waiting() == 0);
    assert!(matches!(scribe.record_or_spool(event(50)).await.unwrap().place(), Place::Ledger { index: 50 }));
    for number in 0..=50 {
        let found = scribe.by_request(event(number).request).unwrap();
        assert_eq!(
            found.iter().map(|entry| (entry.index, &entry.event)).collect::<Vec<_>>(),
            [(number, &event(number))]
        );
    }
    assert_eq!(std::fs::read_dir(data.path().join("spool")).unwrap().count(), 0);
    scribe.publish().unwrap();
    assert!(verified(data.path(), &scribe).is_good());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_in_both_comes_in_once() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    let _recorded = scribe.record(event(7)).await.unwrap();
    scribe.close();
    drop(scribe);
    let held = hold(data.path());
    let scribe = open(data.path());
    let _recorded = scribe.record_or_spool(event(7)).await.unwrap();
    let _recorded = scribe.record_or_spool(event(8)).await.unwrap();
    drop(held);
    wait("the spool is empty", || scribe.waiting() == 0);
    assert_eq!(scribe.by_request(event(7).request).unwrap().len(), 1);
    assert_eq!(scribe.by_request(event(8).request).unwrap()[0].index, 1);
}

/// The commit thread hangs in a write, those behind it give up and spool, and then the write goes through: what waited in the queue is in the spool, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_spooled_while_it_stood_in_the_queue_comes_in_once() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    let _recorded = scribe.record(event(0)).await.unwrap();
    let other = rusqlite::Connection::open(data.path().join("ledger/events.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (1..20)
        .map(|number| {
            let scribe = scribe.clone();
            tokio::spawn(async move { scribe.record_or_spool(event(number)).await.unwrap().place() })
        })
        .collect();
    for place in waiting {
        assert_eq!(place.await.unwrap(), Place::Spool);
    }
    drop(other);
    wait("the ledger is back", || scribe.state() == LedgerState::Good && scribe.waiting() == 0);
    let _recorded = scribe.record(event(20)).await.unwrap();
    for number in 0..=20 {
        assert_eq!(scribe.by_request(event(number).request).unwrap().len(), 1, "{number}");
    }
    scribe.publish().unwrap();
    assert!(verified(data.path(), &scribe).is_good());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ledger_and_spool_nothing_is_recorded() {
    let data = tempfile::tempdir().unwrap();
    let _held = hold(data.path());
    std::fs::write(data.path().join("spool"), "a file where the directory should be").unwrap();
    let scribe = open(data.path());
    assert_eq!(scribe.record_or_spool(event(1)).await, Err(LedgerDown));
    assert_eq!(scribe.state(), LedgerState::Down);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_goes_away_is_noticed_and_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    let _recorded = scribe.record(event(0)).await.unwrap();
    scribe.publish().unwrap();
    // The disk with the tiles is gone: the next checkpoint fails, and with it the ledger.
    let away = data.path().join("away");
    std::fs::rename(data.path().join("ledger/tile"), &away).unwrap();
    std::fs::write(data.path().join("ledger/tile"), "no directory").unwrap();
    let _recorded = scribe.record(event(1)).await.unwrap();
    assert!(scribe.publish().is_err());
    assert_eq!(scribe.record_or_spool(event(2)).await.unwrap().place(), Place::Spool);
    std::fs::remove_file(data.path().join("ledger/tile")).unwrap();
    std::fs::rename(&away, data.path().join("ledger/tile")).unwrap();
    wait("the ledger is back", || scribe.state() == LedgerState::Good && scribe.waiting() == 0);
    for number in 0..3 {
        assert_eq!(scribe.by_request(event(number).request).unwrap().len(), 1);
    }
    scribe.publish().unwrap();
    assert!(verified(data.path(), &scribe).is_good());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_tiles_are_made_again_and_a_changed_database_is_not_believed() {
    let data = tempfile::tempdir().unwrap();
    let scribe = open(data.path());
    for number in 0..300 {
        let _recorded = scribe.record(event(number)).await.unwrap();
    }
    scribe.close();
    drop(scribe);
    std::fs::remove_dir_all(data.path().join("ledger/tile")).unwrap();
    let scribe = open(data.path());
    assert_eq!(scribe.state(), LedgerState::Good);
    assert!(verified(data.path(), &scribe).is_good());
    scribe.close();
    drop(scribe);
    let database = data.path().join("ledger/events.db");
    let sql = |text: &str| rusqlite::Connection::open(&database).unwrap().execute_batch(text).unwrap();
    sql("DELETE FROM entries WHERE idx = 299");
    let scribe = open(data.path());
    assert!(scribe.why().unwrap().contains("entries were removed"), "{:?}", scribe.why());
    assert_eq!(scribe.record(event(1000)).await, Err(LedgerDown));
}
