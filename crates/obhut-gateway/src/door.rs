//! The listening side: accepts, shakes hands, starts sessions, sweeps, stops.
//!
//! What is limited here: handshakes and connections, in all and per address, and the time a handshake or a CONNECT may take. Who someone is
//! comes from the certificate alone; what it may do, from the device's record and the charter.

use crate::admit::Admission;
use crate::connection::{Connection, Judge, Over};
use crate::context::GatewayContext;
use crate::refusal::{Counters, Refusal};
use crate::session::Session;
use crate::sessions::{End, Link, Sessions, Ticks};
use crate::shared::{Entry, Shared};
use obhut_pki::{DeviceCert, device_of};
use obhut_store::DeviceState;
use rustls::CertificateError;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections the kernel may hold ready for us.
const BACKLOG: i32 = 4096;
/// How long to wait after the process ran out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Room for MQTT around the largest payload of a model: fixed header, topic, identifier, properties.
const PUBLISH_OVERHEAD_BYTES: u32 = 512;

/// An open door. Dropping it stops it like [`Door::stop`], but waits for nothing.
pub struct Door {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    closing: watch::Sender<bool>,
}

impl Door {
    /// Listens on `addresses` (port 0 takes a free one) and serves on the current tokio runtime.
    ///
    /// # Errors
    /// If an address cannot be bound; nothing is served then.
    pub fn open(context: GatewayContext, addresses: &[SocketAddr]) -> io::Result<Self> {
        let listeners = addresses.iter().map(|address| listen(*address)).collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let handshakes = Arc::new(Semaphore::new(context.limits.handshakes_max));
        let shared = Shared::new(context);
        let (closing, closed) = watch::channel(false);
        for listener in listeners {
            tokio::spawn(accept(Arc::clone(&shared), listener, Arc::clone(&handshakes), closed.clone()));
        }
        tokio::spawn(sweep(Arc::clone(&shared), closed));
        Ok(Self { shared, addresses, closing })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Live sessions.
    #[must_use]
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.shared.sessions
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// Connections open at the moment, handshakes included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.open()
    }

    /// Stops: accepts nothing more, acknowledges what becomes durable, says goodbye (0x8B), and returns when all are gone or `grace` is over.
    pub async fn stop(self, grace: Duration) {
        self.shared.stop();
        self.closing.send_replace(true);
        self.shared.sessions.for_each(|link| link.end(End::Stopping));
        if tokio::time::timeout(grace, self.shared.all_gone()).await.is_err() {
            tracing::warn!(connections = self.shared.open(), "connections were still open when the door closed");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    handshakes: Arc<Semaphore>,
    mut closed: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(Arc::clone(&shared.context.tls));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closed.wait_for(|closed| *closed) => return,
        };
        let (tcp, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(entry) = shared.enter(peer.ip().to_canonical()) else {
            shared.counters.refuse(Refusal::TooManyConnections);
            continue;
        };
        tokio::spawn(serve(Arc::clone(&shared), acceptor.clone(), tcp, entry, permit));
    }
}

async fn serve(
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    mut entry: Entry,
    permit: tokio::sync::OwnedSemaphorePermit,
) {
    // Each stage is boxed, so that the memory of a handshake is not kept for the life of the connection.
    let hands = Box::pin(shake_hands(&shared, acceptor, tcp)).await;
    entry.shook_hands();
    drop(permit);
    let mut connection = match hands {
        Ok(connection) => connection,
        Err(why) => {
            tracing::debug!(reason = why.name(), "a handshake was refused");
            shared.counters.refuse(why);
            return;
        }
    };
    drop(shared);
    let over = match Box::pin(connect(&mut connection)).await {
        Ok(()) => poll_fn(|cx| connection.poll_over(cx)).await,
        Err(over) => over,
    };
    Box::pin(connection.finish(over)).await;
    drop(entry);
}

async fn shake_hands(shared: &Arc<Shared>, acceptor: TlsAcceptor, tcp: TcpStream) -> Result<Box<Connection>, Refusal> {
    let _ = tcp.set_nodelay(true);
    let shaken = tokio::time::timeout(shared.context.limits.handshake_time_max, acceptor.accept(tcp)).await;
    let tls = shaken.map_err(|_| Refusal::Slow)?.map_err(|error| refusal_of(&error))?;
    let leaf = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first()).ok_or(Refusal::NoCertificate)?;
    let certificate = device_of(leaf).map_err(|_| Refusal::Certificate)?;
    Ok(begin(shared, tls, certificate))
}

