//! Making root, issuing CA and server certificate, and loading them with every check that files from a disk deserve.

use super::bundle::{Bundle, Role};
use super::profile::{self, ServerNames, Validity};
use crate::error::PkiError;
use crate::keys::{EcKey, Signed, check_signature, p256_point};
use crate::leaf::validity;
use crate::limits::{ISSUING_LIFE_SECS, ISSUING_RENEW_SECS, ROOT_LIFE_SECS, SERVER_LIFE_SECS};
use crate::unix;
use obhut_vault::KeyProvider;
use rcgen::Issuer;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use std::path::Path;
use std::sync::Arc;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// The server certificate in force.
pub(super) struct Server {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) renew_from: UnixTime,
    pub(super) ends: UnixTime,
}

/// A certificate authority of ours, loaded and checked.
pub(super) struct Ca {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) ends: UnixTime,
    bundle: Bundle,
}

impl Ca {
    fn load(bundle: Bundle) -> Result<Self, PkiError> {
        let damaged = |why| bundle.damaged(why);
        let parsed = parse(&bundle.certificate).ok_or_else(|| damaged("its certificate is not X.509 in DER"))?;
        if !parsed.is_ca() {
            return Err(damaged("its certificate is not that of a CA"));
        }
        let (_, ends) = validity(&parsed).ok_or_else(|| damaged("its certificate lies before 1970"))?;
        Ok(Self { certificate: bundle.certificate.clone(), ends, bundle })
    }

    /// Unseals the private key. Drop the result as soon as the signing is done.
    pub(super) fn issuer(&self) -> Result<Issuer<'static, EcKey>, PkiError> {
        let key = self.bundle.key()?;
        Issuer::from_ca_cert_der(&self.certificate, key)
            .map_err(|_| self.bundle.damaged("its certificate cannot be used for issuing"))
    }
}

pub(super) fn root(dir: &Path, provider: &Arc<dyn KeyProvider>, now: UnixTime) -> Result<Ca, PkiError> {
    let path = Role::Root.path(dir);
    if let Some(bundle) = Bundle::read(Role::Root, dir, provider)? {
        let root = Ca::load(bundle)?;
        if !signed_by(&root.certificate, &root.certificate) {
            return Err(root.bundle.damaged("its certificate is not signed by itself"));
        }
        if root.ends <= now {
            let mend = "check the clock; if it is right, move the whole directory away to begin anew (every device must then enrol again)";
            return Err(PkiError::Ended { path, mend });
        }
        return Ok(root);
    }
    for beside in [Role::Issuing, Role::Server] {
        let beside = beside.path(dir);
        if beside.exists() {
            return Err(PkiError::Missing { path, beside });
        }
    }
    let (key, pkcs8) = EcKey::generate()?;
    let params = profile::ca("Obhut Root CA", Validity::begin_early(now, ROOT_LIFE_SECS), 1)?;
    let certificate =
        params.self_signed(&key).map_err(|error| PkiError::crypto_from("signing the root certificate", error))?;
    tracing::info!(path = %path.display(), "made a new root certificate");
    Ca::load(Bundle::write(Role::Root, dir, provider, certificate.der().clone(), &pkcs8)?)
}

pub(super) fn issuing(dir: &Path, provider: &Arc<dyn KeyProvider>, root: &Ca, now: UnixTime) -> Result<Ca, PkiError> {
    if let Some(bundle) = Bundle::read(Role::Issuing, dir, provider)? {
        let issuing = Ca::load(bundle)?;
        if !signed_by(&issuing.certificate, &root.certificate) {
            return Err(issuing.bundle.damaged("its certificate is not signed by the root beside it"));
        }
        if issuing.ends.as_secs() > now.as_secs().saturating_add(ISSUING_RENEW_SECS) {
            return Ok(issuing);
        }
        tracing::info!("the issuing CA has less than a year left; making a new one");
    }
    let (key, pkcs8) = EcKey::generate()?;
    let mut span = Validity::begin_early(now, ISSUING_LIFE_SECS);
    span.until = span.until.min(root.ends.as_secs());
    let certificate = sign(&profile::ca("Obhut Issuing CA", span, 0)?, &key, &root.issuer()?)?;
    Ca::load(Bundle::write(Role::Issuing, dir, provider, certificate, &pkcs8)?)
}

