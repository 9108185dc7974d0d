//! The authority at rest: made once, opened again, renewed in time, and refusing files that are not what they should be.

use crate::support::{Device, Home, NOW, csr, id, key_provider, model};
use obhut_pki::limits::{DEVICE_LIFE_SECS, ISSUING_LIFE_SECS, ISSUING_RENEW_SECS, SERVER_LIFE_SECS};
use obhut_pki::provider::{self, Create};
use obhut_pki::{Authority, Csr, CsrError, PkiError, ProviderSpec, Serial, ServerNames, device_of, unix};
use obhut_vault::{KeyProvider, ProviderError};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

fn file(home: &Home, name: &str) -> PathBuf {
    home.dir.path().join("pki").join(name)
}

fn parsed(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).unwrap().1
}

#[test]
fn it_is_the_same_when_opened_again() {
    let home = Home::new();
    let again = home.reopen(unix(NOW + 60)).unwrap();
    assert_eq!(again.root_der(), home.authority.root_der());
    assert_eq!(again.issuing_der(), home.authority.issuing_der());
    assert_eq!(again.root_fingerprint(), home.authority.root_fingerprint());
    assert_eq!(again.server_certified_key(unix(NOW)).cert, home.authority.server_certified_key(unix(NOW)).cert);
    assert!(home.authority.root_pem().starts_with("-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn its_files_are_for_the_owner_only_and_nothing_else_lies_beside_them() {
    let home = Home::new();
    let dir = home.dir.path().join("pki");
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o700);
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["issuing.pem", "root.pem", "server.pem"]);
    for name in names {
        assert_eq!(fs::metadata(dir.join(&name)).unwrap().permissions().mode() & 0o7777, 0o600, "{name}");
    }
}

/// Sees what it is given to wrap.
struct Spy(Arc<dyn KeyProvider>, Mutex<Vec<Vec<u8>>>);

impl KeyProvider for Spy {
    fn wrap(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.1.lock().unwrap().push(secret.to_vec());
        self.0.wrap(context, secret)
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        self.0.unwrap(context, wrapped)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

#[test]
fn no_private_key_is_in_clear_on_disk() {
    use base64::Engine as _;
    let dir = tempfile::tempdir().unwrap();
    let spy = Arc::new(Spy(key_provider(dir.path()), Mutex::default()));
    let pki = dir.path().join("pki");
    let authority = Authority::open_or_create(&pki, spy.clone(), ServerNames::localhost(), unix(NOW)).unwrap();
    drop(authority.server_certified_key(unix(NOW + SERVER_LIFE_SECS)));
    let secrets = spy.1.lock().unwrap();
    assert_eq!(secrets.len(), 4, "root, issuing CA, and the server's twice");
    for entry in fs::read_dir(&pki).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("PRIVATE KEY"));
        // Everything the file holds: as it is, and every block decoded.
        let mut contents = vec![text.clone().into_bytes()];
        for block in text.split("-----BEGIN ").skip(1) {
            let body: String = block.lines().skip(1).take_while(|line| !line.starts_with("-----")).collect();
            contents.push(base64::engine::general_purpose::STANDARD.decode(body).unwrap());
        }
        assert_eq!(contents.len(), 3);
        for secret in secrets.iter() {
            // The 32 bytes of the private number, which PKCS#8 has at place 36.
            let number = &secret[36..68];
            assert_eq!(&secret[33..36], [0x01, 0x04, 0x20], "PKCS#8 is as expected");
            for content in &contents {
                assert!(!content.windows(8).any(|bytes| number.windows(8).any(|piece| piece == bytes)));
            }
        }
    }
}

#[test]
fn many_handshakes_at_the_moment_of_renewal_make_one_new_certificate() {
    let home = Home::new();
    let half = unix(NOW + SERVER_LIFE_SECS / 2);
    let first = home.authority.server_certified_key(unix(NOW)).cert[0].clone();
    let mut shown: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| home.authority.server_certified_key(half).cert[0].clone())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let renewed = home.authority.server_certified_key(half).cert[0].clone();
    shown.retain(|certificate| *certificate != first && *certificate != renewed);
    assert!(shown.is_empty() && renewed != first);
}