/// A session for whoever the certificate names, welcome or not: who is not, is told so in MQTT.
fn begin(shared: &Arc<Shared>, tls: TlsStream<TcpStream>, certificate: DeviceCert) -> Box<Connection> {
    let limits = Arc::clone(&shared.context.limits);
    let (judge, unwelcome) = match judge(shared, &certificate) {
        Ok(judge) => (Some(judge), None),
        Err(why) => (None, Some(why)),
    };
    let payload_bytes_max = judge.as_ref().map_or(0, |judge| judge.admission.rules().payload_bytes_max);
    let session = Session::new(
        certificate.id.clone(),
        limits,
        payload_bytes_max.saturating_add(PUBLISH_OVERHEAD_BYTES),
        unwelcome,
    );
    let link = Link::new(certificate.id, certificate.serial, certificate.not_after.as_secs(), shared.ticks.now());
    Box::new(Connection::new(Arc::clone(shared), tls, Arc::new(link), session, judge))
}

fn judge(shared: &Shared, certificate: &DeviceCert) -> Result<Judge, Refusal> {
    let context = &shared.context;
    let devices = context.devices.load();
    let (model, state) = devices.get(&certificate.id).ok_or(Refusal::UnknownDevice)?;
    match state {
        DeviceState::Enrolled => {}
        DeviceState::Invited => return Err(Refusal::UnknownDevice),
        DeviceState::Revoked => return Err(Refusal::Revoked),
    }
    if *model != certificate.model {
        return Err(Refusal::Certificate);
    }
    let (rules, bindings) = (context.rules.load_full(), context.bindings.load_full());
    let model_rules = rules.models.get(model).cloned().ok_or(Refusal::UndeclaredModel)?;
    let stays = bindings.stays(&certificate.id);
    let admission = Admission::new(certificate.id.clone(), model_rules, stays, &context.limits);
    Ok(Judge { admission, model: model.clone(), rules, bindings })
}

async fn connect(connection: &mut Connection) -> Result<(), Over> {
    let wait = connection.connect_time_max();
    match tokio::time::timeout(wait, poll_fn(|cx| connection.poll_connected(cx))).await {
        Ok(connected) => connected,
        Err(_) => Err(Over::Closed(crate::session::Closed::Refused(Refusal::Slow))),
    }
}

fn refusal_of(error: &io::Error) -> Refusal {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Refusal::Handshake;
    };
    match error {
        rustls::Error::NoCertificatesPresented => Refusal::NoCertificate,
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } | CertificateError::NotValidYet => {
                Refusal::Expired
            }
            CertificateError::Revoked => Refusal::Revoked,
            CertificateError::UnknownIssuer => Refusal::WrongCa,
            _ => Refusal::Certificate,
        },
        _ => Refusal::Handshake,
    }
}

/// Twice a second: silence, ended certificates, devices whose record changed, a store that stopped.
async fn sweep(shared: Arc<Shared>, mut closed: watch::Receiver<bool>) {
    let mut ticking = tokio::time::interval(Duration::from_secs(1) / Ticks::PER_SECOND);
    ticking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut devices = shared.context.devices.load_full();
    loop {
        tokio::select! {
            _ = ticking.tick() => {}
            told = closed.wait_for(|closed| *closed), if !shared.is_stopping() => {
                if told.is_err() {
                    shared.stop();
                }
            }
        }
        if shared.is_stopping() && shared.open() == 0 {
            return;
        }
        let tick = shared.ticks.advance();
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        shared.sessions.sweep(tick, unix);
        let newest = shared.context.devices.load_full();
        if !Arc::ptr_eq(&newest, &devices) {
            devices = newest;
            shared.sessions.for_each(|link| match devices.get(&link.device) {
                Some((_, DeviceState::Enrolled)) => {}
                Some((_, DeviceState::Revoked)) => link.end(End::Refused(Refusal::Revoked)),
                _ => link.end(End::Refused(Refusal::UnknownDevice)),
            });
        }
        if shared.watch_store() {
            shared.sessions.for_each(Link::nudge);
        }
        if shared.is_stopping() {
            // A session that began while the door was closing has not heard of it.
            shared.sessions.for_each(|link| link.end(End::Stopping));
        }
    }
}
