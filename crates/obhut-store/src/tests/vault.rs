//! The identity vault, pseudonyms and key epochs: what is corrected keeps its past, what is called two names cannot be linked, what is old opens nothing.

use super::*;
use crate::{Domain, Keys as _, Pseudonym, Sex};
use obhut_vault::{KeyProvider, TopKey};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn project(name: &str) -> Domain {
    format!("project/{name}").parse().unwrap()
}

fn names(store: &EmbeddedStore, domain: &Domain, subjects: &[Subject]) -> Vec<Pseudonym> {
    store.inner.identities.pseudonyms(domain, subjects, store.inner.with()).unwrap()
}

fn versions(store: &EmbeddedStore, subject: Subject) -> Vec<crate::IdentityVersion> {
    store.inner.identities.versions(subject, &store.inner.keys).unwrap()
}

#[test]
fn a_correction_keeps_what_was_there_first() {
    let dir = tempdir();
    let store = open(dir.path());
    let subject = bind(&store, 1);
    let first = versions(&store, subject);
    assert_eq!(first.iter().map(|v| (v.version, v.identity.clone())).collect::<Vec<_>>(), [(1, patient(1))]);
    let right = Identity {
        family: " Mustermann ".into(),
        sex: Some(Sex::Female),
        record_number: "KIS-0815-77".into(),
        insurance_number: Some("X110411675".into()),
        ..patient(1)
    };
    assert_eq!(store.correct_identity(subject, &right).unwrap(), 2);
    assert_eq!(store.correct_identity(subject, &right).unwrap(), 2, "nothing new, no new version");
    drop(store);
    let store = open(dir.path());
    let both = versions(&store, subject);
    assert_eq!(both.len(), 2);
    assert_eq!((both[0].identity.family.as_str(), both[1].identity.family.as_str()), ("Musterfrau-1", "Mustermann"));
    assert_eq!(
        (both[1].identity.sex, both[1].identity.insurance_number.as_deref()),
        (Some(Sex::Female), Some("X110411675"))
    );
    // Found by what is right now, and only by that.
    assert_eq!(store.find_subject("KIS-0815-77", "1964-08-12").unwrap(), Some(subject));
    assert_eq!(store.find_subject("KIS-0815-1", "1964-08-12").unwrap(), None);
    // A number that belongs to another patient is refused and changes nothing.
    let other = bind(&store, 2);
    for wrong in [
        Identity { record_number: "KIS-0815-77".into(), ..patient(2) },
        Identity { insurance_number: Some(" X110411675".into()), ..patient(2) },
    ] {
        assert!(matches!(store.correct_identity(other, &wrong), Err(StoreError::Conflict(_))));
    }
    assert_eq!(versions(&store, other).len(), 1);
    assert!(matches!(store.correct_identity(other, &Identity::default()), Err(StoreError::Conflict(_))));
    assert!(matches!(
        store.correct_identity(Subject::from_random([1; 16]), &patient(9)),
        Err(StoreError::Unknown(_) | StoreError::Key)
    ));
    // Binding again with what stands on the wristband takes nothing away that does not stand there.
    store.unbind_patient(&BedId::new("bed-1").unwrap(), at(10)).unwrap();
    let wristband = Identity { family: "Mustermann".into(), record_number: "KIS-0815-77".into(), ..patient(1) };
    assert_eq!(store.bind_patient(&wristband, &BedId::new("bed-7").unwrap(), at(20)).unwrap(), subject);
    assert_eq!(versions(&store, subject).len(), 2);
    // And erasing takes all of it.
    names(&store, &project("a"), &[subject]);
    store.erase(subject).unwrap();
    let words: [&[u8]; 4] = [b"Mustermann", b"Musterfrau-1", b"X110411675", b"KIS-0815-77"];
    assert!(super::erasing::hits(dir.path(), &words).is_empty());
    assert!(super::erasing::hits(dir.path(), &[subject.as_bytes()]).is_empty());
    assert!(versions(&store, subject).is_empty());
}

