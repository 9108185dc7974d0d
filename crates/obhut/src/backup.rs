//! `obhut backup …`: make, list, check and restore backups.
//!
//! Making asks the server, which goes on meanwhile; checking and restoring need none.

use crate::cli::Output;
use crate::client::Client;
use crate::config::Config;
use crate::exit::{self, Exit, Failure};
use crate::print::{self, local, rfc3339, table, text, time};
use crate::retention::rows;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use obhut_backup::{BackupError, Erasures, Head, RecoveryKey, Staged, Wanted, Watch};
use obhut_ledger::{Actor, Event, EventKind, ResourceRef};
use obhut_model::RequestId;
use obhut_pki::ProviderSpec;
use obhut_scribe::{LedgerKeys, Scribe};
use obhut_store::{EmbeddedStore, Keys as _, Records as _, Removal as _};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Make the recovery key: a file that opens every backup made from now on. The server cannot read backups; only this file can.
    #[command(
        after_help = "Example:\n  obhut backup key --to /media/safe/obhut-recovery.key\n\nKeep it away from the server, in two places. Nobody can make it again."
    )]
    Key {
        /// New file to write.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Make a backup while the server runs, and read it back.
    #[command(
        after_help = "Example:\n  obhut backup create --to /mnt/backup\n\nNext: obhut backup verify /mnt/backup --recovery-key …"
    )]
    Create {
        /// Directory, best on another machine's disk.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// List places and archives.
    #[command(
        after_help = "Examples:\n  obhut backup list\n  obhut backup list --from /mnt/backup     without a server"
    )]
    List {
        /// A directory to look into, without a server.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Check archives: every byte against the signature, and with the recovery key that everything can be read.
    #[command(
        after_help = "Example:\n  obhut backup verify /mnt/backup --recovery-key /media/safe/obhut-recovery.key\n\nExit code 1 if something is wrong."
    )]
    Verify {
        /// An archive, or a directory of them.
        path: PathBuf,
        /// The recovery key.
        #[arg(long, value_name = "FILE")]
        recovery_key: PathBuf,
    },
    /// Restore into an empty data directory, named by `--data`. Whoever was erased since the backup is erased again before anything can be served.
    #[command(
        after_help = "Example:\n  obhut --data /var/lib/obhut backup restore --from /mnt/backup --recovery-key /media/safe/obhut-recovery.key\n\nNext: obhut doctor, then start the server."
    )]
    Restore {
        /// An archive of data, or a directory: then the newest there.
        #[arg(long, value_name = "PATH")]
        from: PathBuf,
        /// The recovery key.
        #[arg(long, value_name = "FILE")]
        recovery_key: PathBuf,
        /// A newer list of erasures, for example of another place or of the old data directory (`erasures/list.json`); may be repeated.
        #[arg(long, value_name = "FILE", conflicts_with = "erasures_lost")]
        erasures: Vec<PathBuf>,
        /// Say that no newer list exists any more. Patients erased since the backup may come back; the ledger says that it was said.
        #[arg(long)]
        erasures_lost: bool,
    },
    /// Give a place up: nothing there is renewed or removed any more, and erasures do not wait for it.
    #[command(after_help = "Example:\n  obhut backup give-up /mnt/old")]
    GiveUp {
        /// Its directory.
        place: PathBuf,
    },
}

/// A bar where there is a terminal, else nothing.
struct Bar(ProgressBar);

impl Bar {
    fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }
}

impl Watch for Bar {
    fn step(&self, done: u64, total: u64) -> Result<(), BackupError> {
        self.0.set_length(total);
        self.0.set_position(done);
        Ok(())
    }
}

/// What needs no server; `None` for the rest.
pub async fn offline(config: &Config, command: &Backup, output: Output) -> Option<ExitCode> {
    let done = match command {
        Backup::Verify { path, recovery_key } => verify(path, recovery_key, output),
        Backup::List { from: Some(dir) } => list(dir, output),
        Backup::Restore { from, recovery_key, erasures, erasures_lost } => {
            let erasures = if *erasures_lost { Erasures::Lost } else { Erasures::Newest(erasures.clone()) };
            restore(config, from, recovery_key, erasures, output).await
        }
        _ => return None,
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, output == Output::Json),
    })
}

fn head_row(path: &Path, head: &Head, bytes: u64) -> Vec<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    vec![name, head.kind.as_str().to_owned(), local(head.made_at), local(head.expires_at), bytes.to_string()]
}

