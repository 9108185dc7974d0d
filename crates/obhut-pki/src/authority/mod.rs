//! The certificate authority of one installation: root, issuing CA and server certificate, made at the first start and kept sealed.
//!
//! For: issuing device certificates and keeping the server's own one fresh. Not for: deciding which device may have one
//! ([`crate::est::Enrolment`]) or who may connect ([`crate::tls`]).
//!
//! What always holds: the root's private key is in memory only while an issuing CA is being made; profiles are forced here, nothing from a
//! request but its key gets through; device certificates end before their issuer does.

mod bundle;
mod profile;

use crate::csr::Csr;
use crate::error::PkiError;
use crate::keys::{EcKey, Signed, check_signature, p256_point};
use crate::leaf::{Serial, sha256, validity};
use crate::limits::{
    BACKDATE_SECS, DEVICE_LIFE_SECS, ISSUING_LIFE_SECS, ISSUING_RENEW_SECS, ROOT_LIFE_SECS, SERVER_LIFE_SECS,
    SERVER_RENEW_RETRY_SECS,
};
use crate::{disk, hex, unix};
use arc_swap::ArcSwap;
use bundle::{Bundle, Role};
use obhut_model::{DeviceId, ModelId};
use obhut_vault::KeyProvider;
use parking_lot::Mutex;
pub use profile::ServerNames;
use profile::Validity;
use rcgen::Issuer;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// A device certificate, fresh from the authority.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub leaf_der: CertificateDer<'static>,
    /// What the device sends after it when it connects: the issuing CA.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its serial number.
    pub serial: Serial,
    /// The same as lower-case hexadecimal, as records keep it.
    pub serial_hex: String,
    /// First instant of validity.
    pub not_before: UnixTime,
    /// Last instant of validity.
    pub not_after: UnixTime,
}

/// The certificate authority. Share it in an [`Arc`].
pub struct Authority {
    dir: PathBuf,
    provider: Arc<dyn KeyProvider>,
    names: ServerNames,
    root: CertificateDer<'static>,
    issuing: CertificateDer<'static>,
    issuing_ends: UnixTime,
    issuer: Issuer<'static, EcKey>,
    server: ArcSwap<Server>,
    /// Held by whoever renews; says when the next try is due after one that failed.
    renewal: Mutex<UnixTime>,
}

/// The server certificate in force.
struct Server {
    certified: Arc<CertifiedKey>,
    renew_from: UnixTime,
    ends: UnixTime,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority in `dir`, making whatever is not there: everything at the first start; later an issuing CA with less than a year
    /// left, and a server certificate past half its life or for other names.
    ///
    /// # Errors
    /// [`PkiError`] saying which file is damaged, missing, too open or sealed under another key, and what to do.
    pub fn open_or_create(
        dir: impl Into<PathBuf>,
        provider: Arc<dyn KeyProvider>,
        names: ServerNames,
        now: UnixTime,
    ) -> Result<Self, PkiError> {
        let dir = dir.into();
        disk::directory(&dir)?;
        let root = root(&dir, &provider, now)?;
        let issuing = issuing(&dir, &provider, &root, now)?;
        let issuer = issuing.issuer()?;
        let server = server(&dir, &provider, &names, &issuing, &issuer, now)?;
        Ok(Self {
            dir,
            provider,
            names,
            root: root.certificate,
            issuing_ends: issuing.ends,
            issuing: issuing.certificate,
            issuer,
            server: ArcSwap::from_pointee(server),
            renewal: Mutex::new(now),
        })
    }

    /// The root certificate, in PEM: what a device or a person installs to trust this server.
    #[must_use]
    pub fn root_pem(&self) -> String {
        bundle::certificate_pem(&self.root)
    }

