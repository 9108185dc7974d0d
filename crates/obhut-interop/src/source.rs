//! Where readings and accesses come from, piece by piece. The shell implements [`Source`] over the store and the ledger.

use crate::limits;
use obhut_model::{Code, Decimal, DeviceTime, Quality, SampleRate, Scale, ServerTime, TimeRange};

/// What was kept under one code in one stretch, as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Stretch {
    /// Numbers in order of time.
    Numerics {
        /// Size of a step, in the code's unit.
        step: Decimal,
        /// When, how many steps (`None`: no value), how good.
        values: Vec<(DeviceTime, Option<i32>, Quality)>,
    },
    /// Evenly spaced samples without a gap.
    Waveform {
        /// When the first was taken.
        start: DeviceTime,
        /// How often.
        rate: SampleRate,
        /// What a sample means.
        scale: Scale,
        /// How good the stretch is.
        quality: Quality,
        /// Oldest first; [`obhut_model::NO_VALUE`] where there is none.
        samples: Vec<i16>,
    },
}

/// One look at this patient's data, worded for the patient.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Its place in the ledger; grows.
    pub index: u64,
    /// When.
    pub at: ServerTime,
    /// Who: role and organisation, and the name where the house's law says so.
    pub who: String,
    /// What was done, in plain words.
    pub what: String,
    /// Why: the purpose, in plain words.
    pub why: String,
    /// Kinds of data.
    pub categories: Vec<String>,
    /// From where: ward screen, console, device.
    pub origin: String,
    /// Whether it was an emergency access.
    pub emergency: bool,
    /// Whether it was refused: then nothing was seen.
    pub refused: bool,
    /// The FHIR R4 AuditEvent as the ledger gives it.
    pub event: serde_json::Value,
}

/// Why a source gave nothing: the shell's own words, without personal data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Readings and accesses of one patient.
pub trait Source {
    /// Which codes there are, with first and last time.
    ///
    /// # Errors
    /// [`SourceError`].
    fn codes(&mut self) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, SourceError>;

    /// What is kept under `code` inside `range`, in order of time, all of it.
    ///
    /// # Errors
    /// [`SourceError`].
    fn readings(&mut self, code: Code, range: TimeRange) -> Result<Vec<Stretch>, SourceError>;

    /// Accesses whose index is smaller than `before`, newest first, as many as suits the source; empty when there are no more.
    ///
    /// # Errors
    /// [`SourceError`].
    fn accesses(&mut self, before: Option<u64>) -> Result<Vec<Access>, SourceError>;
}

/// Why a copy was not finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The store or the ledger failed.
    #[error("what belongs into the copy could not be read")]
    Source(#[source] SourceError),
    /// The other side stopped taking.
    #[error("the copy could not be written")]
    Write(#[source] std::io::Error),
    /// The zip file could not be made.
    #[error("the zip file could not be made")]
    Zip(#[source] zip::result::ZipError),
    /// The PDF library refused; the text is its reason.
    #[error("the PDF could not be made: {0}")]
    Pdf(String),
    /// The ledger gave something that is not an AuditEvent.
    #[error("access {0} is not an AuditEvent")]
    NotAnEvent(u64),
    /// A reading carries a time before the year 1 or after 9999, which no format here can say.
    #[error("a reading of `{0}` carries a time outside the years 1 to 9999")]
    Time(Code),
    /// A waveform's scale cannot be computed with.
    #[error("a waveform of `{0}` has no usable scale")]
    Scale(Code),
}

/// What went into a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Single numbers, absent ones included.
    pub values: u64,
    /// Samples of waveforms, absent ones included.
    pub samples: u64,
    /// Accesses.
    pub accesses: u64,
}

impl Summary {
    /// Counts one stretch.
    pub(crate) fn count(&mut self, stretch: &Stretch) {
        match stretch {
            Stretch::Numerics { values, .. } => self.values += values.len() as u64,
            Stretch::Waveform { samples, .. } => self.samples += samples.len() as u64,
        }
    }
}

impl From<SourceError> for CopyError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// Calls `each` for every stretch of `code` from `first` to `last`, window by window.
pub(crate) fn for_each_stretch(
    source: &mut dyn Source,
    (code, first, last): (Code, DeviceTime, DeviceTime),
    each: &mut dyn FnMut(Stretch) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let mut from = first;
    while from <= last {
        // Windows begin at whole multiples of their length, so that they fall together with what the store keeps in one file.
        let to = DeviceTime::from_micros(
            (from.micros().div_euclid(limits::WINDOW_MICROS) + 1).saturating_mul(limits::WINDOW_MICROS),
        );
        for stretch in source.readings(code, TimeRange { from, to })? {
            if !stretch.is_sayable() {
                return Err(CopyError::Time(code));
            }
            each(stretch)?;
        }
        from = to;
    }
    Ok(())
}

impl Stretch {
    /// Whether every time in it lies in the years 1 to 9999.
    fn is_sayable(&self) -> bool {
        let within = |at: &DeviceTime| (crate::time::FIRST..=crate::time::LAST).contains(&at.micros());
        match self {
            Self::Numerics { values, .. } => values.iter().all(|(at, _, _)| within(at)),
            Self::Waveform { start, rate, samples, .. } => {
                within(start) && within(&start.plus_micros(rate.offset_micros(samples.len() as u64)))
            }
        }
    }
}

/// Calls `each` for every access, newest first.
pub(crate) fn for_each_access(
    source: &mut dyn Source,
    each: &mut dyn FnMut(Access) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let mut before = None;
    loop {
        let page = source.accesses(before)?;
        let Some(last) = page.last().map(|access| access.index) else { return Ok(()) };
        // A source that does not move on would never end.
        if before.is_some_and(|before| last >= before) {
            return Err(CopyError::Source(SourceError("the ledger repeats itself".to_owned())));
        }
        before = Some(last);
        page.into_iter().try_for_each(&mut *each)?;
    }
}
