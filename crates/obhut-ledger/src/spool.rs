//! The spool: where events of the bedside and of emergencies wait while the ledger is down. Sealed, in order, replayed once and without gaps.
//!
//! A spool is one file: [`header`], then frames. A frame holds one batch, begins at a multiple of [`SECTOR`] and is written only after the one before
//! it was synced. So a frame that does not check out is a torn end, never acknowledged, if no whole frame lies behind it, and damage otherwise.
//!
//! Frame: `OBSF`, number of its first event (u64), length of the sealed bytes (u32), first eight bytes of SHA-256 over spool, both numbers and the
//! sealed bytes, the sealed bytes, zeros up to the next sector. All big-endian.

use crate::encode::{DecodeError, EncodeError};
use crate::event::Event;
use crate::leaf::array;
use crate::limits::{EVENT_BYTES_MAX, NOTE_BYTES_MAX};
use crate::record::{Disk, Place, Recorded};
use crate::seal::{EventKey, SealError};
use aws_lc_rs::digest;

/// Frames begin at multiples of this many bytes.
pub const SECTOR: usize = 512;
/// Largest sealed frame that is read, bytes.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

const MAGIC: &[u8; 8] = b"OBHUTSP1";
const FRAME: &[u8; 4] = b"OBSF";
const HEAD: usize = 4 + 8 + 4 + 8;

/// Random number of one spool file.
pub type SpoolId = [u8; 16];

/// The first sector of a spool file.
#[must_use]
pub fn header(id: SpoolId) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&id);
    out.resize(SECTOR, 0);
    out
}

/// One batch, as its bytes go to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Number of its first event in this spool.
    pub first: u64,
    /// Its bytes, a multiple of [`SECTOR`].
    pub bytes: Vec<u8>,
}

/// Why a batch was not spooled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError<E: std::error::Error + 'static> {
    /// An event cannot be encoded.
    #[error("an event cannot be encoded")]
    Encode(#[source] EncodeError),
    /// Sealing failed.
    #[error("an event cannot be sealed")]
    Seal(#[source] SealError),
    /// The disk failed; go on in a new spool.
    #[error("the disk failed")]
    Disk(#[source] E),
}

/// The end of a spool that is being written.
#[derive(Debug)]
pub struct Spool {
    id: SpoolId,
    next: u64,
}

impl Spool {
    /// A new spool; its header must be durable before the first batch.
    #[must_use]
    pub fn new(id: SpoolId) -> Self {
        Self { id, next: 0 }
    }

    /// How many events it holds.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.next
    }

    /// Spools a batch: all of it or nothing.
    ///
    /// # Errors
    /// [`SpoolError`]; after [`SpoolError::Disk`] this spool must not be written any more.
    pub fn commit<D: Disk<Frame>>(
        &mut self,
        disk: &mut D,
        key: &EventKey,
        nonce: [u8; 12],
        events: &[Event],
    ) -> Result<Vec<Recorded>, SpoolError<D::Error>> {
        let mut plain = Vec::new();
        for event in events {
            put(&mut plain, event).map_err(SpoolError::Encode)?;
        }
        let sealed = key.seal_frame(&self.id, self.next, nonce, &plain).map_err(SpoolError::Seal)?;
        disk.append(&[frame(&self.id, self.next, &sealed)]).map_err(SpoolError::Disk)?;
        disk.sync().map_err(SpoolError::Disk)?;
        self.next = self.next.saturating_add(events.len() as u64);
        Ok(events.iter().map(|event| Recorded::after_sync(event.request, Place::Spool)).collect())
    }
}

fn frame(id: &SpoolId, first: u64, sealed: &[u8]) -> Frame {
    let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    let mut bytes = FRAME.to_vec();
    bytes.extend_from_slice(&first.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&sum(id, first, length, sealed));
    bytes.extend_from_slice(sealed);
    bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    Frame { first, bytes }
}

fn sum(id: &SpoolId, first: u64, length: u32, sealed: &[u8]) -> [u8; 8] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [id.as_slice(), &first.to_be_bytes(), &length.to_be_bytes(), sealed] {
        context.update(part);
    }
    array(context.finish().as_ref())
}

