//! Who is connected: one live session per device, ways to end one from outside, and the sweep that notices silence and ended certificates.
//!
//! A `Link` is what the rest of the process shares with a connection's task. It holds no protocol state: whoever wants something of a
//! session leaves a note here and wakes the task. What always holds: at most one link per device is registered; an `Offline` follows an
//! `Online` exactly once.

use crate::context::{LiveSink, SessionEvent};
use crate::refusal::Refusal;
use crate::session::CommandError;
use obhut_model::DeviceId;
use obhut_pki::Serial;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::Waker;

/// How a session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With a refusal's reason code, counted.
    Refused(Refusal),
    /// The server stops: what waits for the disk is acknowledged first.
    Stopping,
}

/// Half-seconds since the door opened; coarse, so that a message costs no clock reading.
#[derive(Debug, Default)]
pub(crate) struct Ticks(AtomicU32);

impl Ticks {
    pub(crate) const PER_SECOND: u32 = 2;

    pub(crate) fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

/// What the process shares with one connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) device: DeviceId,
    pub(crate) certificate: Serial,
    /// Last second of the certificate's validity, Unix time.
    pub(crate) certificate_ends: u64,
    /// Tick of the last packet.
    heard: AtomicU32,
    /// Ticks of silence allowed; zero before CONNECT.
    silence_max: AtomicU32,
    /// Whether there is a note.
    noted: AtomicBool,
    notes: Mutex<Notes>,
    commands_accepted: AtomicU8,
}

#[derive(Debug, Default)]
struct Notes {
    waker: Option<Waker>,
    end: Option<End>,
    commands: VecDeque<Box<[u8]>>,
}

/// What was left for a connection's task.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) end: Option<End>,
    pub(crate) commands: VecDeque<Box<[u8]>>,
}

impl Link {
    pub(crate) fn new(device: DeviceId, certificate: Serial, certificate_ends: u64, tick: u32) -> Self {
        Self {
            device,
            certificate,
            certificate_ends,
            heard: AtomicU32::new(tick),
            silence_max: AtomicU32::new(0),
            noted: AtomicBool::new(false),
            notes: Mutex::default(),
            commands_accepted: AtomicU8::new(0),
        }
    }

    pub(crate) fn hear(&self, tick: u32) {
        self.heard.store(tick, Ordering::Relaxed);
    }

    pub(crate) fn allow_silence(&self, seconds: u32) {
        self.silence_max.store(seconds.saturating_mul(Ticks::PER_SECOND), Ordering::Relaxed);
    }

    /// Who is to be woken for a note. Call with the task's waker before looking for notes.
    pub(crate) fn register(&self, waker: &Waker) {
        self.notes.lock().waker = Some(waker.clone());
    }

    /// Whether the device listens for commands.
    pub(crate) fn accept_commands(&self, accepted: bool) {
        self.commands_accepted.store(u8::from(accepted), Ordering::Relaxed);
    }

    pub(crate) fn end(&self, end: End) {
        self.note(|notes| {
            // The first reason stands, but a stop gives way to anything that must not wait.
            if notes.end.is_none() || notes.end == Some(End::Stopping) {
                notes.end = Some(end);
            }
        });
    }

    /// Wakes the task to look around.
    pub(crate) fn nudge(&self) {
        self.note(|_| ());
    }

    fn note(&self, write: impl FnOnce(&mut Notes)) {
        let waker = {
            let mut notes = self.notes.lock();
            write(&mut notes);
            self.noted.store(true, Ordering::Release);
            notes.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes what was left, if anything.
    pub(crate) fn take_notes(&self) -> Option<Taken> {
        if !self.noted.load(Ordering::Acquire) {
            return None;
        }
        let mut notes = self.notes.lock();
        self.noted.store(false, Ordering::Release);
        Some(Taken { end: notes.end, commands: std::mem::take(&mut notes.commands) })
    }

    fn command(&self, payload: &[u8], max: usize) -> Result<(), CommandError> {
        if self.commands_accepted.load(Ordering::Relaxed) == 0 {
            return Err(CommandError::NotListening);
        }
        let mut done = Ok(());
        self.note(|notes| {
            if notes.commands.len() < max {
                notes.commands.push_back(payload.into())
            } else {
                done = Err(CommandError::Busy)
            }
        });
        done
    }

    fn is_silent(&self, tick: u32) -> bool {
        let max = self.silence_max.load(Ordering::Relaxed);
        max > 0 && tick.wrapping_sub(self.heard.load(Ordering::Relaxed)) > max
    }
}

/// The registry of live sessions.
pub struct Sessions {
    live: Arc<dyn LiveSink>,
    links: Mutex<HashMap<DeviceId, Arc<Link>>>,
    commands_max: usize,
}

impl Sessions {
    pub(crate) fn new(live: Arc<dyn LiveSink>, commands_max: u16) -> Self {
        Self { live, links: Mutex::default(), commands_max: usize::from(commands_max) }
    }

    /// How many devices are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.lock().len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.lock().is_empty()
    }

    /// Whether `device` has a live session.
    #[must_use]
    pub fn is_connected(&self, device: &DeviceId) -> bool {
        self.links.lock().contains_key(device)
    }

    /// Ends the session of `device`, if it has one: DISCONNECT with the refusal's reason code, then the connection. Takes effect at once.
    pub fn cut(&self, device: &DeviceId, why: Refusal) -> bool {
        let link = self.links.lock().get(device).cloned();
        link.is_some_and(|link| {
            link.end(End::Refused(why));
            true
        })
    }

    /// Ends the session that was opened with this certificate, because it was revoked.
    pub fn cut_by_certificate(&self, serial: Serial) -> bool {
        let link = self.links.lock().values().find(|link| link.certificate == serial).cloned();
        link.is_some_and(|link| {
            link.end(End::Refused(Refusal::Revoked));
            true
        })
    }

    /// Sends a command to `device`, on `obhut/<device>/command`. It is sent once, with the QoS the device subscribed with.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was sent.
    pub fn send_command(&self, device: &DeviceId, payload: &[u8]) -> Result<(), CommandError> {
        let link = self.links.lock().get(device).cloned().ok_or(CommandError::Offline)?;
        link.command(payload, self.commands_max)
    }

    /// Registers a link; an older one of the same device is told to go.
    pub(crate) fn begin(&self, link: &Arc<Link>) {
        let mut links = self.links.lock();
        match links.insert(link.device.clone(), Arc::clone(link)) {
            Some(older) => older.end(End::Refused(Refusal::TakenOver)),
            // Under the lock, so that events of one device come in the order they happened.
            None => self.live.session(&link.device, SessionEvent::Online),
        }
    }

    /// Removes a link, unless another has taken its place.
    pub(crate) fn finish(&self, link: &Arc<Link>) {
        let mut links = self.links.lock();
        if links.get(&link.device).is_some_and(|current| Arc::ptr_eq(current, link)) {
            links.remove(&link.device);
            self.live.session(&link.device, SessionEvent::Offline);
        }
    }

    pub(crate) fn for_each(&self, mut each: impl FnMut(&Link)) {
        self.links.lock().values().for_each(|link| each(link));
    }

    /// Ends what is silent for too long or whose certificate has ended. `unix_seconds`: real time.
    pub(crate) fn sweep(&self, tick: u32, unix_seconds: u64) {
        self.for_each(|link| {
            if link.is_silent(tick) {
                link.end(End::Refused(Refusal::KeepAlive));
            } else if link.certificate_ends < unix_seconds {
                link.end(End::Refused(Refusal::Expired));
            }
        });
    }
}