#[test]
fn a_patient_has_one_name_in_each_domain_and_the_way_back_is_there() {
    let dir = tempdir();
    let store = open(dir.path());
    let subjects: Vec<Subject> = (0..5).map(|n| bind(&store, n)).collect();
    let domains = [Domain::DeviceNetwork, Domain::Quality, project("a"), project("b"), "recipient/a".parse().unwrap()];
    let mut seen = BTreeSet::new();
    for domain in &domains {
        let these = names(&store, domain, &subjects);
        assert_eq!(names(&store, domain, &subjects), these, "asked again, the same");
        for (subject, name) in subjects.iter().zip(&these) {
            assert!(seen.insert(*name), "no name twice");
            let back = |domain: &Domain| store.inner.identities.subject_of(domain, *name, &store.inner.keys).unwrap();
            assert_eq!(back(domain), Some(*subject));
            assert!(domains.iter().filter(|other| *other != domain).all(|other| back(other).is_none()));
            assert_eq!(back(&Domain::Care), None);
        }
    }
    assert_eq!(names(&store, &Domain::Care, &subjects[..1])[0].as_bytes(), subjects[0].as_bytes());
    let told = store.inner.identities.names_of(subjects[0], &store.inner.keys).unwrap();
    assert_eq!(told.len(), domains.len());
    assert_eq!(
        told.iter().map(|(domain, _)| domain.clone()).collect::<BTreeSet<_>>(),
        domains.iter().cloned().collect()
    );
    store.erase(subjects[0]).unwrap();
    assert!(
        told.iter().all(|(d, name)| store.inner.identities.subject_of(d, *name, &store.inner.keys).unwrap().is_none())
    );
    assert!(store.inner.identities.pseudonyms(&project("a"), &subjects, store.inner.with()).is_err());
}

