//! Who gets through the TLS handshake, and who does not and why.

use crate::support::{Device, Home, NOW, Shaken, chain, client, clock, handshake, model};
use obhut_pki::tls::{DeviceVerifier, server_config_at};
use obhut_pki::{CertificateDer, ClientAuth, Issued, Refusal, RefusalCounters, Revocations, Serial, device_of, unix};
use rustls::server::danger::ClientCertVerifier as _;
use rustls::{AlertDescription, CertificateError, Error, NamedGroup, ProtocolVersion, ServerConfig};
use std::sync::Arc;

struct Door {
    home: Home,
    revocations: Arc<Revocations>,
    refusals: Arc<RefusalCounters>,
    config: Arc<ServerConfig>,
}

fn door(client_auth: ClientAuth) -> Door {
    let home = Home::new();
    let (revocations, refusals) = (Arc::new(Revocations::new()), Arc::new(RefusalCounters::new()));
    let config =
        server_config_at(&home.authority, &revocations, &refusals, client_auth, &[], clock(unix(NOW))).unwrap();
    Door { home, revocations, refusals, config }
}

impl Door {
    fn knock(&self, shown: Option<(Vec<CertificateDer<'static>>, &rcgen::KeyPair)>) -> Shaken {
        handshake(&self.config, &client(self.home.authority.root_der(), shown, unix(NOW)))
    }

    /// Knocks with this certificate and expects to be refused for exactly this reason.
    fn refuses(&self, device: &Device, chain: Vec<CertificateDer<'static>>, reason: Refusal, alert: AlertDescription) {
        let shaken = self.knock(Some((chain, &device.key)));
        assert!(
            matches!(shaken.refused_by_server, Some(Error::InvalidCertificate(_))),
            "{:?}",
            shaken.refused_by_server
        );
        assert!(
            matches!(shaken.told_client, Some(Error::AlertReceived(told)) if told == alert),
            "{:?}",
            shaken.told_client
        );
        for other in Refusal::ALL {
            assert_eq!(self.refusals.get(other), u64::from(other == reason), "{other:?} for {reason:?}");
        }
    }
}

fn issue(home: &Home, device: &Device, from: u64, until: u64) -> Issued {
    home.authority
        .issue_device_with_validity(&device.csr(), &device.id, &device.model, unix(from), unix(until))
        .unwrap()
}

#[test]
fn a_device_of_ours_gets_in_with_post_quantum_key_exchange_and_without_tickets() {
    let door = door(ClientAuth::Required);
    let (device, issued) = door.home.device("mon-01");
    let shaken = door.knock(Some((chain(&issued), &device.key)));
    assert!(shaken.refused_by_server.is_none() && shaken.told_client.is_none());
    assert!(!shaken.server.is_handshaking() && !shaken.client.is_handshaking());
    assert_eq!(shaken.server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(shaken.server.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(shaken.client.tls13_tickets_received(), 0);
    let peer = device_of(shaken.server.peer_certificates().unwrap().first().unwrap()).unwrap();
    assert_eq!((peer.id, peer.model, peer.serial_hex), (device.id, model(), issued.serial_hex));
}

#[test]
fn a_device_that_sends_only_its_leaf_gets_in() {
    let door = door(ClientAuth::Required);
    let (device, issued) = door.home.device("mon-01");
    assert!(door.knock(Some((vec![issued.leaf_der], &device.key))).refused_by_server.is_none());
}

#[test]
fn no_certificate_is_refused_where_one_is_required_and_let_in_where_not() {
    let shaken = door(ClientAuth::Required).knock(None);
    assert_eq!(shaken.refused_by_server, Some(Error::NoCertificatesPresented));
    assert!(matches!(shaken.told_client, Some(Error::AlertReceived(AlertDescription::CertificateRequired))));
    let shaken = door(ClientAuth::Optional).knock(None);
    assert!(shaken.refused_by_server.is_none() && !shaken.server.is_handshaking());
}

#[test]
fn expired_and_not_yet_valid_are_refused() {
    for (from, until) in [(NOW - 7200, NOW - 3600), (NOW + 3600, NOW + 7200)] {
        let door = door(ClientAuth::Required);
        let device = Device::new("mon-01");
        let issued = issue(&door.home, &device, from, until);
        door.refuses(&device, chain(&issued), Refusal::Expired, AlertDescription::CertificateExpired);
    }
}

#[test]
fn another_installations_device_is_refused_also_when_it_brings_its_whole_chain() {
    let door = door(ClientAuth::Required);
    let other = Home::new();
    let (device, issued) = other.device("mon-01");
    let mut whole = chain(&issued);
    whole.push(other.authority.root_der().clone());
    door.refuses(&device, whole, Refusal::WrongCa, AlertDescription::UnknownCA);
}

#[test]
fn a_wrong_certificate_is_refused_also_where_none_is_needed() {
    let door = door(ClientAuth::Optional);
    let (device, issued) = Home::new().device("mon-01");
    door.refuses(&device, chain(&issued), Refusal::WrongCa, AlertDescription::UnknownCA);
}

#[test]
fn a_certificate_living_longer_than_eight_days_is_refused() {
    let day = 86_400;
    let within = door(ClientAuth::Required);
    let device = Device::new("mon-01");
    let issued = issue(&within.home, &device, NOW - day, NOW + 7 * day);
    assert!(within.knock(Some((chain(&issued), &device.key))).refused_by_server.is_none());
    let issued = issue(&within.home, &device, NOW - day, NOW + 7 * day + 1);
    within.refuses(&device, chain(&issued), Refusal::TooLong, AlertDescription::AccessDenied);
}

#[test]
fn a_certificate_that_was_let_in_is_refused_when_its_time_is_over() {
    let home = Home::new();
    let refusals = Arc::new(RefusalCounters::new());
    let verifier =
        DeviceVerifier::new(&home.authority, Arc::default(), refusals.clone(), ClientAuth::Required).unwrap();
    let (_, issued) = home.device("mon-01");
    let knock = |now| verifier.verify_client_cert(&issued.leaf_der, &[], unix(now)).is_ok();
    assert!(knock(NOW) && knock(NOW + 86_400));
    assert!(!knock(NOW + 86_401) && !knock(NOW - 301));
    assert_eq!(refusals.get(Refusal::Expired), 2);
    let mut changed = issued.leaf_der.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert!(
        verifier.verify_client_cert(&CertificateDer::from(changed), &[], unix(NOW)).is_err(),
        "known is only the very same"
    );
}

#[test]
fn a_revoked_certificate_is_refused_at_once_and_no_other() {
    let door = door(ClientAuth::Required);
    let (device, issued) = door.home.device("mon-01");
    let (other, others) = door.home.device("mon-02");
    assert!(door.knock(Some((chain(&issued), &device.key))).refused_by_server.is_none());
    let changes = door.revocations.changes();
    door.revocations.revoke(issued.serial);
    assert!(door.revocations.changes() > changes);
    door.refuses(&device, chain(&issued), Refusal::Revoked, AlertDescription::CertificateRevoked);
    assert!(door.knock(Some((chain(&others), &other.key))).refused_by_server.is_none());
    let changes = door.revocations.changes();
    door.revocations.revoke_all([issued.serial]);
    assert_eq!(door.revocations.changes(), changes, "nothing new, nothing to look at");
    door.revocations.revoke_all([issued.serial, others.serial]);
    assert!(door.revocations.is_revoked(issued.serial) && door.revocations.is_revoked(others.serial));
    door.revocations.replace([]);
    assert!(door.knock(Some((chain(&issued), &device.key))).refused_by_server.is_none());
}

#[test]
fn the_servers_own_certificate_does_not_serve_as_a_devices() {
    let door = door(ClientAuth::Required);
    let certified = door.home.authority.server_certified_key(unix(NOW));
    assert!(certified.keys_match().is_ok());
    let mut client = (*client(door.home.authority.root_der(), None, unix(NOW))).clone();
    client.client_auth_cert_resolver = Arc::new(ShowsAnything(certified));
    let shaken = handshake(&door.config, &Arc::new(client));
    assert_eq!(shaken.refused_by_server, Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)));
    assert_eq!(door.refusals.get(Refusal::WrongCa), 1);
}

#[derive(Debug)]
struct ShowsAnything(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for ShowsAnything {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_certificate_without_its_key_does_not_get_in() {
    let door = door(ClientAuth::Required);
    let (_, issued) = door.home.device("mon-01");
    let thief = Device::new("mon-01");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(thief.key.serialize_der().into());
    let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key).unwrap();
    let mut client = (*client(door.home.authority.root_der(), None, unix(NOW))).clone();
    client.client_auth_cert_resolver =
        Arc::new(ShowsAnything(Arc::new(rustls::sign::CertifiedKey::new(chain(&issued), key))));
    let shaken = handshake(&door.config, &Arc::new(client));
    assert_eq!(shaken.refused_by_server, Some(Error::InvalidCertificate(CertificateError::BadSignature)));
}

#[test]
fn a_device_of_an_earlier_issuing_ca_gets_in_with_its_chain() {
    let door = door(ClientAuth::Required);
    let (device, issued) = door.home.device("mon-01");
    std::fs::remove_file(door.home.dir.path().join("pki/issuing.pem")).unwrap();
    let reopened = Arc::new(door.home.reopen(unix(NOW)).unwrap());
    assert_ne!(reopened.issuing_der(), door.home.authority.issuing_der());
    let config =
        server_config_at(&reopened, &door.revocations, &door.refusals, ClientAuth::Required, &[], clock(unix(NOW)))
            .unwrap();
    let client = client(reopened.root_der(), Some((chain(&issued), &device.key)), unix(NOW));
    assert!(handshake(&config, &client).refused_by_server.is_none());
}

#[test]
fn the_protocol_is_agreed_on_where_both_name_one() {
    let home = Home::new();
    let (revocations, refusals) = (Arc::default(), Arc::default());
    let config = server_config_at(
        &home.authority,
        &revocations,
        &refusals,
        ClientAuth::Optional,
        &[b"http/1.1"],
        clock(unix(NOW)),
    )
    .unwrap();
    let mut polite = (*client(home.authority.root_der(), None, unix(NOW))).clone();
    polite.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(handshake(&config, &Arc::new(polite)).server.alpn_protocol(), Some(b"http/1.1".as_slice()));
}

/// What one would write without this crate: the verifier that comes with rustls, trusting the root.
fn stock(door: &Door) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(door.home.authority.root_der().clone()).unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let certified = door.home.authority.server_certified_key(unix(NOW));
    let builder = ServerConfig::builder_with_details(provider, clock(unix(NOW)))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap();
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    // Or the client would resume instead of shaking hands in full.
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// Prints what a full handshake costs the server. `cargo nextest run -p obhut-pki --run-ignored all --no-capture -E 'test(cost)'`
#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_a_full_handshake() {
    let door = door(ClientAuth::Required);
    door.revocations.replace((0..100_000u64).filter_map(|n| Serial::from_bytes(&n.to_be_bytes())));
    let (device, issued) = door.home.device("mon-01");
    let root = door.home.authority.root_der();
    let (alone, whole) = (vec![issued.leaf_der.clone()], chain(&issued));
    let stock = stock(&door);
    let known = |chain: Vec<CertificateDer<'static>>| client(root, Some((chain, &device.key)), unix(NOW));
    let (alone, whole) = (known(alone), known(whole));
    let fresh: Vec<_> = (0..1000)
        .map(|_| {
            let (device, issued) = door.home.device("mon-01");
            client(root, Some((vec![issued.leaf_der], &device.key)), unix(NOW))
        })
        .collect();
    let mut times = [const { Vec::new() }; 4];
    // In turns, so that whatever else the machine does hits all alike.
    for fresh in &fresh {
        for (times, (config, client)) in times.iter_mut().zip([
            (&door.config, fresh),
            (&door.config, &alone),
            (&door.config, &whole),
            (&stock, &whole),
        ]) {
            times.push(handshake(config, client).server_time);
        }
    }
    let names = ["first time", "known", "known, with issuing CA", "rustls' own verifier, with issuing CA"];
    for (mut times, what) in times.into_iter().zip(names) {
        times.sort();
        println!(
            "server side of a full mutual handshake, {what}: fastest tenth {:?}, median {:?}",
            times[100], times[500]
        );
    }
    let rounds = 2000;
    let verifier = DeviceVerifier::new(
        &door.home.authority,
        door.revocations.clone(),
        door.refusals.clone(),
        ClientAuth::Required,
    )
    .unwrap();
    let leaves: Vec<_> = (0..rounds).map(|_| door.home.device("mon-01").1.leaf_der).collect();
    for what in ["first time", "known"] {
        let begin = std::time::Instant::now();
        for leaf in &leaves {
            verifier.verify_client_cert(leaf, &[], unix(NOW)).unwrap();
        }
        println!("checking a device certificate, {what}: {:?}", begin.elapsed() / rounds);
    }
    let begin = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(device_of(&issued.leaf_der).unwrap());
    }
    println!("reading a device certificate: {:?}", begin.elapsed() / rounds);
    let csr = device.csr();
    let begin = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(door.home.authority.issue_device(&csr, &device.id, &device.model, unix(NOW)).unwrap());
    }
    println!("issuing a device certificate: {:?}", begin.elapsed() / rounds);
    let many = Revocations::new();
    many.replace((0..1_000_000u64).filter_map(|n| Serial::from_bytes(&n.to_be_bytes())));
    let begin = std::time::Instant::now();
    many.revoke(issued.serial);
    println!("revoking one certificate beside a million: {:?}", begin.elapsed());
    let begin = std::time::Instant::now();
    drop(Home::new());
    println!("a new authority in a temporary directory: {:?}", begin.elapsed());
}
