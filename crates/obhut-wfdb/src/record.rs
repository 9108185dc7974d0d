//! Reads whole records: header, signal files, checks, skew, segments.

use crate::decode;
use crate::error::ReadError;
use crate::header::{Body, Format, Header, Segment, Signal};
use crate::limits;
use crate::parse::{Parser, check_name, too_much};
use obhut_model::SampleRate;
use std::borrow::Cow;

/// "No value", whatever number the storage format has for it.
pub const ABSENT: i32 = i32::MIN;

/// Why a [`Source`] could not give a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Gives the contents of files by name, all from one folder. Names are checked before: no folders, no leading point.
pub trait Source {
    /// The whole contents of `name`.
    ///
    /// # Errors
    /// [`SourceError`] if it is not there or cannot be read.
    fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, SourceError>;
}

impl<F: Fn(&str) -> Option<Vec<u8>>> Source for F {
    fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, SourceError> {
        self(name).map(Cow::Owned).ok_or_else(|| SourceError("no such file".to_owned()))
    }
}

/// A record, whether it lay in one piece or in segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The header of the record itself, not of its segments.
    pub header: Header,
    /// Length in frames.
    pub frames: u64,
    /// Its signals, by description.
    pub channels: Vec<Channel>,
}

/// One signal over the whole record.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Description: `MLII`, `ABP`.
    pub name: String,
    /// Physical unit as the header writes it.
    pub unit: String,
    /// Samples in a frame.
    pub per_frame: u32,
    /// Samples a second.
    pub rate: SampleRate,
    /// Samples a second, as exact as the header has it.
    pub frequency: f64,
    /// Stretches in order; between them is nothing.
    pub pieces: Vec<Piece>,
}

/// Samples without a gap under one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Index of the first sample, counted from the start of the record at the channel's rate.
    pub start: u64,
    /// Sample units per physical unit.
    pub gain: f64,
    /// The sample that means zero.
    pub baseline: i32,
    /// Samples; [`ABSENT`] where there is no value.
    pub samples: Vec<i32>,
}

impl Piece {
    /// Index after the last sample.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }
}

/// Reads record `name` from `source`.
///
/// # Errors
/// [`ReadError`], naming file and line or signal; nothing is returned from a record that fails a check.
pub fn read(source: &dyn Source, name: &str) -> Result<Record, ReadError> {
    check_name(name).map_err(|why| ReadError::Segment { segment: name.to_owned(), why })?;
    let header = header_of(source, name)?;
    match header.body.clone() {
        Body::Signals(signals) => single(source, name, header, &signals),
        Body::Segments(segments) => joined(source, header, &segments),
    }
}

fn header_of(source: &dyn Source, name: &str) -> Result<Header, ReadError> {
    let bytes = file(source, &format!("{name}.hea"))?;
    Parser::new(name).header(&bytes)
}

fn file<'a>(source: &'a dyn Source, name: &str) -> Result<Cow<'a, [u8]>, ReadError> {
    source.file(name).map_err(|why| ReadError::Source { file: name.to_owned(), why })
}

fn single(source: &dyn Source, name: &str, header: Header, signals: &[Signal]) -> Result<Record, ReadError> {
    let extra = signals.iter().map(|signal| u64::from(signal.skew)).max().unwrap_or(0);
    let mut channels = Vec::with_capacity(signals.len());
    let mut frames = header.frames;
    let mut total = 0u64;
    let mut rest = signals;
    while let Some(first) = rest.first() {
        let together = rest.iter().take_while(|signal| signal.file == first.file).count();
        let (group, after) = rest.split_at(together);
        rest = after;
        if group.iter().any(|signal| signal.format != first.format || signal.offset != first.offset)
            || first.format == Format::Null
        {
            return Err(ReadError::Segment {
                segment: name.to_owned(),
                why: "signals of one file need one storage format",
            });
        }
        let bytes = file(source, &first.file)?;
        let refs: Vec<&Signal> = group.iter().collect();
        let decoded = decode::file(&first.file, &bytes, &refs, frames, extra)?;
        let length = *frames.get_or_insert(decoded.frames);
        for (signal, raw) in group.iter().zip(decoded.signals) {
            total += raw.len() as u64;
            if total > limits::SAMPLES_MAX {
                return Err(too_much("samples", limits::SAMPLES_MAX));
            }
            check(name, signal, &raw, length)?;
            channels.push(channel(&header, signal, raw, length));
        }
    }
    Ok(Record { frames: frames.unwrap_or(0), header, channels })
}

