//! The server without its sockets: sessions, admission and the embedded store on a simulated disk.

use obhut_charter::rules::Rules;
use obhut_charter::{Charter, Date};
use obhut_gateway::admit::{Admission, Buffers};
use obhut_gateway::bindings::Stay;
use obhut_gateway::session::{Intake, Session, Taken};
use obhut_gateway::{BindingTable, Limits, Refusal};
use obhut_model::{BedId, DeviceId, DeviceTime, ModelId, ServerTime, Subject};
use obhut_sim::rng::Rng;
use obhut_store::disk::sim::{Fault, SimDisk};
use obhut_store::{
    Admitted, AppendError, Appended, DeviceRecord, DeviceState, EmbeddedStore, Health, Identity, Options, Position,
    Readings, Records, Sequence, Waiter,
};
use obhut_vault::SoftwareProvider;
use obhut_wire::{Frame, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a commit takes, in virtual time.
const COMMIT: i64 = 8_000;
/// How long a commit may take in real time before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

struct Connection {
    device: DeviceId,
    session: Session,
    admission: Admission,
    input: Vec<u8>,
    /// What waits for the disk.
    waiting: Vec<(Position, Sequence)>,
}

/// What goes back to a device.
pub(super) struct Reply {
    pub(super) connection: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) is_over: bool,
}

