//! One connection's task: reads TLS, steps the session, writes what it answers, waits for the disk. No decisions here.
//!
//! One hand-written `poll` waits for the socket, the store and notes from outside at once, so that an idle connection is one small future and
//! holds no buffer: bytes are read into a scratch buffer of the thread, and only an incomplete packet is kept. Back-pressure is not reading.

use crate::admit::{Admission, Buffers};
use crate::refusal::Refusal;
use crate::session::{Closed, Intake, Session, Taken};
use crate::sessions::{End, Link};
use crate::shared::Shared;
use obhut_charter::rules::Rules;
use obhut_model::{ModelId, ServerTime};
use obhut_store::{AppendError, Appended, Position, Waiter};
use obhut_wire::Topic;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Bytes read at once.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Unsent answers beyond which nothing more is read.
const OUT_BYTES_MAX: usize = 16 * 1024;

struct Scratch {
    read: Box<[u8]>,
    buffers: Buffers,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { read: vec![0; SCRATCH_BYTES].into_boxed_slice(), buffers: Buffers::default() });
}

/// Why the task stops.
#[derive(Debug)]
pub(crate) enum Over {
    /// The session ended; the farewell is still to be sent.
    Closed(Closed),
    /// The other side is gone.
    Lost,
}

impl From<Closed> for Over {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

/// What judges this device's messages, and the tables it was made from.
pub(crate) struct Judge {
    pub(crate) admission: Admission,
    pub(crate) model: ModelId,
    pub(crate) rules: Arc<Rules>,
    pub(crate) bindings: Arc<crate::bindings::BindingTable>,
}

pub(crate) struct Connection {
    shared: Arc<Shared>,
    tls: TlsStream<TcpStream>,
    link: Arc<Link>,
    waiter: Arc<Waiter>,
    session: Session,
    /// `None` for a device that is refused at CONNECT.
    judge: Option<Judge>,
    registered: Option<Waker>,
    /// Bytes of packets that are not complete, or that a full session has not taken.
    inbuf: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    unflushed: bool,
    /// The session was full; `inbuf` may hold whole packets.
    stalled: bool,
    begun: bool,
    stopping: bool,
    listens: bool,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        tls: TlsStream<TcpStream>,
        link: Arc<Link>,
        session: Session,
        judge: Option<Judge>,
    ) -> Self {
        Self {
            shared,
            tls,
            link,
            waiter: Arc::default(),
            session,
            judge,
            registered: None,
            inbuf: Vec::new(),
            out: Vec::new(),
            sent: 0,
            unflushed: false,
            stalled: false,
            begun: false,
            stopping: false,
            listens: false,
        }
    }

    /// How long CONNECT may take.
    pub(crate) fn connect_time_max(&self) -> std::time::Duration {
        self.shared.context.limits.connect_time_max
    }

    /// Runs until CONNECT was answered.
    pub(crate) fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Over>> {
        match self.poll(cx, true) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(over)) => Poll::Ready(Err(over)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Runs until the session is over.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        match ready!(self.poll(cx, false)) {
            Ok(()) => Poll::Ready(Over::Lost),
            Err(over) => Poll::Ready(over),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, until_connected: bool) -> Poll<Result<(), Over>> {
        if !self.registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.link.register(cx.waker());
            self.registered = Some(cx.waker().clone());
        }
        loop {
            self.notes()?;
            self.settle(cx)?;
            let blocked = self.flush(cx)?;
            if until_connected && self.begun && !blocked {
                return Poll::Ready(Ok(()));
            }
            if self.stopping {
                if !self.session.is_waiting() && !blocked {
                    return Poll::Ready(Err(self.session.stop(&mut self.out).into()));
                }
                return Poll::Pending;
            }
            if self.session.is_full() || (blocked && self.out.len() - self.sent > OUT_BYTES_MAX) {
                return Poll::Pending;
            }
            if std::mem::take(&mut self.stalled) {
                let packets = std::mem::take(&mut self.inbuf);
                let used = SCRATCH.with_borrow_mut(|scratch| self.step(&packets, &mut scratch.buffers))?;
                self.keep(packets, used);
                continue;
            }
            if self.read(cx)?.is_pending() {
                self.relax();
                return Poll::Pending;
            }
        }
    }

