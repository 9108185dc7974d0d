//! `obhut people …`: who may come in, and the one-time links with which they do.

use crate::cli::Output;
use crate::client::{Client, escape};
use crate::exit::{Exit, Failure};
use crate::print::{self, text, time};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub enum People {
    /// List everybody with their roles, why a role rests, and how they sign in. Patients are not in this list.
    #[command(after_help = "Example:\n  obhut people list")]
    List,
    /// Make somebody known and print the one-time link with which they register their passkey.
    #[command(
        after_help = "Examples:\n  obhut people invite --name \"Anna Beispiel\" --role nurse --trained-on 2026-11-02\n  \
        obhut people invite --name \"Peter Pumpe\" --firm pump-maker --role pump-service --pledged-until 2027-03-31\n  \
        obhut people invite --name \"Display corridor\" --role wall\n\n\
        A role that needs a training rests until somebody notes it."
    )]
    Invite {
        /// What they are called.
        #[arg(long)]
        name: String,
        /// Role of the charter; may be given more than once.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// The firm they work for, as the charter names it; without it they work for the hospital.
        #[arg(long, value_name = "RECIPIENT")]
        firm: Option<String>,
        /// Day on which they had the training their roles need.
        #[arg(long, value_name = "DAY")]
        trained_on: Option<String>,
        /// Day until which they are pledged to secrecy; people of other firms only.
        #[arg(long, value_name = "DAY")]
        pledged_until: Option<String>,
        /// How many hours the link may be used.
        #[arg(long, default_value_t = 24)]
        hours: u32,
    },
    /// Print a new one-time link for somebody, as for a lost passkey. Older links of theirs end.
    #[command(after_help = "Example:\n  obhut people link \"Anna Beispiel\"")]
    Link {
        /// Name, or identifier from the list.
        person: String,
        /// How many hours it may be used.
        #[arg(long, default_value_t = 24)]
        hours: u32,
    },
    /// Close somebody's account and end their sessions at once.
    #[command(after_help = "Example:\n  obhut people disable \"Anna Beispiel\"")]
    Disable {
        /// Name, or identifier from the list.
        person: String,
    },
}

pub async fn run(client: &Client, command: &People, output: Output) -> Result<()> {
    match command {
        People::List => {
            let answer = client.ask(Method::GET, "/api/v1/people", None).await?;
            print::show(output, &answer, list);
        }
        People::Invite { name, roles, firm, trained_on, pledged_until, hours } => {
            let roles: Vec<Value> = roles.iter().map(|role| json!({"role": role})).collect();
            let kind = if firm.is_some() { "external" } else { "staff" };
            let body = json!({"name": name, "kind": kind, "recipient": firm, "roles": roles, "trained_on": day(trained_on.as_deref())?,
                              "pledged_until": day(pledged_until.as_deref())?, "hours": hours});
            let answer = client.ask(Method::POST, "/api/v1/people", Some(&body)).await?;
            print::show(output, &answer, link);
        }
        People::Link { person, hours } => {
            let path = format!("/api/v1/people/{}/link", escape(&find(client, person).await?));
            let answer = client.ask(Method::POST, &path, Some(&json!({"hours": hours}))).await?;
            print::show(output, &answer, link);
        }
        People::Disable { person } => {
            let path = format!("/api/v1/people/{}/disable", escape(&find(client, person).await?));
            let answer = client.ask(Method::POST, &path, None).await?;
            print::show(output, &answer, |answer| {
                println!("closed; sessions ended: {}", answer.get("sessions_ended").unwrap_or(&Value::Null));
            });
        }
    }
    Ok(())
}

/// The beginning of a day, UTC, in microseconds.
fn day(given: Option<&str>) -> Result<Option<i64>> {
    let Some(given) = given else { return Ok(None) };
    let day: jiff::civil::Date = given.parse().with_context(|| format!("`{given}` is not a day; write 2026-11-02"))?;
    Ok(Some(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_microsecond()))
}

fn rows<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// The identifier of whoever is meant: given as such, or by a name that only one person has.
async fn find(client: &Client, person: &str) -> Result<String> {
    let answer = client.ask(Method::GET, "/api/v1/people", None).await?;
    let mut found: Vec<&Value> =
        rows(&answer, "people").filter(|row| text(row, "id") == person || text(row, "name") == person).collect();
    match (found.pop(), found.len()) {
        (Some(row), 0) => Ok(text(row, "id")),
        (found, _) => Err(Failure {
            exit: Exit::Refused,
            message: if found.is_some() {
                format!("more than one person is called `{person}`")
            } else {
                format!("nobody is called `{person}`")
            },
            hint: Some("give the identifier from `obhut people list`".to_owned()),
        }
        .into()),
    }
}

fn link(answer: &Value) {
    println!("{}", text(answer, "link"));
    println!("works once, until {}", time(answer, "expires"));
}

fn list(answer: &Value) {
    for person in rows(answer, "people") {
        let state = if person.get("disabled").is_some_and(|at| !at.is_null()) { " (closed)" } else { "" };
        println!("{}  {}{state}", text(person, "id"), text(person, "name"));
        for role in rows(person, "roles") {
            let rests =
                role.get("asleep").and_then(Value::as_str).map_or_else(String::new, |why| format!(", rests: {why}"));
            println!("    {}{rests}", text(role, "role"));
        }
        let passkeys = rows(person, "passkeys").count();
        let invited = if person.get("invited").is_some_and(|at| !at.is_null()) { ", link open" } else { "" };
        let provider = if person.get("provider").and_then(Value::as_bool) == Some(true) { ", provider" } else { "" };
        println!("    passkeys: {passkeys}{provider}{invited}");
    }
}