pub(super) struct Server {
    folder: TempDir,
    disk: SimDisk,
    store: Option<EmbeddedStore>,
    rules: Arc<Rules>,
    limits: Arc<Limits>,
    stays: BindingTable,
    models: BTreeMap<DeviceId, ModelId>,
    connections: BTreeMap<u64, Connection>,
    opened: u64,
    waiter: Arc<Waiter>,
    /// When what waits is to be durable.
    commit_at: Option<i64>,
    /// Everything a device was told is safe.
    pub(super) acknowledged: Vec<(DeviceId, Sequence)>,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) crashes: u64,
    pub(super) full: u64,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Server {
    /// A server under the demonstration's charter, with each device at a bed of its own and a patient in it.
    pub(super) fn new(seed: u64, devices: &[(DeviceId, ModelId)], from: DeviceTime) -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charters/demo.toml");
        let charter =
            Charter::parse("demo.toml", &std::fs::read_to_string(path).unwrap(), Date::new(2026, 12, 1).unwrap())
                .unwrap();
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            disk: SimDisk::new(seed, None),
            store: None,
            rules: Arc::new(charter.compile()),
            limits: Arc::default(),
            stays: BindingTable::default(),
            models: devices.iter().cloned().collect(),
            connections: BTreeMap::new(),
            opened: 0,
            waiter: Arc::default(),
            commit_at: None,
            acknowledged: Vec::new(),
            refused: BTreeMap::new(),
            crashes: 0,
            full: 0,
        };
        server.open();
        for (index, (device, model)) in devices.iter().enumerate() {
            server.settle_in(index, device, model, from);
        }
        let (places, subjects) = server.store().bindings().unwrap();
        server.stays = BindingTable::new(&places, &subjects);
        server
    }

    fn open(&mut self) {
        let options = Options {
            rotate_bytes: 192 << 10,
            retry_interval: Duration::from_millis(1),
            disk: Some(Arc::new(self.disk.clone())),
            ..Options::default()
        };
        let provider = Arc::new(SoftwareProvider::from_key([7; 32]).unwrap());
        let store = EmbeddedStore::open(self.folder.path(), provider, options).unwrap();
        store.set_retention(
            &self.rules.retention.iter().map(|class| (class.id.clone(), class.seconds)).collect::<Vec<_>>(),
        );
        self.store = Some(store);
        self.waiter = Arc::default();
    }

    fn settle_in(&mut self, index: usize, device: &DeviceId, model: &ModelId, from: DeviceTime) {
        let now = ServerTime::from_micros(from.micros());
        let record = DeviceRecord {
            id: device.clone(),
            model: model.clone(),
            serial: format!("S-{index}"),
            state: DeviceState::Invited,
            invited_at: now,
            enrolled_at: None,
            certificate: None,
            certificate_ends: None,
        };
        let bed = BedId::new(&format!("bed-{:02}", index + 1)).unwrap();
        let identity = Identity::of(&format!("Probe {index}"), "1950-01-01", &format!("R-{index}"));
        self.store().invite(&record, [index as u8; 32], now.plus_micros(900_000_000)).unwrap();
        self.store().place_device(device, &bed, from).unwrap();
        self.store().bind_patient(&identity, &bed, from).unwrap();
    }

    pub(super) fn store(&self) -> &EmbeddedStore {
        self.store.as_ref().unwrap()
    }

    pub(super) fn rules(&self, device: &DeviceId) -> &Arc<obhut_charter::rules::ModelRules> {
        &self.rules.models[&self.models[device]]
    }

    pub(super) fn subject(&self, device: &DeviceId) -> Subject {
        self.stays.stays(device).iter().find_map(|stay: &Stay| stay.subject).unwrap()
    }

    pub(super) fn next_due(&self) -> i64 {
        self.commit_at.unwrap_or(i64::MAX)
    }

    /// A device has opened a connection.
    pub(super) fn accept(&mut self, device: &DeviceId) -> u64 {
        self.opened += 1;
        let rules = self.rules(device).clone();
        let session = Session::new(device.clone(), self.limits.clone(), rules.payload_bytes_max + 200, None);
        let admission = Admission::new(device.clone(), rules, self.stays.stays(device), &self.limits);
        // A newer connection takes over.
        self.connections.retain(|_, connection| connection.device != *device);
        self.connections.insert(
            self.opened,
            Connection { device: device.clone(), session, admission, input: Vec::new(), waiting: Vec::new() },
        );
        self.opened
    }

    /// A connection broke.
    pub(super) fn lose(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }

    /// Bytes came in.
    pub(super) fn receive(&mut self, now: ServerTime, number: u64, bytes: &[u8]) -> Option<Reply> {
        let connection = self.connections.get_mut(&number)?;
        connection.input.extend_from_slice(bytes);
        let mut intake = Taking {
            now,
            device: &connection.device,
            admission: &mut connection.admission,
            store: self.store.as_ref().unwrap(),
            waiter: &self.waiter,
            waiting: &mut connection.waiting,
            refused: &mut self.refused,
        };
        let mut out = Vec::new();
        let done = connection.session.step(&connection.input, &mut intake, &mut out);
        if let Ok(used) = done {
            connection.input.drain(..used);
        }
        let immediate = connection.session.settle(Position::default(), &mut out);
        if !connection.waiting.is_empty() {
            self.commit_at.get_or_insert(now.micros() + COMMIT);
        }
        let is_over = done.is_err() || immediate.is_err();
        if is_over {
            self.connections.remove(&number);
        }
        Some(Reply { connection: number, bytes: out, is_over })
    }

    /// Acknowledges what the disk has taken. `None`: the store failed, as if the machine had crashed.
    pub(super) fn tick(&mut self, now: ServerTime) -> Option<Vec<Reply>> {
        if matches!(self.store().health(), Health::Failed(_)) {
            return None;
        }
        if self.commit_at.is_none_or(|due| due > now.micros()) {
            return Some(Vec::new());
        }
        self.commit_at = None;
        let target = self
            .connections
            .values()
            .flat_map(|connection| connection.waiting.iter().map(|(position, _)| *position))
            .max();
        let (durable, is_full) = self.wait_for(target.unwrap_or_default())?;
        let mut replies = Vec::new();
        for (&number, connection) in &mut self.connections {
            let mut out = Vec::new();
            let mut done = connection.session.settle(durable, &mut out).map(|_| ());
            let safe = connection.waiting.iter().filter(|(position, _)| *position <= durable);
            self.acknowledged.extend(safe.map(|(_, sequence)| (connection.device.clone(), *sequence)));
            connection.waiting.retain(|(position, _)| *position > durable);
            if is_full && done.is_ok() {
                done = connection.session.fail_waiting(Refusal::DiskFull, &mut out);
                connection.admission.forget_measured();
                connection.waiting.clear();
            }
            assert!(connection.waiting.is_empty());
            replies.push(Reply { connection: number, bytes: out, is_over: done.is_err() });
        }
        Some(replies)
    }

    /// Waits, in real time, until `target` is durable or cannot be. Virtual time stands still meanwhile.
    fn wait_for(&mut self, target: Position) -> Option<(Position, bool)> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let begun = Instant::now();
        loop {
            self.waiter.register(&waker);
            let durable = self.waiter.durable().max(self.store().durable());
            if durable >= target {
                return Some((durable, false));
            }
            match self.store().health() {
                Health::Good => {}
                Health::DiskFull => {
                    self.full += 1;
                    return Some((self.store().durable(), true));
                }
                Health::Failed(_) => return None,
            }
            assert!(begun.elapsed() < PATIENCE, "the store neither commits nor fails");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// A fault is to come at one of the next operations of the disk: the power goes, or there is no room for a while.
    pub(super) fn threaten(&mut self, rng: &mut Rng, full: bool) {
        let at = self.disk.operations() + rng.whole(0, 40) as u64;
        let operations = rng.whole(1, 60) as u64;
        let fault = if full && rng.chance(0.5) { Fault::Full { at, operations } } else { Fault::PowerCut { at } };
        self.disk.set_fault(Some(fault));
    }

    /// The power goes now, and comes back.
    pub(super) fn crash(&mut self) {
        self.disk.set_fault(Some(Fault::PowerCut { at: self.disk.operations() }));
        self.connections.clear();
        self.commit_at = None;
        drop(self.store.take());
        self.disk = self.disk.after_power_cut();
        self.open();
        self.crashes += 1;
    }

    /// The disk is good again.
    pub(super) fn mend(&mut self) {
        self.disk.set_fault(None);
    }
}

