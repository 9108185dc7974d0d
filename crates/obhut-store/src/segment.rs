//! Segment files: sealed chunks of one retention class and one hour of data time, one behind the other.
//!
//! A chunk: `magic · kind u8 · format u8 · class u16 · key u32 · code u32 · first i64 · last i64 · sealed length u32 · nonce`, then the packed piece, sealed.
//! Everything in the header is also associated data of the seal, so that it cannot be changed. What no index row names does not exist; bytes behind the
//! indexed length are remains of a flush that did not finish and are overwritten by the next.

use crate::bytes::Reader;
use crate::chunk::{FORMAT, Piece, pack, unpack_numerics, unpack_waveform};
use crate::message::ClassNumber;
use crate::records::index::{Chunk, Segment};
use crate::records::keys::SubjectEntry;
use obhut_model::{Code, DeviceTime};
use obhut_vault::{ChunkContext, NONCE_BYTES, NonceBytes, SealContext, TAG_BYTES};
use std::sync::Arc;

/// Directory of the segment files.
pub(crate) const DIRECTORY: &str = "segments";
const MAGIC: &[u8; 4] = b"OBc1";
const NUMERICS: u8 = 1;
const WAVEFORM: u8 = 2;
/// Bytes before a chunk's sealed part.
pub(crate) const CHUNK_HEADER_BYTES: usize = 4 + 1 + 1 + 2 + 4 + 4 + 8 + 8 + 4 + NONCE_BYTES;

/// Directory of one class.
pub(crate) fn directory(class: ClassNumber) -> String {
    format!("{DIRECTORY}/{class}")
}

/// Name of a segment file in its directory.
pub(crate) fn file_name(segment: &Segment) -> String {
    format!("{}-{}.segment", segment.hour, segment.part)
}

/// Path of a segment file.
pub(crate) fn path(segment: &Segment) -> String {
    format!("{}/{}", directory(segment.class), file_name(segment))
}

fn context(
    entry: &SubjectEntry,
    kind: u8,
    class: ClassNumber,
    code: Code,
    first: i64,
    last: i64,
) -> Option<SealContext> {
    let time = DeviceTime::from_micros;
    let chunk =
        ChunkContext { subject: entry.subject, key: entry.number, code, class, first: time(first), last: time(last) };
    match kind {
        NUMERICS => Some(SealContext::numerics(FORMAT, &chunk)),
        WAVEFORM => Some(SealContext::waveform(FORMAT, &chunk)),
        _ => None,
    }
}

/// Packs and seals a piece as a chunk, behind what `out` holds. `None` if it cannot be packed.
pub(crate) fn put_chunk(
    out: &mut Vec<u8>,
    entry: &SubjectEntry,
    nonce: NonceBytes,
    (class, code): (ClassNumber, Code),
    device: &str,
    piece: &Piece,
) -> Option<Chunk> {
    let packed = pack(device, piece)?;
    let kind = match piece {
        Piece::Numerics { .. } => NUMERICS,
        Piece::Waveform(_) => WAVEFORM,
    };
    let (first, last, offset) = (piece.first(), piece.last(), out.len());
    let sealed_length = u32::try_from(packed.len() + TAG_BYTES).ok()?;
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[kind, FORMAT.0]);
    out.extend_from_slice(&class.to_le_bytes());
    out.extend_from_slice(&entry.number.to_le_bytes());
    out.extend_from_slice(&code.number().to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&last.to_le_bytes());
    out.extend_from_slice(&sealed_length.to_le_bytes());
    out.extend_from_slice(&nonce.0);
    let from = out.len();
    out.extend_from_slice(&packed);
    entry.key.seal_tail(nonce, &context(entry, kind, class, code, first, last)?, out, from).ok()?;
    let length = u32::try_from(out.len() - offset).ok()?;
    Some(Chunk { key: entry.number, code, first, last, offset: offset as u64, length })
}

/// Opens a chunk read from a segment of `class`; `None` if it is not what the index says, or damaged.
pub(crate) fn open_chunk(
    mut bytes: Vec<u8>,
    entry: &SubjectEntry,
    class: ClassNumber,
    chunk: &Chunk,
) -> Option<(Arc<str>, Piece)> {
    let (header, sealed) = bytes.split_at_mut_checked(CHUNK_HEADER_BYTES)?;
    let mut reader = Reader(header);
    let magic: [u8; 4] = reader.array()?;
    let (kind, format) = (reader.u8()?, reader.u8()?);
    let fields = (reader.u16()?, reader.u32()?, reader.u32()?, reader.i64()?, reader.i64()?, reader.u32()?);
    let wanted = (class, entry.number, chunk.code.number(), chunk.first, chunk.last, u32::try_from(sealed.len()).ok()?);
    let nonce = NonceBytes(reader.array()?);
    if magic != *MAGIC || format != FORMAT.0 || fields != wanted {
        return None;
    }
    let context = context(entry, kind, class, chunk.code, chunk.first, chunk.last)?;
    let plain = entry.key.open_in_place(nonce, &context, sealed).ok()?;
    if kind == NUMERICS { unpack_numerics(plain) } else { unpack_waveform(plain, chunk.first) }
}
