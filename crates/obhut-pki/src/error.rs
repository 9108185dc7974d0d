//! What can go wrong with keys and certificates at rest, said so that a person can mend it.

use crate::csr::CsrError;
use obhut_vault::ProviderError;
use std::path::PathBuf;

/// Why the PKI could not do what was asked. Texts hold no key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A file or directory could not be read or written.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried, for example `read`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A secret can be read by others than its owner.
    #[error("`{}` has mode {mode:04o}, so others can reach it; run `chmod {want} {}`", path.display(), path.display())]
    Permissions {
        /// Which file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What to set, for `chmod`.
        want: &'static str,
    },
    /// A key file does not hold what it should.
    #[error("`{}` {why}", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong and how to mend it.
        why: String,
    },
    /// There is no such systemd credential.
    #[error(
        "there is no systemd credential `{name}`: {why}; add `LoadCredentialEncrypted={name}:…` to the unit, made with `head -c 32 /dev/urandom | systemd-creds encrypt --name={name} - FILE`"
    )]
    Credential {
        /// Its name.
        name: String,
        /// What is missing.
        why: &'static str,
    },
    /// The key provider cannot serve.
    #[error("the key provider cannot serve")]
    Provider(#[source] ProviderError),
    /// A file of the authority was sealed by another provider, or its certificate or key was exchanged.
    #[error(
        "the private key in `{}` was sealed under another key than that of {provider}, or the file was changed; start with the key provider it was made with, or restore the file from a backup",
        path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// The provider in use, as it describes itself.
        provider: String,
    },
    /// A file of the authority is not readable as what it should be.
    #[error(
        "`{}` is damaged: {why}; restore it from a backup, or move the whole directory away to begin anew (every device must then enrol again)",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The root is gone while what hangs from it is there.
    #[error(
        "`{}` is missing, but `{}` is there; restore it from a backup, or move the whole directory away to begin anew (every device must then enrol again)",
        path.display(), beside.display()
    )]
    Missing {
        /// The file that is not there.
        path: PathBuf,
        /// The file that needs it.
        beside: PathBuf,
    },
    /// A certificate of the authority has ended.
    #[error("the certificate in `{}` has ended; {mend}", path.display())]
    Ended {
        /// Which file.
        path: PathBuf,
        /// What to do.
        mend: &'static str,
    },
    /// A name or address for the server certificate is not one.
    #[error("`{0}` is not a DNS name or IP address a server certificate can carry")]
    ServerName(String),
    /// No name at all was given for the server certificate.
    #[error("the server certificate needs at least one DNS name or IP address")]
    NoServerName,
    /// A certificate request was refused.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A certificate is not one of a device of ours.
    #[error("the certificate is not that of a device: {0}")]
    NotADevice(&'static str),
    /// The asked-for validity cannot be written into a certificate.
    #[error("the validity asked for is empty or outside what a certificate can say")]
    Validity,
    /// The cryptographic library refused; nothing the caller gave can cause this.
    #[error("{what} failed")]
    Crypto {
        /// Which step.
        what: &'static str,
        /// What the library said, if it said anything.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The PKCS#11 token could not be used.
    #[error("PKCS#11 token `{token}`: {what}")]
    Token {
        /// Label of the token.
        token: String,
        /// What went wrong and how to mend it.
        what: String,
    },
}

impl PkiError {
    pub(crate) fn io(what: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn crypto(what: &'static str) -> Self {
        Self::Crypto { what, source: None }
    }

    pub(crate) fn crypto_from(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Crypto { what, source: Some(Box::new(source)) }
    }
}
