//! `obhut request …`: what patients ask for, with due dates, and every step to the answer.

use crate::cli::Output;
use crate::client::{Client, escape};
use crate::print::{self, text, time};
use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Request {
    /// List requests, the most urgent first.
    #[command(after_help = "Example:\n  obhut request list")]
    List,
    /// Enter a request that came by letter, mail or word of mouth. Its clock runs from the day it reached the hospital.
    #[command(
        after_help = "Example:\n  obhut request open access --record-number A-0815 --birth-date 1952-02-29 --channel letter"
    )]
    Open {
        /// What is asked for.
        kind: Kind,
        /// Record number of the patient.
        #[arg(long)]
        record_number: String,
        /// Birth date, as 1952-02-29.
        #[arg(long)]
        birth_date: String,
        /// How it came.
        #[arg(long, default_value = "letter")]
        channel: Channel,
        /// When it reached the hospital; now if not given.
        #[arg(long, value_name = "TIME")]
        received: Option<String>,
        /// Who asks for the patient, if somebody else does.
        #[arg(long, value_name = "NAME")]
        representative: Option<String>,
        /// What was written or said.
        #[arg(long, default_value = "")]
        text: String,
    },
    /// Show one request with what was done.
    #[command(after_help = "Example:\n  obhut request show 00112233445566778899aabbccddeeff")]
    Show {
        /// Identifier from the list.
        case: String,
    },
    /// Note how the requester was identified. Before this nothing leaves and nothing is changed.
    #[command(after_help = "Example:\n  obhut request identify CASE --text \"identity card seen\"")]
    Identify(Said),
    /// Extend once, before the due date, with a reason that goes to the patient.
    #[command(after_help = "Example:\n  obhut request extend CASE --text \"copies from three wards\"")]
    Extend(Said),
    /// Refuse, on a ground of the law and with a reason that goes to the patient.
    #[command(after_help = "Example:\n  obhut request refuse CASE --ground retention-duty --text \"kept until 2036\"")]
    Refuse {
        #[command(flatten)]
        said: Said,
        /// Ground: unfounded, excessive, not-identified, retention-duty, legal-claims, therapeutic, third-party, not-portable, no-objection,
        /// accurate, no-case.
        #[arg(long)]
        ground: String,
    },
    /// Close as done.
    #[command(after_help = "Example:\n  obhut request fulfil CASE --text \"copy handed over\"")]
    Fulfil(Said),
    /// Write the complete copy to a file.
    #[command(after_help = "Example:\n  obhut request copy CASE --format pdf --to-file copy.pdf")]
    Copy {
        /// Identifier from the list.
        case: String,
        /// Form of the copy.
        #[arg(long, default_value = "pdf")]
        format: Form,
        /// Language of the copy: de or en.
        #[arg(long, default_value = "de")]
        lang: String,
        /// File to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        to_file: PathBuf,
    },
    /// Correct personal details. A new version is made, the old one stays visible.
    #[command(after_help = "Example:\n  obhut request correct CASE --family Meyer --text \"misspelt on admission\"")]
    Correct {
        #[command(flatten)]
        said: Said,
        /// Right family name.
        #[arg(long)]
        family: Option<String>,
        /// Right given name; may be given more than once.
        #[arg(long)]
        given: Vec<String>,
        /// Right birth date.
        #[arg(long)]
        birth_date: Option<String>,
        /// Right record number.
        #[arg(long)]
        record_number: Option<String>,
    },
    /// Restrict processing: search and export no longer show the patient, monitoring goes on.
    #[command(after_help = "Example:\n  obhut request restrict CASE --text \"accuracy is contested\"")]
    Restrict(Said),
    /// Lift the restriction; the patient must have been told before.
    #[command(after_help = "Example:\n  obhut request unrestrict CASE --text \"checked, told on 2 March\"")]
    Unrestrict(Said),
    /// Note that a recipient was told of a correction, erasure or restriction (Art. 19 GDPR), with the receipt.
    #[command(
        after_help = "Example:\n  obhut request told CASE --recipient pump-maker --text \"mail of 2 March, confirmed\""
    )]
    Told {
        #[command(flatten)]
        said: Said,
        /// Recipient of the charter.
        #[arg(long)]
        recipient: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct Said {
    /// Identifier from the list.
    case: String,
    /// In words: how, why, or the answer.
    #[arg(long, default_value = "")]
    text: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    Access,
    TreatmentFile,
    Rectification,
    Erasure,
    Restriction,
    Portability,
    Objection,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Channel {
    Letter,
    Mail,
    Spoken,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Form {
    Pdf,
    Csv,
    Fhir,
}

/// The word the server knows a choice by.
fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

pub async fn run(client: &Client, command: &Request, output: Output) -> Result<()> {
    let answer = match command {
        Request::List => {
            let answer = client.ask(Method::GET, "/api/v1/requests", None).await?;
            print::show(output, &answer, list);
            return Ok(());
        }
        Request::Copy { case, format, lang, to_file } => {
            return copy(client, case, (*format, lang), to_file, output).await;
        }
        Request::Show { case } => client.ask(Method::GET, &path(case, None), None).await?,
        Request::Open { kind, record_number, birth_date, channel, received, representative, text } => {
            let now = jiff::Timestamp::now().as_microsecond();
            let received = received.as_deref().map(|at| print::parse_time(at, now)).transpose()?;
            let body = json!({"kind": word(*kind), "record_number": record_number, "birth_date": birth_date, "channel": word(*channel),
                              "received": received, "representative": representative, "text": text});
            client.ask(Method::POST, "/api/v1/requests", Some(&body)).await?
        }
        Request::Identify(said) => step(client, said, "identify", json!({})).await?,
        Request::Extend(said) => step(client, said, "extend", json!({})).await?,
        Request::Fulfil(said) => step(client, said, "fulfil", json!({})).await?,
        Request::Restrict(said) => step(client, said, "restrict", json!({})).await?,
        Request::Unrestrict(said) => step(client, said, "unrestrict", json!({})).await?,
        Request::Refuse { said, ground } => step(client, said, "refuse", json!({"ground": ground})).await?,
        Request::Told { said, recipient } => step(client, said, "told", json!({"recipient": recipient})).await?,
        Request::Correct { said, family, given, birth_date, record_number } => {
            let given = (!given.is_empty()).then_some(given);
            let body = json!({"reason": said.text, "family": family, "given": given, "birth_date": birth_date, "record_number": record_number});
            client.ask(Method::POST, &path(&said.case, Some("correct")), Some(&body)).await?
        }
    };
    print::show(output, &answer, one);
    Ok(())
}

fn path(case: &str, step: Option<&str>) -> String {
    let step = step.map(|step| format!("/{step}")).unwrap_or_default();
    format!("/api/v1/requests/{}{step}", escape(case))
}

async fn step(client: &Client, said: &Said, step: &str, mut body: Value) -> Result<Value> {
    if let Some(map) = body.as_object_mut() {
        map.insert("text".to_owned(), json!(said.text));
    }
    client.ask(Method::POST, &path(&said.case, Some(step)), Some(&body)).await
}

async fn copy(client: &Client, case: &str, (format, lang): (Form, &str), file: &PathBuf, output: Output) -> Result<()> {
    let asked = format!("{}?format={}&lang={}", path(case, Some("copy")), word(format), escape(lang));
    let mut body = client.stream(&asked).await?;
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.context("the server stopped in the middle; the copy is not complete")?.into_data() else {
            continue;
        };
        out.write_all(&data).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    out.sync_all().with_context(|| format!("cannot write `{}`", file.display()))?;
    print::show(output, &json!({"file": file}), |_| println!("{}", file.display()));
    Ok(())
}

fn state(row: &Value) -> String {
    match row.get("outcome").filter(|outcome| !outcome.is_null()) {
        Some(outcome) => text(outcome, "state"),
        None if row.get("identified").is_none_or(Value::is_null) => "to identify".to_owned(),
        None if row.get("overdue") == Some(&Value::Bool(true)) => "overdue".to_owned(),
        None => "open".to_owned(),
    }
}

fn list(answer: &Value) {
    let rows: Vec<Vec<String>> = answer
        .get("requests")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|row| vec![text(row, "case"), text(row, "kind"), time(row, "received"), time(row, "due"), state(row)])
        .collect();
    print::table(&["REQUEST", "KIND", "RECEIVED", "DUE", "STATE"], &rows);
}

fn one(row: &Value) {
    println!("request {}: {}, {}", text(row, "case"), text(row, "kind"), state(row));
    println!("received {}, due {}", time(row, "received"), time(row, "due"));
    for step in row.get("steps").and_then(Value::as_array).into_iter().flatten() {
        println!("{}  {}", time(step, "at"), text(step, "text"));
    }
}
