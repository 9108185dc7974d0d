//! Where changes are kept: a trait with few verbs, and a home in memory for tests.
//!
//! The home of the register in operation is a shell's; it seals each row, under the key of the patient it is about or else under the register's key.

use obhut_model::{ServerTime, Subject};
use parking_lot::Mutex;

/// A row to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When the change came into force.
    pub at: ServerTime,
    /// The patient it is about, whose key seals it; `None` for what is about no patient.
    pub about: Option<Subject>,
    /// One change, see [`crate::Entry`].
    pub bytes: Vec<u8>,
}

/// A row as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number. Grows; may have gaps where rows were forgotten or removed.
    pub seq: u64,
    /// As appended.
    pub at: ServerTime,
    /// As appended.
    pub about: Option<Subject>,
    /// As appended.
    pub bytes: Vec<u8>,
}

/// Why the log did not do it. Holds nothing about a person.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct LogError {
    /// What failed, in words for the operator.
    pub what: String,
    /// Underneath.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl LogError {
    /// With nothing underneath.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// With the cause.
    #[must_use]
    pub fn because(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }
}

/// The durable, append-only home of the register.
pub trait ChangeLog: Send + Sync {
    /// Every row, in the order of its number.
    ///
    /// # Errors
    /// If a row cannot be read or opened.
    fn load(&self) -> Result<Vec<Stored>, LogError>;

    /// Appends all rows or none, numbered one after the other. Durable when it returns. Returns the number of the *first*.
    ///
    /// # Errors
    /// If that failed; then none of the rows may turn up later.
    fn append(&self, rows: &[Row]) -> Result<u64, LogError>;

    /// Removes every row about this patient. Returns how many. Durable when it returns.
    ///
    /// # Errors
    /// If that failed; calling again is harmless.
    fn forget(&self, subject: Subject) -> Result<u64, LogError>;

    /// Removes these rows, whose retention period is over. Numbers that are not there are passed over. Durable when it returns.
    ///
    /// # Errors
    /// If that failed; calling again is harmless.
    fn remove(&self, seqs: &[u64]) -> Result<(), LogError>;
}

/// A log in memory, for tests and models. Can be told to fail.
#[derive(Debug, Default)]
pub struct MemoryLog(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    rows: Vec<Stored>,
    next: u64,
    failing: bool,
}

impl MemoryLog {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every call fails, or works again.
    pub fn fail(&self, failing: bool) {
        self.0.lock().failing = failing;
    }

    fn with<R>(&self, f: impl FnOnce(&mut Memory) -> R) -> Result<R, LogError> {
        let mut memory = self.0.lock();
        if memory.failing { Err(LogError::new("the log in memory was told to fail")) } else { Ok(f(&mut memory)) }
    }
}

impl ChangeLog for MemoryLog {
    fn load(&self) -> Result<Vec<Stored>, LogError> {
        self.with(|memory| memory.rows.clone())
    }

    fn append(&self, rows: &[Row]) -> Result<u64, LogError> {
        self.with(|memory| {
            let first = memory.next;
            for row in rows {
                let (seq, row) = (memory.next, row.clone());
                memory.rows.push(Stored { seq, at: row.at, about: row.about, bytes: row.bytes });
                memory.next += 1;
            }
            first
        })
    }

    fn forget(&self, subject: Subject) -> Result<u64, LogError> {
        self.with(|memory| {
            let before = memory.rows.len();
            memory.rows.retain(|row| row.about != Some(subject));
            (before - memory.rows.len()) as u64
        })
    }

    fn remove(&self, seqs: &[u64]) -> Result<(), LogError> {
        self.with(|memory| memory.rows.retain(|row| !seqs.contains(&row.seq)))
    }
}
