//! Store and forward: frames the server has not acknowledged, sealed in append-only files until it has.
//!
//! Bounded in bytes. When it is full the oldest waveforms go first and numerics last. A frame may come back after a crash although it had been
//! removed (the server knows it by its number), but what was flushed and neither removed nor pushed out never gets lost, and what was not
//! sealed by this buffer never comes out. *Not* for order or timing: the caller asks for the frame after a number.
//!
//! A file is a run of records (`record.rs`). Only the newest is appended to; the oldest is deleted when all its frames are gone; one in between
//! is replaced as a whole when its waveforms have to go. Removal is noted lazily by a record that names the numbers.

mod record;
#[cfg(test)]
mod tests;

use crate::disk::{Disk, Syncer, TEMPORARY};
use obhut_wire::{Frame, encode};
pub use record::BufferKey;
use record::{Kind, Records};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;

const PREFIX: &str = "frames-";
/// Removed numbers that are noted together in one record at most.
const GONE_BATCH_MAX: usize = 1_024;

/// Why the buffer cannot do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BufferError {
    /// The disk failed.
    #[error("the buffer's disk failed")]
    Disk(#[from] io::Error),
    /// Sealing failed, which only a broken random source can cause.
    #[error("the buffer could not seal a frame")]
    Seal,
}

/// What was pushed out or found damaged since the buffer was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Frames whose waveforms were dropped; their numerics stayed.
    pub stripped: u64,
    /// Frames dropped whole.
    pub dropped: u64,
    /// Files with a torn or damaged end, which was cut off.
    pub damaged: u64,
}

#[derive(Debug, Default)]
struct Segment {
    bytes: u64,
    records: u32,
    /// Frames kept here.
    frames: u32,
    /// Of these, how many have waveforms.
    waves: u32,
    /// Frames still in the file but removed.
    gone: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    segment: u64,
    index: u32,
    offset: u64,
    len: u32,
    waves: bool,
}

/// The buffer on one disk.
pub struct Buffer<D> {
    disk: D,
    key: BufferKey,
    limit: u64,
    segment_max: u64,
    bytes: u64,
    segments: BTreeMap<u64, Segment>,
    active: u64,
    frames: BTreeMap<u64, Slot>,
    gone: Vec<u64>,
    /// Files appended to since the last syncer was made.
    unsynced: BTreeSet<u64>,
    losses: Losses,
}

impl<D: Disk> Buffer<D> {
    /// Opens what is there, cutting torn ends off.
    ///
    /// `limit`: bytes on disk, at least [`BUFFER_BYTES_MIN`](crate::limits::BUFFER_BYTES_MIN); while a file is replaced, one more file of a sixteenth of it exists.
    ///
    /// # Errors
    /// [`BufferError::Disk`].
    pub fn open(disk: D, key: BufferKey, limit: u64) -> Result<Self, BufferError> {
        let limit = limit.max(crate::limits::BUFFER_BYTES_MIN);
        let mut buffer = Self {
            disk,
            key,
            limit,
            segment_max: (limit / 16).min(1 << 20),
            bytes: 0,
            segments: BTreeMap::new(),
            active: 0,
            frames: BTreeMap::new(),
            gone: Vec::new(),
            unsynced: BTreeSet::new(),
            losses: Losses::default(),
        };
        let mut found = Vec::new();
        for name in buffer.disk.list()? {
            if let Some(segment) = segment_of(&name) {
                found.push(segment);
            } else if name.starts_with(PREFIX) && name.ends_with(TEMPORARY) {
                buffer.disk.remove(&name)?;
            }
        }
        found.sort_unstable();
        for segment in found {
            buffer.recover(segment)?;
        }
        // A recovered file is never appended to again: its end may have been torn in a way that only looks whole.
        buffer.active = buffer.segments.last_key_value().map_or(1, |(last, _)| last.saturating_add(1));
        buffer.drop_empty_front()?;
        Ok(buffer)
    }

