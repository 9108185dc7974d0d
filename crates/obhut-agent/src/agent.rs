//! The shell: one task per device that owns its socket, its deadlines and its renewal, and performs what the core decides.

use crate::buffer::{Buffer, BufferError, Losses};
use crate::core::{Core, Counters};
use crate::disk::{Directory, Syncer};
use crate::est::{self, EstServer};
use crate::limits::{BUFFER_BYTES_DEFAULT, INBOX_FRAMES_MAX, OUTGOING_BYTES_MAX, RENEW_RETRY_FIRST, RENEW_RETRY_MAX};
use crate::link::{Down, Effect, Input, Link, Lost};
use crate::sequence::Sequence;
use crate::state::{Device, Identity, Lock, StateDir, StateError};
use crate::time::{Anchor, Monotonic, ReadingClock, Stamp};
use crate::tls;
use obhut_model::{DeviceId, Quality};
use obhut_wire::limits::FRAME_BYTES_MAX;
use obhut_wire::{FrameError, Header, RawNumeric, RawWave, encode};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Host name or address of the gateway, as in its certificate.
    pub gateway_host: String,
    /// Port of the gateway, 8883 unless told otherwise.
    pub gateway_port: u16,
    /// Where to renew; `None`: where the device was enrolled.
    pub enrolment: Option<EstServer>,
}

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The buffer.
    #[error("the buffer cannot be opened")]
    Buffer(#[source] BufferError),
    /// The sequence numbers.
    #[error("the sequence numbers cannot be reserved")]
    Sequence(#[source] io::Error),
    /// TLS.
    #[error("TLS cannot be set up with this identity")]
    Tls(#[source] rustls::Error),
    /// The gateway's name.
    #[error("`{0}` is neither a host name nor an address")]
    Host(String),
    /// No randomness.
    #[error("no random bytes can be had")]
    Random,
}

/// Why readings were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// They do not make a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The agent's task is behind.
    #[error("too many readings are waiting")]
    Full,
    /// No sequence number could be reserved on disk.
    #[error("no sequence number is left, the disk may have failed")]
    NoNumber,
    /// The agent is shutting down.
    #[error("the agent has stopped")]
    Stopped,
}

/// How an agent is doing.
#[derive(Debug, Clone, Default)]
pub struct AgentStats {
    /// Whether frames can be published now.
    pub up: bool,
    /// What became of frames.
    pub counters: Counters,
    /// What the buffer had to give up.
    pub losses: Losses,
    /// Frames neither acknowledged nor refused.
    pub pending: u64,
    /// Bytes of the buffer on disk.
    pub buffer_bytes: u64,
    /// Why the link was last down.
    pub last_down: Option<Down>,
    /// Certificates renewed.
    pub renewed: u64,
    /// Renewals that failed.
    pub renewals_failed: u64,
    /// Last second of the certificate in use, since 1970.
    pub certificate_ends: i64,
    /// Times the wall clock was seen to jump.
    pub clock_jumps: u64,
}

/// Sets an agent up. See [`Agent::builder`].
pub struct AgentBuilder {
    state: PathBuf,
    endpoints: Endpoints,
    clock: Arc<dyn ReadingClock>,
    buffer_bytes: u64,
    write_all: bool,
    seed: Option<u64>,
}

impl AgentBuilder {
    /// Bounds the buffer on disk.
    #[must_use]
    pub const fn buffer_bytes(mut self, bytes: u64) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Writes every frame to disk before it is sent: nothing flushed is lost in a power cut, at the price of flash wear.
    #[must_use]
    pub const fn write_all(mut self, all: bool) -> Self {
        self.write_all = all;
        self
    }

    /// Fixes the random delays, for tests.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Opens the state directory and starts the agent's task on the current runtime.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self) -> Result<Agent, StartError> {
        let state = StateDir::open(self.state)?;
        let lock = state.lock()?;
        let device = state.device()?;
        let root = state.root()?;
        let identity = state.identity()?;
        let tls = tls::trusting(&root, Some(&identity)).map_err(StartError::Tls)?;
        let name = ServerName::try_from(self.endpoints.gateway_host.clone())
            .map_err(|_| StartError::Host(self.endpoints.gateway_host.clone()))?;
        let mut random = [0; 12];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| StartError::Random)?;
        let (seed, run) = random.split_first_chunk::<8>().map_or((0, 0), |(seed, run)| {
            (u64::from_le_bytes(*seed), run.iter().fold(0u32, |run, byte| run << 8 | u32::from(*byte)))
        });
        let seed = self.seed.unwrap_or(seed);

        let disk = Directory::open(&state.buffer_path()).map_err(|error| StartError::Buffer(error.into()))?;
        let mut buffer = Buffer::open(disk, state.buffer_key()?, self.buffer_bytes).map_err(StartError::Buffer)?;
        let above = buffer.last();
        let sequence = Sequence::open(buffer.disk(), run, above).map_err(StartError::Sequence)?;
        let core = Core::new(Link::new(device.id.clone(), seed), buffer, self.write_all);

        let anchor = Anchor::new(self.clock.wall_micros(), self.clock.steady_micros());
        let stats = AgentStats {
            certificate_ends: identity.validity().map_or(0, |v| v.to),
            pending: core.pending() as u64,
            buffer_bytes: core.buffer().bytes(),
            ..AgentStats::default()
        };
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox { sequence, frames: VecDeque::new(), anchor, stopping: false }),
            stats: Mutex::new(stats),
            wake: Notify::new(),
        });
        let enrolment = self.endpoints.enrolment.clone();
        let server =
            enrolment.unwrap_or_else(|| EstServer { host: device.enrolment_host.clone(), port: device.enrolment_port });
        let id = device.id.clone();
        let task = Task {
            core,
            shared: Arc::clone(&shared),
            start: Instant::now(),
            tls,
            name,
            address: (self.endpoints.gateway_host, self.endpoints.gateway_port),
            socket: Socket::None,
            outgoing: Vec::new(),
            unflushed: false,
            closing: false,
            syncing: None,
            renewal: Renewal::new(state, root, device, server, identity, seed),
            _lock: lock,
        };
        Ok(Agent { device: id, shared, clock: self.clock, task: tokio::spawn(task.run()) })
    }
}

