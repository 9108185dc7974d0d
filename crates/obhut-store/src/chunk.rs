//! Streams cut into pieces, pieces packed into chunks and back, pieces joined into runs for the reader.
//!
//! A piece of a waveform is contiguous: every block begins less than half a sample period from where the piece says its first sample is due, measured
//! from the piece's own start, so that small errors do not add up. Where the quality changes the piece goes on and remembers it by run length.
//! No piece crosses a [`SEGMENT_MICROS`] boundary. Samples and numbers are packed with `pco` level 8 (decision 0022).

use crate::api::Run;
use crate::bytes::{Reader, put_text, put_varint};
use crate::limits::SEGMENT_MICROS;
use crate::message::NO_NUMBER;
use obhut_model::{Decimal, DeviceTime, Quality, SampleRate, Scale, TimeRange};
use obhut_vault::Format;
use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the packed layout; also names the codec (pco 1).
pub(crate) const FORMAT: Format = Format(1);

/// One number: when, how many steps, and [`Quality`] bits with [`NO_NUMBER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) at: i64,
    pub(crate) steps: i32,
    pub(crate) flags: u8,
}

/// One received block of samples, pointing into its stream's samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) start: i64,
    pub(crate) at: usize,
    pub(crate) count: usize,
    pub(crate) quality: u8,
}

/// A stream as it was received, in order of arrival.
#[derive(Debug)]
pub(crate) enum StreamData {
    Numerics { step: Decimal, values: Vec<Value> },
    Waveform { rate: SampleRate, scale: Scale, blocks: Vec<Block>, samples: Vec<i16> },
}

impl StreamData {
    /// First and last time in it, if it holds anything.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        match self {
            Self::Numerics { values, .. } => {
                let times = values.iter().map(|value| value.at);
                Some((times.clone().min()?, times.max()?))
            }
            Self::Waveform { rate, blocks, .. } => {
                let first = blocks.iter().map(|block| block.start).min()?;
                let last =
                    blocks.iter().map(|block| time_of(block.start, *rate, block.count.saturating_sub(1))).max()?;
                Some((first, last))
            }
        }
    }
}

/// What fits one chunk. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Numerics { step: Decimal, values: Vec<Value> },
    Waveform(Wave),
}

/// A contiguous piece of a waveform.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wave {
    pub(crate) start: i64,
    pub(crate) rate: SampleRate,
    pub(crate) scale: Scale,
    /// How many samples have which quality, in order; the counts add up to the number of samples.
    pub(crate) qualities: Vec<(u64, u8)>,
    pub(crate) samples: Vec<i16>,
}

impl Wave {
    fn time(&self, index: usize) -> i64 {
        time_of(self.start, self.rate, index)
    }

    /// Whether a sample at `start` would be the next one.
    fn is_followed_by(&self, start: i64) -> bool {
        let off = i128::from(start) - i128::from(self.time(self.samples.len()));
        off.abs() * 2 * i128::from(self.rate.microhertz()) < 1_000_000_000_000
    }

    fn push(&mut self, samples: &[i16], quality: u8) {
        let count = samples.len() as u64;
        match self.qualities.last_mut() {
            Some(last) if last.1 == quality => last.0 += count,
            _ => self.qualities.push((count, quality)),
        }
        self.samples.extend_from_slice(samples);
    }
}

fn time_of(start: i64, rate: SampleRate, index: usize) -> i64 {
    start.saturating_add(rate.offset_micros(index as u64))
}

/// Index of the first of `count` samples at or after `time`; `count` if there is none.
fn index_at(start: i64, rate: SampleRate, count: usize, time: i64) -> usize {
    let guess = rate.index_at(time.saturating_sub(start)).min(count as u64);
    let mut index = usize::try_from(guess).unwrap_or(count);
    while index > 0 && time_of(start, rate, index - 1) >= time {
        index -= 1;
    }
    while index < count && time_of(start, rate, index) < time {
        index += 1;
    }
    index
}

/// Number of the segment hour `time` falls into.
pub(crate) fn hour_of(time: i64) -> i64 {
    time.div_euclid(SEGMENT_MICROS)
}

impl Piece {
    pub(crate) fn first(&self) -> i64 {
        match self {
            Self::Numerics { values, .. } => values.first().map_or(0, |value| value.at),
            Self::Waveform(wave) => wave.start,
        }
    }

    pub(crate) fn last(&self) -> i64 {
        match self {
            Self::Numerics { values, .. } => values.last().map_or(0, |value| value.at),
            Self::Waveform(wave) => wave.time(wave.samples.len().saturating_sub(1)),
        }
    }
}

