//! One message as it lies, sealed, in the journal: format 1. Decoding trusts nothing about lengths, though the seal was checked before.
//!
//! `device text · has sequence u8 [run u32 · number u64] · numerics varint · waves varint · each numeric · each wave`, little-endian.
//! A numeric: `code u32 · time i64 · steps i32 · flags u8 · step mantissa i32 · step exponent i8 · class u16`.
//! A wave: `code u32 · start i64 · rate u32 · gain f64 · baseline i32 · quality u8 · class u16 · samples varint · i16 each`.

use crate::api::{Admitted, RetentionClass, Sequence};
use crate::bytes::{Reader, put_text, put_varint};
use obhut_model::{Code, Decimal, DeviceTime, Numeric, Quality, SampleRate, Samples, Scale, Wave};
use obhut_vault::Format;

/// Version of the layout above.
pub(crate) const FORMAT: Format = Format(1);

/// In a flags byte: there is no value. The other bits are [`Quality`].
pub(crate) const NO_NUMBER: u8 = 0x80;

/// Number of a retention class in the store; 0 is a class the charter never named to the store.
pub(crate) type ClassNumber = u16;

pub(crate) fn encode(out: &mut Vec<u8>, message: &Admitted<'_>, class: impl Fn(RetentionClass) -> ClassNumber) {
    put_text(out, message.device.as_str());
    match message.sequence {
        Some(sequence) => {
            out.push(1);
            out.extend_from_slice(&sequence.run.to_le_bytes());
            out.extend_from_slice(&sequence.number.to_le_bytes());
        }
        None => out.push(0),
    }
    put_varint(out, message.numerics.len() as u64);
    put_varint(out, message.waves.len() as u64);
    for (numeric, retention) in message.numerics {
        put_numeric(out, numeric, class(*retention));
    }
    for (wave, retention) in message.waves {
        put_wave(out, wave, class(*retention));
    }
}

fn put_numeric(out: &mut Vec<u8>, numeric: &Numeric, class: ClassNumber) {
    let flags = numeric.quality.bits() | if numeric.steps.is_none() { NO_NUMBER } else { 0 };
    out.extend_from_slice(&numeric.code.number().to_le_bytes());
    out.extend_from_slice(&numeric.taken_at.micros().to_le_bytes());
    out.extend_from_slice(&numeric.steps.unwrap_or(0).to_le_bytes());
    out.push(flags);
    out.extend_from_slice(&numeric.step.mantissa().to_le_bytes());
    out.extend_from_slice(&numeric.step.exponent().to_le_bytes());
    out.extend_from_slice(&class.to_le_bytes());
}

fn put_wave(out: &mut Vec<u8>, wave: &Wave<'_>, class: ClassNumber) {
    out.extend_from_slice(&wave.code.number().to_le_bytes());
    out.extend_from_slice(&wave.start.micros().to_le_bytes());
    out.extend_from_slice(&wave.rate.microhertz().to_le_bytes());
    out.extend_from_slice(&wave.scale.gain.to_le_bytes());
    out.extend_from_slice(&wave.scale.baseline.to_le_bytes());
    out.push(wave.quality.bits());
    out.extend_from_slice(&class.to_le_bytes());
    put_varint(out, wave.samples.len() as u64);
    out.extend_from_slice(wave.samples.as_le_bytes());
}

/// The head of a message, and what follows it.
pub(crate) struct Message<'a> {
    pub(crate) device: &'a str,
    pub(crate) sequence: Option<Sequence>,
    numerics: usize,
    waves: usize,
    rest: Reader<'a>,
}

