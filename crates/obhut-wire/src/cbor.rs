//! The CBOR frame (RFC 8949): one message of a device, deterministic when written, checked from end to end when read.
//!
//! Arrays with fixed places instead of maps, times as offsets from the frame's base, samples as one byte string of little-endian 16-bit
//! numbers that is borrowed and never copied. The format (CDDL, with an example in hexadecimal) stands in `docs/protocol.md`.
//! *Not* for reading other CBOR: indefinite lengths, tags, maps and text do not occur and are refused.

use crate::frame::{Clock, Header, RawNumeric, RawWave};
use crate::limits::{
    FRAME_BYTES_MAX, GAIN_MAX, GAIN_MIN, NUMBER_MAX, NUMERICS_MAX, OFFSET_MICROS_MAX, RATE_MICROHERTZ_MAX,
    RATE_MICROHERTZ_MIN, SAMPLES_MAX, TIME_MICROS_MAX, TIME_MICROS_MIN, WAVES_MAX,
};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use obhut_model::{Code, Decimal, DeviceTime, Quality, SampleRate, Samples, Scale};

/// The only version there is.
pub const VERSION: u8 = 1;

const FRAME_PLACES: u64 = 7;
const NUMERIC_PLACES: u64 = 5;
const WAVE_PLACES: u64 = 7;

/// Why bytes are not a frame, or a frame cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// More bytes than [`FRAME_BYTES_MAX`].
    #[error("the frame is longer than {FRAME_BYTES_MAX} bytes")]
    TooLong,
    /// Not the CBOR that belongs there: another type, an indefinite length, or an early end.
    #[error("the frame is malformed at byte {at}")]
    Malformed {
        /// Where reading stopped.
        at: usize,
    },
    /// Another version of the format.
    #[error("frame version {found} is not known, only {VERSION}")]
    Version {
        /// The version it says.
        found: u32,
    },
    /// Neither numerics nor waveforms.
    #[error("the frame is empty")]
    Empty,
    /// A list is longer than its bound.
    #[error("more {what} than allowed")]
    TooMany {
        /// Which list.
        what: &'static str,
    },
    /// A number is outside its range.
    #[error("{what} is out of range")]
    Range {
        /// Which number.
        what: &'static str,
    },
    /// Something follows the frame.
    #[error("{bytes} bytes follow the frame")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// A checked frame, borrowed from the payload. Reading it cannot fail.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    header: Header,
    numerics: Numerics<'a>,
    waves: Waves<'a>,
}

impl<'a> Frame<'a> {
    /// Checks all of `payload` once: form, version, counts, ranges, times, qualities.
    ///
    /// # Errors
    /// [`FrameError`] naming the first thing that is wrong; nothing of the frame may then be used.
    pub fn decode(payload: &'a [u8]) -> Result<Self, FrameError> {
        if payload.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        let mut input = Decoder::new(payload);
        places(&mut input, FRAME_PLACES)?;
        let header = read_header(&mut input)?;
        let numeric_count = list(&mut input, NUMERICS_MAX, "numerics")?;
        let numerics = Numerics { input: rest(&input), left: numeric_count, base: header.base };
        for _ in 0..numeric_count {
            read_numeric(&mut input, header.base)?;
        }
        let wave_count = list(&mut input, WAVES_MAX, "waveform blocks")?;
        let waves = Waves { input: rest(&input), left: wave_count, base: header.base };
        for _ in 0..wave_count {
            read_wave(&mut input, header.base)?;
        }
        if numeric_count + wave_count == 0 {
            return Err(FrameError::Empty);
        }
        match payload.len() - input.position() {
            0 => Ok(Self { header, numerics, waves }),
            bytes => Err(FrameError::Trailing { bytes }),
        }
    }

    /// The envelope.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The numerics in the order sent.
    #[must_use]
    pub const fn numerics(&self) -> Numerics<'a> {
        self.numerics
    }

    /// The waveform blocks in the order sent.
    #[must_use]
    pub const fn waves(&self) -> Waves<'a> {
        self.waves
    }
}

