//! The server's configuration: one TOML file, unknown keys refused, checked into the type the program uses.
//!
//! The charter is *not* here: what is allowed stands there, and this file only says where things are on this machine.

use crate::cli::Place;
use anyhow::{Context, Result, bail};
use obhut_pki::ProviderSpec;
use obhut_pki::provider::Create;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where a configuration is looked for when none is named.
const SYSTEM_CONFIG: &str = "/etc/obhut/obhut.toml";
/// Its name inside a data directory.
pub const LOCAL_CONFIG: &str = "obhut.toml";
/// Data directory when none is named.
pub const DEFAULT_DATA: &str = "demo-data";

/// The file as written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Charter in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charter: Option<PathBuf>,
    /// Names and addresses the server is reached by.
    pub names: Vec<String>,
    /// Addresses.
    pub listen: Listen,
    /// Top key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Logging.
    pub log: Log,
}

/// Addresses listened on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Pages, enrolment, streams.
    pub https: SocketAddr,
    /// Devices.
    pub gateway: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        // Loopback until somebody writes down that the network may reach it.
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self { https: local(8443), gateway: local(8883) }
    }
}

/// Who holds the top key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "provider", rename_all = "lowercase")]
pub enum Key {
    /// A file only the server may read.
    File {
        /// Where.
        path: PathBuf,
    },
    /// A systemd credential.
    Systemd {
        /// Its name.
        credential: String,
    },
    /// A token behind PKCS#11.
    Pkcs11 {
        /// The module.
        module: PathBuf,
        /// Token label.
        token: String,
        /// Key label.
        key: String,
        /// File with the PIN.
        pin_file: PathBuf,
        /// Whether to make the key in the token if it is not there; for the first start.
        #[serde(default)]
        create: bool,
    },
}

/// Logging.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Lines as JSON.
    pub json: bool,
}

/// The configuration as the program uses it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data directory.
    pub data: PathBuf,
    /// Charter in force; `None` for tools that run without one being named.
    pub charter: Option<PathBuf>,
    /// Names for the server's certificate; never empty.
    pub names: Vec<String>,
    /// Addresses.
    pub listen: Listen,
    /// Top key.
    pub key: ProviderSpec,
    /// Lines as JSON.
    pub log_json: bool,
    /// The file it came from, for messages.
    pub source: Option<PathBuf>,
}

impl Config {
    /// Finds and reads the configuration for `place`.
    ///
    /// # Errors
    /// If a named file cannot be read, or any file is not understood.
    pub fn find(place: &Place) -> Result<Self> {
        let local = place.data.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA)).join(LOCAL_CONFIG);
        let candidates = [local, PathBuf::from(SYSTEM_CONFIG)];
        let source = match &place.config {
            Some(named) => Some(named.clone()),
            None => candidates.into_iter().take(if place.data.is_some() { 1 } else { 2 }).find(|path| path.is_file()),
        };
        let file = match &source {
            Some(path) => Self::read(path)?,
            None => File::default(),
        };
        Self::build(file, place, source)
    }

    fn read(path: &Path) -> Result<File> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("the configuration `{}` is not understood", path.display()))
    }

    fn build(file: File, place: &Place, source: Option<PathBuf>) -> Result<Self> {
        let data = place.data.clone().or(file.data).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        let names =
            if file.names.is_empty() { vec!["localhost".to_owned(), "127.0.0.1".to_owned()] } else { file.names };
        if names.iter().any(|name| name.trim().is_empty()) {
            bail!("`names` holds an empty name; give the names and addresses the server is reached by");
        }
        let key = match file.key {
            Some(Key::File { path }) => ProviderSpec::File { path, create: Create::Never },
            Some(Key::Systemd { credential }) => ProviderSpec::SystemdCredential { name: credential },
            Some(Key::Pkcs11 { module, token, key, pin_file, create }) => ProviderSpec::Pkcs11 {
                module,
                token_label: token,
                key_label: key,
                pin_file,
                create: if create { Create::IfMissing } else { Create::Never },
            },
            // Without a word about keys, one is made beside the data; `doctor` says that it should lie elsewhere.
            None => ProviderSpec::File { path: data.join("top.key"), create: Create::IfMissing },
        };
        Ok(Self { data, charter: file.charter, names, listen: file.listen, key, log_json: file.log.json, source })
    }

    /// The administration socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.data.join("admin.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<File>("dta = \"x\"").is_err());
        assert!(toml::from_str::<File>("[listen]\nhttp = \"0.0.0.0:80\"").is_err());
    }

    #[test]
    fn what_is_not_said_is_loopback() {
        let config = Config::build(File::default(), &Place::default(), None).unwrap();
        assert!(config.listen.https.ip().is_loopback() && config.listen.gateway.ip().is_loopback());
    }

    #[test]
    fn the_sample_is_understood() {
        let sample = include_str!("../../../packaging/obhut.toml");
        let file: File = toml::from_str(sample).unwrap();
        assert!(Config::build(file, &Place::default(), None).is_ok());
    }
}
