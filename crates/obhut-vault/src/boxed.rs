//! Keys for small things that are sealed whole: a row of the register, a version of an identity, a pseudonym.
//!
//! Each piece carries its nonce in front and its tag behind, so that it fits a database column. Not for readings, which are sealed where they lie.

use crate::context::SealContext;
use crate::key::{KeyBytes, SealError, Sealer, SubjectKey};
use crate::nonce::NonceBytes;
use std::fmt;
use zeroize::Zeroizing;

macro_rules! boxed_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(Sealer);

        impl $name {
            /// Makes the key ready for use.
            ///
            /// # Errors
            /// [`SealError`] if the cipher library refuses.
            pub fn new(key: &KeyBytes) -> Result<Self, SealError> {
                Sealer::new(key).map(Self)
            }

            /// Seals `plain`: nonce, ciphertext, tag.
            ///
            /// # Errors
            /// [`SealError`] only above the cipher's length limit.
            pub fn seal(&self, nonce: NonceBytes, context: &SealContext, plain: &[u8]) -> Result<Vec<u8>, SealError> {
                self.0.seal_boxed(nonce, context.as_ref(), plain)
            }

            /// Opens what [`Self::seal`] made.
            ///
            /// # Errors
            /// [`SealError`] for another key's, another place's, or changed bytes.
            pub fn open(&self, context: &SealContext, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
                self.0.open_boxed(context.as_ref(), sealed)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(<redacted>)"))
            }
        }
    };
}

boxed_key!(
    /// Seals rows of the register that are about no patient.
    RegisterKey
);
boxed_key!(
    /// Seals who one patient is and what he is called elsewhere, and nothing else. His values have another key: whoever holds one of the two
    /// learns nothing of what the other seals.
    PersonalKey
);

impl RegisterKey {
    /// What the provider is told this key is for.
    pub const CONTEXT: &'static [u8] = b"obhut register key 1";
}

impl SubjectKey {
    /// Seals `plain` as a piece of its own: nonce, ciphertext, tag. For rows of the register about this patient.
    ///
    /// # Errors
    /// [`SealError`] only above the cipher's length limit.
    pub fn seal(&self, nonce: NonceBytes, context: &SealContext, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.sealer().seal_boxed(nonce, context.as_ref(), plain)
    }

    /// Opens what [`SubjectKey::seal`] made.
    ///
    /// # Errors
    /// [`SealError`] for another key's, another place's, or changed bytes.
    pub fn open(&self, context: &SealContext, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.sealer().open_boxed(context.as_ref(), sealed)
    }
}