#[test]
fn profiles_are_as_decided() {
    let home = Home::new();
    let (_, issued) = home.device("mon-01");
    let (root, issuing, leaf) =
        (parsed(home.authority.root_der()), parsed(home.authority.issuing_der()), parsed(&issued.leaf_der));
    for (ca, below) in [(&root, 1), (&issuing, 0)] {
        let constraints = ca.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca && constraints.value.path_len_constraint == Some(below));
        let usage = ca.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.key_cert_sign() && !usage.value.digital_signature());
    }
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.key_agreement());
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth && !extended.any && extended.other.is_empty());
    let identifiers: Vec<_> = leaf.extensions().iter().map(|extension| extension.oid.to_id_string()).collect();
    // Authority and subject key identifier.
    assert!(identifiers.contains(&"2.5.29.35".to_owned()) && identifiers.contains(&"2.5.29.14".to_owned()));
    assert_eq!(leaf.validity().not_before.timestamp() as u64, NOW - 300);
    assert_eq!(leaf.validity().not_after.timestamp() as u64, NOW + DEVICE_LIFE_SECS);
    assert_eq!(issued.serial_hex.len(), 32);
    assert_eq!(Serial::from_hex(&issued.serial_hex), Some(issued.serial));
    assert_eq!(Serial::from_bytes(leaf.raw_serial()), Some(issued.serial));
    let device = device_of(&issued.leaf_der).unwrap();
    assert_eq!((device.id, device.model, device.serial_hex), (id("mon-01"), model(), issued.serial_hex.clone()));
    assert_eq!((device.not_before, device.not_after), (issued.not_before, issued.not_after));
    assert_ne!(home.device("mon-01").1.serial_hex, issued.serial_hex);
}

#[test]
fn nothing_of_a_request_but_its_key_reaches_the_certificate() {
    let home = Home::new();
    let device = Device::new("mon-01");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "mon-01");
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Administrators");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![
        rcgen::SanType::DnsName("obhut.example".try_into().unwrap()),
        rcgen::SanType::URI("urn:obhut:device:mon-01".try_into().unwrap()),
        rcgen::SanType::URI("urn:obhut:model:monitor-m1".try_into().unwrap()),
    ];
    let request = params.serialize_request(&device.key).unwrap();
    let issued = home.authority.issue_device(request.der(), &device.id, &device.model, unix(NOW)).unwrap();
    let leaf = parsed(&issued.leaf_der);
    assert_eq!(leaf.subject().to_string(), "CN=mon-01");
    assert!(!leaf.is_ca() && !leaf.extended_key_usage().unwrap().unwrap().value.server_auth);
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names.len(), 2);
    assert_eq!(leaf.public_key().subject_public_key.data.as_ref(), device.key.public_key_raw());
}

#[test]
fn requests_that_are_wrong_are_refused_each_for_its_reason() {
    let home = Home::new();
    let device = Device::new("mon-01");
    let good = device.csr();
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut changed_name = good.clone();
    let at = good.windows(6).position(|bytes| bytes == b"mon-01").unwrap();
    changed_name[at + 5] = b'2';
    let mut changed_signature = good.clone();
    *changed_signature.last_mut().unwrap() ^= 1;
    let mut trailing = good.clone();
    trailing.push(0);
    let other = csr(&device.key, &["mon-02"], &[]);
    let cases: Vec<(&str, Vec<u8>, CsrError)> = vec![
        ("another device", other, CsrError::OtherDevice),
        ("no name", csr(&device.key, &[], &[]), CsrError::CommonName),
        ("a name that is no identifier", csr(&device.key, &["Mon 01"], &[]), CsrError::CommonName),
        (
            "another device among the names",
            csr(&device.key, &["mon-01"], &["urn:obhut:device:mon-02"]),
            CsrError::Disagrees,
        ),
        (
            "another model among the names",
            csr(&device.key, &["mon-01"], &["urn:obhut:model:pump-p1"]),
            CsrError::Disagrees,
        ),
        ("P-384", csr(&p384, &["mon-01"], &[]), CsrError::NotP256),
        ("Ed25519", csr(&ed25519, &["mon-01"], &[]), CsrError::NotP256),
        ("a name changed after signing", changed_name, CsrError::Signature),
        ("a broken signature", changed_signature, CsrError::Signature),
        ("bytes behind it", trailing, CsrError::Malformed),
        ("half of it", good[..good.len() / 2].to_vec(), CsrError::Malformed),
        ("nothing", Vec::new(), CsrError::Malformed),
        ("a huge one", vec![0x30; 1 << 20], CsrError::TooLarge),
        ("a certificate", home.authority.root_der().to_vec(), CsrError::Malformed),
    ];
    for (what, der, expected) in cases {
        let refused = home.authority.issue_device(&der, &device.id, &device.model, unix(NOW)).unwrap_err();
        assert!(matches!(&refused, PkiError::Csr(reason) if *reason == expected), "{what}: {refused}");
    }
}

