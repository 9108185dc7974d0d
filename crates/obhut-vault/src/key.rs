//! Keys that seal. Each kind of key is a type of its own, so that a subject's values cannot be sealed with the identity vault's key.

use crate::context::SealContext;
use crate::nonce::{NONCE_BYTES, NonceBytes, Random, RandomError};
use crate::provider::{KeyProvider, ProviderError};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use obhut_model::Subject;
use std::fmt;
use zeroize::Zeroizing;

/// Length of the tag behind sealed bytes.
pub const TAG_BYTES: usize = 16;

/// Sealing or opening failed: wrong key, wrong context or changed bytes; the three cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open: wrong key, wrong place or changed")]
pub struct SealError;

/// 256 bits of key, wiped when dropped, never printed.
pub struct KeyBytes(Zeroizing<[u8; 32]>);

impl KeyBytes {
    /// Draws a new key.
    ///
    /// # Errors
    /// [`RandomError`] if the source fails.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    /// Wraps these bytes with `provider`, for `context`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn wrap(&self, provider: &dyn KeyProvider, context: &[u8]) -> Result<Vec<u8>, ProviderError> {
        provider.wrap(context, self.0.as_ref())
    }

    /// Unwraps what [`KeyBytes::wrap`] made.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] also if what came out is not 256 bits.
    pub fn unwrap(provider: &dyn KeyProvider, context: &[u8], wrapped: &[u8]) -> Result<Self, ProviderError> {
        Self::from_slice(&provider.unwrap(context, wrapped)?).ok_or(ProviderError::Refused)
    }

    pub(crate) fn expose<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        with(self.0.as_ref())
    }

    fn from_slice(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(|key| Self(Zeroizing::new(key)))
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(<redacted>)")
    }
}

/// AES-256-GCM-SIV under one key. The expanded key lives in memory of the cipher library, which wipes what it frees.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    pub(crate) fn new(key: &KeyBytes) -> Result<Self, SealError> {
        UnboundKey::new(&AES_256_GCM_SIV, key.0.as_ref()).map(|key| Self(LessSafeKey::new(key))).map_err(|_| SealError)
    }

    fn seal(&self, nonce: NonceBytes, context: &[u8], bytes: &mut [u8]) -> Result<[u8; TAG_BYTES], SealError> {
        let nonce = Nonce::assume_unique_for_key(nonce.0);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), bytes).map_err(|_| SealError)?;
        tag.as_ref().try_into().map_err(|_| SealError)
    }

    fn open<'b>(&self, nonce: NonceBytes, context: &[u8], bytes: &'b mut [u8]) -> Result<&'b mut [u8], SealError> {
        self.0.open_in_place(Nonce::assume_unique_for_key(nonce.0), Aad::from(context), bytes).map_err(|_| SealError)
    }

    /// Nonce, ciphertext and tag in one piece.
    pub(crate) fn seal_boxed(&self, nonce: NonceBytes, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut out = Vec::with_capacity(NONCE_BYTES + plain.len() + TAG_BYTES);
        out.extend_from_slice(&nonce.0);
        out.extend_from_slice(plain);
        let body = out.get_mut(NONCE_BYTES..).ok_or(SealError)?;
        let tag = self.seal(nonce, context, body)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    pub(crate) fn open_boxed(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.open(NonceBytes(*nonce), context, &mut body)?.len();
        body.truncate(length);
        Ok(body)
    }
}

/// Seals one patient's values.
pub struct SubjectKey(Sealer);

impl SubjectKey {
    /// Makes the key ready for use.
    ///
    /// # Errors
    /// [`SealError`] if the cipher library refuses.
    pub fn new(key: &KeyBytes) -> Result<Self, SealError> {
        Sealer::new(key).map(Self)
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0
    }

    /// Seals `bytes` where they lie; the tag goes behind them.
    ///
    /// # Errors
    /// [`SealError`] only above the cipher's length limit.
    pub fn seal_in_place(
        &self,
        nonce: NonceBytes,
        context: &SealContext,
        bytes: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], SealError> {
        self.0.seal(nonce, context.as_ref(), bytes)
    }

