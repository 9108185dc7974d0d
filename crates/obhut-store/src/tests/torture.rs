//! Power cuts, full disks and failing disks at every operation of a scripted workload, on a disk that drops and tears what was not synced.
//!
//! Every test run visits every operation once; `OBHUT_TORTURE=n` runs n rounds of each kind. A round's number is its seed and its place.

use super::*;
use crate::disk::sim::{Fault, SimDisk};
use std::collections::{BTreeMap, BTreeSet};

const MESSAGES: u64 = 48;
const SUBJECTS: u64 = 3;

fn rounds() -> u64 {
    std::env::var("OBHUT_TORTURE").ok().and_then(|n| n.parse().ok()).unwrap_or(140)
}

struct Ward {
    dir: tempfile::TempDir,
    disk: SimDisk,
    subjects: Vec<Subject>,
}

/// Everything about message `number` follows from it, so that what comes back can be checked bit by bit.
fn subject_of(number: u64) -> u64 {
    number % SUBJECTS
}

fn expected(number: u64) -> (i64, i32, Vec<i16>) {
    let start = 3_598_000_000 + i64::try_from(number).unwrap() * 400_000;
    let samples = (0..100).map(|i| ((number * 31 + i * 7) % 2000) as i16).collect();
    (start, number as i32, samples)
}

fn send(store: &EmbeddedStore, ward: &Ward, number: u64, waiter: &Arc<Waiter>) -> Result<Appended, AppendError> {
    let (start, steps, samples) = expected(number);
    let samples = bytes(&samples);
    let monitor = device(&format!("mon-{}", subject_of(number)));
    let subject = ward.subjects[subject_of(number) as usize];
    let numerics = [numeric(Code::ECG_HEART_RATE, start, Some(steps))];
    store.append(&message(&monitor, subject, number, &numerics, &[wave(Code::ECG_LEAD_II, start, &samples)]), waiter)
}

impl Ward {
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let dir = tempdir();
        // Patients are bound before the trouble begins, on the same databases.
        let quiet: Arc<dyn Disk> = Arc::new(SimDisk::new(1, None));
        let store = open_with(dir.path(), on(&quiet));
        let subjects = (0..SUBJECTS).map(|n| bind(&store, n as u32)).collect();
        store.close().unwrap();
        drop(store);
        std::fs::remove_file(dir.path().join("records.db")).unwrap();
        for log in ["records.db-wal", "records.db-shm"] {
            let _ = std::fs::remove_file(dir.path().join(log));
        }
        Self { dir, disk: SimDisk::new(seed, fault), subjects }
    }

    fn open(&self) -> Result<EmbeddedStore, StoreError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let options = Options { rotate_after: Duration::from_millis(1), ..on(&disk) };
        EmbeddedStore::open(self.dir.path(), provider(), options)
    }

    /// Runs the script until its end or until the store gives up. Returns what was acknowledged.
    fn run(&self, store: &EmbeddedStore) -> BTreeSet<u64> {
        store.set_retention(&[("trend".into(), 1000), ("wave".into(), 100)]);
        let waiter = Arc::new(Waiter::default());
        let mut positions = BTreeMap::new();
        for number in 1..=MESSAGES {
            let until = Instant::now() + DEADLINE;
            let position = loop {
                match send(store, self, number, &waiter) {
                    Ok(Appended::At(position) | Appended::Duplicate(position)) => break Some(position),
                    Err(AppendError::DiskFull | AppendError::Behind) if Instant::now() < until => {
                        std::thread::park_timeout(Duration::from_millis(1))
                    }
                    Err(_) => break None,
                }
            };
            let Some(position) = position else { break };
            positions.insert(number, position);
            // Some alone, some in company.
            if number % 4 == 0 {
                eventually("an answer", || waiter.durable() >= position || matches!(store.health(), Health::Failed(_)));
            }
        }
        if let Some(last) = positions.values().last() {
            eventually("an answer", || waiter.durable() >= *last || matches!(store.health(), Health::Failed(_)));
        }
        positions.into_iter().filter(|(_, position)| *position <= waiter.durable()).map(|(number, _)| number).collect()
    }

    /// Everything in the store was sent, is whole, and is there once; everything acknowledged is there.
    fn check(&self, store: &EmbeddedStore, acknowledged: &BTreeSet<u64>, what: &str) {
        let mut there = BTreeSet::new();
        for (index, subject) in self.subjects.iter().enumerate() {
            let numerics = values(store, *subject, Code::ECG_HEART_RATE);
            let mut samples = values(store, *subject, Code::ECG_LEAD_II);
            samples.reverse();
            for (time, steps) in numerics {
                let number = steps.unwrap() as u64;
                let (start, _, want) = expected(number);
                assert_eq!((time, subject_of(number)), (start, index as u64), "{what}");
                assert!(there.insert(number), "{what}: {number} is there twice");
                for (i, sample) in want.iter().enumerate() {
                    assert_eq!(
                        samples.pop(),
                        Some((start + i as i64 * 4000, Some(i32::from(*sample)))),
                        "{what}: {number}, sample {i}"
                    );
                }
            }
            assert!(samples.is_empty(), "{what}: samples nobody sent");
        }
        let missing: Vec<_> = acknowledged.difference(&there).collect();
        assert!(missing.is_empty(), "{what}: acknowledged and lost: {missing:?}");
    }

    /// The devices send everything again, as they would; now all must be there, once.
    fn send_again(&self, store: &EmbeddedStore, what: &str) {
        let again = self.run(store);
        assert_eq!(again.len() as u64, MESSAGES, "{what}: after the trouble everything must be taken");
        self.check(store, &again, what);
    }
}

