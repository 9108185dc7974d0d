//! The commitment that stands in the public tree for an event, and nothing else of it.
//!
//! `leaf = HMAC-SHA256(salt, 0x00 ‖ digest ‖ canonical)` where `digest` is `0x00` without a note and `0x01 ‖ HMAC-SHA256(salt, 0x01 ‖ note)` with one.
//! Binding, because SHA-256 resists collisions and the salt has one length; hiding, because the salt is 256 random bits. Once salt and event
//! are gone the leaf says nothing about anybody (EDPB 02/2025: no personal data where nothing can be removed). A note can go on its own: its
//! digest stays and the rest remains provable.

use aws_lc_rs::hmac;
use std::fmt;

/// 32 random bytes, drawn for one event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(<redacted>)")
    }
}

/// A commitment to one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf(pub [u8; 32]);

/// What is known of a note: nothing there, the text, or only what the leaf holds of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note<'a> {
    /// There was none.
    None,
    /// The text.
    Text(&'a str),
    /// The text was removed; its digest stays.
    Removed([u8; 32]),
}

impl Leaf {
    /// Commits to an encoded event and its note.
    #[must_use]
    pub fn commit(salt: &Salt, canonical: &[u8], note: &Note<'_>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salt.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(&[0]);
        match note {
            Note::None => context.update(&[0]),
            Note::Text(text) => {
                context.update(&[1]);
                context.update(&note_digest(salt, text));
            }
            Note::Removed(digest) => {
                context.update(&[1]);
                context.update(digest);
            }
        }
        context.update(canonical);
        Self(array(context.sign().as_ref()))
    }
}

/// What stays of a note after its text was removed.
#[must_use]
pub fn note_digest(salt: &Salt, text: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salt.0);
    let mut context = hmac::Context::with_key(&key);
    context.update(&[1]);
    context.update(text.as_bytes());
    array(context.sign().as_ref())
}

pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (slot, byte) in out.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    out
}
