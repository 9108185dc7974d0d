//! A door on a free port with its own authority, a store in memory, and clients that speak real TLS to it.

use crate::packets::{V, connect, first};
use crate::support::model_rules;
use arc_swap::ArcSwap;
use obhut_charter::rules::{ModelRules, Rules};
use obhut_gateway::{BindingTable, Clock, DeviceTable, Door, GatewayContext, Limits, LiveSink, Refusal, SessionEvent};
use obhut_model::{BedId, Code, DeviceId, DeviceTime, ModelId, Numeric, ServerTime, Subject, TimeRange, Wave};
use obhut_pki::{
    Authority, CertificateDer, ClientAuth, Issued, ProviderSpec, Revocations, ServerNames, provider, server_config,
};
use obhut_store::{
    Admitted, AppendError, Appended, DeviceAtBed, DeviceRecord, DeviceState, Erased, Health, Position, Readings, Run,
    StoreError, SubjectInBed, Waiter,
};
use parking_lot::Mutex;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it did not happen in time")
}

pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    within(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[derive(Default)]
struct Kept {
    messages: Vec<(DeviceId, Subject, Vec<Option<i32>>)>,
    waiters: Vec<Arc<Waiter>>,
    last: u64,
    durable: u64,
    held: bool,
    error: Option<AppendError>,
    failed: bool,
}

/// A store in memory whose disk can be held, filled or broken.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Kept>);

impl Memory {
    pub(crate) fn hold(&self) {
        self.0.lock().held = true;
    }

    pub(crate) fn release(&self) {
        let mut kept = self.0.lock();
        kept.held = false;
        kept.durable = kept.last;
        let (durable, waiters) = (kept.durable, std::mem::take(&mut kept.waiters));
        waiters.iter().for_each(|waiter| waiter.tell(Position(durable)));
    }

    pub(crate) fn answer_with(&self, error: Option<AppendError>) {
        self.0.lock().error = error;
    }

    pub(crate) fn fail(&self) {
        self.0.lock().failed = true;
    }

    pub(crate) fn steps(&self) -> Vec<Option<i32>> {
        self.0.lock().messages.iter().flat_map(|(_, _, steps)| steps.clone()).collect()
    }
}

impl Readings for Memory {
    fn append(&self, message: &Admitted<'_>, waiter: &Arc<Waiter>) -> Result<Appended, AppendError> {
        let mut kept = self.0.lock();
        if let Some(error) = kept.error {
            return Err(error);
        }
        let steps = message.numerics.iter().map(|(numeric, _)| numeric.steps).collect();
        kept.messages.push((message.device.clone(), message.subject, steps));
        kept.last += 1;
        let position = Position(kept.last);
        if kept.held {
            kept.waiters.push(Arc::clone(waiter));
        } else {
            kept.durable = kept.last;
            waiter.tell(position);
        }
        Ok(Appended::At(position))
    }

    fn durable(&self) -> Position {
        Position(self.0.lock().durable)
    }

    fn health(&self) -> Health {
        if self.0.lock().failed { Health::Failed("by a test".to_owned()) } else { Health::Good }
    }

    fn read(&self, subject: Subject, _: Code, _: TimeRange) -> Result<obhut_store::Sealed<Vec<Run>>, StoreError> {
        Ok(obhut_store::Sealed::about(Some(subject), &[], Vec::new()))
    }

    fn codes(&self, _: Subject) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, StoreError> {
        Ok(Vec::new())
    }

    fn set_retention(&self, _: &[(String, u64)]) {}

    fn expire(&self, _: ServerTime) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn erase(&self, _: Subject) -> Result<Erased, StoreError> {
        Err(StoreError::Unknown("the subject"))
    }
}

/// Bed and steps of the numerics of one message.
type Shown = (Option<String>, Vec<Option<i32>>);

/// What the screens were given.
#[derive(Default)]
pub(crate) struct Screens {
    pub(crate) values: Mutex<Vec<Shown>>,
    pub(crate) events: Mutex<Vec<(String, SessionEvent)>>,
}

impl LiveSink for Screens {
    fn readings(&self, _: &DeviceId, bed: Option<&BedId>, _: Option<Subject>, numerics: &[Numeric], _: &[Wave<'_>]) {
        let steps = numerics.iter().map(|numeric| numeric.steps).collect();
        self.values.lock().push((bed.map(ToString::to_string), steps));
    }

    fn session(&self, device: &DeviceId, event: SessionEvent) {
        self.events.lock().push((device.to_string(), event));
    }
}

struct Machine;

impl Clock for Machine {
    fn now(&self) -> ServerTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        ServerTime::from_micros(i64::try_from(since.as_micros()).unwrap())
    }
}

pub(crate) fn real_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn authority(dir: &Path) -> Arc<Authority> {
    let spec = ProviderSpec::File { path: dir.join("top.key"), create: provider::Create::IfMissing };
    let keys = provider::open(&spec).unwrap();
    Arc::new(
        Authority::open_or_create(dir.join("pki"), keys, ServerNames::localhost(), obhut_pki::unix(real_now()))
            .unwrap(),
    )
}

pub(crate) fn rules(model: Option<Arc<ModelRules>>) -> Rules {
    let models = model.into_iter().map(|rules| (rules.model.clone(), rules)).collect();
    Rules { fingerprint: "test".to_owned(), models, retention: Vec::new(), purposes: Vec::new() }
}

/// A device's certificate and key.
pub(crate) struct Papers {
    pub(crate) issued: Issued,
    pub(crate) key: KeyPair,
}

pub(crate) fn papers(authority: &Authority, id: &str, from: u64, to: u64) -> Papers {
    papers_of(authority, id, "monitor-m1", from, to)
}

pub(crate) fn papers_of(authority: &Authority, id: &str, model: &str, from: u64, to: u64) -> Papers {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, id);
    let request = params.serialize_request(&key).unwrap().der().to_vec();
    let (id, model) = (DeviceId::new(id).unwrap(), ModelId::new(model).unwrap());
    let at = obhut_pki::unix;
    let issued = authority.issue_device_with_validity(&request, &id, &model, at(from), at(to)).unwrap();
    Papers { issued, key }
}