    /// Does what others asked for.
    fn notes(&mut self) -> Result<(), Over> {
        let Some(taken) = self.link.take_notes() else { return Ok(()) };
        match taken.end {
            Some(End::Refused(why)) => return Err(self.session.refuse(why, &mut self.out).into()),
            Some(End::Stopping) => self.stopping = true,
            None => {}
        }
        for command in taken.commands {
            if let Err(error) = self.session.command(&command, &mut self.out) {
                tracing::warn!(device = %self.link.device, %error, "a command was not sent");
            }
        }
        Ok(())
    }

    /// Acknowledges what became durable.
    fn settle(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        if !self.session.is_waiting() {
            return Ok(());
        }
        self.waiter.register(cx.waker());
        let durable = self.waiter.durable().max(self.shared.context.readings.durable());
        let stored = self.session.settle(durable, &mut self.out)?;
        if stored > 0 {
            self.shared.counters.acknowledged.fetch_add(stored, Ordering::Relaxed);
        }
        if self.session.is_waiting()
            && let Some(why) = self.shared.store_refusal()
        {
            self.shared.counters.refuse(why);
            self.session.fail_waiting(why, &mut self.out)?;
            if let Some(judge) = &mut self.judge {
                judge.admission.forget_measured();
            }
        }
        Ok(())
    }

    /// Sends what can be sent; true if something is left.
    fn flush(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.tls).poll_write(cx, rest) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Ok(0)) => return Err(Over::Lost),
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.sent = 0;
        if self.unflushed {
            match Pin::new(&mut self.tls).poll_flush(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(done) => done?,
            }
            self.unflushed = false;
        }
        Ok(false)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Over> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch.read);
            match Pin::new(&mut self.tls).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(done) => done?,
            }
            let fresh = buffer.filled();
            if fresh.is_empty() {
                return Err(Over::Lost);
            }
            self.link.hear(self.shared.ticks.now());
            if self.inbuf.is_empty() {
                let used = self.step(fresh, &mut scratch.buffers)?;
                self.inbuf.extend_from_slice(fresh.get(used..).unwrap_or_default());
            } else {
                let mut packets = std::mem::take(&mut self.inbuf);
                packets.extend_from_slice(fresh);
                let used = self.step(&packets, &mut scratch.buffers)?;
                self.keep(packets, used);
            }
            Ok(Poll::Ready(()))
        })
    }

    fn keep(&mut self, mut packets: Vec<u8>, used: usize) {
        if used < packets.len() {
            packets.drain(..used);
            self.inbuf = packets;
        }
    }

    fn step(&mut self, input: &[u8], buffers: &mut Buffers) -> Result<usize, Over> {
        self.look_at_tables()?;
        let mut taking = Taking {
            shared: &self.shared,
            judge: self.judge.as_mut(),
            waiter: &self.waiter,
            link: &self.link,
            now: self.shared.context.clock.now(),
            buffers,
            messages: 0,
            numerics: 0,
            samples: 0,
        };
        let done = self.session.step(input, &mut taking, &mut self.out);
        taking.count();
        let used = done?;
        self.stalled = self.session.is_full();
        if !self.begun && self.session.is_connected() {
            self.begun = true;
            self.link.allow_silence(self.session.silence_seconds_max());
            self.shared.sessions.begin(&self.link);
            self.shared.counters.sessions.fetch_add(1, Ordering::Relaxed);
        }
        if self.listens != self.session.listens() {
            self.listens = self.session.listens();
            self.link.accept_commands(self.listens);
        }
        Ok(used)
    }

    /// Takes over a charter or bindings that changed since the last look.
    fn look_at_tables(&mut self) -> Result<(), Over> {
        let Some(judge) = &mut self.judge else { return Ok(()) };
        let context = &self.shared.context;
        let rules = context.rules.load();
        if !Arc::ptr_eq(&rules, &judge.rules) {
            judge.rules = Arc::clone(&rules);
            match rules.models.get(&judge.model) {
                Some(model) => judge.admission.set_rules(Arc::clone(model)),
                None => return Err(self.session.refuse(Refusal::UndeclaredModel, &mut self.out).into()),
            }
        }
        let bindings = context.bindings.load();
        if !Arc::ptr_eq(&bindings, &judge.bindings) {
            judge.bindings = Arc::clone(&bindings);
            judge.admission.set_stays(bindings.stays(&self.link.device));
        }
        Ok(())
    }

    /// Nothing to do: gives back what only a busy connection needs.
    fn relax(&mut self) {
        self.session.relax();
        if self.inbuf.is_empty() && self.inbuf.capacity() > 0 {
            self.inbuf = Vec::new();
        }
        if self.out.is_empty() && self.out.capacity() > 0 {
            self.out = Vec::new();
        }
    }

    /// Takes the session off the registry, once.
    fn leave(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.shared.sessions.finish(&self.link);
        }
    }

    /// Ends the connection: takes it off the registry, sends the farewell, and reads on until the other side has seen it.
    pub(crate) async fn finish(mut self: Box<Self>, over: Over) {
        self.leave();
        let Over::Closed(closed) = over else { return };
        if let Closed::Refused(why) = closed {
            self.shared.counters.refuse(why);
            tracing::info!(device = %self.link.device, reason = why.name(), "a session was ended");
        }
        let farewell = async {
            self.tls.write_all(self.out.get(self.sent..).unwrap_or_default()).await?;
            self.tls.shutdown().await?;
            if closed != Closed::ByDevice {
                // Closing with unread bytes would make the kernel reset the connection, and the farewell would be lost.
                let mut rest = [0; 1024];
                while self.tls.read(&mut rest).await? > 0 {}
            }
            Ok::<_, io::Error>(())
        };
        // Whoever does not read its farewell in time goes without.
        let _ = tokio::time::timeout(self.shared.context.limits.linger, farewell).await;
    }
}

