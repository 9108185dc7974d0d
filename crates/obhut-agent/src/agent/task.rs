//! The task: waits for whatever comes first, lets the core decide, performs what it says.

use super::Shared;
use super::renewal::{Renewal, RenewalError};
use crate::core::Core;
use crate::disk::{Directory, Syncer};
use crate::limits::OUTGOING_BYTES_MAX;
use crate::link::{Effect, Input, Lost};
use crate::state::{Identity, Lock};
use crate::time::Monotonic;
use crate::tls;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Stream = TlsStream<TcpStream>;
type Opening = Pin<Box<dyn Future<Output = io::Result<Box<Stream>>> + Send>>;
type Syncing = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) enum Socket {
    None,
    Opening(Opening),
    Open(ReadHalf<Stream>, WriteHalf<Stream>),
}

pub(super) struct Task {
    pub(super) core: Core<Directory>,
    pub(super) shared: Arc<Shared>,
    pub(super) start: Instant,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) address: (String, u16),
    pub(super) socket: Socket,
    pub(super) outgoing: Vec<u8>,
    /// Whether something was written that TLS may still hold back.
    pub(super) unflushed: bool,
    /// Whether the socket is closed once `outgoing` is written.
    pub(super) closing: bool,
    pub(super) syncing: Option<Syncing>,
    pub(super) renewal: Renewal,
    pub(super) _lock: Lock,
}

/// What woke the task.
enum Event {
    Wake,
    Due,
    Opened(io::Result<Box<Stream>>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Synced,
    Renewed(Result<Identity, RenewalError>),
}

impl Task {
    pub(super) async fn run(mut self) {
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
                    let (read, write) = tokio::io::split(*stream);
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
                Event::Renewed(outcome) => self.renewed(now, outcome, &mut effects),
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
            renewed = self.renewal.next(), if !stopping => Event::Renewed(renewed),
        }
    }

    /// Moves offered frames into the core, and reserves sequence numbers. Says whether the agent is to stop.
    fn take_inbox(&mut self, now: Monotonic, effects: &mut Vec<Effect>) -> bool {
        let (frames, low, stopping) = {
            let mut inbox = self.shared.inbox.lock();
            let low = inbox.sequence.is_low().then(|| inbox.sequence.plan());
            (std::mem::take(&mut inbox.frames), low, inbox.stopping)
        };
        if let Some(reservation) = low {
            // Stored outside the lock: offering never waits for the disk.
            match reservation.store(self.core.disk()) {
                Ok(()) => self.shared.inbox.lock().sequence.grant(&reservation),
                Err(error) => tracing::warn!(%error, "sequence numbers could not be reserved"),
            }
        }
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

    fn renewed(&mut self, now: Monotonic, outcome: Result<Identity, RenewalError>, effects: &mut Vec<Effect>) {
        let tls = outcome.and_then(|identity| {
            let config = tls::trusting(&self.renewal.root, Some(&identity)).map_err(RenewalError::Tls)?;
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
                let error = &error as &dyn std::error::Error;
                tracing::warn!(device = %self.renewal.device.id, error, "the certificate could not be renewed");
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

async fn open(address: (String, u16), name: ServerName<'static>, tls: Arc<ClientConfig>) -> io::Result<Box<Stream>> {
    let socket = TcpStream::connect((address.0.as_str(), address.1)).await?;
    socket.set_nodelay(true)?;
    TlsConnector::from(tls).connect(name, socket).await.map(Box::new)
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
