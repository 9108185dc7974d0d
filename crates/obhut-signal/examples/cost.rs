//! What a bed costs: microseconds for a second of ECG, pressure and plethysmogram at 250 Hz, one block a second, assessed every second.
//!
//! `cargo run --release -p obhut-signal --example cost`

use obhut_model::{Code, DeviceTime, Quality, SampleRate, Samples, Scale, Wave};
use obhut_signal::{Bed, Settings};
use std::f64::consts::TAU;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

const HERTZ: u16 = 250;
const SECONDS: usize = 3600;

/// A curve at time `t`, seconds; 75 beats a minute.
fn curve(code: Code, t: f64) -> f64 {
    let phase = (t * 1.25).fract();
    let bump = |at: f64, width: f64| (-((phase - at) / width).powi(2)).exp();
    let tremble = (t * 977.0).sin() * 0.01;
    match code {
        Code::ECG_LEAD_II => bump(0.3, 0.012) - 0.2 * bump(0.33, 0.012) + 0.25 * bump(0.6, 0.05) + tremble,
        Code::PRESS_BLD_ART_ABP => {
            80.0 + 40.0 * bump(0.5, 0.1) + 12.0 * bump(0.75, 0.06) + 3.0 * (t * 0.25 * TAU).sin() + tremble
        }
        _ => 0.5 + 0.3 * bump(0.6, 0.13) + tremble / 10.0,
    }
}

fn main() -> ExitCode {
    let Some(rate) = SampleRate::from_hertz(HERTZ) else { return ExitCode::FAILURE };
    let channels = [
        (Code::ECG_LEAD_II, Scale { gain: 1000.0, baseline: 0 }),
        (Code::PRESS_BLD_ART_ABP, Scale { gain: 20.0, baseline: 0 }),
        (Code::PULS_OXIM_PLETH, Scale { gain: 4096.0, baseline: 0 }),
    ];
    let per_second = usize::from(HERTZ);
    let blocks: Vec<Vec<Vec<u8>>> = channels
        .iter()
        .map(|(code, scale)| {
            let sample = |n: usize| (curve(*code, n as f64 / f64::from(HERTZ)) * scale.gain).round() as i16;
            let second = |s: usize| (0..per_second).flat_map(|n| sample(s * per_second + n).to_le_bytes()).collect();
            (0..SECONDS).map(second).collect()
        })
        .collect();
    let mut bed = Bed::new(Settings::published());
    let mut beats = 0;
    let mut slowest = 0;
    let began = Instant::now();
    for second in 0..SECONDS {
        let one = Instant::now();
        let start = DeviceTime::from_micros(second as i64 * 1_000_000);
        for ((code, scale), blocks) in channels.iter().zip(&blocks) {
            let Some(samples) = blocks.get(second).and_then(|bytes| Samples::from_le_bytes(bytes)) else { continue };
            let wave = Wave { code: *code, start, rate, scale: *scale, quality: Quality::GOOD, samples };
            if let Err(refused) = bed.push(&wave) {
                eprintln!("{refused}");
                return ExitCode::FAILURE;
            }
        }
        let known = black_box(bed.assess(start.plus_micros(1_000_000)));
        beats += usize::from(known.heart_rate.is_some_and(|rate| (rate.value - 75.0).abs() < 1.0));
        slowest = slowest.max(one.elapsed().as_micros());
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / SECONDS as f64;
    println!(
        "{SECONDS} s of 3 channels at {HERTZ} Hz: {each:.1} us a second, slowest second {slowest} us, {} bytes; 75/min seen in {beats} s; \
         500 beds: {:.3} of one core",
        bed.bytes(),
        each * 500.0 / 1e6
    );
    ExitCode::SUCCESS
}
