//! Beats against reference annotations, scored as ANSI/AAMI EC57 says: a match within 150 ms, each beat once.

use crate::record::{Track, play, read};
use crate::recordings_folder;
use obhut_model::DeviceTime;
use obhut_signal::{Bed, Settings};
use std::path::Path;

/// Samples of the beats found in `track`, in order.
fn found(track: &Track) -> Vec<i64> {
    let mut bed = Bed::new(Settings::published());
    let mut known = DeviceTime::from_micros(i64::MIN);
    let mut samples = Vec::new();
    play(std::slice::from_ref(track), &mut bed, |bed, _| {
        samples.extend(
            bed.beats(track.code)
                .filter(|beat| beat.at > known)
                .map(|beat| track.rate.index_at(beat.at.micros()) as i64),
        );
        known = bed.beats(track.code).last().map_or(known, |beat| beat.at);
    });
    samples
}

/// Samples of the reference beats.
fn reference(folder: &Path, file: &str, track: &Track) -> Vec<i64> {
    let read = obhut_wfdb::annotations(&std::fs::read(folder.join(file)).unwrap()).unwrap();
    let scale = read.resolution.map_or(1.0, |resolution| track.rate.hertz() / resolution);
    read.all.iter().filter(|a| a.is_beat()).map(|a| (a.at as f64 * scale).round() as i64).collect()
}

/// Matched, missed, too many.
fn score(reference: &[i64], found: &[i64], window: i64) -> (usize, usize, usize) {
    let mut free: Vec<i64> = found.to_vec();
    let mut matched = 0;
    for beat in reference {
        let nearest = free.iter().enumerate().map(|(n, at)| ((at - beat).abs(), n)).min();
        if let Some((_, n)) = nearest.filter(|(distance, _)| *distance <= window) {
            free.remove(n);
            matched += 1;
        }
    }
    (matched, reference.len() - matched, free.len())
}

#[test]
fn record_100_is_found_beat_by_beat() {
    let Some(folder) = recordings_folder() else { return };
    let tracks = read(&folder, "100").unwrap();
    let track = tracks.iter().find(|track| track.name == "MLII").unwrap();
    let reference = reference(&folder, "100.atr", track);
    assert_eq!(reference.len(), 2273);
    let (matched, missed, extra) = score(&reference, &found(track), 54);
    let sensitivity = matched as f64 / (matched + missed) as f64;
    let predictivity = matched as f64 / (matched + extra) as f64;
    println!("100 MLII: Se {:.3} % PPV {:.3} %", 100.0 * sensitivity, 100.0 * predictivity);
    assert!(sensitivity >= 0.999 && predictivity >= 0.999, "missed {missed}, too many {extra}");
}

/// Half the rate, a third of the height and upside down: the same beats, except where halving the rate moves one.
#[test]
fn rate_and_scale_do_not_matter() {
    let Some(folder) = recordings_folder() else { return };
    let tracks = read(&folder, "100").unwrap();
    let whole = &tracks[0];
    let head = |track: &Track| Track { samples: track.samples[..360 * 120].to_vec(), ..track.clone() };
    let reference: Vec<i64> = found(&head(whole)).iter().map(|at| at / 2).collect();
    let mut half = head(whole);
    half.rate = obhut_model::SampleRate::from_hertz(180).unwrap();
    half.samples = half.samples.iter().step_by(2).map(|sample| 3000 - sample).collect();
    half.scale.gain = 600.0;
    half.scale.baseline = 3000 - 1024;
    let (matched, missed, extra) = score(&reference, &found(&half), 10);
    assert!(matched > 140 && missed + extra <= 1, "{matched} {missed} {extra}");
    // At a thousand samples a second, each held for several.
    let mut fast = head(whole);
    fast.rate = obhut_model::SampleRate::from_hertz(1000).unwrap();
    let last = fast.samples.len() - 1;
    fast.samples = (0..120_000).map(|n| fast.samples[(n * 9 / 25).min(last)]).collect();
    let reference: Vec<i64> = reference.iter().map(|at| at * 2 * 25 / 9).collect();
    let (matched, missed, extra) = score(&reference, &found(&fast), 50);
    assert!(matched > 140 && missed + extra <= 1, "{matched} {missed} {extra}");
}

/// Three programs annotated this record and do not agree with each other; ours finds whatever two of them found.
#[test]
fn record_03700181_has_the_beats_two_programs_found() {
    let Some(folder) = recordings_folder() else { return };
    let tracks = read(&folder, "03700181").unwrap();
    let track = &tracks[0];
    let (one, other) = (reference(&folder, "03700181.gqrsh", track), reference(&folder, "03700181.sqrs", track));
    let both: Vec<i64> = one.iter().copied().filter(|at| other.iter().any(|o| (o - at).abs() <= 75)).collect();
    let (_, missed, _) = score(&both, &found(track), 75);
    assert!(both.len() > 1000 && missed <= 1, "{missed} of {}", both.len());
}
