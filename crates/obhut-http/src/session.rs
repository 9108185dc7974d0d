//! One-time links and the short sessions they give, until people and roles exist.
//!
//! Nothing here is written to disk: a restart ends every session and prints a new link. Only hashes are held, so that a memory dump or a log
//! of this table opens nothing.
//!
//! INVARIANT: a link works once, within its time; a session ends when its time is over, whoever still holds the cookie.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a printed link may be used.
pub const LINK_LIFE: Duration = Duration::from_secs(60 * 60);
/// How long a session lasts.
pub const SESSION_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// Most sessions at once; the oldest goes when one more begins.
const SESSIONS_MAX: usize = 256;
/// Most unused links at once.
const LINKS_MAX: usize = 16;
/// Bytes of a token: 192 bits.
const TOKEN_BYTES: usize = 24;

type Hash = [u8; 32];

/// Links and sessions in force.
#[derive(Debug, Default)]
pub struct SessionBook {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    links: HashMap<Hash, Instant>,
    sessions: HashMap<Hash, Instant>,
}

/// The random source failed; nothing was made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the random source of this machine failed")]
pub struct NoRandomness;

fn hash(token: &str) -> Hash {
    let mut out = [0; 32];
    for (slot, byte) in out.iter_mut().zip(digest::digest(&digest::SHA256, token.as_bytes()).as_ref()) {
        *slot = *byte;
    }
    out
}

fn random_token() -> Result<String, NoRandomness> {
    let mut bytes = [0u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn insert_bounded(map: &mut HashMap<Hash, Instant>, max: usize, key: Hash, ends: Instant, now: Instant) {
    map.retain(|_, end| *end > now);
    while map.len() >= max {
        let Some(first) = map.iter().min_by_key(|(_, end)| **end).map(|(key, _)| *key) else { break };
        map.remove(&first);
    }
    map.insert(key, ends);
}

impl SessionBook {
    /// Makes a one-time token for a link.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new_link(&self) -> Result<String, NoRandomness> {
        let token = random_token()?;
        let now = Instant::now();
        insert_bounded(&mut self.inner.lock().links, LINKS_MAX, hash(&token), now + LINK_LIFE, now);
        Ok(token)
    }

    /// Uses a link up and begins a session: the cookie's value, or `None` for anything but an unused link in its time.
    ///
    /// # Errors
    /// [`NoRandomness`]; the link stays unused.
    pub fn enter(&self, token: &str) -> Result<Option<String>, NoRandomness> {
        let cookie = random_token()?;
        let now = Instant::now();
        let mut inner = self.inner.lock();
        if inner.links.remove(&hash(token)).is_none_or(|ends| ends <= now) {
            return Ok(None);
        }
        insert_bounded(&mut inner.sessions, SESSIONS_MAX, hash(&cookie), now + SESSION_LIFE, now);
        Ok(Some(cookie))
    }

    /// How long the session behind `cookie` still lasts; `None` if there is none.
    #[must_use]
    pub fn remaining(&self, cookie: &str) -> Option<Duration> {
        let now = Instant::now();
        self.inner
            .lock()
            .sessions
            .get(&hash(cookie))
            .and_then(|ends| ends.checked_duration_since(now))
            .filter(|left| !left.is_zero())
    }

    /// Ends the session behind `cookie`.
    pub fn leave(&self, cookie: &str) {
        self.inner.lock().sessions.remove(&hash(cookie));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once() {
        let book = SessionBook::default();
        let link = book.new_link().unwrap();
        assert!(book.enter("something else").unwrap().is_none());
        let cookie = book.enter(&link).unwrap().unwrap();
        assert!(book.enter(&link).unwrap().is_none());
        assert!(book.remaining(&cookie).unwrap() <= SESSION_LIFE);
        book.leave(&cookie);
        assert!(book.remaining(&cookie).is_none());
    }

    #[test]
    fn a_link_is_not_a_session() {
        let book = SessionBook::default();
        let link = book.new_link().unwrap();
        assert!(book.remaining(&link).is_none());
    }

    #[test]
    fn the_table_is_bounded() {
        let book = SessionBook::default();
        let links: Vec<_> = (0..LINKS_MAX + 5).map(|_| book.new_link().unwrap()).collect();
        assert_eq!(book.inner.lock().links.len(), LINKS_MAX);
        assert!(book.enter(links.last().unwrap()).unwrap().is_some());
    }
}
