//! `obhut erasure …`: erase a patient, list erasures, print and check certificates. Checking needs no server and no key but the ledger's public one.

use crate::cli::Output;
use crate::client::{Client, escape};
use crate::exit::{self, Exit, Failure};
use crate::print::{self, rfc3339, table, text, time};
use crate::retention::rows;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum Erasure {
    /// Erase a patient: destroy the keys in every copy, then the bytes, then prove it. There is no way back.
    #[command(
        after_help = "Example:\n  obhut erasure run 3f… --reason request --yes\n\nRefused while the patient lies in a bed, a legal hold stands, or the treatment record must be kept\n(§ 630f(3) BGB) and nobody says where it is kept instead."
    )]
    Run {
        /// Pseudonym of the patient.
        subject: String,
        /// One word: request, objection, unlawful, order.
        #[arg(long, default_value = "request")]
        reason: String,
        /// The patient's request this follows from.
        #[arg(long)]
        request: Option<String>,
        /// Where the hospital keeps the treatment record instead; goes into the ledger, sealed.
        #[arg(long, value_name = "WHERE")]
        record_kept_at: Option<String>,
        /// Say that it is meant.
        #[arg(long)]
        yes: bool,
    },
    /// List erasures.
    #[command(after_help = "Example:\n  obhut erasure list")]
    List,
    /// Print the certificate of one.
    #[command(
        after_help = "Example:\n  obhut erasure certificate 9c… > erasure.json\nNext: obhut erasure verify erasure.json --key …"
    )]
    Certificate {
        /// Which.
        case: String,
    },
    /// Check a certificate, offline.
    #[command(
        after_help = "Example:\n  obhut erasure verify erasure.json --key 'ward.example/ledger+1a2b3c4d+AZ…'\n\nExit code 1 if it is not good."
    )]
    Verify {
        /// The certificate.
        file: PathBuf,
        /// The ledger's public key, from `obhut ledger key`.
        #[arg(long)]
        key: String,
        /// A pseudonym: is the certificate about this patient?
        #[arg(long)]
        subject: Option<String>,
    },
}

/// Checking needs no server; `None` for the rest.
pub fn verify(command: &Erasure, output: Output) -> Option<ExitCode> {
    let Erasure::Verify { file, key, subject } = command else { return None };
    Some(match check(file, key, subject.as_deref(), output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, output == Output::Json),
    })
}

fn check(file: &PathBuf, key: &str, subject: Option<&str>, output: Output) -> Result<()> {
    let certificate = std::fs::read_to_string(file).context("the certificate cannot be read")?;
    let body = obhut_retention::certificate::verify(&certificate, key).map_err(|error| Failure {
        exit: Exit::Failed,
        message: error.to_string(),
        hint: Some("ask for the certificate again, and compare the key with one that was kept elsewhere".to_owned()),
    })?;
    let about = subject.map(|subject| subject.parse().map(|subject| body.is_about(subject))).transpose()?;
    if about == Some(false) {
        return Err(Failure {
            exit: Exit::Failed,
            message: "the certificate is good, but about another patient".to_owned(),
            hint: None,
        }
        .into());
    }
    let value = serde_json::to_value(&body)?;
    print::show(output, &value, |_| {
        println!("good: the ledger proves this erasure");
        println!("certificate      {}", body.certificate);
        println!("decided          {}", rfc3339(body.decided_at));
        println!("key destroyed    {}", rfc3339(body.key_destroyed_at));
        println!("finished         {}", rfc3339(body.finished_at));
        for destroyed in body.destroyed.iter().filter(|destroyed| destroyed.objects > 0) {
            println!("destroyed        {} {}", destroyed.objects, destroyed.kind);
        }
        let away = body.copies.iter().filter(|copy| !copy.reached).count();
        println!("copies of keys   {} renewed, {away} not reached", body.copies.len() - away);
        if about == Some(true) {
            println!("patient          the one whose pseudonym was given");
        }
    });
    Ok(())
}

pub async fn run(client: &Client, command: &Erasure, output: Output) -> Result<()> {
    match command {
        Erasure::Run { subject, reason, request, record_kept_at, yes } => {
            if !yes {
                return Err(Failure {
                    exit: Exit::Refused,
                    message: "erasing a patient cannot be taken back".to_owned(),
                    hint: Some("say it with `--yes`".to_owned()),
                }
                .into());
            }
            let body =
                json!({"subject": subject, "reason": reason, "request": request, "record_kept_at": record_kept_at});
            let answer = client.ask(Method::POST, "/api/v1/erasures", Some(&body)).await?;
            print::show(output, &answer, erased);
        }
        Erasure::List => {
            let answer = client.ask(Method::GET, "/api/v1/erasures", None).await?;
            print::show(output, &answer, |answer| {
                let rows: Vec<Vec<String>> = rows(answer, "erasures")
                    .map(|row| vec![text(row, "case"), time(row, "decided"), text(row, "reason"), text(row, "done")])
                    .collect();
                table(&["ERASURE", "DECIDED", "REASON", "DONE"], &rows);
            });
        }
        Erasure::Certificate { case } => {
            let path = format!("/api/v1/erasures/{}/certificate", escape(case));
            // Printed as it was signed, byte by byte: a digest of it stands in the ledger.
            print!("{}", client.text(&path).await?);
        }
        Erasure::Verify { .. } => {}
    }
    Ok(())
}

fn erased(answer: &Value) {
    let seconds = |field: &str| answer.get(field).and_then(Value::as_u64).map_or(0.0, |micros| micros as f64 / 1e6);
    println!("erased: {}", text(answer, "case"));
    println!("key destroyed after {:.3} s, everything after {:.3} s", seconds("key_destroyed_in"), seconds("took"));
    for row in rows(answer, "destroyed") {
        println!("  {:>10}  {}", text(row, "objects"), text(row, "kind"));
    }
    println!("next: obhut erasure certificate {}", text(answer, "case"));
}
