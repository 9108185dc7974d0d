//! What a `.hea` file says. Types only; the text is read in `parse`.

use crate::instant::Start;
use obhut_model::SampleRate;

/// A header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Record name, as the header itself states it.
    pub name: String,
    /// Frames a second, as written; for a record of one sample a minute more exact than [`Header::rate`].
    pub frequency: f64,
    /// Frames a second.
    pub rate: SampleRate,
    /// Length in frames, if stated.
    pub frames: Option<u64>,
    /// When it begins, if stated.
    pub start: Option<Start>,
    /// Signals or segments.
    pub body: Body,
    /// Comment lines without their `#`.
    pub comments: Vec<String>,
}

/// What follows the record line.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A record with its own signals.
    Signals(Vec<Signal>),
    /// A record made of others.
    Segments(Vec<Segment>),
}

/// One line of a multi-segment header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Record name; `None` for a gap, written `~`.
    pub name: Option<String>,
    /// Length in frames; 0 for the layout segment.
    pub frames: u64,
}

/// One signal line.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// File that holds the samples; `~` in a layout.
    pub file: String,
    /// How they are stored.
    pub format: Format,
    /// Samples of this signal in a frame.
    pub per_frame: u32,
    /// Frames by which the file is ahead of the others.
    pub skew: u32,
    /// Bytes before the first sample.
    pub offset: u64,
    /// Sample units per physical unit. 200 where the header says nothing or 0, as WFDB does.
    pub gain: f64,
    /// The sample that means zero.
    pub baseline: i32,
    /// Physical unit, `mV` unless stated.
    pub unit: String,
    /// First sample, if stated.
    pub initial: Option<i32>,
    /// Sum of all samples modulo 65536, if stated.
    pub checksum: Option<u16>,
    /// What it is: `MLII`, `ABP`.
    pub description: String,
}

/// How samples are stored, `signal(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// None: the signal line of a layout.
    Null,
    /// 8 bits, offset binary.
    F80,
    /// 16 bits, little-endian.
    F16,
    /// 16 bits, big-endian.
    F61,
    /// 16 bits, offset binary.
    F160,
    /// Two 12-bit samples in three bytes.
    F212,
    /// 24 bits, little-endian.
    F24,
    /// 32 bits, little-endian.
    F32,
    /// FLAC of 8 bits.
    F508,
    /// FLAC of 16 bits.
    F516,
    /// FLAC of 24 bits.
    F524,
}

impl Format {
    /// From the number in the header; `None` if this reader does not know it.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            80 => Self::F80,
            16 => Self::F16,
            61 => Self::F61,
            160 => Self::F160,
            212 => Self::F212,
            24 => Self::F24,
            32 => Self::F32,
            508 => Self::F508,
            516 => Self::F516,
            524 => Self::F524,
            _ => return None,
        })
    }

    /// The stored number that means "no value".
    #[must_use]
    pub const fn sentinel(self) -> i32 {
        match self {
            Self::F80 | Self::F508 => -128,
            Self::F212 => -2048,
            Self::F24 | Self::F524 => -8_388_608,
            Self::F32 => i32::MIN,
            Self::Null | Self::F16 | Self::F61 | Self::F160 | Self::F516 => -32768,
        }
    }

    /// Bits of a sample in a FLAC stream; `None` for the other formats.
    #[must_use]
    pub const fn flac_bits(self) -> Option<u32> {
        match self {
            Self::F508 => Some(8),
            Self::F516 => Some(16),
            Self::F524 => Some(24),
            _ => None,
        }
    }
}

impl Header {
    /// Reads the text of a header file by itself, without its signals.
    ///
    /// # Errors
    /// [`ReadError`](crate::ReadError), naming the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, crate::ReadError> {
        crate::parse::Parser::new("header").header(bytes)
    }
}
