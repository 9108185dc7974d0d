//! What the tests share: an authority in a temporary directory, a device that makes requests, and TLS over memory.

use obhut_model::{DeviceId, ModelId};
use obhut_pki::provider::{self, Create};
use obhut_pki::{Authority, CertificateDer, Issued, ProviderSpec, ServerNames, UnixTime, unix};
use obhut_vault::KeyProvider;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::path::Path;
use std::sync::Arc;

/// 2026-11-24; also the clock of the certificates below.
pub(crate) const NOW: u64 = 1_795_500_000;

pub(crate) fn key_provider(dir: &Path) -> Arc<dyn KeyProvider> {
    provider::open(&ProviderSpec::File { path: dir.join("top.key"), create: Create::IfMissing }).unwrap()
}

pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) authority: Arc<Authority>,
}

impl Home {
    pub(crate) fn at(now: UnixTime) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority =
            Authority::open_or_create(dir.path().join("pki"), key_provider(dir.path()), ServerNames::localhost(), now)
                .unwrap();
        Self { dir, authority: Arc::new(authority) }
    }

    pub(crate) fn new() -> Self {
        Self::at(unix(NOW))
    }

    pub(crate) fn reopen(&self, now: UnixTime) -> Result<Authority, obhut_pki::PkiError> {
        Authority::open_or_create(
            self.dir.path().join("pki"),
            key_provider(self.dir.path()),
            ServerNames::localhost(),
            now,
        )
    }

    pub(crate) fn device(&self, name: &str) -> (Device, Issued) {
        let device = Device::new(name);
        let issued = self.authority.issue_device(&device.csr(), &device.id, &device.model, unix(NOW)).unwrap();
        (device, issued)
    }
}

pub(crate) fn id(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub(crate) fn model() -> ModelId {
    ModelId::new("monitor-m1").unwrap()
}

/// The device side: a key that never leaves it.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) model: ModelId,
    pub(crate) key: KeyPair,
}

impl Device {
    pub(crate) fn new(name: &str) -> Self {
        Self { id: id(name), model: model(), key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    pub(crate) fn csr(&self) -> Vec<u8> {
        csr(&self.key, &[self.id.as_str()], &[])
    }
}

pub(crate) fn csr(key: &KeyPair, names: &[&str], uris: &[&str]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for name in names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.serialize_request(key).unwrap().der().to_vec()
}

#[derive(Debug)]
struct Fixed(UnixTime);

impl rustls::time_provider::TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

pub(crate) fn clock(now: UnixTime) -> Arc<dyn rustls::time_provider::TimeProvider> {
    Arc::new(Fixed(now))
}

/// A client that trusts `root` and shows `chain`.
pub(crate) fn client(
    root: &CertificateDer<'static>,
    shown: Option<(Vec<CertificateDer<'static>>, &KeyPair)>,
    now: UnixTime,
) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let builder =
        ClientConfig::builder_with_details(provider, clock(now)).with_protocol_versions(rustls::ALL_VERSIONS).unwrap();
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Arc::new(match shown {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

pub(crate) fn chain(issued: &Issued) -> Vec<CertificateDer<'static>> {
    std::iter::once(issued.leaf_der.clone()).chain(issued.chain.iter().cloned()).collect()
}

/// What each side of a handshake over memory said.
pub(crate) struct Shaken {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) refused_by_server: Option<rustls::Error>,
    pub(crate) told_client: Option<rustls::Error>,
    pub(crate) server_time: std::time::Duration,
}

pub(crate) fn handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Shaken {
    let mut client = ClientConnection::new(client.clone(), ServerName::try_from("localhost").unwrap()).unwrap();
    let begin = std::time::Instant::now();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    let mut server_time = begin.elapsed();
    let (mut refused_by_server, mut told_client) = (None, None);
    let mut wire = Vec::new();
    for _ in 0..6 {
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let begin = std::time::Instant::now();
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() && refused_by_server.is_none() {
            server.read_tls(&mut bytes).unwrap();
            refused_by_server = server.process_new_packets().err();
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        server_time += begin.elapsed();
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() && told_client.is_none() {
            client.read_tls(&mut bytes).unwrap();
            told_client = client.process_new_packets().err();
        }
    }
    Shaken { client, server, refused_by_server, told_client, server_time }
}