impl Drop for Connection {
    /// Also when a task ends by a panic in a library: a device must not look online for ever.
    fn drop(&mut self) {
        self.leave();
    }
}

/// The session's intake: admission, screens, store.
struct Taking<'a> {
    shared: &'a Shared,
    judge: Option<&'a mut Judge>,
    waiter: &'a Arc<Waiter>,
    link: &'a Link,
    now: ServerTime,
    buffers: &'a mut Buffers,
    messages: u64,
    numerics: usize,
    samples: usize,
}

impl Taking<'_> {
    fn count(&self) {
        let counters = &self.shared.counters;
        if self.messages > 0 {
            counters.messages.fetch_add(self.messages, Ordering::Relaxed);
            counters.numerics.fetch_add(self.numerics as u64, Ordering::Relaxed);
            counters.samples.fetch_add(self.samples as u64, Ordering::Relaxed);
        }
    }
}

impl Intake for Taking<'_> {
    fn publish(&mut self, topic: Topic, payload: &[u8]) -> Taken {
        self.messages += 1;
        let (context, counters) = (&self.shared.context, &self.shared.counters);
        let refuse = |why| {
            counters.refuse(why);
            Taken::Refused(why)
        };
        let Some(judge) = &mut self.judge else { return refuse(Refusal::UnknownDevice) };
        if !judge.admission.arrive(self.now) {
            return refuse(Refusal::RateMessages);
        }
        let (device, now, waiter) = (&self.link.device, self.now, self.waiter);
        let (mut kept, mut failed): (Option<Position>, Option<Refusal>) = (None, None);
        let admitted =
            judge.admission.admit(now, topic, payload, self.buffers, &mut |why| counters.refuse(why), &mut |part| {
                context.live.readings(device, part.bed, part.subject, part.live_numerics, part.live_waves);
                let Some(subject) = part.subject else { return };
                if part.numerics.is_empty() && part.waves.is_empty() {
                    return;
                }
                let message = obhut_store::Admitted {
                    device,
                    subject,
                    sequence: part.sequence,
                    received: now,
                    numerics: part.numerics,
                    waves: part.waves,
                };
                match context.readings.append(&message, waiter) {
                    Ok(Appended::At(position) | Appended::Duplicate(position)) => kept = kept.max(Some(position)),
                    Err(error) => failed = Some(refusal_of(error)),
                }
            });
        match (admitted, failed, kept) {
            (Err(why), _, _) => Taken::Refused(why),
            (Ok(_), Some(why), _) => {
                judge.admission.forget_measured();
                refuse(why)
            }
            (Ok(count), None, kept) => {
                self.numerics += count.numerics;
                self.samples += count.samples;
                kept.map_or(Taken::Live, Taken::At)
            }
        }
    }

    fn control(&mut self) -> Result<(), Refusal> {
        let passes = self.judge.as_mut().is_none_or(|judge| judge.admission.arrive(self.now));
        if passes { Ok(()) } else { Err(Refusal::RateMessages) }
    }

    fn refused(&mut self, why: Refusal) {
        self.shared.counters.refuse(why);
    }
}

fn refusal_of(error: AppendError) -> Refusal {
    match error {
        AppendError::DiskFull => Refusal::DiskFull,
        AppendError::Behind => Refusal::StoreBehind,
        AppendError::NoKey => Refusal::NoKey,
        _ => Refusal::StoreFailed,
    }
}
