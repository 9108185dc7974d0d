//! The journal: every message, sealed, in the order it was acknowledged; one file per generation.
//!
//! A file begins with a sector naming it and its first batch. Batches follow, each at a sector boundary: a header (magic, records, number, length, check
//! over the file's number and these), then records (sealed length, key number, time of receipt, nonce, sealed message). Preallocated room behind is zero.
//!
//! INVARIANT: batch n+1 is written only after batch n was synced. So a bad batch with a good later one behind it, in this file or a newer, was once whole:
//! that is damage and opening fails loudly. A bad batch with nothing behind it was never acknowledged: a torn tail, cut off.

use crate::api::StoreError;
use crate::bytes::Reader;
use crate::disk::{Disk, DiskFile};
use crate::limits::SECTOR_BYTES;
use crate::message::FORMAT;
use crate::records::keys::SubjectEntry;
use obhut_model::ServerTime;
use obhut_vault::{NONCE_BYTES, NonceBytes, SealContext, SealError, TAG_BYTES, checksum};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Directory of the journal files.
pub(crate) const DIRECTORY: &str = "journal";
const FILE_MAGIC: &[u8; 8] = b"OBHUTJ1\0";
const BATCH_MAGIC: &[u8; 4] = b"OBb1";
/// Bytes before a batch's first record.
pub(crate) const BATCH_HEADER_BYTES: usize = 32;
const RECORD_HEADER_BYTES: usize = 4 + 4 + 8 + NONCE_BYTES;

/// Name of journal `number`, without directory.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:016x}.journal")
}

/// Path of journal `number`.
pub(crate) fn path(number: u64) -> String {
    format!("{DIRECTORY}/{}", file_name(number))
}

/// Numbers of the journals there are, ascending.
pub(crate) fn list(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let names = disk.list(DIRECTORY)?;
    let mut out: Vec<u64> =
        names.iter().filter_map(|name| u64::from_str_radix(name.strip_suffix(".journal")?, 16).ok()).collect();
    out.sort_unstable();
    Ok(out)
}

/// Appends a record to a batch: header, then `plain` sealed under the subject's key.
pub(crate) fn put_record(
    out: &mut Vec<u8>,
    entry: &SubjectEntry,
    received: ServerTime,
    nonce: NonceBytes,
    plain: &[u8],
) -> Result<(), SealError> {
    let length = u32::try_from(plain.len() + TAG_BYTES).map_err(|_| SealError)?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&entry.number.to_le_bytes());
    out.extend_from_slice(&received.micros().to_le_bytes());
    out.extend_from_slice(&nonce.0);
    let from = out.len();
    out.extend_from_slice(plain);
    entry.key.seal_tail(nonce, &SealContext::journal(FORMAT, entry.subject, entry.number, received), out, from)
}

/// Writes one journal file.
pub(crate) struct Writer {
    file: Box<dyn DiskFile>,
    pub(crate) number: u64,
    pub(crate) end: u64,
    allocated: u64,
    step: u64,
    next_batch: u64,
}

impl Writer {
    /// Makes journal `number`, durably, with room for a while, extended by `step` bytes at a time. Its first batch will be `first_batch`.
    pub(crate) fn create(disk: &dyn Disk, number: u64, first_batch: u64, step: u64) -> io::Result<Self> {
        let file = disk.create(&path(number))?;
        let mut header = vec![0; SECTOR_BYTES];
        let fields = [FILE_MAGIC.as_slice(), &number.to_le_bytes(), &first_batch.to_le_bytes()].concat();
        for (slot, byte) in header.iter_mut().zip(fields.iter().chain(&checksum(&[&fields]))) {
            *slot = *byte;
        }
        let mut writer = Self {
            file,
            number,
            end: SECTOR_BYTES as u64,
            allocated: SECTOR_BYTES as u64,
            step,
            next_batch: first_batch,
        };
        writer.file.write_at(0, &header)?;
        writer.allocate(writer.end)?;
        writer.file.sync()?;
        disk.sync_dir(DIRECTORY)?;
        Ok(writer)
    }

    /// Number the next batch will have.
    pub(crate) fn next_batch(&self) -> u64 {
        self.next_batch
    }

    /// Writes and syncs a batch of `length` bytes. `buffer` begins with [`BATCH_HEADER_BYTES`] to be filled in, and is padded. After an error
    /// the same batch may be written again to the same place; nothing of it counts until this returns `Ok`.
    pub(crate) fn write(&mut self, buffer: &mut Vec<u8>, length: usize, records: u32) -> io::Result<()> {
        buffer.truncate(length);
        self.fill_header(buffer, records).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let end = self.end + buffer.len() as u64;
        self.file.write_at(self.end, buffer)?;
        if end > self.allocated {
            self.allocated = end;
            self.allocate(end)?;
        }
        self.file.sync()?;
        self.end = end;
        self.next_batch += 1;
        Ok(())
    }

