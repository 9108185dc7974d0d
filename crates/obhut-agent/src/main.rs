//! The device side as a program: enrol once, then feed it readings.

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use obhut_agent::est::{self, EstError, EstServer, Fingerprint};
use obhut_agent::lines::{self, Line};
use obhut_agent::state::{Device, StateDir};
use obhut_agent::{Agent, AgentStats, Endpoints, SystemClock};
use obhut_model::DeviceId;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

/// Connects a bedside device to Obhut: enrols it, sends its readings, buffers them sealed while the link is down.
///
/// The device opens connections and never listens. Its key is made here and never leaves.
#[derive(Parser)]
#[command(name = "obhut-agent", version, after_help = "Begin with: obhut-agent enrol --help")]
struct Arguments {
    /// Where the device keeps its key, certificate and buffer; readable by its owner alone
    #[arg(long, global = true, default_value = "/var/lib/obhut-agent", env = "OBHUT_AGENT_STATE", value_name = "DIR")]
    state: PathBuf,
    /// How to print
    #[arg(long, global = true, default_value = "text", value_name = "FORM")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For scripts
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Enrol this device with the one-time token of its invitation; afterwards `run` works
    ///
    /// Everything asked for stands in the invitation that `obhut device invite` prints. The server is trusted only if it holds the root
    /// certificate with the fingerprint given, and the token is sent to no one else.
    #[command(
        after_help = "Example: obhut-agent enrol --server https://ward.example:8443 --ca-sha256 ab12… --device mon-01 --serial SN-4711 --token-file token\nNext:    obhut-agent run --gateway ward.example:8883"
    )]
    Enrol {
        /// Address of the enrolment server
        #[arg(long, value_name = "URL")]
        server: String,
        /// SHA-256 of the root certificate, 64 hexadecimal digits
        #[arg(long, value_name = "HEX")]
        ca_sha256: String,
        /// Name of this device
        #[arg(long, value_name = "ID")]
        device: String,
        /// Serial number given by its maker
        #[arg(long, value_name = "SERIAL")]
        serial: String,
        /// File with the one-time token; `-` reads it from standard input
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// Replace an identity this directory already holds
        #[arg(long)]
        again: bool,
    },
    /// Send readings from standard input, one per line, until it ends or a signal comes
    ///
    /// A line is a SenML record or pack, or a stretch of waveform. What is not acknowledged at the end stays in the buffer and is sent next time.
    #[command(
        after_help = "Example: echo '{\"n\":\"MDC_TEMP\",\"u\":\"Cel\",\"v\":36.7}' | obhut-agent run --gateway ward.example:8883\n         {\"wave\":\"MDC_ECG_ELEC_POTL_II\",\"rate\":250,\"gain\":200,\"samples\":[0,5,null,-5]}"
    )]
    Run {
        /// Address of the gateway, `host:port`
        #[arg(long, value_name = "HOST:PORT")]
        gateway: String,
        /// Bytes of the buffer on disk
        #[arg(long, default_value_t = 64 << 20, value_name = "BYTES")]
        buffer_bytes: u64,
        /// Write every frame to disk before it is sent: nothing is lost in a power cut, but flash wears
        #[arg(long)]
        write_all: bool,
        /// How long to wait for acknowledgements after the input ended, in seconds
        #[arg(long, default_value_t = 10, value_name = "SECONDS")]
        linger: u64,
    },
    /// Show who this device is, how long its certificate lasts and what waits in the buffer
    Status,
}

/// How the program ended.
#[repr(u8)]
enum Exit {
    Failed = 1,
    Refused = 3,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into(), Exit::Failed),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let refused = error.downcast_ref::<EstError>().is_some_and(EstError::is_final);
            fail(&error, if refused { Exit::Refused } else { Exit::Failed })
        }
    }
}

fn fail(error: &anyhow::Error, exit: Exit) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(exit as u8)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let state = StateDir::open(&arguments.state)?;
    match arguments.command {
        Command::Enrol { server, ca_sha256, device, serial, token_file, again } => {
            let invitation = Invitation { server, ca_sha256, device, serial, token_file, again };
            enrol(&state, invitation, arguments.output).await
        }
        Command::Run { gateway, buffer_bytes, write_all, linger } => {
            let (host, port) = host_and_port(&gateway, 8883)?;
            let endpoints = Endpoints { gateway_host: host, gateway_port: port, enrolment: None };
            let builder = Agent::builder(&arguments.state, endpoints, Arc::new(SystemClock::default()));
            let agent = builder.buffer_bytes(buffer_bytes).write_all(write_all).start()?;
            feed(agent, Duration::from_secs(linger), arguments.output).await
        }
        Command::Status => status(&state, arguments.output),
    }
}

struct Invitation {
    server: String,
    ca_sha256: String,
    device: String,
    serial: String,
    token_file: PathBuf,
    again: bool,
}

