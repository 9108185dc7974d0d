//! `obhut readings …`: list, and export as CSV or WFDB.

use crate::cli::{Format, Output, Readings, Which};
use crate::client::{Client, escape};
use crate::print::{self, parse_time, text, time};
use anyhow::{Context, Result, bail};
use axum::body::Body;
use http::Method;
use http_body_util::BodyExt as _;
use obhut_http::export::{CSV_HEAD, RunLine};
use obhut_model::{Code, DeviceTime, NO_VALUE, Quality, SampleRate};
use obhut_store::Run;
use obhut_wfdb::{ABSENT, Export, ExportChannel, ExportRun};
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

pub async fn readings(client: &Client, command: &Readings, output: Output) -> Result<()> {
    match command {
        Readings::List(which) => {
            let answer = client.ask(Method::GET, &format!("/v1/readings?{}", query(which)?), None).await?;
            print::show(output, &answer, |answer| {
                let rows: Vec<Vec<String>> = answer
                    .get("readings")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .map(|r| {
                        vec![
                            text(r, "reference_id"),
                            text(r, "code"),
                            text(r, "unit"),
                            time(r, "first"),
                            time(r, "last"),
                        ]
                    })
                    .collect();
                println!("patient {}", text(answer, "subject"));
                print::table(&["READING", "CODE", "UNIT", "FIRST", "LAST"], &rows);
            });
            Ok(())
        }
        Readings::Export { which, format, to_file } => {
            let body = client.stream(&format!("/v1/readings/runs?{}", query(which)?)).await?;
            match (format, to_file) {
                (Format::Csv, Some(path)) => {
                    let file = File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
                    csv(body, BufWriter::new(file)).await
                }
                (Format::Csv, None) => csv(body, BufWriter::new(std::io::stdout())).await,
                (Format::Wfdb, Some(path)) => wfdb(body, path, output).await,
                (Format::Wfdb, None) => bail!("a WFDB export needs a record name; give one with `--to-file`"),
            }
        }
    }
}

fn query(which: &Which) -> Result<String> {
    let now = jiff::Timestamp::now().as_microsecond();
    let mut parts = Vec::new();
    for (name, value) in [("subject", &which.subject), ("bed", &which.bed), ("code", &which.code)] {
        if let Some(value) = value {
            parts.push(format!("{name}={}", escape(value)));
        }
    }
    for (name, value) in [("from", &which.from), ("to", &which.to)] {
        if let Some(value) = value {
            parts.push(format!("{name}={}", parse_time(value, now)?));
        }
    }
    Ok(parts.join("&"))
}

/// Calls `each` for every run of the stream, in order.
async fn for_each_run(mut body: Body, mut each: impl FnMut(Code, Run) -> Result<()>) -> Result<()> {
    let mut pending: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.context("the server stopped in the middle; what was written is not complete")?.into_data()
        else {
            continue;
        };
        pending.extend_from_slice(&data);
        let whole = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = pending.split_off(whole);
        for line in pending.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: RunLine = serde_json::from_slice(line).context("the server's answer is not understood")?;
            let (code, run) = line.into_run().context("the server's answer is not understood")?;
            each(code, run)?;
        }
        pending = rest;
    }
    if pending.is_empty() {
        Ok(())
    } else {
        bail!("the server stopped in the middle; what was written is not complete")
    }
}

async fn csv(body: Body, mut out: impl Write) -> Result<()> {
    out.write_all(CSV_HEAD.as_bytes())?;
    for_each_run(body, |code, run| obhut_http::export::csv(&mut out, code, &run).context("cannot write")).await?;
    out.flush().context("cannot write")
}

async fn wfdb(body: Body, path: &Path, output: Output) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).context("the record needs a name")?.to_owned();
    let mut channels: Vec<(Code, ExportChannel)> = Vec::new();
    for_each_run(body, |code, run| wfdb_run(&mut channels, code, run)).await?;
    let export =
        Export { name, channels: channels.into_iter().map(|(_, channel)| channel).collect(), comments: Vec::new() };
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut written = Vec::new();
    for file in obhut_wfdb::write(&export)? {
        let target = directory.join(&file.name);
        std::fs::write(&target, file.bytes).with_context(|| format!("cannot write `{}`", target.display()))?;
        written.push(file.name);
    }
    print::show(output, &serde_json::json!({"files": written}), |_| {
        for file in &written {
            println!("{}", directory.join(file).display());
        }
    });
    Ok(())
}

/// Adds one run to the channel of its code and rate; a code that changes its rate gets a second channel.
fn wfdb_run(channels: &mut Vec<(Code, ExportChannel)>, code: Code, run: Run) -> Result<()> {
    let rate = match &run {
        Run::Waveform { rate, .. } => *rate,
        Run::Numerics { values, .. } => numeric_rate(values),
    };
    let at = match channels
        .iter()
        .position(|(known, channel)| *known == code && (channel.rate == rate || matches!(run, Run::Numerics { .. })))
    {
        Some(at) => at,
        None => {
            channels.push((code, ExportChannel::of(code, rate)));
            channels.len() - 1
        }
    };
    let (_, channel) = channels.get_mut(at).context("a channel was lost")?;
    match run {
        Run::Waveform { start, scale, samples, .. } => channel.runs.push(ExportRun {
            start,
            gain: scale.gain,
            baseline: scale.baseline,
            samples: samples
                .into_iter()
                .map(|sample| if sample == NO_VALUE { ABSENT } else { i32::from(sample) })
                .collect(),
        }),
        Run::Numerics { step, values } => {
            channel.push_numerics(1.0 / step.to_f64(), values.into_iter().map(|(at, steps, _)| (at, steps)));
        }
    }
    Ok(())
}

/// The grid numbers are put on: the median distance of neighbours, at least a tenth of a second, at most an hour.
fn numeric_rate(values: &[(DeviceTime, Option<i32>, Quality)]) -> SampleRate {
    let mut distances: Vec<i64> =
        values.windows(2).filter_map(|w| w.last().zip(w.first())).map(|(b, a)| b.0.since(a.0)).collect();
    distances.sort_unstable();
    let median = distances.get(distances.len() / 2).copied().unwrap_or(1_000_000).clamp(100_000, 3_600_000_000);
    let microhertz = u32::try_from(1_000_000_000_000 / median).unwrap_or(u32::MAX);
    SampleRate::from_microhertz(microhertz).unwrap_or(ONE_A_SECOND)
}

const ONE_A_SECOND: SampleRate = match SampleRate::from_microhertz(1_000_000) {
    Some(rate) => rate,
    None => unreachable!(),
};