    fn recover(&mut self, segment: u64) -> Result<(), BufferError> {
        let bytes = self.disk.read(&name_of(segment))?;
        let mut entry = Segment::default();
        let mut good = 0;
        let mut removed = Vec::new();
        for record in Records::new(&self.key, segment, &bytes) {
            let end = record.offset + record.len as u64;
            match record.kind {
                Kind::Frame => {
                    let Some((number, frame)) = record::split_frame(&record.plain) else { break };
                    let Ok(frame) = Frame::decode(frame) else { break };
                    let waves = frame.waves().len() > 0;
                    // A frame is in two files after a crash between spilling and removing; the older copy is as good.
                    if let std::collections::btree_map::Entry::Vacant(vacant) = self.frames.entry(number) {
                        vacant.insert(Slot {
                            segment,
                            index: record.index,
                            offset: record.offset,
                            len: record.len,
                            waves,
                        });
                        entry.frames += 1;
                        entry.waves += u32::from(waves);
                    }
                }
                Kind::Gone => removed.extend(record::numbers(&record.plain)),
            }
            entry.records = record.index + 1;
            good = end;
        }
        if good < bytes.len() as u64 {
            self.losses.damaged += 1;
            self.disk.truncate(&name_of(segment), good)?;
        }
        entry.bytes = good;
        self.bytes += good;
        // A killed process leaves what it wrote to the operating system; the next flush has to cover that, too.
        self.unsynced.insert(segment);
        self.segments.insert(segment, entry);
        for number in removed {
            self.forget(number);
        }
        Ok(())
    }

    /// How many bytes lie on disk.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many frames are kept.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Whether the frame of this number is kept.
    #[must_use]
    pub fn holds(&self, number: u64) -> bool {
        self.frames.contains_key(&number)
    }

    /// What was lost since opening.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }

    /// The disk, for the files beside the buffer.
    pub fn disk(&mut self) -> &mut D {
        &mut self.disk
    }

    /// The lowest number kept above `number`.
    #[must_use]
    pub fn next_after(&self, number: u64) -> Option<u64> {
        self.frames.range((Bound::Excluded(number), Bound::Unbounded)).next().map(|(number, _)| *number)
    }

    /// The highest number kept, zero if there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.frames.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// Seals and appends a frame, making room if need be. Durable after the next [`Buffer::syncer`] ran. A number already kept is left alone.
    ///
    /// # Errors
    /// [`BufferError`]; the frame is then not kept.
    pub fn append(&mut self, number: u64, frame: &[u8]) -> Result<(), BufferError> {
        if self.holds(number) {
            return Ok(());
        }
        let mut waves = has_waves(frame);
        let mut frame = Cow::Borrowed(frame);
        while self.bytes + record::frame_bytes(frame.len()) > self.limit {
            if self.drop_empty_front()? || self.strip_oldest()? {
                continue;
            }
            if waves {
                // Older numerics are worth more than newer waveforms, and no older waveform is left.
                waves = false;
                match without_waves(&frame) {
                    Some(rest) => {
                        self.losses.stripped += 1;
                        frame = Cow::Owned(rest);
                    }
                    None => {
                        self.losses.dropped += 1;
                        return Ok(());
                    }
                }
            } else if !self.drop_oldest()? {
                self.losses.dropped += 1;
                return Ok(());
            }
        }
        let (segment, index, offset) = self.write(Kind::Frame, &record::join_frame(number, &frame))?;
        let len = record::frame_bytes(frame.len());
        self.frames.insert(number, Slot { segment, index, offset, len: u32::try_from(len).unwrap_or(u32::MAX), waves });
        if let Some(entry) = self.segments.get_mut(&segment) {
            entry.frames += 1;
            entry.waves += u32::from(waves);
        }
        Ok(())
    }

