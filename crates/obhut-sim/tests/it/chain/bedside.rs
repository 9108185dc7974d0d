//! A device with the agent's core: world, frame, sealed buffer, MQTT, as bytes on a link that breaks.

use super::flash::Flash;
use obhut_agent::buffer::{Buffer, BufferKey};
use obhut_agent::core::Core;
use obhut_agent::link::{Effect, Input, Link as MqttLink, Lost};
use obhut_agent::sequence::Sequence;
use obhut_agent::time::Monotonic;
use obhut_model::{DeviceId, DeviceTime};
use obhut_sim::device::{Device, Report};
use obhut_sim::faults::{Link, Plan, Switch};
use obhut_sim::rng::Rng;
use obhut_wire::{Clock, Header};
use std::collections::BTreeMap;
use std::time::Duration;

/// What passes on the link: bytes of a connection, or its end.
pub(super) type Piece = (u64, Option<Vec<u8>>);

pub(super) struct Bedside {
    pub(super) device: Box<dyn Device>,
    rng: Rng,
    flash: Flash,
    awake: Option<Awake>,
    pub(super) link: Switch,
    pub(super) power: Switch,
    pub(super) up: Link<Piece>,
    pub(super) down: Link<Piece>,
    /// Everything that was said, by run and number.
    pub(super) said: BTreeMap<(u32, u64), Report>,
    /// Refused or lost by the agent's own count.
    pub(super) lost: u64,
    /// Whether it loses power: what was not on flash yet is gone then.
    pub(super) may_lose: bool,
    makes: bool,
}

/// An agent under power.
struct Awake {
    core: Core<Flash>,
    sequence: Sequence,
    since: i64,
    /// When the connection asked for stands.
    opening: Option<i64>,
    connection: Option<u64>,
}

impl Bedside {
    pub(super) fn new(device: Box<dyn Device>, plan: Plan, rng: &Rng, now: i64) -> Self {
        let rng = rng.fork(device.nameplate().id.as_str());
        let mut bedside = Self {
            flash: Flash::default(),
            awake: None,
            link: Switch::new(plan.disconnect, rng.fork("link"), now),
            power: Switch::new(plan.power_loss, rng.fork("power"), now),
            up: Link::new(plan, rng.fork("up")),
            down: Link::new(plan, rng.fork("down")),
            said: BTreeMap::new(),
            lost: 0,
            may_lose: plan.power_loss.is_some(),
            makes: true,
            rng,
            device,
        };
        bedside.wake(now);
        bedside
    }

    pub(super) fn id(&self) -> &DeviceId {
        &self.device.nameplate().id
    }

    fn wake(&mut self, now: i64) {
        let mut flash = self.flash.clone();
        let buffer = Buffer::open(flash.clone(), BufferKey::new(&[9; 32]).unwrap(), 16 << 20).unwrap();
        let sequence = Sequence::open(&mut flash, self.rng.bits() as u32, buffer.last()).unwrap();
        let core = Core::new(MqttLink::new(self.id().clone(), self.rng.bits()), buffer, false);
        self.awake = Some(Awake { core, sequence, since: now, opening: None, connection: None });
        self.feed(now, Input::Tick);
    }

    pub(super) fn connection(&self) -> Option<u64> {
        self.awake.as_ref().and_then(|awake| awake.connection)
    }

    /// Frames not settled yet.
    pub(super) fn pending(&self) -> usize {
        self.awake.as_ref().map_or(0, |awake| awake.core.pending())
    }

    /// No more faults, nothing more to say.
    pub(super) fn mend(&mut self, now: i64) {
        self.makes = false;
        self.link.mend();
        self.power.mend();
        self.up.mend();
        self.down.mend();
        if self.awake.is_none() {
            self.wake(now);
        }
    }

    pub(super) fn next_due(&self) -> i64 {
        let mut due = self.link.next_due().min(self.power.next_due());
        if let Some(awake) = &self.awake {
            due = due.min(self.up.next_due()).min(self.down.next_due()).min(awake.opening.unwrap_or(i64::MAX));
            if let Some(at) = awake.core.deadline(awake.monotonic(due)) {
                due = due.min(awake.since + at.0.as_micros() as i64);
            }
            if self.makes {
                due = due.min(self.device.next_due().micros());
            }
        }
        due
    }

    /// The link is cut; the connection that was on it, if any.
    fn cut(&mut self) -> Option<u64> {
        self.up.cut();
        self.down.cut();
        let awake = self.awake.as_mut()?;
        awake.opening = None;
        awake.connection.take()
    }

