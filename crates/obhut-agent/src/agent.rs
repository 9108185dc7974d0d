//! The shell: one task per device that owns its socket, its deadlines and its renewal, and performs what the core decides.

mod renewal;
mod task;

use crate::buffer::{Buffer, BufferError, Losses};
use crate::core::{Core, Counters};
use crate::disk::Directory;
use crate::est::EstServer;
use crate::limits::{BUFFER_BYTES_DEFAULT, INBOX_FRAMES_MAX};
use crate::link::{Down, Link};
use crate::sequence::Sequence;
use crate::state::{StateDir, StateError};
use crate::time::{Anchor, ReadingClock, Stamp};
use crate::tls;
use obhut_model::{DeviceId, Quality};
use obhut_wire::limits::FRAME_BYTES_MAX;
use obhut_wire::{FrameError, Header, RawNumeric, RawWave, encode};
use parking_lot::Mutex;
use renewal::Renewal;
use rustls_pki_types::ServerName;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use task::{Socket, Task};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

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
        self.shared.stats.lock().clone()
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
