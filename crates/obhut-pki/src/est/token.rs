//! The one-time token of an invitation.
//!
//! 140 random bits, shown as seven groups of four characters that cannot be mistaken for each other (Crockford base32). Only its SHA-256 is
//! kept. A plain hash is enough: there is nothing to guess in 140 random bits, so nothing to slow down.

use crate::error::PkiError;
use crate::keys::random;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Digits, then letters without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARACTERS: usize = 28;
const GROUP: usize = 4;
/// Set before hashing, so that the hash of a token means nothing anywhere else.
const DOMAIN: &[u8] = b"obhut-enrolment-token/1\0";

/// A text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is {CHARACTERS} letters and digits, as printed on the invitation")]
pub struct TokenError;

/// A one-time token. Show it once with [`Token::text`], keep [`Token::hash`].
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; CHARACTERS]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(<redacted>)")
    }
}

impl Token {
    /// A new random token.
    ///
    /// # Errors
    /// [`PkiError::Crypto`] if the system has no randomness.
    pub fn generate() -> Result<Self, PkiError> {
        let mut token = Self([0; CHARACTERS]);
        random(&mut token.0, "drawing a token")?;
        // Five of the eight random bits of each byte: 32 divides 256, so all characters are equally likely.
        for byte in &mut token.0 {
            *byte = ALPHABET.get(usize::from(*byte % 32)).copied().unwrap_or_default();
        }
        Ok(token)
    }

    /// Reads a token as a person may have typed it: any case, with or without hyphens and spaces, O for zero, I and L for one.
    ///
    /// # Errors
    /// [`TokenError`] if it cannot be one.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut token = Self([0; CHARACTERS]);
        let mut slots = token.0.iter_mut();
        for typed in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            let meant = match typed.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !ALPHABET.contains(&meant) {
                return Err(TokenError);
            }
            *slots.next().ok_or(TokenError)? = meant;
        }
        if slots.next().is_some() { Err(TokenError) } else { Ok(token) }
    }

    /// The token as it is shown: `ABCD-EFGH-…`.
    #[must_use]
    pub fn text(&self) -> zeroize::Zeroizing<String> {
        let mut text = zeroize::Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / GROUP));
        for (at, byte) in self.0.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(*byte));
        }
        text
    }

    /// What the records keep.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(DOMAIN);
        context.update(&self.0);
        let mut hash = [0; 32];
        hash.iter_mut().zip(context.finish().as_ref()).for_each(|(slot, byte)| *slot = *byte);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_survives_typing() {
        let token = Token::generate().unwrap();
        let text = token.text();
        assert_eq!(text.len(), 34);
        assert_eq!(Token::parse(&text), Ok(token.clone()));
        let sloppy = text.to_ascii_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(Token::parse(&sloppy).unwrap().hash(), token.hash());
        assert_ne!(Token::generate().unwrap(), token);
        assert_eq!(format!("{token:?}"), "Token(<redacted>)");
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        let long = "A".repeat(29);
        for bad in ["", "ABCD", long.as_str(), &"U".repeat(28), &"ä".repeat(14)] {
            assert_eq!(Token::parse(bad), Err(TokenError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Token::parse(&text);
        }
    }
}