/// The numerics of a frame; allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Numerics<'a> {
    input: &'a [u8],
    left: usize,
    base: DeviceTime,
}

impl Iterator for Numerics<'_> {
    type Item = RawNumeric;

    fn next(&mut self) -> Option<RawNumeric> {
        self.left = self.left.checked_sub(1)?;
        let mut input = Decoder::new(self.input);
        // INVARIANT: `Frame::decode` has read the same bytes with the same function, so this is always `Ok`.
        let numeric = read_numeric(&mut input, self.base).ok()?;
        self.input = rest(&input);
        Some(numeric)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Numerics<'_> {}

/// The waveform blocks of a frame; allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Waves<'a> {
    input: &'a [u8],
    left: usize,
    base: DeviceTime,
}

impl<'a> Iterator for Waves<'a> {
    type Item = RawWave<'a>;

    fn next(&mut self) -> Option<RawWave<'a>> {
        self.left = self.left.checked_sub(1)?;
        let mut input = Decoder::new(self.input);
        // INVARIANT: as for `Numerics`.
        let wave = read_wave(&mut input, self.base).ok()?;
        self.input = rest(&input);
        Some(wave)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Waves<'_> {}

/// Appends the frame to `out`, always the same bytes for the same content (RFC 8949, section 4.2.1).
///
/// # Errors
/// [`FrameError`] if [`Frame::decode`] would refuse it; `out` is then as it was.
pub fn encode(
    header: &Header,
    numerics: &[RawNumeric],
    waves: &[RawWave<'_>],
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = out.len();
    let done = write(header, numerics, waves, out)
        .and_then(|()| if out.len() - start > FRAME_BYTES_MAX { Err(FrameError::TooLong) } else { Ok(()) });
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn write(header: &Header, numerics: &[RawNumeric], waves: &[RawWave<'_>], out: &mut Vec<u8>) -> Result<(), FrameError> {
    check_header(header)?;
    check(numerics.len() <= NUMERICS_MAX, FrameError::TooMany { what: "numerics" })?;
    check(waves.len() <= WAVES_MAX, FrameError::TooMany { what: "waveform blocks" })?;
    check(numerics.len() + waves.len() > 0, FrameError::Empty)?;
    let mut to = Encoder::new(out);
    infallible(
        to.array(FRAME_PLACES)
            .and_then(|e| e.u8(VERSION))
            .and_then(|e| e.u32(header.run))
            .and_then(|e| e.u64(header.number)),
    )?;
    infallible(
        to.i64(header.base.micros())
            .and_then(|e| e.u8(clock_number(header.clock)))
            .and_then(|e| e.array(numerics.len() as u64)),
    )?;
    for numeric in numerics {
        write_numeric(&mut to, numeric, header.base)?;
    }
    infallible(to.array(waves.len() as u64))?;
    for wave in waves {
        write_wave(&mut to, wave, header.base)?;
    }
    Ok(())
}

fn write_numeric(to: &mut Encoder<&mut Vec<u8>>, numeric: &RawNumeric, base: DeviceTime) -> Result<(), FrameError> {
    let offset = offset_of(numeric.taken_at, base)?;
    infallible(to.array(NUMERIC_PLACES).and_then(|e| e.u32(numeric.code.number())).and_then(|e| e.i64(offset)))?;
    let exponent = match numeric.value {
        Some(value) => {
            infallible(to.i32(value.mantissa()))?;
            value.exponent()
        }
        None => {
            infallible(to.null())?;
            0
        }
    };
    infallible(to.i8(exponent).and_then(|e| e.u8(numeric.quality.bits())))
}

fn write_wave(to: &mut Encoder<&mut Vec<u8>>, wave: &RawWave<'_>, base: DeviceTime) -> Result<(), FrameError> {
    let offset = offset_of(wave.start, base)?;
    check_wave(wave)?;
    infallible(
        to.array(WAVE_PLACES)
            .and_then(|e| e.u32(wave.code.number()))
            .and_then(|e| e.i64(offset))
            .and_then(|e| e.u32(wave.rate.microhertz())),
    )?;
    write_shortest(to, wave.scale.gain)?;
    infallible(
        to.i32(wave.scale.baseline)
            .and_then(|e| e.u8(wave.quality.bits()))
            .and_then(|e| e.bytes(wave.samples.as_le_bytes())),
    )
}

/// Preferred serialisation of a float: the shortest of half, single and double that holds it exactly.
fn write_shortest(to: &mut Encoder<&mut Vec<u8>>, value: f64) -> Result<(), FrameError> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the original right after")]
    let single = value as f32;
    if f64::from(single).to_bits() != value.to_bits() {
        return infallible(to.f64(value));
    }
    if fits_half(single) { infallible(to.f16(single)) } else { infallible(to.f32(single)) }
}

/// Whether a positive single is exactly a half: five bits of exponent and ten after the point, or a multiple of 2^-24 below those.
fn fits_half(single: f32) -> bool {
    let bits = single.to_bits();
    let exponent = i32::try_from(bits >> 23 & 0xff).unwrap_or(0) - 127;
    let steps = single * 16_777_216.0;
    (bits & 0x1fff == 0 && (-14..=15).contains(&exponent)) || (steps < 1_024.0 && steps.fract() == 0.0)
}

fn infallible<T>(written: Result<T, minicbor::encode::Error<std::convert::Infallible>>) -> Result<(), FrameError> {
    // Writing to a `Vec` cannot fail; the codec's error type cannot say so.
    written.map(|_| ()).map_err(|_| FrameError::Malformed { at: 0 })
}

fn check(holds: bool, otherwise: FrameError) -> Result<(), FrameError> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn range(holds: bool, what: &'static str) -> Result<(), FrameError> {
    check(holds, FrameError::Range { what })
}

fn check_header(header: &Header) -> Result<(), FrameError> {
    range((1..=NUMBER_MAX).contains(&header.number), "the sequence number")?;
    check_time(header.base)
}

fn check_time(time: DeviceTime) -> Result<(), FrameError> {
    range((TIME_MICROS_MIN..=TIME_MICROS_MAX).contains(&time.micros()), "a time")
}

fn check_wave(wave: &RawWave<'_>) -> Result<(), FrameError> {
    range((RATE_MICROHERTZ_MIN..=RATE_MICROHERTZ_MAX).contains(&wave.rate.microhertz()), "a sample rate")?;
    range((GAIN_MIN..=GAIN_MAX).contains(&wave.scale.gain), "a gain")?;
    range(!wave.samples.is_empty(), "the length of a waveform block")?;
    check(wave.samples.len() <= SAMPLES_MAX, FrameError::TooMany { what: "samples in a waveform block" })?;
    check_time(wave.start.plus_micros(wave.rate.offset_micros(wave.samples.len() as u64)))
}

fn offset_of(time: DeviceTime, base: DeviceTime) -> Result<i64, FrameError> {
    check_time(time)?;
    let offset = time.since(base);
    range((-OFFSET_MICROS_MAX..=OFFSET_MICROS_MAX).contains(&offset), "a time offset")?;
    Ok(offset)
}

const fn clock_number(clock: Clock) -> u8 {
    match clock {
        Clock::Synchronised => 0,
        Clock::FreeRunning => 1,
        Clock::Unset => 2,
    }
}

fn rest<'a>(input: &Decoder<'a>) -> &'a [u8] {
    input.input().get(input.position()..).unwrap_or_default()
}

/// Reads one value, or says where reading stopped.
fn take<'a, T>(
    input: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, minicbor::decode::Error>,
) -> Result<T, FrameError> {
    let at = input.position();
    read(input).map_err(|_| FrameError::Malformed { at })
}

