//! One patient among many: fills a store, erases one patient, prints how long it took, and searches the disk for what should be gone.
//!
//! `cargo run --release -p obhut-store --example erase -- [READINGS] [PATIENTS] [DIR]`; 10,000,000 readings of 200 patients by default.
//! Asked: key ≤ 1 s, everything ≤ 60 s, 0 hits.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement, not part of the program")]

use obhut_model::*;
use obhut_store::*;
use obhut_vault::SoftwareProvider;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const IN_MESSAGE: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let (readings, patients) = (number(0, 10_000_000), number(1, 200));
    let temporary = tempfile::tempdir().unwrap();
    let dir = arguments.get(2).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let provider = Arc::new(SoftwareProvider::from_key([7; 32]).unwrap());
    let options = Options { rotate_after: Duration::from_secs(5), ..Options::default() };
    let store = EmbeddedStore::open(&dir, provider, options).unwrap();
    store.set_retention(&[("trend".into(), 1_000_000_000)]);
    let subjects: Vec<Subject> = (0..patients).map(|n| bind(&store, n)).collect();

    let began = Instant::now();
    fill(&store, &subjects, readings);
    println!("{readings} readings of {patients} patients: {:.1} s", began.elapsed().as_secs_f64());

    let chosen = subjects[subjects.len() / 2];
    let codes = store.codes(chosen).unwrap();
    println!("of the one: from {} to {} s", codes[0].1.micros() / 1_000_000, codes[0].2.micros() / 1_000_000);
    let began = Instant::now();
    let destroyed = store.destroy_key(chosen).unwrap();
    println!("key destroyed:  {:.4} s", destroyed.took.as_secs_f64());
    let erased = store.erase_bytes(destroyed, &mut |_, _| {}).unwrap();
    store.rotate_keys().unwrap();
    let residue = store.residue(chosen).unwrap();
    println!(
        "all destroyed:  {:.3} s ({} chunks, {} messages, {} bytes overwritten, {} database files still name the patient)",
        began.elapsed().as_secs_f64(),
        erased.chunks,
        erased.messages,
        erased.bytes,
        residue.len()
    );
    let text = chosen.to_string();
    let found = hits(&dir, &[chosen.as_bytes(), text.as_bytes(), b"Musterfrau-100"]);
    println!("search of the disk: {} hits", found.len());
    assert!(residue.is_empty() && found.is_empty(), "{residue:?} {found:?}");
}

fn bind(store: &EmbeddedStore, n: u64) -> Subject {
    let identity = Identity {
        family: format!("Musterfrau-{n}"),
        birth_date: "1964-08-12".into(),
        record_number: format!("KIS-{n}"),
        ..Identity::default()
    };
    store.bind_patient(&identity, &BedId::new(&format!("bed-{n}")).unwrap(), DeviceTime::from_micros(0)).unwrap()
}

fn fill(store: &EmbeddedStore, subjects: &[Subject], readings: u64) {
    let device = DeviceId::new("mon-1").unwrap();
    let (waiter, step) = (Arc::new(Waiter::default()), Decimal::new(1, -1).unwrap());
    let mut last = Position(0);
    for message in 0..readings / IN_MESSAGE {
        let subject = subjects[message as usize % subjects.len()];
        // Each patient gets a hundred seconds of values, then the next hundred.
        let start = (message / subjects.len() as u64 * IN_MESSAGE) as i64 * 1_000_000;
        let numerics: Vec<_> = (0..IN_MESSAGE as i64)
            .map(|n| {
                let taken_at = DeviceTime::from_micros(start + n * 1_000_000);
                let steps = Some((n % 40) as i32 + 360);
                (Numeric { code: Code::TEMP, taken_at, steps, step, quality: Quality::GOOD }, RetentionClass(0))
            })
            .collect();
        let sequence = Some(Sequence { run: 1, number: message + 1 });
        let received = ServerTime::from_micros(1);
        let admitted = Admitted { device: &device, subject, sequence, received, numerics: &numerics, waves: &[] };
        loop {
            match store.append(&admitted, &waiter) {
                Ok(Appended::At(position) | Appended::Duplicate(position)) => {
                    last = position;
                    break;
                }
                Err(AppendError::Behind) => std::thread::park_timeout(Duration::from_millis(1)),
                Err(error) => unreachable!("{error}"),
            }
        }
    }
    while waiter.durable() < last {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn hits(dir: &Path, needles: &[&[u8]]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(hits(&path, needles));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let holds = |needle: &&[u8]| {
                bytes.iter().enumerate().any(|(at, byte)| *byte == needle[0] && bytes[at..].starts_with(needle))
            };
            if needles.iter().any(holds) {
                out.push(path);
            }
        }
    }
    out
}