const COLUMNS: [&str; 5] = ["ARCHIVE", "OF", "MADE", "KEPT UNTIL", "BYTES"];

fn list(dir: &Path, output: Output) -> Result<()> {
    let found = obhut_backup::list(dir)?;
    let value = json!({"archives": found.iter().map(|f| json!({"path": f.path, "bytes": f.bytes, "head": f.head})).collect::<Vec<_>>()});
    print::show(output, &value, |_| {
        let rows: Vec<_> = found.iter().map(|f| head_row(&f.path, &f.head, f.bytes)).collect();
        table(&COLUMNS, &rows);
    });
    Ok(())
}

fn verify(path: &Path, recovery_key: &Path, output: Output) -> Result<()> {
    let recovery = RecoveryKey::read(recovery_key)?;
    let paths: Vec<PathBuf> = if path.is_dir() {
        let mut all: Vec<PathBuf> = std::fs::read_dir(path)?.filter_map(|e| e.ok().map(|e| e.path())).collect();
        all.retain(|path| path.extension().is_some_and(|end| end == "obk"));
        all.sort();
        all
    } else {
        vec![path.to_owned()]
    };
    let mut wrong = 0;
    let mut results = Vec::new();
    for path in &paths {
        let bar = Bar::new("checking");
        let found = obhut_backup::verify(path, &recovery.signer, Some(&recovery), &bar);
        bar.0.finish_and_clear();
        let name = path.display().to_string();
        match found {
            Ok(found) => {
                results.push(json!({"path": name, "good": true, "files": found.files, "bytes": found.bytes}));
                if output == Output::Text {
                    println!("good   {name}   {} files, {} bytes read back", found.files.unwrap_or(0), found.bytes);
                }
            }
            Err(error) => {
                wrong += 1;
                results.push(json!({"path": name, "good": false, "why": error.to_string()}));
                if output == Output::Text {
                    println!("WRONG  {name}   {error}");
                }
            }
        }
    }
    if output == Output::Json {
        println!("{}", json!({"archives": results}));
    }
    if wrong > 0 || paths.is_empty() {
        let message = if paths.is_empty() {
            "there is no archive".to_owned()
        } else {
            format!("{wrong} archive(s) are not good")
        };
        let hint = Some("make a new backup now, and keep the bad one as it is".to_owned());
        return Err(Failure { exit: Exit::Failed, message, hint }.into());
    }
    Ok(())
}

async fn restore(config: &Config, from: &Path, key: &Path, erasures: Erasures, output: Output) -> Result<()> {
    let (config, from, key) = (config.clone(), from.to_owned(), key.to_owned());
    let lost = erasures == Erasures::Lost;
    let work = tokio::task::spawn_blocking(move || {
        let recovery = RecoveryKey::read(&key)?;
        let now = obhut_http::state::real_now();
        let wanted = Wanted { from: &from, into: &config.data, recovery: &recovery, erasures, now };
        let bar = Bar::new("restoring");
        let done = obhut_backup::restore(&wanted, &bar, |staged| {
            finish(&config, staged, lost).map_err(|error| BackupError::Finish(format!("{error:#}")))
        });
        bar.0.finish_and_clear();
        let (head, erased) = done?;
        anyhow::Ok((head, erased, config.data))
    });
    let (head, erased, data) = work.await.context("restoring broke off; nothing was put in place")??;
    let value = json!({"data": data, "backup": head.backup, "made_at": head.made_at, "erased_again": erased, "erasures_lost": lost});
    print::show(output, &value, |_| {
        println!("restored into `{}`: the state of {}", data.display(), rfc3339(head.made_at));
        println!("{erased} patient(s) who were erased since were erased again");
        if lost {
            println!(
                "The list of erasures is lost: patients erased since that backup may be back. The ledger says so."
            );
        }
        println!("next: obhut --data {} doctor, then start the server", data.display());
    });
    Ok(())
}

