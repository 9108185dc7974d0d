//! The top key while it changes: who holds it may be replaced without anybody below noticing.
//!
//! A replacement has three parts: [`TopKey::begin`], after which everything new is wrapped by the successor and everything old still opens; wrapping anew whatever
//! lies wrapped on disk, which its keepers do; [`TopKey::finish`], after which the predecessor opens nothing. Not for making, finding or destroying keys: the
//! shell does that, and calls `finish` only when nothing on disk needs the old one any more.

use crate::provider::{KeyProvider, ProviderError};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

struct Holders {
    current: Arc<dyn KeyProvider>,
    predecessor: Option<Arc<dyn KeyProvider>>,
}

/// A key provider whose holder can be replaced while it is in use.
pub struct TopKey(RwLock<Holders>);

impl TopKey {
    /// Begins with `provider`.
    #[must_use]
    pub fn new(provider: Arc<dyn KeyProvider>) -> Self {
        Self(RwLock::new(Holders { current: provider, predecessor: None }))
    }

    /// From now on `successor` wraps; what the old one wrapped still opens.
    pub fn begin(&self, successor: Arc<dyn KeyProvider>) {
        let mut holders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut holders.current, successor);
        // Begun twice: the first predecessor is the one that wrapped what lies on disk.
        holders.predecessor.get_or_insert(old);
    }

    /// The old one is no longer asked. Nothing changes if nothing was begun.
    pub fn finish(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).predecessor = None;
    }

    /// Back to the old one, because not everything could be wrapped anew. What the successor wrapped meanwhile still opens until [`TopKey::finish`].
    pub fn undo(&self) {
        let mut holders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = holders.predecessor.take() {
            let successor = std::mem::replace(&mut holders.current, old);
            holders.predecessor = Some(successor);
        }
    }

    /// Whether a replacement is under way.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).predecessor.is_some()
    }

    fn holders(&self) -> (Arc<dyn KeyProvider>, Option<Arc<dyn KeyProvider>>) {
        let holders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (holders.current.clone(), holders.predecessor.clone())
    }
}

impl KeyProvider for TopKey {
    fn wrap(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.holders().0.wrap(context, secret)
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let (current, predecessor) = self.holders();
        match (current.unwrap(context, wrapped), predecessor) {
            (Err(ProviderError::Refused), Some(old)) => old.unwrap(context, wrapped),
            (answer, _) => answer,
        }
    }

    fn describe(&self) -> String {
        let (current, predecessor) = self.holders();
        match predecessor {
            None => current.describe(),
            Some(old) => format!("{}, which replaces {}", current.describe(), old.describe()),
        }
    }
}

impl std::fmt::Debug for TopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TopKey({})", self.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::software::SoftwareProvider;

    fn provider(n: u8) -> Arc<dyn KeyProvider> {
        Arc::new(SoftwareProvider::from_key([n; 32]).unwrap())
    }

    #[test]
    fn a_replacement_opens_both_and_then_only_the_new() {
        let top = TopKey::new(provider(1));
        let old = top.wrap(b"x", b"secret").unwrap();
        assert!(!top.is_changing());
        top.begin(provider(2));
        let new = top.wrap(b"x", b"secret").unwrap();
        assert_ne!(old, new);
        assert!(top.is_changing() && top.describe().contains("which replaces"));
        for wrapped in [&old, &new] {
            assert_eq!(top.unwrap(b"x", wrapped).unwrap().as_slice(), b"secret");
            assert!(matches!(top.unwrap(b"y", wrapped), Err(ProviderError::Refused)));
        }
        assert!(provider(1).unwrap(b"x", &new).is_err(), "new wraps are the successor's alone");
        top.finish();
        assert!(top.unwrap(b"x", &old).is_err());
        assert_eq!(top.unwrap(b"x", &new).unwrap().as_slice(), b"secret");
    }

    #[test]
    fn a_replacement_that_failed_goes_back() {
        let top = TopKey::new(provider(1));
        let old = top.wrap(b"x", b"secret").unwrap();
        top.begin(provider(2));
        let between = top.wrap(b"x", b"secret").unwrap();
        top.undo();
        assert_eq!(top.wrap(b"x", b"secret").unwrap(), old, "the old one wraps again");
        assert!(top.unwrap(b"x", &between).is_ok() && top.unwrap(b"x", &old).is_ok());
    }
}
