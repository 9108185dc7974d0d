//! The state directory: who this device is, its key and certificate, the root it trusts, the buffer's key. Everything is readable by its owner alone
//! and replaced atomically.
//!
//! The private key lies in a file today; a TPM would hold it in its place, behind the same two calls.

use crate::buffer::BufferKey;
use crate::disk::write_atomically;
use obhut_model::DeviceId;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A file could not be read or written.
    #[error("`{file}` in the state directory cannot be used")]
    Io {
        /// Which.
        file: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("`{file}` in the state directory is damaged: {why}")]
    Damaged {
        /// Which.
        file: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// No identity: the device was never enrolled here.
    #[error("this device is not enrolled; run `obhut-agent enrol` first")]
    NotEnrolled,
    /// Another process has it.
    #[error("another agent is using the state directory")]
    InUse,
    /// The operating system has no randomness.
    #[error("no random bytes can be had")]
    Random,
}

/// What is known about this device besides its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFile {
    device: String,
    serial: String,
    enrolment_host: String,
    enrolment_port: u16,
}

/// Who the device is and where it renews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name, as in its certificate.
    pub id: DeviceId,
    /// The maker's serial number.
    pub serial: String,
    /// Host of the enrolment server.
    pub enrolment_host: String,
    /// Port of the enrolment server.
    pub enrolment_port: u16,
}

/// A key with its certificate chain, leaf first, without the root.
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, PKCS#8.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From a PEM file holding certificates and one private key.
    #[must_use]
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
        let key = PrivateKeyDer::from_pem_slice(pem).ok()?;
        (!chain.is_empty()).then_some(Self { chain, key })
    }

    /// First and last second of the leaf's validity, as seconds since 1970, and its serial number in hexadecimal.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        let (_, leaf) = x509_parser::parse_x509_certificate(self.chain.first()?).ok()?;
        let validity = leaf.validity();
        Some(Validity {
            from: validity.not_before.timestamp(),
            to: validity.not_after.timestamp(),
            serial: format!("{:x}", leaf.serial),
        })
    }
}

/// When a certificate is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// First second, since 1970.
    pub from: i64,
    /// Last second, since 1970.
    pub to: i64,
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

const DEVICE: &str = "device.json";
const ROOT: &str = "root.pem";
const IDENTITY: &str = "identity.pem";
const BUFFER_KEY: &str = "buffer.key";
const LOCK: &str = "lock";

/// A state directory.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// Held while an agent uses the directory; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holds the lock until dropped")] File);

impl StateDir {
    /// Uses `path`, making it if need be.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        use std::os::unix::fs::DirBuilderExt;
        let path = path.into();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| StateError::Io { file: ".", source })?;
        Ok(Self { path })
    }

    /// Where the buffer lies.
    #[must_use]
    pub fn buffer_path(&self) -> PathBuf {
        self.path.join("buffer")
    }

    /// Takes the directory for this process.
    ///
    /// # Errors
    /// [`StateError::InUse`] if another has it.
    pub fn lock(&self) -> Result<Lock, StateError> {
        let file = File::options().create(true).truncate(false).write(true).open(self.file(LOCK));
        let file = file.map_err(|source| StateError::Io { file: LOCK, source })?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StateError::InUse)?;
        Ok(Lock(file))
    }

    /// Whether the device has been enrolled here.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.file(IDENTITY).exists()
    }

    /// Who the device is.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn device(&self) -> Result<Device, StateError> {
        let bytes = self.read(DEVICE)?;
        let file: DeviceFile = serde_json::from_slice(&bytes)
            .map_err(|_| StateError::Damaged { file: DEVICE, why: "not the JSON that belongs there" })?;
        let id = DeviceId::new(&file.device)
            .map_err(|_| StateError::Damaged { file: DEVICE, why: "the device id is malformed" })?;
        Ok(Device { id, serial: file.serial, enrolment_host: file.enrolment_host, enrolment_port: file.enrolment_port })
    }

    /// The one root certificate this device trusts.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn root(&self) -> Result<CertificateDer<'static>, StateError> {
        CertificateDer::from_pem_slice(&self.read(ROOT)?)
            .map_err(|_| StateError::Damaged { file: ROOT, why: "not a certificate" })
    }

    /// Key and certificate.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn identity(&self) -> Result<Identity, StateError> {
        let pem = Zeroizing::new(self.read(IDENTITY)?);
        Identity::from_pem(&pem).ok_or(StateError::Damaged { file: IDENTITY, why: "not certificates and a key" })
    }

    /// Keeps who the device is and whom it trusts; then the identity. The identity comes last, so that a crash in between leaves a device that is not enrolled.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn enrol(&self, device: &Device, root: &CertificateDer<'_>, identity_pem: &[u8]) -> Result<(), StateError> {
        let file = DeviceFile {
            device: device.id.as_str().to_owned(),
            serial: device.serial.clone(),
            enrolment_host: device.enrolment_host.clone(),
            enrolment_port: device.enrolment_port,
        };
        let json =
            serde_json::to_vec_pretty(&file).map_err(|error| StateError::Io { file: DEVICE, source: error.into() })?;
        self.write(DEVICE, &json)?;
        self.write(ROOT, certificate_pem(root).as_bytes())?;
        self.renew(identity_pem)
    }

    /// Replaces key and certificate.
    ///
    /// # Errors
    /// [`StateError::Io`]; the old ones stay.
    pub fn renew(&self, identity_pem: &[u8]) -> Result<(), StateError> {
        self.write(IDENTITY, identity_pem)
    }

    /// The buffer's key, drawn at the first call.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn buffer_key(&self) -> Result<BufferKey, StateError> {
        if !self.file(BUFFER_KEY).exists() {
            let fresh = BufferKey::draw().ok_or(StateError::Random)?;
            self.write(BUFFER_KEY, fresh.as_slice())?;
        }
        let bytes = Zeroizing::new(self.read(BUFFER_KEY)?);
        BufferKey::new(&bytes).ok_or(StateError::Damaged { file: BUFFER_KEY, why: "not 32 bytes" })
    }

    /// Bytes the buffer takes on disk; without opening it.
    #[must_use]
    pub fn buffer_bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(self.buffer_path()) else { return 0 };
        let frames = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("frames-"));
        frames.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn read(&self, file: &'static str) -> Result<Vec<u8>, StateError> {
        match fs::read(self.file(file)) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StateError::NotEnrolled),
            Err(source) => Err(StateError::Io { file, source }),
        }
    }

    fn write(&self, file: &'static str, bytes: &[u8]) -> Result<(), StateError> {
        write_atomically(&self.file(file), bytes).map_err(|source| StateError::Io { file, source })
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A certificate as PEM text.
#[must_use]
pub fn certificate_pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}
