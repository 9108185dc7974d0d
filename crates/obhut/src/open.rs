//! Joins the rooms of the house: keys, store, authority, charter, state. Used by the server, the demo and the tools alike.

use crate::charter;
use crate::clock::WardClock;
use crate::config::Config;
use crate::keys::{KeyRing, LEDGER_KEYS};
use anyhow::{Context, Result, bail};
use obhut_access::AccessRules;
use obhut_charter::Checked;
use obhut_http::{AppState, CharterInForce, CharterSource, Parts, StoreRegister};
use obhut_pki::est::Enrolment;
use obhut_pki::provider::Create;
use obhut_pki::{Authority, ProviderSpec, RefusalCounters, Revocations, ServerNames};
use obhut_register::Register;
use obhut_scribe::{LedgerKeys, Scribe};
use obhut_signin::{SessionRules, SignIn};
use obhut_store::{EmbeddedStore, Readings as _, Records};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The charter in force is kept here, so that a server with a broken charter file still starts under the old one.
pub const LAST_CHARTER: &str = "charter-in-force.toml";

/// How an installation is opened.
#[derive(Debug, Default)]
pub struct Options {
    /// Ward seconds in a real second; zero means one.
    pub speed: f64,
    /// A charter that is built into the program, by name and text, where none is named by path.
    pub built_in: Option<(&'static str, &'static str)>,
    /// How many of the charter's beds are in use, the first ones; all if `None`. A demonstration runs part of a ward.
    pub beds: Option<usize>,
    /// Words after the ward's name on every page, so that nobody takes a demonstration for a ward.
    pub note: Option<&'static str>,
    /// Whether this is a tool that must not create an installation.
    pub existing_only: bool,
}

impl Options {
    /// For the operator's tools.
    #[must_use]
    pub fn for_tools() -> Self {
        Self { existing_only: true, ..Self::default() }
    }
}

/// An opened installation.
pub struct Opened {
    /// What the routers share.
    pub state: Arc<AppState>,
    /// The store, to be closed at the end.
    pub store: Arc<EmbeddedStore>,
}

/// Opens the installation of `config` for tools.
///
/// # Errors
/// Whatever stands in the way, with what to do about it.
pub async fn open(config: &Config, options: &Options) -> Result<Arc<AppState>> {
    open_all(config, options).await.map(|opened| opened.state)
}

/// Opens the installation of `config`. Runs on a thread of its own: recovery may read much.
///
/// # Errors
/// Whatever stands in the way, with what to do about it.
pub async fn open_all(config: &Config, options: &Options) -> Result<Opened> {
    let (config, speed) = (config.clone(), if options.speed > 0.0 { options.speed } else { 1.0 });
    let source = Source { config: config.clone(), built_in: options.built_in, beds: options.beds, note: options.note };
    let existing_only = options.existing_only;
    tokio::task::spawn_blocking(move || open_now(&config, speed, source, existing_only))
        .await
        .context("opening broke off")?
}

