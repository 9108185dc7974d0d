//! The command line of the load generator.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "MQTT over mutual TLS 1.3 load generator (loopback only)")]
pub struct Cli {
    #[command(subcommand)]
    pub cmd: Cmd,
}

#[derive(Subcommand)]
pub enum Cmd {
    /// Make a throw-away CA, a server certificate and N client certificates
    Certs {
        #[arg(long)]
        out: PathBuf,
        #[arg(long, default_value_t = 1)]
        clients: usize,
    },
    /// Publish QoS 1, flat out or at a rate; measures acknowledgement latency
    Pub(Pub),
    /// Reconnect storm: connect, TLS, CONNECT, CONNACK, close, again and again
    Storm(Storm),
    /// Open many connections and hold them; reports server memory per connection
    Idle(Idle),
    /// Open many connections, lose them all when the server is restarted, and say when the last one streams again
    Reconnect(Reconnect),
    /// Beds: each sends frames of waveforms and numerics, as obhut-agent does, at their natural pace
    Wave(Wave),
    /// Enrol invited devices over EST, each with a key of its own; writes what `--tls-dir` expects
    Enrol(Enrol),
    /// The usual consumer behind a broker: subscribe, seal, insert into PostgreSQL in batches, acknowledge after the commit
    Sink(Sink),
    /// Bytes per sample of pco on bare samples
    Pco(Pco),
    /// A null broker (no storage or a bare fsync log): the ceiling of this machine, not a product
    Nullserver(Null),
}

/// What every mode that opens connections takes.
#[derive(Args, Clone)]
pub struct Common {
    #[arg(long, default_value = "127.0.0.1:8883")]
    pub addr: SocketAddr,
    /// Directory written by `certs`
    #[arg(long)]
    pub tls_dir: PathBuf,
    /// One certificate for all connections, or one each
    #[arg(long, default_value = "shared", value_parser = ["shared", "each"])]
    pub cert: String,
    /// x25519, p256 or mlkem
    #[arg(long, default_value = "x25519")]
    pub kx: String,
    /// MQTT version: 4 (3.1.1) or 5
    #[arg(long, default_value_t = 5)]
    pub mqtt: u8,
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Server processes whose CPU and memory to read
    #[arg(long, value_delimiter = ',')]
    pub server_pid: Vec<u32>,
    /// Free text put into the result line
    #[arg(long, default_value = "")]
    pub label: String,
    /// Spread client sockets over this many loopback source addresses
    #[arg(long, default_value_t = 8)]
    pub sources: u8,
    #[arg(long, default_value = "lg")]
    pub client_prefix: String,
    #[arg(long, default_value_t = 600)]
    pub keepalive: u16,
}

#[derive(Args, Clone)]
pub struct Pub {
    #[command(flatten)]
    pub c: Common,
    #[arg(long, default_value_t = 1)]
    pub conns: usize,
    #[arg(long, default_value_t = 20)]
    pub inflight: usize,
    /// Messages per second over all connections; 0 is flat out
    #[arg(long, default_value_t = 0.0)]
    pub rate: f64,
    /// Seconds measured
    #[arg(long, default_value_t = 5.0)]
    pub duration: f64,
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// json:SIZE, senml:SIZE, bin:SIZE, tmpl:PATH or file:PATH
    #[arg(long, default_value = "json:200")]
    pub payload: String,
    /// `{client}` is replaced by the connection's number
    #[arg(long, default_value = "bench/{client}/v")]
    pub topic: String,
    /// Connections opened at once during set-up
    #[arg(long, default_value_t = 32)]
    pub connect_concurrency: usize,
    /// Stop once this many messages were acknowledged in the measured window (0: by time only)
    #[arg(long, default_value_t = 0)]
    pub max_msgs: u64,
}

#[derive(Args, Clone)]
pub struct Storm {
    #[command(flatten)]
    pub c: Common,
    #[arg(long, default_value_t = 16)]
    pub concurrency: usize,
    #[arg(long, default_value_t = 5.0)]
    pub duration: f64,
    #[arg(long, default_value_t = 0.5)]
    pub warmup: f64,
    /// Offer TLS session resumption
    #[arg(long)]
    pub resume: bool,
    /// Stop after TLS, without MQTT
    #[arg(long)]
    pub tls_only: bool,
}