/// How many operations the script takes when nothing goes wrong.
fn length_of_script() -> u64 {
    let ward = Ward::new(1, None);
    let store = ward.open().unwrap();
    let acknowledged = ward.run(&store);
    assert_eq!(acknowledged.len() as u64, MESSAGES);
    store.close().unwrap();
    drop(store);
    ward.disk.operations()
}

fn each_round(name: &str, mut with: impl FnMut(u64, u64, &str)) {
    let length = length_of_script();
    for round in 0..rounds() {
        // A prime step visits every operation before it repeats one.
        let at = round * 7919 % length;
        with(round, at, &format!("{name}, round {round}, operation {at} of {length}"));
    }
}

#[test]
fn the_power_goes_at_any_operation() {
    each_round("power cut", |round, at, what| {
        let mut ward = Ward::new(round, Some(Fault::PowerCut { at }));
        let acknowledged = ward.open().map(|store| ward.run(&store)).unwrap_or_default();
        ward.disk = ward.disk.after_power_cut();
        // It goes again while the store recovers.
        ward.disk.set_fault(Some(Fault::PowerCut { at: round % 30 }));
        drop(ward.open());
        ward.disk = ward.disk.after_power_cut();
        let store = ward.open().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        ward.check(&store, &acknowledged, what);
        ward.send_again(&store, what);
        store.close().unwrap();
        drop(store);
        ward.check(&ward.open().unwrap(), &(1..=MESSAGES).collect(), what);
    });
}

#[test]
fn the_disk_is_full_at_any_operation_and_has_room_again_later() {
    each_round("full disk", |round, at, what| {
        let mut ward = Ward::new(round, Some(Fault::Full { at, operations: 1 + round % 9 }));
        let mut acknowledged = BTreeSet::new();
        // Opening on a full disk may fail; it must work once there is room.
        eventually(what, || match ward.open() {
            Ok(store) => {
                acknowledged = ward.run(&store);
                ward.check(&store, &acknowledged, what);
                assert_eq!(store.health(), Health::Good, "{what}");
                true
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Io(_)), "{what}: {error:?}");
                false
            }
        });
        assert_eq!(acknowledged.len() as u64, MESSAGES, "{what}");
        ward.disk = ward.disk.after_power_cut();
        ward.check(&ward.open().unwrap(), &acknowledged, what);
    });
}

