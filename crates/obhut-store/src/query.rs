//! The `Readings` side: appending, reading and what hangs on it.

use crate::api::{
    Admitted, AppendError, Appended, Erased, Health, Position, Readings, RetentionClass, Run, StoreError, Waiter,
};
use crate::chunk::{Piece, cut, join};
use crate::embedded::{EmbeddedStore, Inner};
use crate::memtable::Memtable;
use crate::records::index::{self, Chunk, Segment};
use crate::records::keys::SubjectEntry;
use crate::removal::{Held, Removal};
use crate::segment;
use obhut_access::{Action, Sealed};
use obhut_model::{Code, DeviceTime, ServerTime, Subject, TimeRange};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What opens stored values.
const SEES_READINGS: &[Action] = &[
    Action::HistoryView,
    Action::Export,
    Action::RequestManage,
    Action::OwnView,
    Action::BreakGlass,
    Action::ResearchExport,
];

impl EmbeddedStore {
    /// What [`Readings::read`] seals. Only for inside the store: whoever is outside needs a permit.
    pub(crate) fn runs(&self, subject: Subject, code: Code, range: TimeRange) -> Result<Vec<Run>, StoreError> {
        let inner = &*self.inner;
        let _shared = inner.maintenance.read();
        let entry = inner.keys.get(subject).ok_or(StoreError::Unknown("the subject"))?;
        let mut pieces = Vec::new();
        let held = in_memory(inner, subject, code, range, &mut pieces);
        let chunks = index::chunks(&inner.reader.lock(), entry.number, code, range, &held)?;
        for part in chunks.chunk_by(|a, b| a.1.id == b.1.id) {
            read_chunks(inner, &entry, part, &mut pieces)?;
        }
        join(pieces, range).ok_or(StoreError::Damaged { file: "memory".into(), offset: 0 })
    }
}

impl Readings for EmbeddedStore {
    fn append(&self, message: &Admitted<'_>, waiter: &Arc<Waiter>) -> Result<Appended, AppendError> {
        let inner = &*self.inner;
        let keys = inner.keys.map();
        let entry = keys.get(&message.subject).ok_or(AppendError::NoKey)?;
        let classes = inner.classes.load();
        let class = |class: RetentionClass| classes.get(usize::from(class.0)).copied().unwrap_or(0);
        inner.ingest.append(message, entry, &inner.nonces, class, waiter)
    }

    fn durable(&self) -> Position {
        self.inner.ingest.durable()
    }

    fn health(&self) -> Health {
        self.inner.ingest.health()
    }

    fn read(&self, subject: Subject, code: Code, range: TimeRange) -> Result<Sealed<Vec<Run>>, StoreError> {
        self.runs(subject, code, range).map(|runs| Sealed::about(Some(subject), SEES_READINGS, runs))
    }

    fn codes(&self, subject: Subject) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, StoreError> {
        let inner = &*self.inner;
        let _shared = inner.maintenance.read();
        let entry = inner.keys.get(subject).ok_or(StoreError::Unknown("the subject"))?;
        let mut out: BTreeMap<Code, (i64, i64)> = BTreeMap::new();
        let mut add = |code: Code, first: i64, last: i64| {
            let span = out.entry(code).or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        };
        let memory = inner.memory.read();
        for table in memory.flushing.iter().map(|(_, table)| &**table).chain([&memory.active]) {
            for stream in table.streams(subject) {
                if let Some((first, last)) = stream.data.span() {
                    add(stream.code, first, last);
                }
            }
        }
        drop(memory);
        for (code, first, last) in index::codes(&inner.reader.lock(), entry.number)? {
            add(code, first, last);
        }
        let time = DeviceTime::from_micros;
        Ok(out.into_iter().map(|(code, (first, last))| (code, time(first), time(last))).collect())
    }

    fn set_retention(&self, classes: &[(String, u64)]) {
        self.put_retention(classes);
    }

    fn expire(&self, now: ServerTime) -> Result<u64, StoreError> {
        Removal::expire(self, now, &Held::default(), &mut |_, _| {})
    }

    fn erase(&self, subject: Subject) -> Result<Erased, StoreError> {
        self.erase_bytes(self.destroy_key(subject)?, &mut |_, _| {})
    }
}

/// Pieces of both generations in memory; returns which generations these were, so that their chunks are not read as well: either may be flushed
/// before the index is looked at.
fn in_memory(
    inner: &Inner,
    subject: Subject,
    code: Code,
    range: TimeRange,
    out: &mut Vec<(Arc<str>, Piece)>,
) -> Vec<u64> {
    let mut take = |table: &Memtable| {
        for stream in table.streams(subject).iter().filter(|stream| stream.code == code) {
            if stream.data.span().is_some_and(|(first, last)| {
                range.touches(DeviceTime::from_micros(first), DeviceTime::from_micros(last))
            }) {
                out.extend(cut(&stream.data).into_iter().map(|piece| (stream.device.clone(), piece)));
            }
        }
    };
    let memory = inner.memory.read();
    take(&memory.active);
    let active = memory.active_generation;
    let flushing = memory.flushing.clone();
    drop(memory);
    if let Some((_, table)) = &flushing {
        take(table);
    }
    flushing.map(|(generation, _)| generation).into_iter().chain([active]).collect()
}

fn read_chunks(
    inner: &Inner,
    entry: &SubjectEntry,
    chunks: &[(Chunk, Segment)],
    out: &mut Vec<(Arc<str>, Piece)>,
) -> Result<(), StoreError> {
    let Some((_, found)) = chunks.first() else { return Ok(()) };
    let file = inner.disk.open(&segment::path(found)).map_err(StoreError::Io)?;
    for (chunk, found) in chunks {
        let damaged = || StoreError::Damaged { file: segment::file_name(found), offset: chunk.offset };
        let mut bytes = vec![0; chunk.length as usize];
        file.read_at(chunk.offset, &mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => damaged(),
            _ => StoreError::Io(error),
        })?;
        out.push(segment::open_chunk(bytes, entry, found.class, chunk).ok_or_else(damaged)?);
    }
    Ok(())
}