    /// Seals the bytes of `buffer` from `from` on where they lie and appends the tag. Allocates only if `buffer` must grow.
    ///
    /// # Errors
    /// [`SealError`] if `from` is behind the end; `buffer` must then be thrown away.
    pub fn seal_tail(
        &self,
        nonce: NonceBytes,
        context: &SealContext,
        buffer: &mut Vec<u8>,
        from: usize,
    ) -> Result<(), SealError> {
        let tag = self.seal_in_place(nonce, context, buffer.get_mut(from..).ok_or(SealError)?)?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens `bytes`, ciphertext and tag, where they lie; returns the plaintext.
    ///
    /// # Errors
    /// [`SealError`]; `bytes` then hold nothing of use.
    pub fn open_in_place<'b>(
        &self,
        nonce: NonceBytes,
        context: &SealContext,
        bytes: &'b mut [u8],
    ) -> Result<&'b mut [u8], SealError> {
        self.0.open(nonce, context.as_ref(), bytes)
    }
}

/// Wraps subject keys. Itself wrapped by the provider, so that opening a store asks the provider once and not once for every patient.
pub struct StoreKey(Sealer);

impl StoreKey {
    /// What the provider is told this key is for.
    pub const CONTEXT: &'static [u8] = b"obhut store key 1";

    /// Makes the key ready for use.
    ///
    /// # Errors
    /// [`SealError`] if the cipher library refuses.
    pub fn new(key: &KeyBytes) -> Result<Self, SealError> {
        Sealer::new(key).map(Self)
    }

    /// Wraps a subject's key: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn wrap(&self, nonce: NonceBytes, subject: Subject, key: &KeyBytes) -> Result<Vec<u8>, SealError> {
        self.0.seal_boxed(nonce, SealContext::subject_key(subject).as_ref(), key.0.as_ref())
    }

    /// Wraps the key of a patient's identity and pseudonyms.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn wrap_personal(&self, nonce: NonceBytes, subject: Subject, key: &KeyBytes) -> Result<Vec<u8>, SealError> {
        self.0.seal_boxed(nonce, SealContext::personal_key(subject).as_ref(), key.0.as_ref())
    }

    /// Unwraps what [`StoreKey::wrap_personal`] made.
    ///
    /// # Errors
    /// [`SealError`] for another subject's, or changed bytes.
    pub fn unwrap_personal(&self, subject: Subject, wrapped: &[u8]) -> Result<KeyBytes, SealError> {
        let plain = self.0.open_boxed(SealContext::personal_key(subject).as_ref(), wrapped)?;
        KeyBytes::from_slice(&plain).ok_or(SealError)
    }

    /// Unwraps a subject's key.
    ///
    /// # Errors
    /// [`SealError`] for another subject's, or changed bytes.
    pub fn unwrap(&self, subject: Subject, wrapped: &[u8]) -> Result<KeyBytes, SealError> {
        let plain = self.0.open_boxed(SealContext::subject_key(subject).as_ref(), wrapped)?;
        KeyBytes::from_slice(&plain).ok_or(SealError)
    }
}

/// Seals identities, and finds them again without storing what they are found by.
pub struct IdentityKey {
    sealer: Sealer,
    blind: hmac::Key,
}

impl IdentityKey {
    /// What the provider is told this key is for.
    pub const CONTEXT: &'static [u8] = b"obhut identity vault key 1";

    /// Makes the key ready for use. Sealing and look-up use keys derived apart from each other.
    ///
    /// # Errors
    /// [`SealError`] if the cipher library refuses.
    pub fn new(key: &KeyBytes) -> Result<Self, SealError> {
        let sealing = derive(key, b"seal").ok_or(SealError)?;
        let blind = derive(key, b"look-up").ok_or(SealError)?;
        Ok(Self { sealer: Sealer::new(&sealing)?, blind: hmac::Key::new(hmac::HMAC_SHA256, blind.0.as_ref()) })
    }

