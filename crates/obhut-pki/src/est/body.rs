//! Bodies and headers of EST: base64, PKCS#10 in, certs-only PKCS#7 out, HTTP Basic.

use super::EstError;
use crate::authority::Authority;
use crate::csr::CsrError;
use crate::error::PkiError;
use crate::limits::{AUTHORIZATION_BYTES_MAX, CSR_BODY_BYTES_MAX, CSR_BYTES_MAX, MAKER_SERIAL_BYTES_MAX};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerInfos};
use der::asn1::{ObjectIdentifier, SetOfVec};
use der::{Any, Decode as _, Encode as _};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// Content type of answers with certificates.
pub const CONTENT_TYPE_CERTS: &str = "application/pkcs7-mime; smime-type=certs-only";
/// Content type of requests.
pub const CONTENT_TYPE_CSR: &str = "application/pkcs10";

/// RFC 5652: `id-data`.
const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// RFC 5652: `id-signedData`.
const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Decodes the body of an enrolment request: PKCS#10 in DER, in base64, with or without line breaks (RFC 8951, section 3.1).
///
/// # Errors
/// [`EstError::Csr`] if it is too long or not base64. What is inside is checked by [`crate::Csr::parse`].
pub fn decode_csr(body: &[u8]) -> Result<Vec<u8>, EstError> {
    if body.len() > CSR_BODY_BYTES_MAX {
        return Err(EstError::Csr(CsrError::TooLarge));
    }
    let packed: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(packed).map_err(|_| EstError::Csr(CsrError::Malformed))?;
    if der.len() > CSR_BYTES_MAX {
        return Err(EstError::Csr(CsrError::TooLarge));
    }
    Ok(der)
}

/// Encodes certificates as certs-only PKCS#7 in base64, in lines of 64 characters.
///
/// The certificates are a set: whoever reads them finds the wanted one by its key, not by its place.
///
/// # Errors
/// [`PkiError::Crypto`] if one of them is not a certificate.
pub fn certs_only<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>) -> Result<String, PkiError> {
    let failed = |error: der::Error| PkiError::crypto_from("encoding certificates as PKCS#7", error);
    let choices = certificates
        .into_iter()
        .map(|certificate| x509_cert::Certificate::from_der(certificate).map(CertificateChoices::Certificate))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: None },
        certificates: Some(CertificateSet(SetOfVec::try_from(choices).map_err(failed)?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::new()),
    };
    let content = Any::encode_from(&signed).map_err(failed)?;
    let der = ContentInfo { content_type: ID_SIGNED_DATA, content }.to_der().map_err(failed)?;
    let text = STANDARD.encode(der);
    let mut lines = String::with_capacity(text.len() + text.len() / 64 + 1);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    Ok(lines)
}

/// The answer to `cacerts`: root and issuing CA.
///
/// # Errors
/// [`PkiError::Crypto`], which would be a mistake of ours.
pub fn cacerts(authority: &Authority) -> Result<String, PkiError> {
    certs_only(authority.chain_der().iter())
}

/// What a device shows when it enrols: the maker's serial number as user, the token of its invitation as password.
pub struct Credentials {
    /// The maker's serial number.
    pub serial: String,
    /// The token as it was typed.
    pub token: Zeroizing<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials {{ serial: {:?}, token: <redacted> }}", self.serial)
    }
}

impl Credentials {
    /// Reads the value of an `Authorization` header (RFC 7617, UTF-8).
    ///
    /// # Errors
    /// [`EstError::Credentials`] if there is none or it is not usable.
    pub fn from_header(header: Option<&[u8]>) -> Result<Self, EstError> {
        let parse = || {
            let header = header.filter(|header| header.len() <= AUTHORIZATION_BYTES_MAX)?;
            let (scheme, encoded) = header.split_at_checked(6)?;
            if !scheme.eq_ignore_ascii_case(b"basic ") {
                return None;
            }
            let plain = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).ok()?);
            let (serial, token) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
            let fits =
                !serial.is_empty() && serial.len() <= MAKER_SERIAL_BYTES_MAX && !serial.chars().any(char::is_control);
            fits.then(|| Self { serial: serial.to_owned(), token: Zeroizing::new(token.to_owned()) })
        };
        parse().ok_or(EstError::Credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(text)).into_bytes()
    }

    #[test]
    fn credentials_are_serial_and_token() {
        let good = Credentials::from_header(Some(&header("SN-1:AB:CD"))).unwrap();
        assert_eq!((good.serial.as_str(), good.token.as_str()), ("SN-1", "AB:CD"));
        assert!(!format!("{good:?}").contains("AB:CD"));
        for bad in [
            None,
            Some(header("SN-1")),
            Some(header(":x")),
            Some(header("a\nb:x")),
            Some(b"Bearer abc".to_vec()),
            Some(b"Basic !".to_vec()),
        ] {
            assert!(matches!(Credentials::from_header(bad.as_deref()), Err(EstError::Credentials)), "{bad:?}");
        }
        assert!(Credentials::from_header(Some(&header(&format!("{}:x", "s".repeat(129))))).is_err());
        assert!(Credentials::from_header(Some(&[b'x'; 10_000])).is_err());
    }

    #[test]
    fn bodies_are_base64_with_or_without_lines_and_bounded() {
        let der = vec![7; 300];
        let text = STANDARD.encode(&der);
        let lines: String =
            text.as_bytes().chunks(64).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect();
        assert_eq!(decode_csr(text.as_bytes()).unwrap(), der);
        assert_eq!(decode_csr(lines.as_bytes()).unwrap(), der);
        assert!(matches!(decode_csr(&vec![b'A'; 1 << 20]), Err(EstError::Csr(CsrError::TooLarge))));
        assert!(matches!(
            decode_csr(STANDARD.encode(vec![0; CSR_BYTES_MAX + 1]).as_bytes()),
            Err(EstError::Csr(CsrError::TooLarge))
        ));
        assert!(matches!(decode_csr(b"-----BEGIN"), Err(EstError::Csr(CsrError::Malformed))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode_csr(&bytes);
            let _ = Credentials::from_header(Some(&bytes));
            let _ = certs_only([&CertificateDer::from(bytes)]);
        }

        #[test]
        fn whatever_was_encoded_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..CSR_BYTES_MAX)) {
            prop_assert_eq!(decode_csr(STANDARD.encode(&bytes).as_bytes()).unwrap(), bytes);
        }
    }
}
