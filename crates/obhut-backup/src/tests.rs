//! Whole backups of real stores: made while they run, changed byte by byte, restored.

use crate::Kind;
use crate::archive::Unwatched;
use crate::*;
use obhut_model::*;
use obhut_retention::{Copies as _, ErasureList, Installation, Periods, SignedList};
use obhut_store::*;
use obhut_vault::SoftwareProvider;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PERIODS: Periods = Periods { data: 35 * 86_400, keys: 30 * 86_400 };
const DAY: i64 = 86_400_000_000;

fn provider() -> Arc<SoftwareProvider> {
    Arc::new(SoftwareProvider::from_key([7; 32]).unwrap())
}

fn open(data: &Path) -> Arc<EmbeddedStore> {
    let store = EmbeddedStore::open(&data.join("store"), provider(), Options::default()).unwrap();
    store.set_retention(&[("trend".into(), 1_000_000)]);
    Arc::new(store)
}

struct Ward {
    dir: tempfile::TempDir,
    store: Arc<EmbeddedStore>,
    installation: Arc<Installation>,
    backups: Arc<Backups>,
    list: ErasureList,
    recovery: RecoveryKey,
}

impl Ward {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let store = open(&data);
        let installation = Arc::new(Installation::open(&data.join("erasures"), &*provider()).unwrap());
        let list = ErasureList::new(&installation, at(1)).unwrap();
        let backups = Backups::open(&data, None, installation.clone(), store.clone()).unwrap();
        let key = dir.path().join("recovery.key");
        backups.new_recovery_key(&key, "today").unwrap();
        Self { store, installation, backups, list, recovery: RecoveryKey::read(&key).unwrap(), dir }
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("place")
    }

    fn order(&mut self, now: i64) -> Order {
        self.list.complete_to(at(now));
        let bytes = self.list.to_bytes(&self.installation).unwrap();
        let list = SignedList { bytes, count: self.list.entries().len() as u64, as_of: at(now) };
        Order { periods: PERIODS, list, ledger_size: 0 }
    }

    fn back_up(&mut self, now: i64) -> Made {
        let order = self.order(now);
        self.backups.create(&self.place(), &order, &Unwatched).unwrap()
    }

    fn restore(&self, from: &Path, now: i64) -> Result<(PathBuf, u64), BackupError> {
        let into = self.dir.path().join("restored");
        let erasures = Erasures::Newest(Vec::new());
        let wanted = Wanted { from, into: &into, recovery: &self.recovery, erasures, now: at(now) };
        let (_, gone) = restore(&wanted, &Unwatched, |staged| {
            let store = open(&staged.dir);
            let list = staged.erasures.as_ref().unwrap();
            let gone = list.erased(&store.subjects().unwrap());
            for subject in &gone {
                store.erase(*subject).unwrap();
            }
            store.close().unwrap();
            Ok(gone.len() as u64)
        })?;
        Ok((into, gone))
    }
}

fn at(micros: i64) -> ServerTime {
    ServerTime::from_micros(micros)
}

fn bind(store: &EmbeddedStore, n: u32) -> Subject {
    let identity = Identity {
        family: format!("Musterfrau-{n}"),
        given: vec!["Erika".into()],
        birth_date: "1964-08-12".into(),
        record_number: format!("KIS-0815-{n}"),
        ..Identity::default()
    };
    store.bind_patient(&identity, &BedId::new(&format!("bed-{n}")).unwrap(), DeviceTime::from_micros(0)).unwrap()
}

