//! Certificate requests (PKCS#10, RFC 2986) as devices send them: parsed once, with proof that the sender holds the key.
//!
//! Of a request only the key is ever used. Its names must agree with what the authority was going to write anyway, or it is refused;
//! everything else in it is ignored.

use crate::keys::{EcPoint, Signed, check_signature, p256_point};
use crate::limits::CSR_BYTES_MAX;
use obhut_model::{DeviceId, ModelId};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

/// Begins the name of a device among the alternative names.
pub const DEVICE_URN: &str = "urn:obhut:device:";
/// Begins the name of a device's model among the alternative names.
pub const MODEL_URN: &str = "urn:obhut:model:";

/// Why a certificate request was refused. Says nothing of other devices, so it may be told to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// Longer than [`CSR_BYTES_MAX`].
    #[error("the certificate request is longer than {CSR_BYTES_MAX} bytes")]
    TooLarge,
    /// Not base64, or not one PKCS#10 request in DER.
    #[error("the certificate request is not PKCS#10 in DER")]
    Malformed,
    /// Another kind of key.
    #[error("the key in the certificate request is not an uncompressed P-256 key")]
    NotP256,
    /// Signed with something else than ECDSA and SHA-256 or SHA-384.
    #[error("the certificate request is not signed with ECDSA and SHA-256 or SHA-384")]
    Algorithm,
    /// The sender does not hold the key, or the bytes were changed.
    #[error("the signature of the certificate request is wrong")]
    Signature,
    /// There must be exactly one common name, and it must be a device identifier.
    #[error("the certificate request must carry exactly one common name, the device identifier")]
    CommonName,
    /// The common name is another device's.
    #[error("the common name in the certificate request is not the device it is for")]
    OtherDevice,
    /// A name of ours among the alternative names says something else.
    #[error("an alternative name in the certificate request disagrees with the device or its model")]
    Disagrees,
}

/// A request whose sender holds its P-256 key.
pub struct Csr {
    device: DeviceId,
    key: EcPoint,
    device_urns: Vec<String>,
    model_urns: Vec<String>,
}

impl std::fmt::Debug for Csr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Csr").field("device", &self.device).finish_non_exhaustive()
    }
}

impl Csr {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// [`CsrError`] saying what is wrong with it.
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > CSR_BYTES_MAX {
            return Err(CsrError::TooLarge);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| CsrError::Malformed)?;
        let info = &request.certification_request_info;
        if !rest.is_empty() || info.version.0 != 0 || request.signature_value.unused_bits != 0 {
            return Err(CsrError::Malformed);
        }
        let point = p256_point(&info.subject_pki).ok_or(CsrError::NotP256)?;
        match check_signature(point, &request.signature_algorithm, info.raw, &request.signature_value.data) {
            Signed::Good => {}
            Signed::Bad => return Err(CsrError::Signature),
            Signed::OtherAlgorithm => return Err(CsrError::Algorithm),
        }
        let mut names = info.subject.iter_common_name();
        let (Some(name), None) = (names.next(), names.next()) else { return Err(CsrError::CommonName) };
        let name = name.as_str().map_err(|_| CsrError::CommonName)?;
        let device = DeviceId::new(name).map_err(|_| CsrError::CommonName)?;
        let (device_urns, model_urns) = urns(&request);
        Ok(Self { device, key: EcPoint(point.to_vec()), device_urns, model_urns })
    }

    /// The device it names.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// SHA-256 of the public point: the same for every request made with the same key.
    #[must_use]
    pub fn key_hash(&self) -> [u8; 32] {
        crate::leaf::sha256(&self.key.0)
    }

    /// Gives the key, if the names in the request agree with these.
    pub(crate) fn key_for(&self, device: &DeviceId, model: &ModelId) -> Result<&EcPoint, CsrError> {
        if self.device != *device {
            return Err(CsrError::OtherDevice);
        }
        let agree = self.device_urns.iter().all(|urn| urn == device.as_str())
            && self.model_urns.iter().all(|urn| urn == model.as_str());
        if agree { Ok(&self.key) } else { Err(CsrError::Disagrees) }
    }
}

/// What follows our two URN prefixes among the alternative names asked for.
fn urns(request: &X509CertificationRequest<'_>) -> (Vec<String>, Vec<String>) {
    let mut found = (Vec::new(), Vec::new());
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(names) = extension else { continue };
        for name in &names.general_names {
            let GeneralName::URI(uri) = name else { continue };
            if let Some(device) = uri.strip_prefix(DEVICE_URN) {
                found.0.push(device.to_owned());
            } else if let Some(model) = uri.strip_prefix(MODEL_URN) {
                found.1.push(model.to_owned());
            }
        }
    }
    found
}
