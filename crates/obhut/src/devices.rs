//! `obhut device …`, `obhut bed …`, `obhut patient …`.

use crate::cli::{Bed, Device, Output, Patient};
use crate::client::{Client, escape};
use crate::exit::{Exit, Failure};
use crate::print::{self, parse_time, text, time};
use anyhow::{Context, Result};
use http::Method;
use serde_json::{Map, Value, json};
use std::io::Read as _;

fn rows<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Adds a time to a request, if one was given.
fn with_time(mut body: Map<String, Value>, field: &str, given: Option<&str>) -> Result<Value> {
    if let Some(given) = given {
        body.insert(field.to_owned(), json!(parse_time(given, now())?));
    }
    Ok(Value::Object(body))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

fn object(pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
}

pub async fn device(client: &Client, command: &Device, output: Output) -> Result<()> {
    match command {
        Device::Invite { model, serial, id, bed } => {
            invite(client, model, serial, id.as_deref(), bed.as_deref(), output).await
        }
        Device::List => {
            let answer = client.ask(Method::GET, "/v1/devices", None).await?;
            print::show(output, &answer, list);
            Ok(())
        }
        Device::Show { id } => {
            let answer = client.ask(Method::GET, &format!("/v1/devices/{}", escape(id)), None).await?;
            print::show(output, &answer, show);
            Ok(())
        }
        Device::Revoke { id, reason } => {
            let body = json!({"reason": reason});
            let answer = client.ask(Method::POST, &format!("/v1/devices/{}/revoke", escape(id)), Some(&body)).await?;
            print::show(output, &answer, |answer| {
                let cut = if answer.get("session_cut").and_then(Value::as_bool) == Some(true) {
                    "; its session was cut"
                } else {
                    ""
                };
                println!("{} is revoked{cut}", text(answer, "id"));
            });
            Ok(())
        }
        Device::Bind { id, bed, from } => {
            let body = with_time(object(&[("bed", bed)]), "from", from.as_deref())?;
            let answer = client.ask(Method::PUT, &format!("/v1/devices/{}/bed", escape(id)), Some(&body)).await?;
            print::show(output, &answer, |answer| {
                println!("{} stands at {} from {}", text(answer, "id"), text(answer, "bed"), time(answer, "from"))
            });
            Ok(())
        }
        Device::Unbind { id, to } => {
            let body = with_time(Map::new(), "to", to.as_deref())?;
            let answer = client.ask(Method::DELETE, &format!("/v1/devices/{}/bed", escape(id)), Some(&body)).await?;
            print::show(output, &answer, |answer| {
                println!("{} stands at no bed from {}", text(answer, "id"), time(answer, "to"))
            });
            Ok(())
        }
    }
}

async fn invite(
    client: &Client,
    model: &str,
    serial: &str,
    id: Option<&str>,
    bed: Option<&str>,
    output: Output,
) -> Result<()> {
    let body = json!({"devices": [{"model": model, "serial": serial, "id": id}]});
    let answer = client.ask(Method::POST, "/v1/devices", Some(&body)).await?;
    let device = rows(&answer, "devices").next().context("the server's answer is not understood")?;
    let name = text(device, "id");
    if let Some(bed) = bed {
        client.ask(Method::PUT, &format!("/v1/devices/{}/bed", escape(&name)), Some(&json!({"bed": bed}))).await?;
    }
    let status = client.ask(Method::GET, "/v1/status", None).await?;
    print::show(output, &answer, |answer| {
        println!("device   {name}   model {}   serial {}", text(device, "model"), text(device, "serial"));
        println!("token    {}   once, until {}", text(device, "token"), time(device, "expires"));
        println!("\nOn the device, with the token in a file only it may read:\n");
        println!(
            "  obhut-agent enrol --server https://{} --ca-sha256 {} \\\n    --device {name} --serial {} --token-file token --state state",
            text(&status, "https"),
            text(answer, "ca_sha256"),
            text(device, "serial")
        );
    });
    Ok(())
}

fn list(answer: &Value) {
    let rows: Vec<Vec<String>> = rows(answer, "devices")
        .map(|d| {
            ["id", "model", "serial", "state", "bed", "connected"]
                .iter()
                .map(|field| text(d, field))
                .chain([time(d, "certificate_ends")])
                .collect()
        })
        .collect();
    print::table(&["DEVICE", "MODEL", "SERIAL", "STATE", "BED", "CONNECTED", "CERTIFICATE ENDS"], &rows);
}

fn show(device: &Value) {
    for field in ["id", "model", "serial", "state", "bed", "connected", "certificate"] {
        println!("{field:<18}{}", text(device, field));
    }
    for field in ["invited_at", "enrolled_at", "certificate_ends"] {
        println!("{field:<18}{}", time(device, field));
    }
    println!("\nmay send, by the charter in force:");
    let rows: Vec<Vec<String>> = rows(device, "may_send")
        .map(|s| vec![text(s, "code"), text(s, "rate_max_hz"), text(s, "resolution")])
        .collect();
    print::table(&["CODE", "AT MOST PER SECOND", "RESOLUTION"], &rows);
}

pub async fn bed(client: &Client, command: &Bed, output: Output) -> Result<()> {
    let Bed::List = command;
    let answer = client.ask(Method::GET, "/v1/beds", None).await?;
    print::show(output, &answer, |answer| {
        let rows: Vec<Vec<String>> = rows(answer, "beds")
            .map(|bed| {
                let devices: Vec<&str> = rows(bed, "devices").filter_map(Value::as_str).collect();
                vec![text(bed, "id"), text(bed, "label"), text(bed, "subject"), time(bed, "since"), devices.join(", ")]
            })
            .collect();
        print::table(&["BED", "LABEL", "PATIENT (PSEUDONYM)", "SINCE", "DEVICES"], &rows);
    });
    Ok(())
}

pub async fn patient(client: &Client, command: &Patient, output: Output) -> Result<()> {
    match command {
        Patient::Bind { bed, from } => {
            let mut typed = String::new();
            std::io::stdin()
                .take(64 * 1024)
                .read_to_string(&mut typed)
                .context("the identity could not be read from standard input")?;
            let body: Map<String, Value> = serde_json::from_str(&typed).map_err(|_| Failure {
                exit: Exit::Refused,
                message: "standard input does not hold an identity".to_owned(),
                hint: Some(
                    "give JSON with `name`, `birth_date` and `record_number`; see `obhut patient bind --help`"
                        .to_owned(),
                ),
            })?;
            let body = with_time(body, "from", from.as_deref())?;
            let answer = client.ask(Method::PUT, &format!("/v1/beds/{}/patient", escape(bed)), Some(&body)).await?;
            print::show(output, &answer, |answer| {
                println!("{} lies in {} from {}", text(answer, "subject"), text(answer, "bed"), time(answer, "from"));
            });
        }
        Patient::Unbind { bed, to } => {
            let body = with_time(Map::new(), "to", to.as_deref())?;
            let answer = client.ask(Method::DELETE, &format!("/v1/beds/{}/patient", escape(bed)), Some(&body)).await?;
            print::show(output, &answer, |answer| {
                println!("{} is empty from {}", text(answer, "bed"), time(answer, "to"))
            });
        }
        Patient::Erase { subject, record_kept_at, yes } => {
            if !yes {
                return Err(Failure {
                    exit: Exit::Refused,
                    message: "erasing a patient cannot be taken back".to_owned(),
                    hint: Some("say it with `--yes`".to_owned()),
                }
                .into());
            }
            let command = crate::erasure::Erasure::Run {
                subject: subject.clone(),
                reason: "request".to_owned(),
                request: None,
                record_kept_at: record_kept_at.clone(),
                yes: true,
            };
            crate::erasure::run(client, &command, output).await?;
        }
    }
    Ok(())
}