fn put(store: &EmbeddedStore, subject: Subject, numbers: std::ops::Range<u64>) {
    let device = DeviceId::new("mon-1").unwrap();
    let waiter = Arc::new(Waiter::default());
    for number in numbers {
        let numeric = Numeric {
            code: Code::TEMP,
            taken_at: DeviceTime::from_micros(number as i64 * 1_000_000),
            steps: Some(number as i32),
            step: Decimal::new(1, -1).unwrap(),
            quality: Quality::GOOD,
        };
        let sequence = Some(Sequence { run: 1, number });
        let numerics = [(numeric, RetentionClass(0))];
        let message = Admitted { device: &device, subject, sequence, received: at(1), numerics: &numerics, waves: &[] };
        let appended = store.append(&message, &waiter).unwrap();
        let (Appended::At(position) | Appended::Duplicate(position)) = appended;
        while waiter.durable() < position {
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }
}

fn values(store: &EmbeddedStore, subject: Subject) -> usize {
    let runs = store.read(subject, Code::TEMP, TimeRange::ALL).unwrap().open_unchecked();
    runs.iter()
        .map(|run| match run {
            Run::Numerics { values, .. } => values.len(),
            Run::Waveform { samples, .. } => samples.len(),
        })
        .sum()
}

/// Every file below `dir` that holds `needle`.
fn hits(dir: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(hits(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            out.push(path);
        }
    }
    out
}

#[test]
fn a_backup_of_a_running_store_comes_back_whole_and_one_byte_less_does_not() {
    let mut ward = Ward::new();
    let subject = bind(&ward.store, 1);
    put(&ward.store, subject, 1..200);
    let made = ward.back_up(DAY);
    put(&ward.store, subject, 200..210);
    assert!(made.data.bytes > 1000 && made.files >= 5, "{made:?}");
    assert!(!ward.dir.path().join("data/backup/staging").exists(), "nothing is left of the working copies");
    let verified = verify(&made.data.path, &ward.recovery.signer, Some(&ward.recovery), &Unwatched).unwrap();
    assert!(verified.files.unwrap() > 3 && verified.head.backup == made.backup);

    let (into, gone) = ward.restore(&ward.place(), 2 * DAY).unwrap();
    let store = open(&into);
    assert_eq!((values(&store, subject), gone), (199, 0));
    drop(store);
    let again = ward.restore(&ward.place(), 2 * DAY);
    assert!(matches!(again, Err(BackupError::NotEmpty(_))), "{again:?}");
}

#[test]
fn whoever_was_erased_since_does_not_come_back() {
    let mut ward = Ward::new();
    let (subject, other) = (bind(&ward.store, 1), bind(&ward.store, 2));
    put(&ward.store, subject, 1..50);
    put(&ward.store, other, 50..100);
    let old = ward.back_up(DAY);
    let kept = std::fs::read(&old.keys.path).unwrap();
    // Erased an hour later; copies of keys are renewed as the orchestration does it.
    ward.store.erase(subject).unwrap();
    ward.store.rotate_keys().unwrap();
    let mark = ward.list.mark(subject);
    ward.list.add(mark, at(DAY + 3_600_000_000), "certificate");
    let order = ward.order(DAY + 3_600_000_000);
    assert!(ward.backups.renew(&order).unwrap().is_empty());
    assert!(!old.keys.path.exists(), "the older copy of keys is overwritten and gone");

    let (into, _) = ward.restore(&old.data.path, 2 * DAY).unwrap();
    let store = open(&into);
    assert_eq!(store.subjects().unwrap(), [other]);
    assert_eq!(values(&store, other), 50);
    drop(store);
    for needle in [subject.as_bytes().as_slice(), subject.to_string().as_bytes(), b"Musterfrau-1", b"KIS-0815-1"] {
        assert_eq!(hits(&into, needle), Vec::<PathBuf>::new());
    }
    // Even somebody who kept the old copy of keys cannot use it: its epoch is gone.
    std::fs::remove_dir_all(&into).unwrap();
    for newer in list(&ward.place()).unwrap().iter().filter(|found| found.head.kind == Kind::Keys) {
        std::fs::remove_file(&newer.path).unwrap();
    }
    std::fs::write(&old.keys.path, kept).unwrap();
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ward.restore(&old.data.path, 2 * DAY)));
    assert!(refused.is_err(), "the store does not open with keys of another epoch");
    assert!(!into.exists());
}

#[test]
fn without_a_newer_list_or_with_keys_past_their_time_nothing_is_restored() {
    let mut ward = Ward::new();
    let subject = bind(&ward.store, 1);
    put(&ward.store, subject, 1..5);
    let made = ward.back_up(DAY);
    assert!(matches!(ward.restore(&made.data.path, 40 * DAY), Err(BackupError::KeysExpired(_))));
    let list = ward.place().join(format!("obhut-{}.erasures.json", ward.installation.id()));
    let bytes = std::fs::read(&list).unwrap();
    std::fs::remove_file(&list).unwrap();
    assert!(matches!(ward.restore(&made.data.path, 2 * DAY), Err(BackupError::NoErasures)));
    let mut old = ErasureList::parse(&bytes, &ward.installation.signer()).unwrap();
    old = ErasureList::new(&ward.installation, at(5)).unwrap_or(old);
    std::fs::write(&list, old.to_bytes(&ward.installation).unwrap()).unwrap();
    assert!(matches!(ward.restore(&made.data.path, 2 * DAY), Err(BackupError::NoErasures)), "an older list");
    assert!(!ward.dir.path().join("restored").exists() && !ward.dir.path().join(".restored.restoring").exists());
}