/// Compares first sample and sum with the header. A stated zero is what writers put who did not know, so it is not held against the samples.
fn check(record: &str, signal: &Signal, raw: &[i32], frames: u64) -> Result<(), ReadError> {
    let count = usize::try_from(frames.saturating_mul(u64::from(signal.per_frame))).unwrap_or(usize::MAX);
    if let (Some(stated), Some(&found)) = (signal.initial, raw.first())
        && stated != 0
        && stated != found
    {
        return Err(ReadError::Initial {
            record: record.to_owned(),
            signal: signal.description.clone(),
            stated,
            found,
        });
    }
    let computed = raw.iter().take(count).fold(0u16, |sum, &sample| sum.wrapping_add(sample as u16));
    match signal.checksum {
        Some(stated) if stated != 0 && stated != computed => {
            Err(ReadError::Checksum { record: record.to_owned(), signal: signal.description.clone(), stated, computed })
        }
        _ => Ok(()),
    }
}

/// Undoes skew and replaces the format's sentinel.
fn channel(header: &Header, signal: &Signal, raw: Vec<i32>, frames: u64) -> Channel {
    let per_frame = u64::from(signal.per_frame);
    let sentinel = signal.format.sentinel();
    let skip = (u64::from(signal.skew) * per_frame) as usize;
    let count = (frames * per_frame) as usize;
    let mut samples: Vec<i32> =
        raw.into_iter().skip(skip).take(count).map(|sample| if sample == sentinel { ABSENT } else { sample }).collect();
    samples.resize(count, ABSENT);
    Channel {
        pieces: vec![Piece { start: 0, gain: signal.gain, baseline: signal.baseline, samples }],
        ..empty_channel(header, signal)
    }
}

fn empty_channel(header: &Header, signal: &Signal) -> Channel {
    let micro = u64::from(header.rate.microhertz()) * u64::from(signal.per_frame);
    Channel {
        name: signal.description.clone(),
        unit: signal.unit.clone(),
        per_frame: signal.per_frame,
        rate: u32::try_from(micro).ok().and_then(SampleRate::from_microhertz).unwrap_or(header.rate),
        frequency: header.frequency * f64::from(signal.per_frame),
        pieces: Vec::new(),
    }
}

fn joined(source: &dyn Source, header: Header, segments: &[Segment]) -> Result<Record, ReadError> {
    let mut channels: Vec<Channel> = Vec::new();
    let mut at = 0u64;
    let mut total = 0u64;
    for (index, segment) in segments.iter().enumerate() {
        if let Some(name) = &segment.name {
            let wrong = |why| ReadError::Segment { segment: name.clone(), why };
            let head = header_of(source, name)?;
            let Body::Signals(signals) = head.body.clone() else {
                return Err(wrong("a segment must not have segments of its own"));
            };
            if head.rate != header.rate {
                return Err(wrong("its sampling frequency is not the record's"));
            }
            if index == 0 && segment.frames == 0 {
                channels.extend(signals.iter().map(|signal| empty_channel(&header, signal)));
                continue;
            }
            if head.frames != Some(segment.frames) {
                return Err(wrong("its length is not the one the record states"));
            }
            let part = single(source, name, head, &signals)?;
            for channel in part.channels {
                total += channel.pieces.iter().map(|piece| piece.samples.len() as u64).sum::<u64>();
                append(&mut channels, channel, at).map_err(wrong)?;
            }
            if total > limits::SAMPLES_MAX {
                return Err(too_much("samples", limits::SAMPLES_MAX));
            }
        }
        at = at.saturating_add(segment.frames);
    }
    match header.frames {
        Some(stated) if stated != at => Err(ReadError::Segment {
            segment: header.name.clone(),
            why: "its segments do not add up to the stated length",
        }),
        _ => Ok(Record { frames: at, header, channels }),
    }
}

/// Adds a segment's samples to the channel of the same name; joins them to the last piece where nothing lies between and the scale is the same.
fn append(channels: &mut Vec<Channel>, part: Channel, frames_before: u64) -> Result<(), &'static str> {
    let start = frames_before * u64::from(part.per_frame);
    let Some(channel) = channels.iter_mut().find(|channel| channel.name == part.name) else {
        let pieces = part.pieces.into_iter().map(|piece| Piece { start, ..piece }).collect();
        channels.push(Channel { pieces, ..part });
        return Ok(());
    };
    if channel.per_frame != part.per_frame || channel.unit != part.unit {
        return Err("a signal changes its rate or unit between segments");
    }
    for piece in part.pieces {
        match channel.pieces.last_mut() {
            Some(last) if last.end() == start && last.gain == piece.gain && last.baseline == piece.baseline => {
                last.samples.extend_from_slice(&piece.samples);
            }
            _ => channel.pieces.push(Piece { start, ..piece }),
        }
    }
    Ok(())
}
