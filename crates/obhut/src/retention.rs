//! `obhut retention …`, and joining the rooms that keep and let go.

use crate::cli::Output;
use crate::client::{Client, escape};
use crate::config::Config;
use crate::print::{self, parse_time, table, text, time};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use obhut_backup::Backups;
use obhut_http::AppState;
use obhut_pki::ProviderSpec;
use obhut_retention::{Installation, Parts, Retention};
use obhut_store::EmbeddedStore;
use obhut_vault::KeyProvider;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the deletion concept: every kind of data, its rule, how much there is, what is due, held, overdue.
    #[command(
        after_help = "Example:\n  obhut retention show\n\nExit code 0 also if something is overdue; the metric `obhut_overdue_objects` is for alarms."
    )]
    Show,
    /// Run the deletion job now; the server runs it every five minutes by itself.
    #[command(after_help = "Examples:\n  obhut retention run --dry-run\n  obhut retention run")]
    Run {
        /// Only count what would go.
        #[arg(long)]
        dry_run: bool,
    },
    /// List legal holds, or set, approve, review, release one.
    #[command(subcommand, visible_alias = "hold", after_help = "Example:\n  obhut retention holds list")]
    Holds(Holds),
}

#[derive(Debug, Subcommand)]
pub enum Holds {
    /// List them.
    #[command(after_help = "Example:\n  obhut retention holds list")]
    List,
    /// Propose a hold. It holds at once; somebody else must approve it within a week.
    #[command(
        after_help = "Example:\n  obhut retention holds add --subject 3f… --reason 'expert opinion' \\\n    --number '4 O 123/26' --requester 'LG Köln' --review 2027-05-01T00:00:00Z"
    )]
    Add {
        /// Pseudonym of the patient.
        #[arg(long, conflicts_with = "class", required_unless_present = "class")]
        subject: Option<String>,
        /// A whole retention class instead.
        #[arg(long)]
        class: Option<String>,
        /// Why.
        #[arg(long)]
        reason: String,
        /// File number.
        #[arg(long)]
        number: String,
        /// Who asks for it.
        #[arg(long)]
        requester: String,
        /// When it is looked at again (RFC 3339).
        #[arg(long, value_name = "TIME")]
        review: String,
    },
    /// Approve one that somebody else proposed.
    #[command(after_help = "Example:\n  obhut retention holds approve 9c…")]
    Approve {
        /// Which.
        case: String,
    },
    /// Look at one again and set the next date.
    #[command(after_help = "Example:\n  obhut retention holds review 9c… --next 2027-11-01T00:00:00Z")]
    Review {
        /// Which.
        case: String,
        /// When next (RFC 3339).
        #[arg(long, value_name = "TIME")]
        next: String,
    },
    /// Release one.
    #[command(after_help = "Example:\n  obhut retention holds release 9c… --reason 'settled'")]
    Release {
        /// Which.
        case: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

pub async fn command(client: &Client, command: &Command, output: Output) -> Result<()> {
    match command {
        Command::Show => {
            let answer = client.ask(Method::GET, "/api/v1/retention", None).await?;
            print::show(output, &answer, |answer| show(answer.get("now").unwrap_or(&Value::Null)));
        }
        Command::Run { dry_run } => {
            let body = json!({"dry": dry_run});
            let answer = client.ask(Method::POST, "/api/v1/retention/run", Some(&body)).await?;
            print::show(output, &answer, show);
        }
        Command::Holds(command) => holds(client, command, output).await?,
    }
    Ok(())
}

fn show(report: &Value) {
    let number = |line: &Value, field: &str| match line.get(field).and_then(Value::as_u64) {
        None | Some(0) => String::from("-"),
        Some(number) => number.to_string(),
    };
    let rows: Vec<Vec<String>> = rows(report, "lines")
        .map(|line| {
            let rule = match (text(line, "class"), text(line, "with")) {
                (class, _) if class != "-" => class,
                (_, with) if with != "-" => format!("with {with}"),
                _ => "no personal data".to_owned(),
            };
            let mut row = vec![text(line, "kind"), rule, text(line, "period"), text(line, "start"), text(line, "kept")];
            row.extend(["due", "held", "overdue", "removed"].map(|field| number(line, field)));
            row
        })
        .collect();
    table(&["KIND", "RULE", "PERIOD", "FROM", "KEPT", "DUE", "HELD", "OVERDUE", "REMOVED"], &rows);
    for unknown in rows_of(report, "unknown") {
        println!("WITHOUT A RULE: {unknown}");
    }
    println!(
        "\n{} due, {} removed, {} overdue{}",
        text(report, "due"),
        text(report, "removed"),
        text(report, "overdue"),
        if report.get("dry") == Some(&Value::Bool(true)) { " (nothing was removed)" } else { "" }
    );
}

pub fn rows<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn rows_of<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rows(value, field).filter_map(Value::as_str)
}

