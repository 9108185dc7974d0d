//! `obhut keys …`, and the ring all keys of an installation hang on: the top key, and whatever it wraps.
//!
//! INVARIANT: the old top key is destroyed only after everything that it wrapped is wrapped by its successor; a replacement that was interrupted is ended by the
//! next start.

use crate::cli::Output;
use crate::client::Client;
use crate::print::{self, text, time};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use obhut_http::api::KeyRoom;
use obhut_pki::{Authority, ProviderSpec, provider};
use obhut_retention::Installation;
use obhut_scribe::LedgerKeys;
use obhut_store::{EmbeddedStore, KeyStatus, Keys as _, Rotated};
use obhut_vault::TopKey;
use serde_json::json;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// File of the ledger's wrapped keys, in the data directory.
pub const LEDGER_KEYS: &str = "ledger.keys";

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Say who holds the top key, which epoch patients' keys are in, and whether a change is due.
    #[command(visible_alias = "list", after_help = "Example:\n  obhut keys status")]
    Status,
    /// Wrap every patient's keys under a new epoch and destroy the old one; or, with --top, put a new top key in the place of the old.
    ///
    /// Older copies of the key database open nothing afterwards. Make a new backup of keys right after it. Monitoring goes on meanwhile.
    #[command(after_help = "Examples:\n  obhut keys rotate\n  obhut keys rotate --top\n\nNext: obhut backup create")]
    Rotate {
        /// Replace the top key: in its file, or in its token.
        #[arg(long)]
        top: bool,
    },
}

pub async fn run(client: &Client, command: &Keys, output: Output) -> Result<()> {
    match command {
        Keys::Status => {
            let answer = client.ask(Method::GET, "/api/v1/keys", None).await?;
            print::show(output, &answer, |answer| {
                println!("top key   {}", text(answer, "top"));
                println!("epoch     {}, since {}", answer["epoch"], time(answer, "epoch_since"));
                println!("patients  {}", answer["patients"]);
                if answer["rotation_due"] == json!(true) {
                    println!("A key was destroyed since; the epoch changes in a moment.");
                }
            });
        }
        Keys::Rotate { top } => {
            let answer = client.ask(Method::POST, "/api/v1/keys/rotate", Some(&json!({"top": top}))).await?;
            print::show(output, &answer, |answer| {
                if *top {
                    println!("the top key is now: {}", text(answer, "top"));
                    println!("Make a spare copy of it now, and a new backup of keys; older ones open nothing.");
                } else {
                    println!("epoch {} is in force; {} keys were wrapped anew", answer["epoch"], answer["keys"]);
                    println!("Make a new backup of keys; older ones open nothing.");
                }
            });
        }
    }
    Ok(())
}

/// Opens the top key; with its successor, if a replacement was interrupted.
///
/// # Errors
/// If it cannot be opened.
pub fn open_top(spec: &ProviderSpec) -> Result<Arc<TopKey>> {
    let held = match provider::open(spec) {
        Ok(held) => held,
        // The old one is gone already and the new one has not got its place yet.
        Err(error) => match provider::pending(spec) {
            Ok(Some(_)) => {
                provider::settle(spec).context("an interrupted replacement of the top key cannot be ended")?;
                provider::open(spec).context("the top key cannot be opened")?
            }
            _ => return Err(error).context("the top key cannot be opened"),
        },
    };
    let top = TopKey::new(held);
    if let Some(successor) = provider::pending(spec).context("the top key's successor cannot be opened")? {
        tracing::warn!("a replacement of the top key was interrupted; going on with it");
        top.begin(successor);
    }
    Ok(Arc::new(top))
}

/// Everything that hangs from the top key.
pub struct KeyRing {
    /// The top key.
    pub top: Arc<TopKey>,
    /// What names it.
    pub spec: ProviderSpec,
    /// Patients', the identity vault's and the register's keys.
    pub store: Arc<EmbeddedStore>,
    /// The authority's private keys.
    pub authority: Arc<Authority>,
    /// The file of the ledger's keys.
    pub ledger: PathBuf,
    /// The directory of the installation's signing key.
    pub retention: PathBuf,
    /// One replacement at a time.
    pub turning: Mutex<()>,
}

impl KeyRing {
    /// Ends a replacement that was interrupted, if there is one.
    ///
    /// # Errors
    /// If it cannot be ended now; both keys still open, and the next start tries again.
    pub fn finish_pending(&self) -> Result<()> {
        if self.top.is_changing() { self.wrap_anew().map(drop) } else { Ok(()) }
    }

    fn wrap_anew(&self) -> Result<Vec<&'static str>> {
        self.store.rewrap_keys().context("the store's keys cannot be wrapped anew")?;
        self.authority.rewrap().context("the authority's keys cannot be wrapped anew")?;
        let mut anew = vec!["store", "identity vault", "register", "certificate authority"];
        if self.ledger.exists() {
            LedgerKeys::rewrap(&self.ledger, &*self.top, &*self.top)
                .context("the ledger's keys cannot be wrapped anew")?;
            anew.push("ledger");
        }
        Installation::rewrap(&self.retention, &*self.top)
            .context("the installation's signing key cannot be wrapped anew")?;
        anew.push("installation");
        provider::settle(&self.spec).context("the new top key cannot take the old one's place")?;
        // Under its final name, so that a token that was pulled out is found again.
        self.top.begin(provider::open(&self.spec).context("the new top key cannot be opened")?);
        self.top.finish();
        Ok(anew)
    }
}

impl KeyRoom for KeyRing {
    fn status(&self) -> Result<KeyStatus, String> {
        self.store.key_status().map_err(|error| error.to_string())
    }

    fn top(&self) -> String {
        obhut_vault::KeyProvider::describe(&*self.top)
    }

    fn rotate(&self) -> Result<Rotated, String> {
        self.store.rotate_keys().map_err(|error| error.to_string())
    }

    fn replace_top(&self) -> Result<Vec<&'static str>, String> {
        let _one = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let replace = || {
            if !self.top.is_changing() {
                self.top.begin(provider::successor(&self.spec).context("a new top key cannot be made")?);
            }
            self.wrap_anew()
        };
        replace().map_err(|error| format!("{error:#}"))
    }
}
