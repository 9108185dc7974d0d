//! The certificate authority of one installation: root, issuing CA and server certificate, made at the first start and kept sealed.
//!
//! For: issuing device certificates and keeping the server's own one fresh. Not for: deciding which device may have one
//! ([`crate::est::Enrolment`]) or who may connect ([`crate::tls`]).
//!
//! What always holds: the root's private key is in memory only while an issuing CA is being made; profiles are forced here, nothing from a
//! request but its key gets through; device certificates end before their issuer does.

mod bundle;
mod make;
mod profile;

use crate::csr::Csr;
use crate::error::PkiError;
use crate::keys::EcKey;
use crate::leaf::{Serial, sha256};
use crate::limits::{BACKDATE_SECS, DEVICE_LIFE_SECS, SERVER_RENEW_RETRY_SECS};
use crate::{disk, hex, unix};
use arc_swap::ArcSwap;
use bundle::Role;
use make::Server;
use obhut_model::{DeviceId, ModelId};
use obhut_vault::KeyProvider;
use parking_lot::Mutex;
pub use profile::ServerNames;
use profile::Validity;
use rcgen::Issuer;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::path::PathBuf;
use std::sync::Arc;

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
        let root = make::root(&dir, &provider, now)?;
        let issuing = make::issuing(&dir, &provider, &root, now)?;
        let issuer = issuing.issuer()?;
        let server = make::server(&dir, &provider, &names, &issuing, &issuer, now)?;
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
        let until = now.saturating_add(DEVICE_LIFE_SECS).min(self.issuing_ends.as_secs());
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
        let leaf = make::sign(&params, key, &self.issuer)?;
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
            match make::make_server(&self.dir, &self.provider, &self.names, &self.issuing_pair(), &self.issuer, now) {
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

    /// Seals the private keys of root, issuing CA and server anew, when the top key is replaced: call while the provider opens both old and new.
    ///
    /// # Errors
    /// [`PkiError`]; what was not reached is still sealed under the old one, and calling again is harmless.
    pub fn rewrap(&self) -> Result<(), PkiError> {
        // Nobody renews meanwhile, so that no newer certificate is written over.
        let _no_renewal = self.renewal.lock();
        for role in [Role::Root, Role::Issuing, Role::Server] {
            if let Some(found) = bundle::Bundle::read(role, &self.dir, &self.provider)? {
                let pkcs8 = found.pkcs8()?;
                bundle::Bundle::write(role, &self.dir, &self.provider, found.certificate, &pkcs8)?;
            }
        }
        Ok(())
    }

    fn issuing_pair(&self) -> (CertificateDer<'static>, UnixTime) {
        (self.issuing.clone(), self.issuing_ends)
    }
}
