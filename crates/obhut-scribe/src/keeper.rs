//! The commit thread: takes what came in while the last commit was on its way, records it with one sync, tells everyone, and between that writes checkpoints,
//! replays the spool and opens a ledger that is down.

use crate::book::{DownError, Open};
use crate::keys::LedgerKeys;
use crate::limits::{BATCH_MAX, RETRY_MAX, RETRY_MIN};
use crate::scribe::{LedgerDown, Shared};
use obhut_ledger::event::EventKind;
use obhut_ledger::{Event, Recorded, SignedNote};
use obhut_model::{ServerTime, Subject};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What the thread is asked for. Whoever asked may have gone: then the answer is dropped and the work is done all the same.
pub(crate) enum Job {
    Record(Box<Event>, oneshot::Sender<Result<Recorded, LedgerDown>>),
    Publish(std::sync::mpsc::SyncSender<Result<SignedNote, LedgerDown>>),
    Remove(ServerTime, Vec<EventKind>, std::sync::mpsc::SyncSender<Result<u64, LedgerDown>>),
    RemoveNotes(Subject, std::sync::mpsc::SyncSender<Result<u64, LedgerDown>>),
    Cosigned(SignedNote),
    Replay,
    Close(std::sync::mpsc::SyncSender<()>),
}

pub(crate) struct Keeper {
    pub(crate) dir: PathBuf,
    pub(crate) keys: Arc<LedgerKeys>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) checkpoint_every: Duration,
    pub(crate) state: State,
    pub(crate) published: Instant,
}

pub(crate) enum State {
    Up(Box<Open>),
    Down { again: Instant, pause: Duration },
}

impl State {
    pub(crate) fn down() -> Self {
        Self::Down { again: Instant::now() + RETRY_MIN, pause: RETRY_MIN }
    }
}