pub(super) fn server(
    dir: &Path,
    provider: &Arc<dyn KeyProvider>,
    names: &ServerNames,
    issuing: &Ca,
    issuer: &Issuer<'static, EcKey>,
    now: UnixTime,
) -> Result<Server, PkiError> {
    if let Some(bundle) = Bundle::read(Role::Server, dir, provider)? {
        let parsed = parse(&bundle.certificate).ok_or_else(|| bundle.damaged("its certificate is not X.509 in DER"))?;
        let (from, ends) = validity(&parsed).ok_or_else(|| bundle.damaged("its certificate lies before 1970"))?;
        let renew_from = half_way(from, ends);
        let current = names.are_in(&parsed) && signed_by(&bundle.certificate, &issuing.certificate);
        if current && now < renew_from {
            let certified = certified(&bundle.certificate, &issuing.certificate, &bundle.pkcs8()?)?;
            return Ok(Server { certified, renew_from, ends });
        }
    }
    make_server(dir, provider, names, &(issuing.certificate.clone(), issuing.ends), issuer, now)
}

pub(super) fn make_server(
    dir: &Path,
    provider: &Arc<dyn KeyProvider>,
    names: &ServerNames,
    (issuing, issuing_ends): &(CertificateDer<'static>, UnixTime),
    issuer: &Issuer<'static, EcKey>,
    now: UnixTime,
) -> Result<Server, PkiError> {
    let (key, pkcs8) = EcKey::generate()?;
    let mut span = Validity::begin_early(now, SERVER_LIFE_SECS);
    span.until = span.until.min(issuing_ends.as_secs());
    let certificate = sign(&profile::server(names, span)?, &key, issuer)?;
    let certified = certified(&certificate, issuing, &pkcs8)?;
    Bundle::write(Role::Server, dir, provider, certificate, &pkcs8)?;
    let (from, ends) = (unix(span.from), unix(span.until));
    Ok(Server { certified, renew_from: half_way(from, ends), ends })
}

fn half_way(from: UnixTime, ends: UnixTime) -> UnixTime {
    unix(from.as_secs() + ends.as_secs().saturating_sub(from.as_secs()) / 2)
}

fn certified(
    leaf: &CertificateDer<'static>,
    issuing: &CertificateDer<'static>,
    pkcs8: &[u8],
) -> Result<Arc<CertifiedKey>, PkiError> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key)
        .map_err(|error| PkiError::crypto_from("loading the server's private key", error))?;
    Ok(Arc::new(CertifiedKey::new(vec![leaf.clone(), issuing.clone()], key)))
}

pub(super) fn sign(
    params: &rcgen::CertificateParams,
    key: &impl rcgen::PublicKeyData,
    issuer: &Issuer<'_, EcKey>,
) -> Result<CertificateDer<'static>, PkiError> {
    let certificate =
        params.signed_by(key, issuer).map_err(|error| PkiError::crypto_from("signing a certificate", error))?;
    Ok(certificate.into())
}

pub(super) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    rest.is_empty().then_some(parsed)
}

/// Whether the P-256 key in `by` signed `certificate`.
fn signed_by(certificate: &CertificateDer<'_>, by: &CertificateDer<'_>) -> bool {
    let (Some(certificate), Some(by)) = (parse(certificate), parse(by)) else { return false };
    let Some(point) = p256_point(by.public_key()) else { return false };
    let (message, signature) = (certificate.tbs_certificate.as_ref(), &certificate.signature_value.data);
    certificate.issuer() == by.subject()
        && check_signature(point, &certificate.signature_algorithm, message, signature) == Signed::Good
}
