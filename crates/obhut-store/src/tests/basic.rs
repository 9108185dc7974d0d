//! Appending, reading back, reopening.

use super::*;

fn samples(n: i16) -> Vec<i16> {
    (0..n).map(|i| if i % 17 == 3 { NO_VALUE } else { i * 3 - 40 }).collect()
}

fn same_from_memory_and_disk(after: impl Fn(&Path, EmbeddedStore) -> EmbeddedStore) {
    let dir = tempdir();
    let store = open(dir.path());
    store.set_retention(&[("trend".into(), 1000), ("wave".into(), 100)]);
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    let all = samples(500);
    for (number, part) in (0..).zip(all.chunks(125)) {
        let start = 3_599_000_000 + i64::try_from(number).unwrap() * 500_000;
        let samples = bytes(part);
        let numerics =
            [numeric(Code::ECG_HEART_RATE, start, Some(600 + number as i32)), numeric(Code::TEMP, start, None)];
        let waves = [wave(Code::ECG_LEAD_II, start, &samples)];
        assert!(matches!(put(&store, &message(&monitor, subject, number + 1, &numerics, &waves)), Appended::At(_)));
    }
    let store = after(dir.path(), store);
    let runs = store.runs(subject, Code::ECG_LEAD_II, TimeRange::ALL).unwrap();
    let [Run::Waveform { start, rate, scale, quality, samples }] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((*start, rate.microhertz(), *scale, *quality), (at(3_599_000_000), 250_000_000, SCALE, Quality::GOOD));
    assert_eq!(samples, &all);
    assert_eq!(values(&store, subject, Code::ECG_HEART_RATE).len(), 4);
    assert_eq!(values(&store, subject, Code::TEMP)[0], (3_599_000_000, None));
    let range = TimeRange { from: at(3_599_000_001), to: at(3_599_012_000) };
    let runs = store.runs(subject, Code::ECG_LEAD_II, range).unwrap();
    let [Run::Waveform { start, samples, .. }] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((*start, &samples[..]), (at(3_599_004_000), &all[1..3]));
    let codes = store.codes(subject).unwrap();
    assert_eq!(codes.iter().map(|c| c.0).collect::<Vec<_>>(), [Code::ECG_LEAD_II, Code::ECG_HEART_RATE, Code::TEMP]);
    assert_eq!((codes[0].1, codes[0].2), (at(3_599_000_000), at(3_599_000_000 + 499 * 4000)));
    let repeated = message(&monitor, subject, 2, &[], &[]);
    assert!(matches!(put(&store, &repeated), Appended::Duplicate(_)));
    assert!(matches!(put(&store, &message(&monitor, subject, 9, &[], &[])), Appended::At(_)));
}

#[test]
fn from_memory() {
    same_from_memory_and_disk(|_, store| store);
}

#[test]
fn from_the_journal() {
    same_from_memory_and_disk(|dir, store| {
        drop(store);
        open(dir)
    });
}

#[test]
fn from_segments() {
    same_from_memory_and_disk(|dir, store| {
        store.close().unwrap();
        drop(store);
        assert_eq!(std::fs::read_dir(dir.join("journal")).unwrap().count(), 0);
        open(dir)
    });
}

#[test]
fn from_segments_after_rotation() {
    let dir = tempdir();
    let store = open_with(dir.path(), Options { rotate_after: Duration::from_millis(1), ..options() });
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    for number in 1..=200 {
        let numerics = [numeric(Code::ECG_HEART_RATE, number * 1000, Some(1))];
        put(&store, &message(&monitor, subject, number as u64, &numerics, &[]));
        assert_eq!(values(&store, subject, Code::ECG_HEART_RATE).len(), number as usize);
    }
    eventually("a flush", || std::fs::read_dir(dir.path().join("segments")).unwrap().count() > 0);
    drop(store);
    assert_eq!(values(&open(dir.path()), subject, Code::ECG_HEART_RATE).len(), 200);
}

#[test]
fn only_one_server_at_a_time() {
    let dir = tempdir();
    let _store = open(dir.path());
    let second = EmbeddedStore::open(dir.path(), provider(), options()).err().unwrap();
    assert!(second.to_string().contains("in use by another server"), "{second}");
}

#[test]
fn another_top_key_opens_nothing() {
    let dir = tempdir();
    drop(open(dir.path()));
    let other = Arc::new(SoftwareProvider::from_key([8; 32]).unwrap());
    assert!(matches!(EmbeddedStore::open(dir.path(), other, options()), Err(StoreError::Key)));
}

#[test]
fn what_has_no_key_is_refused() {
    let dir = tempdir();
    let store = open(dir.path());
    let (monitor, nobody) = (device("mon-1"), Subject::from_random([9; 16]));
    let refused = store.append(&message(&monitor, nobody, 1, &[], &[]), &Arc::default());
    assert_eq!(refused, Err(AppendError::NoKey));
    assert!(matches!(store.runs(nobody, Code::TEMP, TimeRange::ALL), Err(StoreError::Unknown(_))));
}

#[test]
fn a_closed_store_takes_nothing() {
    let dir = tempdir();
    let store = open(dir.path());
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    store.close().unwrap();
    assert_eq!(store.append(&message(&monitor, subject, 1, &[], &[]), &Arc::default()), Err(AppendError::Closing));
}

#[test]
fn many_callers_at_once() {
    let dir = tempdir();
    let store = open_with(dir.path(), Options { rotate_after: Duration::from_millis(5), ..options() });
    let subjects: Vec<Subject> = (0..4).map(|n| bind(&store, n)).collect();
    std::thread::scope(|scope| {
        for (n, subject) in subjects.iter().enumerate() {
            let store = &store;
            scope.spawn(move || {
                let (monitor, waiter) = (device(&format!("mon-{n}")), Arc::new(Waiter::default()));
                let mut last = Position(0);
                for number in 1..=2000u64 {
                    let numerics = [numeric(Code::ECG_HEART_RATE, number as i64 * 1000, Some(number as i32))];
                    let Ok(Appended::At(position)) =
                        store.append(&message(&monitor, *subject, number, &numerics, &[]), &waiter)
                    else {
                        panic!()
                    };
                    assert!(position > last);
                    last = position;
                }
                assert!(durable(store, &waiter, last));
            });
        }
    });
    for subject in subjects {
        let want: Vec<_> = (1..=2000).map(|n| (i64::from(n) * 1000, Some(n))).collect();
        assert_eq!(values(&store, subject, Code::ECG_HEART_RATE), want);
    }
}

#[test]
fn more_than_the_disk_can_follow_is_refused() {
    let dir = tempdir();
    let store = open(dir.path());
    let (subject, monitor, waiter) = (bind(&store, 1), device("mon-1"), Arc::new(Waiter::default()));
    let entry = store.inner.keys.get(subject).unwrap();
    // A queue that nobody empties.
    let queue = crate::ingest::Ingest::new(crate::ranges::Seen::default());
    let raw = vec![0; 1 << 20];
    let waves = [wave(Code::RESP, 0, &raw)];
    let append = |number| {
        queue.append(&message(&monitor, subject, number, &[], &waves), &entry, &store.inner.nonces, |_| 0, &waiter)
    };
    let taken = (1..100).take_while(|number| append(*number).is_ok()).count();
    assert_eq!(taken, 31);
    assert_eq!(append(32), Err(AppendError::Behind));
}
