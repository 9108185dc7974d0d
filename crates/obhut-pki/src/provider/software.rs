//! A top key held in memory: AES-256-GCM-SIV (RFC 8452), which forgives a repeated nonce.
//!
//! Wrapped form: one byte of version (1), 12 bytes of random nonce, ciphertext, 16 bytes of tag; the context is associated data.

use crate::error::PkiError;
use crate::keys::random;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use obhut_vault::{KeyProvider, ProviderError};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

pub(super) struct SoftwareKey {
    key: LessSafeKey,
    place: String,
}

impl SoftwareKey {
    /// `key`: 32 bytes; `place`: where it came from, for people.
    pub(super) fn new(key: &[u8], place: String) -> Result<Self, PkiError> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).map_err(|_| PkiError::crypto("loading the top key"))?;
        Ok(Self { key: LessSafeKey::new(key), place })
    }
}

impl KeyProvider for SoftwareKey {
    fn wrap(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let failed = || ProviderError::Unavailable("sealing failed".to_owned());
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce, "drawing a nonce").map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        let mut sealed = Zeroizing::new(secret.to_vec());
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), sealed.as_mut_slice())
            .map_err(|_| failed())?;
        Ok([&[VERSION], nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat())
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let Some((&VERSION, rest)) = wrapped.split_first() else { return Err(ProviderError::Refused) };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(ProviderError::Refused)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .key
            .open_in_place(nonce, Aad::from(context), secret.as_mut_slice())
            .map_err(|_| ProviderError::Refused)?
            .len();
        secret.truncate(length);
        Ok(secret)
    }

    fn describe(&self) -> String {
        self.place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_it_sealed_for_the_same_context_and_unchanged() {
        let key = SoftwareKey::new(&[7; 32], "test".to_owned()).unwrap();
        let wrapped = key.wrap(b"a", b"secret").unwrap();
        assert_eq!(key.unwrap(b"a", &wrapped).unwrap().as_slice(), b"secret");
        assert_ne!(key.wrap(b"a", b"secret").unwrap(), wrapped);
        assert!(matches!(key.unwrap(b"b", &wrapped), Err(ProviderError::Refused)));
        let other = SoftwareKey::new(&[8; 32], "test".to_owned()).unwrap();
        assert!(matches!(other.unwrap(b"a", &wrapped), Err(ProviderError::Refused)));
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(key.unwrap(b"a", &changed).is_err(), "byte {at}");
            assert!(key.unwrap(b"a", &wrapped[..at]).is_err(), "cut at {at}");
        }
    }
}