/// A running agent.
pub struct Agent {
    device: DeviceId,
    shared: Arc<Shared>,
    clock: Arc<dyn ReadingClock>,
    task: JoinHandle<()>,
}

impl Agent {
    /// Sets up an agent for the device enrolled in `state_dir`.
    #[must_use]
    pub fn builder(state_dir: impl Into<PathBuf>, endpoints: Endpoints, clock: Arc<dyn ReadingClock>) -> AgentBuilder {
        AgentBuilder {
            state: state_dir.into(),
            endpoints,
            clock,
            buffer_bytes: BUFFER_BYTES_DEFAULT,
            write_all: false,
            seed: None,
        }
    }

    /// Who this is.
    #[must_use]
    pub const fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The time to stamp readings with now.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.stamp_in(&mut self.shared.inbox.lock())
    }

    fn stamp_in(&self, inbox: &mut Inbox) -> Stamp {
        inbox.anchor.stamp(self.clock.wall_micros(), self.clock.steady_micros(), self.clock.state())
    }

    /// Takes readings as one frame and returns its number. Never blocks and never waits for the network or the disk.
    ///
    /// Readings are flagged [`Quality::CLOCK_SUSPECT`] here when the clock cannot be trusted.
    ///
    /// # Errors
    /// [`OfferError`]; nothing was taken.
    pub fn offer(&self, numerics: &[RawNumeric], waves: &[RawWave<'_>]) -> Result<u64, OfferError> {
        let first =
            numerics.first().map(|n| n.taken_at).or_else(|| waves.first().map(|w| w.start)).ok_or(FrameError::Empty)?;
        let mut inbox = self.shared.inbox.lock();
        if inbox.stopping {
            return Err(OfferError::Stopped);
        }
        if inbox.frames.len() >= INBOX_FRAMES_MAX {
            return Err(OfferError::Full);
        }
        let stamp = self.stamp_in(&mut inbox);
        let number = inbox.sequence.peek().ok_or(OfferError::NoNumber)?;
        let header = Header { run: inbox.sequence.run(), number, base: first, clock: stamp.clock };
        let mut frame = Vec::new();
        if stamp.quality == Quality::GOOD {
            encode(&header, numerics, waves, &mut frame)?;
        } else {
            let numerics: Vec<_> =
                numerics.iter().map(|n| RawNumeric { quality: n.quality.with(stamp.quality), ..*n }).collect();
            let waves: Vec<_> =
                waves.iter().map(|w| RawWave { quality: w.quality.with(stamp.quality), ..*w }).collect();
            encode(&header, &numerics, &waves, &mut frame)?;
        }
        if frame.len() + numerics.len() + waves.len() > FRAME_BYTES_MAX {
            // Flagging it late may add a byte to every reading, and must always be possible.
            return Err(FrameError::TooLong.into());
        }
        inbox.sequence.advance();
        inbox.frames.push_back((number, frame));
        drop(inbox);
        self.shared.wake.notify_one();
        Ok(number)
    }

    /// How it is doing.
    #[must_use]
    pub fn stats(&self) -> AgentStats {
        let mut stats = self.shared.stats.lock().clone();
        let inbox = self.shared.inbox.lock();
        stats.pending += inbox.frames.len() as u64;
        stats.clock_jumps = inbox.anchor.jumps();
        stats
    }

    /// Ends in order: waits a moment for acknowledgements, puts the rest on disk, says goodbye.
    pub async fn shutdown(self) -> AgentStats {
        self.shared.inbox.lock().stopping = true;
        self.shared.wake.notify_one();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the agent's task failed");
        }
        let stats = self.shared.stats.lock().clone();
        stats
    }
}

