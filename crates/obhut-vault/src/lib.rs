//! Keys and sealing: subject keys, the store's and the identity vault's keys, and who holds the key above them.
//!
//! A pure core: no file, clock, runtime or randomness of its own; randomness comes in through [`Random`], the top key through
//! [`KeyProvider`]. It does not know where sealed bytes lie: destroying a key for good is the store's work, forgetting it is ours.
//!
//! The order of keys: the provider's top key wraps one [`StoreKey`] for each epoch, one [`IdentityKey`] and one [`RegisterKey`]; the store key wraps for every
//! patient a [`SubjectKey`], which seals his values, and a [`PersonalKey`], which seals who he is. Destroying a patient's wrapped keys erases him everywhere at
//! once; destroying an epoch's key makes every older copy of wrapped keys useless.
//!
//! What always holds: key bytes are wiped when dropped and never printed; whatever is sealed is bound to its [`SealContext`], so bytes moved to
//! another patient, code or time do not open; a nonce is never drawn twice by one [`NonceSource`].
//!
//! Cipher: AES-256-GCM-SIV (RFC 8452), 96-bit nonce, 128-bit tag. Why it and not GCM: decision 0020.

pub mod boxed;
pub mod context;
pub mod key;
pub mod nonce;
pub mod provider;
pub mod pseudonym;
pub mod release;
pub mod software;
pub mod top;

pub use boxed::{PersonalKey, RegisterKey};
pub use context::{CONTEXT_BYTES, ChunkContext, Format, SealContext};
pub use key::{IdentityKey, KeyBytes, SealError, StoreKey, SubjectKey, TAG_BYTES};
pub use nonce::{NONCE_BYTES, NonceBytes, NonceSource, Random, RandomError};
pub use provider::{KeyProvider, ProviderError};
pub use pseudonym::{Domain, NoDomain, Pseudonym};
pub use software::SoftwareProvider;
pub use top::TopKey;

/// First eight bytes of SHA-256: tells torn or rotten structure from whole. Not a proof against a forger; that is the seal's work.
#[must_use]
pub fn checksum(parts: &[&[u8]]) -> [u8; 8] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let digest = context.finish();
    let mut out = [0; 8];
    for (slot, byte) in out.iter_mut().zip(digest.as_ref()) {
        *slot = *byte;
    }
    out
}