    fn fill_header(&self, buffer: &mut Vec<u8>, records: u32) -> Option<()> {
        let sectors = buffer.len().div_ceil(SECTOR_BYTES);
        let length = u32::try_from(buffer.len().checked_sub(BATCH_HEADER_BYTES)?).ok()?;
        let header = batch_header(self.number, self.next_batch, records, length);
        buffer.get_mut(..BATCH_HEADER_BYTES)?.copy_from_slice(&header);
        buffer.resize(sectors * SECTOR_BYTES, 0);
        Some(())
    }

    /// Writes zeros ahead of `from`. Lack of room is no error here: the batch before it fitted, and the next one will say.
    fn allocate(&mut self, from: u64) -> io::Result<()> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        let target = from + self.step;
        while self.allocated < target {
            let step = ZEROS
                .get(..usize::try_from(target - self.allocated).unwrap_or(ZEROS.len()).min(ZEROS.len()))
                .unwrap_or(&ZEROS);
            match self.file.write_at(self.allocated, step) {
                Ok(()) => self.allocated += step.len() as u64,
                Err(error) if crate::disk::is_full(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn batch_header(journal: u64, batch: u64, records: u32, length: u32) -> [u8; BATCH_HEADER_BYTES] {
    let fields =
        [BATCH_MAGIC.as_slice(), &records.to_le_bytes(), &batch.to_le_bytes(), &length.to_le_bytes(), &[0; 4]].concat();
    let mut out = [0; BATCH_HEADER_BYTES];
    for (slot, byte) in out.iter_mut().zip(fields.iter().chain(&checksum(&[&journal.to_le_bytes(), &fields]))) {
        *slot = *byte;
    }
    out
}

/// A batch header that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    number: u64,
    records: u32,
    length: usize,
}

impl Batch {
    fn parse(journal: u64, bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..BATCH_HEADER_BYTES)?;
        let mut reader = Reader(header);
        let magic: [u8; 4] = reader.array()?;
        let (records, number, length) = (reader.u32()?, reader.u64()?, reader.u32()?);
        let good = magic == *BATCH_MAGIC && batch_header(journal, number, records, length) == *header;
        good.then_some(Self { number, records, length: length as usize })
    }

    fn end(&self, at: usize) -> usize {
        at + (BATCH_HEADER_BYTES + self.length).next_multiple_of(SECTOR_BYTES)
    }
}

/// One record of a batch.
struct Record {
    key: u32,
    received: ServerTime,
    nonce: NonceBytes,
    /// Where its sealed bytes lie in the file.
    body: std::ops::Range<usize>,
}

/// The records of a batch that begins at `at`, or `None` if the lengths do not add up.
fn records(bytes: &[u8], at: usize, batch: Batch) -> Option<Vec<Record>> {
    let begin = at + BATCH_HEADER_BYTES;
    let mut reader = Reader(bytes.get(begin..begin + batch.length)?);
    let mut out = Vec::new();
    while !reader.0.is_empty() {
        let length = reader.u32()? as usize;
        let (key, received, nonce) =
            (reader.u32()?, ServerTime::from_micros(reader.i64()?), NonceBytes(reader.array()?));
        let from = begin + batch.length - reader.0.len();
        reader.take(length)?;
        out.push(Record { key, received, nonce, body: from..from + length });
    }
    (out.len() == batch.records as usize).then_some(out)
}

/// Subject keys by their number.
pub(crate) type Keys = HashMap<u32, Arc<SubjectEntry>>;

/// A journal read back.
pub(crate) struct Replayed {
    /// Number of its first batch, and of the one that would come next.
    pub(crate) batches: std::ops::Range<u64>,
    /// Where the whole batches end.
    pub(crate) end: u64,
}

/// Whether the file's first sector is whole; if so, its first batch's number.
fn first_batch(bytes: &[u8], number: u64) -> Option<u64> {
    let header = bytes.get(..32)?;
    let (fields, check) = header.split_at_checked(24)?;
    let mut reader = Reader(fields);
    let magic: [u8; 8] = reader.array()?;
    let good = magic == *FILE_MAGIC && reader.u64()? == number && checksum(&[fields]) == *check;
    good.then(|| reader.u64())?
}

/// Whether journal `number` holds at least one batch header. One that does not was never acknowledged into.
pub(crate) fn is_begun(bytes: &[u8], number: u64) -> bool {
    first_batch(bytes, number).is_some() && later_batch(bytes, number, 0, 0)
}

fn later_batch(bytes: &[u8], number: u64, at: usize, than: u64) -> bool {
    (at..bytes.len())
        .step_by(SECTOR_BYTES)
        .filter_map(|at| Batch::parse(number, bytes.get(at..)?))
        .any(|batch| batch.number >= than)
}

/// Reads a journal back, opening `bytes` in place, and hands every message over whose subject still has a key.
///
/// `newest`: a torn tail is normal only there.
pub(crate) fn replay(
    bytes: &mut [u8],
    number: u64,
    newest: bool,
    keys: &Keys,
    mut message: impl FnMut(&SubjectEntry, &[u8]) -> Option<()>,
) -> Result<Replayed, StoreError> {
    let damaged = |offset: usize| StoreError::Damaged { file: file_name(number), offset: offset as u64 };
    let first = first_batch(bytes, number).ok_or_else(|| damaged(0))?;
    let (mut at, mut expected) = (SECTOR_BYTES, first);
    while at < bytes.len() {
        let opened = Batch::parse(number, bytes.get(at..).unwrap_or_default())
            .filter(|batch| batch.number == expected)
            .and_then(|batch| open_batch(bytes, at, batch, keys).map(|records| (batch, records)));
        let Some((batch, records)) = opened else {
            let rest = bytes.get(at..).unwrap_or_default();
            let later = later_batch(bytes, number, at + SECTOR_BYTES, expected + 1)
                || Batch::parse(number, rest).is_some_and(|b| b.number != expected);
            if later || (!newest && rest.iter().any(|byte| *byte != 0)) {
                return Err(damaged(at));
            }
            break;
        };
        for record in records {
            let Some(entry) = keys.get(&record.key) else { continue };
            let plain = bytes.get(record.body.start..record.body.end.saturating_sub(TAG_BYTES)).unwrap_or_default();
            message(entry, plain).ok_or_else(|| damaged(record.body.start))?;
        }
        (at, expected) = (batch.end(at), expected + 1);
    }
    Ok(Replayed { batches: first..expected, end: at.min(bytes.len()) as u64 })
}

/// Opens all records of a batch in place; `None` if any does not open. Records of erased subjects are left as they are.
fn open_batch(bytes: &mut [u8], at: usize, batch: Batch, keys: &Keys) -> Option<Vec<Record>> {
    let records = records(bytes, at, batch)?;
    for record in &records {
        let Some(entry) = keys.get(&record.key) else { continue };
        let context = SealContext::journal(FORMAT, entry.subject, record.key, record.received);
        entry.key.open_in_place(record.nonce, &context, bytes.get_mut(record.body.clone())?).ok()?;
    }
    Some(records)
}

/// What [`erase`] did.
#[derive(Debug, Default)]
pub(crate) struct Wiped {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

/// Overwrites the sealed messages of key `key` in journal `number`, up to `end`, and syncs. Lengths and key numbers stay, so that the
/// rest can still be read.
pub(crate) fn erase(disk: &dyn Disk, number: u64, end: u64, key: u32) -> Result<Wiped, StoreError> {
    let file = disk.open(&path(number)).map_err(StoreError::Io)?;
    let mut out = Wiped::default();
    let mut at = SECTOR_BYTES as u64;
    let mut header = [0; BATCH_HEADER_BYTES];
    let end = end.min(file.length().map_err(StoreError::Io)?);
    while at + (BATCH_HEADER_BYTES as u64) <= end {
        file.read_at(at, &mut header).map_err(StoreError::Io)?;
        let Some(batch) = Batch::parse(number, &header) else { break };
        let mut bytes = vec![0; BATCH_HEADER_BYTES + batch.length];
        file.read_at(at, &mut bytes).map_err(StoreError::Io)?;
        let damaged = || StoreError::Damaged { file: file_name(number), offset: at };
        for record in records(&bytes, 0, batch).ok_or_else(damaged)?.iter().filter(|record| record.key == key) {
            let from = record.body.start - (RECORD_HEADER_BYTES - 8);
            let zeros = vec![0; record.body.end - from];
            file.write_at(at + from as u64, &zeros).map_err(StoreError::Io)?;
            out.objects += 1;
            out.bytes += zeros.len() as u64;
        }
        at += batch.end(0) as u64;
    }
    if out.objects > 0 {
        file.sync().map_err(StoreError::Io)?;
    }
    Ok(out)
}
