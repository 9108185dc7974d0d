//! `obhut charter …`, and how a charter file is loaded.

use crate::cli::{self, Language, Output};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::print;
use anyhow::{Context, Result};
use http::Method;
use obhut_charter::{Charter, Checked, Date};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// Reads and checks `path`, as of today.
///
/// # Errors
/// [`Exit::Charter`] with every problem, ready to print.
pub fn load(path: &Path) -> Result<Checked> {
    parse(&path.display().to_string(), &read(path)?)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the charter `{}`", path.display()))
}

/// Checks `text`, as of today.
///
/// # Errors
/// As [`load`].
pub fn parse(name: &str, text: &str) -> Result<Checked> {
    parse_as_of(name, text, today()?)
}

/// Checks `text` as if it were `day`.
///
/// # Errors
/// As [`load`].
pub fn parse_as_of(name: &str, text: &str, day: Date) -> Result<Checked> {
    Charter::parse(name, text, day).map_err(|problems| {
        let message = format!("the charter is refused\n\n{}", problems.render(false));
        Failure { exit: Exit::Charter, message, hint: None }.into()
    })
}

/// Today in the machine's time zone.
///
/// # Errors
/// If the machine's clock stands outside the calendar.
pub fn today() -> Result<Date> {
    day_of(jiff::Timestamp::now())
}

/// The day of `at` in the machine's time zone.
///
/// # Errors
/// If it lies outside the calendar.
pub fn day_of(at: jiff::Timestamp) -> Result<Date> {
    let day = at.to_zoned(jiff::tz::TimeZone::system()).date();
    let year = u16::try_from(day.year()).context("this machine's clock is not set")?;
    Date::new(year, day.month().unsigned_abs(), day.day().unsigned_abs()).context("this machine's clock is not set")
}

/// `check`, `explain` and `diff`: no installation needed.
pub fn offline(command: &cli::Charter, lang: Language, output: Output) -> Result<ExitCode> {
    match command {
        cli::Charter::Check { file } => check(file, output),
        cli::Charter::Explain { file } => {
            let checked = load(file)?;
            let text = obhut_charter::explain(&checked, lang.for_charter());
            print::show(output, &json!({"fingerprint": checked.fingerprint(), "text": text}), |_| {
                println!("{}", text.trim_end())
            });
            Ok(ExitCode::SUCCESS)
        }
        cli::Charter::Diff { old, new } => {
            let text = obhut_charter::diff(&load(old)?, &load(new)?, lang.for_charter()).render();
            print::show(output, &json!({"text": text}), |_| println!("{}", text.trim_end()));
            Ok(ExitCode::SUCCESS)
        }
        cli::Charter::Reload => Ok(ExitCode::SUCCESS),
    }
}

fn check(file: &Path, output: Output) -> Result<ExitCode> {
    let (checked, problems) = match Charter::parse(&file.display().to_string(), &read(file)?, today()?) {
        Ok(checked) => (Some(checked.fingerprint().to_owned()), checked.warnings().clone()),
        Err(problems) => (None, problems),
    };
    let list: Vec<_> = problems
        .list()
        .iter()
        .map(|p| {
            json!({"severity": p.severity().as_str(), "code": p.code.as_str(), "line": p.line, "column": p.column, "message": p.message, "label": p.label,
                   "hint": p.hint})
        })
        .collect();
    let colour = std::io::IsTerminal::is_terminal(&std::io::stdout());
    print::show(output, &json!({"sound": checked.is_some(), "fingerprint": checked, "problems": list}), |_| {
        if !problems.is_empty() {
            println!("{}", problems.render(colour).trim_end());
        }
        if let Some(fingerprint) = &checked {
            println!("{} is sound; fingerprint {fingerprint}", file.display());
        }
    });
    Ok(if checked.is_some() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Charter as u8) })
}

/// `reload`: asks the running server.
pub async fn reload(client: &Client, output: Output) -> Result<()> {
    let answer = client.ask(Method::POST, "/v1/charter/reload", None).await?;
    print::show(output, &answer, |answer| println!("in force: {}", print::text(answer, "fingerprint")));
    Ok(())
}