/// Everything an outsider might try who holds two exports and the identity database, but no key.
#[test]
fn two_domains_of_100_000_patients_cannot_be_matched_better_than_by_guessing() {
    const PATIENTS: usize = 100_000;
    let dir = tempdir();
    let store = open(dir.path());
    let subjects = store.inner.keys.create_many(PATIENTS, &*store.inner.options.random, &store.inner.nonces).unwrap();
    let (a, b) = (names(&store, &project("a"), &subjects), names(&store, &project("b"), &subjects));
    let truth: HashMap<Pseudonym, Pseudonym> = a.iter().copied().zip(b.iter().copied()).collect();
    assert_eq!(truth.len(), PATIENTS);
    let right = |guess: &[(Pseudonym, Pseudonym)]| guess.iter().filter(|(x, y)| truth[x] == *y).count();
    let mut attempts: Vec<(&str, usize)> = Vec::new();
    // A random matching gets one right in the mean, and more than twelve with a probability below 10⁻⁹ (Poisson).
    const GUESSING: usize = 12;

    // By rank: if either were computed from the other in a way that keeps order.
    let sorted = |names: &[Pseudonym]| {
        let mut out = names.to_vec();
        out.sort_unstable();
        out
    };
    let (by_a, by_b) = (sorted(&a), sorted(&b));
    attempts.push(("rank", right(&by_a.iter().copied().zip(by_b.iter().copied()).collect::<Vec<_>>())));
    attempts.push(("rank, reversed", right(&by_a.iter().copied().zip(by_b.iter().rev().copied()).collect::<Vec<_>>())));
    // By every constant difference between some pair: exclusive-or with the first's.
    for n in [0, 1, 17, 4242] {
        let key: Vec<u8> = a[n].as_bytes().iter().zip(b[n].as_bytes()).map(|(x, y)| x ^ y).collect();
        let there: BTreeSet<Pseudonym> = b.iter().copied().collect();
        let hits = a.iter().filter(|x| {
            let moved: Vec<u8> = x.as_bytes().iter().zip(&key).map(|(x, k)| x ^ k).collect();
            there.contains(&Pseudonym::from_random(moved.try_into().unwrap()))
        });
        assert_eq!(hits.count(), 1, "only the pair the difference was taken from");
    }
    // By a hash that anybody can compute: of the other name, of the subject, with and without the domain's name.
    let digest = |parts: &[&[u8]]| obhut_vault::checksum(parts);
    let heads: BTreeMap<[u8; 8], Pseudonym> =
        b.iter().map(|name| (name.as_bytes()[..8].try_into().unwrap(), *name)).collect();
    for (what, parts) in [("plain", &b""[..]), ("with the domain", b"project/b")] {
        let hits = a.iter().filter(|x| heads.contains_key(&digest(&[parts, x.as_bytes()]))).count();
        let of_subject = subjects.iter().filter(|s| heads.contains_key(&digest(&[parts, s.as_bytes()]))).count();
        attempts.push((what, hits + of_subject));
    }
    // By nearness in bits, for a part of them (it is quadratic).
    let near = |x: &Pseudonym| {
        let bits =
            |y: &Pseudonym| (u128::from_le_bytes(*x.as_bytes()) ^ u128::from_le_bytes(*y.as_bytes())).count_ones();
        by_b.iter().min_by_key(|y| bits(y)).copied().unwrap()
    };
    attempts.push(("nearest in bits", right(&a.iter().take(100).map(|x| (*x, near(x))).collect::<Vec<_>>())));
    // By what the database shows: rows lie in the order of keyed hashes, and no column holds a name of either domain.
    let rows = store.inner.identities.raw_pseudonyms().unwrap();
    assert_eq!(rows.len(), 2 * PATIENTS);
    let order: HashMap<&[u8], Vec<usize>> = rows.iter().enumerate().fold(HashMap::new(), |mut out, (at, row)| {
        out.entry(row[2].as_slice()).or_insert_with(Vec::new).push(at);
        out
    });
    let neighbours = order.values().filter(|places| places.len() == 2 && places[1] - places[0] == 1).count();
    attempts.push(("neighbouring rows", neighbours.saturating_sub(1)));
    let known: BTreeSet<&[u8]> = a.iter().chain(&b).map(|name| name.as_bytes().as_slice()).collect();
    let shown =
        rows.iter().flat_map(|row| [&row[0], &row[1], &row[3]]).flat_map(|column| column.windows(16).step_by(4));
    assert_eq!(shown.filter(|window| known.contains(window)).count(), 0, "a name stands in the database");
    // Sealed pieces of one patient in two domains have nothing in common but their length.
    let lengths: BTreeSet<usize> = rows.iter().map(|row| row[3].len()).collect();
    assert_eq!(lengths.len(), 1);

    println!("{PATIENTS} patients, right matches by: {attempts:?}");
    for (what, hits) in attempts {
        assert!(hits <= GUESSING, "{what}: {hits} right");
    }
    // With the key it is exact.
    let back = |name: &Pseudonym| store.inner.identities.subject_of(&project("a"), *name, &store.inner.keys).unwrap();
    assert!(a.iter().zip(&subjects).step_by(997).all(|(name, subject)| back(name) == Some(*subject)));
}

#[test]
fn no_identifier_is_found_by_hashing_it() {
    let dir = tempdir();
    let store = open(dir.path());
    let subject = bind(&store, 1);
    let identity = Identity { insurance_number: Some("X110411675".into()), ..patient(1) };
    store.correct_identity(subject, &identity).unwrap();
    store.inner.identities.pseudonyms(&project("a"), &[subject], store.inner.with()).unwrap();
    drop(store);
    // Common hashes of the numbers, as bytes and as text, in any file.
    let mut markers: Vec<Vec<u8>> = Vec::new();
    for text in [identity.record_number.as_str(), "X110411675", "1964-08-12", "Musterfrau-1"] {
        for algorithm in
            [&aws_lc_rs::digest::SHA256, &aws_lc_rs::digest::SHA512, &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY]
        {
            let hash = aws_lc_rs::digest::digest(algorithm, text.as_bytes());
            markers.push(hash.as_ref().to_vec());
            markers.push(hash.as_ref().iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect());
        }
        let empty = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[]);
        markers.push(aws_lc_rs::hmac::sign(&empty, text.as_bytes()).as_ref().to_vec());
    }
    assert!(super::erasing::hits(dir.path(), &markers).is_empty());
}