fn put(out: &mut Vec<u8>, event: &Event) -> Result<(), EncodeError> {
    let canonical = event.encode()?;
    out.extend_from_slice(&u32::try_from(canonical.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&canonical);
    let note = event.note.as_deref();
    // One more than its length; zero says that there is none.
    out.extend_from_slice(&note.map_or(0, |text| u32::try_from(text.len()).unwrap_or(u32::MAX - 1) + 1).to_be_bytes());
    out.extend_from_slice(note.unwrap_or_default().as_bytes());
    Ok(())
}

fn take(rest: &mut &[u8]) -> Result<Event, DecodeError> {
    let canonical = piece(rest, EVENT_BYTES_MAX, 0)?.ok_or(DecodeError)?;
    let mut event = Event::decode(canonical)?;
    let note = piece(rest, NOTE_BYTES_MAX, 1)?;
    event.note = note.map(|text| std::str::from_utf8(text).map(str::to_owned)).transpose().map_err(|_| DecodeError)?;
    Ok(event)
}

/// A length and so many bytes; `None` if the length is below `less`, which is taken from it.
fn piece<'a>(rest: &mut &'a [u8], max: usize, less: u32) -> Result<Option<&'a [u8]>, DecodeError> {
    let (length, behind) = rest.split_first_chunk::<4>().ok_or(DecodeError)?;
    *rest = behind;
    let Some(length) = u32::from_be_bytes(*length).checked_sub(less) else { return Ok(None) };
    let length = usize::try_from(length).ok().filter(|length| *length <= max).ok_or(DecodeError)?;
    let (bytes, behind) = rest.split_at_checked(length).ok_or(DecodeError)?;
    *rest = behind;
    Ok(Some(bytes))
}

/// What a spool file holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// Its number; `None` if it broke off before its header was whole and so holds nothing.
    pub id: Option<SpoolId>,
    /// Its events, in order, numbered from zero.
    pub events: Vec<Event>,
    /// Where whole frames end; what lies behind was never acknowledged, unless there is [`Read::damage`].
    pub end: usize,
    /// What is wrong with it, if something is.
    pub damage: Option<Damage>,
}

/// A spool was changed or is rotten: what it names was whole once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the spool is damaged at byte {at}: events from number {event} on cannot be read")]
pub struct Damage {
    /// Where in the file.
    pub at: usize,
    /// First event that is lost.
    pub event: u64,
}

/// Reads a spool file as far as it is whole.
#[must_use]
pub fn read(key: &EventKey, bytes: &[u8]) -> Read {
    let mut out = Read { id: None, events: Vec::new(), end: 0, damage: None };
    let id = match bytes.get(..SECTOR) {
        Some(head) if head.starts_with(MAGIC) => array(head.get(8..24).unwrap_or_default()),
        // The header is durable before anything else is: without it nothing was acknowledged, unless something lies behind it.
        head => {
            let torn = head.is_none_or(|_| !has_frame_magic(bytes, SECTOR));
            out.damage = (!torn).then_some(Damage { at: 0, event: 0 });
            return out;
        }
    };
    out.id = Some(id);
    out.end = SECTOR;
    while let Some((events, length)) = read_frame(key, &id, out.events.len() as u64, bytes, out.end) {
        out.events.extend(events);
        out.end += length;
    }
    if has_whole_frame(&id, bytes, out.end + SECTOR) || is_whole(&id, bytes, out.end).is_some() {
        out.damage = Some(Damage { at: out.end, event: out.events.len() as u64 });
    }
    out
}

/// The events of the frame at `at` and its length in the file.
fn read_frame(key: &EventKey, id: &SpoolId, first: u64, bytes: &[u8], at: usize) -> Option<(Vec<Event>, usize)> {
    let (found, sealed) = is_whole(id, bytes, at)?;
    if found != first {
        return None;
    }
    let plain = key.open_frame(id, first, sealed).ok()?;
    let mut rest = plain.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        events.push(take(&mut rest).ok()?);
    }
    Some((events, (HEAD + sealed.len()).next_multiple_of(SECTOR)))
}

/// The first event number and the sealed bytes of the frame at `at`, if its sum is right.
fn is_whole<'a>(id: &SpoolId, bytes: &'a [u8], at: usize) -> Option<(u64, &'a [u8])> {
    let (head, rest) = bytes.get(at..)?.split_first_chunk::<HEAD>()?;
    let field = |from: usize, to: usize| head.get(from..to).unwrap_or_default();
    if field(0, 4) != FRAME {
        return None;
    }
    let first = u64::from_be_bytes(array(field(4, 12)));
    let length = u32::from_be_bytes(array(field(12, 16)));
    let sealed = rest.get(..usize::try_from(length).ok().filter(|length| *length <= FRAME_BYTES_MAX)?)?;
    (sum(id, first, length, sealed) == array::<8>(field(16, 24))).then_some((first, sealed))
}

fn has_whole_frame(id: &SpoolId, bytes: &[u8], from: usize) -> bool {
    (from..bytes.len()).step_by(SECTOR).any(|at| is_whole(id, bytes, at).is_some())
}

fn has_frame_magic(bytes: &[u8], from: usize) -> bool {
    (from..bytes.len()).step_by(SECTOR).any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(FRAME)))
}
