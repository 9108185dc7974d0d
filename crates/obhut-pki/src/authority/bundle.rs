//! One file per authority role: the certificate in clear, its private key sealed.
//!
//! Format: PEM. A few lines of explanation, then a `CERTIFICATE` block, then an `OBHUT SEALED KEY` block whose content is what the key
//! provider made of the PKCS#8 bytes. The provider's context is `obhut-pki/1/`, the role, `/` and the SHA-256 of the certificate in DER, so
//! that neither files nor blocks can be exchanged. One file, so that certificate and key change together; mode 0600; replaced atomically.
//! `openssl x509 -in root.pem -text` reads the certificate as it is.

use crate::disk::{self, Guard};
use crate::error::PkiError;
use crate::keys::EcKey;
use crate::leaf::sha256;
use der::pem::{self, LineEnding};
use obhut_vault::{KeyProvider, ProviderError};
use rustls_pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const CERTIFICATE: &str = "CERTIFICATE";
const SEALED_KEY: &str = "OBHUT SEALED KEY";

/// What a file of the authority is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Root,
    Issuing,
    Server,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Server => "server",
        }
    }

    pub(super) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name()).with_extension("pem")
    }

    fn context(self, certificate: &[u8]) -> Vec<u8> {
        [b"obhut-pki/1/", self.name().as_bytes(), b"/", &sha256(certificate)].concat()
    }
}

/// A certificate with its sealed key.
pub(super) struct Bundle {
    role: Role,
    path: PathBuf,
    provider: Arc<dyn KeyProvider>,
    pub(super) certificate: CertificateDer<'static>,
    sealed: Vec<u8>,
}

impl Bundle {
    /// Reads the file of `role`; `None` if there is none. Does not unseal.
    pub(super) fn read(role: Role, dir: &Path, provider: &Arc<dyn KeyProvider>) -> Result<Option<Self>, PkiError> {
        let path = role.path(dir);
        let Some(bytes) = disk::read(&path, Guard::OwnerOnly)? else { return Ok(None) };
        let damaged = |why| PkiError::Damaged { path: path.clone(), why };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
        let certificate = block(text, CERTIFICATE).ok_or_else(|| damaged("it has no readable certificate"))?;
        let sealed = block(text, SEALED_KEY).ok_or_else(|| damaged("it has no readable sealed key"))?;
        Ok(Some(Self { role, provider: provider.clone(), certificate: certificate.into(), sealed, path }))
    }

    /// Seals `pkcs8` and writes the file, replacing what was there.
    pub(super) fn write(
        role: Role,
        dir: &Path,
        provider: &Arc<dyn KeyProvider>,
        certificate: CertificateDer<'static>,
        pkcs8: &[u8],
    ) -> Result<Self, PkiError> {
        let sealed = provider.wrap(&role.context(&certificate), pkcs8).map_err(PkiError::Provider)?;
        let key =
            pem::encode_string(SEALED_KEY, LineEnding::LF, &sealed).map_err(|_| PkiError::crypto("writing PEM"))?;
        let text = format!(
            "Obhut PKI, {}. The certificate is public; the private key is sealed under the key provider of this server\nand of no use without it. Written by the server; do not edit.\n\n{}{key}",
            role.name(),
            certificate_pem(&certificate),
        );
        let path = role.path(dir);
        disk::replace(&path, text.as_bytes())?;
        Ok(Self { role, path, provider: provider.clone(), certificate, sealed })
    }

    /// Unseals the private key and checks that it is the certificate's.
    pub(super) fn key(&self) -> Result<EcKey, PkiError> {
        let key =
            EcKey::from_pkcs8(&self.pkcs8()?).ok_or_else(|| self.damaged("its private key is not a P-256 key"))?;
        let parsed =
            super::make::parse(&self.certificate).ok_or_else(|| self.damaged("its certificate is not X.509 in DER"))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.point() {
            return Err(self.damaged("its private key is not that of its certificate"));
        }
        Ok(key)
    }

    pub(super) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, PkiError> {
        self.provider.unwrap(&self.role.context(&self.certificate), &self.sealed).map_err(|error| match error {
            ProviderError::Refused => PkiError::Foreign { path: self.path.clone(), provider: self.provider.describe() },
            other => PkiError::Provider(other),
        })
    }

    pub(super) fn damaged(&self, why: &'static str) -> PkiError {
        PkiError::Damaged { path: self.path.clone(), why }
    }
}

/// A certificate in PEM.
pub(super) fn certificate_pem(certificate: &[u8]) -> String {
    // INVARIANT: encoding fails only for lengths no certificate has.
    pem::encode_string(CERTIFICATE, LineEnding::LF, certificate).unwrap_or_default()
}

/// The bytes in the one block of this label.
fn block(text: &str, label: &str) -> Option<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let start = text.find(&begin)?;
    let block = text.get(start..)?;
    let length = block.find(&end)? + end.len();
    let (found, bytes) = pem::decode_vec(block.get(..length)?.as_bytes()).ok()?;
    (found == label && block.get(length..)?.find(&begin).is_none()).then_some(bytes)
}
