//! Sockets: HTTPS for people and devices, a Unix socket for the operator. No decisions here; the routers make them.

use crate::who::{PeerAccount, PeerAddress};
use axum::Router;
use axum::body::Body;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Connections on the HTTPS port at once; one more waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 2_048;
/// Of these from one address. A ward's screens may share one; the whole port must not belong to it.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 512;
/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a request's head may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long an HTTP/2 connection may stay between requests. HTTP/1.1 has [`HEAD_WITHIN`] for the next one.
const IDLE_WITHIN: Duration = Duration::from_secs(60);
/// How long a connection that was silent too long may take to hear so.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);
/// How long open requests may take once the server stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// The certificate the other side proved to hold, if it did; DER.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Option<Arc<[u8]>>);

/// What is known of the other side of a connection; put beside every request that comes over it.
#[derive(Debug, Clone)]
struct Peer {
    certificate: PeerCertificate,
    address: Option<PeerAddress>,
    account: Option<PeerAccount>,
}

impl Peer {
    fn mark<B>(&self, request: &mut hyper::Request<B>) {
        let extensions = request.extensions_mut();
        extensions.insert(self.certificate.clone());
        if let Some(address) = self.address {
            extensions.insert(address);
        }
        if let Some(account) = self.account {
            extensions.insert(account);
        }
    }
}

/// Serves `router` over TLS until `stop`; then ends what is open within a few seconds.
///
/// # Errors
/// Only if the listener itself fails.
pub async fn serve_https(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let addresses = Arc::<Addresses>::default();
    let tasks = TaskTracker::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, usually: wait for some to come free rather than spin.
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(of_address) = addresses.enter(peer.ip()) else { continue };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        tasks.spawn(async move {
            let _places = (place, of_address);
            let _ = socket.set_nodelay(true);
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(socket)).await {
                let tls = stream.get_ref().1;
                let certificate =
                    tls.peer_certificates().and_then(|chain| chain.first()).map(|c| Arc::from(c.as_ref()));
                let version = if tls.alpn_protocol() == Some(b"h2") { Version::Http2 } else { Version::Http1 };
                let peer = Peer {
                    certificate: PeerCertificate(certificate),
                    address: Some(PeerAddress(peer.ip().to_canonical())),
                    account: None,
                };
                serve_connection(stream, version, router, peer, stop).await;
            }
        });
    }
    tasks.close();
    let _ = tokio::time::timeout(DRAIN_WITHIN, tasks.wait()).await;
    Ok(())
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One connection's place among those of its address, until dropped.
struct OfAddress(Arc<Addresses>, IpAddr);

impl Addresses {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<OfAddress> {
        // Whoever has one IPv6 address has the whole /64 it lies in.
        let address = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            v4 => v4,
        };
        let mut open = self.0.lock();
        let count = open.entry(address).or_default();
        if *count >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(OfAddress(self.clone(), address))
    }
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.0.0.lock().entry(self.1) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Returns when no request has come for too long.
async fn silence(requests: &Notify) {
    let mut wait = HEAD_WITHIN;
    while tokio::time::timeout(wait, requests.notified()).await.is_ok() {
        wait = IDLE_WITHIN;
    }
}

#[derive(Debug, Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

/// Serves one connection until it ends, or shortly after `stop`.
// SECURITY: the version is what was agreed on in the handshake. Telling it from the first bytes would wait for them without end, and silent
// connections would take every place.
async fn serve_connection<S>(stream: S, version: Version, router: Router, peer: Peer, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = Arc::new(Notify::new());
    let heard = requests.clone();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        heard.notify_one();
        let mut request = request.map(Body::new);
        peer.mark(&mut request);
        router.clone().oneshot(request)
    });
    /// Both kinds of connection end alike, but share no trait.
    macro_rules! serve {
        ($connection:expr, $over:expr) => {{
            let mut connection = std::pin::pin!($connection);
            let within = tokio::select! {
                _ = connection.as_mut() => return,
                () = stop.cancelled() => DRAIN_WITHIN,
                () = $over => FAREWELL_WITHIN,
            };
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(within, connection).await;
        }};
    }
    match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
            serve!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades(), std::future::pending());
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(Some(Duration::from_secs(20)))
                .max_concurrent_streams(64);
            serve!(builder.serve_connection(TokioIo::new(stream), service), silence(&requests));
        }
    }
}

/// A Unix socket only its owner may open; removed when dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Binds `path`, replacing a socket left by a server that died. The caller holds the data directory's lock, so none can be alive.
    ///
    /// # Errors
    /// If the path is something else, too long, or not writable.
    pub fn bind(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something that is not a socket is in its place",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves `router` until `stop`.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let Ok((socket, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // SECURITY: without an account there is no operator; every route behind this socket asks for one.
            let account = socket.peer_cred().ok().map(|account| PeerAccount(account.uid()));
            let peer = Peer { certificate: PeerCertificate(None), address: None, account };
            tasks.spawn(serve_connection(socket, Version::Http1, router.clone(), peer, stop.clone()));
        }
        tasks.close();
        let _ = tokio::time::timeout(DRAIN_WITHIN, tasks.wait()).await;
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_takes_all_places_and_none_is_forgotten_or_kept() {
        let addresses = Arc::<Addresses>::default();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let taken: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| addresses.enter(one).unwrap()).collect();
        assert!(addresses.enter(one).is_none() && addresses.enter("::ffff:192.0.2.1".parse().unwrap()).is_none());
        assert!(addresses.enter("192.0.2.2".parse().unwrap()).is_some());
        drop(taken);
        assert!(addresses.enter(one).is_some());
        assert!(addresses.0.lock().is_empty());

        let _near: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX)
            .map(|_| addresses.enter("2001:db8::1".parse().unwrap()).unwrap())
            .collect();
        assert!(addresses.enter("2001:db8::2".parse().unwrap()).is_none());
        assert!(addresses.enter("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
