//! Types of the device frame; the codec is beside them. Borrowed from the payload, nothing copied.

use obhut_model::{Code, Decimal, DeviceTime, Quality, SampleRate, Samples, Scale};

/// What a device says about its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Disciplined by the hospital's time service.
    Synchronised,
    /// Running free since it last was.
    FreeRunning,
    /// Never set, or known to be wrong: the server uses its own time.
    Unset,
}

/// The envelope of one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// Drawn at random when the device's buffer was made.
    pub run: u32,
    /// Counts up from one.
    pub number: u64,
    /// Base time of everything inside.
    pub base: DeviceTime,
    /// State of the device's clock.
    pub clock: Clock,
}

/// A number as the device sent it, before admission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawNumeric {
    /// What.
    pub code: Code,
    /// When.
    pub taken_at: DeviceTime,
    /// How much; `None` is "no value".
    pub value: Option<Decimal>,
    /// How good.
    pub quality: Quality,
}

/// A waveform block as the device sent it, before admission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawWave<'a> {
    /// What.
    pub code: Code,
    /// When the first sample was taken.
    pub start: DeviceTime,
    /// How often.
    pub rate: SampleRate,
    /// What a sample means.
    pub scale: Scale,
    /// How good.
    pub quality: Quality,
    /// The samples.
    pub samples: Samples<'a>,
}
