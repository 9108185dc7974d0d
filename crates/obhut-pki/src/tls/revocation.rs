//! Certificates that are no longer believed, and a count of those that were refused.
//!
//! A set in memory instead of a revocation list: a signed list of 100,000 entries costs over a millisecond in each handshake and takes
//! effect only when it is replaced; a look into a set is a fraction of a microsecond and takes effect at once (decision 0052).

use crate::leaf::Serial;
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Serial numbers of revoked certificates that have not ended yet. Filled from the records at start.
#[derive(Debug, Default)]
pub struct Revocations {
    serials: ArcSwap<HashSet<Serial>>,
    changes: AtomicU64,
}

impl Revocations {
    /// None revoked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Revokes one certificate: every handshake from now on refuses it. Sessions that are open must be cut by whoever holds them.
    pub fn revoke(&self, serial: Serial) {
        self.revoke_all([serial]);
    }

    /// Revokes all of these besides those that are. The set is copied once, and not at all if nothing is new.
    pub fn revoke_all(&self, serials: impl IntoIterator<Item = Serial>) {
        let known = self.serials.load();
        let fresh: Vec<Serial> = serials.into_iter().filter(|serial| !known.contains(serial)).collect();
        if fresh.is_empty() {
            return;
        }
        self.serials.rcu(|old| {
            let mut new = HashSet::clone(old);
            new.extend(&fresh);
            new
        });
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Exchanges the whole set, at start or to forget those that have ended.
    ///
    /// SECURITY: while devices may be revoked, use [`Revocations::revoke_all`] instead: a list read before a revocation and put here after it
    /// would take the revocation back.
    pub fn replace(&self, serials: impl IntoIterator<Item = Serial>) {
        self.serials.store(serials.into_iter().collect::<HashSet<_>>().into());
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Whether this one is revoked.
    #[must_use]
    pub fn is_revoked(&self, serial: Serial) -> bool {
        self.serials.load().contains(&serial)
    }

    /// Counts changes: whoever holds sessions looks at the set again when this number moved.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

/// Why a peer's certificate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It has ended, or has not begun.
    Expired,
    /// Nobody we trust signed it, or it is not for clients.
    WrongCa,
    /// It was revoked.
    Revoked,
    /// There was none where one is required. Counted by the listener: without a certificate the verifier is never asked.
    Missing,
    /// It lives longer than any certificate of ours.
    TooLong,
    /// It is not readable or not shaped like a device's.
    Other,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Expired, Self::WrongCa, Self::Revoked, Self::Missing, Self::TooLong, Self::Other];

    /// Stable name for metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::WrongCa => "wrong_ca",
            Self::Revoked => "revoked",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Other => "other",
        }
    }
}

/// How many certificates were refused, by reason.
#[derive(Debug, Default)]
pub struct RefusalCounters([AtomicU64; Refusal::ALL.len()]);

impl RefusalCounters {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one.
    pub fn count(&self, reason: Refusal) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many for this reason.
    #[must_use]
    pub fn get(&self, reason: Refusal) -> u64 {
        self.0.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
