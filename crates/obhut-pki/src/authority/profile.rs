//! What our certificates say. Forced: nothing here comes from a request.
//!
//! RFC 5280; one issuing CA under the root (path length 0), ECDSA with P-256 and SHA-256 throughout, serial numbers of 128 random bits.

use crate::csr::{DEVICE_URN, MODEL_URN};
use crate::error::PkiError;
use crate::hex;
use crate::keys::random;
use crate::leaf::Serial;
use obhut_model::{DeviceId, ModelId};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType, SerialNumber,
};
use rustls_pki_types::{DnsName, UnixTime};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// The last second X.509 can write: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// CA and server certificates begin this much early, for devices whose clock is behind.
const EARLY_SECS: u64 = 3600;

/// First and last second of a certificate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) from: u64,
    pub(super) until: u64,
}

impl Validity {
    pub(super) fn begin_early(now: UnixTime, life_secs: u64) -> Self {
        let now = now.as_secs();
        let from = now.saturating_sub(EARLY_SECS);
        Self { from, until: from.saturating_add(life_secs) }
    }
}

/// The names and addresses the server certificate is for. At least one; order and repetition do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNames {
    dns: BTreeSet<String>,
    ips: BTreeSet<IpAddr>,
}

impl ServerNames {
    /// Takes DNS names and IP addresses as text, as an administrator gives them.
    ///
    /// # Errors
    /// [`PkiError::ServerName`] naming the one that is neither, [`PkiError::NoServerName`] if there is none.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, PkiError> {
        let mut all = Self { dns: BTreeSet::new(), ips: BTreeSet::new() };
        for name in names {
            let name = name.as_ref();
            if let Ok(ip) = name.parse() {
                all.ips.insert(ip);
            } else if DnsName::try_from(name).is_ok() {
                all.dns.insert(name.to_ascii_lowercase());
            } else {
                return Err(PkiError::ServerName(name.to_owned()));
            }
        }
        if all.dns.is_empty() && all.ips.is_empty() { Err(PkiError::NoServerName) } else { Ok(all) }
    }

    /// `localhost` and both loopback addresses.
    #[must_use]
    pub fn localhost() -> Self {
        let ips = [IpAddr::from([127, 0, 0, 1]), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];
        Self { dns: BTreeSet::from(["localhost".to_owned()]), ips: BTreeSet::from(ips) }
    }

    /// Whether the certificate is for exactly these.
    pub(super) fn are_in(&self, certificate: &X509Certificate<'_>) -> bool {
        let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
        let mut found = Self { dns: BTreeSet::new(), ips: BTreeSet::new() };
        for name in &names.value.general_names {
            match name {
                GeneralName::DNSName(name) => {
                    found.dns.insert((*name).to_owned());
                }
                GeneralName::IPAddress(bytes) => {
                    let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                    let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
                    found.ips.extend(v4.or(v6).ok());
                }
                _ => return false,
            }
        }
        found == *self
    }
}

/// A CA certificate; `below`: how many further CAs may hang under it. Its name carries random digits, so that two installations, or an old
/// and a new issuing CA, never have the same.
pub(super) fn ca(name: &str, validity: Validity, below: u8) -> Result<CertificateParams, PkiError> {
    let mut digits = [0; 4];
    random(&mut digits, "drawing a random name")?;
    let (mut params, _) = base(&format!("{name} {}", hex(&digits)), validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// The server's own certificate.
pub(super) fn server(names: &ServerNames, validity: Validity) -> Result<CertificateParams, PkiError> {
    let (mut params, _) = base("Obhut server", validity)?;
    end_entity(&mut params, ExtendedKeyUsagePurpose::ServerAuth);
    for name in &names.dns {
        let text = name.as_str().try_into().map_err(|_| PkiError::ServerName(name.clone()))?;
        params.subject_alt_names.push(SanType::DnsName(text));
    }
    params.subject_alt_names.extend(names.ips.iter().copied().map(SanType::IpAddress));
    Ok(params)
}

/// A device's certificate, and its serial number.
pub(super) fn device(
    device: &DeviceId,
    model: &ModelId,
    validity: Validity,
) -> Result<(CertificateParams, Serial), PkiError> {
    let (mut params, serial) = base(device.as_str(), validity)?;
    end_entity(&mut params, ExtendedKeyUsagePurpose::ClientAuth);
    for urn in [format!("{DEVICE_URN}{device}"), format!("{MODEL_URN}{model}")] {
        // INVARIANT: identifiers are ASCII.
        let uri = urn.try_into().map_err(|error| PkiError::crypto_from("writing a name", error))?;
        params.subject_alt_names.push(SanType::URI(uri));
    }
    Ok((params, serial))
}

fn end_entity(params: &mut CertificateParams, usage: ExtendedKeyUsagePurpose) {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
}

fn base(common_name: &str, validity: Validity) -> Result<(CertificateParams, Serial), PkiError> {
    if validity.from >= validity.until || validity.until > LAST_SECOND {
        return Err(PkiError::Validity);
    }
    let (serial, bytes) = random_serial()?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = epoch + Duration::from_secs(validity.from);
    params.not_after = epoch + Duration::from_secs(validity.until);
    params.serial_number = Some(SerialNumber::from_slice(&bytes));
    params.use_authority_key_identifier_extension = true;
    Ok((params, serial))
}

/// 128 random bits, of which the first eight are not all zero, so that every number has the same length.
fn random_serial() -> Result<(Serial, [u8; 16]), PkiError> {
    let mut bytes = [0; 16];
    while bytes.first() == Some(&0) {
        random(&mut bytes, "drawing a serial number")?;
    }
    let serial = Serial::from_bytes(&bytes).ok_or(PkiError::crypto("drawing a serial number"))?;
    Ok((serial, bytes))
}