/// The head of an array of exactly `count` places.
fn places(input: &mut Decoder<'_>, count: u64) -> Result<(), FrameError> {
    let at = input.position();
    let found = take(input, Decoder::array)?;
    check(found == Some(count), FrameError::Malformed { at })
}

/// The head of an array of at most `max` places.
fn list(input: &mut Decoder<'_>, max: usize, what: &'static str) -> Result<usize, FrameError> {
    let at = input.position();
    let count = take(input, Decoder::array)?.ok_or(FrameError::Malformed { at })?;
    usize::try_from(count).ok().filter(|count| *count <= max).ok_or(FrameError::TooMany { what })
}

fn read_header(input: &mut Decoder<'_>) -> Result<Header, FrameError> {
    let found = take(input, Decoder::u32)?;
    check(found == u32::from(VERSION), FrameError::Version { found })?;
    let run = take(input, Decoder::u32)?;
    let number = take(input, Decoder::u64)?;
    let base = DeviceTime::from_micros(take(input, Decoder::i64)?);
    let clock = match take(input, Decoder::u8)? {
        0 => Clock::Synchronised,
        1 => Clock::FreeRunning,
        2 => Clock::Unset,
        _ => return Err(FrameError::Range { what: "the clock state" }),
    };
    let header = Header { run, number, base, clock };
    check_header(&header)?;
    Ok(header)
}

