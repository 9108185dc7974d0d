//! Events as lines for an outsider: what the commitment in the tree is made of, so that it can be made again and compared.
//!
//! One JSON object in a line: `index`, and either `salt`, `event` (both hexadecimal; the event in its one encoding), `note` or `note_digest`, or
//! `removed: true` for an entry whose event went by its retention rule. A readable copy may stand beside them under `fhir`; it proves nothing.

use crate::event::Event;
use crate::leaf::{Leaf, Salt};
use crate::limits::{EVENT_BYTES_MAX, NOTE_BYTES_MAX};
use crate::seal::{Entry, Opened};
use serde_json::{Value, json};

/// Longest line that is read, bytes.
pub const LINE_BYTES_MAX: usize = 4 * (EVENT_BYTES_MAX + NOTE_BYTES_MAX) + 64 * 1024;

/// One exported entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Event and salt are there.
    Present {
        /// Number of the entry.
        index: u64,
        /// What the commitment is made of.
        entry: Entry,
    },
    /// They went by their retention rule.
    Removed {
        /// Number of the entry.
        index: u64,
    },
}

/// A line that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this line is no exported entry: {0}")]
pub struct LineError(&'static str);

impl Line {
    /// Number of the entry.
    #[must_use]
    pub fn index(&self) -> u64 {
        match self {
            Self::Present { index, .. } | Self::Removed { index } => *index,
        }
    }

    /// The commitment it makes, if it is there.
    #[must_use]
    pub fn leaf(&self) -> Option<Leaf> {
        match self {
            Self::Present { entry, .. } => Some(entry.leaf()),
            Self::Removed { .. } => None,
        }
    }

    /// The event, with its note if that is still there.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        match self {
            Self::Present { entry, .. } => {
                let mut event = Event::decode(&entry.opened.canonical).ok()?;
                event.note.clone_from(&entry.opened.note);
                Some(event)
            }
            Self::Removed { .. } => None,
        }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Removed { index } => json!({"index": index, "removed": true}),
            Self::Present { index, entry } => {
                let mut out = json!({
                    "index": index,
                    "salt": hex(&entry.opened.salt.0),
                    "event": hex(&entry.opened.canonical),
                });
                if let Some(out) = out.as_object_mut() {
                    if let Some(note) = &entry.opened.note {
                        out.insert("note".to_owned(), note.as_str().into());
                    }
                    if let Some(digest) = &entry.note_removed {
                        out.insert("note_digest".to_owned(), hex(digest).into());
                    }
                }
                out
            }
        }
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`LineError`] saying what is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        if text.len() > LINE_BYTES_MAX {
            return Err(LineError("too long"));
        }
        let value: Value = serde_json::from_str(text).map_err(|_| LineError("no JSON"))?;
        let index = value.get("index").and_then(Value::as_u64).ok_or(LineError("no `index`"))?;
        let bytes = |name: &str| value.get(name).map(|v| v.as_str().and_then(unhex));
        if value.get("removed").is_some() {
            let nothing_else = value.get("event").is_none() && value.get("salt").is_none();
            let removed = value.get("removed") == Some(&Value::Bool(true)) && nothing_else;
            return if removed { Ok(Self::Removed { index }) } else { Err(LineError("`removed` is not `true` alone")) };
        }
        let salt = bytes("salt").flatten().and_then(|s| s.try_into().ok()).ok_or(LineError("no `salt`"))?;
        let canonical = bytes("event").flatten().ok_or(LineError("no `event`"))?;
        let note = match value.get("note") {
            None => None,
            Some(text) => Some(text.as_str().ok_or(LineError("`note` is no text"))?.to_owned()),
        };
        let note_removed = match bytes("note_digest") {
            None => None,
            Some(digest) => {
                Some(digest.and_then(|d| d.try_into().ok()).ok_or(LineError("`note_digest` is no digest"))?)
            }
        };
        if note.is_some() && note_removed.is_some() {
            return Err(LineError("both `note` and `note_digest`"));
        }
        Event::decode(&canonical).map_err(|_| LineError("`event` is no event"))?;
        let opened = Opened { salt: Salt(salt), canonical, note };
        Ok(Self::Present { index, entry: Entry { opened, note_removed } })
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

/// Reads lower-case hexadecimal.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    };
    digits.chunks_exact(2).map(pair).collect()
}
