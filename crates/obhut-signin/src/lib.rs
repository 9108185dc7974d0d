//! How people come in: passkeys, the hospital's own provider, one-time links, and the sessions that follow.
//!
//! It proves *who* somebody is and keeps the browser's session; it does not know roles, holds no names and stores nothing. People, credentials and
//! invitations live in `obhut-register`, what somebody may do is `obhut-access`'s, and the HTTP handlers join the three.
//!
//! What always holds:
//! - There is no password, and nothing here would take one.
//! - Every challenge, link and authorisation code works once and for minutes; only hashes of what opens something are held.
//! - A passkey counts only with user verification, from our own origin, over our own challenge, with a counter that moved on.
//! - A session is bound to the browser it began in, ends by the clock whoever holds its cookie, and can be ended at once from outside; whoever
//!   watches it ([`SessionBook::watch`]) hears of it in the same instant.
//! - No clock is read here: every call is told the time (of the real clock; ward time may run faster in a demonstration). The one exception is the
//!   expiry of a provider's token, which `openidconnect` compares with the machine's clock.
//!
//! Standards: W3C Web Authentication Level 3; OpenID Connect Core 1.0 with RFC 7636 (PKCE) and RFC 9207 (`iss`); RFC 6265bis (`__Host-` cookies).
//! Decisions 0110 to 0119.

mod error;
pub mod limits;
mod oidc;
mod passkey;
mod session;
mod token;

pub use error::{NoRandomness, OidcError, PasskeyError};
pub use oidc::{Answer, Identity, Oidc, OidcOptions, Started};
pub use passkey::{Begun, Known, NewCredential, Passkeys, Proved};
pub use session::{
    Activity, Assurance, Begin, Browser, COOKIE, Cookie, Ended, Life, Listed, Refused, Seen, SessionBook, SessionId,
    SessionRules, SignedIn, Standing, Why,
};
pub use token::{OneTimeToken, TokenHash};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything about coming in, joined.
#[derive(Debug)]
pub struct SignIn {
    /// Passkey ceremonies.
    pub passkeys: Passkeys,
    /// The hospital's provider, if the configuration names one.
    pub oidc: Option<Oidc>,
    /// Sessions in force.
    pub sessions: SessionBook,
    /// Whether links may begin sessions of people, as in the demonstration.
    demonstration: AtomicBool,
}

impl SignIn {
    /// Joins the parts. Passkeys work from [`Passkeys::reached_at`] on, when the server knows the name and port it is reached by.
    #[must_use]
    pub fn new(oidc: Option<Oidc>, rules: SessionRules) -> Arc<Self> {
        Arc::new(Self {
            passkeys: Passkeys::default(),
            oidc,
            sessions: SessionBook::new(rules),
            demonstration: AtomicBool::new(false),
        })
    }

    /// From now on a one-time link may begin a session of any role, as in the demonstration. Otherwise only a wall display comes in that way.
    pub fn demonstrate(&self) {
        self.demonstration.store(true, Ordering::Relaxed);
    }

    /// Whether [`SignIn::demonstrate`] was called.
    #[must_use]
    pub fn demonstrates(&self) -> bool {
        self.demonstration.load(Ordering::Relaxed)
    }
}