/// Someone else's request with the key exchanged: proof of possession must fail.
#[test]
fn a_request_for_a_key_one_does_not_hold_is_refused() {
    let home = Home::new();
    let (mine, theirs) = (Device::new("mon-01"), Device::new("mon-01"));
    let mut request = mine.csr();
    let at = request.windows(65).position(|bytes| bytes == mine.key.public_key_raw()).unwrap();
    request[at..at + 65].copy_from_slice(theirs.key.public_key_raw());
    let refused = home.authority.issue_device(&request, &mine.id, &mine.model, unix(NOW)).unwrap_err();
    assert!(matches!(refused, PkiError::Csr(CsrError::Signature)));
    // A point that is not on the curve.
    request[at + 1..at + 65].fill(7);
    assert!(matches!(
        home.authority.issue_device(&request, &mine.id, &mine.model, unix(NOW)),
        Err(PkiError::Csr(CsrError::Signature))
    ));
}

#[test]
fn a_server_certificate_is_renewed_at_half_life_and_kept() {
    let home = Home::new();
    let first = home.authority.server_certified_key(unix(NOW)).cert[0].clone();
    let half = NOW + SERVER_LIFE_SECS / 2;
    assert_eq!(home.authority.server_certified_key(unix(half - 7200)).cert[0], first);
    let second = home.authority.server_certified_key(unix(half)).cert[0].clone();
    assert_ne!(second, first);
    assert_eq!(home.authority.server_certified_key(unix(half + 1)).cert[0], second);
    assert_eq!(home.reopen(unix(half + 2)).unwrap().server_certified_key(unix(half + 2)).cert[0], second);
    assert!(home.authority.server_certificate_ends().as_secs() <= half + SERVER_LIFE_SECS);
}

#[test]
fn a_renewal_that_fails_leaves_the_old_certificate_in_force_and_is_tried_again_later() {
    let home = Home::new();
    let first = home.authority.server_certified_key(unix(NOW)).cert[0].clone();
    let half = NOW + SERVER_LIFE_SECS / 2;
    let (dir, away) = (home.dir.path().join("pki"), home.dir.path().join("away"));
    fs::rename(&dir, &away).unwrap();
    assert_eq!(home.authority.server_certified_key(unix(half)).cert[0], first);
    fs::rename(&away, &dir).unwrap();
    assert_eq!(home.authority.server_certified_key(unix(half + 1)).cert[0], first, "not before ten minutes");
    assert_ne!(home.authority.server_certified_key(unix(half + 600)).cert[0], first);
}

#[test]
fn other_names_make_a_new_server_certificate() {
    let home = Home::new();
    let provider = key_provider(home.dir.path());
    let names = ServerNames::new(["obhut.example", "192.0.2.7", "2001:db8::7"]).unwrap();
    let dir = home.dir.path().join("pki");
    let renamed = Authority::open_or_create(&dir, provider.clone(), names.clone(), unix(NOW)).unwrap();
    let certificate = renamed.server_certified_key(unix(NOW)).cert[0].clone();
    assert_ne!(certificate, home.authority.server_certified_key(unix(NOW)).cert[0]);
    assert_eq!(parsed(&certificate).subject_alternative_name().unwrap().unwrap().value.general_names.len(), 3);
    let same = Authority::open_or_create(&dir, provider, names, unix(NOW)).unwrap();
    assert_eq!(same.server_certified_key(unix(NOW)).cert[0], certificate);
    assert!(matches!(ServerNames::new(["a b"]), Err(PkiError::ServerName(_))));
    assert!(matches!(ServerNames::new::<&str>([]), Err(PkiError::NoServerName)));
}

