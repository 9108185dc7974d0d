//! A WFDB record as blocks of waveforms, for the example programs and the tests.

use obhut_model::{Code, DeviceTime, NO_VALUE, Quality, SampleRate, Samples, Scale, Wave};
use obhut_signal::Bed;
use obhut_wfdb::{ABSENT, Channel, Record, Source, SourceError};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

struct Folder(PathBuf);

impl Source for Folder {
    fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, SourceError> {
        std::fs::read(self.0.join(name)).map(Cow::Owned).map_err(|error| SourceError(error.to_string()))
    }
}

/// One curve of a record: what a bed would be sent.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    /// As in the record.
    pub(crate) name: String,
    /// What it is taken for.
    pub(crate) code: Code,
    /// How often.
    pub(crate) rate: SampleRate,
    /// What a sample means.
    pub(crate) scale: Scale,
    /// From the start of the record; `NO_VALUE` where there is none.
    pub(crate) samples: Vec<i16>,
}

/// What a signal of a record is called here.
#[must_use]
pub(crate) fn code(name: &str) -> Option<Code> {
    Some(match name {
        "I" => Code::ECG_LEAD_I,
        "II" | "MLII" => Code::ECG_LEAD_II,
        "III" => Code::ECG_LEAD_III,
        "V" | "V1" | "MCL1" => Code::ECG_LEAD_V1,
        "V5" => Code::ECG_LEAD_V5,
        "ABP" => Code::PRESS_BLD_ART_ABP,
        "PLETH" | "Pleth" => Code::PULS_OXIM_PLETH,
        "RESP" | "Resp" => Code::RESP,
        _ => return None,
    })
}

/// Reads `name` in `folder`; signals nobody analyses are left out.
///
/// # Errors
/// If the record cannot be read.
pub(crate) fn read(folder: &Path, name: &str) -> Result<Vec<Track>, obhut_wfdb::ReadError> {
    let record = obhut_wfdb::read(&Folder(folder.to_owned()), name)?;
    Ok(record.channels.iter().filter_map(|channel| track(&record, channel)).collect())
}

fn track(record: &Record, channel: &Channel) -> Option<Track> {
    let first = channel.pieces.first()?;
    let scale = Scale { gain: first.gain, baseline: first.baseline };
    let length = usize::try_from(record.frames * u64::from(channel.per_frame)).ok()?;
    let mut samples = vec![NO_VALUE; length];
    for piece in &channel.pieces {
        let at = usize::try_from(piece.start).ok()?;
        for (to, &from) in samples.iter_mut().skip(at).zip(&piece.samples) {
            // Pieces under another gain are brought to the first one's.
            let value = (f64::from(from) - f64::from(piece.baseline)) / piece.gain;
            let same = piece.gain == first.gain && piece.baseline == first.baseline;
            let sample = if same { from } else { (value * scale.gain).round() as i32 + scale.baseline };
            *to = if from == ABSENT { NO_VALUE } else { i16::try_from(sample).unwrap_or(NO_VALUE) };
        }
    }
    Some(Track { name: channel.name.clone(), code: code(&channel.name)?, rate: channel.rate, scale, samples })
}

impl Track {
    /// How many seconds long.
    #[must_use]
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / self.rate.hertz()
    }

    /// Pushes samples `from..to`, the first sample of the track being at time zero.
    ///
    /// # Panics
    /// If the bed refuses.
    pub(crate) fn push(&self, bed: &mut Bed, from: usize, to: usize) {
        let some = self.samples.get(from..to.min(self.samples.len())).unwrap_or_default();
        if some.is_empty() {
            return;
        }
        let bytes: Vec<u8> = some.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let Some(samples) = Samples::from_le_bytes(&bytes) else { return };
        let start = DeviceTime::from_micros(self.rate.offset_micros(from as u64));
        let wave = Wave { code: self.code, start, rate: self.rate, scale: self.scale, quality: Quality::GOOD, samples };
        if let Err(refused) = bed.push(&wave) {
            eprintln!("{}: {refused}", self.name);
        }
    }
}

/// Pushes all tracks second by second; `each` sees the bed after every second, with the number of seconds pushed.
pub(crate) fn play(tracks: &[Track], bed: &mut Bed, mut each: impl FnMut(&Bed, usize)) {
    let seconds = tracks.iter().map(Track::seconds).fold(0.0, f64::max).ceil() as usize;
    for second in 0..seconds {
        for track in tracks {
            let index = |second: usize| track.rate.index_at(second as i64 * 1_000_000) as usize;
            track.push(bed, index(second), index(second + 1));
        }
        each(bed, second + 1);
    }
}