    /// Seals an identity: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, nonce: NonceBytes, subject: Subject, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.sealer.seal_boxed(nonce, SealContext::identity(subject).as_ref(), plain)
    }

    /// Opens an identity.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, subject: Subject, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.sealer.open_boxed(SealContext::identity(subject).as_ref(), sealed)
    }

    /// What an identifier is looked up by inside `domain`: a keyed hash, useless to whoever lacks the key, even for guessing. The domain is part
    /// of it, so that two domains' hashes of one identifier have nothing in common.
    #[must_use]
    pub fn blind(&self, domain: &str, identifier: &[u8]) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&self.blind);
        mac.update(&(domain.len() as u64).to_le_bytes());
        mac.update(domain.as_bytes());
        mac.update(identifier);
        array(mac.sign().as_ref())
    }

    /// How identities were looked up before there were domains; only for bringing an older vault up to date.
    #[must_use]
    pub fn blind_before_domains(&self, identifier: &str) -> [u8; 32] {
        array(hmac::sign(&self.blind, identifier.as_bytes()).as_ref())
    }
}

/// A key for one use from a key for several, HMAC-SHA256 as in NIST SP 800-108 with a label.
pub(crate) fn derive(key: &KeyBytes, label: &[u8]) -> Option<KeyBytes> {
    let parent = hmac::Key::new(hmac::HMAC_SHA256, key.0.as_ref());
    KeyBytes::from_slice(hmac::sign(&parent, label).as_ref())
}

pub(crate) fn key_bytes(bytes: [u8; 32]) -> KeyBytes {
    KeyBytes(Zeroizing::new(bytes))
}

pub(crate) fn hmac_key(key: &KeyBytes) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.0.as_ref())
}

fn array(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (slot, byte) in out.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    out
}

