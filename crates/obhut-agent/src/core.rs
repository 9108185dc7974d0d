//! Which frame goes when, and what becomes of it: live frames first, the backlog in what is left of the window, each in order of its number.
//!
//! Joins the [`Link`] and the [`Buffer`]; still no socket and no clock. What always holds: a frame that was taken is in the live queue, in flight, or in
//! the buffer until it is acknowledged, refused, or pushed out of the full buffer; each of these ends is counted.

use crate::buffer::{Buffer, BufferError};
use crate::disk::{Disk, Syncer};
use crate::limits::{FLUSH_EVERY, LATER_FIRST, LATER_MAX, LIVE_BYTES_MAX, SPILL_AFTER};
use crate::link::{Down, Effect, Input, Link};
use crate::time::Monotonic;
use obhut_model::Quality;
use obhut_wire::limits::FRAME_BYTES_MAX;
use obhut_wire::reason::{Answer, answer};
use obhut_wire::{Frame, encode};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What became of frames since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames taken in.
    pub offered: u64,
    /// Acknowledged as kept, or as shown live.
    pub acknowledged: u64,
    /// Refused for good by the server, or too long for it.
    pub refused: u64,
    /// Answers "later".
    pub later: u64,
    /// Lost because the disk failed.
    pub lost: u64,
    /// Connections that came up.
    pub connections: u64,
}

struct Waiting {
    number: u64,
    frame: Vec<u8>,
    since: Monotonic,
}

struct Flying {
    /// The frame, until it is on disk.
    frame: Option<Vec<u8>>,
    since: Monotonic,
    backlog: bool,
}

/// The device side of one device, without its socket.
pub struct Core<D> {
    link: Link,
    buffer: Buffer<D>,
    live: VecDeque<Waiting>,
    live_bytes: usize,
    flying: BTreeMap<u64, Flying>,
    cursor: u64,
    backlog_window: usize,
    backlog_from: Monotonic,
    later_delay: Duration,
    synced: Monotonic,
    write_all: bool,
    socket_full: bool,
    counters: Counters,
    last_down: Option<Down>,
}

impl<D: Disk> Core<D> {
    /// Begins with what the buffer holds. `write_all`: every frame goes to disk before it is sent.
    #[must_use]
    pub fn new(link: Link, buffer: Buffer<D>, write_all: bool) -> Self {
        Self {
            link,
            buffer,
            live: VecDeque::new(),
            live_bytes: 0,
            flying: BTreeMap::new(),
            cursor: 0,
            backlog_window: 1,
            backlog_from: Monotonic::default(),
            later_delay: LATER_FIRST,
            synced: Monotonic::default(),
            write_all,
            socket_full: false,
            counters: Counters::default(),
            last_down: None,
        }
    }

    /// What became of frames.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The buffer, to look at.
    #[must_use]
    pub const fn buffer(&self) -> &Buffer<D> {
        &self.buffer
    }

    /// The disk the buffer lies on, for the files beside it.
    pub fn disk(&mut self) -> &mut D {
        self.buffer.disk()
    }

