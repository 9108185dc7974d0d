//! How an event becomes durable, and the proof that it is: [`Recorded`].
//!
//! The shell brings a [`Disk`]; [`Book`] numbers, salts, commits to and seals events, hands them over, waits for the sync, and only
//! then makes [`Recorded`] values. Not for tiles and checkpoints, which follow later and can be made again from the rows (`publish`).
//!
//! INVARIANT: a [`Recorded`] is made nowhere but here and in `spool`, each time after a [`Disk::sync`] that succeeded.

use crate::encode::EncodeError;
use crate::event::{Event, EventKind};
use crate::leaf::{Leaf, Salt};
use crate::limits::ENTRIES_MAX;
use crate::seal::{EventKey, SealError};
use obhut_model::{PersonId, RequestId, ServerTime, Subject};

/// Where entries become durable. `T` is [`Row`] for the ledger and `Frame` for the spool.
pub trait Disk<T> {
    /// Why it could not.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Hands over `items`, in order, behind everything before them. Durable only after [`Disk::sync`].
    ///
    /// # Errors
    /// As the disk says; nothing is then known about any of `items`.
    fn append(&mut self, items: &[T]) -> Result<(), Self::Error>;

    /// Makes everything handed over durable, all or nothing.
    ///
    /// # Errors
    /// As the disk says. The disk must then not be used again until it was opened anew.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

/// Proof that the entry for one request is durable. Has no public constructor and cannot be copied.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "data may only be shown against it"]
pub struct Recorded {
    request: RequestId,
    place: Place,
}

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the ledger.
    Ledger {
        /// Its number, from zero.
        index: u64,
    },
    /// In the spool; it comes into the ledger when that is back.
    Spool,
}

impl Recorded {
    /// Only after a sync.
    pub(crate) fn after_sync(request: RequestId, place: Place) -> Self {
        Self { request, place }
    }

    /// For which request.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Where.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }
}

/// One event on its way into the ledger, with the salt the shell drew for it.
#[derive(Debug)]
pub struct Draft {
    /// What is recorded.
    pub event: Event,
    /// 32 fresh random bytes.
    pub salt: Salt,
    /// A nonce not used before with this key.
    pub nonce: [u8; 12],
}

/// One entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number, from zero.
    pub index: u64,
    /// What goes into the public tree: a salted commitment and nothing else.
    pub leaf: Leaf,
    /// Event, note and salt, sealed.
    pub sealed: Vec<u8>,
    /// When, to search and to remove by.
    pub at: ServerTime,
    /// What sort, to search and to remove by.
    pub kind: EventKind,
    /// Keyed tags to search by.
    pub tags: Tags,
}

/// What an entry is found by: keyed hashes that mean nothing without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tags {
    /// Of the request.
    pub request: [u8; 16],
    /// Of the subject.
    pub subject: Option<[u8; 16]>,
    /// Of the acting person.
    pub person: Option<[u8; 16]>,
}

impl Tags {
    /// The tags of an event.
    #[must_use]
    pub fn of(key: &EventKey, event: &Event) -> Self {
        Self {
            request: Self::request(key, event.request),
            subject: event.subject.map(|subject| Self::subject(key, subject)),
            person: event.actor.person().map(|person| Self::person(key, person)),
        }
    }

    /// A request's.
    #[must_use]
    pub fn request(key: &EventKey, request: RequestId) -> [u8; 16] {
        key.tag(b'r', request.as_bytes())
    }

    /// A subject's.
    #[must_use]
    pub fn subject(key: &EventKey, subject: Subject) -> [u8; 16] {
        key.tag(b's', subject.as_bytes())
    }

    /// A person's.
    #[must_use]
    pub fn person(key: &EventKey, person: PersonId) -> [u8; 16] {
        key.tag(b'p', person.as_bytes())
    }
}

/// Why a batch was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError<E: std::error::Error + 'static> {
    /// An event cannot be encoded. Check with [`Event::check`] before batching.
    #[error("an event cannot be encoded")]
    Encode(#[source] EncodeError),
    /// Sealing failed.
    #[error("an event cannot be sealed")]
    Seal(#[source] SealError),
    /// The tree has reached its bound.
    #[error("the ledger is full")]
    Full,
    /// The disk failed; open it anew before anything else.
    #[error("the disk failed")]
    Disk(#[source] E),
}

/// The end of the ledger: knows the next number, and turns drafts into rows.
#[derive(Debug)]
pub struct Book {
    next: u64,
}

impl Book {
    /// A ledger that holds entries `0..next`, as its disk says after it was opened.
    #[must_use]
    pub fn at(next: u64) -> Self {
        Self { next }
    }

    /// Number of the next entry.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Records a batch: all of it or nothing.
    ///
    /// Returns one [`Recorded`] for each draft, in order, and the leaves for the tree.
    ///
    /// # Errors
    /// [`CommitError`]; the number of the next entry is then as before, but after [`CommitError::Disk`] only opening the disk anew tells what it holds.
    pub fn commit<D: Disk<Row>>(
        &mut self,
        disk: &mut D,
        key: &EventKey,
        drafts: &[Draft],
    ) -> Result<(Vec<Recorded>, Vec<Leaf>), CommitError<D::Error>> {
        let mut rows = Vec::with_capacity(drafts.len());
        for (index, draft) in (self.next..).zip(drafts) {
            if index >= ENTRIES_MAX {
                return Err(CommitError::Full);
            }
            rows.push(row(key, index, draft)?);
        }
        disk.append(&rows).map_err(CommitError::Disk)?;
        disk.sync().map_err(CommitError::Disk)?;
        self.next = self.next.saturating_add(rows.len() as u64);
        let recorded = rows
            .iter()
            .zip(drafts)
            .map(|(row, draft)| Recorded::after_sync(draft.event.request, Place::Ledger { index: row.index }))
            .collect();
        Ok((recorded, rows.iter().map(|row| row.leaf).collect()))
    }
}

fn row<E: std::error::Error + 'static>(key: &EventKey, index: u64, draft: &Draft) -> Result<Row, CommitError<E>> {
    let canonical = draft.event.encode().map_err(CommitError::Encode)?;
    let opened = crate::seal::Opened { salt: draft.salt, canonical, note: draft.event.note.clone() };
    let sealed = key.seal(index, draft.nonce, &opened).map_err(CommitError::Seal)?;
    Ok(Row {
        index,
        leaf: opened.leaf(),
        sealed,
        at: draft.event.at,
        kind: draft.event.kind,
        tags: Tags::of(key, &draft.event),
    })
}

/// For the tests of others: what a working disk would give.
#[cfg(feature = "testing")]
pub mod testing {
    use super::{Place, Recorded};
    use obhut_model::RequestId;

    /// A [`Recorded`] without a disk.
    pub fn recorded(request: RequestId, place: Place) -> Recorded {
        Recorded::after_sync(request, place)
    }
}