impl Keeper {
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        self.tend();
        // What a process before this one recorded and did not live to sign.
        if self.is_unpublished() {
            let _down = self.publish();
        }
        loop {
            let job = match jobs.recv_timeout(self.pause()) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match job {
                Some(Job::Close(told)) => {
                    self.end();
                    let _gone = told.send(());
                    return;
                }
                Some(Job::Record(event, told)) => match self.record(*event, told, jobs) {
                    Some(Job::Close(told)) => {
                        self.end();
                        let _gone = told.send(());
                        return;
                    }
                    Some(other) => self.other(other),
                    None => {}
                },
                Some(other) => self.other(other),
                None => {}
            }
            self.shared.stalled.store(false, Ordering::Release);
            self.tend();
        }
        self.end();
    }

    /// Until when nothing has to be done.
    fn pause(&self) -> Duration {
        match &self.state {
            State::Down { again, .. } => again.saturating_duration_since(Instant::now()),
            State::Up(open) if open.is_unpublished() => self.checkpoint_every.saturating_sub(self.published.elapsed()),
            State::Up(_) => Duration::from_secs(60),
        }
    }

    /// Records `first` and whatever else waits. Gives a job of another sort that was met.
    fn record(
        &mut self,
        first: Event,
        told: oneshot::Sender<Result<Recorded, LedgerDown>>,
        jobs: &Receiver<Job>,
    ) -> Option<Job> {
        let (mut batch, mut other) = (vec![(first, told)], None);
        while batch.len() < BATCH_MAX {
            match jobs.try_recv() {
                Ok(Job::Record(event, told)) => {
                    batch.push((*event, told));
                }
                Ok(job) => {
                    other = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        let keys = self.keys.clone();
        let done = self.up(|open| {
            let (mut events, mut waiting) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
            for (event, told) in batch {
                // Whoever gave up waiting may have spooled it, and the spool may have been replayed before its turn came here.
                if told.is_closed() && open.has(&keys, &event)? {
                    continue;
                }
                events.push(event);
                waiting.push(told);
            }
            Ok((open.record(&keys, events)?, waiting))
        });
        // Whoever waits and is told nothing takes the ledger to be down.
        if let Ok((recorded, waiting)) = done {
            for (told, recorded) in waiting.into_iter().zip(recorded) {
                let _gone = told.send(Ok(recorded));
            }
        }
        other
    }

    fn other(&mut self, job: Job) {
        let keys = self.keys.clone();
        match job {
            Job::Publish(told) => {
                let note = if self.is_unpublished() { self.publish() } else { self.newest() };
                let _gone = told.send(note);
            }
            Job::Remove(before, kinds, told) => {
                let done = self.publish().and_then(|_| self.up(|open| open.remove(before, &kinds)));
                let _gone = told.send(done);
            }
            Job::RemoveNotes(subject, told) => {
                let _gone = told.send(self.up(|open| open.remove_notes(&keys, subject)));
            }
            Job::Cosigned(note) => self.cosigned(note),
            Job::Replay | Job::Record(..) | Job::Close(_) => {}
        }
    }

    /// Does what its time has come for.
    fn tend(&mut self) {
        if let State::Down { again, pause } = self.state
            && Instant::now() >= again
        {
            match Open::at(&self.dir, &self.keys) {
                Ok(open) => {
                    tracing::warn!("the ledger is back, with {} entries", open.size());
                    self.state = State::Up(Box::new(open));
                    self.shared.up.store(true, Ordering::Release);
                }
                Err(error) => {
                    self.shared.say_down(&error);
                    let pause = (pause * 2).min(RETRY_MAX);
                    self.state = State::Down { again: Instant::now() + pause, pause };
                }
            }
        }
        if matches!(self.state, State::Up(_)) && self.shared.waiting.load(Ordering::Acquire) > 0 {
            self.replay();
        }
        if self.is_unpublished() && self.published.elapsed() >= self.checkpoint_every {
            let _down = self.publish();
        }
    }

    fn replay(&mut self) {
        let (keys, shared) = (self.keys.clone(), self.shared.clone());
        let before = shared.waiting.load(Ordering::Acquire);
        if let Ok(Some(came)) = self.up(|open| open.replay(&keys, &shared.spool)) {
            // What was spooled meanwhile is counted again and waits for the next turn.
            shared.waiting.fetch_sub(before, Ordering::AcqRel);
            tracing::warn!("{came} events came from the spool into the ledger");
        }
    }

    fn is_unpublished(&self) -> bool {
        matches!(&self.state, State::Up(open) if open.is_unpublished())
    }

    fn newest(&mut self) -> Result<SignedNote, LedgerDown> {
        let known = self.shared.checkpoint.read().clone();
        match known {
            Some(note) => Ok(note),
            // A ledger without entries has a checkpoint as well.
            None => self.publish(),
        }
    }

    fn publish(&mut self) -> Result<SignedNote, LedgerDown> {
        let keys = self.keys.clone();
        let note = self.up(|open| open.publish(&keys))?;
        self.published = Instant::now();
        *self.shared.checkpoint.write() = Some(note.clone());
        self.shared.ask_witnesses(&note);
        Ok(note)
    }

    fn cosigned(&mut self, note: SignedNote) {
        let newest = self.shared.checkpoint.read().as_ref().is_some_and(|newest| newest.text == note.text);
        if newest && self.up(|open| open.write_checkpoint(&note)).is_ok() {
            *self.shared.checkpoint.write() = Some(note);
        }
    }

    /// Works on the opened ledger; after any failure it is down and will be opened anew.
    fn up<T>(&mut self, work: impl FnOnce(&mut Open) -> Result<T, DownError>) -> Result<T, LedgerDown> {
        let State::Up(open) = &mut self.state else { return Err(LedgerDown) };
        work(open).map_err(|error| {
            self.shared.say_down(&error);
            self.state = State::down();
            LedgerDown
        })
    }

    fn end(&mut self) {
        if self.is_unpublished() {
            let _down = self.publish();
        }
        self.shared.up.store(false, Ordering::Release);
    }
}
