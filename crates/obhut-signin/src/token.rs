//! One-time tokens for links: random, long, held as a hash.
//!
//! A slow hash would add nothing: there is no guessing 256 bits. When a token was used, expired or belongs to whom is the register's.

use crate::error::NoRandomness;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// Bytes of a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// A token as it stands in a link's fragment, which no server sees in a log. Prints as nothing.
pub struct OneTimeToken(zeroize::Zeroizing<String>);

impl OneTimeToken {
    /// Draws one.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn draw() -> Result<Self, NoRandomness> {
        Ok(Self(zeroize::Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?))))
    }

    /// For the link, and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for OneTimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeToken(<redacted>)")
    }
}

/// SHA-256 of a token's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of what somebody sent as a token, whatever it is.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut out = [0; 32];
        for (slot, byte) in out.iter_mut().zip(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()) {
            *slot = *byte;
        }
        Self(out)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A random name for something that is kept on the server and asked for once.
pub(crate) fn random_text() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_print_as_nothing() {
        let (one, two) = (OneTimeToken::draw().unwrap(), OneTimeToken::draw().unwrap());
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(one.reveal().len(), 43);
        assert_eq!(one.hash(), TokenHash::of(one.reveal()));
        assert!(!format!("{one:?}{:?}", one.hash()).contains(one.reveal()));
    }
}