    /// Appends one record to the active file, a new one if it is full.
    fn write(&mut self, kind: Kind, plain: &[u8]) -> Result<(u64, u32, u64), BufferError> {
        let size = record::bytes(plain.len());
        if self.segments.get(&self.active).is_some_and(|active| active.bytes + size > self.segment_max) {
            self.active += 1;
        }
        let (segment, index, offset) =
            self.segments.get(&self.active).map_or((self.active, 0, 0), |s| (self.active, s.records, s.bytes));
        let sealed = self.key.seal(segment, index, kind, plain).ok_or(BufferError::Seal)?;
        self.unsynced.insert(segment);
        if let Err(error) = self.disk.append(&name_of(segment), &sealed) {
            // The file may now end in half a record. Never write behind it: cut it off if the disk lets us, and use a new file.
            let _ = self.disk.truncate(&name_of(segment), offset);
            self.active += 1;
            return Err(error.into());
        }
        let entry = self.segments.entry(segment).or_default();
        entry.records = index + 1;
        entry.bytes += size;
        self.bytes += size;
        Ok((segment, index, offset))
    }

    /// Reads a frame back; `None` if it is not kept, or damaged and therefore dropped now.
    ///
    /// # Errors
    /// [`BufferError::Disk`].
    pub fn read(&mut self, number: u64) -> Result<Option<Vec<u8>>, BufferError> {
        let Some(slot) = self.frames.get(&number).copied() else { return Ok(None) };
        let sealed = self.disk.read_at(&name_of(slot.segment), slot.offset, slot.len as usize)?;
        let record = self.key.open(slot.segment, slot.index, slot.offset, &sealed);
        let frame = record.and_then(|record| {
            let (stored, frame) = record::split_frame(&record.plain)?;
            (record.kind == Kind::Frame && stored == number).then(|| frame.to_vec())
        });
        if frame.is_none() {
            self.losses.damaged += 1;
            self.remove(number);
        }
        Ok(frame)
    }

    /// Removes a frame: the server has it, or never wants it. Noted on disk by the next [`Buffer::tidy`].
    pub fn remove(&mut self, number: u64) {
        if self.forget(number) {
            self.gone.push(number);
        }
    }

    fn forget(&mut self, number: u64) -> bool {
        let Some(slot) = self.frames.remove(&number) else { return false };
        if let Some(entry) = self.segments.get_mut(&slot.segment) {
            entry.frames -= 1;
            entry.waves -= u32::from(slot.waves);
            entry.gone.push(number);
        }
        true
    }

    /// Deletes files that hold nothing any more and notes removed numbers, so that they do not come back after a restart.
    ///
    /// # Errors
    /// [`BufferError`]; removed frames may then come back, and be sent twice.
    pub fn tidy(&mut self) -> Result<(), BufferError> {
        self.drop_empty_front()?;
        let gone = std::mem::take(&mut self.gone);
        if self.frames.is_empty() {
            return Ok(());
        }
        for batch in gone.chunks(GONE_BATCH_MAX) {
            // Without room the note is left out: a duplicate costs less than a frame.
            if self.bytes + record::bytes(batch.len() * 8) <= self.limit {
                self.write(Kind::Gone, &record::join_numbers(batch))?;
            }
        }
        Ok(())
    }

