//! The opened ledger: database, tree and files, as the commit thread holds them. Everything here may fail, and then the whole is thrown away and opened anew.

use crate::database::{Database, DatabaseError, Stored};
use crate::files::{LogDir, make_dir};
use crate::keys::LedgerKeys;
use crate::limits::{BATCH_MAX, REBUILD_STEP, REMOVE_ROWS};
use crate::spool::{Closed, SpoolDir, fill};
use obhut_ledger::event::EventKind;
use obhut_ledger::record::{Book, CommitError, Draft, Tags};
use obhut_ledger::{Checkpoint, Event, Files as _, Recorded, Salt, SignedNote, Tree, VerifierKey};
use obhut_model::{ServerTime, Subject};
use std::fs::File;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// Why the ledger is down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownError {
    /// The directory or a file of the log cannot be used.
    #[error("the ledger's directory cannot be used")]
    Files(#[source] io::Error),
    /// Another program has it open.
    #[error("another program has the ledger open")]
    InUse,
    /// The database failed.
    #[error("the ledger's database failed")]
    Database(#[source] DatabaseError),
    /// A batch was not recorded.
    #[error("entries could not be recorded")]
    Commit(#[source] CommitError<DatabaseError>),
    /// What is on disk contradicts itself. This does not go away by itself: see `obhut ledger verify`.
    #[error("the ledger was changed from outside or is damaged: {0}")]
    Damaged(String),
}

/// The opened ledger.
pub(crate) struct Open {
    database: Database,
    book: Book,
    tree: Tree,
    files: LogDir,
    _lock: File,
}

impl Open {
    /// Opens it: makes durable what is there, checks database, tiles and checkpoint against each other, and builds the tree.
    pub(crate) fn at(dir: &Path, keys: &LedgerKeys) -> Result<Self, DownError> {
        make_dir(dir).map_err(DownError::Files)?;
        let lock = lock(dir)?;
        let database = Database::open(&dir.join(EVENTS)).map_err(DownError::Database)?;
        let next = database.next().map_err(DownError::Database)?;
        let files = LogDir::new(dir);
        let mut open = Self { database, book: Book::at(next), tree: Tree::default(), files, _lock: lock };
        open.build(next, keys)?;
        Ok(open)
    }

    fn build(&mut self, next: u64, keys: &LedgerKeys) -> Result<(), DownError> {
        let published = self.files.read("checkpoint").map_err(|why| DownError::Files(io::Error::other(why)))?;
        if let Some(note) = published {
            let (checkpoint, _) = Checkpoint::open(&note, keys.public())
                .map_err(|error| DownError::Damaged(format!("`checkpoint`: {error}")))?;
            if checkpoint.size > next {
                return Err(DownError::Damaged(format!(
                    "the checkpoint counts {} entries and events.db holds {next}: entries were removed",
                    checkpoint.size
                )));
            }
            self.tree = match Tree::restore(&self.files, checkpoint.size, &checkpoint.root) {
                Ok(tree) => tree,
                Err(error) => {
                    tracing::error!("the ledger's tiles are not whole ({error}); they are made again from events.db");
                    self.rebuild(&checkpoint)?
                }
            };
        }
        while self.tree.size() < next {
            for row in self.rows(self.tree.size(), REBUILD_STEP)? {
                let whole = row.sealed.as_ref().is_none_or(|sealed| {
                    keys.events.open(row.index, sealed).is_ok_and(|entry| entry.leaf() == row.leaf)
                });
                if !whole {
                    return Err(DownError::Damaged(format!("entry {} does not match its commitment", row.index)));
                }
                self.tree.push(&row.leaf);
            }
        }
        Ok(())
    }

    /// Rows from `from` on, which must be there without gaps.
    fn rows(&self, from: u64, limit: u64) -> Result<Vec<Stored>, DownError> {
        let rows = self.database.rows(from, limit).map_err(DownError::Database)?;
        match (from..).zip(&rows).find(|(wanted, row)| row.index != *wanted) {
            Some((wanted, _)) => Err(DownError::Damaged(format!("entry {wanted} was removed from events.db"))),
            None if rows.is_empty() => Err(DownError::Damaged(format!("entry {from} is not in events.db"))),
            None => Ok(rows),
        }
    }

    /// Makes the tiles again from the commitments in the database, if those make the signed root.
    fn rebuild(&mut self, checkpoint: &Checkpoint) -> Result<Tree, DownError> {
        let mut tree = Tree::default();
        let mut steps = Vec::new();
        while tree.size() < checkpoint.size {
            let limit = REBUILD_STEP.min(checkpoint.size - tree.size());
            for row in self.rows(tree.size(), limit)? {
                tree.push(&row.leaf);
            }
            steps.push(tree.new_files());
            tree.published_up_to(tree.size());
        }
        if tree.root() != checkpoint.root {
            return Err(DownError::Damaged(
                "the commitments in events.db do not make the root of the signed checkpoint".to_owned(),
            ));
        }
        for (path, bytes) in steps.into_iter().flatten() {
            self.files.write(&path.to_string(), &bytes).map_err(DownError::Files)?;
        }
        Ok(tree)
    }

    /// Whether there are entries that no checkpoint covers.
    pub(crate) fn is_unpublished(&self) -> bool {
        self.tree.size() > self.tree.published()
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Records a batch.
    pub(crate) fn record(&mut self, keys: &LedgerKeys, events: Vec<Event>) -> Result<Vec<Recorded>, DownError> {
        let mut drafts = Vec::with_capacity(events.len());
        let mut random = Zeroizing::new(vec![0u8; 44 * events.len()]);
        fill(&mut random).map_err(DownError::Files)?;
        for (event, random) in events.into_iter().zip(random.chunks_exact(44)) {
            let (salt, nonce) = random.split_at(32);
            let (Ok(salt), Ok(nonce)) = (salt.try_into(), nonce.try_into()) else { continue };
            drafts.push(Draft { event, salt: Salt(salt), nonce });
        }
        let (recorded, leaves) =
            self.book.commit(&mut self.database, &keys.events, &drafts).map_err(DownError::Commit)?;
        leaves.iter().for_each(|leaf| self.tree.push(leaf));
        Ok(recorded)
    }

    /// Writes tiles, then the checkpoint over them, each durable before the next.
    pub(crate) fn publish(&mut self, keys: &LedgerKeys) -> Result<SignedNote, DownError> {
        for (path, bytes) in self.tree.new_files() {
            self.files.write(&path.to_string(), &bytes).map_err(DownError::Files)?;
        }
        let (size, root) = (self.tree.size(), self.tree.root());
        let note = Checkpoint { origin: keys.public().name().to_owned(), size, root }.sign(&keys.signing);
        self.write_checkpoint(&note)?;
        for path in self.tree.published_up_to(size) {
            self.files.remove_partial(&path).map_err(DownError::Files)?;
        }
        Ok(note)
    }

    pub(crate) fn write_checkpoint(&self, note: &SignedNote) -> Result<(), DownError> {
        self.files.write("checkpoint", note.to_string().as_bytes()).map_err(DownError::Files)
    }

    /// The checkpoint on disk, with cosignatures, if it is the newest.
    pub(crate) fn checkpoint(&self, key: &VerifierKey) -> Option<SignedNote> {
        let note = self.files.read("checkpoint").ok()??;
        Checkpoint::open(&note, key).ok().map(|(_, note)| note)
    }

    /// Records what spools hold, each event once. Gives how many came in; `None` if the spool is held by a write that does not end.
    pub(crate) fn replay(&mut self, keys: &LedgerKeys, spool: &SpoolDir) -> Result<Option<u64>, DownError> {
        let mut came = 0u64;
        let Some(paths) = spool.close_all().map_err(DownError::Files)? else { return Ok(None) };
        for path in paths {
            let closed = SpoolDir::read(&keys.events, &path).map_err(DownError::Files)?;
            came = came.saturating_add(self.replay_one(keys, &closed)?);
            if let Some(damage) = closed.read.damage {
                tracing::error!("`{}`: {damage}; it is kept under another name", path.display());
            }
            spool.done(&closed).map_err(DownError::Files)?;
        }
        self.database.forget_spools().map_err(DownError::Database)?;
        Ok(Some(came))
    }

    fn replay_one(&mut self, keys: &LedgerKeys, closed: &Closed) -> Result<u64, DownError> {
        let Some(id) = closed.read.id else { return Ok(0) };
        let mut next = self.database.marked(&id).map_err(DownError::Database)?;
        let mut came = 0u64;
        let from = usize::try_from(next).unwrap_or(usize::MAX);
        for batch in closed.read.events.get(from..).unwrap_or_default().chunks(BATCH_MAX) {
            next = next.saturating_add(batch.len() as u64);
            let mut new = Vec::with_capacity(batch.len());
            for event in batch {
                if !self.has(keys, event)? {
                    new.push(event.clone());
                }
            }
            self.database.mark(id, next);
            came = came.saturating_add(new.len() as u64);
            self.record(keys, new).map(|recorded| recorded.into_iter().for_each(drop))?;
        }
        Ok(came)
    }

    /// Whether this very event is recorded: it was handed to the ledger, took too long, and was spooled as well.
    pub(crate) fn has(&self, keys: &LedgerKeys, event: &Event) -> Result<bool, DownError> {
        let rows =
            self.database.by_request(&Tags::request(&keys.events, event.request)).map_err(DownError::Database)?;
        let Ok(canonical) = event.encode() else { return Ok(false) };
        Ok(rows.iter().any(|row| {
            let entry = row.sealed.as_ref().and_then(|sealed| keys.events.open(row.index, sealed).ok());
            entry.is_some_and(|entry| entry.opened.canonical == canonical)
        }))
    }

    /// Removes events and salts of these kinds before a time. Gives how many.
    pub(crate) fn remove(&mut self, before: ServerTime, kinds: &[EventKind]) -> Result<u64, DownError> {
        let mut removed = 0u64;
        // No row may go whose commitment is not in a signed tree: its place could not be shown any more.
        loop {
            let published = self.tree.published();
            let mut rows = self.database.removable(before, kinds, REMOVE_ROWS).map_err(DownError::Database)?;
            rows.retain(|index| *index < published);
            if rows.is_empty() {
                break;
            }
            self.database.remove(&rows).map_err(DownError::Database)?;
            removed = removed.saturating_add(rows.len() as u64);
        }
        self.database.cut_log().map_err(DownError::Database)?;
        Ok(removed)
    }

    /// Removes the notes of all events about a subject; what they were committed to stays provable. Gives how many.
    pub(crate) fn remove_notes(&mut self, keys: &LedgerKeys, subject: Subject) -> Result<u64, DownError> {
        let mut sealed = Vec::new();
        for row in self.database.of_subject(&keys.events, subject).map_err(DownError::Database)? {
            let entry = row.sealed.as_ref().and_then(|bytes| keys.events.open(row.index, bytes).ok());
            let entry = entry.ok_or(DownError::Database(DatabaseError::Damaged(row.index)))?;
            if entry.opened.note.is_some() {
                let mut nonce = [0; 12];
                fill(&mut nonce).map_err(DownError::Files)?;
                let bytes = keys
                    .events
                    .seal_entry(row.index, nonce, &entry.without_note())
                    .map_err(|_| DownError::Database(DatabaseError::Damaged(row.index)))?;
                sealed.push((row.index, bytes));
            }
        }
        self.database.reseal(&sealed).map_err(DownError::Database)?;
        self.database.cut_log().map_err(DownError::Database)?;
        Ok(sealed.len() as u64)
    }
}

/// Name of the database in the ledger's directory.
pub(crate) const EVENTS: &str = "events.db";

fn lock(dir: &Path) -> Result<File, DownError> {
    let file =
        File::options().create(true).write(true).truncate(false).open(dir.join("lock")).map_err(DownError::Files)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DownError::InUse),
        Err(error) => Err(DownError::Files(error.into())),
    }
}
