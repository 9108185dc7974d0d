//! Decides what goes where: which channels share a record, where segments begin and end, which sample lies at which index.

use super::{ABSENT, ExportChannel};
use crate::error::WriteError;
use crate::limits;
use obhut_model::{DeviceTime, SampleRate};
use std::collections::BTreeSet;

/// Most samples of one channel in a frame before channels go to separate records.
const PER_FRAME_MAX: u32 = 32;
/// Shortest stretch without anything that becomes a gap between segments.
const GAP_MICROS: i64 = 1_000_000;

/// Groups channels so that each group has a common frame.
pub(super) fn by_common_frame<'a>(channels: &[&'a ExportChannel]) -> Vec<Vec<&'a ExportChannel>> {
    let mut groups: Vec<(u32, u32, Vec<&ExportChannel>)> = Vec::new();
    for &channel in channels {
        let rate = channel.rate.microhertz();
        let fitting =
            groups.iter_mut().find(|(frame, fastest, _)| rate.max(*fastest) / gcd(*frame, rate) <= PER_FRAME_MAX);
        match fitting {
            Some((frame, fastest, members)) => {
                *frame = gcd(*frame, rate);
                *fastest = rate.max(*fastest);
                members.push(channel);
            }
            None => groups.push((rate, rate, vec![channel])),
        }
    }
    groups.into_iter().map(|(_, _, members)| members).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A record laid out.
pub(super) struct Plan<'a> {
    pub(super) rate: SampleRate,
    pub(super) start: DeviceTime,
    pub(super) channels: Vec<(&'a ExportChannel, u32)>,
    pub(super) segments: Vec<Segment>,
}

/// One stretch: a gap if it has no tracks.
pub(super) struct Segment {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) tracks: Vec<Track>,
}

/// The samples of one channel in one segment.
pub(super) struct Track {
    pub(super) channel: usize,
    pub(super) gain: f64,
    pub(super) baseline: i32,
    pub(super) samples: Vec<i32>,
}

/// A run placed on the grid.
#[derive(Clone, Copy)]
struct Placed<'a> {
    channel: usize,
    first: u64,
    per_frame: u64,
    gain: f64,
    baseline: i32,
    samples: &'a [i32],
}