    /// Switches power and link; gives the connection that broke by it.
    pub(super) fn switch(&mut self, now: i64) -> Option<u64> {
        let link = self.link.advance(now);
        if self.power.advance(now) {
            let broken = self.cut();
            if self.power.is_on() {
                self.device.skip_to(DeviceTime::from_micros(now));
                self.wake(now);
            } else if let Some(awake) = self.awake.take() {
                self.lost += awake.core.counters().lost + awake.core.counters().refused;
                drop(awake);
                self.flash.power_cut(&mut self.rng);
            }
            return broken;
        }
        if link && !self.link.is_on() {
            return self.lose(now);
        }
        None
    }

    /// The other side is gone; the connection that broke.
    pub(super) fn lose(&mut self, now: i64) -> Option<u64> {
        let was_busy = self.awake.as_ref().is_some_and(|awake| awake.opening.is_some() || awake.connection.is_some());
        let broken = self.cut();
        if was_busy {
            self.feed(now, Input::Lost(Lost::Network));
        }
        broken
    }

    /// Says what is due, lets the agent's timers run. True if a connection is to be accepted now.
    pub(super) fn act(&mut self, now: i64) -> bool {
        if self.awake.is_none() {
            return false;
        }
        if self.makes {
            for report in self.device.produce(DeviceTime::from_micros(now)) {
                self.say(now, report);
            }
        }
        self.feed(now, Input::Tick);
        self.awake.as_mut().is_some_and(|awake| {
            let stands = awake.opening.is_some_and(|at| at <= now);
            if stands {
                awake.opening = None;
            }
            stands
        })
    }

    pub(super) fn opened(&mut self, now: i64, connection: u64) {
        if let Some(awake) = &mut self.awake {
            awake.connection = Some(connection);
        }
        self.feed(now, Input::Opened);
    }

    pub(super) fn received(&mut self, now: i64, (connection, bytes): Piece) {
        if self.connection() != Some(connection) {
            return;
        }
        match bytes {
            Some(bytes) => self.feed(now, Input::Received(&bytes)),
            None => drop(self.lose(now)),
        }
    }

    fn say(&mut self, now: i64, report: Report) {
        let Some(awake) = &mut self.awake else { return };
        if awake.sequence.is_low() {
            awake.sequence.reserve(&mut self.flash).unwrap();
        }
        let number = awake.sequence.peek().unwrap();
        let run = awake.sequence.run();
        awake.sequence.advance();
        let mut frame = Vec::new();
        let header = Header { run, number, base: report.base(), clock: Clock::Synchronised };
        obhut_wire::encode(&header, &report.numerics, &report.raw_waves(), &mut frame).unwrap();
        let before = self.said.insert((run, number), report);
        assert_eq!(before, None, "a number was used twice");
        let mut effects = Vec::new();
        let monotonic = awake.monotonic(now);
        awake.core.offer(monotonic, number, frame, &mut effects);
        self.perform(now, effects);
    }

    fn feed(&mut self, now: i64, input: Input<'_>) {
        let Some(awake) = &mut self.awake else { return };
        let monotonic = awake.monotonic(now);
        let mut effects = Vec::new();
        awake.core.step(monotonic, input, &mut effects);
        if let Some(sync) = awake.core.flush(monotonic) {
            sync().unwrap();
        }
        self.perform(now, effects);
    }

    fn perform(&mut self, now: i64, effects: Vec<Effect>) {
        let mut unreachable = false;
        for effect in effects {
            let Some(awake) = &mut self.awake else { return };
            match effect {
                Effect::Open if self.link.is_on() => awake.opening = Some(now + 20_000),
                Effect::Open => unreachable = true,
                Effect::Write(bytes) => {
                    if let Some(connection) = awake.connection {
                        self.up.send(now, (connection, Some(bytes)));
                    }
                }
                Effect::Close => {
                    awake.opening = None;
                    if let Some(connection) = awake.connection.take() {
                        self.up.send(now, (connection, None));
                    }
                }
                _ => {}
            }
        }
        if unreachable {
            self.feed(now, Input::Lost(Lost::Network));
        }
    }

    /// The agent's own count of what it gave up.
    pub(super) fn given_up(&self) -> u64 {
        self.lost + self.awake.as_ref().map_or(0, |awake| awake.core.counters().lost + awake.core.counters().refused)
    }
}

impl Awake {
    fn monotonic(&self, now: i64) -> Monotonic {
        Monotonic(Duration::from_micros(now.saturating_sub(self.since).max(0).unsigned_abs()))
    }
}