struct Shared {
    inbox: Mutex<Inbox>,
    stats: Mutex<AgentStats>,
    wake: Notify,
}

struct Inbox {
    sequence: Sequence,
    frames: VecDeque<(u64, Vec<u8>)>,
    anchor: Anchor,
    stopping: bool,
}

type Stream = TlsStream<TcpStream>;
type Opening = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;
type Syncing = Pin<Box<dyn Future<Output = ()> + Send>>;

enum Socket {
    None,
    Opening(Opening),
    Open(ReadHalf<Stream>, WriteHalf<Stream>),
}

struct Task {
    core: Core<Directory>,
    shared: Arc<Shared>,
    start: Instant,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    address: (String, u16),
    socket: Socket,
    outgoing: Vec<u8>,
    /// Whether something was written that TLS may still hold back.
    unflushed: bool,
    /// Whether the socket is closed once `outgoing` is written.
    closing: bool,
    syncing: Option<Syncing>,
    renewal: Renewal,
    _lock: Lock,
}

/// What woke the task.
enum Event {
    Wake,
    Due,
    Opened(io::Result<Stream>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Synced,
    Renewed(Box<Result<Identity, String>>),
}

impl Task {
    async fn run(mut self) {
        let mut incoming = vec![0; 1_024];
        let mut stopping = false;
        let mut effects = Vec::new();
        self.core.step(self.now(), Input::Tick, &mut effects);
        loop {
            if self.perform(&mut effects) {
                break;
            }
            if self.syncing.is_none()
                && let Some(syncer) = self.core.flush(self.now())
            {
                self.syncing = Some(Box::pin(flush(syncer)));
            }
            self.publish_stats();
            let event = self.next(&mut incoming, stopping).await;
            let now = self.now();
            match event {
                Event::Wake | Event::Due => {
                    stopping |= self.take_inbox(now, &mut effects);
                    let input = if stopping && matches!(event, Event::Wake) { Input::Stop } else { Input::Tick };
                    self.core.step(now, input, &mut effects);
                }
                Event::Opened(Ok(stream)) => {
                    let (read, write) = tokio::io::split(stream);
                    self.socket = Socket::Open(read, write);
                    self.core.step(now, Input::Opened, &mut effects);
                }
                Event::Opened(Err(error)) => self.lost(now, &error, &mut effects),
                Event::Read(Ok(0)) => self.lost(now, &io::ErrorKind::UnexpectedEof.into(), &mut effects),
                Event::Read(Ok(n)) => {
                    self.core.step(now, Input::Received(incoming.get(..n).unwrap_or_default()), &mut effects)
                }
                Event::Read(Err(error)) | Event::Wrote(Err(error)) => self.lost(now, &error, &mut effects),
                Event::Wrote(Ok(n)) => {
                    self.outgoing.drain(..n.min(self.outgoing.len()));
                    // Nothing written means flushed: TLS holds back what the socket did not take.
                    self.unflushed = n > 0;
                    self.core.set_socket_full(self.outgoing.len() > OUTGOING_BYTES_MAX);
                    if self.outgoing.is_empty() && !self.unflushed && self.closing {
                        self.hang_up();
                    }
                    self.core.step(now, Input::Tick, &mut effects);
                }
                Event::Synced => self.syncing = None,
                Event::Renewed(outcome) => self.renewed(now, *outcome, &mut effects),
            }
        }
        self.finish().await;
    }