impl Placed<'_> {
    fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    fn frame_from(&self) -> u64 {
        self.first / self.per_frame
    }

    fn frame_to(&self) -> u64 {
        self.end().div_ceil(self.per_frame)
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(group: &[&'a ExportChannel]) -> Result<Self, WriteError> {
        let common = group.iter().fold(0, |so_far, channel| gcd(channel.rate.microhertz(), so_far));
        let rate = SampleRate::from_microhertz(common).ok_or(WriteError::Rates)?;
        let runs = || group.iter().flat_map(|channel| &channel.runs).filter(|run| !run.samples.is_empty());
        let start = runs().map(|run| run.start).min().ok_or(WriteError::Empty)?;
        let channels: Vec<_> = group.iter().map(|&channel| (channel, channel.rate.microhertz() / common)).collect();
        let mut placed = Vec::new();
        for (index, (channel, per_frame)) in channels.iter().enumerate() {
            for run in channel.runs.iter().filter(|run| !run.samples.is_empty()) {
                placed.push(Placed {
                    channel: index,
                    first: channel.rate.index_at(run.start.since(start)),
                    per_frame: u64::from(*per_frame),
                    gain: run.gain,
                    baseline: run.baseline,
                    samples: &run.samples,
                });
            }
        }
        placed.sort_by_key(|run| run.frame_from());
        let segments = segments(&placed, rate)?;
        Ok(Self { rate, start, channels, segments })
    }
}

/// Cuts at gaps and at changes of scale, then fills.
fn segments(placed: &[Placed<'_>], rate: SampleRate) -> Result<Vec<Segment>, WriteError> {
    let gap_frames = rate.index_at(GAP_MICROS).max(2);
    let mut out = Vec::new();
    let mut total = 0u64;
    for (from, to) in stretches(placed, gap_frames) {
        let before = out.last().map_or(0, |last: &Segment| last.to);
        if from > before {
            out.push(Segment { from: before, to: from, tracks: Vec::new() });
        }
        let inside: Vec<Placed<'_>> =
            placed.iter().filter(|run| run.frame_from() >= from && run.frame_to() <= to).copied().collect();
        let cuts = cuts(&inside, from, to);
        for (&from, &to) in cuts.iter().zip(cuts.iter().skip(1)) {
            total += inside.iter().map(|run| run.per_frame).collect::<BTreeSet<_>>().iter().sum::<u64>() * (to - from);
            if total > limits::SAMPLES_MAX {
                return Err(WriteError::TooMuch { what: "samples", max: limits::SAMPLES_MAX });
            }
            out.push(Segment { from, to, tracks: tracks(&inside, from, to) });
        }
        if out.len() > limits::SEGMENTS_MAX {
            return Err(WriteError::TooMuch { what: "segments", max: limits::SEGMENTS_MAX as u64 });
        }
    }
    Ok(out)
}

/// Frame ranges in which there is something, no further apart inside than `gap_frames`.
fn stretches(placed: &[Placed<'_>], gap_frames: u64) -> Vec<(u64, u64)> {
    let mut out: Vec<(u64, u64)> = Vec::new();
    for run in placed {
        match out.last_mut() {
            Some((_, to)) if run.frame_from() < to.saturating_add(gap_frames) => *to = (*to).max(run.frame_to()),
            _ => out.push((run.frame_from(), run.frame_to())),
        }
    }
    out
}

/// Frames at which a segment begins, and the end: where a channel's scale changes. A frame that would hold two scales stays with the older.
fn cuts(inside: &[Placed<'_>], from: u64, to: u64) -> Vec<u64> {
    let mut cuts = BTreeSet::from([from, to]);
    for (at, run) in inside.iter().enumerate() {
        let earlier = inside.get(..at).unwrap_or_default().iter().rev().find(|other| other.channel == run.channel);
        if earlier.is_some_and(|earlier| earlier.gain != run.gain || earlier.baseline != run.baseline) {
            cuts.insert(run.first.div_ceil(run.per_frame).clamp(from, to));
        }
    }
    cuts.into_iter().collect()
}

fn tracks(inside: &[Placed<'_>], from: u64, to: u64) -> Vec<Track> {
    let mut out: Vec<Track> = Vec::new();
    for run in inside.iter().filter(|run| run.frame_from() < to && run.frame_to() > from) {
        let (base, end) = (from * run.per_frame, to * run.per_frame);
        let skip = base.saturating_sub(run.first) as usize;
        let at = run.first.saturating_sub(base) as usize;
        let samples = run.samples.get(skip..).unwrap_or_default();
        if samples.is_empty() || run.first >= end {
            continue;
        }
        let known = out.iter().position(|track| track.channel == run.channel);
        let index = known.unwrap_or_else(|| {
            let empty = vec![ABSENT; (end - base) as usize];
            out.push(Track { channel: run.channel, gain: run.gain, baseline: run.baseline, samples: empty });
            out.len() - 1
        });
        if let Some(track) = out.get_mut(index) {
            let same = track.gain == run.gain && track.baseline == run.baseline;
            let (gain, baseline) = (track.gain, track.baseline);
            let room = track.samples.get_mut(at..).unwrap_or_default();
            for (to, &sample) in room.iter_mut().zip(samples) {
                *to = if same { sample } else { rescaled(sample, run, gain, baseline) };
            }
        }
    }
    out.sort_by_key(|track| track.channel);
    out
}

fn rescaled(sample: i32, run: &Placed<'_>, gain: f64, baseline: i32) -> i32 {
    if sample == ABSENT {
        return ABSENT;
    }
    let value = (f64::from(sample) - f64::from(run.baseline)) / run.gain;
    (value * gain + f64::from(baseline)).round() as i32
}
