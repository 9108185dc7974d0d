//! The bytes of headers and signal files.

use super::plan::{Plan, Segment, Track};
use super::{ABSENT, File};
use crate::instant::Start;
use obhut_model::SampleRate;
use std::fmt::Write as _;

/// Appends the files of one record.
pub(super) fn record(name: &str, plan: &Plan<'_>, comments: &[String], files: &mut Vec<File>) {
    if let [only] = plan.segments.as_slice() {
        single(name, plan, only, comments, files);
        return;
    }
    let frames = plan.segments.last().map_or(0, |last| last.to);
    let mut text = format!(
        "{name}/{} {} {} {frames} {}\n{name}_layout 0\n",
        plan.segments.len() + 1,
        plan.channels.len(),
        hertz(plan.rate),
        started(plan, 0)
    );
    let mut number = 0;
    for segment in &plan.segments {
        let length = segment.to - segment.from;
        if segment.tracks.is_empty() {
            let _ = writeln!(text, "~ {length}");
        } else {
            number += 1;
            let part = format!("{name}_{number:04}s");
            let _ = writeln!(text, "{part} {length}");
            single(&part, plan, segment, &[], files);
        }
    }
    push_comments(&mut text, comments);
    files.push(File { name: format!("{name}_layout.hea"), bytes: layout(name, plan).into_bytes() });
    files.push(File { name: format!("{name}.hea"), bytes: text.into_bytes() });
}

fn layout(name: &str, plan: &Plan<'_>) -> String {
    let mut text = format!("{name}_layout {} {} 0 {}\n", plan.channels.len(), hertz(plan.rate), started(plan, 0));
    for (channel, per_frame) in &plan.channels {
        let (gain, baseline) = channel.runs.first().map_or((1.0, 0), |run| (run.gain, run.baseline));
        let _ = writeln!(
            text,
            "~ 0{} {gain}({baseline})/{} 16 0 0 0 0 {}",
            times(*per_frame),
            unit(&channel.unit),
            description(&channel.name)
        );
    }
    text
}

fn single(name: &str, plan: &Plan<'_>, segment: &Segment, comments: &[String], files: &mut Vec<File>) {
    let frames = segment.to - segment.from;
    let mut text =
        format!("{name} {} {} {frames} {}\n", segment.tracks.len(), hertz(plan.rate), started(plan, segment.from));
    // Signals of one file stand together and share its format.
    for wide in [false, true] {
        let tracks: Vec<&Track> = segment.tracks.iter().filter(|track| is_wide(track) == wide).collect();
        if tracks.is_empty() {
            continue;
        }
        let (file, format) = if wide { (format!("{name}_w.dat"), 32) } else { (format!("{name}.dat"), 16) };
        let mut per_frames = Vec::with_capacity(tracks.len());
        for track in &tracks {
            let Some((channel, per_frame)) = plan.channels.get(track.channel) else { continue };
            per_frames.push(*per_frame as usize);
            let stored = track.samples.iter().map(|&sample| stored(sample, wide));
            let sum = stored.clone().fold(0u16, |sum, sample| sum.wrapping_add(sample as u16)) as i16;
            let first = stored.clone().next().unwrap_or(0);
            let _ = writeln!(
                text,
                "{file} {format}{} {}({})/{} {format} 0 {first} {sum} 0 {}",
                times(*per_frame),
                track.gain,
                track.baseline,
                unit(&channel.unit),
                description(&channel.name)
            );
        }
        files.push(File { name: file, bytes: samples(&tracks, &per_frames, frames as usize, wide) });
    }
    push_comments(&mut text, comments);
    files.push(File { name: format!("{name}.hea"), bytes: text.into_bytes() });
}

fn is_wide(track: &Track) -> bool {
    track.samples.iter().any(|&sample| sample != ABSENT && (sample <= -32768 || sample > 32767))
}

fn stored(sample: i32, wide: bool) -> i32 {
    if sample == ABSENT && !wide { -32768 } else { sample }
}

fn samples(tracks: &[&Track], per_frames: &[usize], frames: usize, wide: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frames * per_frames.iter().sum::<usize>() * if wide { 4 } else { 2 });
    for frame in 0..frames {
        for (track, per_frame) in tracks.iter().zip(per_frames) {
            for &sample in track.samples.iter().skip(frame * per_frame).take(*per_frame) {
                let sample = stored(sample, wide);
                if wide {
                    bytes.extend_from_slice(&sample.to_le_bytes());
                } else {
                    bytes.extend_from_slice(&(sample as i16).to_le_bytes());
                }
            }
        }
    }
    bytes
}

fn started(plan: &Plan<'_>, frame: u64) -> String {
    Start::from_micros(plan.start.plus_micros(plan.rate.offset_micros(frame)).micros()).to_header_text()
}

/// Hertz with no more digits than needed: a microhertz is exact in six.
fn hertz(rate: SampleRate) -> String {
    let micro = rate.microhertz();
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn times(per_frame: u32) -> String {
    if per_frame == 1 { String::new() } else { format!("x{per_frame}") }
}

/// UCUM to what WFDB readers accept: no brackets, no blanks; `NU` is WFDB's "no unit".
fn unit(ucum: &str) -> String {
    let kept: String =
        ucum.chars().filter(|c| c.is_alphanumeric() || matches!(c, '%' | '/' | '^' | '-' | '_')).collect();
    if kept.is_empty() || kept == "1" { "NU".to_owned() } else { kept }
}

fn description(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn push_comments(text: &mut String, comments: &[String]) {
    for comment in comments {
        let _ = writeln!(text, "# {}", description(comment));
    }
}
