//! A certificate authority, an EST server and an MQTT server, as small as the tests allow.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerInfos};
use der::asn1::SetOfVec;
use der::{Any, Decode, Encode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Event, role};
use mqtt_protocol_core::mqtt::packet::v5_0::{Connack, Pingresp, Puback};
use mqtt_protocol_core::mqtt::packet::{Packet, ReceiveMaximum};
use mqtt_protocol_core::mqtt::prelude::*;
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, PubackReasonCode};
use mqtt_protocol_core::mqtt::{Connection, Version};
use obhut_wire::Frame;
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Root, issuing CA and a certificate for `localhost`.
pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    issuing: CertifiedIssuer<'static, KeyPair>,
    server: CertificateDer<'static>,
    server_key: Vec<u8>,
    /// How long device certificates last.
    pub(crate) life: Duration,
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(crate) fn new(life: Duration) -> Self {
        let root = CertifiedIssuer::self_signed(ca("test root"), KeyPair::generate().unwrap()).unwrap();
        let issuing = CertifiedIssuer::signed_by(ca("test issuing"), KeyPair::generate().unwrap(), &root).unwrap();
        let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let server = server.signed_by(&key, &issuing).unwrap();
        Self { root: root.der().clone(), server: server.der().clone(), server_key: key.serialize_der(), issuing, life }
    }

    pub(crate) fn issue(&self, csr: &[u8], name: &str) -> CertificateDer<'static> {
        let mut csr = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr)).unwrap();
        let asked = format!("{:?}", csr.params.distinguished_name);
        assert!(asked.contains(name), "{asked}");
        csr.params.not_before = (SystemTime::now() - Duration::from_secs(1)).into();
        csr.params.not_after = (SystemTime::now() + self.life).into();
        csr.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        csr.params.subject_alt_names = vec![SanType::URI(format!("urn:obhut:device:{name}").try_into().unwrap())];
        csr.signed_by(&self.issuing).unwrap().der().clone()
    }

    fn config(&self, client: Client) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = match client {
            Client::Required => verifier.build(),
            Client::Optional => verifier.allow_unauthenticated().build(),
        };
        let builder =
            ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let chain = vec![self.server.clone(), self.issuing.der().clone()];
        let key = PrivateKeyDer::try_from(self.server_key.clone()).unwrap();
        Arc::new(builder.with_client_cert_verifier(verifier.unwrap()).with_single_cert(chain, key).unwrap())
    }
}

#[derive(Clone, Copy)]
enum Client {
    Required,
    Optional,
}

/// Base64 certs-only PKCS#7.
fn pkcs7(certificates: &[&[u8]]) -> String {
    let choices: Vec<_> = certificates
        .iter()
        .map(|der| CertificateChoices::Certificate(x509_cert::Certificate::from_der(der).unwrap()))
        .collect();
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: "1.2.840.113549.1.7.1".parse().unwrap(),
            econtent: None,
        },
        certificates: Some(CertificateSet(SetOfVec::try_from(choices).unwrap())),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::new()),
    };
    let outer = ContentInfo {
        content_type: "1.2.840.113549.1.7.2".parse().unwrap(),
        content: Any::from_der(&signed.to_der().unwrap()).unwrap(),
    };
    STANDARD.encode(outer.to_der().unwrap())
}

/// What the EST server is told to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    /// Issues for another name.
    OtherName,
    /// Issues for another key.
    OtherKey,
    /// Offers another authority's root.
    OtherRoot,
    /// Answers with bytes that are no PKCS#7.
    Nonsense,
}

/// What the EST server saw.
#[derive(Default)]
pub(crate) struct EstLog {
    pub(crate) enrolments: u32,
    pub(crate) renewals: u32,
    /// Everything secret that arrived.
    pub(crate) tokens: Vec<String>,
    pub(crate) keys: Vec<Vec<u8>>,
}

pub(crate) struct Est {
    pub(crate) port: u16,
    pub(crate) log: Arc<Mutex<EstLog>>,
    task: JoinHandle<()>,
}