macro_rules! redacted {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(<redacted>)"))
            }
        }
    )*};
}
redacted!(Sealer SubjectKey StoreKey IdentityKey);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{ChunkContext, Format};
    use obhut_model::{Code, DeviceTime, ServerTime};
    use proptest::prelude::*;

    const NONCE: NonceBytes = NonceBytes([9; NONCE_BYTES]);

    fn subject(n: u8) -> Subject {
        Subject::from_random([n; 16])
    }

    fn chunk() -> ChunkContext {
        let at = DeviceTime::from_micros;
        ChunkContext { subject: subject(1), key: 7, code: Code::RESP, class: 2, first: at(10), last: at(20) }
    }

    fn key(n: u8) -> SubjectKey {
        SubjectKey::new(&key_bytes([n; 32])).unwrap()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut buffer = b"head".to_vec();
        buffer.extend_from_slice(plain);
        key(1).seal_tail(NONCE, &SealContext::waveform(Format(1), &chunk()), &mut buffer, 4).unwrap();
        buffer.split_off(4)
    }

    fn opens(key_number: u8, nonce: NonceBytes, context: &SealContext, bytes: &[u8]) -> bool {
        key(key_number).open_in_place(nonce, context, &mut bytes.to_vec()).is_ok()
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let context = SealContext::waveform(Format(1), &chunk());
        let good = sealed(b"eighty samples of something");
        assert!(opens(1, NONCE, &context, &good));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(1, NONCE, &context, &bad), "bit {bit}");
        }
        for bit in 0..NONCE_BYTES * 8 {
            let mut nonce = NONCE;
            nonce.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(1, nonce, &context, &good), "nonce bit {bit}");
        }
        for length in 0..good.len() {
            assert!(!opens(1, NONCE, &context, &good[..length]), "length {length}");
        }
    }

    #[test]
    fn another_place_does_not_open_it() {
        let good = sealed(b"values");
        let at = DeviceTime::from_micros;
        let c = chunk();
        let others = [
            SealContext::waveform(Format(2), &c),
            SealContext::numerics(Format(1), &c),
            SealContext::waveform(Format(1), &ChunkContext { subject: subject(2), ..c }),
            SealContext::waveform(Format(1), &ChunkContext { key: 8, ..c }),
            SealContext::waveform(Format(1), &ChunkContext { code: Code::TEMP, ..c }),
            SealContext::waveform(Format(1), &ChunkContext { class: 3, ..c }),
            SealContext::waveform(Format(1), &ChunkContext { first: at(11), ..c }),
            SealContext::waveform(Format(1), &ChunkContext { last: at(21), ..c }),
            SealContext::journal(Format(1), subject(1), 7, ServerTime::from_micros(10)),
            SealContext::identity(subject(1)),
        ];
        for context in others {
            assert!(!opens(1, NONCE, &context, &good), "{context:?}");
        }
        assert!(!opens(2, NONCE, &SealContext::waveform(Format(1), &c), &good));
    }

    #[test]
    fn the_sealed_bytes_are_golden() {
        // Recorded once; a change here means stored data no longer opens.
        let hex: String = sealed(b"golden").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "cb6d8d0ac2bd7a9b7609bcf21253a02bef4b2e7e501b");
        let store = StoreKey::new(&key_bytes([3; 32])).unwrap();
        let wrapped = store.wrap(NONCE, subject(4), &key_bytes([5; 32])).unwrap();
        assert_eq!(wrapped.len(), 12 + 32 + 16);
        let hex: String = crate::checksum(&[&wrapped]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "3981784d10f2a76b");
    }

    #[test]
    fn a_subject_key_opens_for_its_subject_only() {
        let store = StoreKey::new(&key_bytes([3; 32])).unwrap();
        let wrapped = store.wrap(NONCE, subject(4), &key_bytes([5; 32])).unwrap();
        assert_eq!(*store.unwrap(subject(4), &wrapped).unwrap().0, [5; 32]);
        assert_eq!(store.unwrap(subject(5), &wrapped).unwrap_err(), SealError);
        let other = StoreKey::new(&key_bytes([4; 32])).unwrap();
        assert_eq!(other.unwrap(subject(4), &wrapped).unwrap_err(), SealError);
    }

    #[test]
    fn identities_are_found_blind_and_open_for_their_subject_only() {
        let vault = IdentityKey::new(&key_bytes([6; 32])).unwrap();
        let sealed = vault.seal(NONCE, subject(1), b"Muster").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"Muster"));
        assert_eq!(vault.open(subject(1), &sealed).unwrap().as_slice(), b"Muster");
        assert_eq!(vault.open(subject(2), &sealed).unwrap_err(), SealError);
        assert_eq!(vault.blind("a", b"4711"), vault.blind("a", b"4711"));
        assert_ne!(vault.blind("a", b"4711"), vault.blind("a", b"4712"));
        assert_ne!(vault.blind("a", b"4711"), vault.blind("b", b"4711"), "no two domains have a hash in common");
        assert_ne!(vault.blind("ab", b"c"), vault.blind("a", b"bc"));
        assert_ne!(vault.blind("a", b"4711"), IdentityKey::new(&key_bytes([7; 32])).unwrap().blind("a", b"4711"));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let bytes = key_bytes([0xab; 32]);
        for text in [format!("{bytes:?}"), format!("{:?}", key(0xab)), format!("{:?}", StoreKey::new(&bytes).unwrap())]
        {
            assert!(text.ends_with("(<redacted>)"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_again(plain in proptest::collection::vec(any::<u8>(), 0..600), nonce in any::<[u8; 12]>(), from in any::<i64>()) {
            let context = SealContext::journal(Format(1), subject(1), 3, ServerTime::from_micros(from));
            let mut buffer = plain.clone();
            key(1).seal_tail(NonceBytes(nonce), &context, &mut buffer, 0).unwrap();
            prop_assert_eq!(buffer.len(), plain.len() + TAG_BYTES);
            prop_assert_eq!(key(1).open_in_place(NonceBytes(nonce), &context, &mut buffer).unwrap(), &plain[..]);
        }
    }
}
