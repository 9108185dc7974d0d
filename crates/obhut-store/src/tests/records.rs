//! Devices, stays and identities: what is refused, and in which words.

use super::*;

fn monitor(name: &str, serial: &str) -> DeviceRecord {
    DeviceRecord {
        id: device(name),
        model: ModelId::new("monitor-m1").unwrap(),
        serial: serial.into(),
        state: DeviceState::Invited,
        invited_at: ServerTime::from_micros(1),
        enrolled_at: None,
        certificate: None,
        certificate_ends: None,
    }
}

fn now(micros: i64) -> ServerTime {
    ServerTime::from_micros(micros)
}

fn bed(name: &str) -> BedId {
    BedId::new(name).unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, words: &str) {
    match result {
        Err(StoreError::Conflict(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_is_good_once_for_its_device_and_in_time() {
    let dir = tempdir();
    let store = open(dir.path());
    store.invite(&monitor("m1", "S1"), [1; 32], now(100)).unwrap();
    assert_eq!(store.redeem([2; 32], "S1", now(5)).unwrap(), None);
    assert_eq!(store.redeem([1; 32], "S2", now(5)).unwrap(), None);
    assert_eq!(store.redeem([1; 32], "S1", now(100)).unwrap(), None);
    store.invite(&monitor("m1", "S1"), [3; 32], now(100)).unwrap();
    assert_eq!(store.redeem([1; 32], "S1", now(5)).unwrap(), None);
    assert_eq!(store.redeem([3; 32], "S1", now(5)).unwrap(), Some(monitor("m1", "S1")));
    assert_eq!(store.redeem([3; 32], "S1", now(5)).unwrap(), None);
    refused(store.invite(&monitor("m2", "S1"), [4; 32], now(9)), "belongs to device `m1`");
}

#[test]
fn a_device_whose_certificate_ran_out_is_invited_again() {
    let dir = tempdir();
    let store = open(dir.path());
    store.invite(&monitor("m1", "S1"), [1; 32], now(100)).unwrap();
    store.certificate_issued(&device("m1"), "aa", now(1_000), now(50)).unwrap();
    let mut again = monitor("m1", "S1");
    again.invited_at = now(999);
    refused(store.invite(&again, [2; 32], now(2_000)), "in force");
    again.invited_at = now(1_000);
    store.invite(&again, [2; 32], now(2_000)).unwrap();
    let known = store.device(&device("m1")).unwrap().unwrap();
    assert_eq!((known.state, known.certificate), (DeviceState::Invited, None));
    assert!(store.redeem([2; 32], "S1", now(1_500)).unwrap().is_some());
}

#[test]
fn a_device_lives_from_invitation_to_revocation() {
    let dir = tempdir();
    let far = i64::MAX / 2;
    let store = open(dir.path());
    assert!(matches!(
        store.certificate_issued(&device("m1"), "aa", now(9), now(1)),
        Err(StoreError::Unknown("the device"))
    ));
    store.invite(&monitor("m1", "S1"), [1; 32], now(100)).unwrap();
    store.certificate_issued(&device("m1"), "aa", now(far), now(50)).unwrap();
    store.certificate_issued(&device("m1"), "bb", now(far), now(60)).unwrap();
    let enrolled = store.device(&device("m1")).unwrap().unwrap();
    assert_eq!(
        (enrolled.state, enrolled.enrolled_at, enrolled.certificate.as_deref()),
        (DeviceState::Enrolled, Some(now(50)), Some("bb"))
    );
    refused(store.invite(&monitor("m1", "S1"), [2; 32], now(9)), "enrolled already");
    assert!(store.revoked_certificates().unwrap().is_empty());
    store.revoke(&device("m1"), "lost", now(70)).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.revoked_certificates().unwrap(), ["aa", "bb"]);
    assert_eq!(store.devices().unwrap()[0].state, DeviceState::Revoked);
    refused(store.invite(&monitor("m1", "S1"), [2; 32], now(9)), "was revoked");
    refused(store.certificate_issued(&device("m1"), "cc", now(far), now(80)), "was revoked");
    refused(store.place_device(&device("m1"), &bed("b1"), at(0)), "was revoked");
    store.invite(&monitor("m2", "S1"), [2; 32], now(9)).unwrap();
    assert!(matches!(store.revoke(&device("m3"), "", now(1)), Err(StoreError::Unknown("the device"))));
}

#[test]
fn a_device_stands_at_one_bed_at_a_time() {
    let dir = tempdir();
    let store = open(dir.path());
    assert!(matches!(store.place_device(&device("m1"), &bed("b1"), at(0)), Err(StoreError::Unknown("the device"))));
    store.invite(&monitor("m1", "S1"), [1; 32], now(100)).unwrap();
    store.place_device(&device("m1"), &bed("b1"), at(10)).unwrap();
    store.place_device(&device("m1"), &bed("b1"), at(20)).unwrap();
    refused(store.place_device(&device("m1"), &bed("b2"), at(20)), "stands at bed `b1`");
    refused(store.remove_device(&device("m1"), at(9)), "before it began");
    store.remove_device(&device("m1"), at(30)).unwrap();
    refused(store.place_device(&device("m1"), &bed("b2"), at(29)), "stands at bed `b1`");
    store.place_device(&device("m1"), &bed("b2"), at(30)).unwrap();
    assert!(matches!(store.remove_device(&device("m2"), at(1)), Err(StoreError::Unknown(_))));
    store.remove_device(&device("m1"), at(30)).unwrap();
    store.place_device(&device("m1"), &bed("b3"), at(40)).unwrap();
    let recent = Options { now: || ServerTime::from_micros(35), ..options() };
    drop(store);
    let stays = open_with(dir.path(), recent).bindings().unwrap().0;
    assert_eq!(
        stays.iter().map(|s| (s.bed.as_str(), s.from, s.to)).collect::<Vec<_>>(),
        [("b1", at(10), Some(at(30))), ("b3", at(40), None)]
    );
}

#[test]
fn long_ended_stays_are_no_longer_told() {
    let dir = tempdir();
    let store = open(dir.path());
    store.bind_patient(&patient(1), &bed("b1"), at(10)).unwrap();
    store.unbind_patient(&bed("b1"), at(20)).unwrap();
    assert!(store.bindings().unwrap().1.is_empty());
}

#[test]
fn a_patient_is_bound_with_two_identifiers() {
    let dir = tempdir();
    let store = open(dir.path());
    let one = store.bind_patient(&patient(1), &bed("b1"), at(10)).unwrap();
    assert_eq!(store.bind_patient(&patient(1), &bed("b1"), at(15)).unwrap(), one);
    let wrong = Identity { birth_date: "1964-08-13".into(), ..patient(1) };
    refused(store.bind_patient(&wrong, &bed("b9"), at(15)), "another birth date");
    refused(store.bind_patient(&Identity { birth_date: " ".into(), ..patient(3) }, &bed("b9"), at(15)), "both");
    refused(store.bind_patient(&patient(2), &bed("b1"), at(15)), "bed `b1` is taken");
    refused(store.bind_patient(&patient(1), &bed("b2"), at(15)), "lies in bed `b1`");
    assert_eq!(store.subjects().unwrap(), [one], "a refused binding leaves no key behind");
    refused(store.unbind_patient(&bed("b1"), at(5)), "before it began");
    assert_eq!(store.unbind_patient(&bed("b1"), at(20)).unwrap(), one);
    assert!(matches!(store.unbind_patient(&bed("b1"), at(20)), Err(StoreError::Unknown(_))));
    refused(store.bind_patient(&patient(2), &bed("b1"), at(19)), "bed `b1` is taken");
    let two = store.bind_patient(&patient(2), &bed("b1"), at(20)).unwrap();
    assert_ne!(one, two);
    assert_eq!(store.bind_patient(&patient(1), &bed("b2"), at(20)).unwrap(), one);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.find_subject(" KIS-0815-2", "1964-08-12").unwrap(), Some(two));
    assert_eq!(store.find_subject("KIS-0815-2", "1964-08-13").unwrap(), None);
    assert_eq!(store.find_subject("KIS", "1964-08-12").unwrap(), None);
    let mut both = [one, two];
    both.sort_unstable();
    assert_eq!(store.subjects().unwrap(), both);
}
