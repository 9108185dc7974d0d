//! One sealed record: `u32 length of what follows`, `u8 kind`, 12 bytes of nonce, ciphertext, 16 bytes of tag. All little-endian.
//!
//! AES-256-GCM-SIV: random nonces are safe with it and a repeated one gives little away. File number, place in the file and kind are associated data, so a
//! record cannot be moved, and a file cannot be passed off as another.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use obhut_wire::limits::FRAME_BYTES_MAX;
use zeroize::Zeroizing;

const HEAD: usize = 5;
const NONCE: usize = 12;
const TAG: usize = 16;
const PLAIN_MAX: usize = FRAME_BYTES_MAX + 8;

/// The key of one device's buffer. A file in the state directory holds it today, a TPM may tomorrow; whoever has both has the readings.
pub struct BufferKey(LessSafeKey);

impl BufferKey {
    /// From 32 random bytes; `None` for another length.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM_SIV, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Draws the bytes of a new one; `None` when the operating system has no randomness.
    #[must_use]
    pub fn draw() -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).ok()?;
        Some(bytes)
    }

    pub(super) fn seal(&self, segment: u64, index: u32, kind: Kind, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut out = Vec::with_capacity(HEAD + NONCE + plain.len() + TAG);
        out.extend_from_slice(&u32::try_from(1 + NONCE + plain.len() + TAG).ok()?.to_le_bytes());
        out.push(kind as u8);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let aad = Aad::from(associated(segment, index, kind));
        let tag =
            self.0.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, out.get_mut(start..)?).ok()?;
        out.extend_from_slice(tag.as_ref());
        Some(out)
    }

    /// Opens the record at the start of `bytes`; `None` if it is torn, damaged or belongs elsewhere.
    pub(super) fn open(&self, segment: u64, index: u32, offset: u64, bytes: &[u8]) -> Option<Record> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if !(1 + NONCE + TAG..=1 + NONCE + PLAIN_MAX + TAG).contains(&length) {
            return None;
        }
        let (kind, rest) = rest.get(..length)?.split_first()?;
        let kind = Kind::of(*kind)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let mut plain = sealed.to_vec();
        let aad = Aad::from(associated(segment, index, kind));
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut plain).ok()?.len();
        plain.truncate(opened);
        Some(Record { kind, index, offset, len: u32::try_from(4 + length).ok()?, plain })
    }
}

fn associated(segment: u64, index: u32, kind: Kind) -> [u8; 27] {
    let mut out = *b"obhut buffer 1\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let parts = segment.to_le_bytes().into_iter().chain(index.to_le_bytes()).chain([kind as u8]);
    out.iter_mut().skip(14).zip(parts).for_each(|(slot, byte)| *slot = byte);
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Frame = 1,
    Gone = 2,
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Frame),
            2 => Some(Self::Gone),
            _ => None,
        }
    }
}

pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) index: u32,
    pub(super) offset: u64,
    /// All bytes of the record in the file.
    pub(super) len: u32,
    pub(super) plain: Vec<u8>,
}

/// The records of a file up to the first that does not open.
pub(super) struct Records<'a> {
    key: &'a BufferKey,
    segment: u64,
    index: u32,
    offset: u64,
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) const fn new(key: &'a BufferKey, segment: u64, bytes: &'a [u8]) -> Self {
        Self { key, segment, index: 0, offset: 0, rest: bytes }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let record = self.key.open(self.segment, self.index, self.offset, self.rest)?;
        self.rest = self.rest.get(record.len as usize..)?;
        self.index += 1;
        self.offset += u64::from(record.len);
        Some(record)
    }
}

/// Bytes on disk of a record with this much inside.
pub(super) const fn bytes(plain: usize) -> u64 {
    (HEAD + NONCE + plain + TAG) as u64
}

/// Bytes on disk of a frame.
pub(super) const fn frame_bytes(frame: usize) -> u64 {
    bytes(8 + frame)
}

pub(super) fn join_frame(number: u64, frame: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(8 + frame.len());
    plain.extend_from_slice(&number.to_le_bytes());
    plain.extend_from_slice(frame);
    plain
}

pub(super) fn split_frame(plain: &[u8]) -> Option<(u64, &[u8])> {
    plain.split_first_chunk::<8>().map(|(number, frame)| (u64::from_le_bytes(*number), frame))
}

pub(super) fn join_numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(super) fn numbers(plain: &[u8]) -> impl Iterator<Item = u64> + '_ {
    plain.chunks_exact(8).filter_map(|chunk| chunk.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)))
}
