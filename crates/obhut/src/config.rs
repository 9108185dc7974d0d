//! The server's configuration: one TOML file, unknown keys refused, checked into the type the program uses.
//!
//! The charter is *not* here: what is allowed stands there, and this file only says where things are on this machine.

use crate::cli::Place;
use anyhow::{Context, Result, bail};
use obhut_pki::ProviderSpec;
use obhut_pki::provider::Create;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// How people prove who they are, beside passkeys.
    pub identity: Identity,
    /// Sites that cosign our checkpoints.
    pub witness: Vec<Witness>,
    /// Logging.
    pub log: Log,
}

/// A site that cosigns the checkpoints of our ledger, run with `obhut witness` under another administrator.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its address, `https://…`.
    pub url: String,
    /// Its public key, as it prints it at its start: `name+id+key`.
    pub key: String,
    /// Certificates (PEM) its TLS is checked against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How people prove who they are, beside passkeys, which need no word here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The hospital's provider (OpenID Connect).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
}

/// The hospital's provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its address, `https://…`.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// File with our secret there, which only the server may read; or else `client_secret_credential`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// Name of a systemd credential with our secret there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_credential: Option<String>,
    /// What the button on the sign-in page is called.
    #[serde(default = "oidc_name")]
    pub name: String,
    /// The claim that lists a person's groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Which group means which role of the charter.
    pub roles: BTreeMap<String, String>,
    /// Scopes beyond `openid` and `profile`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How many days a role that came from a group lasts without another sign-in at the provider.
    #[serde(default = "keep_days")]
    pub keep_days: u16,
    /// Certificates (PEM) its TLS is checked against; by default those of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

fn oidc_name() -> String {
    "SSO".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

const fn keep_days() -> u16 {
    14
}

impl Oidc {
    /// Reads the secret and checks everything that can be checked without asking the provider.
    ///
    /// # Errors
    /// If the secret cannot be read, or others may read it, or the settings cannot work.
    fn open(&self) -> Result<obhut_signin::Oidc> {
        let (path, credential) = match (&self.client_secret_file, &self.client_secret_credential) {
            (Some(path), None) => (path.clone(), false),
            (None, Some(name)) => {
                if name.is_empty() || name.contains(['/', '\\']) {
                    bail!("`[identity.oidc] client_secret_credential` is the name of a systemd credential, not a path");
                }
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").context(
                    "`[identity.oidc] client_secret_credential` needs systemd: add `LoadCredential=` to the unit, or use `client_secret_file`",
                )?;
                (PathBuf::from(folder).join(name), true)
            }
            _ => bail!("`[identity.oidc]` needs either `client_secret_file` or `client_secret_credential`"),
        };
        let shown = path.display();
        let meta = std::fs::metadata(&path).with_context(|| format!("the client secret `{shown}` cannot be read"))?;
        if !credential && meta.permissions().mode() & 0o077 != 0 {
            bail!("the client secret `{shown}` may be read by others; take that away: chmod 600 {shown}");
        }
        let secret =
            std::fs::read_to_string(&path).with_context(|| format!("the client secret `{shown}` cannot be read"))?;
        let options = obhut_signin::OidcOptions {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: secret.into(),
            name: self.name.clone(),
            groups_claim: self.groups_claim.clone(),
            roles: self.roles.clone(),
            scopes: self.scopes.clone(),
            keep: Duration::from_secs(u64::from(self.keep_days) * 86_400),
            ca_file: self.ca_file.clone(),
        };
        Ok(obhut_signin::Oidc::new(options)?)
    }
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
    /// How people prove who they are, beside passkeys.
    pub identity: Identity,
    /// Sites that cosign our checkpoints.
    pub witnesses: Vec<Witness>,
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
        Ok(Self {
            data,
            charter: file.charter,
            names,
            listen: file.listen,
            key,
            identity: file.identity,
            witnesses: file.witness,
            log_json: file.log.json,
            source,
        })
    }

    /// The hospital's provider, if one is named.
    ///
    /// # Errors
    /// If its secret cannot be read or its settings cannot work. The provider itself is not asked: it may be down.
    pub fn oidc(&self) -> Result<Option<obhut_signin::Oidc>> {
        self.identity.oidc.as_ref().map(Oidc::open).transpose()
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
    fn a_provider_needs_a_secret_that_nobody_else_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "very-secret-indeed\n").unwrap();
        let config = |lines: &str| {
            let text = format!(
                "[identity.oidc]\nissuer = \"https://sso.klinik.example\"\nclient_id = \"obhut\"\nroles = {{ \"grp\" = \"nurse\" }}\n{lines}"
            );
            Config::build(toml::from_str(&text).unwrap(), &Place::default(), None).unwrap()
        };
        let named = config(&format!("client_secret_file = \"{}\"", path.display()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = format!("{:#}", named.oidc().unwrap_err());
        assert!(error.contains("chmod 600") && !error.contains("very-secret"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let oidc = named.oidc().unwrap().unwrap();
        assert_eq!(oidc.name(), "SSO");
        assert!(!format!("{oidc:?}{named:?}").contains("very-secret"));
        assert!(config("").oidc().is_err());
        assert!(config("client_secret_credential = \"../etc/passwd\"").oidc().is_err());
        assert!(toml::from_str::<File>("[identity.oidc]\npassword = \"x\"").is_err());
        // A secret in the file itself would be in every backup of it.
        assert!(toml::from_str::<File>("[identity.oidc]\nclient_secret = \"x\"").is_err());
    }

    #[test]
    fn the_sample_is_understood() {
        let sample = include_str!("../../../packaging/obhut.toml");
        let file: File = toml::from_str(sample).unwrap();
        assert!(Config::build(file, &Place::default(), None).is_ok());
    }
}