async fn enrol(state: &StateDir, invitation: Invitation, output: Output) -> anyhow::Result<()> {
    let _lock = state.lock()?;
    if state.is_enrolled() && !invitation.again {
        anyhow::bail!("this directory already holds an identity; use `--again` to replace it, or another `--state`");
    }
    let pin: Fingerprint = invitation.ca_sha256.parse()?;
    let authority = invitation.server.strip_prefix("https://").context("`--server` must begin with `https://`")?;
    let (host, port) = host_and_port(authority.trim_end_matches('/'), 8443)?;
    let id = DeviceId::new(&invitation.device).context("`--device` is not a device name")?;
    let token = zeroize::Zeroizing::new(read_token(&invitation.token_file)?);
    let device = Device { id, serial: invitation.serial, enrolment_host: host.clone(), enrolment_port: port };
    let enrolled = est::enrol(&EstServer { host, port }, pin, &device, token.trim()).await?;
    state.enrol(&device, &enrolled.root, enrolled.identity_pem.as_bytes())?;
    let validity = state.identity()?.validity();
    let ends = validity.map_or(0, |v| v.to);
    print(
        output,
        &serde_json::json!({"device": device.id.as_str(), "certificate_ends": ends}),
        &format!(
            "Enrolled as `{}`; the certificate lasts {} and renews itself while the agent runs.\nNext: obhut-agent run --gateway HOST:8883 --state {}",
            device.id,
            left(ends),
            state.path().display()
        ),
    )
}

fn read_token(file: &std::path::Path) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).context("the token cannot be read from standard input")?;
        return Ok(line);
    }
    std::fs::read_to_string(file).with_context(|| format!("the token cannot be read from `{}`", file.display()))
}

/// Longest line of input; what is longer could not become a frame.
const LINE_BYTES_MAX: u64 = 256 * 1024;

async fn feed(agent: Agent, linger: Duration, output: Output) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    if std::io::stdin().is_terminal() {
        tracing::info!("reading from the terminal, one reading per line; end with Ctrl-D");
    }
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    let mut ended = false;
    while !ended {
        line.clear();
        let mut limited = (&mut input).take(LINE_BYTES_MAX);
        tokio::select! {
            read = limited.read_until(b'\n', &mut line) => ended = read? == 0,
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty()
            && let Err(error) = offer(&agent, &text)
        {
            tracing::warn!("line refused: {error:#}");
        }
    }
    let deadline = tokio::time::Instant::now() + linger;
    while ended && agent.stats().pending > 0 && tokio::time::Instant::now() < deadline {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    report(output, &agent.shutdown().await)
}

fn offer(agent: &Agent, line: &str) -> anyhow::Result<()> {
    let stamp = agent.stamp();
    match lines::read(line, agent.device(), stamp.at)? {
        Line::Numerics(numerics) => agent.offer(&numerics, &[])?,
        Line::Wave(wave) => agent.offer(&[], &[wave.as_raw().context("half a sample")?])?,
    };
    Ok(())
}

fn report(output: Output, stats: &AgentStats) -> anyhow::Result<()> {
    let c = stats.counters;
    let json = serde_json::json!({
        "offered": c.offered, "acknowledged": c.acknowledged, "refused": c.refused, "waiting": stats.pending, "lost": c.lost,
        "connections": c.connections, "last_down": stats.last_down.map(|down| format!("{down:?}")),
    });
    let text = format!(
        "{} frames sent and acknowledged, {} refused, {} waiting in the buffer, {} lost",
        c.acknowledged, c.refused, stats.pending, c.lost
    );
    print(output, &json, &text)
}

fn status(state: &StateDir, output: Output) -> anyhow::Result<()> {
    let device = state.device()?;
    let validity = state.identity()?.validity().context("the certificate cannot be read")?;
    let running = state.lock().is_err();
    let json = serde_json::json!({
        "device": device.id.as_str(), "serial": device.serial, "certificate_serial": validity.serial, "certificate_from": validity.from,
        "certificate_ends": validity.to, "buffer_bytes": state.buffer_bytes(), "running": running,
    });
    let text = format!(
        "device       {}\nserial       {}\ncertificate  {}, lasts {}\nbuffer       {} bytes on disk\nagent        {}",
        device.id,
        device.serial,
        validity.serial,
        left(validity.to),
        state.buffer_bytes(),
        if running { "running" } else { "not running" }
    );
    print(output, &json, &text)
}

fn print(output: Output, json: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Text => writeln!(out, "{text}")?,
        Output::Json => writeln!(out, "{json}")?,
    }
    Ok(())
}

fn left(ends: i64) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    match ends - now {
        seconds if seconds <= 0 => "no longer; the device must be invited anew".to_owned(),
        seconds => format!("{} h {} min more", seconds / 3_600, seconds / 60 % 60),
    }
}

fn host_and_port(text: &str, default: u16) -> anyhow::Result<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
            (host, port.parse().with_context(|| format!("`{port}` is not a port"))?)
        }
        _ => (text, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    anyhow::ensure!(!host.is_empty() && !host.contains('/'), "`{text}` is not `host:port`");
    Ok((host.to_owned(), port))
}
