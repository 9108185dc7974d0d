//! Kill -9 at any moment: what was acknowledged is in the ledger exactly once, whether it went there directly or by way of the spool.
//!
//! The test starts itself as another process that records and prints what was acknowledged, kills that, and opens what is left.

use crate::{event, open, verified, wait};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DATA: &str = "OBHUT_TEST_CHILD_DATA";
const FROM: &str = "OBHUT_TEST_CHILD_FROM";
const SPOOL: &str = "OBHUT_TEST_CHILD_SPOOL";

#[test]
#[ignore = "run by the tests below, in a process of its own that they kill"]
fn child() {
    let (Some(data), Some(from)) = (std::env::var_os(DATA), std::env::var_os(FROM)) else { return };
    let from: u64 = from.to_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut options = obhut_scribe::Options::in_data(Path::new(&data));
        options.checkpoint_every = Duration::from_millis(20);
        let scribe = obhut_scribe::Scribe::open(options, crate::keys(Path::new(&data))).unwrap();
        let spool = std::env::var_os(SPOOL).is_some();
        let mut number = from;
        loop {
            let done = match spool {
                true => scribe.record_or_spool(event(number)).await,
                false => scribe.record(event(number)).await,
            };
            let _recorded = done.unwrap();
            println!("acknowledged {number}");
            std::io::stdout().flush().unwrap();
            number += 1;
        }
    });
}

fn start(data: &Path, from: u64, spool: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--ignored", "--nocapture", "--test-threads", "1"]);
    command.env(DATA, data).env(FROM, from.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
    if spool {
        command.env(SPOOL, "1");
    }
    command.spawn().unwrap()
}

/// Lets the child acknowledge so many and kills it at once. Gives the last number acknowledged.
fn kill_after(mut child: Child, count: usize) -> u64 {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut seen = 0;
    let mut last = None;
    for line in lines {
        // The harness prints before it, on the same line.
        if let Some((_, number)) = line.split_once("acknowledged ") {
            last = number.parse().ok();
            seen += 1;
            if seen == count {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    last.unwrap()
}

#[test]
fn killed_while_recording_nothing_acknowledged_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let mut next = 0;
    for round in 0..6 {
        let last = kill_after(start(data.path(), next, false), 3 + round * 37);
        let scribe = open(data.path());
        for number in 0..=last {
            let found = scribe.by_request(event(number).request).unwrap();
            assert_eq!(found.len(), 1, "round {round}: event {number}");
        }
        // The one under way may have come in without being acknowledged.
        next = last + 2;
        if scribe.by_request(event(last + 1).request).unwrap().is_empty() {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let _recorded = runtime.block_on(scribe.record(event(last + 1))).unwrap();
        }
        scribe.close();
        assert!(verified(data.path(), &scribe).is_good(), "round {round}");
    }
}

/// Opens the ledger once whoever had it let go.
fn open_when_free(data: &Path) -> std::sync::Arc<obhut_scribe::Scribe> {
    let scribe = open(data);
    wait("the ledger is free", || scribe.state() == obhut_scribe::LedgerState::Good);
    scribe
}

#[test]
fn killed_while_spooling_and_while_replaying_each_event_comes_in_once() {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(data.path().join("ledger")).unwrap();
    let mut next = 0;
    for round in 0..5 {
        let lock =
            std::fs::File::options().create(true).write(true).truncate(false).open(data.path().join("ledger/lock"));
        let lock = lock.unwrap();
        wait("the lock is free", || {
            rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
        });
        // Spools while the ledger is held; then the ledger comes back and the child is killed somewhere in the replay.
        let mut child = start(data.path(), next, true);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (mut seen, mut last, mut lock) = (0, None, Some(lock));
        for line in lines {
            let Some((_, number)) = line.split_once("acknowledged ") else { continue };
            last = number.parse::<u64>().ok();
            seen += 1;
            if seen == 120 {
                drop(lock.take());
            }
            if seen == 121 + round * 60 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let last = last.unwrap();
        let scribe = open_when_free(data.path());
        wait("the spool is empty", || scribe.waiting() == 0);
        for number in 0..=last {
            let found = scribe.by_request(event(number).request).unwrap();
            assert_eq!(found.len(), 1, "round {round}: event {number} of {last}");
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        if scribe.by_request(event(last + 1).request).unwrap().is_empty() {
            let _recorded = runtime.block_on(scribe.record(event(last + 1))).unwrap();
        }
        scribe.close();
        assert!(verified(data.path(), &scribe).is_good());
        next = last + 2;
    }
}