/// A copy of a closed store's key database, with its log.
fn copy_keys(dir: &Path, to: &Path) {
    for file in ["keys.db", "keys.db-wal"] {
        if dir.join(file).exists() {
            std::fs::copy(dir.join(file), to.join(file)).unwrap();
        }
    }
}

fn put_back(from: &Path, dir: &Path) {
    for file in ["keys.db", "keys.db-wal", "keys.db-shm"] {
        let _ = std::fs::remove_file(dir.join(file));
    }
    copy_keys(from, dir);
}

#[test]
fn a_destroyed_key_does_not_come_back_from_an_old_key_database() {
    let (dir, old) = (tempdir(), tempdir());
    let store = open(dir.path());
    let (one, two, monitor) = (bind(&store, 1), bind(&store, 2), device("mon-1"));
    for (number, subject) in [(1, one), (2, two)] {
        put(&store, &message(&monitor, subject, number, &[numeric(Code::TEMP, 5, Some(7))], &[]));
    }
    store.close().unwrap();
    drop(store);
    copy_keys(dir.path(), old.path());
    let store = open(dir.path());
    let before = store.key_status().unwrap();
    assert_eq!((before.epoch, before.subjects, before.rotation_due), (1, 2, false));
    store.erase(one).unwrap();
    assert!(store.key_status().unwrap().rotation_due);
    let rotated = store.rotate_keys().unwrap();
    assert_eq!((rotated.epoch, rotated.keys), (2, 2));
    let after = store.key_status().unwrap();
    assert_eq!((after.epoch, after.subjects, after.rotation_due), (2, 1, false));
    // While running, and after: the other patient is as before.
    assert_eq!(values(&store, two, Code::TEMP), [(5, Some(7))]);
    assert_eq!(versions(&store, two).len(), 1);
    drop(store);
    assert_eq!(values(&open(dir.path()), two, Code::TEMP), [(5, Some(7))]);
    // The old key database alone, with the right top key: nothing opens, and nothing is changed.
    let newest = tempdir();
    copy_keys(dir.path(), newest.path());
    put_back(old.path(), dir.path());
    let refused = EmbeddedStore::open(dir.path(), provider(), options()).err().unwrap();
    assert!(matches!(refused, StoreError::Epoch { keys: 1, file: Some(2) }), "{refused}");
    assert!(refused.to_string().contains("put back the newest"), "{refused}");
    put_back(newest.path(), dir.path());
    let store = open(dir.path());
    assert_eq!(store.subjects().unwrap(), [two]);
    assert_eq!(values(&store, two, Code::TEMP), [(5, Some(7))]);
}

#[test]
fn an_erasure_rotates_by_itself_once_for_several() {
    let dir = tempdir();
    let store = open_with(dir.path(), Options { rotate_after_erasure: Duration::from_millis(50), ..options() });
    let subjects: Vec<Subject> = (0..4).map(|n| bind(&store, n)).collect();
    for subject in &subjects[..3] {
        store.erase(*subject).unwrap();
    }
    eventually("a rotation", || !store.key_status().unwrap().rotation_due);
    assert!(store.key_status().unwrap().epoch <= 4);
    assert_eq!(store.subjects().unwrap(), subjects[3..]);
    drop(store);
    // Due at the end: done at the next opening.
    let store = open(dir.path());
    let epoch = store.key_status().unwrap().epoch;
    store.erase(subjects[3]).unwrap();
    drop(store);
    let status = open(dir.path()).key_status().unwrap();
    assert_eq!((status.epoch, status.rotation_due), (epoch + 1, false));
}