#[test]
fn an_issuing_ca_in_its_last_year_is_replaced_at_start_under_the_same_root() {
    let home = Home::new();
    let late = NOW + ISSUING_LIFE_SECS - ISSUING_RENEW_SECS;
    let again = home.reopen(unix(late)).unwrap();
    assert_eq!(again.root_der(), home.authority.root_der());
    assert_ne!(again.issuing_der(), home.authority.issuing_der());
    assert_ne!(parsed(again.issuing_der()).subject(), parsed(home.authority.issuing_der()).subject());
}

#[test]
fn an_issuing_ca_that_ended_issues_nothing_and_one_near_its_end_nothing_that_outlives_it() {
    let home = Home::new();
    let device = Device::new("mon-01");
    let ends = home.authority.issuing_ends().as_secs();
    let issue = |at| home.authority.issue_device(&device.csr(), &device.id, &device.model, unix(at));
    assert_eq!(issue(ends - 60).unwrap().not_after, unix(ends));
    assert!(matches!(issue(ends), Err(PkiError::Ended { .. })));
    let upside_down =
        home.authority.issue_device_with_validity(&device.csr(), &device.id, &device.model, unix(NOW), unix(NOW));
    assert!(matches!(upside_down, Err(PkiError::Validity)));
}

#[test]
fn another_key_provider_does_not_open_it_and_is_told_what_to_do() {
    let home = Home::new();
    let other =
        provider::open(&ProviderSpec::File { path: home.dir.path().join("other.key"), create: Create::IfMissing })
            .unwrap();
    let refused =
        Authority::open_or_create(home.dir.path().join("pki"), other, ServerNames::localhost(), unix(NOW)).unwrap_err();
    assert!(matches!(refused, PkiError::Foreign { .. }));
    let said = refused.to_string();
    assert!(said.contains("issuing.pem") && said.contains("other.key") && said.contains("restore"), "{said}");
}

fn damage(name: &str, change: impl Fn(&Path)) -> PkiError {
    let home = Home::new();
    change(&file(&home, name));
    home.reopen(unix(NOW)).unwrap_err()
}

#[test]
fn damaged_exchanged_and_open_files_are_refused_with_the_way_out() {
    for name in ["root.pem", "issuing.pem", "server.pem"] {
        for (what, change) in [
            ("empty", Box::new(|path: &Path| fs::write(path, "").unwrap()) as Box<dyn Fn(&Path)>),
            ("not text", Box::new(|path: &Path| fs::write(path, [0xff; 500]).unwrap())),
            (
                "cut",
                Box::new(|path: &Path| {
                    let text = fs::read_to_string(path).unwrap();
                    fs::write(path, &text[..text.len() - 60]).unwrap();
                }),
            ),
            (
                "not a certificate",
                Box::new(|path: &Path| {
                    let text = fs::read_to_string(path).unwrap();
                    let line = text.lines().skip_while(|line| !line.contains("BEGIN CERT")).nth(1).unwrap();
                    fs::write(path, text.replacen(line, &"A".repeat(64), 1)).unwrap();
                }),
            ),
        ] {
            let refused = damage(name, change);
            assert!(matches!(refused, PkiError::Damaged { .. }), "{name} {what}: {refused}");
            assert!(refused.to_string().contains("restore it from a backup") && refused.to_string().contains(name));
        }
        let refused = damage(name, |path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap());
        assert!(matches!(refused, PkiError::Permissions { .. }), "{name}: {refused}");
        assert!(refused.to_string().contains("chmod 600"));
    }
    let refused = damage("root.pem", |path| fs::remove_file(path).unwrap());
    assert!(matches!(refused, PkiError::Missing { .. }), "{refused}");
    let refused = damage("issuing.pem", |path| {
        // The last line of the sealed key: another tag.
        let text = fs::read_to_string(path).unwrap();
        let at = text.rfind("\n-----END OBHUT").unwrap() - 8;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        fs::write(path, [&text[..at], other, &text[at + 1..]].concat()).unwrap();
    });
    assert!(matches!(refused, PkiError::Foreign { .. }), "{refused}");
}

