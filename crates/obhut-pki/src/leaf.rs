//! Reading what a device's certificate says. Whether to believe it is decided in [`crate::tls`]; call this for certificates that passed there.

use crate::csr::{DEVICE_URN, MODEL_URN};
use crate::error::PkiError;
use crate::unix;
use obhut_model::{DeviceId, ModelId};
use rustls_pki_types::UnixTime;
use std::fmt;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Serial number of a certificate: up to 20 bytes, filled with zeros in front, so that equal numbers are equal however they were written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial([u8; 20]);

impl Serial {
    /// From big-endian bytes; zeros in front do not count. `None` if more than 20 bytes remain.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = bytes.get(zeros..)?;
        let mut padded = [0; 20];
        let start = padded.len().checked_sub(bytes.len())?;
        padded.get_mut(start..)?.copy_from_slice(bytes);
        Some(Self(padded))
    }

    /// From hexadecimal digits, upper or lower case, as `Display` writes them. `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
        if digits.is_empty() || digits.len() > 40 {
            return None;
        }
        let mut padded = [0u8; 20];
        for (slot, pair) in padded.iter_mut().rev().zip(digits.rchunks(2)) {
            *slot = pair.iter().fold(0, |value, digit| value << 4 | digit);
        }
        Some(Self(padded))
    }
}

impl fmt::Display for Serial {
    /// Lower-case hexadecimal, whole bytes, without zero bytes in front: what `openssl x509 -serial` prints, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count().min(19);
        self.0.iter().skip(zeros).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// What the certificate of a device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCert {
    /// Who: common name and URN, which agree.
    pub id: DeviceId,
    /// Which model it was enrolled as.
    pub model: ModelId,
    /// Serial number of the certificate.
    pub serial: Serial,
    /// The same as lower-case hexadecimal, as records keep it.
    pub serial_hex: String,
    /// First instant of validity.
    pub not_before: UnixTime,
    /// Last instant of validity.
    pub not_after: UnixTime,
}

/// Reads who a device certificate names.
///
/// # Errors
/// [`PkiError::NotADevice`] if it is not shaped like one of ours. A certificate that passed the handshake always is.
pub fn device_of(leaf_der: &[u8]) -> Result<DeviceCert, PkiError> {
    let (rest, certificate) =
        X509Certificate::from_der(leaf_der).map_err(|_| PkiError::NotADevice("it is not X.509 in DER"))?;
    if !rest.is_empty() {
        return Err(PkiError::NotADevice("bytes follow it"));
    }
    read_device(&certificate)
}

pub(crate) fn read_device(certificate: &X509Certificate<'_>) -> Result<DeviceCert, PkiError> {
    let refuse = |why| move |_| PkiError::NotADevice(why);
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(PkiError::NotADevice("it does not have exactly one common name"));
    };
    let id = name.as_str().map_err(refuse("its common name is not text"))?;
    let id = DeviceId::new(id).map_err(|_| PkiError::NotADevice("its common name is not a device identifier"))?;
    let alternative =
        certificate.subject_alternative_name().map_err(refuse("it has two lists of alternative names"))?;
    let alternative = alternative.ok_or(PkiError::NotADevice("it has no alternative names"))?;
    let (mut named, mut model) = (false, None);
    for name in &alternative.value.general_names {
        let GeneralName::URI(uri) = name else { continue };
        if let Some(device) = uri.strip_prefix(DEVICE_URN) {
            if device != id.as_str() {
                return Err(PkiError::NotADevice("common name and alternative name disagree"));
            }
            named = true;
        } else if let Some(text) = uri.strip_prefix(MODEL_URN) {
            model = ModelId::new(text).ok();
        }
    }
    if !named {
        return Err(PkiError::NotADevice("no alternative name says it is a device"));
    }
    let model = model.ok_or(PkiError::NotADevice("no alternative name says its model"))?;
    let serial =
        Serial::from_bytes(certificate.raw_serial()).ok_or(PkiError::NotADevice("its serial number is too long"))?;
    let (not_before, not_after) = validity(certificate).ok_or(PkiError::NotADevice("it lies before 1970"))?;
    Ok(DeviceCert { id, model, serial, serial_hex: serial.to_string(), not_before, not_after })
}

/// First and last instant of validity; `None` before 1970.
pub(crate) fn validity(certificate: &X509Certificate<'_>) -> Option<(UnixTime, UnixTime)> {
    let validity = certificate.validity();
    let from = u64::try_from(validity.not_before.timestamp()).ok()?;
    let to = u64::try_from(validity.not_after.timestamp()).ok()?;
    Some((unix(from), unix(to)))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    // INVARIANT: SHA-256 gives 32 bytes.
    out.iter_mut().zip(digest.as_ref()).for_each(|(slot, byte)| *slot = *byte);
    out
}