impl Drop for Est {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Est {
    pub(crate) async fn start(authority: Arc<Authority>, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(EstLog::default()));
        let acceptor = TlsAcceptor::from(authority.config(Client::Optional));
        let shared = Arc::clone(&log);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (acceptor, authority, log) = (acceptor.clone(), Arc::clone(&authority), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let peer = stream.get_ref().1.peer_certificates().is_some();
                    let service = service_fn(move |request| {
                        let (authority, log) = (Arc::clone(&authority), Arc::clone(&log));
                        async move { Ok::<_, std::convert::Infallible>(answer(request, peer, &authority, mood, &log).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { port, log, task }
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: bool,
    authority: &Authority,
    mood: Mood,
    log: &Mutex<EstLog>,
) -> Response<Full<Bytes>> {
    let status =
        |code: u16, text: &str| Response::builder().status(code).body(Full::new(Bytes::from(text.to_owned()))).unwrap();
    let path = request.uri().path().to_owned();
    let credentials = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
    if let Some(credentials) = &credentials {
        log.lock().tokens.push(credentials.clone());
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    match path.as_str() {
        "/.well-known/est/cacerts" if mood == Mood::OtherRoot => {
            status(200, &pkcs7(&[&Authority::new(authority.life).root]))
        }
        "/.well-known/est/cacerts" => status(200, &pkcs7(&[&authority.root, authority.issuing.der()])),
        "/.well-known/est/simpleenroll"
            if credentials != Some(format!("Basic {}", STANDARD.encode("SN-1:good token"))) =>
        {
            status(401, "token unknown, used or late")
        }
        "/.well-known/est/simplereenroll" if !peer => status(401, "no certificate"),
        "/.well-known/est/simpleenroll" | "/.well-known/est/simplereenroll" => {
            let csr = STANDARD.decode(body).unwrap();
            let parsed =
                CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr.as_slice())).unwrap();
            let mut log = log.lock();
            log.keys.push(rcgen::PublicKeyData::der_bytes(&parsed.public_key).to_vec());
            if path.ends_with("reenroll") {
                log.renewals += 1
            } else {
                log.enrolments += 1
            }
            let other = CertificateParams::default();
            let csr = match mood {
                Mood::OtherKey => {
                    let mut other = other;
                    other.distinguished_name.push(DnType::CommonName, "mon-01");
                    other.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
                }
                _ => csr,
            };
            match mood {
                Mood::Nonsense => status(200, "bm9uc2Vuc2U="),
                Mood::OtherName => {
                    let mut parsed = parsed;
                    parsed.params.distinguished_name = rcgen::DistinguishedName::new();
                    parsed.params.distinguished_name.push(DnType::CommonName, "mon-02");
                    status(200, &pkcs7(&[parsed.signed_by(&authority.issuing).unwrap().der(), authority.issuing.der()]))
                }
                _ => status(200, &pkcs7(&[&authority.issue(&csr, "mon-01"), authority.issuing.der()])),
            }
        }
        _ => status(404, "not here"),
    }
}

/// What the gateway saw, and what it is told to do.
#[derive(Default)]
pub(crate) struct GatewayLog {
    /// Sequence numbers in the order they came.
    pub(crate) numbers: Vec<u64>,
    pub(crate) runs: Vec<u32>,
    pub(crate) connections: u32,
    /// Certificate serial of each connection.
    pub(crate) serials: Vec<String>,
    /// Whether publishes are acknowledged.
    pub(crate) silent: bool,
    /// Whether a post-quantum hybrid was agreed.
    pub(crate) groups: Vec<rustls::NamedGroup>,
}

pub(crate) struct Gateway {
    pub(crate) port: u16,
    pub(crate) log: Arc<Mutex<GatewayLog>>,
    task: JoinHandle<()>,
    cut: tokio::sync::watch::Sender<u32>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
        self.cut.send_modify(|n| *n += 1);
    }
}

impl Gateway {
    pub(crate) async fn start(authority: &Authority) -> Self {
        Self::start_on(authority, 0, Arc::default()).await
    }

    pub(crate) async fn start_on(authority: &Authority, port: u16, log: Arc<Mutex<GatewayLog>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(authority.config(Client::Required));
        let shared = Arc::clone(&log);
        let (cut, watch) = tokio::sync::watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (acceptor, log, mut watch) = (acceptor.clone(), Arc::clone(&shared), watch.clone());
                watch.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    tokio::select! {
                        () = serve(stream, &log) => {}
                        _ = watch.changed() => {}
                    }
                });
            }
        });
        Self { port, log, task, cut }
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|n| *n += 1);
    }
}

async fn serve(mut stream: TlsStream<TcpStream>, log: &Mutex<GatewayLog>) {
    {
        let (_, tls) = stream.get_ref();
        let mut log = log.lock();
        log.connections += 1;
        let leaf = tls.peer_certificates().unwrap()[0].clone();
        log.serials.push(format!("{:x}", x509_parser::parse_x509_certificate(&leaf).unwrap().1.serial));
        log.groups.push(tls.negotiated_key_exchange_group().unwrap().name());
    }
    let mut mqtt = Connection::<role::Server>::new(Version::V5_0);
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let Ok(n @ 1..) = stream.read(&mut bytes).await else { return };
        let mut cursor = Cursor::new(&bytes[..n]);
        let mut replies: Vec<Packet> = Vec::new();
        while cursor.position() < n as u64 {
            for event in mqtt.recv(&mut cursor) {
                match event {
                    Event::NotifyPacketReceived(Packet::V5_0Connect(_)) => {
                        let props = vec![ReceiveMaximum::new(16).unwrap().into()];
                        replies.push(
                            Connack::builder()
                                .session_present(false)
                                .reason_code(ConnectReasonCode::Success)
                                .props(props)
                                .build()
                                .unwrap()
                                .into(),
                        );
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Publish(publish)) => {
                        let frame = Frame::decode(publish.payload().as_slice()).unwrap();
                        let mut log = log.lock();
                        log.numbers.push(frame.header().number);
                        log.runs.push(frame.header().run);
                        if !log.silent {
                            let ack = Puback::builder()
                                .packet_id(publish.packet_id().unwrap())
                                .reason_code(PubackReasonCode::Success)
                                .build();
                            replies.push(ack.unwrap().into());
                        }
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Pingreq(_)) => {
                        replies.push(Pingresp::builder().build().unwrap().into())
                    }
                    Event::RequestClose | Event::NotifyPacketReceived(Packet::V5_0Disconnect(_)) => return,
                    _ => {}
                }
            }
        }
        for reply in replies {
            for event in mqtt.send(reply) {
                if let Event::RequestSendPacket { packet, .. } = event
                    && stream.write_all(&packet.to_continuous_buffer()).await.is_err()
                {
                    return;
                }
            }
        }
        let _ = stream.flush().await;
    }
}

/// Waits until `holds`, at most 20 seconds.
pub(crate) async fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