pub(crate) struct Rig {
    _dir: tempfile::TempDir,
    pub(crate) authority: Arc<Authority>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) readings: Arc<Memory>,
    pub(crate) screens: Arc<Screens>,
    pub(crate) context: GatewayContext,
    pub(crate) door: Door,
}

fn record(id: &str, state: DeviceState) -> DeviceRecord {
    DeviceRecord {
        id: DeviceId::new(id).unwrap(),
        model: ModelId::new("monitor-m1").unwrap(),
        serial: id.to_owned(),
        state,
        invited_at: ServerTime::from_micros(0),
        enrolled_at: None,
        certificate: None,
        certificate_ends: None,
    }
}

/// `mon-01` and `mon-02` are enrolled and stand at beds with patients; `mon-03` is only invited.
pub(crate) fn devices(first: DeviceState) -> DeviceTable {
    DeviceTable::new(&[
        record("mon-01", first),
        record("mon-02", DeviceState::Enrolled),
        record("mon-03", DeviceState::Invited),
    ])
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = authority(dir.path());
        let revocations = Arc::new(Revocations::new());
        let (readings, screens) = (Arc::new(Memory::default()), Arc::new(Screens::default()));
        let mut limits = Limits::default();
        change(&mut limits);
        let (mut at_beds, mut in_beds) = (Vec::new(), Vec::new());
        for n in 1..=2u8 {
            let bed = BedId::new(&format!("bed-0{n}")).unwrap();
            let from = DeviceTime::from_micros(0);
            at_beds.push(DeviceAtBed {
                device: DeviceId::new(&format!("mon-0{n}")).unwrap(),
                bed: bed.clone(),
                from,
                to: None,
            });
            in_beds.push(SubjectInBed { bed, subject: Subject::from_random([n; 16]), from, to: None });
        }
        let tls = server_config(&authority, &revocations, &Arc::default(), ClientAuth::Required, &[]).unwrap();
        let context = GatewayContext {
            rules: Arc::new(ArcSwap::from_pointee(rules(Some(model_rules())))),
            readings: readings.clone(),
            bindings: Arc::new(ArcSwap::from_pointee(BindingTable::new(&at_beds, &in_beds))),
            devices: Arc::new(ArcSwap::from_pointee(devices(DeviceState::Enrolled))),
            live: screens.clone(),
            clock: Arc::new(Machine),
            tls,
            limits: Arc::new(limits),
        };
        let door = Door::open(context.clone(), &["127.0.0.1:0".parse().unwrap()]).unwrap();
        Self { _dir: dir, authority, revocations, readings, screens, context, door }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.door.addresses()[0]
    }

    pub(crate) fn papers(&self, id: &str) -> Papers {
        papers(&self.authority, id, real_now() - 60, real_now() + 3_600)
    }

    pub(crate) fn refused(&self, why: Refusal) -> u64 {
        self.door.counters().refused(why)
    }

    /// TLS only. The client's side of a TLS 1.3 handshake succeeds even if the server refuses its certificate.
    pub(crate) async fn tls(&self, papers: Option<&Papers>) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address()).await?;
        TlsConnector::from(client(self.authority.root_der(), papers))
            .connect(ServerName::try_from("localhost").unwrap(), tcp)
            .await
    }

    pub(crate) async fn open(&self, v: V, id: &str) -> Client {
        self.open_with(&self.papers(id), &connect(v, id)).await
    }

    pub(crate) async fn open_with(&self, papers: &Papers, packet: &[u8]) -> Client {
        let mut client = Client { tls: self.tls(Some(papers)).await.unwrap(), held: Vec::new() };
        client.send(packet).await;
        let (kind, body) = client.packet().await.expect("closed before CONNACK");
        assert_eq!((kind, body[1]), (2, 0), "{body:02x?}");
        client
    }
}

fn client(root: &CertificateDer<'static>, papers: Option<&Papers>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match papers {
        None => builder.with_no_client_auth(),
        Some(papers) => {
            let chain =
                std::iter::once(papers.issued.leaf_der.clone()).chain(papers.issued.chain.iter().cloned()).collect();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(papers.key.serialize_der()));
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

pub(crate) struct Client {
    pub(crate) tls: TlsStream<TcpStream>,
    held: Vec<u8>,
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A server that has just said goodbye no longer reads; what it said is looked at by `packet`.
        let _ = self.tls.write_all(bytes).await;
        let _ = self.tls.flush().await;
    }

    /// The next packet, or `None` when the server has closed.
    pub(crate) async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        within(async {
            loop {
                if let Some((kind, body, rest)) = first(&self.held) {
                    self.held = rest.to_vec();
                    return Some((kind, body));
                }
                let mut buffer = [0; 4096];
                match self.tls.read(&mut buffer).await {
                    Ok(0) | Err(_) => return None,
                    Ok(count) => self.held.extend_from_slice(&buffer[..count]),
                }
            }
        })
        .await
    }
}

/// Validity that is over, for certificates of the past.
pub(crate) fn past() -> (u64, u64) {
    (real_now() - 7_200, real_now() - 3_600)
}
