//! Tests of the whole store, on the real disk and on simulated ones.

mod alarms;
mod basic;
mod changes;
mod erasing;
mod model;
mod records;
mod retention;
mod samples;
mod torture;
mod vault;

use crate::api::*;
use crate::disk::Disk;
use crate::{EmbeddedStore, Identity, Options};
use obhut_model::*;
use obhut_vault::SoftwareProvider;
use std::path::Path;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// Nothing here may take longer than this.
const DEADLINE: Duration = Duration::from_secs(60);
const HZ250: u16 = 250;

fn provider() -> Arc<SoftwareProvider> {
    Arc::new(SoftwareProvider::from_key([7; 32]).unwrap())
}

/// Rotates only by hand or by closing, unless a test says otherwise.
fn options() -> Options {
    Options {
        rotate_after: Duration::from_secs(3600),
        journal_step_bytes: 8192,
        retry_interval: Duration::from_millis(2),
        ..Options::default()
    }
}

fn open(dir: &Path) -> EmbeddedStore {
    open_with(dir, options())
}

fn open_with(dir: &Path, options: Options) -> EmbeddedStore {
    EmbeddedStore::open(dir, provider(), options).unwrap()
}

fn on(disk: &Arc<dyn Disk>) -> Options {
    Options { disk: Some(disk.clone()), ..options() }
}

fn tempdir() -> tempfile::TempDir {
    // Syncing is what the simulated disk is for; here memory is fast and right.
    if Path::new("/dev/shm").is_dir() {
        tempfile::tempdir_in("/dev/shm").unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn at(micros: i64) -> DeviceTime {
    DeviceTime::from_micros(micros)
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn patient(n: u32) -> Identity {
    Identity::of(&format!("Erika Musterfrau-{n}"), "1964-08-12", &format!("KIS-0815-{n}"))
}

fn bind(store: &EmbeddedStore, n: u32) -> Subject {
    store.bind_patient(&patient(n), &BedId::new(&format!("bed-{n}")).unwrap(), at(0)).unwrap()
}

fn numeric(code: Code, micros: i64, steps: Option<i32>) -> (Numeric, RetentionClass) {
    let step = Decimal::new(1, -1).unwrap();
    (Numeric { code, taken_at: at(micros), steps, step, quality: Quality::GOOD }, RetentionClass(0))
}

const SCALE: Scale = Scale { gain: 200.0, baseline: 0 };

fn wave(code: Code, start: i64, samples: &[u8]) -> (Wave<'_>, RetentionClass) {
    let rate = SampleRate::from_hertz(HZ250).unwrap();
    let samples = Samples::from_le_bytes(samples).unwrap();
    (Wave { code, start: at(start), rate, scale: SCALE, quality: Quality::GOOD, samples }, RetentionClass(1))
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn message<'a>(
    device: &'a DeviceId,
    subject: Subject,
    number: u64,
    numerics: &'a [(Numeric, RetentionClass)],
    waves: &'a [(Wave<'a>, RetentionClass)],
) -> Admitted<'a> {
    let sequence = Some(Sequence { run: 1, number });
    Admitted { device, subject, sequence, received: ServerTime::from_micros(1), numerics, waves }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits until `waiter` was told `position`; `false` if the store cannot.
fn durable(store: &EmbeddedStore, waiter: &Waiter, position: Position) -> bool {
    let until = Instant::now() + DEADLINE;
    loop {
        waiter.register(&Waker::from(Arc::new(Unpark(std::thread::current()))));
        if waiter.durable() >= position {
            return true;
        }
        if store.health() != Health::Good {
            return false;
        }
        assert!(Instant::now() < until, "not durable in time");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < until, "{what} did not happen in time");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn put(store: &EmbeddedStore, message: &Admitted<'_>) -> Appended {
    let waiter = Arc::new(Waiter::default());
    let appended = store.append(message, &waiter).unwrap();
    let (Appended::At(position) | Appended::Duplicate(position)) = appended;
    assert!(durable(store, &waiter, position), "{:?}", store.health());
    appended
}

/// What is kept, value by value: time, and steps or sample.
fn values(store: &EmbeddedStore, subject: Subject, code: Code) -> Vec<(i64, Option<i32>)> {
    let mut out = Vec::new();
    for run in store.runs(subject, code, TimeRange::ALL).unwrap() {
        match run {
            Run::Numerics { values, .. } => out.extend(values.iter().map(|v| (v.0.micros(), v.1))),
            Run::Waveform { start, rate, samples, .. } => {
                out.extend(
                    (0u64..).zip(samples).map(|(i, s)| (start.micros() + rate.offset_micros(i), Some(i32::from(s)))),
                );
            }
        }
    }
    out.sort_unstable();
    out
}