#[test]
fn a_rotation_that_was_interrupted_is_ended_by_the_next_opening() {
    // Between file and database: the file holds both, the database is under the old one.
    let (dir, both) = (tempdir(), tempdir());
    let store = open(dir.path());
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    put(&store, &message(&monitor, subject, 1, &[numeric(Code::TEMP, 5, Some(7))], &[]));
    store.close().unwrap();
    drop(store);
    copy_keys(dir.path(), both.path());
    let file = crate::records::epoch::EpochFile::of(dir.path());
    let first = file.read().unwrap().remove(0);
    open(dir.path()).rotate_keys().unwrap();
    let second = file.read().unwrap().remove(0);
    let newest = tempdir();
    copy_keys(dir.path(), newest.path());
    for (keys, what) in [(both.path(), "before the transaction"), (newest.path(), "after it")] {
        put_back(keys, dir.path());
        file.write(&[first.clone(), second.clone()]).unwrap();
        let store = open(dir.path());
        assert_eq!(store.key_status().unwrap().epoch, 2, "{what}");
        assert_eq!(values(&store, subject, Code::TEMP), [(5, Some(7))], "{what}");
        drop(store);
        assert_eq!(file.read().unwrap(), std::slice::from_ref(&second), "{what}");
    }
    // No file at all, and an older file: said, and nothing is made in its place.
    std::fs::remove_file(dir.path().join("epoch")).unwrap();
    let refused = EmbeddedStore::open(dir.path(), provider(), options()).err().unwrap();
    assert!(matches!(refused, StoreError::Epoch { keys: 2, file: None }), "{refused}");
    file.write(std::slice::from_ref(&first)).unwrap();
    assert!(matches!(
        EmbeddedStore::open(dir.path(), provider(), options()),
        Err(StoreError::Epoch { keys: 2, file: Some(1) })
    ));
    file.write(std::slice::from_ref(&second)).unwrap();
    assert_eq!(values(&open(dir.path()), subject, Code::TEMP), [(5, Some(7))]);
}

#[test]
fn a_key_database_older_than_the_data_is_refused_before_anything_is_taken_for_erased() {
    let (dir, old) = (tempdir(), tempdir());
    let store = open(dir.path());
    bind(&store, 1);
    store.close().unwrap();
    drop(store);
    copy_keys(dir.path(), old.path());
    let store = open(dir.path());
    let (late, monitor) = (bind(&store, 2), device("mon-1"));
    put(&store, &message(&monitor, late, 1, &[numeric(Code::TEMP, 5, Some(7))], &[]));
    store.close().unwrap();
    drop(store);
    let newest = tempdir();
    copy_keys(dir.path(), newest.path());
    put_back(old.path(), dir.path());
    let refused = EmbeddedStore::open(dir.path(), provider(), options()).err().unwrap();
    assert!(refused.to_string().contains("older than the data"), "{refused}");
    put_back(newest.path(), dir.path());
    assert_eq!(values(&open(dir.path()), late, Code::TEMP), [(5, Some(7))]);
}

#[test]
fn the_top_key_is_replaced_while_everything_runs() {
    let dir = tempdir();
    let holder = |n: u8| -> Arc<dyn KeyProvider> { Arc::new(SoftwareProvider::from_key([n; 32]).unwrap()) };
    let top = Arc::new(TopKey::new(holder(7)));
    let store = EmbeddedStore::open(dir.path(), top.clone(), options()).unwrap();
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 1..=200u64 {
                let numerics = [numeric(Code::TEMP, number as i64, Some(number as i32))];
                put(&store, &message(&monitor, subject, number, &numerics, &[]));
            }
        });
        for n in 8..12 {
            top.begin(holder(n));
            store.rewrap_keys().unwrap();
            top.finish();
            store.rotate_keys().unwrap();
        }
        writer.join().unwrap();
    });
    assert_eq!(values(&store, subject, Code::TEMP).len(), 200);
    drop(store);
    assert!(
        matches!(EmbeddedStore::open(dir.path(), holder(7), options()), Err(StoreError::Key)),
        "the first opens nothing"
    );
    let store = EmbeddedStore::open(dir.path(), holder(11), options()).unwrap();
    assert_eq!(values(&store, subject, Code::TEMP).len(), 200);
    assert_eq!(versions(&store, subject).len(), 1);
}