impl<'a> Message<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let device = rest.text()?;
        let sequence = match rest.u8()? {
            0 => None,
            1 => Some(Sequence { run: rest.u32()?, number: rest.u64()? }),
            _ => return None,
        };
        Some(Self { device, sequence, numerics: rest.length()?, waves: rest.length()?, rest })
    }

    /// Hands every part over in order. `None` if the bytes are not a whole message; what was handed over by then must be thrown away.
    pub(crate) fn parts(
        mut self,
        mut numeric: impl FnMut(&Numeric, ClassNumber),
        mut wave: impl FnMut(&Wave<'_>, ClassNumber),
    ) -> Option<()> {
        for _ in 0..self.numerics {
            let (value, class) = take_numeric(&mut self.rest)?;
            numeric(&value, class);
        }
        for _ in 0..self.waves {
            let (block, class) = take_wave(&mut self.rest)?;
            wave(&block, class);
        }
        self.rest.0.is_empty().then_some(())
    }
}

fn take_numeric(rest: &mut Reader<'_>) -> Option<(Numeric, ClassNumber)> {
    let code = Code::new(rest.u32()?);
    let taken_at = DeviceTime::from_micros(rest.i64()?);
    let steps = rest.i32()?;
    let flags = rest.u8()?;
    let step = Decimal::new(rest.i32()?, rest.i8()?).ok()?;
    let quality = Quality::from_bits(flags & !NO_NUMBER)?;
    let steps = (flags & NO_NUMBER == 0).then_some(steps);
    Some((Numeric { code, taken_at, steps, step, quality }, rest.u16()?))
}

fn take_wave<'a>(rest: &mut Reader<'a>) -> Option<(Wave<'a>, ClassNumber)> {
    let code = Code::new(rest.u32()?);
    let start = DeviceTime::from_micros(rest.i64()?);
    let rate = SampleRate::from_microhertz(rest.u32()?)?;
    let scale = Scale { gain: rest.f64()?, baseline: rest.i32()? };
    let quality = Quality::from_bits(rest.u8()?)?;
    let class = rest.u16()?;
    let bytes = rest.length()?.checked_mul(2)?;
    let samples = Samples::from_le_bytes(rest.take(bytes)?)?;
    Some((Wave { code, start, rate, scale, quality, samples }, class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use obhut_model::{DeviceId, ServerTime, Subject};

    #[test]
    fn a_message_comes_back_and_its_bytes_are_golden() {
        let at = DeviceTime::from_micros;
        let numeric = Numeric {
            code: Code::TEMP,
            taken_at: at(-1),
            steps: None,
            step: Decimal::new(1, -1).unwrap(),
            quality: Quality::SENSOR_OFF,
        };
        let wave = Wave {
            code: Code::RESP,
            start: at(5),
            rate: SampleRate::from_hertz(125).unwrap(),
            scale: Scale { gain: 1.0, baseline: -2 },
            quality: Quality::GOOD,
            samples: Samples::from_le_bytes(&[1, 0, 0, 128]).unwrap(),
        };
        let message = Admitted {
            device: &DeviceId::new("mon-1").unwrap(),
            subject: Subject::from_random([1; 16]),
            sequence: Some(Sequence { run: 7, number: 8 }),
            received: ServerTime::from_micros(0),
            numerics: &[(numeric, RetentionClass(4))],
            waves: &[(wave, RetentionClass(5))],
        };
        let mut out = Vec::new();
        encode(&mut out, &message, |class| class.0 + 1);
        let hex: String = out.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "056d6f6e2d31",
                "01070000000800000000000000",
                "0101",
                "484b0200",
                "ffffffffffffffff",
                "00000000",
                "84",
                "01000000",
                "ff",
                "0500",
                "00500200",
                "0500000000000000",
                "40597307",
                "000000000000f03f",
                "feffffff",
                "00",
                "0600",
                "02",
                "01000080"
            )
        );
        let (mut numerics, mut waves) = (Vec::new(), 0);
        let back = Message::decode(&out).unwrap();
        assert_eq!((back.device, back.sequence), ("mon-1", message.sequence));
        back.parts(|n, class| numerics.push((*n, class)), |w, class| waves += usize::from(*w == wave && class == 6))
            .unwrap();
        assert_eq!((numerics, waves), (vec![(numeric, 5)], 1));
        for length in 0..out.len() {
            assert!(Message::decode(&out[..length]).and_then(|m| m.parts(|_, _| {}, |_, _| {})).is_none(), "{length}");
        }
    }
}