fn open_now(config: &Config, speed: f64, source: Source, existing_only: bool) -> Result<Opened> {
    let store_dir = config.data.join("store");
    if existing_only && !store_dir.is_dir() {
        bail!("`{}` holds no installation", config.data.display());
    }
    make_private(&config.data)?;
    // The charter first: nothing is made on disk for one that cannot rule.
    let (charter, to_keep) = source.first()?;
    let key = top_key(&config.key, store_dir.is_dir());
    let top = crate::keys::open_top(&key)?;
    let provider: Arc<dyn obhut_vault::KeyProvider> = top.clone();
    let store = EmbeddedStore::open(&store_dir, provider.clone(), obhut_store::Options::default())
        .context("the store cannot be opened")?;
    let store = Arc::new(store);
    // Only now: another server may hold the directory, and what that one would start under again is not ours to change. Nor is it a tool's.
    let charter_refused = to_keep.is_none();
    if let Some(text) = to_keep.filter(|_| !existing_only) {
        keep(&source.kept(), &text)?;
    }
    let names = ServerNames::new(&config.names).context("the server's names are not usable")?;
    let now = obhut_http::state::unix(obhut_http::state::real_now());
    let authority = Authority::open_or_create(config.data.join("pki"), provider.clone(), names, now)
        .context("the certificate authority cannot be opened")?;
    let authority = Arc::new(authority);
    let revocations = Arc::new(Revocations::new());
    let records: Arc<dyn Records> = store.clone();
    let scribe = ledger(config, &*provider)?;
    let register = Register::open(store.clone()).context("the register of people and cases cannot be opened")?;
    let access = charter.checked.access();
    let sessions = SessionRules::new(
        Duration::from_secs(access.session_max.seconds()),
        Duration::from_secs(access.idle_lock.seconds()),
    );
    let signin = SignIn::new(config.oidc()?, sessions);
    let enrolment =
        Arc::new(Enrolment::new(authority.clone(), Arc::new(StoreRegister(records.clone())), revocations.clone()));
    // Only a demonstration runs at another speed, and only there may stored times lie ahead of the machine's clock.
    let not_before = if source.built_in.is_some() { newest_reading(&store)? } else { 0 };
    let clock = WardClock::at_speed(speed, not_before);
    let state = AppState::new(Parts {
        clock: Arc::new(clock),
        speed,
        charter,
        charter_source: source.again(),
        charter_refused,
        public_name: config.names.first().cloned().unwrap_or_else(|| "localhost".to_owned()),
        records,
        readings: store.clone(),
        alarm_home: store.clone(),
        authority,
        revocations,
        enrolment,
        https_refusals: Arc::new(RefusalCounters::new()),
        scribe,
        register: Arc::new(register),
        signin,
    })?;
    let ring = KeyRing {
        top,
        spec: key,
        store: store.clone(),
        authority: state.authority.clone(),
        ledger: config.data.join(LEDGER_KEYS),
        retention: config.data.join(obhut_retention::DIRECTORY),
        turning: std::sync::Mutex::new(()),
    };
    ring.finish_pending().context("an interrupted replacement of the top key cannot be ended")?;
    let _ = state.keys.set(Arc::new(ring));
    crate::retention::join(config, &*provider, &state, &store)?;
    Ok(Opened { state, store })
}

/// The ledger: its keys, its log, its spool. One that cannot be written is opened all the same and says that it is down.
fn ledger(config: &Config, provider: &dyn obhut_vault::KeyProvider) -> Result<Arc<Scribe>> {
    let origin = format!("{}/ledger", config.names.first().map_or("localhost", String::as_str));
    let keys = LedgerKeys::open_or_create(&config.data.join(crate::keys::LEDGER_KEYS), &origin, provider)
        .context("the ledger's keys cannot be opened")?;
    let witness = |witness: &crate::config::Witness| obhut_scribe::WitnessConfig {
        url: witness.url.clone(),
        key: witness.key.clone(),
        ca: witness.ca_file.clone(),
    };
    let options = obhut_scribe::Options {
        witnesses: config.witnesses.iter().map(witness).collect(),
        ..obhut_scribe::Options::in_data(&config.data)
    };
    Scribe::open(options, keys).context("the ledger cannot be opened")
}

/// The top key as it may be opened: a new one is made only for a new installation; for an old one it would hide that the right one is missing.
pub fn top_key(key: &ProviderSpec, installed: bool) -> ProviderSpec {
    let mut key = key.clone();
    if let (ProviderSpec::File { create, .. } | ProviderSpec::Pkcs11 { create, .. }, true) = (&mut key, installed) {
        *create = Create::Never;
    }
    key
}

/// When the newest stored reading was taken; zero if there is none.
fn newest_reading(store: &EmbeddedStore) -> Result<i64> {
    let mut newest = 0;
    for subject in store.subjects()? {
        newest = store.codes(subject)?.iter().map(|(_, _, last)| last.micros()).fold(newest, i64::max);
    }
    Ok(newest)
}

