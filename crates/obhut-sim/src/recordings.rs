//! Recordings ready to be played: WFDB records found in a folder, their signals mapped to codes.
//!
//! A record of numbers (`…n`) that lies beside a record of curves of the same name is played together with it.

use crate::device::code_of;
use obhut_model::{Code, SampleRate};
use obhut_wfdb::{ABSENT, Body, Channel, ReadError, Record, Source, SourceError};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Deepest folder that is searched, counted from the one given.
const DEPTH_MAX: usize = 3;
/// Most recordings taken from a folder.
const RECORDINGS_MAX: usize = 256;
/// Largest signal file that is loaded.
const FILE_BYTES_MAX: u64 = 1 << 29;

/// A recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Name of its record.
    pub name: String,
    tracks: Vec<Track>,
    micros: i64,
    /// Signals whose name says nothing to us.
    pub unknown: Vec<String>,
}

/// One signal of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// What it is.
    pub code: Code,
    /// Curve or numbers.
    pub kind: TrackKind,
    /// Samples a second.
    pub rate: SampleRate,
    /// Microseconds between samples, where that is the exact whole number and the rate is not.
    pub period_micros: Option<u64>,
    channel: Channel,
}

/// What a signal is played as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// As waveform blocks.
    Waveform,
    /// As numerics.
    Numeric {
        /// Whether the recorder wrote zero where it measured nothing.
        zero_is_none: bool,
    },
}

/// Samples of one piece inside a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) index: u64,
    pub(crate) gain: f64,
    pub(crate) baseline: i32,
    pub(crate) samples: &'a [i32],
}

/// Why a folder of recordings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingsError {
    /// The folder cannot be listed.
    #[error("`{folder}` cannot be listed")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        #[source]
        why: std::io::Error,
    },
    /// A record cannot be read.
    #[error("record `{name}` cannot be played")]
    Record {
        /// Which.
        name: String,
        /// Why.
        #[source]
        why: ReadError,
    },
    /// There is no record in the folder.
    #[error("there is no WFDB record (`.hea`) in `{0}`")]
    Nothing(String),
}

impl Track {
    /// Takes a signal of a record; `None` if its name says nothing to us.
    fn new(mut channel: Channel) -> Option<Self> {
        let (code, kind) = code_of(&channel.name, &channel.unit)?;
        fit_16_bits(&mut channel);
        let exact = 1e6 / channel.frequency;
        let slow = channel.frequency < 1.0 && (exact - exact.round()).abs() < 1.0;
        let period_micros = slow.then(|| exact.round().max(1.0) as u64);
        Some(Self { code, kind, rate: channel.rate, period_micros, channel })
    }

    /// The recorded samples.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// What lies in `from..to`, piece by piece.
    pub(crate) fn parts(&self, from: u64, to: u64) -> impl Iterator<Item = Part<'_>> {
        self.channel.pieces.iter().filter_map(move |piece| {
            let (first, last) = (from.max(piece.start), to.min(piece.end()));
            let samples = piece.samples.get(
                usize::try_from(first.checked_sub(piece.start)?).ok()?
                    ..usize::try_from(last.checked_sub(piece.start)?).ok()?,
            )?;
            (!samples.is_empty()).then_some(Part { index: first, gain: piece.gain, baseline: piece.baseline, samples })
        })
    }
}

/// Halves samples of more than 16 bits until they fit; the scale follows. None of the usual formats needs it.
fn fit_16_bits(channel: &mut Channel) {
    for piece in &mut channel.pieces {
        let known = || piece.samples.iter().filter(|&&sample| sample != ABSENT);
        let largest = known().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        let shift = 32u32.saturating_sub(largest.leading_zeros()).saturating_sub(15);
        if shift > 0 {
            for sample in piece.samples.iter_mut().filter(|sample| **sample != ABSENT) {
                *sample >>= shift;
            }
            piece.gain /= f64::from(1u32 << shift);
            piece.baseline >>= shift;
        }
    }
}