#[derive(Args, Clone)]
pub struct Idle {
    #[command(flatten)]
    pub c: Common,
    #[arg(long, default_value_t = 2000)]
    pub conns: usize,
    #[arg(long, default_value_t = 32)]
    pub concurrency: usize,
    #[arg(long, default_value_t = 5.0)]
    pub hold: f64,
    /// Send one QoS 1 message of this payload on each connection after opening it
    #[arg(long)]
    pub touch: Option<String>,
    /// Where to; `{client}` is replaced by the connection's number
    #[arg(long, default_value = "bench/{client}/v")]
    pub topic: String,
}

#[derive(Args, Clone)]
pub struct Reconnect {
    #[command(flatten)]
    pub c: Common,
    #[arg(long, default_value_t = 10_000)]
    pub conns: usize,
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    #[arg(long, default_value = "senml:200")]
    pub payload: String,
    #[arg(long, default_value = "bench/{client}/v")]
    pub topic: String,
    /// Longest random wait before a connection comes back, seconds
    #[arg(long, default_value_t = 2.0)]
    pub jitter: f64,
    /// Give up after this many seconds
    #[arg(long, default_value_t = 120.0)]
    pub max: f64,
}

#[derive(Args, Clone)]
pub struct Wave {
    #[command(flatten)]
    pub c: Common,
    #[arg(long, default_value_t = 500)]
    pub beds: usize,
    #[arg(long, default_value = "obhut/{prefix}-{client}/frame")]
    pub topic: String,
    /// Seconds measured
    #[arg(long, default_value_t = 60.0)]
    pub duration: f64,
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
    /// Length of a frame, milliseconds
    #[arg(long, default_value_t = 400)]
    pub frame_ms: u64,
    /// The waveforms of every bed, CODE:HERTZ with commas: by default ECG II, pleth, arterial pressure, respiration
    #[arg(long, default_value = "131330:500,150452:250,150036:250,151552:125")]
    pub waves: String,
    /// Send waveforms only
    #[arg(long)]
    pub no_numerics: bool,
    /// Raw little-endian 16-bit samples to send instead of synthetic ones
    #[arg(long)]
    pub samples: Option<PathBuf>,
    #[arg(long, default_value_t = 32)]
    pub connect_concurrency: usize,
}

#[derive(Args, Clone)]
pub struct Enrol {
    /// The server's HTTPS address
    #[arg(long)]
    pub https: SocketAddr,
    /// Its root certificate, PEM
    #[arg(long)]
    pub root: PathBuf,
    /// What the invitation call answered: `{"devices": [{"id", "serial", "token"}, …]}`
    #[arg(long)]
    pub invitations: PathBuf,
    #[arg(long)]
    pub out: PathBuf,
    #[arg(long, default_value_t = 8)]
    pub concurrency: usize,
}

#[derive(Args, Clone)]
pub struct Sink {
    #[arg(long)]
    pub broker: SocketAddr,
    #[arg(long)]
    pub tls_dir: PathBuf,
    /// pg (plain columns) or appgcm (AES-256-GCM here, then PostgreSQL)
    #[arg(long, default_value = "appgcm", value_parser = ["pg", "appgcm"])]
    pub mode: String,
    #[arg(long)]
    pub pg: String,
    #[arg(long, default_value = "bench/+/v")]
    pub topic: String,
    #[arg(long, default_value_t = 500)]
    pub batch: usize,
    #[arg(long, default_value_t = 5)]
    pub linger_ms: u64,
    /// Stop this long after the last message
    #[arg(long, default_value_t = 2.0)]
    pub quiet: f64,
    #[arg(long, default_value_t = 60.0)]
    pub max: f64,
}

#[derive(Args, Clone)]
pub struct Pco {
    /// Raw little-endian 16-bit samples; synthetic ones without it
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Interleaved channels in the file
    #[arg(long, default_value_t = 1)]
    pub channels: usize,
    /// Samples per channel in one chunk; 0 is the whole record
    #[arg(long, default_value_t = 0)]
    pub chunk: usize,
    #[arg(long, default_value_t = 8)]
    pub level: usize,
}

#[derive(Args, Clone)]
pub struct Null {
    #[arg(long, default_value = "127.0.0.1:8884")]
    pub addr: SocketAddr,
    #[arg(long)]
    pub tls_dir: PathBuf,
    #[arg(long, default_value = "x25519")]
    pub kx: String,
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// now: acknowledge at once. fsync: append to --file, fdatasync in groups, then acknowledge
    #[arg(long, default_value = "now", value_parser = ["now", "fsync"])]
    pub ack: String,
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Seal each payload with AES-256-GCM before it is appended
    #[arg(long)]
    pub seal: bool,
    #[arg(long)]
    pub tickets: bool,
    /// Exit by itself after this many seconds
    #[arg(long, default_value_t = 600.0)]
    pub life: f64,
}
