//! Sealing a stream that does not fit into memory: AES-256-GCM in segments, in the STREAM construction.
//!
//! Bit for bit the published format `AES256_GCM_HKDF_1MB` of Google Tink (its wire format is documented and frozen), so that an archive can be opened
//! without this program. Not home-made: Hoang, Reyhanitabar, Rogaway, Vizár, *Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance* (2015), section 7. Decision 0141 says why not `age`.
//!
//! What always holds: a segment opens only in its place, and the last one only as the last, so that nothing can be cut off, moved, repeated or added;
//! bytes leave [`Opener`] only after their segment was authenticated.
//!
//! Layout: header `length (40) · salt [32] · nonce prefix [7]`; segments of 1 MiB with their tags, the first shorter by the header. Key of a stream:
//! HKDF-SHA256(key, salt, associated data). Nonce: prefix, number of the segment (u32, big endian), 1 if it is the last and else 0.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use std::io::{self, Read, Write};
use zeroize::{Zeroize as _, Zeroizing};

/// Length of a sealed segment with its tag.
pub(crate) const SEGMENT_BYTES: usize = 1 << 20;
/// Length of the header.
pub(crate) const HEADER_BYTES: usize = 1 + SALT_BYTES + PREFIX_BYTES;
const SALT_BYTES: usize = 32;
const PREFIX_BYTES: usize = 7;
const TAG_BYTES: usize = 16;

/// The key of one archive; every archive has its own.
pub(crate) struct StreamKey(Zeroizing<[u8; 32]>);

impl StreamKey {
    pub(crate) fn generate() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_ref()
    }
}

pub(crate) fn random(out: &mut [u8]) -> io::Result<()> {
    getrandom::fill(out).map_err(|_| io::Error::other("the operating system gives no random bytes"))
}

/// One stream's key and nonces.
struct Segments {
    key: LessSafeKey,
    prefix: [u8; PREFIX_BYTES],
    number: u32,
}

impl Segments {
    fn new(key: &StreamKey, header: &[u8; HEADER_BYTES], associated: &[u8]) -> io::Result<Self> {
        let refused = || io::Error::other("the cipher library refuses the key");
        let (salt, prefix) = header.get(1..).and_then(|rest| rest.split_at_checked(SALT_BYTES)).ok_or_else(refused)?;
        let parent = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.0.as_ref());
        let info = [associated];
        let derived = parent.expand(&info, &AES_256_GCM).map_err(|_| refused())?;
        let mut number = [0; PREFIX_BYTES];
        number.copy_from_slice(prefix);
        Ok(Self { key: LessSafeKey::new(UnboundKey::from(derived)), prefix: number, number: 0 })
    }

    /// The nonce of the next segment. Four billion segments of a mebibyte are more than any disk holds.
    fn nonce(&mut self, last: bool) -> io::Result<Nonce> {
        let mut bytes = [0; 12];
        let parts = self.prefix.iter().copied().chain(self.number.to_be_bytes()).chain([u8::from(last)]);
        for (slot, byte) in bytes.iter_mut().zip(parts) {
            *slot = byte;
        }
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("the archive is too long"))?;
        Ok(Nonce::assume_unique_for_key(bytes))
    }
}

/// Seals what is written to it. Must be [`finish`](Sealer::finish)ed; what was not is cut off, and does not open.
pub(crate) struct Sealer<W> {
    out: W,
    segments: Segments,
    buffer: Vec<u8>,
    room: usize,
}

