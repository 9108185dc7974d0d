//! The home of what alarms remember: the newest piece of each name, records in order, nothing of whoever was erased.

use super::*;

fn piece(name: &str, at: i64, about: Option<Subject>, text: &str) -> AlarmPiece {
    AlarmPiece { name: name.to_owned(), at: ServerTime::from_micros(at), about, bytes: text.as_bytes().to_vec() }
}

fn record(at: i64, about: Option<Subject>, text: &str) -> AlarmRecord {
    AlarmRecord { at: ServerTime::from_micros(at), about, bytes: text.as_bytes().to_vec() }
}

fn pieces(store: &EmbeddedStore) -> Vec<(String, String)> {
    let text = |piece: AlarmPiece| (piece.name, String::from_utf8(piece.bytes).unwrap());
    store.pieces().unwrap().into_iter().map(text).collect()
}

fn records(store: &EmbeddedStore, about: Option<Subject>, from: i64, to: i64, max: usize) -> Vec<String> {
    let within = ServerTime::from_micros(from)..ServerTime::from_micros(to);
    let found = store.inner.alarms.records(about, within, max, &store.inner.keys).unwrap();
    found.into_iter().map(|record| String::from_utf8(record.bytes).unwrap()).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn the_newest_piece_of_each_name_and_every_record_come_back_after_any_end() {
    let dir = tempdir();
    let store = open(dir.path());
    let (one, two) = (bind(&store, 1), bind(&store, 2));
    store.keep(&[piece("ward", 1, None, "w1"), piece("bed/1", 1, Some(one), "HF 134 > 120")], &[], &[]).unwrap();
    let said = [record(1, Some(one), "start of it"), record(2, Some(two), "other"), record(3, Some(one), "end")];
    store.keep(&[piece("ward", 2, None, "w2"), piece("bed/2", 2, Some(two), "SpO2 84 < 85")], &[], &said).unwrap();
    store.keep(&[], &["bed/1".to_owned(), "bed/9".to_owned()], &[]).unwrap();
    drop(store);
    assert!(
        super::erasing::hits(dir.path(), &[&b"HF 134 > 120"[..], b"SpO2 84 < 85", b"start of it"]).is_empty(),
        "sealed"
    );
    let store = open(dir.path());
    assert_eq!(pieces(&store), owned(&[("bed/2", "SpO2 84 < 85"), ("ward", "w2")]));
    assert_eq!(records(&store, Some(one), 0, 9, 9), ["start of it", "end"]);
    assert_eq!(records(&store, Some(one), 0, 3, 9), ["start of it"]);
    assert_eq!(records(&store, None, 0, 9, 2), ["other", "end"], "the newest");
    assert_eq!(store.expire_alarm_records(ServerTime::from_micros(3)).unwrap(), 2);
    assert_eq!(records(&store, None, 0, 9, 9), ["end"]);
}

#[test]
fn whoever_was_forgotten_leaves_nothing_and_nothing_comes_after() {
    let dir = tempdir();
    let store = open(dir.path());
    let (one, two) = (bind(&store, 1), bind(&store, 2));
    let both = [piece("bed/1", 1, Some(one), "a"), piece("bed/2", 1, Some(two), "b")];
    store.keep(&both, &[], &[record(1, Some(one), "c"), record(1, Some(two), "d")]).unwrap();
    let sealed: Vec<Vec<u8>> = rusqlite::Connection::open(dir.path().join("alarms.db"))
        .unwrap()
        .prepare("SELECT sealed FROM pieces WHERE subject = ?1 UNION SELECT sealed FROM records WHERE subject = ?1")
        .unwrap()
        .query_map([one.as_bytes().as_slice()], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(sealed.len(), 2);
    assert_eq!(store.inner.alarms.forget(one).unwrap(), 2);
    assert!(super::erasing::hits(dir.path(), &sealed).is_empty(), "physically");
    assert_eq!((pieces(&store), records(&store, None, 0, 9, 9)), (owned(&[("bed/2", "b")]), vec!["d".to_owned()]));
    // Nobody without a key is kept, and with them nothing of the same call.
    let stranger = Subject::from_random([9; 16]);
    let mixed = [piece("bed/2", 2, Some(two), "newer"), piece("bed/3", 2, Some(stranger), "x")];
    assert!(matches!(store.keep(&mixed, &[], &[]), Err(StoreError::Unknown(_))));
    assert_eq!(pieces(&store), owned(&[("bed/2", "b")]), "all or nothing");
}

#[test]
fn a_row_cannot_stand_in_for_another() {
    let dir = tempdir();
    let store = open(dir.path());
    let one = bind(&store, 1);
    store.keep(&[piece("bed/1", 1, Some(one), "a"), piece("bed/2", 1, Some(one), "b")], &[], &[]).unwrap();
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("alarms.db")).unwrap();
    let swap = "UPDATE pieces SET sealed = (SELECT sealed FROM pieces AS other WHERE other.name = 'bed/2') WHERE name = 'bed/1'";
    assert_eq!(database.execute(swap, []).unwrap(), 1);
    drop(database);
    assert!(matches!(open(dir.path()).pieces(), Err(StoreError::Damaged { .. })));
}