/// What the door's connection does with a publish, without screens.
struct Taking<'a> {
    now: ServerTime,
    device: &'a DeviceId,
    admission: &'a mut Admission,
    store: &'a EmbeddedStore,
    waiter: &'a Arc<Waiter>,
    waiting: &'a mut Vec<(Position, Sequence)>,
    refused: &'a mut BTreeMap<String, u64>,
}

impl Intake for Taking<'_> {
    fn publish(&mut self, topic: Topic, payload: &[u8]) -> Taken {
        if !self.admission.arrive(self.now) {
            self.refused(Refusal::RateMessages);
            return Taken::Refused(Refusal::RateMessages);
        }
        let (mut kept, mut failed) = (None, None);
        let refused = &mut *self.refused;
        let admitted = self.admission.admit(
            self.now,
            topic,
            payload,
            &mut Buffers::default(),
            &mut |why| *refused.entry(format!("{why:?}")).or_default() += 1,
            &mut |part| {
                let Some(subject) = part.subject else { return };
                let message = Admitted {
                    device: self.device,
                    subject,
                    sequence: part.sequence,
                    received: self.now,
                    numerics: part.numerics,
                    waves: part.waves,
                };
                match self.store.append(&message, self.waiter) {
                    Ok(Appended::At(position) | Appended::Duplicate(position)) => kept = kept.max(Some(position)),
                    Err(AppendError::DiskFull) => failed = Some(Refusal::DiskFull),
                    Err(AppendError::Behind) => failed = Some(Refusal::StoreBehind),
                    Err(_) => failed = Some(Refusal::StoreFailed),
                }
            },
        );
        match (admitted, failed, kept) {
            (Err(why), ..) => Taken::Refused(why),
            (Ok(_), Some(why), _) => {
                self.admission.forget_measured();
                Taken::Refused(why)
            }
            (Ok(_), None, Some(position)) => {
                let header = *Frame::decode(payload).unwrap().header();
                self.waiting.push((position, Sequence { run: header.run, number: header.number }));
                Taken::At(position)
            }
            (Ok(_), None, None) => Taken::Live,
        }
    }

    fn control(&mut self) -> Result<(), Refusal> {
        if self.admission.arrive(self.now) { Ok(()) } else { Err(Refusal::RateMessages) }
    }

    fn refused(&mut self, why: Refusal) {
        *self.refused.entry(format!("{why:?}")).or_default() += 1;
    }
}
