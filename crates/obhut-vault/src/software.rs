//! A top key held in memory. The weakest provider and the default: whoever reads the file or credential it came from holds everything.

use crate::key::{KeyBytes, derive, hmac_key, key_bytes};
use crate::nonce::NONCE_BYTES;
use crate::provider::{KeyProvider, ProviderError};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Wraps with a 256-bit key from a file or credential; the shell that read it names the place.
///
/// The nonce is computed from context and secret (as in SIV, RFC 5297), so no randomness is needed: wrapping the same secret for the same
/// context twice gives the same bytes, which tells nobody anything about a random key.
pub struct SoftwareProvider {
    key: LessSafeKey,
    nonces: hmac::Key,
    place: String,
}

impl SoftwareProvider {
    /// Takes the key; the caller's copy should be wiped too.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] if the cipher library refuses.
    pub fn from_key(key: [u8; 32]) -> Result<Self, ProviderError> {
        Self::from_key_at(key, "memory")
    }

    /// The same, saying where the key came from, for `doctor` and logs.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] if the cipher library refuses.
    pub fn from_key_at(mut key: [u8; 32], place: &str) -> Result<Self, ProviderError> {
        let top = key_bytes(key);
        key.zeroize();
        let refused = || ProviderError::Unavailable("the cipher library refuses the key".into());
        let sealing = derive(&top, b"wrap").ok_or_else(refused)?;
        let nonces = derive(&top, b"nonce").ok_or_else(refused)?;
        let unbound = unbound(&sealing).ok_or_else(refused)?;
        Ok(Self { key: LessSafeKey::new(unbound), nonces: hmac_key(&nonces), place: place.to_owned() })
    }

    fn nonce(&self, context: &[u8], secret: &[u8]) -> [u8; NONCE_BYTES] {
        let mut mac = hmac::Context::with_key(&self.nonces);
        mac.update(&(context.len() as u64).to_le_bytes());
        mac.update(context);
        mac.update(secret);
        let mut out = [0; NONCE_BYTES];
        for (slot, byte) in out.iter_mut().zip(mac.sign().as_ref()) {
            *slot = *byte;
        }
        out
    }
}

fn unbound(key: &KeyBytes) -> Option<UnboundKey> {
    key.expose(|bytes| UnboundKey::new(&AES_256_GCM_SIV, bytes).ok())
}

impl KeyProvider for SoftwareProvider {
    fn wrap(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let nonce = self.nonce(context, secret);
        let mut body = secret.to_vec();
        let sealed =
            self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut body);
        if sealed.is_err() {
            body.zeroize();
            return Err(ProviderError::Unavailable("the cipher library refused to wrap".into()));
        }
        Ok([nonce.as_slice(), &body].concat())
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let (nonce, body) = wrapped.split_first_chunk::<NONCE_BYTES>().ok_or(ProviderError::Refused)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length =
            self.key.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| ProviderError::Refused)?.len();
        body.truncate(length);
        Ok(body)
    }

    fn describe(&self) -> String {
        format!("software key from {}", self.place)
    }
}

impl fmt::Debug for SoftwareProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareProvider({}, <redacted>)", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_unwraps_its_own_and_nothing_else() {
        let provider = SoftwareProvider::from_key([1; 32]).unwrap();
        let wrapped = provider.wrap(b"store", b"a secret").unwrap();
        assert_eq!(wrapped, provider.wrap(b"store", b"a secret").unwrap());
        assert_eq!(provider.unwrap(b"store", &wrapped).unwrap().as_slice(), b"a secret");
        assert!(matches!(provider.unwrap(b"other", &wrapped), Err(ProviderError::Refused)));
        let other = SoftwareProvider::from_key([2; 32]).unwrap();
        assert!(matches!(other.unwrap(b"store", &wrapped), Err(ProviderError::Refused)));
        for bit in 0..wrapped.len() * 8 {
            let mut bad = wrapped.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(provider.unwrap(b"store", &bad).is_err(), "bit {bit}");
        }
        assert!(matches!(provider.unwrap(b"store", &[]), Err(ProviderError::Refused)));
    }

    #[test]
    fn it_says_where_it_is_and_nothing_more() {
        let provider = SoftwareProvider::from_key_at([0x41; 32], "/etc/obhut/key").unwrap();
        assert_eq!(provider.describe(), "software key from /etc/obhut/key");
        assert!(!format!("{provider:?}").contains("AAAA"));
    }
}
