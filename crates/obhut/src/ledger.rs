//! `obhut ledger …`: verify the log, prove one entry, export what commitments are made of. Verifying and proving read files only and need no server and no key but the public one.

use crate::cli::Output;
use crate::client::Client;
use crate::config::Config;
use crate::exit::{self, Exit, Failure};
use crate::print::{self, text};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use obhut_ledger::verify::{self, Events, Report, Wanted};
use obhut_ledger::{Checkpoint, Files as _, Proof, Published, SignedNote, VerifierKey};
use obhut_scribe::LogDir;
use serde_json::{Value, json};
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Print the ledger's public key. Keep it somewhere else than the ledger; verifying needs it.
    #[command(after_help = "Example:\n  obhut ledger key > ledger.vkey")]
    Key,
    /// Check every entry, tile and checkpoint, and name what was changed, removed, moved or cut off.
    ///
    /// Needs no server. An outsider does the same with the small program `obhut-verify`.
    #[command(
        after_help = "Example:\n  obhut ledger verify --key 'ward.example/ledger+1a2b3c4d+AZ…'\n\nExit code 1 if something is wrong."
    )]
    Verify {
        /// The ledger's public key, from `obhut ledger key`.
        #[arg(long)]
        key: String,
        /// Directory of the log; by default `ledger` in the data directory.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Key of a witness whose cosignature must be there; may be repeated.
        #[arg(long = "witness", value_name = "KEY")]
        witnesses: Vec<String>,
        /// An older checkpoint that was kept: the log must have grown out of it.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// Exported events: they must be those the entries commit to.
        #[arg(long, value_name = "FILE")]
        events: Option<PathBuf>,
        /// A signature whose key was not given is a fault.
        #[arg(long)]
        strict: bool,
    },
    /// Print the proof that an entry is in the signed log, in the form `c2sp.org/tlog-proof`. Needs no server.
    #[command(
        after_help = "Example:\n  obhut ledger prove 4711 --key 'ward.example/ledger+1a2b3c4d+AZ…' > 4711.tlog-proof"
    )]
    Prove {
        /// Number of the entry.
        index: u64,
        /// The ledger's public key.
        #[arg(long)]
        key: String,
        /// Directory of the log; by default `ledger` in the data directory.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Export events and salts, one JSON object in a line, to be checked with `--events`. Only if the charter lets the console read the ledger.
    #[command(
        after_help = "Example:\n  obhut ledger export events.jsonl\n\nThe file says what everybody did: keep it like the ledger itself."
    )]
    Export {
        /// File to write; must not exist.
        file: PathBuf,
    },
}

/// What needs no server: verifying and proving. `None` for what asks one.
pub fn verify(config: &Config, command: &Ledger, output: Output) -> Option<ExitCode> {
    match offline(config, command, output) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(error) => Some(exit::report(&error, output == Output::Json)),
    }
}

fn offline(config: &Config, command: &Ledger, output: Output) -> Result<bool> {
    let log = |dir: &Option<PathBuf>| LogDir::new(dir.as_ref().unwrap_or(&config.data.join("ledger")));
    match command {
        Ledger::Verify { key, dir, witnesses, checkpoint, events, strict } => {
            let key = parse(key)?;
            let witnesses = witnesses.iter().map(|key| parse(key)).collect::<Result<Vec<_>>>()?;
            let older =
                checkpoint.as_ref().map(std::fs::read).transpose().context("the older checkpoint cannot be read")?;
            let files = log(dir);
            let wanted = Wanted { witnesses: &witnesses, older: older.as_deref(), strict: *strict };
            let mut report = verify::verify(&files, &key, &wanted);
            if let Some(path) = events {
                let file = std::fs::File::open(path).context("the events cannot be read")?;
                let mut compare = Events::new(&files, report.size);
                for line in std::io::BufReader::new(file).lines() {
                    compare.line(&line.context("the events cannot be read")?, &mut report);
                }
                compare.end(&mut report);
            }
            say(&report, &key, output);
            if !report.is_good() {
                return Err(Failure {
                    exit: Exit::Failed,
                    message: format!("{} fault(s) in the ledger", report.findings.len() as u64 + report.more),
                    hint: Some(
                        "keep a copy as it is, and tell who is responsible for data protection and security".to_owned(),
                    ),
                }
                .into());
            }
            Ok(true)
        }
        Ledger::Prove { index, key, dir } => {
            let (key, files) = (parse(key)?, log(dir));
            let note = files.read("checkpoint").map_err(anyhow::Error::msg)?.context("there is no checkpoint yet")?;
            let (checkpoint, note): (Checkpoint, SignedNote) =
                Checkpoint::open(&note, &key).context("the checkpoint")?;
            let hashes =
                Published::new(&files, checkpoint.size, checkpoint.root).prove_entry(*index).with_context(|| {
                    format!("no proof for entry {index}; the checkpoint counts {} entries", checkpoint.size)
                })?;
            print!("{}", Proof { index: *index, hashes, checkpoint: note });
            Ok(true)
        }
        Ledger::Key | Ledger::Export { .. } => Ok(false),
    }
}

fn parse(key: &str) -> Result<VerifierKey> {
    key.parse().with_context(|| format!("the key `{key}`"))
}

fn say(report: &Report, key: &VerifierKey, output: Output) {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let answer = json!({"good": report.is_good(), "log": key.name(), "entries": report.size, "root": report.root, "findings": findings,
        "more": report.more, "cosigned": report.cosigned, "unknown": report.unknown, "events": report.events, "removed": report.removed});
    print::show(output, &answer, |_| {
        findings.iter().for_each(|finding| println!("{finding}"));
        if report.is_good() {
            println!("good: {} entries of `{}`, root {}", report.size, key.name(), report.root);
        }
        report.cosigned.iter().for_each(|(name, at)| println!("cosigned by `{name}` at {at}, in seconds since 1970"));
        report.unknown.iter().for_each(|name| println!("note: signed by `{name}` too; check that with --witness"));
    });
}

/// What a server, or the data directory opened as one, answers.
///
/// # Errors
/// [`Exit::Refused`] if the charter does not let the console read the ledger.
pub async fn run(client: &Client, command: &Ledger, output: Output) -> Result<()> {
    match command {
        Ledger::Key => {
            let answer = client.ask(Method::GET, "/api/v1/ledger/key", None).await?;
            print::show(output, &answer, |answer| println!("{}", text(answer, "key")));
        }
        Ledger::Export { file } => {
            let mut out =
                std::fs::File::create_new(file).with_context(|| format!("`{}` cannot be made", file.display()))?;
            let (mut from, mut count) = (0, 0u64);
            loop {
                let answer = client.ask(Method::GET, &format!("/api/v1/ledger/export?from={from}"), None).await?;
                for line in answer.get("lines").and_then(Value::as_array).into_iter().flatten() {
                    writeln!(out, "{line}").context("the export cannot be written")?;
                    count += 1;
                }
                match answer.get("next").and_then(Value::as_u64) {
                    Some(next) => from = next,
                    None => break,
                }
                // Asking is recorded, so there is always one more; enough is what was there in the last page but one.
                if answer.get("lines").and_then(Value::as_array).is_none_or(|lines| lines.len() < 1000) {
                    break;
                }
            }
            out.sync_all().context("the export cannot be written")?;
            let answer: Value = json!({"file": file.display().to_string(), "entries": count});
            print::show(output, &answer, |_| println!("{count} entries in `{}`", file.display()));
        }
        Ledger::Verify { .. } | Ledger::Prove { .. } => {}
    }
    Ok(())
}