/// Makes `dir` for this account only, or checks that it is.
fn make_private(dir: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(dir) {
        Ok(found) if found.mode() & 0o077 != 0 => {
            bail!("the data directory `{}` can be opened by others; chmod 700 it", dir.display())
        }
        Ok(_) => Ok(()),
        Err(_) => std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("cannot make the data directory `{}`", dir.display())),
    }
}

/// Where the charter comes from.
struct Source {
    config: Config,
    built_in: Option<(&'static str, &'static str)>,
    beds: Option<usize>,
    note: Option<&'static str>,
}

impl Source {
    fn in_force(&self, name: &str, checked: Checked) -> Result<CharterInForce> {
        let rules = Arc::new(checked.compile());
        let access = Arc::new(AccessRules::compile(&checked).context("the charter's rules for people cannot be made")?);
        let name =
            Path::new(name).file_name().map_or_else(|| name.to_owned(), |file| file.to_string_lossy().into_owned());
        let beds = checked.beds().iter().take(self.beds.unwrap_or(usize::MAX));
        Ok(CharterInForce {
            name,
            ward: (
                checked.ward().id.to_string(),
                self.note.map_or_else(
                    || checked.ward().name.to_string(),
                    |note| format!("{} · {note}", *checked.ward().name),
                ),
            ),
            beds: beds.map(|bed| ((*bed.id).clone(), bed.label.to_string())).collect(),
            checked,
            rules,
            access,
        })
    }

    fn kept(&self) -> PathBuf {
        self.config.data.join(LAST_CHARTER)
    }

    /// The configuration's file, else the program's own, else the one kept from before.
    fn read(&self) -> Result<(String, String)> {
        match (&self.config.charter, self.built_in) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the charter `{}`", path.display()))?;
                Ok((path.display().to_string(), text))
            }
            (None, Some((name, text))) => Ok((name.to_owned(), text.to_owned())),
            (None, None) => {
                let kept = self.kept();
                let text = std::fs::read_to_string(&kept)
                    .context("no charter is named; give `--charter FILE` or set `charter` in the configuration")?;
                Ok((kept.display().to_string(), text))
            }
        }
    }

    fn load(&self) -> Result<(CharterInForce, String)> {
        let (name, text) = self.read()?;
        Ok((self.in_force(&name, charter::parse(&name, &text)?)?, text))
    }

    /// The charter to start under, and its text to be kept; no text if the newest file was refused and the kept one rules.
    fn first(&self) -> Result<(CharterInForce, Option<String>)> {
        let refused = match self.load() {
            Ok((charter, text)) => return Ok((charter, Some(text))),
            Err(refused) => refused,
        };
        let Ok(text) = std::fs::read_to_string(self.kept()) else { return Err(refused) };
        let Ok(checked) = charter::parse_as_of(LAST_CHARTER, &text, kept_on(&self.kept())?) else {
            return Err(refused);
        };
        tracing::error!("the charter file was refused; the one in force before stays:\n{refused:#}");
        Ok((self.in_force(LAST_CHARTER, checked)?, None))
    }

    /// The same source, for loading again while the server runs.
    fn again(self) -> CharterSource {
        Box::new(move || {
            let load_and_keep = || {
                let (charter, text) = self.load()?;
                keep(&self.kept(), &text)?;
                anyhow::Ok(charter)
            };
            load_and_keep().map_err(|error| format!("{error:#}"))
        })
    }
}

/// The day a charter came into force here.
fn kept_on(path: &Path) -> Result<obhut_charter::Date> {
    let modified =
        std::fs::metadata(path).and_then(|found| found.modified()).context("the kept charter has no date")?;
    charter::day_of(jiff::Timestamp::try_from(modified).context("the kept charter has no date")?)
}

/// Keeps the text of the charter in force, whole or not at all.
fn keep(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let new: PathBuf = path.with_extension("new");
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, path))
        .with_context(|| format!("cannot keep the charter as `{}`", path.display()))
}
