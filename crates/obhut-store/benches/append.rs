//! What an append costs: CPU of the calling thread and of the whole process per message, and how many a second become durable.
//!
//! `cargo bench -p obhut-store` on the disk that `TMPDIR` names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement may stop at the first surprise"
)]

use obhut_model::{
    BedId, Code, Decimal, DeviceId, DeviceTime, Numeric, Quality, SampleRate, Samples, Scale, ServerTime, Subject, Wave,
};
use obhut_store::{
    Admitted, AppendError, Appended, EmbeddedStore, Identity, Options, Position, Readings, Records, RetentionClass,
    Sequence, Waiter,
};
use obhut_vault::SoftwareProvider;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

/// Nanoseconds on a processor so far, of this thread.
fn thread_cpu() -> f64 {
    on_processor("/proc/thread-self/schedstat")
}

/// And of all threads of this process that still run.
fn process_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| on_processor(&format!("{}/schedstat", task.unwrap().path().display()))).sum()
}

fn on_processor(path: &str) -> f64 {
    std::fs::read_to_string(path).unwrap().split(' ').next().unwrap().parse().unwrap()
}

struct Source {
    device: DeviceId,
    subject: Subject,
    waiter: Arc<Waiter>,
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let provider = Arc::new(SoftwareProvider::from_key([1; 32]).unwrap());
    let store = EmbeddedStore::open(dir.path(), provider, Options::default()).unwrap();
    store.set_retention(&[("trend".into(), 86_400), ("wave".into(), 3600)]);
    let sources: Vec<Source> = (0..50)
        .map(|n| {
            let identity = Identity::of(&format!("N{n}"), "2000-01-01", &n.to_string());
            let subject = store
                .bind_patient(&identity, &BedId::new(&format!("bed-{n}")).unwrap(), DeviceTime::from_micros(0))
                .unwrap();
            Source { device: DeviceId::new(&format!("mon-{n}")).unwrap(), subject, waiter: Arc::default() }
        })
        .collect();
    let mut number = 0;
    for (name, shape, total) in [
        ("1 numeric, as fast as it goes", (1, 0, u64::MAX), 2_000_000),
        ("1 numeric, 1,000 in flight", (1, 0, 1000), 1_000_000),
        ("8 numerics, 1,000 in flight", (8, 0, 1000), 500_000),
        ("1 wave of 1 KiB, 1,000 in flight", (0, 512, 1000), 100_000),
    ] {
        run(&store, &sources, name, shape, total, &mut number);
    }
    let started = Instant::now();
    store.close().unwrap();
    println!("closing took {:.2} s", started.elapsed().as_secs_f64());
}

fn run(
    store: &EmbeddedStore,
    sources: &[Source],
    name: &str,
    (numerics, samples, in_flight): (usize, usize, u64),
    total: u64,
    number: &mut u64,
) {
    let me = Waker::from(Arc::new(Unpark(std::thread::current())));
    let bytes: Vec<u8> =
        (0..samples.min(512)).flat_map(|i| ((((i as f64) / 9.0).sin() * 300.0) as i16).to_le_bytes()).collect();
    let (begin, caller, process) = (Instant::now(), thread_cpu(), process_cpu());
    let (mut commits, mut durable, mut behind) = (0u64, Position(0), 0u64);
    let mut last = Position(0);
    for _ in 0..total {
        *number += 1;
        let source = &sources[usize::try_from(*number).unwrap() % sources.len()];
        // A wave goes on where the last of the same device ended: 512 samples at 250 Hz.
        let turn = i64::try_from(*number).unwrap() / i64::try_from(sources.len()).unwrap();
        let taken_at = DeviceTime::from_micros(1_764_000_000_000_000 + turn * 2_048_000);
        let step = Decimal::new(1, 0).unwrap();
        let value = (
            Numeric { code: Code::ECG_HEART_RATE, taken_at, steps: Some(70), step, quality: Quality::GOOD },
            RetentionClass(0),
        );
        let wave = Wave {
            code: Code::ECG_LEAD_II,
            start: taken_at,
            rate: SampleRate::from_hertz(250).unwrap(),
            scale: Scale { gain: 200.0, baseline: 0 },
            quality: Quality::GOOD,
            samples: Samples::from_le_bytes(&bytes).unwrap(),
        };
        let (values, waves) = ([value; 8], [(wave, RetentionClass(1)); 2]);
        let sequence = Some(Sequence { run: 1, number: *number });
        let message = Admitted {
            device: &source.device,
            subject: source.subject,
            sequence,
            received: ServerTime::from_micros(0),
            numerics: &values[..numerics],
            waves: &waves[..samples.div_ceil(512)],
        };
        loop {
            match store.append(&message, &source.waiter) {
                Ok(Appended::At(position) | Appended::Duplicate(position)) => last = position,
                Err(AppendError::Behind) => {
                    behind += 1;
                    std::thread::yield_now();
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            break;
        }
        while last.0 - store.durable().0 > in_flight {
            let waiter = &source.waiter;
            waiter.register(&me);
            if last.0 - store.durable().0 > in_flight {
                std::thread::park();
            }
        }
        let now = store.durable();
        commits += u64::from(now != durable);
        durable = now;
    }
    let caller = thread_cpu() - caller;
    while store.durable() < last {
        std::thread::yield_now();
    }
    let seconds = begin.elapsed().as_secs_f64();
    let process = process_cpu() - process;
    println!(
        "{name}: caller {:.0} ns, process {:.0} ns CPU per append; {:.0} durable/s, at least {:.0} commits/s, {behind} times behind",
        caller / total as f64,
        process / total as f64,
        total as f64 / seconds,
        commits as f64 / seconds
    );
}