    /// Whether frames can be published.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Frames neither acknowledged nor refused yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.live.len() + self.buffer.frames() + self.flying.values().filter(|f| f.frame.is_some()).count()
    }

    /// Why the link was last down.
    #[must_use]
    pub const fn last_down(&self) -> Option<Down> {
        self.last_down
    }

    /// Says whether the socket has more waiting than it should; nothing is published while it has.
    pub const fn set_socket_full(&mut self, full: bool) {
        self.socket_full = full;
    }

    /// Takes a frame. Numbers must rise.
    pub fn offer(&mut self, now: Monotonic, number: u64, frame: Vec<u8>, out: &mut Vec<Effect>) {
        self.counters.offered += 1;
        if self.write_all || !self.link.is_up() {
            self.keep(number, &frame);
        }
        if self.link.is_up() {
            self.live_bytes += frame.len();
            self.live.push_back(Waiting { number, frame, since: now });
            while self.live_bytes > LIVE_BYTES_MAX {
                self.spill_oldest();
            }
        }
        self.pump(now, out);
    }

    /// Takes in what happened to the connection, or that time passed.
    pub fn step(&mut self, now: Monotonic, input: Input<'_>, out: &mut Vec<Effect>) {
        let mut effects = Vec::new();
        self.link.step(now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answered(number, code) => self.answered(now, number, code),
                Effect::Up => {
                    self.counters.connections += 1;
                    self.cursor = 0;
                    self.backlog_window = 1;
                }
                Effect::Down(why) => {
                    self.last_down = Some(why);
                    self.keep_everything();
                }
                other => out.push(other),
            }
        }
        self.spill(now);
        self.pump(now, out);
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let spill = self.oldest_unsafe().map(|since| since.plus(SPILL_AFTER));
        let flush = self.buffer.is_dirty().then(|| self.synced.plus(FLUSH_EVERY));
        let paused = self.link.is_up() && self.backlog_from > now && self.buffer.next_after(self.cursor).is_some();
        let backlog = paused.then_some(self.backlog_from);
        [self.link.deadline(), spill, flush, backlog].into_iter().flatten().min()
    }

    /// What flushes the buffer, when it is due.
    pub fn flush(&mut self, now: Monotonic) -> Option<Syncer> {
        if !self.buffer.is_dirty() || now < self.synced.plus(FLUSH_EVERY) {
            return None;
        }
        self.synced = now;
        self.buffer.syncer().inspect_err(|error| tracing::warn!(%error, "the buffer could not be flushed")).ok()
    }

    /// Puts everything unacknowledged on disk and flushes it: the end.
    ///
    /// # Errors
    /// [`BufferError`].
    pub fn close(&mut self) -> Result<(), BufferError> {
        self.keep_everything();
        Ok(self.buffer.syncer()?()?)
    }

    fn answered(&mut self, now: Monotonic, number: u64, code: u8) {
        let Some(flying) = self.flying.remove(&number) else { return };
        match answer(code) {
            Answer::Later => {
                self.counters.later += 1;
                if let Some(frame) = flying.frame {
                    self.keep(number, &frame);
                }
                self.cursor = self.cursor.min(number - 1);
                if now >= self.backlog_from {
                    self.backlog_from = now.plus(self.later_delay);
                    self.later_delay = self.later_delay.saturating_mul(2).min(LATER_MAX);
                }
                self.backlog_window = 1;
                return;
            }
            Answer::Taken => self.counters.acknowledged += 1,
            Answer::Refused => self.counters.refused += 1,
        }
        if flying.backlog {
            self.later_delay = LATER_FIRST;
            self.backlog_window = self.backlog_window.saturating_mul(2).min(usize::from(u16::MAX));
        }
        self.buffer.remove(number);
    }

    /// Publishes as much as fits: live first.
    fn pump(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        if self.socket_full {
            return;
        }
        while self.link.room() > 0 {
            let Some(Waiting { number, frame, since }) = self.live.pop_front() else { break };
            self.live_bytes -= frame.len();
            let sent = self.link.publish(now, number, &frame, out);
            self.sent(
                number,
                sent,
                Flying { frame: (!self.buffer.holds(number)).then_some(frame), since, backlog: false },
            );
        }
        let backlog_most = self.backlog_window.min((usize::from(self.link.window()) / 2).max(1));
        let mut backlog = self.flying.values().filter(|f| f.backlog).count();
        while self.link.room() > 0 && backlog < backlog_most && now >= self.backlog_from {
            let Some(number) = self.buffer.next_after(self.cursor) else { break };
            if self.live.front().is_some_and(|first| number >= first.number) {
                break;
            }
            self.cursor = number;
            if self.flying.contains_key(&number) {
                continue;
            }
            match self.buffer.read(number) {
                Ok(Some(frame)) => {
                    let sent = self.link.publish(now, number, &late(frame), out);
                    self.sent(number, sent, Flying { frame: None, since: now, backlog: true });
                    backlog += usize::from(sent);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the buffer could not be read");
                    self.backlog_from = now.plus(LATER_MAX);
                }
            }
        }
    }

    fn sent(&mut self, number: u64, sent: bool, flying: Flying) {
        if sent {
            self.flying.insert(number, flying);
        } else {
            // There was room, so it is the packet: longer than this server takes. It never will.
            self.counters.refused += 1;
            self.buffer.remove(number);
        }
    }

    /// Since when the oldest frame not on disk has been waiting.
    fn oldest_unsafe(&self) -> Option<Monotonic> {
        let flying = self.flying.values().filter(|f| f.frame.is_some()).map(|f| f.since);
        flying.chain(self.live.front().map(|w| w.since)).min()
    }

    /// Seals on disk what has been unacknowledged for too long.
    fn spill(&mut self, now: Monotonic) {
        if self.oldest_unsafe().is_none_or(|since| now < since.plus(SPILL_AFTER)) {
            return;
        }
        while self.live.front().is_some_and(|w| now >= w.since.plus(SPILL_AFTER)) {
            self.spill_oldest();
        }
        self.keep_flying(|flying| now >= flying.since.plus(SPILL_AFTER));
    }

    /// Moves the oldest live frame to the backlog.
    fn spill_oldest(&mut self) {
        if let Some(Waiting { number, frame, .. }) = self.live.pop_front() {
            self.live_bytes -= frame.len();
            self.keep(number, &frame);
            self.cursor = self.cursor.min(number - 1);
        }
    }

    fn keep_flying(&mut self, which: impl Fn(&Flying) -> bool) {
        let mut due = Vec::new();
        for (number, flying) in &mut self.flying {
            if which(flying)
                && let Some(frame) = flying.frame.take()
            {
                due.push((*number, frame));
            }
        }
        for (number, frame) in due {
            self.keep(number, &frame);
        }
    }

    fn keep_everything(&mut self) {
        self.keep_flying(|_| true);
        self.flying.clear();
        while !self.live.is_empty() {
            self.spill_oldest();
        }
        self.cursor = 0;
    }

    fn keep(&mut self, number: u64, frame: &[u8]) {
        if let Err(error) = self.buffer.append(number, frame) {
            self.counters.lost += 1;
            tracing::warn!(%error, "a frame could not be buffered and is lost");
        }
    }
}

/// The frame with every reading flagged late; as it is, if that does not fit.
fn late(frame: Vec<u8>) -> Vec<u8> {
    let flagged = Frame::decode(&frame).ok().and_then(|read| {
        let numerics: Vec<_> =
            read.numerics().map(|n| obhut_wire::RawNumeric { quality: n.quality.with(Quality::LATE), ..n }).collect();
        let waves: Vec<_> =
            read.waves().map(|w| obhut_wire::RawWave { quality: w.quality.with(Quality::LATE), ..w }).collect();
        let mut out = Vec::with_capacity((frame.len() + numerics.len() + waves.len()).min(FRAME_BYTES_MAX));
        encode(read.header(), &numerics, &waves, &mut out).ok().map(|()| out)
    });
    flagged.unwrap_or(frame)
}

#[cfg(test)]
mod tests;
