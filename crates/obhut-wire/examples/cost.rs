//! Prints what reading one payload costs. `cargo run --release -p obhut-wire --example cost`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not part of the product")]

use obhut_model::{Code, Decimal, DeviceId, DeviceTime, Quality, SampleRate, Samples, Scale};
use obhut_wire::{Clock, Frame, Header, RawNumeric, RawWave, encode, senml};
use std::hint::black_box;
use std::time::Instant;

fn measure(name: &str, bytes: usize, mut work: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        (0..20_000).for_each(|_| work());
        best = best.min(start.elapsed().as_secs_f64() / 20_000.0);
    }
    println!("{name}: {bytes} B, {:.0} ns", best * 1e9);
}

fn main() {
    let device = DeviceId::new("mon-01").unwrap();
    let now = DeviceTime::from_micros(1_764_000_000_000_000);
    let one = r#"[{"bn":"urn:obhut:device:mon-01:","bt":1764000000.123,"bver":10,"n":"MDC_ECG_HEART_RATE","u":"beat/min","v":72.5,"note":"ward 3, bed 1, fixed monitor, standard settings, firmware 4.2.1"}]"#;
    let two = r#"[{"bn":"urn:obhut:device:mon-01:","bt":1764000000.123,"n":"MDC_ECG_HEART_RATE","u":"/min","v":72},{"n":"MDC_PULS_OXIM_SAT_O2","u":"%","v":97.5,"t":-0.25}]"#;
    let short = r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72,"t":1764000000.123}]"#;
    for (name, text) in
        [("senml, one record padded", one), ("senml, two records", two), ("senml, one short record", short)]
    {
        measure(name, text.len(), || {
            senml::decode(black_box(text.as_bytes()), &device, now, |record| {
                black_box(record.unwrap());
            })
            .unwrap();
        });
    }
    let samples = vec![7u8; 500];
    let numerics: Vec<_> = (0..8)
        .map(|i| RawNumeric {
            code: Code::new(147_842 + i),
            taken_at: now,
            value: Decimal::new(725, -1).ok(),
            quality: Quality::GOOD,
        })
        .collect();
    let wave = RawWave {
        code: Code::ECG_LEAD_II,
        start: now,
        rate: SampleRate::from_hertz(250).unwrap(),
        scale: Scale { gain: 200.0, baseline: 0 },
        quality: Quality::GOOD,
        samples: Samples::from_le_bytes(&samples).unwrap(),
    };
    let header = Header { run: 1, number: 1, base: now, clock: Clock::Synchronised };
    let mut frame = Vec::new();
    encode(&header, &numerics, &[wave; 4], &mut frame).unwrap();
    measure("frame, 8 numerics and 4 waves, checked and walked", frame.len(), || {
        let read = Frame::decode(black_box(&frame)).unwrap();
        read.numerics().for_each(|n| {
            black_box(n);
        });
        read.waves().for_each(|w| {
            black_box(w);
        });
    });
    let mut out = Vec::with_capacity(frame.len());
    measure("frame, written", frame.len(), || {
        out.clear();
        encode(black_box(&header), &numerics, &[wave; 4], &mut out).unwrap();
    });
}
