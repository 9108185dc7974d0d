//! The cookie's value: session, step, and a code only the server can make for the two.
//!
//! A value that was ever given out is recognised for ever by its code, so that one that was replaced can be told from a guess without keeping a
//! list; and since the session's key is random, kept in memory only and never leaves the server, there is no other way to such a value.

use super::SessionId;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// The cookie's name. The prefix makes browsers insist on `Secure`, `Path=/` and no domain.
pub const COOKIE: &str = "__Host-obhut";

const ID_BYTES: usize = 8;
const STEP_BYTES: usize = 4;
const CODE_BYTES: usize = 32;

/// A value for the browser. Prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(String);

impl Cookie {
    pub(super) fn new(key: &hmac::Key, session: SessionId, step: u32) -> Self {
        let mut bytes = Vec::with_capacity(ID_BYTES + STEP_BYTES + CODE_BYTES);
        bytes.extend_from_slice(&session.bytes());
        bytes.extend_from_slice(&step.to_be_bytes());
        let code = hmac::sign(key, &bytes);
        bytes.extend_from_slice(code.as_ref());
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// For a `Set-Cookie` header. Without `Max-Age` the browser forgets it when it closes; the server ends the session in any case.
    #[must_use]
    pub fn header(&self) -> String {
        format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict", self.0)
    }

    /// The `Set-Cookie` header that makes a browser forget.
    #[must_use]
    pub fn forget() -> String {
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    /// The value.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(<redacted>)")
    }
}

/// A value as a browser sent it.
pub(super) struct Parsed {
    pub(super) session: SessionId,
    pub(super) step: u32,
    signed: [u8; ID_BYTES + STEP_BYTES],
    code: [u8; CODE_BYTES],
}

impl Parsed {
    pub(super) fn parse(value: &str) -> Option<Self> {
        if value.len() > 2 * (ID_BYTES + STEP_BYTES + CODE_BYTES) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (signed, code) = bytes.split_first_chunk::<{ ID_BYTES + STEP_BYTES }>()?;
        let (session, step) = signed.split_first_chunk::<ID_BYTES>()?;
        Some(Self {
            session: SessionId::new(*session),
            step: u32::from_be_bytes(step.try_into().ok()?),
            signed: *signed,
            code: code.try_into().ok()?,
        })
    }

    /// Whether the session's key made it; in constant time.
    pub(super) fn is_from(&self, key: &hmac::Key) -> bool {
        hmac::verify(key, &self.signed, &self.code).is_ok()
    }
}

/// What a browser says of itself: enough to notice that a cookie has moved to another one, kept as a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Browser([u8; 32]);

impl Browser {
    /// From the `User-Agent` header; without one, the browser that sends none.
    #[must_use]
    pub fn from_user_agent(user_agent: Option<&[u8]>) -> Self {
        let mut out = [0; 32];
        let digest = digest::digest(&digest::SHA256, user_agent.unwrap_or_default());
        for (slot, byte) in out.iter_mut().zip(digest.as_ref()) {
            *slot = *byte;
        }
        Self(out)
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Browser(..)")
    }
}