/// Cuts a stream into pieces, in order of time.
pub(crate) fn cut(data: &StreamData) -> Vec<Piece> {
    match data {
        StreamData::Numerics { step, values } => cut_numerics(*step, values),
        StreamData::Waveform { rate, scale, blocks, samples } => cut_wave(*rate, *scale, blocks, samples),
    }
}

fn cut_numerics(step: Decimal, values: &[Value]) -> Vec<Piece> {
    let mut sorted = values.to_vec();
    sorted.sort_by_key(|value| value.at);
    sorted
        .chunk_by(|a, b| hour_of(a.at) == hour_of(b.at))
        .map(|part| Piece::Numerics { step, values: part.to_vec() })
        .collect()
}

fn cut_wave(rate: SampleRate, scale: Scale, blocks: &[Block], samples: &[i16]) -> Vec<Piece> {
    let mut order: Vec<&Block> = blocks.iter().collect();
    order.sort_by_key(|block| block.start);
    let mut out: Vec<Wave> = Vec::new();
    for block in order {
        let mut start = block.start;
        let mut rest = samples.get(block.at..block.at + block.count).unwrap_or_default();
        while !rest.is_empty() {
            let open = out.last_mut().filter(|wave| wave.is_followed_by(start));
            // Time goes by the piece's own count if it goes on, so the hour must too.
            let due = open.as_ref().map_or(start, |wave| wave.time(wave.samples.len()));
            let boundary = (hour_of(due) + 1).saturating_mul(SEGMENT_MICROS);
            let (head, tail) = rest.split_at(index_at(due, rate, rest.len(), boundary));
            let after = time_of(due, rate, head.len());
            match open.filter(|wave| hour_of(wave.start) == hour_of(due)) {
                Some(wave) => wave.push(head, block.quality),
                None => {
                    let mut wave = Wave { start: due, rate, scale, qualities: Vec::new(), samples: Vec::new() };
                    wave.push(head, block.quality);
                    out.push(wave);
                }
            }
            (start, rest) = (after, tail);
        }
    }
    out.into_iter().map(Piece::Waveform).collect()
}

/// Packs a piece: `device text · kind's fields`, as [`unpack`] reads them.
pub(crate) fn pack(device: &str, piece: &Piece) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    put_text(&mut out, device);
    let config = ChunkConfig::default().with_compression_level(8);
    match piece {
        Piece::Numerics { step, values } => {
            out.extend_from_slice(&step.mantissa().to_le_bytes());
            out.extend_from_slice(&step.exponent().to_le_bytes());
            put_runs(&mut out, &run_lengths(values.iter().map(|value| value.flags)));
            let times: Vec<i64> = values.iter().map(|value| value.at).collect();
            let times = simple_compress(&times, &config).ok()?;
            put_varint(&mut out, times.len() as u64);
            out.extend_from_slice(&times);
            let steps: Vec<i32> = values.iter().map(|value| value.steps).collect();
            out.extend_from_slice(&simple_compress(&steps, &config).ok()?);
        }
        Piece::Waveform(wave) => {
            out.extend_from_slice(&wave.rate.microhertz().to_le_bytes());
            out.extend_from_slice(&wave.scale.gain.to_le_bytes());
            out.extend_from_slice(&wave.scale.baseline.to_le_bytes());
            put_runs(&mut out, &wave.qualities);
            out.extend_from_slice(&simple_compress(&wave.samples, &config).ok()?);
        }
    }
    Some(out)
}

fn run_lengths(flags: impl Iterator<Item = u8>) -> Vec<(u64, u8)> {
    let mut out: Vec<(u64, u8)> = Vec::new();
    for flag in flags {
        match out.last_mut() {
            Some(last) if last.1 == flag => last.0 += 1,
            _ => out.push((1, flag)),
        }
    }
    out
}

fn put_runs(out: &mut Vec<u8>, runs: &[(u64, u8)]) {
    put_varint(out, runs.len() as u64);
    for (count, flags) in runs {
        put_varint(out, *count);
        out.push(*flags);
    }
}

fn take_runs(reader: &mut Reader<'_>) -> Option<Vec<(u64, u8)>> {
    let mut out = Vec::new();
    for _ in 0..reader.length()? {
        out.push((reader.varint()?, reader.u8()?));
    }
    Some(out)
}

/// Unpacks numerics; `start` is not needed, every value has its time.
pub(crate) fn unpack_numerics(bytes: &[u8]) -> Option<(Arc<str>, Piece)> {
    let mut reader = Reader(bytes);
    let device = Arc::from(reader.text()?);
    let step = Decimal::new(reader.i32()?, reader.i8()?).ok()?;
    let flags = take_runs(&mut reader)?;
    let length = reader.length()?;
    let times: Vec<i64> = simple_decompress(reader.take(length)?).ok()?;
    let steps: Vec<i32> = simple_decompress(reader.0).ok()?;
    if times.len() != steps.len() || flags.iter().map(|run| run.0).sum::<u64>() != times.len() as u64 {
        return None;
    }
    let flags = flags.iter().flat_map(|(count, flag)| (0..*count).map(move |_| *flag));
    let values =
        times.into_iter().zip(steps).zip(flags).map(|((at, steps), flags)| Value { at, steps, flags }).collect();
    Some((device, Piece::Numerics { step, values }))
}