async fn holds(client: &Client, command: &Holds, output: Output) -> Result<()> {
    const PATH: &str = "/api/v1/retention/holds";
    let now = jiff::Timestamp::now().as_microsecond();
    match command {
        Holds::List => {
            let answer = client.ask(Method::GET, PATH, None).await?;
            print::show(output, &answer, |answer| {
                let rows: Vec<Vec<String>> = rows(answer, "holds")
                    .map(|hold| {
                        let scope = hold.get("scope").unwrap_or(&Value::Null);
                        let what =
                            if scope.get("class").is_some() { text(scope, "class") } else { text(scope, "subject") };
                        vec![
                            text(hold, "case"),
                            what,
                            text(hold, "number"),
                            text(hold, "holds"),
                            time(hold, "approved"),
                            time(hold, "review"),
                        ]
                    })
                    .collect();
                table(&["HOLD", "OF", "FILE NUMBER", "HOLDS", "APPROVED", "REVIEW"], &rows);
            });
        }
        Holds::Add { subject, class, reason, number, requester, review } => {
            let body = json!({"subject": subject, "class": class, "reason": reason, "number": number, "requester": requester,
                              "review": parse_time(review, now)?});
            let answer = client.ask(Method::POST, PATH, Some(&body)).await?;
            print::show(output, &answer, |answer| {
                println!(
                    "{} holds; somebody else must approve it by {}",
                    text(answer, "case"),
                    time(answer, "approve_by")
                );
            });
        }
        Holds::Approve { case } => done(client, &format!("{PATH}/{}/approve", escape(case)), None).await?,
        Holds::Review { case, next } => {
            let body = json!({"review": parse_time(next, now)?});
            done(client, &format!("{PATH}/{}/review", escape(case)), Some(&body)).await?;
        }
        Holds::Release { case, reason } => {
            done(client, &format!("{PATH}/{}/release", escape(case)), Some(&json!({"reason": reason}))).await?;
        }
    }
    Ok(())
}

async fn done(client: &Client, path: &str, body: Option<&Value>) -> Result<()> {
    client.ask(Method::POST, path, body).await?;
    println!("done");
    Ok(())
}

/// Joins store, register and ledger with the deletion concept and the backups, and ends what was interrupted.
///
/// # Errors
/// If what lies in the data directory cannot be read.
pub fn join(
    config: &Config,
    provider: &dyn KeyProvider,
    state: &Arc<AppState>,
    store: &Arc<EmbeddedStore>,
) -> Result<()> {
    let dir = config.data.join(obhut_retention::DIRECTORY);
    let installation = Installation::open(&dir, provider).context("the installation's signing key cannot be opened")?;
    let installation = Arc::new(installation);
    let parts = Parts {
        data: config.data.clone(),
        installation: installation.clone(),
        store: store.clone(),
        register: state.desk.register.clone(),
        scribe: state.desk.scribe.clone(),
    };
    let now = obhut_http::state::real_now();
    let room = Retention::open(parts, now).context("the list of erasures cannot be opened")?;
    let top_key = match &config.key {
        ProviderSpec::File { path, .. } => Some(path.clone()),
        _ => None,
    };
    let backups =
        Backups::open(&config.data, top_key, installation, store.clone()).context("backups cannot be opened")?;
    room.set_copies(backups.clone());
    // Before anything is served: an erasure that was begun ends.
    if let Err(error) = room.resume(&state.charter.load().checked) {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "an interrupted erasure could not be ended; the next start tries again"
        );
    }
    let _ = state.retention.set(room);
    let _ = state.backups.set(backups);
    Ok(())
}

/// The deletion job, by the timer.
pub async fn run(state: Arc<AppState>) {
    let Some(room) = state.retention.get().cloned() else { return };
    let work = tokio::task::spawn_blocking(move || room.run(&state.charter.load().checked, state.clock.now(), false));
    match work.await {
        Ok(Ok(report)) if report.removed() > 0 => {
            tracing::info!(objects = report.removed(), "removed what was past its retention");
        }
        Ok(Ok(report)) if report.overdue() > 0 => {
            tracing::warn!(objects = report.overdue(), unknown = ?report.unknown, "something is past its retention and still there");
        }
        Ok(Ok(_)) | Err(_) => {}
        Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "the deletion job failed"),
    }
}
