//! Turns the bytes of one signal file into samples, one list per signal, as stored: sentinels are still in, skew is not yet undone.

use crate::error::ReadError;
use crate::flac;
use crate::header::{Format, Signal};
use crate::limits;
use crate::parse::too_much;

/// What one file held: samples per signal, in the order of `signals`, and how many frames.
pub(crate) struct Decoded {
    pub(crate) signals: Vec<Vec<i32>>,
    pub(crate) frames: u64,
}

/// Decodes `frames` frames and, where the file has them, up to `extra` more (for undoing skew). `frames` unknown means all there are.
pub(crate) fn file(
    name: &str,
    bytes: &[u8],
    signals: &[&Signal],
    frames: Option<u64>,
    extra: u64,
) -> Result<Decoded, ReadError> {
    let Some(first) = signals.first() else {
        return Ok(Decoded { signals: Vec::new(), frames: 0 });
    };
    let per_frame: u64 = signals.iter().map(|signal| u64::from(signal.per_frame)).sum();
    let wanted = frames.map(|frames| frames.saturating_add(extra));
    let promised = frames.unwrap_or(0).saturating_mul(per_frame);
    if promised > limits::SAMPLES_MAX {
        return Err(too_much("samples", limits::SAMPLES_MAX));
    }
    let short = || ReadError::Short { file: name.to_owned(), expected: promised };
    let body = usize::try_from(first.offset).ok().and_then(|offset| bytes.get(offset..)).ok_or_else(short)?;
    if let Some(bits) = first.format.flac_bits() {
        let most = wanted.map_or(limits::SAMPLES_MAX / per_frame.max(1), |wanted| wanted) * u64::from(first.per_frame);
        let channels = flac::decode(name, body, bits, signals.len(), most)?;
        let samples = channels.first().map_or(0, Vec::len) as u64;
        let have = samples / u64::from(first.per_frame);
        if signals.iter().any(|signal| signal.per_frame != first.per_frame) {
            return Err(ReadError::Flac {
                file: name.to_owned(),
                why: "signals of one stream need the same rate".to_owned(),
            });
        }
        return if have < frames.unwrap_or(0) { Err(short()) } else { Ok(Decoded { signals: channels, frames: have }) };
    }
    let have = capacity(first.format, body.len() as u64) / per_frame;
    if have < frames.unwrap_or(0) {
        return Err(short());
    }
    let frames = wanted.unwrap_or(have).min(have);
    if frames.saturating_mul(per_frame) > limits::SAMPLES_MAX {
        return Err(too_much("samples", limits::SAMPLES_MAX));
    }
    let flat = samples(first.format, body, (frames * per_frame) as usize);
    Ok(Decoded { signals: deal(&flat, signals, frames), frames })
}

/// How many samples `bytes` bytes hold.
fn capacity(format: Format, bytes: u64) -> u64 {
    match format {
        Format::F80 => bytes,
        Format::F16 | Format::F61 | Format::F160 => bytes / 2,
        Format::F212 => bytes / 3 * 2 + u64::from(bytes % 3 == 2),
        Format::F24 => bytes / 3,
        Format::F32 => bytes / 4,
        Format::Null | Format::F508 | Format::F516 | Format::F524 => 0,
    }
}

fn samples(format: Format, bytes: &[u8], count: usize) -> Vec<i32> {
    let each = |width: usize, one: fn(&[u8]) -> i32| bytes.chunks_exact(width).take(count).map(one).collect();
    match format {
        Format::F80 => bytes.iter().take(count).map(|&byte| i32::from(byte) - 128).collect(),
        Format::F16 => each(2, |pair| i32::from(i16::from_le_bytes(fixed(pair)))),
        Format::F61 => each(2, |pair| i32::from(i16::from_be_bytes(fixed(pair)))),
        Format::F160 => each(2, |pair| i32::from(u16::from_le_bytes(fixed(pair))) - 32768),
        Format::F24 => each(3, |three| {
            let [low, middle, high] = fixed(three);
            i32::from_le_bytes([0, low, middle, high]) >> 8
        }),
        Format::F32 => each(4, |four| i32::from_le_bytes(fixed(four))),
        Format::F212 => bytes.chunks(3).flat_map(twelve_bit_pair).take(count).collect(),
        Format::Null | Format::F508 | Format::F516 | Format::F524 => Vec::new(),
    }
}

/// The bytes as an array; zeros for what is missing, which `chunks_exact` rules out.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// Bytes `a b c`: first sample is the low nibble of `b` over `a`, second the high nibble of `b` over `c`.
fn twelve_bit_pair(bytes: &[u8]) -> [i32; 2] {
    let [a, b, c] = fixed(bytes).map(i32::from);
    let signed = |value: i32| (value << 20) >> 20;
    [signed((b & 0x0f) << 8 | a), signed((b & 0xf0) << 4 | c)]
}

/// Deals interleaved samples out to their signals.
fn deal(flat: &[i32], signals: &[&Signal], frames: u64) -> Vec<Vec<i32>> {
    let mut out: Vec<Vec<i32>> =
        signals.iter().map(|signal| Vec::with_capacity((frames * u64::from(signal.per_frame)) as usize)).collect();
    let mut rest = flat;
    for _ in 0..frames {
        for (signal, list) in signals.iter().zip(&mut out) {
            let (head, tail) = rest.split_at(rest.len().min(signal.per_frame as usize));
            list.extend_from_slice(head);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_by_hand() {
        assert_eq!(samples(Format::F16, &[0xff, 0xff, 0x00, 0x80, 0x34, 0x12], 3), [-1, -32768, 0x1234]);
        assert_eq!(samples(Format::F61, &[0xff, 0xfe, 0x12, 0x34], 2), [-2, 0x1234]);
        assert_eq!(samples(Format::F160, &[0x00, 0x80, 0x00, 0x00], 2), [0, -32768]);
        assert_eq!(samples(Format::F80, &[0, 128, 255], 3), [-128, 0, 127]);
        assert_eq!(samples(Format::F24, &[0xff, 0xff, 0xff, 0, 0, 0x80], 2), [-1, -8_388_608]);
        assert_eq!(samples(Format::F32, &[0xfe, 0xff, 0xff, 0xff], 1), [-2]);
        // 995 = 0x3e3 and 1011 = 0x3f3: the first frame of record 100.
        assert_eq!(samples(Format::F212, &[0xe3, 0x33, 0xf3], 2), [995, 1011]);
        assert_eq!(samples(Format::F212, &[0x00, 0x88, 0xff], 2), [-2048, -1793]);
        assert_eq!(
            (capacity(Format::F212, 5), samples(Format::F212, &[0xe3, 0x33, 0xf3, 0x01, 0x00], 3)),
            (3, vec![995, 1011, 1])
        );
    }
}
