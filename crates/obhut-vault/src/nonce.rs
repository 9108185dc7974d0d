//! Where nonces come from: a random prefix drawn once, then a counter.
//!
//! 48 bits of prefix and 48 of counter. One source serves all keys of one opening of the store, so two records share a nonce only if two
//! openings drew the same prefix *and* the same count fell on the same subject: after 10,000 openings the chance of one shared prefix is
//! 2 × 10⁻⁷. Were it to happen, AES-GCM-SIV gives away only whether the two plaintexts were equal. A counter costs a nanosecond, a random nonce
//! from the system a call into the kernel for each of half a million records a second. See decision 0020.

use std::sync::atomic::{AtomicU64, Ordering};

/// Length of a nonce.
pub const NONCE_BYTES: usize = 12;

/// A nonce as stored beside what it sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NonceBytes(pub [u8; NONCE_BYTES]);

/// The random source failed; nothing may be sealed without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random source failed or is used up")]
pub struct RandomError;

/// A cryptographic random source, given by the shell.
pub trait Random: Send + Sync {
    /// Fills `out` entirely.
    ///
    /// # Errors
    /// [`RandomError`]; `out` must then not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// Hands out nonces, each once.
#[derive(Debug)]
pub struct NonceSource {
    prefix: [u8; 6],
    next: AtomicU64,
}

impl NonceSource {
    const COUNT_MAX: u64 = (1 << 48) - 1;

    /// Draws a fresh prefix.
    ///
    /// # Errors
    /// [`RandomError`] if the source fails.
    pub fn new(random: &dyn Random) -> Result<Self, RandomError> {
        let mut prefix = [0; 6];
        random.fill(&mut prefix)?;
        Ok(Self { prefix, next: AtomicU64::new(0) })
    }

    /// The next nonce.
    ///
    /// # Errors
    /// [`RandomError`] after 2⁴⁸ of them; make a new source.
    pub fn next(&self) -> Result<NonceBytes, RandomError> {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        if count > Self::COUNT_MAX {
            return Err(RandomError);
        }
        let mut out = [0; NONCE_BYTES];
        let tail = count.to_be_bytes();
        for (slot, byte) in out.iter_mut().zip(self.prefix.iter().chain(tail.iter().skip(2))) {
            *slot = *byte;
        }
        Ok(NonceBytes(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);
    impl Random for Same {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn nonces_count_up_behind_their_prefix() {
        let source = NonceSource::new(&Same(7)).unwrap();
        assert_eq!(source.next().unwrap().0, [7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0]);
        assert_eq!(source.next().unwrap().0, [7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_used_up_source_says_so() {
        let source = NonceSource { prefix: [0; 6], next: AtomicU64::new(NonceSource::COUNT_MAX) };
        assert!(source.next().is_ok());
        assert_eq!(source.next(), Err(RandomError));
    }
}