impl<W: Write> Sealer<W> {
    /// Begins a stream bound to `associated`.
    pub(crate) fn new(mut out: W, key: &StreamKey, associated: &[u8]) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        random(&mut header)?;
        if let Some(first) = header.first_mut() {
            *first = HEADER_BYTES as u8;
        }
        out.write_all(&header)?;
        let segments = Segments::new(key, &header, associated)?;
        let buffer = Vec::with_capacity(SEGMENT_BYTES);
        Ok(Self { out, segments, buffer, room: SEGMENT_BYTES - TAG_BYTES - HEADER_BYTES })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.segments.nonce(last)?;
        self.segments
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.buffer)
            .map_err(|_| io::Error::other("the cipher library refused to seal"))?;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.room = SEGMENT_BYTES - TAG_BYTES;
        Ok(())
    }

    /// Seals the last segment and gives back what was written to.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A full segment waits until there is more: only then it is known not to be the last.
        if self.buffer.len() == self.room && !data.is_empty() {
            self.seal(false)?;
        }
        let taken = data.len().min(self.room - self.buffer.len());
        self.buffer.extend_from_slice(data.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens a stream. An error is the end: nothing after it is given out.
pub(crate) struct Opener<R> {
    from: R,
    segments: Segments,
    /// Read and not yet opened: one byte more than a segment tells whether it is the last.
    waiting: Vec<u8>,
    length: usize,
    plain: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Opener<R> {
    /// Begins to open a stream that was bound to `associated`.
    pub(crate) fn new(mut from: R, key: &StreamKey, associated: &[u8]) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header)?;
        if header.first() != Some(&(HEADER_BYTES as u8)) {
            return Err(changed());
        }
        let segments = Segments::new(key, &header, associated)?;
        let (waiting, length) = (Vec::with_capacity(SEGMENT_BYTES + 1), SEGMENT_BYTES - HEADER_BYTES);
        Ok(Self { from, segments, waiting, length, plain: Vec::new(), at: 0, ended: false })
    }

    fn open_next(&mut self) -> io::Result<()> {
        let wanted = (self.length + 1).saturating_sub(self.waiting.len());
        (&mut self.from).take(wanted as u64).read_to_end(&mut self.waiting)?;
        let last = self.waiting.len() <= self.length;
        let rest = if last { Vec::new() } else { self.waiting.split_off(self.length) };
        self.plain.zeroize();
        self.plain = std::mem::replace(&mut self.waiting, rest);
        self.at = 0;
        let nonce = self.segments.nonce(last)?;
        let opened = self.segments.key.open_in_place(nonce, Aad::empty(), &mut self.plain);
        let length = match opened {
            Ok(plain) => plain.len(),
            Err(_) => {
                self.plain.clear();
                self.ended = true;
                return Err(changed());
            }
        };
        self.plain.truncate(length);
        self.length = SEGMENT_BYTES;
        self.ended = last;
        Ok(())
    }
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the archive was changed, cut off, or sealed for another key")
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() {
            if self.ended {
                return Ok(0);
            }
            self.open_next()?;
        }
        let ready = self.plain.get(self.at..).unwrap_or_default();
        let taken = ready.len().min(out.len());
        for (slot, byte) in out.iter_mut().zip(ready) {
            *slot = *byte;
        }
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StreamKey {
        StreamKey::from_slice(&[7; 32]).unwrap()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), &key(), b"name").unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(bytes: &[u8], associated: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Opener::new(bytes, &key(), associated)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn plain(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn every_length_around_a_segment_comes_back() {
        let first = SEGMENT_BYTES - TAG_BYTES - HEADER_BYTES;
        for length in [0, 1, first - 1, first, first + 1, first + SEGMENT_BYTES - TAG_BYTES, 3 * SEGMENT_BYTES + 5] {
            let plain = plain(length);
            assert!(opened(&sealed(&plain), b"name").unwrap() == plain, "{length}");
        }
    }

    #[test]
    fn cut_off_joined_moved_or_bound_elsewhere_does_not_open() {
        let plain = plain(2 * SEGMENT_BYTES + 99);
        let good = sealed(&plain);
        assert!(opened(&good, b"nome").is_err());
        for length in [0, 10, HEADER_BYTES, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, good.len() - 1] {
            assert!(opened(&good[..length], b"name").is_err(), "{length}");
        }
        let mut swapped = good.clone();
        let (one, two) = swapped.split_at_mut(2 * SEGMENT_BYTES);
        one[SEGMENT_BYTES..SEGMENT_BYTES + 99].swap_with_slice(&mut two[..99]);
        assert!(opened(&swapped, b"name").is_err());
        assert!(opened(&[good.as_slice(), &[0]].concat(), b"name").is_err());
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let good = sealed(b"a few bytes");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(opened(&bad, b"name").is_err(), "{at}");
        }
    }
}