/// In the staged directory, before it takes its place: erases again, checks that everything opens, and says so in the ledger.
fn finish(config: &Config, staged: &Staged, lost: bool) -> Result<u64> {
    let mut key = config.key.clone();
    if let ProviderSpec::File { path, .. } = &mut key {
        // A key beside the data came with the backup; any other is where it always was.
        let restored = staged.dir.join("top.key");
        if restored.exists() && !path.exists() {
            *path = restored;
        }
    }
    let top = crate::keys::open_top(&crate::open::top_key(&key, true)).context("the top key")?;
    let provider: Arc<dyn obhut_vault::KeyProvider> = top;
    let store = EmbeddedStore::open(&staged.dir.join("store"), provider.clone(), obhut_store::Options::default())
        .context("the store")?;
    let gone = match &staged.erasures {
        Some(list) => list.erased(&store.subjects()?),
        None => Vec::new(),
    };
    for subject in &gone {
        let destroyed = store.destroy_key(*subject)?;
        store.erase_bytes(destroyed, &mut |_, _| {})?;
    }
    if !gone.is_empty() {
        store.rotate_keys()?;
    }
    store.close().context("the store")?;
    record(config, staged, &*provider, gone.len(), lost)?;
    Ok(gone.len() as u64)
}

fn record(
    config: &Config,
    staged: &Staged,
    provider: &dyn obhut_vault::KeyProvider,
    gone: usize,
    lost: bool,
) -> Result<()> {
    let origin = format!("{}/ledger", config.names.first().map_or("localhost", String::as_str));
    let keys = LedgerKeys::open_or_create(&staged.dir.join(crate::keys::LEDGER_KEYS), &origin, provider)
        .context("the ledger's keys")?;
    let scribe = Scribe::open(obhut_scribe::Options::in_data(&staged.dir), keys).context("the ledger")?;
    let request = RequestId::from_random(obhut_retention::text::random()?);
    let uid = rustix::process::getuid().as_raw();
    let now = obhut_http::state::real_now();
    let mut event = Event::new(request, now, EventKind::Backup, Actor::Console { uid }, "restore");
    event.resource = ResourceRef::new("backup", Some(&staged.head.backup));
    let said = if lost { "the list of erasures was said to be lost" } else { "erasures since were applied" };
    event.note = Some(format!("{said}; {gone} erased again"));
    let _ = tokio::runtime::Handle::current().block_on(scribe.record(event)).context("the ledger takes nothing")?;
    scribe.close();
    Ok(())
}

pub async fn run(client: &Client, command: &Backup, output: Output) -> Result<()> {
    match command {
        Backup::Key { to } => {
            let to = std::path::absolute(to)?;
            let answer = client.ask(Method::POST, "/api/v1/backups/key", Some(&json!({"to": to}))).await?;
            print::show(output, &answer, |answer| {
                println!("recovery key {} is in `{}`", text(answer, "recovery_key"), text(answer, "file"));
                println!("Take it away from this machine now: two copies, two places. Nobody can make it again.");
            });
        }
        Backup::Create { to } => {
            let to = std::path::absolute(to)?;
            let answer = client.ask(Method::POST, "/api/v1/backups", Some(&json!({"to": to}))).await?;
            print::show(output, &answer, |answer| {
                println!("backup {} of {} files, read back", text(answer, "backup"), text(answer, "files"));
                for kind in ["data", "keys"] {
                    let Some(archive) = answer.get(kind) else { continue };
                    println!("  {kind}  {}  until {}", text(archive, "path"), time(archive, "expires_at"));
                }
            });
        }
        Backup::List { .. } => {
            let answer = client.ask(Method::GET, "/api/v1/backups", None).await?;
            print::show(output, &answer, |answer| {
                let places: Vec<Vec<String>> = rows(answer, "places")
                    .map(|p| {
                        vec![
                            text(p, "path"),
                            text(p, "reachable"),
                            time(p, "backup_at"),
                            time(p, "keys_at"),
                            time(p, "erasures_to"),
                        ]
                    })
                    .collect();
                table(&["PLACE", "THERE", "NEWEST", "KEYS RENEWED", "ERASURES UP TO"], &places);
                println!();
                let archives: Vec<Vec<String>> = rows(answer, "archives")
                    .map(|a| {
                        vec![
                            text(a, "path"),
                            text(a, "kind"),
                            time(a, "made_at"),
                            time(a, "expires_at"),
                            text(a, "bytes"),
                        ]
                    })
                    .collect();
                table(&COLUMNS, &archives);
            });
        }
        Backup::GiveUp { place } => {
            let place = std::path::absolute(place)?;
            let answer = client.ask(Method::POST, "/api/v1/backups/give-up", Some(&json!({"to": place}))).await?;
            print::show(output, &answer, |answer| {
                let known = answer.get("known") == Some(&json!(true));
                println!("{}", if known { "given up" } else { "was not known" });
            });
        }
        Backup::Verify { .. } | Backup::Restore { .. } => {}
    }
    Ok(())
}