fn read_time(input: &mut Decoder<'_>, base: DeviceTime) -> Result<DeviceTime, FrameError> {
    let offset = take(input, Decoder::i64)?;
    range((-OFFSET_MICROS_MAX..=OFFSET_MICROS_MAX).contains(&offset), "a time offset")?;
    let time = base.plus_micros(offset);
    check_time(time)?;
    Ok(time)
}

fn read_quality(input: &mut Decoder<'_>) -> Result<Quality, FrameError> {
    Quality::from_bits(take(input, Decoder::u8)?).ok_or(FrameError::Range { what: "a quality" })
}

fn read_numeric(input: &mut Decoder<'_>, base: DeviceTime) -> Result<RawNumeric, FrameError> {
    places(input, NUMERIC_PLACES)?;
    let code = Code::new(take(input, Decoder::u32)?);
    let taken_at = read_time(input, base)?;
    let mantissa = if take(input, |d| d.datatype())? == Type::Null {
        take(input, Decoder::null)?;
        None
    } else {
        Some(take(input, Decoder::i32)?)
    };
    let exponent = take(input, Decoder::i8)?;
    let out_of_range = FrameError::Range { what: "an exponent" };
    let value = match mantissa {
        Some(mantissa) => Some(Decimal::new(mantissa, exponent).map_err(|_| out_of_range)?),
        None => {
            check(exponent == 0, out_of_range)?;
            None
        }
    };
    let quality = read_quality(input)?;
    Ok(RawNumeric { code, taken_at, value, quality })
}

fn read_wave<'a>(input: &mut Decoder<'a>, base: DeviceTime) -> Result<RawWave<'a>, FrameError> {
    places(input, WAVE_PLACES)?;
    let code = Code::new(take(input, Decoder::u32)?);
    let start = read_time(input, base)?;
    let rate =
        SampleRate::from_microhertz(take(input, Decoder::u32)?).ok_or(FrameError::Range { what: "a sample rate" })?;
    let gain = take(input, Decoder::f64)?;
    let baseline = take(input, Decoder::i32)?;
    let quality = read_quality(input)?;
    let samples = Samples::from_le_bytes(take(input, Decoder::bytes)?)
        .ok_or(FrameError::Range { what: "the length of a waveform block" })?;
    let wave = RawWave { code, start, rate, scale: Scale { gain, baseline }, quality, samples };
    check_wave(&wave)?;
    Ok(wave)
}