#[test]
fn archives_past_their_time_go_and_places_are_remembered() {
    let mut ward = Ward::new();
    let subject = bind(&ward.store, 1);
    put(&ward.store, subject, 1..5);
    let first = ward.back_up(DAY);
    let second = ward.back_up(20 * DAY);
    assert!(first.data.path.exists() && !first.keys.path.exists());
    assert_eq!(ward.backups.overdue(at(36 * DAY)).len(), 1);
    assert_eq!(ward.backups.expire(at(36 * DAY)).unwrap(), 1);
    assert!(!first.data.path.exists() && second.data.path.exists());
    let data = ward.dir.path().join("data");
    let again = Backups::open(&data, None, ward.installation.clone(), ward.store.clone()).unwrap();
    assert_eq!(again.places(), ward.backups.places());
}

#[test]
fn a_place_that_was_away_is_known_to_be_behind_and_renewed_when_it_is_back() {
    let mut ward = Ward::new();
    let subject = bind(&ward.store, 1);
    put(&ward.store, subject, 1..5);
    let made = ward.back_up(DAY);
    let away = ward.dir.path().join("away");
    std::fs::rename(ward.place(), &away).unwrap();
    ward.store.erase(subject).unwrap();
    ward.store.rotate_keys().unwrap();
    let mark = ward.list.mark(subject);
    ward.list.add(mark, at(2 * DAY), "certificate");
    let order = ward.order(2 * DAY);
    assert_eq!(ward.backups.renew(&order).unwrap().len(), 1, "missed, and said so");
    assert!(!ward.backups.is_behind(at(2 * DAY)), "it cannot be reached now");
    std::fs::rename(&away, ward.place()).unwrap();
    assert!(ward.backups.is_behind(at(2 * DAY)));
    assert!(ward.backups.renew(&order).unwrap().is_empty() && !ward.backups.is_behind(at(2 * DAY)));
    assert!(!made.keys.path.exists());
}

/// Ten thousand single changed bytes, all over the three archives and the list: each is found without any key.
#[test]
fn ten_thousand_changed_bytes_are_all_found() {
    let mut ward = Ward::new();
    let subject = bind(&ward.store, 1);
    put(&ward.store, subject, 1..20);
    let made = ward.back_up(DAY);
    let root = ward.place().join(format!("obhut-{}.root.obk", ward.installation.id()));
    let list = ward.place().join(format!("obhut-{}.erasures.json", ward.installation.id()));
    let victim = ward.dir.path().join("victim.obk");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (path, count) in [(&made.data.path, 3_000), (&made.keys.path, 3_000), (&root, 3_000), (&list, 1_000)] {
        let good = std::fs::read(path).unwrap();
        // The front is short and holds everything that says what the archive is; half of the changes go there.
        let front = good.len().min(2_000);
        for n in 0..count {
            let at = if n % 2 == 0 { random(front) } else { random(good.len()) };
            let mut bad = good.clone();
            bad[at] ^= 1 << random(8);
            if path == &list {
                assert!(ErasureList::parse(&bad, &ward.recovery.signer).is_err(), "byte {at} of the list");
                continue;
            }
            std::fs::write(&victim, &bad).unwrap();
            let found = verify(&victim, &ward.recovery.signer, None, &Unwatched);
            assert!(found.is_err(), "byte {at} of {}", path.display());
        }
    }
}

#[test]
fn a_backup_that_is_told_to_stop_leaves_nothing() {
    struct StopAt(Arc<Backups>);
    impl Watch for StopAt {
        fn step(&self, _: u64, _: u64) -> Result<(), BackupError> {
            let backups = self.0.clone();
            // Whoever erases waits for us to end; so it must be another thread.
            std::thread::spawn(move || backups.stop());
            std::thread::park_timeout(std::time::Duration::from_millis(50));
            Ok(())
        }
    }
    let mut ward = Ward::new();
    let subject = bind(&ward.store, 1);
    put(&ward.store, subject, 1..50);
    let order = ward.order(DAY);
    let watch = StopAt(ward.backups.clone());
    let stopped = ward.backups.create(&ward.place(), &order, &watch);
    assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
    assert_eq!(std::fs::read_dir(ward.place()).unwrap().count(), 0);
    assert!(!ward.dir.path().join("data/backup/staging").exists());
}
