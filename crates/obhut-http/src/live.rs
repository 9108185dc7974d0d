//! The live ward: what every bed shows now, in memory, beside storage.
//!
//! The gateway hands in each admitted reading before it is stored; pages get waves and numbers ten times a second. Nothing here waits for a
//! disk, a database or a slow page: a page that cannot keep up loses waves and is sent the newest numbers instead.
//! It is *not* the record: what is shown may not be durable yet, and what nobody watches is not kept.
//!
//! INVARIANT: a value leaves here with the time it was taken; whether it is still current is decided by the reader from that time, the
//! stream's period and the tick, never assumed.
//!
//! INVARIANT: what was measured on one patient is never shown at the bed of the next: a value from before the bed was taken, or before the device
//! came to it, is dropped when the plan changes and not let in afterwards.

mod encode;
mod plan;

pub use plan::{LiveDevice, Plan, PlanBed};

use arc_swap::ArcSwap;
use bytes::Bytes;
use encode::WaveBatch;
use obhut_charter::rules::Rules;
use obhut_gateway::{Clock, LiveSink, SessionEvent};
use obhut_model::{BedId, Code, DeviceId, DeviceTime, Numeric, ServerTime, Subject, Wave};
use obhut_store::DeviceState;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::broadcast;

/// How often pages are sent what is new, in real time.
pub const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How many flushes make a tick: one second.
const FLUSHES_PER_TICK: u64 = 10;
/// Messages a page may lag behind before it is sent a snapshot instead: about three seconds.
const LAG_MAX: usize = 64;
/// Wave bytes one device may have waiting for the next flush; the oldest block goes first.
const WAVE_BYTES_MAX: usize = 64 * 1024;
/// A session that has sent nothing for this long is silent, unless its own values are due less often.
const SILENT_AFTER_MICROS: i64 = 4_000_000;

/// The state of parts a page must know about; set by the program, shown in every tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemState {
    /// `good`, `disk_full`, `failed`.
    pub store: &'static str,
    /// `in_force`, `reload_refused`.
    pub charter: &'static str,
    /// Refusals by stable name; only those that are not zero.
    pub refused: Vec<(&'static str, u64)>,
    /// Messages admitted since the start.
    pub frames: u64,
}

/// One stream as it was last seen.
#[derive(Debug, Clone)]
struct Stream {
    index: u16,
    code: Code,
    /// Set for waveforms: microhertz, gain, baseline.
    wave: Option<(u32, f64, i32)>,
    /// Digits after the point, for numerics.
    places: usize,
    newest: Option<Numeric>,
    unsent: bool,
}

/// What is known of one device while it lives.
#[derive(Debug, Default)]
struct DeviceLive {
    online: AtomicBool,
    heard: AtomicU64,
    /// Nothing measured before is shown, microseconds of ward time.
    shown_from: AtomicI64,
    inner: Mutex<DeviceInner>,
}

impl DeviceLive {
    /// Forgets what was measured before `from`, and shows nothing of it that still comes.
    fn show_from(&self, from: Option<DeviceTime>) {
        let from = from.map_or(i64::MIN, DeviceTime::micros);
        if self.shown_from.swap(from, Ordering::AcqRel) == from {
            return;
        }
        let mut inner = self.inner.lock();
        inner.waves = WaveBatch::default();
        for stream in &mut inner.streams {
            if stream.newest.is_some_and(|newest| newest.taken_at.micros() < from) {
                stream.newest = None;
                stream.unsent = false;
            }
        }
    }
}

#[derive(Debug, Default)]
struct DeviceInner {
    streams: Vec<Stream>,
    waves: WaveBatch,
    shortest_period: i64,
}

/// The ward as pages see it.
pub struct LiveWard {
    clock: Arc<dyn Clock>,
    speed: f64,
    plan: ArcSwap<Plan>,
    rules: ArcSwap<Rules>,
    devices: ArcSwap<HashMap<DeviceId, Arc<DeviceLive>>>,
    registry: Mutex<()>,
    next_stream: AtomicU16,
    dirty: AtomicBool,
    clients: AtomicUsize,
    sender: broadcast::Sender<Bytes>,
    system: Box<dyn Fn() -> SystemState + Send + Sync>,
    also: OnceLock<Also>,
}

/// What every new page is sent beside the live values.
type Also = Box<dyn Fn() -> Option<Bytes> + Send + Sync>;

impl std::fmt::Debug for LiveWard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveWard").field("clients", &self.clients).finish_non_exhaustive()
    }
}

/// A page's subscription; ends when dropped.
#[derive(Debug)]
pub struct Subscription {
    ward: Arc<LiveWard>,
    receiver: broadcast::Receiver<Bytes>,
}