    async fn next(&mut self, incoming: &mut [u8], stopping: bool) -> Event {
        let deadline = self.core.deadline(self.now()).map(|at| self.start + at.0);
        // A connection that is being closed only has its rest to write.
        let (opening, reader, writer) = match &mut self.socket {
            Socket::None => (None, None, None),
            Socket::Opening(opening) => (Some(opening), None, None),
            Socket::Open(read, write) => {
                (None, (!self.closing).then_some(read), (!self.outgoing.is_empty() || self.unflushed).then_some(write))
            }
        };
        tokio::select! {
            biased;
            done = wrote(writer, &self.outgoing) => Event::Wrote(done),
            read = read(reader, incoming) => Event::Read(read),
            opened = maybe(opening) => Event::Opened(opened),
            () = maybe(self.syncing.as_mut()) => Event::Synced,
            () = self.shared.wake.notified() => Event::Wake,
            () = sleep_until(deadline) => Event::Due,
            renewed = self.renewal.next(), if !stopping => Event::Renewed(Box::new(renewed)),
        }
    }

    /// Moves offered frames into the core, and reserves sequence numbers. Says whether the agent is to stop.
    fn take_inbox(&mut self, now: Monotonic, effects: &mut Vec<Effect>) -> bool {
        let (frames, stopping) = {
            let mut inbox = self.shared.inbox.lock();
            if inbox.sequence.is_low()
                && let Err(error) = inbox.sequence.reserve(self.core.disk())
            {
                tracing::warn!(%error, "sequence numbers could not be reserved");
            }
            (std::mem::take(&mut inbox.frames), inbox.stopping)
        };
        for (number, frame) in frames {
            self.core.offer(now, number, frame, effects);
        }
        stopping
    }

    /// Performs effects in order. `true` when all is over.
    fn perform(&mut self, effects: &mut Vec<Effect>) -> bool {
        let mut stopped = false;
        for effect in effects.drain(..) {
            match effect {
                Effect::Open => {
                    self.hang_up();
                    self.socket =
                        Socket::Opening(Box::pin(open(self.address.clone(), self.name.clone(), Arc::clone(&self.tls))));
                }
                Effect::Write(bytes) => {
                    self.outgoing.extend_from_slice(&bytes);
                    self.core.set_socket_full(self.outgoing.len() > OUTGOING_BYTES_MAX);
                }
                Effect::Close
                    if matches!(self.socket, Socket::Open(..)) && (!self.outgoing.is_empty() || self.unflushed) =>
                {
                    self.closing = true
                }
                Effect::Close => self.hang_up(),
                Effect::Stopped => stopped = true,
                // Taken by the core.
                Effect::Answered(..) | Effect::Up | Effect::Down(_) => {}
            }
        }
        stopped
    }

    fn lost(&mut self, now: Monotonic, error: &io::Error, effects: &mut Vec<Effect>) {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let lost = match tls {
            Some(rustls::Error::AlertReceived(_) | rustls::Error::InvalidCertificate(_)) => Lost::Refused,
            _ => Lost::Network,
        };
        tracing::debug!(%error, ?lost, "the connection to the gateway is lost");
        let was_closing = self.closing;
        self.hang_up();
        if !was_closing {
            self.core.step(now, Input::Lost(lost), effects);
        }
    }

    fn hang_up(&mut self) {
        self.socket = Socket::None;
        self.closing = false;
        self.unflushed = false;
        self.outgoing.clear();
        self.core.set_socket_full(false);
    }

    fn renewed(&mut self, now: Monotonic, outcome: Result<Identity, String>, effects: &mut Vec<Effect>) {
        let tls = outcome.and_then(|identity| {
            let config = tls::trusting(&self.renewal.root, Some(&identity)).map_err(|error| error.to_string())?;
            Ok((config, identity.validity().map_or(0, |v| v.to)))
        });
        match tls {
            Ok((config, ends)) => {
                self.tls = config;
                let mut stats = self.shared.stats.lock();
                stats.renewed += 1;
                stats.certificate_ends = ends;
                drop(stats);
                tracing::info!(device = %self.renewal.device.id, "the certificate was renewed");
                self.core.step(now, Input::Renewed, effects);
            }
            Err(error) => {
                self.shared.stats.lock().renewals_failed += 1;
                tracing::warn!(device = %self.renewal.device.id, %error, "the certificate could not be renewed");
            }
        }
    }

    fn publish_stats(&self) {
        let mut stats = self.shared.stats.lock();
        stats.up = self.core.is_up();
        stats.counters = self.core.counters();
        stats.losses = self.core.buffer().losses();
        stats.pending = self.core.pending() as u64;
        stats.buffer_bytes = self.core.buffer().bytes();
        stats.last_down = self.core.last_down();
    }