#[test]
fn a_store_from_before_epochs_is_brought_over() {
    let dir = tempdir();
    // As the first version wrote it: store key in the key database, identities under the vault's own key.
    std::fs::create_dir_all(dir.path().join("identity")).unwrap();
    let (subject, top) = (Subject::from_random([3; 16]), provider());
    let random = crate::SystemRandom;
    let nonces = obhut_vault::NonceSource::new(&random).unwrap();
    let (store_key, vault_key) =
        (obhut_vault::KeyBytes::generate(&random).unwrap(), obhut_vault::KeyBytes::generate(&random).unwrap());
    let subject_key = obhut_vault::KeyBytes::generate(&random).unwrap();
    let keys = Connection::open(dir.path().join("keys.db")).unwrap();
    keys.execute_batch("CREATE TABLE store_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
        CREATE TABLE subject_keys (number INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL UNIQUE, wrapped BLOB NOT NULL); PRAGMA user_version = 1;").unwrap();
    let wrapped = store_key.wrap(&*top, obhut_vault::StoreKey::CONTEXT).unwrap();
    keys.execute("INSERT INTO store_key VALUES (1, ?1)", [wrapped]).unwrap();
    let wrapped =
        obhut_vault::StoreKey::new(&store_key).unwrap().wrap(nonces.next().unwrap(), subject, &subject_key).unwrap();
    keys.execute(
        "INSERT INTO subject_keys (subject, wrapped) VALUES (?1, ?2)",
        (subject.as_bytes().as_slice(), wrapped),
    )
    .unwrap();
    let vault = Connection::open(dir.path().join("identity/identity.db")).unwrap();
    vault.execute_batch("CREATE TABLE vault_key (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL);
        CREATE TABLE identities (blind BLOB PRIMARY KEY, subject BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL) WITHOUT ROWID; PRAGMA user_version = 1;").unwrap();
    vault
        .execute(
            "INSERT INTO vault_key VALUES (1, ?1)",
            [vault_key.wrap(&*top, obhut_vault::IdentityKey::CONTEXT).unwrap()],
        )
        .unwrap();
    let key = obhut_vault::IdentityKey::new(&vault_key).unwrap();
    let mut plain = Vec::new();
    for text in ["Erika Musterfrau-1", "1964-08-12", "KIS-0815-1"] {
        plain.push(text.len() as u8);
        plain.extend_from_slice(text.as_bytes());
    }
    let kept = key.seal(nonces.next().unwrap(), subject, &plain).unwrap();
    let row = (key.blind_before_domains("KIS-0815-1").to_vec(), subject.as_bytes().to_vec(), kept);
    vault.execute("INSERT INTO identities VALUES (?1, ?2, ?3)", row).unwrap();
    drop((keys, vault));
    for _ in 0..2 {
        let store = open(dir.path());
        assert_eq!(store.find_subject("KIS-0815-1", "1964-08-12").unwrap(), Some(subject));
        assert_eq!(versions(&store, subject).iter().map(|v| v.identity.clone()).collect::<Vec<_>>(), [patient(1)]);
        assert_eq!(store.key_status().unwrap().epoch, 1);
        let monitor = device("mon-1");
        put(&store, &message(&monitor, subject, 1, &[numeric(Code::TEMP, 5, Some(7))], &[]));
        assert_eq!(values(&store, subject, Code::TEMP), [(5, Some(7))]);
    }
}
