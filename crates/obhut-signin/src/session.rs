//! Sessions: who sits at which browser, since when, until when.
//!
//! Nothing here is written to disk: a restart ends every session, and coming back is one touch of a passkey. What a session may do is asked anew
//! with every request; a session only says who it is.
//!
//! INVARIANT: a session ends by the clock, whoever holds its cookie. Locking, ending and revoking reach every watcher in the same instant.
//! INVARIANT: of one session there is one live cookie value; a value that was replaced ends the session when it comes back (decision 0111).

mod book;
mod cookie;

pub use book::{Activity, Begin, Seen, SessionBook};
pub use cookie::{Browser, COOKIE, Cookie};

use crate::limits;
use obhut_model::{PersonId, ServerTime};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Names a session in the ledger and in lists. Opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 8]);

impl SessionId {
    pub(crate) const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a ledger entry's origin.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, NotASession> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
            return Err(NotASession);
        }
        u64::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| NotASession)
    }
}

/// The text names no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session is named by 16 hexadecimal digits")]
pub struct NotASession;

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// A passkey with user verification.
    Passkey,
    /// The hospital's provider.
    Oidc,
    /// A one-time link alone: a wall display, or the demonstration.
    Link,
}

impl Assurance {
    /// As JSON and the ledger write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Oidc => "oidc",
            Self::Link => "link",
        }
    }
}

/// How a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// A person's: ends after the charter's `session_max`, locks after its `idle_lock`.
    Person,
    /// A wall display's, which shows no name and takes no input: does not lock, and goes on while its browser keeps asking, until the role it was
    /// given ends.
    Display {
        /// When the role ends.
        until: ServerTime,
    },
}

/// What the charter says of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    max: Duration,
    idle: Duration,
}

impl SessionRules {
    /// `max`: how long a session lasts at most; never more than [`limits::SESSION_MAX`]. `idle`: after how long without a touch a screen locks.
    #[must_use]
    pub fn new(max: Duration, idle: Duration) -> Self {
        let max = max.min(limits::SESSION_MAX);
        Self { max, idle: idle.min(max) }
    }

    /// How long a session lasts at most.
    #[must_use]
    pub const fn max(self) -> Duration {
        self.max
    }

    /// After how long without a touch a screen locks.
    #[must_use]
    pub const fn idle(self) -> Duration {
        self.idle
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Which session.
    pub session: SessionId,
    /// Who.
    pub person: PersonId,
    /// How they proved it.
    pub assurance: Assurance,
    /// Since when.
    pub began: ServerTime,
    /// Until when at most.
    pub ends: ServerTime,
    /// Whether the screen is locked: nothing but unlocking, switching and leaving is allowed then.
    pub locked: bool,
}

/// What a watcher of a session is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In force.
    Open,
    /// Locked.
    Locked,
    /// Over.
    Ended(Why),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Its person left.
    SignedOut,
    /// Another person took over the browser.
    Switched,
    /// Ended from a list of sessions.
    Revoked,
    /// The person was disabled.
    Disabled,
    /// Its time is over.
    Expired,
    /// Its cookie came from another browser.
    OtherBrowser,
    /// A cookie value came that had been replaced long before: there are two holders of this session.
    CookieReused,
    /// Too many sessions.
    TooMany,
}

impl Why {
    /// As the ledger writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Switched => "switched",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::OtherBrowser => "other_browser",
            Self::CookieReused => "cookie_reused",
            Self::TooMany => "too_many",
        }
    }
}

/// A session that ended, for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What it was.
    pub was: SignedIn,
    /// Why it ended.
    pub why: Why,
}

/// Why a cookie opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No such session, or no cookie of ours.
    NoSession,
    /// There was one, and it ended by this very request.
    Ended(Ended),
}

/// A session in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Who and until when.
    pub who: SignedIn,
    /// When its person last did something.
    pub active: ServerTime,
}
