//! Being a witness: remembers, durably, how far each log was, and cosigns only what grew out of that.
//!
//! One small file holds what was seen; it is written before a signature leaves. One lock around judging, writing and signing, so that two requests
//! cannot both start from the same size. Answers and statuses are those of C2SP tlog-witness.

use crate::files::write_durable;
use crate::limits::{WITNESS_BYTES_MAX, WITNESS_CONNECTIONS, WITNESS_WAIT};
use crate::witness::tls::{self, TlsError};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use obhut_ledger::witness::{Known, Refusal, judge};
use obhut_ledger::{Hash, KeyKind, SigningKey, VerifierKey};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// Why there is no witness.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The state file holds something else. It must not be made anew lightly: a witness that forgets can be shown anything.
    #[error("`{0}` is not the state of a witness; restore it, or remove it and accept that what was seen is forgotten")]
    State(PathBuf),
    /// The key file or the name cannot be used.
    #[error("the witness's key or name cannot be used")]
    Key(#[source] obhut_ledger::note::KeyError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] TlsError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    key: String,
    size: u64,
    root: String,
}

/// A witness with its key and memory.
pub struct Witness {
    key: SigningKey,
    path: PathBuf,
    logs: Mutex<BTreeMap<String, Known>>,
}

/// An answer to `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn text(status: u16, body: String) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body }
    }
}

impl Witness {
    /// Opens the witness in `dir`: makes its key at first start, reads what it has seen, and adds logs it did not know.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(dir: &Path, name: &str, logs: &[VerifierKey]) -> Result<Self, WitnessError> {
        let seed = seed(&dir.join("witness.key"))?;
        let key = SigningKey::from_seed(name, KeyKind::Cosignature, &seed).map_err(WitnessError::Key)?;
        let path = dir.join("witness.json");
        let mut known = BTreeMap::new();
        match std::fs::read(&path) {
            Ok(bytes) => {
                let bad = || WitnessError::State(path.clone());
                let seen: BTreeMap<String, Seen> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
                for (origin, seen) in seen {
                    let log = Known {
                        key: seen.key.parse().map_err(|_| bad())?,
                        size: seen.size,
                        root: Hash::parse_hash(&seen.root).map_err(|_| bad())?,
                    };
                    known.insert(origin, log);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(WitnessError::File { path, source }),
        }
        for log in logs {
            known.entry(log.name().to_owned()).or_insert_with(|| Known::unseen(log.clone()));
        }
        let new = Self { key, path, logs: Mutex::new(known) };
        new.store(&new.logs.lock())?;
        Ok(new)
    }

    /// Its public key, `name+id+key`.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.verifier().to_string()
    }

    /// The logs it knows: name, key, entries seen.
    #[must_use]
    pub fn logs(&self) -> Vec<(String, String, u64)> {
        self.logs.lock().iter().map(|(name, log)| (name.clone(), log.key.to_string(), log.size)).collect()
    }

    fn store(&self, logs: &BTreeMap<String, Known>) -> Result<(), WitnessError> {
        let seen: BTreeMap<&String, Seen> = logs
            .iter()
            .map(|(name, log)| (name, Seen { key: log.key.to_string(), size: log.size, root: log.root.to_string() }))
            .collect();
        let text = serde_json::to_vec_pretty(&seen).unwrap_or_default();
        write_durable(&self.path, &text).map_err(|source| WitnessError::File { path: self.path.clone(), source })
    }

    /// Answers one `add-checkpoint` request; `time` in seconds since 1970. Waits for the disk.
    #[must_use]
    pub fn add_checkpoint(&self, body: &[u8], time: u64) -> Answer {
        let mut logs = self.logs.lock();
        let accepted = match judge(body, |name| logs.get(name)) {
            Ok(accepted) => accepted,
            Err(Refusal::Conflict { size }) => {
                return Answer { status: 409, content_type: "text/x.tlog.size", body: format!("{size}\n") };
            }
            Err(refusal) => {
                if matches!(refusal, Refusal::Forked { .. } | Refusal::Proof) {
                    tracing::error!("{refusal}; the log signed this, keep it:\n{}", String::from_utf8_lossy(body));
                }
                return Answer::text(refusal.status(), format!("{refusal}\n"));
            }
        };
        let name = accepted.known.key.name().to_owned();
        let mut next = logs.clone();
        next.insert(name, accepted.known.clone());
        if let Err(error) = self.store(&next) {
            tracing::error!("what was seen could not be kept, so nothing is signed: {error}");
            return Answer::text(500, "what was seen could not be kept\n".to_owned());
        }
        *logs = next;
        Answer::text(200, accepted.cosign(&self.key, time))
    }
}

fn seed(path: &Path) -> Result<Zeroizing<[u8; 32]>, WitnessError> {
    let file = |source| WitnessError::File { path: path.to_owned(), source };
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => match bytes.as_slice().try_into() {
            Ok(seed) => Ok(Zeroizing::new(seed)),
            Err(_) => Err(file(io::Error::other("it is no key of 32 bytes"))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut seed = Zeroizing::new([0; 32]);
            crate::spool::fill(seed.as_mut()).map_err(file)?;
            write_durable(path, seed.as_ref()).map_err(file)?;
            Ok(seed)
        }
        Err(error) => Err(file(error)),
    }
}

/// TLS for a witness: certificate chain and key, PEM files.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Serves a witness on `listener` until the future is dropped.
///
/// # Errors
/// [`WitnessError::Tls`] if TLS cannot be set up.
pub async fn serve(
    witness: Arc<Witness>,
    listener: TcpListener,
    tls: Option<&ServerTls>,
    now: fn() -> u64,
) -> Result<(), WitnessError> {
    let acceptor = tls
        .map(|tls| tls::server(&tls.certificate, &tls.key).map(TlsAcceptor::from))
        .transpose()
        .map_err(WitnessError::Tls)?;
    let places = Arc::new(Semaphore::new(WITNESS_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!("a connection could not be taken: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let (witness, acceptor) = (witness.clone(), acceptor.clone());
        tokio::spawn(async move {
            let serve = async {
                match acceptor {
                    None => connection(witness, TokioIo::new(socket), now).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(socket).await {
                            connection(witness, TokioIo::new(stream), now).await;
                        }
                    }
                }
            };
            let _slow = tokio::time::timeout(WITNESS_WAIT * 6, serve).await;
            drop(place);
        });
    }
}

async fn connection<S>(witness: Arc<Witness>, stream: S, now: fn() -> u64)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request| answer(witness.clone(), request, now));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(WITNESS_WAIT);
    if let Err(error) = http.serve_connection(stream, service).await {
        tracing::debug!("a connection broke off: {error}");
    }
}

async fn answer(
    witness: Arc<Witness>,
    request: Request<Incoming>,
    now: fn() -> u64,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/add-checkpoint" {
        return Ok(respond(Answer::text(404, "there is nothing here but `add-checkpoint`\n".to_owned())));
    }
    if request.method() != Method::POST {
        return Ok(respond(Answer::text(405, "`add-checkpoint` takes POST\n".to_owned())));
    }
    let Ok(body) = Limited::new(request.into_body(), WITNESS_BYTES_MAX).collect().await else {
        return Ok(respond(Answer::text(400, "the request is too long or broke off\n".to_owned())));
    };
    let body = body.to_bytes();
    let done = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now())).await;
    Ok(respond(done.unwrap_or_else(|_| Answer::text(500, "the witness failed\n".to_owned()))))
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(answer.content_type));
    response
}