impl LiveWard {
    /// Makes a ward without devices. `speed` is how many seconds of ward time pass in one real second; `system` is asked once a second.
    pub fn new(
        clock: Arc<dyn Clock>,
        speed: f64,
        plan: Plan,
        rules: Arc<Rules>,
        system: Box<dyn Fn() -> SystemState + Send + Sync>,
    ) -> Arc<Self> {
        let (sender, _) = broadcast::channel(LAG_MAX);
        let ward = Self {
            clock,
            speed,
            plan: ArcSwap::from_pointee(Plan::default()),
            rules: ArcSwap::from(rules),
            devices: ArcSwap::from_pointee(HashMap::new()),
            registry: Mutex::new(()),
            next_stream: AtomicU16::new(0),
            dirty: AtomicBool::new(false),
            clients: AtomicUsize::new(0),
            sender,
            system,
            also: OnceLock::new(),
        };
        let ward = Arc::new(ward);
        ward.set_plan(plan);
        ward
    }

    /// Replaces beds, devices and who is where. Streams of devices that are gone are forgotten.
    pub fn set_plan(&self, plan: Plan) {
        let guard = self.registry.lock();
        if **self.plan.load() == plan {
            return;
        }
        let old = self.devices.load();
        let kept = plan.devices.iter().map(|device| {
            (device.id.clone(), old.get(&device.id).cloned().unwrap_or_else(|| Arc::new(DeviceLive::default())))
        });
        let kept: HashMap<DeviceId, Arc<DeviceLive>> = kept.collect();
        for device in &plan.devices {
            if let Some(live) = kept.get(&device.id) {
                live.show_from(plan.shown_from(device));
            }
        }
        self.devices.store(Arc::new(kept));
        self.plan.store(Arc::new(plan));
        drop(guard);
        self.dirty.store(true, Ordering::Release);
    }

    /// Replaces the rules, from which the periods of streams come.
    pub fn set_rules(&self, rules: Arc<Rules>) {
        self.rules.store(rules);
        self.dirty.store(true, Ordering::Release);
    }

    /// Sends this message to every new or lagging page, too, after the layout.
    pub fn send_also(&self, also: Box<dyn Fn() -> Option<Bytes> + Send + Sync>) {
        let _ = self.also.set(also);
    }

    /// Sends a message to every page at once.
    pub fn publish(&self, message: Bytes) {
        self.send(message);
    }

    /// How many pages are connected.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Runs the flush loop until the ward is dropped by everybody else; spawn it once.
    pub async fn run(self: Arc<Self>) {
        let mut beat = tokio::time::interval(FLUSH_EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut round = 0u64;
        loop {
            beat.tick().await;
            if Arc::strong_count(&self) == 1 {
                return;
            }
            round = round.wrapping_add(1);
            if self.clients() == 0 {
                continue;
            }
            self.flush(round.is_multiple_of(FLUSHES_PER_TICK));
        }
    }

    fn flush(&self, tick: bool) {
        if self.dirty.swap(false, Ordering::AcqRel) {
            self.send(self.layout_message());
        }
        let (waves, numbers) = self.collect_new();
        if let Some(waves) = waves {
            self.send(waves);
        }
        if let Some(numbers) = numbers {
            self.send(numbers);
        }
        if tick {
            self.send(self.tick_message());
        }
    }

    fn send(&self, message: Bytes) {
        // An error only says that nobody is listening any more.
        let _ = self.sender.send(message);
    }

    fn collect_new(&self) -> (Option<Bytes>, Option<Bytes>) {
        let devices = self.devices.load();
        let mut waves = WaveBatch::default();
        let mut numbers = Vec::new();
        for device in devices.values() {
            let mut inner = device.inner.lock();
            waves.take_from(&mut inner.waves);
            for stream in &mut inner.streams {
                if let Some(newest) = stream.newest.filter(|_| std::mem::take(&mut stream.unsent)) {
                    numbers.push((stream.index, newest));
                }
            }
        }
        let now = self.clock.now();
        (waves.into_message(), (!numbers.is_empty()).then(|| encode::numbers(now, &numbers)))
    }

    /// Everything a new or lagging page needs before the stream goes on.
    fn snapshot(&self) -> Vec<Bytes> {
        let mut newest = Vec::new();
        for device in self.devices.load().values() {
            let inner = device.inner.lock();
            newest.extend(inner.streams.iter().filter_map(|stream| stream.newest.map(|value| (stream.index, value))));
        }
        let mut all = vec![self.layout_message(), encode::numbers(self.clock.now(), &newest), self.tick_message()];
        all.extend(self.also.get().and_then(|also| also()));
        all
    }

    fn layout_message(&self) -> Bytes {
        let (plan, rules) = (self.plan.load(), self.rules.load());
        let mut streams: HashMap<DeviceId, Vec<encode::StreamView>> = HashMap::new();
        for (id, device) in self.devices.load().iter() {
            let model = plan.devices.iter().find(|d| d.id == *id).and_then(|d| rules.models.get(&d.model));
            let mut inner = device.inner.lock();
            let mut views: Vec<_> = inner
                .streams
                .iter()
                .map(|stream| encode::StreamView {
                    index: stream.index,
                    code: stream.code,
                    wave: stream.wave,
                    places: stream.places,
                    period_micros: model.and_then(|m| m.stream(stream.code)).map_or(0, |rule| rule.period_micros),
                })
                .collect();
            views.sort_by_key(|view| view.code);
            inner.shortest_period =
                views.iter().filter(|v| v.wave.is_none()).map(|v| v.period_micros).min().unwrap_or(0);
            streams.insert(id.clone(), views);
        }
        encode::layout(&plan, &rules, &streams, self.clock.now(), self.speed)
    }

    fn tick_message(&self) -> Bytes {
        let now = self.clock.now();
        let plan = self.plan.load();
        let devices = self.devices.load();
        let states: Vec<_> = plan
            .devices
            .iter()
            .map(|device| {
                let live = devices.get(&device.id);
                let heard = live.map_or(0, |l| l.heard.load(Ordering::Relaxed));
                (device.id.clone(), device_state(device.state, live.map(|l| &**l), now, self.speed), heard)
            })
            .collect();
        encode::tick(now, &states, &(self.system)(), self.clients())
    }

    fn device(&self, id: &DeviceId) -> Option<Arc<DeviceLive>> {
        self.devices.load().get(id).cloned()
    }

    fn new_stream(&self, streams: &mut Vec<Stream>, code: Code) -> usize {
        let index = self.next_stream.fetch_add(1, Ordering::Relaxed);
        streams.push(Stream { index, code, wave: None, places: 0, newest: None, unsent: false });
        self.dirty.store(true, Ordering::Release);
        streams.len() - 1
    }
}

/// What a tick says of a device.
fn device_state(record: DeviceState, live: Option<&DeviceLive>, now: ServerTime, speed: f64) -> &'static str {
    match record {
        DeviceState::Revoked => return "revoked",
        DeviceState::Invited => return "invited",
        DeviceState::Enrolled => {}
    }
    let Some(live) = live.filter(|live| live.online.load(Ordering::Relaxed)) else { return "offline" };
    let heard = i64::try_from(live.heard.load(Ordering::Relaxed)).unwrap_or(0);
    // The bound is in real seconds: a ward that runs faster for a demonstration is as dead after four of them.
    let floor = scaled(SILENT_AFTER_MICROS, speed);
    let patience = floor.max(live.inner.lock().shortest_period.saturating_mul(2));
    if now.micros().saturating_sub(heard) > patience { "silent" } else { "online" }
}

