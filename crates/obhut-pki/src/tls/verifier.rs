//! The check of a client certificate during the handshake.
//!
//! On the way of every connection, so: anchors parsed once, one signature for a certificate of the current issuing CA, none for one that was
//! here before ([`Known`]). The issuing CA is itself an anchor, because its own signature by the root was checked when it was loaded; the root is one too, for
//! certificates of an earlier issuing CA, which the device sends along.

use super::ClientAuth;
use super::known::{Facts, Known};
use super::revocation::{Refusal, RefusalCounters, Revocations};
use crate::authority::Authority;
use crate::error::PkiError;
use crate::leaf::read_device;
use crate::limits::{DEVICE_LIFE_SECS_MAX, KNOWN_CERTIFICATES_MAX};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// Ours are P-256 with SHA-256 throughout; whatever else a peer shows cannot be ours.
static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[webpki::aws_lc_rs::ECDSA_P256_SHA256],
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, &[webpki::aws_lc_rs::ECDSA_P256_SHA256])],
};

/// Lets devices of ours in and counts why others are not.
#[derive(Debug)]
pub struct DeviceVerifier {
    anchors: [TrustAnchor<'static>; 2],
    hints: [DistinguishedName; 2],
    revocations: Arc<Revocations>,
    refusals: Arc<RefusalCounters>,
    client_auth: ClientAuth,
    known: Known,
}

impl DeviceVerifier {
    /// A verifier for devices of this authority.
    ///
    /// # Errors
    /// [`PkiError::Crypto`] if the authority's certificates are not usable, which would be a mistake of ours.
    pub fn new(
        authority: &Authority,
        revocations: Arc<Revocations>,
        refusals: Arc<RefusalCounters>,
        client_auth: ClientAuth,
    ) -> Result<Self, PkiError> {
        let anchor = |certificate: &CertificateDer<'static>| {
            let anchor = anchor_from_trusted_cert(certificate)
                .map_err(|error| PkiError::crypto_from("reading a trust anchor", error))?;
            Ok::<_, PkiError>((anchor.to_owned(), DistinguishedName::in_sequence(&anchor.subject)))
        };
        let (issuing, issuing_hint) = anchor(authority.issuing_der())?;
        let (root, root_hint) = anchor(authority.root_der())?;
        Ok(Self {
            anchors: [issuing, root],
            hints: [issuing_hint, root_hint],
            revocations,
            refusals,
            client_auth,
            known: Known::new(KNOWN_CERTIFICATES_MAX),
        })
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let print = Known::print(leaf);
        let facts = match self.known.get(&print) {
            Some(facts) => facts,
            None => {
                let facts = self.examine(leaf, intermediates, now)?;
                self.known.remember(print, facts, now);
                facts
            }
        };
        // SECURITY: what can change between two handshakes is asked in each, also of a certificate that is known.
        if now < facts.from || facts.until < now {
            return Err(Refusal::Expired);
        }
        if self.revocations.is_revoked(facts.serial) { Err(Refusal::Revoked) } else { Ok(()) }
    }

    /// Everything about a certificate that stays as it is.
    fn examine(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Facts, Refusal> {
        let entity = EndEntityCert::try_from(leaf).map_err(|_| Refusal::Other)?;
        entity
            .verify_for_usage(ALGORITHMS.all, &self.anchors, intermediates, now, KeyUsage::client_auth(), None, None)
            .map_err(|error| refusal_of(&error))?;
        // From here on it is one that our authority signed. That it is for clients is checked again here, because the check above, made for
        // every certificate of the chain, lets one pass that does not say what it is for.
        let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| Refusal::Other)?;
        let device = read_device(&certificate).map_err(|_| Refusal::Other)?;
        if device.not_after.as_secs().saturating_sub(device.not_before.as_secs()) > DEVICE_LIFE_SECS_MAX {
            return Err(Refusal::TooLong);
        }
        Ok(Facts::from(&device))
    }
}

fn refusal_of(error: &webpki::Error) -> Refusal {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } | E::CertNotValidYet { .. } => Refusal::Expired,
        E::UnknownIssuer
        | E::InvalidSignatureForPublicKey
        | E::RequiredEkuNotFoundContext(_)
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Refusal::WrongCa,
        _ => Refusal::Other,
    }
}

/// What the peer is told, as TLS alert only: it helps a technician at the device and says nothing an attacker does not know.
fn alert_of(refusal: Refusal) -> CertificateError {
    match refusal {
        Refusal::Expired => CertificateError::Expired,
        Refusal::WrongCa => CertificateError::UnknownIssuer,
        Refusal::Revoked => CertificateError::Revoked,
        Refusal::Missing | Refusal::TooLong => CertificateError::ApplicationVerificationFailure,
        Refusal::Other => CertificateError::BadEncoding,
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity, intermediates, now).map(|()| ClientCertVerified::assertion()).map_err(|refusal| {
            self.refusals.count(refusal);
            Error::InvalidCertificate(alert_of(refusal))
        })
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}
