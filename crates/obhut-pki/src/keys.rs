//! Our own P-256 keys, in the shape the certificate writer wants them.
//!
//! A key pair of `rcgen` keeps its PKCS#8 bytes for as long as it lives; this one keeps only what the cryptographic library needs.

use crate::error::PkiError;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA384_ASN1, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384,
};
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

/// A P-256 key of ours that signs with SHA-256.
pub(crate) struct EcKey(EcdsaKeyPair);

impl EcKey {
    /// A fresh key, and its PKCS#8 form to be sealed.
    pub(crate) fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), PkiError> {
        let failed = |_| PkiError::crypto("making a key");
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).map_err(failed)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        let key = Self::from_pkcs8(&pkcs8).ok_or_else(|| PkiError::crypto("reading a new key back"))?;
        Ok((key, pkcs8))
    }

    /// A key that was sealed; `None` if these bytes are none.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).ok().map(Self)
    }

    /// The public point, uncompressed.
    pub(crate) fn point(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

impl rcgen::PublicKeyData for EcKey {
    fn der_bytes(&self) -> &[u8] {
        self.point()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for EcKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| rcgen::Error::RingUnspecified)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Somebody else's P-256 public key.
pub(crate) struct EcPoint(pub(crate) Vec<u8>);

impl rcgen::PublicKeyData for EcPoint {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// The uncompressed point of `key`, if it is on P-256. Whether it lies on the curve is checked when a signature is.
pub(crate) fn p256_point<'a>(key: &'a SubjectPublicKeyInfo<'_>) -> Option<&'a [u8]> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let point: &[u8] = &key.subject_public_key.data;
    let fits = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
        && curve == OID_EC_P256
        && key.subject_public_key.unused_bits == 0
        && point.len() == 65
        && point.first() == Some(&4);
    fits.then_some(point)
}

/// What a signature check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    Good,
    Bad,
    OtherAlgorithm,
}

/// Checks an ECDSA signature by the P-256 key with this point.
pub(crate) fn check_signature(
    point: &[u8],
    algorithm: &AlgorithmIdentifier<'_>,
    message: &[u8],
    signature: &[u8],
) -> Signed {
    let algorithm = if algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256 {
        &ECDSA_P256_SHA256_ASN1
    } else if algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA384 {
        &ECDSA_P256_SHA384_ASN1
    } else {
        return Signed::OtherAlgorithm;
    };
    match UnparsedPublicKey::new(algorithm, point).verify(message, signature) {
        Ok(()) => Signed::Good,
        Err(_) => Signed::Bad,
    }
}

/// Fills `out` from the cryptographic random source.
pub(crate) fn random(out: &mut [u8], what: &'static str) -> Result<(), PkiError> {
    aws_lc_rs::rand::fill(out).map_err(|_| PkiError::crypto(what))
}