    async fn finish(mut self) {
        // What was asked to be written, the goodbye, gets a moment; then the socket closes with the task.
        if let Socket::Open(_, write) = &mut self.socket {
            let goodbye = async {
                write.write_all(&self.outgoing).await?;
                write.shutdown().await
            };
            let _ = tokio::time::timeout(Duration::from_millis(500), goodbye).await;
        }
        let now = self.now();
        let _ = self.take_inbox(now, &mut Vec::new());
        if let Some(syncing) = self.syncing.take() {
            syncing.await;
        }
        if let Err(error) = self.core.close() {
            tracing::error!(%error, "the buffer could not be closed");
        }
        if let Err(error) = self.shared.inbox.lock().sequence.close(self.core.disk()) {
            tracing::warn!(%error, "unused sequence numbers could not be given back");
        }
        self.publish_stats();
    }

    fn now(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }
}

async fn open(address: (String, u16), name: ServerName<'static>, tls: Arc<ClientConfig>) -> io::Result<Stream> {
    let socket = TcpStream::connect((address.0.as_str(), address.1)).await?;
    socket.set_nodelay(true)?;
    TlsConnector::from(tls).connect(name, socket).await
}

async fn flush(syncer: Syncer) {
    match tokio::task::spawn_blocking(syncer).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the buffer could not be flushed"),
        Err(error) => tracing::warn!(%error, "the buffer could not be flushed"),
    }
}

/// Writes some of `bytes`, or flushes if there are none. One step each, so that nothing is written twice when another event comes first.
async fn wrote(writer: Option<&mut WriteHalf<Stream>>, bytes: &[u8]) -> io::Result<usize> {
    let Some(writer) = writer else { return std::future::pending().await };
    if bytes.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(bytes).await }
}

async fn read(reader: Option<&mut ReadHalf<Stream>>, into: &mut [u8]) -> io::Result<usize> {
    match reader {
        Some(reader) => reader.read(into).await,
        None => std::future::pending().await,
    }
}

async fn maybe<F: Future + Unpin>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Renewal at half of the certificate's life, again and again.
struct Renewal {
    state: StateDir,
    root: CertificateDer<'static>,
    device: Device,
    server: EstServer,
    identity: Identity,
    random: u64,
    retry: Duration,
    due: Option<Instant>,
    running: Option<Pin<Box<dyn Future<Output = Result<Identity, String>> + Send>>>,
}

impl Renewal {
    fn new(
        state: StateDir,
        root: CertificateDer<'static>,
        device: Device,
        server: EstServer,
        identity: Identity,
        random: u64,
    ) -> Self {
        Self { state, root, device, server, identity, random, retry: RENEW_RETRY_FIRST, due: None, running: None }
    }

    /// Waits until renewal is due, renews, keeps the result. Safe to drop and call again: all it knows lies in `self`.
    async fn next(&mut self) -> Result<Identity, String> {
        if self.running.is_none() {
            let due = *self.due.get_or_insert_with(|| {
                let now = SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
                let wait = self
                    .identity
                    .validity()
                    .map_or(Duration::ZERO, |v| est::renewal_delay(v.from, v.to, now, self.random));
                Instant::now() + wait
            });
            tokio::time::sleep_until(due).await;
            let (state, root, server) = (self.state.clone(), self.root.clone(), self.server.clone());
            let (device, identity) = (self.device.id.clone(), self.identity.clone());
            // A task of its own, so that record-then-act is never cut in half by a dropped future.
            let work = tokio::spawn(async move {
                let pem = est::renew(&server, &root, &identity, &device).await.map_err(|error| chain(&error))?;
                state.renew(pem.as_bytes()).map_err(|error| chain(&error))?;
                Identity::from_pem(pem.as_bytes()).ok_or_else(|| "the renewed identity cannot be read".to_owned())
            });
            self.running = Some(Box::pin(async move { work.await.map_err(|error| error.to_string())? }));
        }
        let outcome = maybe(self.running.as_mut()).await;
        self.running = None;
        self.random = self.random.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15;
        match &outcome {
            Ok(identity) => {
                self.identity = identity.clone();
                self.retry = RENEW_RETRY_FIRST;
                self.due = None;
            }
            Err(_) => {
                let jitter = Duration::from_millis(self.random % 1_000);
                self.due = Some(Instant::now() + self.retry + jitter);
                self.retry = self.retry.saturating_mul(2).min(RENEW_RETRY_MAX);
            }
        }
        outcome
    }
}

/// An error with all its causes, for one log line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
