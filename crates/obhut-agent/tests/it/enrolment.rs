use crate::ward::{Authority, Est, Mood};
use obhut_agent::StateDir;
use obhut_agent::est::{EstError, EstServer, Fingerprint, enrol, renew, renewal_delay};
use obhut_agent::state::Device;
use obhut_model::DeviceId;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(crate) fn device(port: u16) -> Device {
    Device {
        id: DeviceId::new("mon-01").unwrap(),
        serial: "SN-1".into(),
        enrolment_host: "localhost".into(),
        enrolment_port: port,
    }
}

/// Enrols into a fresh state directory.
pub(crate) async fn enrolled(authority: &Arc<Authority>, est: &Est) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let device = device(est.port);
    let server = EstServer { host: "localhost".into(), port: est.port };
    let got = enrol(&server, Fingerprint::of(&authority.root), &device, "good token").await.unwrap();
    state.enrol(&device, &got.root, got.identity_pem.as_bytes()).unwrap();
    dir
}

#[tokio::test]
async fn a_device_enrols_and_renews_with_a_new_key_and_the_key_never_leaves() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = enrolled(&authority, &est).await;
    let state = StateDir::open(dir.path()).unwrap();
    assert_eq!((state.device().unwrap(), state.root().unwrap()), (device(est.port), authority.root.clone()));
    let identity = state.identity().unwrap();
    assert_eq!(identity.chain.len(), 2, "leaf and issuing CA, without the root");
    let first = identity.validity().unwrap();

    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let meta = entry.unwrap().metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o077, 0, "only the owner may read");
    }

    let server = EstServer { host: "localhost".into(), port: est.port };
    let pem = renew(&server, &authority.root, &identity, &device(est.port).id).await.unwrap();
    state.renew(pem.as_bytes()).unwrap();
    let renewed = state.identity().unwrap();
    assert_ne!(renewed.validity().unwrap().serial, first.serial);
    let log = est.log.lock();
    assert_eq!(
        (log.enrolments, log.renewals, log.tokens.len()),
        (1, 1, 1),
        "the token is sent once, and never for a renewal"
    );
    assert_ne!(log.keys[0], log.keys[1], "a renewal is for a new key");
}

#[tokio::test]
async fn a_stranger_never_sees_the_token() {
    let authority = Arc::new(Authority::new(DAY));
    let pinned = Fingerprint::of(&Authority::new(DAY).root);
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let server = EstServer { host: "localhost".into(), port: est.port };
    let outcome = enrol(&server, pinned, &device(est.port), "good token").await;
    assert!(matches!(outcome.err(), Some(EstError::Stranger)));

    // Somebody in between who hands out the right root, but cannot prove to be a server of it.
    let mut impostor = Authority::new(DAY);
    let root = authority.root.clone();
    impostor.root = root.clone();
    let est_between = Est::start(Arc::new(impostor), Mood::Good).await;
    let server = EstServer { host: "localhost".into(), port: est_between.port };
    let outcome = enrol(&server, Fingerprint::of(&root), &device(est_between.port), "good token").await;
    assert!(matches!(outcome.err(), Some(EstError::Connect(_))));
    assert!(est.log.lock().tokens.is_empty() && est_between.log.lock().tokens.is_empty());
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    for (mood, token) in [
        (Mood::Good, "wrong token"),
        (Mood::OtherName, "good token"),
        (Mood::OtherKey, "good token"),
        (Mood::OtherRoot, "good token"),
        (Mood::Nonsense, "good token"),
    ] {
        let authority = Arc::new(Authority::new(DAY));
        let est = Est::start(Arc::clone(&authority), mood).await;
        let server = EstServer { host: "localhost".into(), port: est.port };
        let outcome = enrol(&server, Fingerprint::of(&authority.root), &device(est.port), token).await.err();
        let fits = match mood {
            Mood::Good => {
                matches!(&outcome, Some(EstError::Refused { status: 401, reason }) if reason == "token unknown, used or late")
            }
            Mood::OtherRoot => matches!(outcome, Some(EstError::Stranger)),
            _ => matches!(outcome, Some(EstError::Answer(_))),
        };
        assert!(fits, "{outcome:?}");
    }
    let server = EstServer { host: "localhost".into(), port: 1 };
    let outcome = enrol(&server, Fingerprint::of(b""), &device(1), "x").await.err();
    assert!(matches!(outcome, Some(EstError::Connect(_))));
}

#[test]
fn fingerprints_are_64_digits() {
    let hex = "AB".repeat(32);
    assert_eq!(hex.parse::<Fingerprint>().unwrap(), hex.to_lowercase().parse().unwrap());
    assert_eq!(["AB"; 32].join(":").parse::<Fingerprint>().unwrap(), hex.parse().unwrap());
    for text in ["", "ab", &"g".repeat(64), &"a".repeat(65)] {
        assert!(text.parse::<Fingerprint>().is_err(), "{text}");
    }
}

#[test]
fn renewal_is_due_before_half_of_the_life_and_never_all_at_once() {
    let day = 86_400;
    for random in [0, 1, 8_639, 8_640, u64::MAX] {
        let wait = renewal_delay(0, day, 0, random).as_secs();
        assert!((34_560..=43_200).contains(&wait), "{wait}");
    }
    assert_eq!(renewal_delay(0, day, 50_000, 0), Duration::ZERO);
    assert_eq!(renewal_delay(0, day, i64::MAX, 0), Duration::ZERO);
    assert_eq!(renewal_delay(10, 0, 0, 5).as_secs(), 10);
}