#[test]
fn the_disk_stays_full_and_then_the_power_goes() {
    each_round("full to the end", |round, at, what| {
        let mut ward = Ward::new(round, Some(Fault::Full { at, operations: u64::MAX / 2 }));
        let Ok(store) = ward.open() else { return };
        store.set_retention(&[("trend".into(), 1000), ("wave".into(), 100)]);
        let waiter = Arc::new(Waiter::default());
        let mut positions = BTreeMap::new();
        for number in 1..=MESSAGES {
            match send(&store, &ward, number, &waiter) {
                Ok(Appended::At(position)) => drop(positions.insert(number, position)),
                Err(AppendError::DiskFull) => assert_eq!(store.health(), Health::DiskFull, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
            if number % 3 == 0 {
                let last = *positions.values().last().unwrap_or(&Position(0));
                eventually(what, || waiter.durable() >= last || store.health() != Health::Good);
            }
        }
        let acknowledged: BTreeSet<u64> =
            positions.into_iter().filter(|(_, position)| *position <= waiter.durable()).map(|p| p.0).collect();
        ward.check(&store, &acknowledged, what);
        drop(store);
        ward.disk = ward.disk.after_power_cut();
        let store = ward.open().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        ward.check(&store, &acknowledged, what);
        ward.send_again(&store, what);
    });
}

#[test]
fn the_disk_fails_once_at_any_operation() {
    each_round("failing disk", |round, at, what| {
        let mut ward = Ward::new(round, Some(Fault::Error { at }));
        let acknowledged = ward.open().map(|store| ward.run(&store)).unwrap_or_default();
        ward.disk = ward.disk.after_power_cut();
        let store = ward.open().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        ward.check(&store, &acknowledged, what);
        ward.send_again(&store, what);
    });
}

#[test]
fn damage_in_the_middle_is_loud_and_a_torn_end_is_not() {
    let mut ward = Ward::new(1, None);
    let disk: Arc<dyn Disk> = Arc::new(ward.disk.clone());
    let store = open_with(ward.dir.path(), on(&disk));
    let acknowledged = ward.run(&store);
    drop(store);
    let (journal, contents) = ward.disk.contents().into_iter().find(|(name, _)| name.starts_with("journal/")).unwrap();
    let used = contents.iter().rposition(|byte| *byte != 0).unwrap();
    ward.disk = ward.disk.after_power_cut();
    // Every sector that holds something, except those of the last batch, of which nobody can say whether it was whole.
    let begins = (512..used).step_by(512).filter(|at| contents[*at..].starts_with(b"OBb1")).collect::<Vec<_>>();
    let last = *begins.last().unwrap();
    assert!(begins.len() > 4);
    for at in (0..last).step_by(512).map(|sector| sector + 40).filter(|at| contents[*at] != 0 && *at > 512) {
        ward.disk.flip_bit(&journal, at).unwrap();
        match EmbeddedStore::open(ward.dir.path(), provider(), on(&(Arc::new(ward.disk.clone()) as Arc<dyn Disk>))) {
            Err(StoreError::Damaged { file, offset }) => {
                assert!(journal.ends_with(&file) && offset <= at as u64, "{file} {offset} {at}")
            }
            Err(error) => panic!("{error:?}"),
            Ok(_) => panic!("damage at {at} was not noticed"),
        }
        ward.disk.flip_bit(&journal, at).unwrap();
    }
    ward.disk.flip_bit(&journal, last + 40).unwrap();
    let store = open_with(ward.dir.path(), on(&(Arc::new(ward.disk.clone()) as Arc<dyn Disk>)));
    ward.check(&store, &BTreeSet::new(), "torn end");
    ward.send_again(&store, "torn end");
    drop(acknowledged);
}

#[test]
fn a_missing_journal_is_loud() {
    let ward = Ward::new(1, None);
    let disk: Arc<dyn Disk> = Arc::new(ward.disk.clone());
    let store = open_with(ward.dir.path(), on(&disk));
    ward.run(&store);
    drop(store);
    for name in disk.list("journal").unwrap() {
        disk.unlink(&format!("journal/{name}")).unwrap();
    }
    let lost = EmbeddedStore::open(ward.dir.path(), provider(), on(&disk)).err();
    assert!(matches!(lost, Some(StoreError::Damaged { .. })), "{lost:?}");
}

#[test]
fn a_damaged_chunk_is_loud() {
    let ward = Ward::new(1, None);
    let disk: Arc<dyn Disk> = Arc::new(ward.disk.clone());
    let store = open_with(ward.dir.path(), on(&disk));
    ward.run(&store);
    store.close().unwrap();
    for (name, contents) in ward.disk.contents() {
        for at in (0..contents.len()).step_by(97) {
            ward.disk.flip_bit(&name, at).unwrap();
        }
    }
    for subject in &ward.subjects {
        let read = store.runs(*subject, Code::ECG_LEAD_II, TimeRange::ALL);
        assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    }
}