    /// Whether something changed since the last [`Buffer::syncer`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.unsynced.is_empty() || !self.gone.is_empty()
    }

    /// What makes everything appended so far durable.
    ///
    /// # Errors
    /// [`BufferError`].
    pub fn syncer(&mut self) -> Result<Syncer, BufferError> {
        self.tidy()?;
        let mut syncers = Vec::new();
        for segment in &self.unsynced {
            if self.segments.contains_key(segment) {
                syncers.push(self.disk.syncer(&name_of(*segment))?);
            }
        }
        self.unsynced.clear();
        Ok(Box::new(move || syncers.into_iter().try_for_each(|sync| sync())))
    }

    /// Deletes files from the oldest on while they hold no frame. Whatever removals they note concern files older still, which are gone.
    fn drop_empty_front(&mut self) -> Result<bool, BufferError> {
        let mut any = false;
        while let Some((segment, entry)) = self.segments.first_key_value().map(|(k, v)| (*k, v)) {
            if entry.frames > 0 {
                break;
            }
            self.delete(segment)?;
            any = true;
        }
        Ok(any)
    }

    fn delete(&mut self, segment: u64) -> Result<(), BufferError> {
        self.disk.remove(&name_of(segment))?;
        if let Some(entry) = self.segments.remove(&segment) {
            self.bytes -= entry.bytes;
        }
        self.unsynced.remove(&segment);
        if segment == self.active {
            self.active += 1;
        }
        Ok(())
    }

    /// Takes the waveforms out of the oldest file that has any. `false` if none has.
    fn strip_oldest(&mut self) -> Result<bool, BufferError> {
        let Some(segment) = self.segments.iter().find(|(_, s)| s.waves > 0).map(|(k, _)| *k) else { return Ok(false) };
        if segment == self.active {
            self.active += 1;
        }
        let old = self.disk.read(&name_of(segment))?;
        let mut new = Vec::new();
        let mut entry = Segment::default();
        let mut moved = Vec::new();
        for record in Records::new(&self.key, segment, &old) {
            let Some((number, frame)) = record::split_frame(&record.plain).filter(|_| record.kind == Kind::Frame)
            else {
                continue;
            };
            let Some(slot) =
                self.frames.get(&number).filter(|slot| slot.segment == segment && slot.index == record.index)
            else {
                continue;
            };
            let rest = if slot.waves { without_waves(frame) } else { Some(frame.to_vec()) };
            let stripped = slot.waves;
            let Some(rest) = rest else {
                moved.push((number, None, stripped));
                continue;
            };
            let offset = new.len() as u64;
            let sealed = self
                .key
                .seal(segment, entry.records, Kind::Frame, &record::join_frame(number, &rest))
                .ok_or(BufferError::Seal)?;
            let len = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
            new.extend_from_slice(&sealed);
            moved.push((number, Some(Slot { segment, index: entry.records, offset, len, waves: false }), stripped));
            entry.records += 1;
            entry.frames += 1;
        }
        // The old file may note removals in files older than itself; they are noted anew.
        let older: Vec<u64> = self.segments.range(..segment).flat_map(|(_, s)| s.gone.iter().copied()).collect();
        for batch in older.chunks(GONE_BATCH_MAX) {
            let sealed = self
                .key
                .seal(segment, entry.records, Kind::Gone, &record::join_numbers(batch))
                .ok_or(BufferError::Seal)?;
            new.extend_from_slice(&sealed);
            entry.records += 1;
        }
        entry.bytes = new.len() as u64;
        self.disk.replace(&name_of(segment), &new)?;
        self.unsynced.remove(&segment);
        for (number, slot, stripped) in moved {
            match slot {
                Some(slot) => {
                    self.losses.stripped += u64::from(stripped);
                    self.frames.insert(number, slot);
                }
                None => {
                    self.losses.dropped += 1;
                    self.frames.remove(&number);
                }
            }
        }
        let before = self.segments.insert(segment, entry).map_or(0, |s| s.bytes);
        self.bytes = self.bytes - before + new.len() as u64;
        Ok(true)
    }

    /// Drops the oldest file with all it holds. `false` if there is none.
    fn drop_oldest(&mut self) -> Result<bool, BufferError> {
        let Some(segment) = self.segments.first_key_value().map(|(k, _)| *k) else { return Ok(false) };
        self.delete(segment)?;
        let before = self.frames.len();
        self.frames.retain(|_, slot| slot.segment != segment);
        self.losses.dropped += (before - self.frames.len()) as u64;
        Ok(true)
    }
}

fn name_of(segment: u64) -> String {
    format!("{PREFIX}{segment:016x}")
}

fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

fn has_waves(frame: &[u8]) -> bool {
    Frame::decode(frame).is_ok_and(|frame| frame.waves().len() > 0)
}

/// The frame with its numerics alone; `None` if it has none.
fn without_waves(frame: &[u8]) -> Option<Vec<u8>> {
    let frame = Frame::decode(frame).ok()?;
    let numerics: Vec<_> = frame.numerics().collect();
    let mut out = Vec::new();
    encode(frame.header(), &numerics, &[], &mut out).ok()?;
    Some(out)
}
