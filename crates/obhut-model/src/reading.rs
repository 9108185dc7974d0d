//! Readings: numerics and waveform blocks, without saying whose they are.
//!
//! A numeric is a count of steps of the charter's resolution, so that what is stored is exactly what the charter allows to be known.
//! A waveform keeps its 16-bit samples with a linear scale. [`NO_VALUE`] and `None` mean "not measured"; there is no number for that.

use crate::{Code, Decimal, DeviceTime, Quality, SampleRate};

/// The sample that means "no value", as in WFDB format 16.
pub const NO_VALUE: i16 = i16::MIN;

/// One number at one time, after admission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numeric {
    /// What was measured.
    pub code: Code,
    /// When.
    pub taken_at: DeviceTime,
    /// How many steps; `None` is "no value".
    pub steps: Option<i32>,
    /// The size of a step in the code's unit: the charter's resolution.
    pub step: Decimal,
    /// How good.
    pub quality: Quality,
}

impl Numeric {
    /// The value in the code's unit.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.steps.map(|steps| self.step.to_f64() * f64::from(steps)).map(|v| {
            // Removes the noise of the product, so that 367 × 0.1 reads 36.7.
            let scale = 10f64.powi(i32::try_from(self.step.places()).unwrap_or(0));
            (v * scale).round() / scale
        })
    }
}

/// `value = (sample - baseline) / gain`, in the code's unit; WFDB's convention, so that records go in and out unchanged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Sample units per physical unit; finite and positive.
    pub gain: f64,
    /// The sample that means zero.
    pub baseline: i32,
}

impl Scale {
    /// The physical value of `sample`; `None` for [`NO_VALUE`].
    #[must_use]
    pub fn value(&self, sample: i16) -> Option<f64> {
        (sample != NO_VALUE).then(|| (f64::from(sample) - f64::from(self.baseline)) / self.gain)
    }

    /// Whether the numbers can be computed with.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.gain.is_finite() && self.gain > 0.0
    }
}

/// 16-bit samples in little-endian bytes, borrowed from wherever they arrived. Always whole samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples<'a>(&'a [u8]);

impl<'a> Samples<'a> {
    /// Borrows `bytes`; `None` if their number is odd.
    #[must_use]
    pub const fn from_le_bytes(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len().is_multiple_of(2) { Some(Self(bytes)) } else { None }
    }

    /// The bytes, two per sample, little-endian.
    #[must_use]
    pub const fn as_le_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// How many samples.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The samples in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i16> + 'a {
        self.0.chunks_exact(2).map(|pair| match pair {
            [low, high] => i16::from_le_bytes([*low, *high]),
            _ => NO_VALUE,
        })
    }

    /// The first `n` samples and the rest; everything and nothing if there are fewer.
    #[must_use]
    pub fn split_at(&self, n: usize) -> (Self, Self) {
        let (head, tail) = self.0.split_at(self.0.len().min(n.saturating_mul(2)));
        (Self(head), Self(tail))
    }
}

/// A block of evenly spaced samples, after admission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave<'a> {
    /// What was measured.
    pub code: Code,
    /// When the first sample was taken.
    pub start: DeviceTime,
    /// How often.
    pub rate: SampleRate,
    /// What a sample means.
    pub scale: Scale,
    /// How good the whole block is.
    pub quality: Quality,
    /// Oldest first; at least one.
    pub samples: Samples<'a>,
}

impl Wave<'_> {
    /// When the sample after the last one is due.
    #[must_use]
    pub fn end(&self) -> DeviceTime {
        self.start.plus_micros(self.rate.offset_micros(self.samples.len() as u64))
    }
}
