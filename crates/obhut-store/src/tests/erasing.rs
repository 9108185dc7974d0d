//! After erasing, nothing of the patient is left; before, nothing of anybody can be read from the files.

use super::*;
use std::path::PathBuf;

pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out
}

/// Files that hold any of the markers, in any place.
pub(super) fn hits<M: AsRef<[u8]>>(dir: &Path, markers: &[M]) -> Vec<PathBuf> {
    let starts: std::collections::HashMap<[u8; 8], &[u8]> =
        markers.iter().map(|m| (m.as_ref()[..8].try_into().unwrap(), m.as_ref())).collect();
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let found =
            |at: usize| starts.get::<[u8]>(&bytes[at..at + 8]).is_some_and(|marker| bytes[at..].starts_with(marker));
        (0..bytes.len().saturating_sub(7)).any(found)
    };
    files(dir).into_iter().filter(holds).collect()
}

/// A pattern of samples that no compressor would produce by chance.
fn pattern() -> Vec<i16> {
    (0..400i32).map(|i| ((i * i * 37 + i * 11) % 30011 - 15000) as i16).collect()
}

/// Sealed bytes that lie in journal and segments, to be searched for after the erasure.
fn sealed_pieces(dir: &Path) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for path in files(dir).iter().filter(|path| path.extension().is_some_and(|e| e == "segment" || e == "journal")) {
        let bytes = std::fs::read(path).unwrap();
        out.extend(
            (1024..bytes.len().saturating_sub(32))
                .step_by(211)
                .map(|at| bytes[at..at + 24].to_vec())
                .filter(|piece| piece.iter().filter(|b| **b == 0).count() < 4),
        );
    }
    out
}

#[test]
fn no_marker_is_readable_and_after_erasing_no_sealed_byte_is_left() {
    let dir = tempdir();
    let store = open(dir.path());
    store.set_retention(&[("trend".into(), 1000), ("wave".into(), 100)]);
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    let raw = bytes(&pattern());
    for number in 1..=5 {
        put(
            &store,
            &message(
                &monitor,
                subject,
                number,
                &[numeric(Code::TEMP, 5, Some(0x1234_5678))],
                &[wave(Code::RESP, number as i64 * 1_600_000, &raw)],
            ),
        );
    }
    store.close().unwrap();
    drop(store);
    let store = open(dir.path());
    for number in 6..=9 {
        put(&store, &message(&monitor, subject, number, &[], &[wave(Code::RESP, number as i64 * 1_600_000, &raw)]));
    }
    let identity = patient(1);
    // The number as it would lie in the journal: steps, flags, step size.
    let number = [0x78, 0x56, 0x34, 0x12, 0, 1, 0, 0, 0];
    let markers = [
        identity.family.as_bytes(),
        b"Musterfrau",
        identity.record_number.as_bytes(),
        identity.birth_date.as_bytes(),
        &raw[..48],
        &number,
    ];
    assert_eq!(hits(dir.path(), &markers), Vec::<PathBuf>::new());
    let sealed = sealed_pieces(dir.path());
    assert!(sealed.len() > 20, "{}", sealed.len());
    assert!(!hits(dir.path(), &[subject.as_bytes()]).is_empty());
    let erased = store.erase(subject).unwrap();
    assert!(erased.objects >= 6 && erased.bytes > 4000, "{erased:?}");
    assert_eq!(hits(dir.path(), &sealed), Vec::<PathBuf>::new());
    assert_eq!(hits(dir.path(), &[subject.as_bytes()]), Vec::<PathBuf>::new(), "the pseudonym itself");
    assert_eq!(store.append(&message(&monitor, subject, 10, &[], &[]), &Arc::default()), Err(AppendError::NoKey));
    assert_eq!(store.find_subject(&identity.record_number, &identity.birth_date).unwrap(), None);
    assert!(matches!(store.erase(subject), Err(StoreError::Unknown(_))));
    assert!(store.bindings().unwrap().1.is_empty());
    // Others go on, now and after reopening over the hole in the journal.
    let other = bind(&store, 2);
    put(&store, &message(&monitor, other, 11, &[numeric(Code::TEMP, 7, Some(3))], &[]));
    drop(store);
    let store = open(dir.path());
    assert_eq!(values(&store, other, Code::TEMP), [(7, Some(3))]);
    assert_ne!(bind(&store, 1), subject);
}

#[test]
fn an_erasure_that_was_interrupted_is_completed() {
    let dir = tempdir();
    let store = open(dir.path());
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    let raw = bytes(&pattern());
    for number in 1..=5 {
        put(&store, &message(&monitor, subject, number, &[], &[wave(Code::RESP, number as i64 * 1_600_000, &raw)]));
    }
    store.close().unwrap();
    // The power went right after the key was destroyed.
    store.inner.keys.destroy(subject).unwrap();
    drop(store);
    let sealed = sealed_pieces(dir.path());
    let store = open(dir.path());
    assert!(store.subjects().unwrap().is_empty());
    assert!(!sealed.is_empty() && hits(dir.path(), &sealed).is_empty());
    assert!(hits(dir.path(), &[subject.as_bytes()]).is_empty());
    assert_eq!(store.find_subject("KIS-0815-1", "1964-08-12").unwrap(), None);
}

#[test]
fn what_was_queued_before_is_gone_too() {
    let dir = tempdir();
    let store = open_with(dir.path(), Options { rotate_after: Duration::from_millis(1), ..options() });
    let (subject, other, monitor) = (bind(&store, 1), bind(&store, 2), device("mon-1"));
    let (waiter, raw) = (Arc::new(Waiter::default()), bytes(&pattern()));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut number = 0;
            loop {
                number += 1;
                store.append(&message(&monitor, other, number, &[], &[]), &waiter).unwrap();
                if store
                    .append(&message(&monitor, subject, number, &[], &[wave(Code::RESP, number as i64, &raw)]), &waiter)
                    .is_err()
                {
                    return number;
                }
            }
        });
        eventually("some readings", || store.durable() > Position(50));
        store.erase(subject).unwrap();
        assert!(sender.join().unwrap() > 10);
    });
    drop(store);
    assert!(hits(dir.path(), &[subject.as_bytes()]).is_empty());
    let store = open(dir.path());
    assert_eq!(store.subjects().unwrap(), [other]);
}