/// Unpacks a waveform that begins at `start`.
pub(crate) fn unpack_waveform(bytes: &[u8], start: i64) -> Option<(Arc<str>, Piece)> {
    let mut reader = Reader(bytes);
    let device = Arc::from(reader.text()?);
    let rate = SampleRate::from_microhertz(reader.u32()?)?;
    let scale = Scale { gain: reader.f64()?, baseline: reader.i32()? };
    let qualities = take_runs(&mut reader)?;
    let samples: Vec<i16> = simple_decompress(reader.0).ok()?;
    if qualities.iter().map(|run| run.0).sum::<u64>() != samples.len() as u64 {
        return None;
    }
    Some((device, Piece::Waveform(Wave { start, rate, scale, qualities, samples })))
}

/// Joins pieces from memory and disk into runs inside `range`, ordered by their first time.
pub(crate) fn join(pieces: Vec<(Arc<str>, Piece)>, range: TimeRange) -> Option<Vec<Run>> {
    let mut numerics: BTreeMap<(i32, i8), Vec<Value>> = BTreeMap::new();
    let mut waves: BTreeMap<Arc<str>, Vec<Wave>> = BTreeMap::new();
    for (device, piece) in pieces {
        match piece {
            Piece::Numerics { step, values } => {
                let inside = values.into_iter().filter(|value| range.contains(DeviceTime::from_micros(value.at)));
                numerics.entry((step.mantissa(), step.exponent())).or_default().extend(inside);
            }
            Piece::Waveform(wave) => waves.entry(device).or_default().push(wave),
        }
    }
    let mut out = Vec::new();
    for ((mantissa, exponent), mut values) in numerics {
        values.sort_by_key(|value| value.at);
        out.extend(numeric_run(Decimal::new(mantissa, exponent).ok()?, &values)?);
    }
    for (_, waves) in waves {
        for wave in join_waves(waves) {
            wave_runs(&wave, range, &mut out)?;
        }
    }
    out.sort_by_key(first_time);
    Some(out)
}

fn first_time(run: &Run) -> DeviceTime {
    match run {
        Run::Numerics { values, .. } => values.first().map_or(DeviceTime::from_micros(0), |value| value.0),
        Run::Waveform { start, .. } => *start,
    }
}

fn numeric_run(step: Decimal, values: &[Value]) -> Option<Option<Run>> {
    if values.is_empty() {
        return Some(None);
    }
    let values = values.iter().map(|value| {
        let steps = (value.flags & NO_NUMBER == 0).then_some(value.steps);
        Some((DeviceTime::from_micros(value.at), steps, Quality::from_bits(value.flags & !NO_NUMBER)?))
    });
    Some(Some(Run::Numerics { step, values: values.collect::<Option<Vec<_>>>()? }))
}

fn join_waves(mut waves: Vec<Wave>) -> Vec<Wave> {
    waves.sort_by_key(|wave| wave.start);
    let mut out: Vec<Wave> = Vec::new();
    for wave in waves {
        match out.last_mut() {
            Some(last) if last.rate == wave.rate && last.scale == wave.scale && last.is_followed_by(wave.start) => {
                last.samples.extend_from_slice(&wave.samples);
                for (count, quality) in wave.qualities {
                    match last.qualities.last_mut() {
                        Some(run) if run.1 == quality => run.0 += count,
                        _ => last.qualities.push((count, quality)),
                    }
                }
            }
            _ => out.push(wave),
        }
    }
    out
}

fn wave_runs(wave: &Wave, range: TimeRange, out: &mut Vec<Run>) -> Option<()> {
    let count = wave.samples.len();
    let from = index_at(wave.start, wave.rate, count, range.from.micros());
    let to =
        if range.to == TimeRange::ALL.to { count } else { index_at(wave.start, wave.rate, count, range.to.micros()) };
    let mut at = 0usize;
    for (length, quality) in &wave.qualities {
        let end = at.checked_add(usize::try_from(*length).ok()?)?;
        let (first, last) = (at.max(from), end.min(to));
        if first < last {
            out.push(Run::Waveform {
                start: DeviceTime::from_micros(wave.time(first)),
                rate: wave.rate,
                scale: wave.scale,
                quality: Quality::from_bits(*quality)?,
                samples: wave.samples.get(first..last)?.to_vec(),
            });
        }
        at = end;
    }
    Some(())
}
