//! Prints what is known about a WFDB record, second by second: quality, rates, conditions, and what verification would say.
//!
//! `cargo run -p obhut-signal --example look -- FOLDER RECORD [EVERY_SECONDS]`

mod record;

use obhut_model::DeviceTime;
use obhut_signal::{Bed, Claim, Settings};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(folder), Some(name)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("usage: look FOLDER RECORD [EVERY_SECONDS]");
        return ExitCode::from(2);
    };
    let every = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(10).max(1);
    let tracks = match record::read(Path::new(folder), name) {
        Ok(tracks) => tracks,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut bed = Bed::new(Settings::published());
    record::play(&tracks, &mut bed, |bed, second| {
        let at = DeviceTime::from_micros(second as i64 * 1_000_000);
        let known = bed.assess(at);
        for condition in &known.conditions {
            println!("{second:5} ! {:?}: {:?}", condition.kind, condition.verdict);
        }
        if second % every != 0 {
            return;
        }
        println!(
            "{second:5} HR {:?} PR {:?} BP {:?} RR {:?} PI {:?}",
            known.heart_rate.map(|m| m.value.round()),
            known.pulse_rate.map(|m| m.value.round()),
            known.pressures.map(|m| (m.value.systolic.round(), m.value.diastolic.round(), m.value.mean.round())),
            known.respiration.map(|m| (m.value.rate * 10.0).round() / 10.0),
            known.perfusion.map(|m| m.value),
        );
        for channel in &known.channels {
            println!(
                "        {:24} {:?} rate {:?} pause {:.1} agreement {:?} likeness {:?} variation {:?}",
                channel.code.to_string(),
                channel.quality,
                channel.rate.map(f64::round),
                channel.pause_s,
                channel.agreement_percent,
                channel.likeness.map(|x| (x * 100.0).round() / 100.0),
                channel.variation.map(|x| (x * 100.0).round() / 100.0)
            );
        }
        for claim in
            [Claim::Asystole, Claim::ExtremeBradycardia, Claim::ExtremeTachycardia, Claim::VentricularFibrillation]
        {
            println!("        {claim:?} -> {:?}", bed.verify(claim, at));
        }
    });
    ExitCode::SUCCESS
}
