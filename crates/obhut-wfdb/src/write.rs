//! Writes readings out as a WFDB record.
//!
//! One record holds channels whose rates share a frame; [`write()`] makes as many records as needed. A stretch in which no channel has anything
//! for a second or longer becomes a gap between segments, a change of scale a new segment; anything shorter is filled with the format's "no
//! value". Samples are written as they are, in format 16, or 32 where 16 bits do not hold them; nothing is rescaled or resampled, except
//! where one frame would hold two scales of one channel.
//!
//! Time: a sample lies on its channel's grid from the record's start on, so its time is kept to half a sample.

mod plan;
mod text;

use crate::error::WriteError;
use crate::limits;
use obhut_model::{Code, DeviceTime, SampleRate};
use plan::Plan;

pub use crate::record::ABSENT;

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Record name: letters, digits, `_`, `-`.
    pub name: String,
    /// What to write.
    pub channels: Vec<ExportChannel>,
    /// Comment lines, without `#`. Never a patient's name.
    pub comments: Vec<String>,
}

/// One signal.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportChannel {
    /// Description.
    pub name: String,
    /// Unit, UCUM or WFDB.
    pub unit: String,
    /// Samples a second; for numerics one over their period.
    pub rate: SampleRate,
    /// Stretches, in any order. Where two overlap the later one in the list wins.
    pub runs: Vec<ExportRun>,
}

/// Evenly spaced samples under one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRun {
    /// When the first was taken.
    pub start: DeviceTime,
    /// Sample units per physical unit.
    pub gain: f64,
    /// The sample that means zero.
    pub baseline: i32,
    /// Samples; [`ABSENT`] where there is no value.
    pub samples: Vec<i32>,
}

/// A file to be put into the folder of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Name without folder.
    pub name: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

impl ExportChannel {
    /// An empty channel named as the code table names `code`.
    #[must_use]
    pub fn of(code: Code, rate: SampleRate) -> Self {
        let (name, unit) =
            code.info().map_or_else(|| (code.to_string(), String::new()), |info| (info.label.into(), info.ucum.into()));
        Self { name, unit, rate, runs: Vec::new() }
    }

    /// Adds single numbers as runs of one: `value = steps / gain`. They fall on the grid of the channel's rate.
    pub fn push_numerics(&mut self, gain: f64, values: impl IntoIterator<Item = (DeviceTime, Option<i32>)>) {
        self.runs.extend(values.into_iter().map(|(start, steps)| ExportRun {
            start,
            gain,
            baseline: 0,
            samples: vec![steps.unwrap_or(ABSENT)],
        }));
    }
}

/// Makes the files. Channels without a common frame go to further records, named `<name>_2`, `<name>_3`, ….
///
/// # Errors
/// [`WriteError`]; nothing was made.
pub fn write(export: &Export) -> Result<Vec<File>, WriteError> {
    let good = export.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if export.name.is_empty() || export.name.len() > limits::NAME_BYTES_MAX / 2 || !good {
        return Err(WriteError::Name(export.name.clone()));
    }
    for channel in &export.channels {
        if channel.runs.iter().any(|run| !run.gain.is_finite() || run.gain <= 0.0) {
            return Err(WriteError::Scale(channel.name.clone()));
        }
    }
    let filled: Vec<&ExportChannel> =
        export.channels.iter().filter(|channel| channel.runs.iter().any(|run| !run.samples.is_empty())).collect();
    if filled.is_empty() {
        return Err(WriteError::Empty);
    }
    let mut files = Vec::new();
    for (index, group) in plan::by_common_frame(&filled).into_iter().enumerate() {
        let name = if index == 0 { export.name.clone() } else { format!("{}_{}", export.name, index + 1) };
        text::record(&name, &Plan::new(&group)?, &export.comments, &mut files);
    }
    Ok(files)
}
