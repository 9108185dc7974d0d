//! Tests of the scribe, on real files, over real sockets, with real kills.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

mod crash;
mod down;
mod keeping;
mod removing;
mod witnesses;

use obhut_ledger::verify::{Report, Wanted, verify};
use obhut_ledger::{Actor, Event, EventKind};
use obhut_model::{PersonId, RequestId, ServerTime, Subject};
use obhut_scribe::{LedgerKeys, LogDir, Options, Scribe};
use obhut_vault::SoftwareProvider;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn provider() -> SoftwareProvider {
    SoftwareProvider::from_key([7; 32]).unwrap()
}

fn keys(data: &Path) -> LedgerKeys {
    LedgerKeys::open_or_create(&data.join("ledger.keys"), "ward.example/ledger", &provider()).unwrap()
}

fn open(data: &Path) -> Arc<Scribe> {
    Scribe::open(Options::in_data(data), keys(data)).unwrap()
}

fn event(number: u64) -> Event {
    let id = |salt: u8| {
        let mut bytes = [salt; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    Event {
        subject: Some(Subject::from_random([u8::try_from(number % 5).unwrap(); 16])),
        note: number.is_multiple_of(2).then(|| format!("why {number}")),
        ..Event::new(
            RequestId::from_random(id(1)),
            ServerTime::from_micros(i64::try_from(number).unwrap() * 1_000_000),
            if number.is_multiple_of(3) { EventKind::Denial } else { EventKind::Access },
            Actor::Person(PersonId::from_random([u8::try_from(number % 3).unwrap(); 16])),
            "readings-view",
        )
    }
}

/// Waits for a condition, with a deadline.
fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !until() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn verified(data: &Path, scribe: &Scribe) -> Report {
    let key = scribe.public_key().parse().unwrap();
    verify(&LogDir::new(&data.join("ledger")), &key, &Wanted::default())
}
