//! Sockets: HTTPS for people and devices, a Unix socket for the operator. No decisions here; the routers make them.

use axum::Router;
use axum::body::Body;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Connections on the HTTPS port at once; one more waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 2_048;
/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a request's head may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long open requests may take once the server stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// The certificate the other side proved to hold, if it did; DER.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Option<Arc<[u8]>>);

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
    let tasks = TaskTracker::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Out of descriptors, usually: wait for some to come free rather than spin.
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            let _ = socket.set_nodelay(true);
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(socket)).await {
                let tls = stream.get_ref().1;
                let certificate =
                    tls.peer_certificates().and_then(|chain| chain.first()).map(|c| Arc::from(c.as_ref()));
                let version = if tls.alpn_protocol() == Some(b"h2") { Version::Http2 } else { Version::Http1 };
                serve_connection(stream, version, router, PeerCertificate(certificate), stop).await;
            }
        });
    }
    tasks.close();
    let _ = tokio::time::timeout(DRAIN_WITHIN, tasks.wait()).await;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

/// Serves one connection until it ends, or shortly after `stop`.
// SECURITY: the version is what was agreed on in the handshake. Telling it from the first bytes would wait for them without end, and silent
// connections would take every place.
async fn serve_connection<S>(
    stream: S,
    version: Version,
    router: Router,
    peer: PeerCertificate,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request)
    });
    /// Both kinds of connection end alike, but share no trait.
    macro_rules! serve {
        ($connection:expr) => {{
            let mut connection = std::pin::pin!($connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(DRAIN_WITHIN, connection).await;
                }
            }
        }};
    }
    match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
            serve!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(Some(Duration::from_secs(20)))
                .max_concurrent_streams(64);
            serve!(builder.serve_connection(TokioIo::new(stream), service));
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
            tasks.spawn(serve_connection(socket, Version::Http1, router.clone(), PeerCertificate(None), stop.clone()));
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
