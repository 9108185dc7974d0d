//! Prints the sample numbers of the beats found in one signal of a WFDB record, one a line, for scoring by other programs.
//!
//! `cargo run -p obhut-signal --example beats -- FOLDER RECORD [SIGNAL]`

mod record;

use obhut_model::DeviceTime;
use obhut_signal::{Bed, Settings};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(folder), Some(name)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("usage: beats FOLDER RECORD [SIGNAL]");
        return ExitCode::from(2);
    };
    let tracks = match record::read(Path::new(folder), name) {
        Ok(tracks) => tracks,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let Some(track) = tracks.iter().find(|track| arguments.get(2).is_none_or(|wanted| *wanted == track.name)) else {
        eprintln!("no such signal");
        return ExitCode::FAILURE;
    };
    let mut bed = Bed::new(Settings::published());
    let mut known = DeviceTime::from_micros(i64::MIN);
    record::play(std::slice::from_ref(track), &mut bed, |bed, _| {
        for beat in bed.beats(track.code).filter(|beat| beat.at > known) {
            println!("{}", track.rate.index_at(beat.at.micros()));
        }
        known = bed.beats(track.code).last().map_or(known, |beat| beat.at);
    });
    ExitCode::SUCCESS
}
