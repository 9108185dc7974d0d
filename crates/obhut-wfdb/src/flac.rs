//! FLAC-compressed signal files, decoded by `symphonia` (decision 0030).
//!
//! Only the stream information block and the audio frames reach the decoder: pictures, comments and seek tables have no place in a signal
//! file, so a hostile file cannot make the decoder read them.

use crate::error::ReadError;
use crate::limits;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use symphonia_bundle_flac::{FlacDecoder, FlacReader};
use symphonia_core::codecs::CodecParameters;
use symphonia_core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia_core::formats::{FormatOptions, FormatReader};
use symphonia_core::io::MediaSourceStream;

const MARK: &[u8] = b"fLaC";
const STREAM_INFO_BYTES: usize = 34;
const BLOCK_STREAM_INFO: u8 = 0;
const LAST_BLOCK: u8 = 0x80;

/// Samples per channel, at most `most` of each, of a stream with `channels` channels of `bits` bits.
pub(crate) fn decode(
    file: &str,
    bytes: &[u8],
    bits: u32,
    channels: usize,
    most: u64,
) -> Result<Vec<Vec<i32>>, ReadError> {
    let wrong = |why: String| ReadError::Flac { file: file.to_owned(), why };
    let stream = bare_stream(bytes, bits, channels).map_err(|why| wrong(why.to_owned()))?;
    // The decoder is safe code, but arithmetic on hostile residuals may overflow, which panics where overflow checks are on. The caller's
    // state is untouched by then: everything the closure changes is its own.
    match catch_unwind(AssertUnwindSafe(|| frames(stream, bits, channels, most))) {
        Ok(Ok(out)) => Ok(out),
        Ok(Err(why)) => Err(wrong(why)),
        Err(_) => Err(wrong("the decoder gave up".to_owned())),
    }
}

/// The stream without any metadata but the stream information, which must agree with the header.
fn bare_stream(bytes: &[u8], bits: u32, channels: usize) -> Result<Vec<u8>, &'static str> {
    let mut rest = bytes.strip_prefix(MARK).ok_or("no FLAC mark")?;
    let mut info = None;
    loop {
        let (head, after) = rest.split_at_checked(4).ok_or("the metadata is cut short")?;
        let &[kind, a, b, c] = head else { return Err("the metadata is cut short") };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let (block, after) = after.split_at_checked(length).ok_or("the metadata is cut short")?;
        if kind & !LAST_BLOCK == BLOCK_STREAM_INFO {
            info = Some(block);
        }
        rest = after;
        if kind & LAST_BLOCK != 0 {
            break;
        }
    }
    let info = info.filter(|info| info.len() == STREAM_INFO_BYTES).ok_or("no stream information")?;
    let packed = match info.get(12..14) {
        Some(&[a, b]) => u16::from_be_bytes([a, b]),
        _ => return Err("no stream information"),
    };
    // 20 bits of rate, then 3 of channels, 5 of depth, each less one.
    if usize::from(packed >> 9 & 7) + 1 != channels {
        return Err("the number of channels differs");
    }
    if u32::from(packed >> 4 & 31) + 1 != bits {
        return Err("the sample width differs");
    }
    let mut stream = Vec::with_capacity(MARK.len() + 4 + info.len() + rest.len());
    stream.extend_from_slice(MARK);
    stream.extend_from_slice(&[LAST_BLOCK | BLOCK_STREAM_INFO, 0, 0, STREAM_INFO_BYTES as u8]);
    stream.extend_from_slice(info);
    stream.extend_from_slice(rest);
    Ok(stream)
}

fn frames(stream: Vec<u8>, bits: u32, channels: usize, most: u64) -> Result<Vec<Vec<i32>>, String> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(stream)), Default::default());
    let mut reader = FlacReader::try_new(source, FormatOptions::default()).map_err(|error| error.to_string())?;
    let params = match reader.tracks().first().and_then(|track| track.codec_params.clone()) {
        Some(CodecParameters::Audio(params)) => params,
        _ => return Err("no audio".to_owned()),
    };
    let mut decoder =
        FlacDecoder::try_new(&params, &AudioDecoderOptions::default()).map_err(|error| error.to_string())?;
    let most = usize::try_from(most.min(limits::SAMPLES_MAX)).unwrap_or(0);
    let mut out = vec![Vec::new(); channels];
    let mut planes: Vec<Vec<i32>> = Vec::new();
    while out.first().is_some_and(|first: &Vec<i32>| first.len() < most) {
        let Some(packet) = reader.next_packet().map_err(|error| error.to_string())? else { break };
        let buffer = decoder.decode(&packet).map_err(|error| error.to_string())?;
        if buffer.num_planes() != channels {
            return Err("a frame has another number of channels".to_owned());
        }
        buffer.copy_to_vecs_planar(&mut planes);
        for (list, plane) in out.iter_mut().zip(&planes) {
            // The decoder hands samples out in the upper bits of 32.
            list.extend(plane.iter().take(most - list.len().min(most)).map(|sample| sample >> (32 - bits)));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), marked in any::<bool>()) {
            let mut stream = Vec::new();
            if marked {
                stream.extend_from_slice(MARK);
                stream.extend_from_slice(&[0x80, 0, 0, 34]);
                stream.extend_from_slice(&[0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xfa, 0x00, 0xf0, 0, 0, 0, 0]);
                stream.extend_from_slice(&[0; 16]);
                stream.extend_from_slice(&[0xff, 0xf8]);
            }
            stream.extend_from_slice(&bytes);
            let _ = decode("x.dat", &stream, 16, 1, 10_000);
        }
    }
}