#[test]
fn files_of_another_installation_or_role_are_refused() {
    let other = Home::new();
    let refused = damage("issuing.pem", |path| {
        fs::copy(file(&other, "issuing.pem"), path).unwrap();
    });
    assert!(matches!(refused, PkiError::Damaged { why, .. } if why.contains("root beside it")), "{refused}");
    let refused = damage("root.pem", |path| {
        fs::copy(path.with_file_name("issuing.pem"), path).unwrap();
    });
    assert!(matches!(refused, PkiError::Damaged { .. }), "{refused}");
    let refused = damage("issuing.pem", |path| {
        fs::copy(path.with_file_name("server.pem"), path).unwrap();
    });
    assert!(matches!(refused, PkiError::Damaged { why, .. } if why.contains("not that of a CA")), "{refused}");
    // Another server certificate signed by the same issuing CA, but with the sealed key of the first.
    let refused = damage("server.pem", |path| {
        let text = fs::read_to_string(path).unwrap();
        let other = fs::read_to_string(path.with_file_name("issuing.pem")).unwrap();
        let key = |text: &str| text[text.find("-----BEGIN OBHUT").unwrap()..].to_owned();
        fs::write(path, text.replace(&key(&text), &key(&other))).unwrap();
    });
    assert!(matches!(refused, PkiError::Foreign { .. }), "{refused}");
}

#[test]
fn a_directory_others_can_write_to_is_refused() {
    let home = Home::new();
    fs::set_permissions(home.dir.path().join("pki"), fs::Permissions::from_mode(0o770)).unwrap();
    let refused = home.reopen(unix(NOW)).unwrap_err();
    assert!(refused.to_string().contains("chmod 700"), "{refused}");
}

#[test]
fn leftovers_of_a_crash_while_writing_do_no_harm() {
    let home = Home::new();
    let name = format!(".server.pem.{}.new", std::process::id());
    fs::write(file(&home, &name), "half a fi").unwrap();
    fs::remove_file(file(&home, "server.pem")).unwrap();
    home.reopen(unix(NOW)).unwrap();
    assert!(!file(&home, &name).exists());
}

#[test]
fn certificates_that_are_not_a_devices_have_no_device() {
    let home = Home::new();
    assert!(matches!(device_of(home.authority.root_der()), Err(PkiError::NotADevice(_))));
    assert!(matches!(device_of(&home.authority.server_certified_key(unix(NOW)).cert[0]), Err(PkiError::NotADevice(_))));
    assert!(matches!(device_of(b""), Err(PkiError::NotADevice(_))));
}

#[test]
fn serial_numbers_are_equal_however_they_are_written() {
    let serial = Serial::from_bytes(&[0, 0xab, 0x01]).unwrap();
    assert_eq!(serial.to_string(), "ab01");
    for same in ["ab01", "AB01", "00ab01"] {
        assert_eq!(Serial::from_hex(same), Some(serial), "{same}");
    }
    assert_eq!(Serial::from_hex("b01").unwrap().to_string(), "0b01");
    for bad in ["", "xy", &"a".repeat(41)] {
        assert_eq!(Serial::from_hex(bad), None, "{bad}");
    }
    assert_eq!(Serial::from_bytes(&[1; 21]), None);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let _ = Csr::parse(&bytes);
        let _ = device_of(&bytes);
    }

    /// The reader takes a few encodings more than DER has (a wrong tag inside the outer algorithm identifier). What may never happen is that a
    /// changed request passes as one for another name or key.
    #[test]
    fn no_damaged_request_panics_or_passes_as_another(at in 0usize..200, value in proptest::prelude::any::<u8>()) {
        static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| Device::new("mon-01").csr());
        let mut damaged = GOOD.clone();
        let at = at % damaged.len();
        damaged[at] = value;
        if let Ok(passed) = Csr::parse(&damaged) {
            let good = Csr::parse(&GOOD).unwrap();
            proptest::prop_assert_eq!((passed.device(), passed.key_hash()), (good.device(), good.key_hash()));
        }
    }
}