fn scaled(micros: i64, speed: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds times a small factor")]
    let scaled = (micros as f64 * speed.max(1.0)) as i64;
    scaled
}

impl LiveSink for LiveWard {
    fn readings(
        &self,
        device: &DeviceId,
        _: Option<&BedId>,
        _: Option<Subject>,
        numerics: &[Numeric],
        waves: &[Wave<'_>],
    ) {
        let devices = self.devices.load();
        let Some(live) = devices.get(device) else { return };
        let now = self.clock.now();
        live.heard.store(u64::try_from(now.micros()).unwrap_or(0), Ordering::Relaxed);
        let watched = self.clients() > 0;
        let from = live.shown_from.load(Ordering::Acquire);
        let mut inner = live.inner.lock();
        let DeviceInner { streams, waves: batch, .. } = &mut *inner;
        for numeric in numerics {
            let at = match streams.iter().position(|s| s.code == numeric.code) {
                Some(at) => at,
                None => self.new_stream(streams, numeric.code),
            };
            let Some(stream) = streams.get_mut(at) else { continue };
            stream.places = numeric.step.places();
            // A value from the device's buffer must not replace a newer one.
            let own = numeric.taken_at.micros() >= from;
            if own && stream.newest.is_none_or(|newest| newest.taken_at <= numeric.taken_at) {
                stream.newest = Some(*numeric);
                stream.unsent = true;
            }
        }
        for wave in waves {
            let at = match streams.iter().position(|s| s.code == wave.code) {
                Some(at) => at,
                None => self.new_stream(streams, wave.code),
            };
            let Some(stream) = streams.get_mut(at) else { continue };
            let meaning = (wave.rate.microhertz(), wave.scale.gain, wave.scale.baseline);
            if stream.wave != Some(meaning) {
                stream.wave = Some(meaning);
                self.dirty.store(true, Ordering::Release);
            }
            let own = wave.start.micros() >= from;
            if watched && own && !wave.quality.has(obhut_model::Quality::LATE) {
                batch.push(stream.index, wave, WAVE_BYTES_MAX);
            }
        }
    }

    fn session(&self, device: &DeviceId, event: SessionEvent) {
        if let Some(live) = self.device(device) {
            live.online.store(matches!(event, SessionEvent::Online), Ordering::Relaxed);
        }
    }
}

impl Subscription {
    /// Joins the stream of `ward`.
    #[must_use]
    pub fn new(ward: Arc<LiveWard>) -> (Self, Vec<Bytes>) {
        let receiver = ward.sender.subscribe();
        ward.clients.fetch_add(1, Ordering::Relaxed);
        let snapshot = ward.snapshot();
        (Self { ward, receiver }, snapshot)
    }

    /// The next messages: usually one; after a lag, a snapshot. `None` when the ward is gone.
    pub async fn next(&mut self) -> Option<Vec<Bytes>> {
        match self.receiver.recv().await {
            Ok(message) => Some(vec![message]),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(self.ward.snapshot()),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.ward.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
