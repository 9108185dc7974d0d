//! Maps by pseudonym. A pseudonym is 128 random bits drawn by us, so eight of its bytes are a hash already; nobody outside can choose them to collide.

use obhut_model::Subject;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Takes the first eight bytes it is given.
#[derive(Debug, Default)]
pub(crate) struct PseudonymHasher(u64);

impl Hasher for PseudonymHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length of the array, which says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map by pseudonym.
pub(crate) type BySubject<T> = HashMap<Subject, T, BuildHasherDefault<PseudonymHasher>>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn different_pseudonyms_differ() {
        let map = BySubject::<()>::default();
        let hash = |n: u8| map.hasher().hash_one(Subject::from_random([n; 16]));
        assert_ne!(hash(1), hash(2));
        assert_eq!(hash(1), 0x0101_0101_0101_0101);
    }
}
