//! The device's side of delivery, as small as it can be: keep until answered, send again until answered.
//!
//! What `obhut-agent` does, without its disk, priorities and bounds; those have their own tests.

use super::{Answer, Ticket};
use std::collections::BTreeMap;

/// A payload under its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The frame's sequence number.
    pub ticket: Ticket,
    /// The frame.
    pub payload: Vec<u8>,
}

/// Keeps parcels until they are answered.
#[derive(Debug, Default)]
pub struct Courier {
    kept: BTreeMap<Ticket, Kept>,
    made: u64,
}

#[derive(Debug)]
struct Kept {
    payload: Vec<u8>,
    /// When it is to be sent (again).
    due: i64,
}

/// Most parcels under way at once.
const WINDOW: usize = 32;
/// How long to wait for an answer, microseconds.
const PATIENCE: i64 = 4_000_000;
/// How long to wait after "later".
const PAUSE: i64 = 1_000_000;

impl Courier {
    /// The number the next parcel has to carry.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.made + 1
    }

    /// Takes a payload that carries [`Courier::next_number`].
    pub fn post(&mut self, now: i64, payload: Vec<u8>) {
        self.made += 1;
        self.kept.insert(Ticket(self.made), Kept { payload, due: now });
    }

    /// When something is to be sent next.
    #[must_use]
    pub fn next_due(&self) -> i64 {
        self.kept.values().take(WINDOW).map(|kept| kept.due).min().unwrap_or(i64::MAX)
    }

    /// What is to be sent at `now`.
    pub fn send(&mut self, now: i64) -> Vec<Parcel> {
        let due = self.kept.iter_mut().take(WINDOW).filter(|(_, kept)| kept.due <= now);
        due.map(|(&ticket, kept)| {
            kept.due = now.saturating_add(PATIENCE);
            Parcel { ticket, payload: kept.payload.clone() }
        })
        .collect()
    }

    /// The link is new: everything is to be sent again.
    pub fn reconnected(&mut self, now: i64) {
        self.kept.values_mut().for_each(|kept| kept.due = now);
    }

    /// Takes an answer; gives the payload back when this settles it.
    pub fn answered(&mut self, now: i64, ticket: Ticket, answer: Answer) -> Option<Vec<u8>> {
        if answer == Answer::Later {
            if let Some(kept) = self.kept.get_mut(&ticket) {
                kept.due = now.saturating_add(PAUSE);
            }
            return None;
        }
        self.kept.remove(&ticket).map(|kept| kept.payload)
    }

    /// How many are not settled.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.kept.len()
    }
}
