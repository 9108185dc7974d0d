//! Asks witnesses to cosign each new checkpoint, on a thread of its own.

use crate::files::LogDir;
use crate::keeper::Job;
use crate::limits::{RETRY_MAX, WITNESS_BYTES_MAX, WITNESS_WAIT};
use crate::scribe::{Options, ScribeError};
use crate::witness::tls;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use obhut_ledger::{Checkpoint, KeyKind, Published, SignedNote, VerifierKey, witness};
use rustls::pki_types::ServerName;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessConfig {
    /// Address, for example `https://witness.example`; `add-checkpoint` is put behind it.
    pub url: String,
    /// Its public key, `name+id+key`.
    pub key: String,
    /// PEM file with the certificates it is trusted by; needed for `https`.
    pub ca: Option<PathBuf>,
}

/// The thread that asks.
pub(crate) struct Witnesses {
    newest: watch::Sender<Option<SignedNote>>,
}

struct Witness {
    key: VerifierKey,
    uri: http::Uri,
    tls: Option<TlsConnector>,
    /// How much it is known to have seen.
    seen: u64,
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("it cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    #[error("the connection broke off: {0}")]
    Http(#[from] hyper::Error),
    #[error("its address cannot be used")]
    Address,
    #[error("its answer is too long or broke off")]
    Answer,
    #[error("it does not answer")]
    Time,
    #[error("it refused with status {0}")]
    Refused(u16),
    #[error("its answer holds no signature of its key")]
    NoSignature,
    #[error("it saw {seen} entries where there are {size}: the ledger was cut back, or restored from a backup")]
    Ahead { seen: u64, size: u64 },
    #[error("it saw another ledger with the same number of entries")]
    Forked,
    #[error("no proof can be made: {0}")]
    Proof(#[from] obhut_ledger::tree::TreeError),
}

impl Witnesses {
    pub(crate) fn start(options: &Options, log: &VerifierKey, jobs: SyncSender<Job>) -> Result<Self, ScribeError> {
        let witnesses = options.witnesses.iter().map(Witness::new).collect::<Result<Vec<_>, _>>()?;
        let (newest, asked) = watch::channel(None);
        let (dir, log) = (options.dir.clone(), log.clone());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ScribeError::Thread)?;
        std::thread::Builder::new()
            .name("witnesses".to_owned())
            .spawn(move || runtime.block_on(run(witnesses, &dir, &log, asked, jobs)))
            .map_err(ScribeError::Thread)?;
        Ok(Self { newest })
    }

    pub(crate) fn ask(&self, note: SignedNote) {
        self.newest.send_replace(Some(note));
    }
}

async fn run(
    mut witnesses: Vec<Witness>,
    dir: &Path,
    log: &VerifierKey,
    mut asked: watch::Receiver<Option<SignedNote>>,
    jobs: SyncSender<Job>,
) {
    let files = LogDir::new(dir);
    let mut failed = false;
    loop {
        // After a failure the same checkpoint is tried again: there may be no newer one for a long time.
        let changed = match failed {
            true => tokio::time::timeout(RETRY_MAX, asked.changed()).await.unwrap_or(Ok(())),
            false => asked.changed().await,
        };
        if changed.is_err() {
            return;
        }
        let Some(mut note) = asked.borrow_and_update().clone() else { continue };
        failed = false;
        for witness in &mut witnesses {
            let has = |w: &Witness| note.signatures.iter().any(|s| s.name == w.key.name() && s.id == w.key.id());
            if has(witness) {
                continue;
            }
            match witness.cosign(&files, log, &mut note).await {
                Ok(()) => {
                    let _closing = jobs.try_send(Job::Cosigned(note.clone()));
                }
                Err(error) => {
                    failed = true;
                    match error {
                        AskError::Ahead { .. } | AskError::Forked => {
                            tracing::error!("witness `{}`: {error}", witness.key.name());
                        }
                        error => tracing::warn!("witness `{}` did not cosign: {error}", witness.key.name()),
                    }
                }
            }
        }
    }
}

impl Witness {
    fn new(config: &WitnessConfig) -> Result<Self, ScribeError> {
        let wrong = |why: &str| ScribeError::Witness { name: config.url.clone(), why: why.to_owned() };
        let key: VerifierKey = config.key.parse().map_err(|error| wrong(&format!("{error}")))?;
        if key.kind() != KeyKind::Cosignature {
            return Err(wrong("its key is that of a log, not of a witness"));
        }
        let uri: http::Uri = format!("{}/add-checkpoint", config.url.trim_end_matches('/'))
            .parse()
            .map_err(|_| wrong("its address is none"))?;
        let tls = match (uri.scheme_str(), &config.ca) {
            (Some("http"), _) => None,
            (Some("https"), Some(ca)) => Some(TlsConnector::from(tls::client(ca).map_err(|e| wrong(&e.to_string()))?)),
            (Some("https"), None) => return Err(wrong("`https` needs `ca`, the certificates it is trusted by")),
            _ => return Err(wrong("its address begins with neither `https://` nor `http://`")),
        };
        if uri.host().is_none() {
            return Err(wrong("its address names no host"));
        }
        Ok(Self { key, uri, tls, seen: 0 })
    }

    async fn cosign(&mut self, files: &LogDir, log: &VerifierKey, note: &mut SignedNote) -> Result<(), AskError> {
        let (now, _) = Checkpoint::open(note.to_string().as_bytes(), log).map_err(|_| AskError::Answer)?;
        // Twice: the first answer may only say how much it has seen.
        for _ in 0..2 {
            let proof = Published::new(files, now.size, now.root).prove_growth(self.seen)?;
            let body = witness::request(self.seen, &proof, note);
            let (status, answer) =
                tokio::time::timeout(WITNESS_WAIT, self.post(body)).await.map_err(|_| AskError::Time)??;
            match status {
                200 => {
                    if !witness::merge(note, &self.key, &answer) {
                        return Err(AskError::NoSignature);
                    }
                    self.seen = now.size;
                    return Ok(());
                }
                409 => match answer.trim_end().parse::<u64>() {
                    Ok(seen) if seen > now.size => return Err(AskError::Ahead { seen, size: now.size }),
                    Ok(seen) if seen == self.seen => return Err(AskError::Forked),
                    Ok(seen) => self.seen = seen,
                    Err(_) => return Err(AskError::Forked),
                },
                other => return Err(AskError::Refused(other)),
            }
        }
        Err(AskError::Refused(409))
    }

    async fn post(&self, body: String) -> Result<(u16, String), AskError> {
        let host = self.uri.host().ok_or(AskError::Address)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let socket = TcpStream::connect((bare, port)).await?;
        let response = match &self.tls {
            None => self.send(socket, body).await?,
            Some(tls) => {
                let name = ServerName::try_from(bare.to_owned()).map_err(|_| AskError::Address)?;
                self.send(tls.connect(name, socket).await?, body).await?
            }
        };
        let status = response.status().as_u16();
        let bytes = Limited::new(response.into_body(), WITNESS_BYTES_MAX).collect().await;
        let bytes = bytes.map_err(|_| AskError::Answer)?.to_bytes();
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn send<S>(&self, stream: S, body: String) -> Result<http::Response<Incoming>, AskError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let authority = self.uri.authority().ok_or(AskError::Address)?;
        let path = self.uri.path_and_query().ok_or(AskError::Address)?;
        let request = http::Request::post(path.as_str())
            .header(http::header::HOST, authority.as_str())
            .header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| AskError::Address)?;
        Ok(sender.send_request(request).await?)
    }
}