    /// The root certificate.
    #[must_use]
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The issuing CA's certificate.
    #[must_use]
    pub fn issuing_der(&self) -> &CertificateDer<'static> {
        &self.issuing
    }

    /// Everything needed to build a chain, for EST `cacerts`: root, then issuing CA.
    #[must_use]
    pub fn chain_der(&self) -> [CertificateDer<'static>; 2] {
        [self.root.clone(), self.issuing.clone()]
    }

    /// SHA-256 of the root certificate in DER, lower-case hexadecimal: what an invitation carries so that the device can pin it.
    #[must_use]
    pub fn root_fingerprint(&self) -> String {
        hex(&sha256(&self.root))
    }

    /// Issues a certificate of 24 hours for the key in `csr_der`, which must name `device`.
    ///
    /// # Errors
    /// [`PkiError::Csr`] if the request is refused, [`PkiError::Ended`] if the issuing CA has ended.
    pub fn issue_device(
        &self,
        csr_der: &[u8],
        device: &DeviceId,
        model: &ModelId,
        now: UnixTime,
    ) -> Result<Issued, PkiError> {
        self.issue_to(&Csr::parse(csr_der)?, device, model, now)
    }

    pub(crate) fn issue_to(
        &self,
        csr: &Csr,
        device: &DeviceId,
        model: &ModelId,
        now: UnixTime,
    ) -> Result<Issued, PkiError> {
        let now = now.as_secs();
        if self.issuing_ends.as_secs() <= now {
            return Err(PkiError::Ended {
                path: Role::Issuing.path(&self.dir),
                mend: "restart the server, which makes a new one",
            });
        }
        let until = (now + DEVICE_LIFE_SECS).min(self.issuing_ends.as_secs());
        self.issue_within(csr, device, model, Validity { from: now.saturating_sub(BACKDATE_SECS), until })
    }

    /// Issues a certificate with a validity of the caller's choice, also one that is past or longer than is accepted. For tests and exercises
    /// of refusal; nothing in the running server calls it.
    ///
    /// # Errors
    /// [`PkiError::Csr`] if the request is refused, [`PkiError::Validity`] if `not_before` is not before `not_after`.
    pub fn issue_device_with_validity(
        &self,
        csr_der: &[u8],
        device: &DeviceId,
        model: &ModelId,
        not_before: UnixTime,
        not_after: UnixTime,
    ) -> Result<Issued, PkiError> {
        let validity = Validity { from: not_before.as_secs(), until: not_after.as_secs() };
        self.issue_within(&Csr::parse(csr_der)?, device, model, validity)
    }

    fn issue_within(
        &self,
        csr: &Csr,
        device: &DeviceId,
        model: &ModelId,
        validity: Validity,
    ) -> Result<Issued, PkiError> {
        let key = csr.key_for(device, model)?;
        let (params, serial) = profile::device(device, model, validity)?;
        let leaf = sign(&params, key, &self.issuer)?;
        Ok(Issued {
            leaf_der: leaf,
            chain: vec![self.issuing.clone()],
            serial,
            serial_hex: serial.to_string(),
            not_before: unix(validity.from),
            not_after: unix(validity.until),
        })
    }

    /// The server's certificate and key, renewed first when half its life is over. Cheap unless it renews; a renewal that fails is logged,
    /// tried again ten minutes later, and meanwhile the old one, good for another half of its life, serves on.
    #[must_use]
    pub fn server_certified_key(&self, now: UnixTime) -> Arc<CertifiedKey> {
        let current = self.server.load();
        if now < current.renew_from {
            return current.certified.clone();
        }
        // One handshake pays for the renewal, the others of that moment get the old certificate.
        if let Some(mut retry_from) = self.renewal.try_lock()
            && now >= *retry_from
            && now >= self.server.load().renew_from
        {
            match make_server(&self.dir, &self.provider, &self.names, &self.issuing_pair(), &self.issuer, now) {
                Ok(renewed) => self.server.store(Arc::new(renewed)),
                Err(error) => {
                    *retry_from = unix(now.as_secs().saturating_add(SERVER_RENEW_RETRY_SECS));
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot renew the server certificate");
                }
            }
        }
        self.server.load().certified.clone()
    }

    /// Last instant of the server certificate in force, for `doctor` and metrics.
    #[must_use]
    pub fn server_certificate_ends(&self) -> UnixTime {
        self.server.load().ends
    }

    /// Last instant of the issuing CA, for `doctor` and metrics. A new one is made at the first start within its last year.
    #[must_use]
    pub fn issuing_ends(&self) -> UnixTime {
        self.issuing_ends
    }

    fn issuing_pair(&self) -> (CertificateDer<'static>, UnixTime) {
        (self.issuing.clone(), self.issuing_ends)
    }
}

/// A certificate authority of ours, loaded and checked.
struct Ca {
    certificate: CertificateDer<'static>,
    ends: UnixTime,
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
    fn issuer(&self) -> Result<Issuer<'static, EcKey>, PkiError> {
        let key = self.bundle.key()?;
        Issuer::from_ca_cert_der(&self.certificate, key)
            .map_err(|_| self.bundle.damaged("its certificate cannot be used for issuing"))
    }
}

fn root(dir: &Path, provider: &Arc<dyn KeyProvider>, now: UnixTime) -> Result<Ca, PkiError> {
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

fn issuing(dir: &Path, provider: &Arc<dyn KeyProvider>, root: &Ca, now: UnixTime) -> Result<Ca, PkiError> {
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

fn server(
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

fn make_server(
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

fn sign(
    params: &rcgen::CertificateParams,
    key: &impl rcgen::PublicKeyData,
    issuer: &Issuer<'_, EcKey>,
) -> Result<CertificateDer<'static>, PkiError> {
    let certificate =
        params.signed_by(key, issuer).map_err(|error| PkiError::crypto_from("signing a certificate", error))?;
    Ok(certificate.into())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
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
