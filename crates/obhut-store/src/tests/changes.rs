//! The home of the register: what is kept stays, what is forgotten is gone, what is changed is noticed.

use super::*;
use crate::changes::Kept;

fn now(micros: i64) -> ServerTime {
    ServerTime::from_micros(micros)
}

fn append(store: &EmbeddedStore, rows: &[(i64, Option<Subject>, &str)]) -> Result<u64, StoreError> {
    let rows = rows.iter().map(|(at, about, text)| (now(*at), *about, text.as_bytes()));
    store.inner.changes.append(rows, &store.inner.keys, &store.inner.nonces)
}

fn load(store: &EmbeddedStore) -> Vec<(u64, i64, Option<Subject>, String)> {
    let row = |kept: Kept| (kept.seq, kept.at.micros(), kept.about, String::from_utf8(kept.bytes).unwrap());
    store.inner.changes.load(&store.inner.keys).unwrap().into_iter().map(row).collect()
}

#[test]
fn changes_come_back_in_order_after_any_end() {
    let dir = tempdir();
    let store = open(dir.path());
    let subject = bind(&store, 1);
    assert_eq!(append(&store, &[(5, None, "Schwester Agnes"), (6, Some(subject), "consent given")]).unwrap(), 1);
    assert_eq!(append(&store, &[]).unwrap(), 3);
    assert_eq!(append(&store, &[(4, None, "later, by an earlier clock")]).unwrap(), 3);
    let want = [
        (1, 5, None, "Schwester Agnes".to_owned()),
        (2, 6, Some(subject), "consent given".to_owned()),
        (3, 4, None, "later, by an earlier clock".to_owned()),
    ];
    assert_eq!(load(&store), want);
    drop(store);
    assert!(super::erasing::hits(dir.path(), &[&b"Schwester"[..], b"consent given"]).is_empty());
    assert_eq!(load(&open(dir.path())), want);
}

#[test]
fn what_is_forgotten_is_gone_and_its_number_never_given_again() {
    let dir = tempdir();
    let store = open(dir.path());
    let (one, two) = (bind(&store, 1), bind(&store, 2));
    append(&store, &[(1, Some(one), "a"), (2, Some(two), "b"), (3, Some(one), "c"), (4, None, "d")]).unwrap();
    let sealed: Vec<Vec<u8>> = rusqlite::Connection::open(dir.path().join("register.db"))
        .unwrap()
        .prepare("SELECT sealed FROM changes WHERE subject = ?1")
        .unwrap()
        .query_map([one.as_bytes().as_slice()], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(sealed.len(), 2);
    assert_eq!(store.inner.changes.forget(one).unwrap(), 2);
    assert_eq!(store.inner.changes.forget(one).unwrap(), 0);
    store.inner.changes.remove(&[4, 99]).unwrap();
    assert_eq!(load(&store), [(2, 2, Some(two), "b".to_owned())]);
    assert!(super::erasing::hits(dir.path(), &sealed).is_empty(), "physically");
    assert_eq!(append(&store, &[(5, None, "e")]).unwrap(), 5);
    drop(store);
    assert_eq!(append(&open(dir.path()), &[(6, None, "f")]).unwrap(), 6);
}

#[test]
fn erasing_a_patient_forgets_the_changes_about_him_also_after_an_interruption() {
    let dir = tempdir();
    let store = open(dir.path());
    let (one, two) = (bind(&store, 1), bind(&store, 2));
    append(&store, &[(1, Some(one), "a"), (2, Some(two), "b"), (3, None, "c")]).unwrap();
    store.erase(one).unwrap();
    assert_eq!(load(&store).len(), 2);
    assert!(matches!(append(&store, &[(4, None, "x"), (4, Some(one), "y")]), Err(StoreError::Unknown(_))));
    assert_eq!(load(&store).len(), 2, "all or none");
    // The power went right after the key was destroyed.
    store.inner.keys.destroy(two).unwrap();
    drop(store);
    assert_eq!(load(&open(dir.path())).len(), 1);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let dir = tempdir();
    let store = open(dir.path());
    let subject = bind(&store, 1);
    append(&store, &[(1, Some(subject), "kept")]).unwrap();
    store.inner.changes.limit_pages(true).unwrap();
    let large = "x".repeat(20_000);
    let refused = append(&store, &[(2, None, "small one"), (3, Some(subject), &large)]).unwrap_err();
    assert!(crate::records::is_full(&refused), "{refused:?}");
    assert_eq!(load(&store).len(), 1, "all or none");
    // Forgetting needs no room.
    assert_eq!(store.inner.changes.forget(subject).unwrap(), 1);
    store.inner.changes.limit_pages(false).unwrap();
    assert_eq!(append(&store, &[(4, None, &large)]).unwrap(), 2);
    drop(store);
    assert_eq!(load(&open(dir.path())).len(), 1);
}

#[test]
fn a_changed_moved_or_swapped_row_is_noticed() {
    let dir = tempdir();
    let store = open(dir.path());
    let (one, two) = (bind(&store, 1), bind(&store, 2));
    append(&store, &[(1, Some(one), "a"), (2, Some(two), "b"), (3, None, "c"), (4, None, "d")]).unwrap();
    let database = rusqlite::Connection::open(dir.path().join("register.db")).unwrap();
    let tampered = |with: &str| {
        database.execute_batch(&format!("SAVEPOINT t; {with}")).unwrap();
        database.execute_batch("RELEASE t").unwrap();
        let out = store.inner.changes.load(&store.inner.keys);
        matches!(out, Err(StoreError::Damaged { .. }))
    };
    for (change, back) in [
        ("UPDATE changes SET at = 9 WHERE seq = 1", "UPDATE changes SET at = 1 WHERE seq = 1"),
        ("UPDATE changes SET seq = 9 WHERE seq = 4", "UPDATE changes SET seq = 4 WHERE seq = 9"),
        (
            "UPDATE changes SET subject = NULL WHERE seq = 1",
            "UPDATE changes SET subject = (SELECT x FROM keep) WHERE seq = 1",
        ),
        (
            "UPDATE changes SET sealed = (SELECT sealed FROM changes WHERE seq = 4) WHERE seq = 3",
            "UPDATE changes SET sealed = (SELECT c FROM keep) WHERE seq = 3",
        ),
    ] {
        database.execute_batch("DROP TABLE IF EXISTS keep; CREATE TABLE keep AS SELECT (SELECT subject FROM changes WHERE seq = 1) AS x, (SELECT sealed FROM changes WHERE seq = 3) AS c").unwrap();
        assert!(tampered(change), "{change}");
        assert!(!tampered(back), "{back}");
    }
    // Every byte of every sealed change.
    for (seq, sealed) in [1, 2, 3, 4].map(|seq| {
        let row =
            database.query_row("SELECT sealed FROM changes WHERE seq = ?1", [seq], |row| row.get::<_, Vec<u8>>(0));
        (seq, row.unwrap())
    }) {
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 0x40;
            let put = |bytes: &[u8]| {
                database.execute("UPDATE changes SET sealed = ?2 WHERE seq = ?1", (seq, bytes)).unwrap();
            };
            put(&bad);
            assert!(store.inner.changes.load(&store.inner.keys).is_err(), "row {seq}, byte {at}");
            put(&sealed);
        }
    }
    assert_eq!(load(&store).len(), 4);
}
