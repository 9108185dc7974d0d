//! Whole segments go when their class says so, and only then.

use super::*;

const HOUR: i64 = 3_600_000_000;

fn filled(dir: &Path) -> (EmbeddedStore, Subject) {
    let store = open(dir);
    store.set_retention(&[("trend".into(), 30 * 24 * 3600), ("wave".into(), 72 * 3600)]);
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    let raw = bytes(&[1, 2, 3]);
    for number in 0..4 {
        let start = number as i64 * HOUR;
        put(
            &store,
            &message(
                &monitor,
                subject,
                number,
                &[numeric(Code::TEMP, start, Some(1))],
                &[wave(Code::RESP, start, &raw)],
            ),
        );
    }
    store.close().unwrap();
    drop(store);
    (open(dir), subject)
}

#[test]
fn each_class_has_its_own_period() {
    let dir = tempdir();
    let (store, subject) = filled(dir.path());
    store.set_retention(&[("wave".into(), 72 * 3600), ("trend".into(), 30 * 24 * 3600)]);
    assert_eq!(store.expire(ServerTime::from_micros(73 * HOUR - 1)).unwrap(), 0);
    assert_eq!(store.expire(ServerTime::from_micros(74 * HOUR)).unwrap(), 2);
    assert_eq!(values(&store, subject, Code::RESP).iter().map(|v| v.0 / HOUR).collect::<Vec<_>>(), [2, 2, 2, 3, 3, 3]);
    assert_eq!(values(&store, subject, Code::TEMP).len(), 4);
    assert_eq!(store.expire(ServerTime::from_micros(1000 * HOUR)).unwrap(), 6);
    assert!(store.codes(subject).unwrap().is_empty());
    let left = std::fs::read_dir(dir.path().join("segments"))
        .unwrap()
        .flat_map(|class| std::fs::read_dir(class.unwrap().path()).unwrap())
        .count();
    assert_eq!(left, 0);
}

#[test]
fn a_class_the_charter_does_not_name_is_kept() {
    let dir = tempdir();
    let (store, subject) = filled(dir.path());
    assert_eq!(store.expire(ServerTime::from_micros(i64::MAX)).unwrap(), 0);
    store.set_retention(&[("trend".into(), 1)]);
    assert_eq!(store.expire(ServerTime::from_micros(1000 * HOUR)).unwrap(), 4);
    assert_eq!(values(&store, subject, Code::RESP).len(), 12);
}

#[test]
fn an_expiry_that_was_interrupted_is_completed_and_strange_files_stay() {
    let dir = tempdir();
    let (store, subject) = filled(dir.path());
    let found = crate::records::index::segments(&store.inner.records.lock()).unwrap();
    crate::records::write(&mut store.inner.records.lock(), |tx| crate::records::index::mark_expiring(tx, found[0].id))
        .unwrap();
    drop(store);
    let strange = dir.path().join("segments/1/what.segment");
    std::fs::write(&strange, b"?").unwrap();
    let store = open(dir.path());
    assert!(strange.exists() && !dir.path().join(crate::segment::path(&found[0])).exists());
    assert_eq!(values(&store, subject, Code::TEMP).len(), 3);
}
