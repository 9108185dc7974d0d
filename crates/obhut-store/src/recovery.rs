//! Opening: reading back the journals that are not retired, and a new one to go on with.

use crate::api::StoreError;
use crate::disk::Disk;
use crate::journal::{self, Keys, Writer};
use crate::memtable::Memtable;
use crate::records::index::{self, FIRST_JOURNAL, NEEDED_JOURNAL};
use crate::segment;
use rusqlite::Connection;

pub(crate) struct Recovered {
    /// Everything that was durable and not yet in segments.
    pub(crate) table: Memtable,
    /// The journals it came from, ascending.
    pub(crate) replayed: Vec<u64>,
    /// A new journal.
    pub(crate) writer: Writer,
}

pub(crate) fn recover(disk: &dyn Disk, records: &Connection, keys: &Keys, step: u64) -> Result<Recovered, StoreError> {
    disk.create_dir(journal::DIRECTORY).map_err(StoreError::Io)?;
    disk.create_dir(segment::DIRECTORY).map_err(StoreError::Io)?;
    disk.sync_dir("").map_err(StoreError::Io)?;
    let first = index::meta(records, FIRST_JOURNAL)?.max(1);
    let needed = index::meta(records, NEEDED_JOURNAL)?;
    let mut table = Memtable::default();
    let live = live_journals(disk, first, needed)?;
    let mut next_batch = None;
    let mut replayed = Vec::new();
    for (at, number) in live.iter().enumerate() {
        let newest = at + 1 == live.len();
        let end = replay(disk, *number, newest, keys, &mut table, &mut next_batch)?;
        if newest {
            cut(disk, *number, end)?;
        }
        replayed.push(*number);
    }
    let number = replayed.last().map_or(first, |last| last + 1);
    let writer = Writer::create(disk, number, next_batch.unwrap_or(1), step).map_err(StoreError::Io)?;
    if replayed.is_empty() {
        index::set_meta(records, FIRST_JOURNAL, number)?;
        index::set_meta(records, NEEDED_JOURNAL, number)?;
    }
    check_segments(disk, records)?;
    Ok(Recovered { table, replayed, writer })
}

/// Journals that count, following each other without a gap. Retired ones that are still there are removed. Newest ones that never held a batch do not
/// count and stay where they are, because one of them may be the one that is `needed` next time; the new journal takes its place.
fn live_journals(disk: &dyn Disk, first: u64, needed: u64) -> Result<Vec<u64>, StoreError> {
    let missing = |number: u64| StoreError::Damaged { file: journal::file_name(number), offset: 0 };
    let all = journal::list(disk).map_err(StoreError::Io)?;
    if needed != 0 && !all.contains(&needed) {
        return Err(missing(needed));
    }
    let (retired, mut live): (Vec<u64>, Vec<u64>) = all.into_iter().partition(|number| *number < first);
    for number in retired {
        disk.unlink(&journal::path(number)).map_err(StoreError::Io)?;
    }
    while let Some(number) = live.last().copied() {
        if journal::is_begun(&read(disk, number)?, number) {
            break;
        }
        live.pop();
    }
    match (first..).zip(&live).find(|(number, found)| number != *found) {
        Some((number, _)) => Err(missing(number)),
        None => Ok(live),
    }
}

fn replay(
    disk: &dyn Disk,
    number: u64,
    newest: bool,
    keys: &Keys,
    table: &mut Memtable,
    next_batch: &mut Option<u64>,
) -> Result<u64, StoreError> {
    let mut bytes = read(disk, number)?;
    let replayed = journal::replay(&mut bytes, number, newest, keys, |entry, plain| table.apply(entry.subject, plain))?;
    if next_batch.is_some_and(|expected| expected != replayed.batches.start) {
        return Err(StoreError::Damaged { file: journal::file_name(number), offset: 0 });
    }
    *next_batch = Some(replayed.batches.end);
    Ok(replayed.end)
}

fn read(disk: &dyn Disk, number: u64) -> Result<Vec<u8>, StoreError> {
    let file = disk.open(&journal::path(number)).map_err(StoreError::Io)?;
    let length = file.length().map_err(StoreError::Io)?;
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| StoreError::Unknown("a journal of that size"))?];
    file.read_at(0, &mut bytes).map_err(StoreError::Io)?;
    Ok(bytes)
}

/// Cuts a torn tail off, so that a newer journal may follow this one.
fn cut(disk: &dyn Disk, number: u64, end: u64) -> Result<(), StoreError> {
    let file = disk.open(&journal::path(number)).map_err(StoreError::Io)?;
    if file.length().map_err(StoreError::Io)? > end {
        file.set_length(end).map_err(StoreError::Io)?;
        file.sync().map_err(StoreError::Io)?;
    }
    Ok(())
}

/// Compares segment files with the index. Says what is missing or unknown and keeps it: readings of today must not wait for a fault of last month,
/// and a read that needs a missing piece says `Damaged` itself.
fn check_segments(disk: &dyn Disk, records: &Connection) -> Result<(), StoreError> {
    let known = index::segments(records)?;
    for class in disk.list(segment::DIRECTORY).map_err(StoreError::Io)? {
        for name in disk.list(&format!("{}/{class}", segment::DIRECTORY)).map_err(StoreError::Io)? {
            if !known.iter().any(|segment| segment.class.to_string() == class && segment::file_name(segment) == name) {
                tracing::warn!(class, file = name, "a segment file is not in the index; it is kept and not used");
            }
        }
    }
    for found in known.iter().filter(|segment| segment.length > 0 && !segment.expiring) {
        let length = disk.open(&segment::path(found)).and_then(|file| file.length());
        match length {
            Ok(length) if length >= found.length => {}
            _ => tracing::error!(
                file = segment::path(found),
                "a segment file is missing or too short; reading from it will fail"
            ),
        }
    }
    Ok(())
}