impl Recording {
    /// From records that begin together.
    #[must_use]
    pub fn new(name: &str, records: Vec<Record>) -> Self {
        let mut recording = Self { name: name.to_owned(), tracks: Vec::new(), micros: 0, unknown: Vec::new() };
        for record in records {
            let seconds = record.frames as f64 / record.header.frequency;
            recording.micros = recording.micros.max((seconds * 1e6).round() as i64);
            for channel in record.channels {
                let name = channel.name.clone();
                match Track::new(channel) {
                    // A second signal of the same code could not be told from the first.
                    Some(track) if !recording.tracks.iter().any(|other| other.code == track.code) => {
                        recording.tracks.push(track)
                    }
                    _ => recording.unknown.push(name),
                }
            }
        }
        recording
    }

    /// Its signals.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// How long it is.
    #[must_use]
    pub fn micros(&self) -> i64 {
        self.micros
    }

    /// Reads record `name` in `folder`, with the record of numbers beside it if there is one.
    ///
    /// # Errors
    /// [`RecordingsError::Record`].
    pub fn load(folder: &Path, name: &str) -> Result<Self, RecordingsError> {
        let source = Folder(folder.to_owned());
        let wrong = |why| RecordingsError::Record { name: name.to_owned(), why };
        let mut records = vec![obhut_wfdb::read(&source, name).map_err(wrong)?];
        let numbers = format!("{name}n");
        if folder.join(format!("{numbers}.hea")).is_file() {
            records.push(obhut_wfdb::read(&source, &numbers).map_err(wrong)?);
        }
        Ok(Self::new(name, records))
    }
}

/// Every recording in `folder` and below, by path. Segments and layouts of others are not recordings of their own.
///
/// # Errors
/// [`RecordingsError`]; one damaged record fails the whole, so that a demonstration never silently lacks it.
pub fn find(folder: &Path) -> Result<Vec<Recording>, RecordingsError> {
    let mut headers = Vec::new();
    list(folder, DEPTH_MAX, &mut headers)?;
    headers.sort();
    let mut parts = BTreeSet::new();
    for header in &headers {
        let (Some(folder), Some(name)) = (header.parent(), header.file_stem().and_then(|stem| stem.to_str())) else {
            continue;
        };
        parts.extend(segments(header).into_iter().map(|segment| folder.join(segment)));
        // Numbers beside curves belong to them.
        if let Some(curves) = name.strip_suffix('n')
            && headers.contains(&folder.join(format!("{curves}.hea")))
        {
            parts.insert(folder.join(name));
        }
    }
    let mut recordings = Vec::new();
    for header in headers.iter().filter(|header| !parts.contains(&header.with_extension(""))).take(RECORDINGS_MAX) {
        if let (Some(folder), Some(name)) = (header.parent(), header.file_stem().and_then(|stem| stem.to_str())) {
            recordings.push(Recording::load(folder, name)?);
        }
    }
    if recordings.is_empty() {
        return Err(RecordingsError::Nothing(folder.display().to_string()));
    }
    Ok(recordings)
}

fn list(folder: &Path, depth: usize, headers: &mut Vec<PathBuf>) -> Result<(), RecordingsError> {
    let wrong = |why| RecordingsError::Folder { folder: folder.display().to_string(), why };
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.is_dir() && depth > 0 {
            list(&path, depth - 1, headers)?;
        } else if path.extension().is_some_and(|extension| extension == "hea") {
            headers.push(path);
        }
    }
    Ok(())
}

/// Names of the segments a header refers to; none if it cannot be read, which shows when it is loaded.
fn segments(header: &Path) -> Vec<String> {
    let body =
        std::fs::read(header).ok().and_then(|bytes| obhut_wfdb::Header::parse(&bytes).ok()).map(|header| header.body);
    match body {
        Some(Body::Segments(segments)) => segments.into_iter().filter_map(|segment| segment.name).collect(),
        _ => Vec::new(),
    }
}

/// A folder as a source of files.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Source for Folder {
    fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, SourceError> {
        let path = self.0.join(name);
        let wrong = |error: std::io::Error| SourceError(error.to_string());
        if std::fs::metadata(&path).map_err(wrong)?.len() > FILE_BYTES_MAX {
            return Err(SourceError(format!("it is larger than {FILE_BYTES_MAX} bytes")));
        }
        std::fs::read(&path).map(Cow::Owned).map_err(wrong)
    }
}
