//! What every mode shares: phases, client configurations, opening a connection, threads with a runtime each.

use crate::cli::Common;
use crate::mqtt::{self, Version};
use crate::{net, tls};
use rustls::ClientConfig;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub type Res<T> = tls::Res<T>;

pub const WAIT: u8 = 0;
pub const WARM: u8 = 1;
pub const MEASURE: u8 = 2;
pub const STOP: u8 = 3;

#[derive(Default)]
pub struct Shared {
    pub phase: AtomicU8,
    pub connected: AtomicUsize,
    pub failed: AtomicUsize,
    pub acked: AtomicU64,
    pub nacked: AtomicU64,
    pub lost: AtomicUsize,
    pub last_error: Mutex<String>,
    /// How often each reason code other than success came with a PUBACK.
    reasons: Mutex<std::collections::BTreeMap<u8, u64>>,
}

impl Shared {
    /// Counts what a PUBACK says. From 0x80 on the message was refused; 0x10 means that nobody wanted it.
    pub fn answered(&self, body: &[u8]) {
        let reason = body.get(2).copied().unwrap_or(0);
        if reason >= 0x80 {
            self.nacked.fetch_add(1, Relaxed);
        }
        if reason != 0 {
            *self.reasons.lock().unwrap().entry(reason).or_default() += 1;
        }
    }

    /// Reason codes in hexadecimal, with their number.
    pub fn reasons(&self) -> std::collections::BTreeMap<String, u64> {
        self.reasons.lock().unwrap().iter().map(|(k, v)| (format!("0x{k:02x}"), *v)).collect()
    }

    pub fn error(&self, e: impl std::fmt::Display) {
        *self.last_error.lock().unwrap() = e.to_string();
    }
    pub fn phase(&self) -> u8 {
        self.phase.load(Relaxed)
    }
}

/// `{client}` is the connection's number, `{prefix}` what client identifiers begin with.
pub fn topic(pattern: &str, c: &Common, i: usize) -> String {
    pattern.replace("{client}", &format!("{i:06}")).replace("{prefix}", &c.client_prefix)
}

pub fn version(v: u8) -> Version {
    if v == 5 { Version::V5 } else { Version::V4 }
}

/// Client TLS configurations: one, or one per connection.
pub struct Configs(Vec<Arc<ClientConfig>>);
impl Configs {
    pub fn load(c: &Common, n: usize, resume: bool) -> Res<Configs> {
        let roots = tls::roots(&c.tls_dir)?;
        let prov = tls::provider(&c.kx)?;
        let n = if c.cert == "shared" { 1 } else { n };
        (0..n)
            .map(|i| tls::client(&c.tls_dir, roots.clone(), prov.clone(), i, resume))
            .collect::<Res<Vec<_>>>()
            .map(Configs)
    }
    pub fn get(&self, i: usize) -> Arc<ClientConfig> {
        self.0[i % self.0.len()].clone()
    }
}

pub type Stream = TlsStream<TcpStream>;

/// Which loopback source address connection `i` uses.
pub fn source(c: &Common, i: usize) -> u8 {
    if c.sources <= 1 { 0 } else { 1 + (i % c.sources as usize) as u8 }
}

pub async fn open_tls(c: &Common, cfg: Arc<ClientConfig>, i: usize) -> io::Result<Stream> {
    let tcp = net::connect(c.addr, source(c, i)).await?;
    TlsConnector::from(cfg).connect(tls::name(), tcp).await
}

pub async fn mqtt_connect(c: &Common, s: &mut Stream, id: &str) -> io::Result<u16> {
    let v = version(c.mqtt);
    s.write_all(&mqtt::connect(v, id, c.keepalive, 65535)).await?;
    s.flush().await?;
    let mut buf = Vec::with_capacity(256);
    loop {
        if s.read_buf(&mut buf).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before CONNACK"));
        }
        if let Some((p, _)) = mqtt::next_packet(&buf, 0)? {
            if p.kind != mqtt::CONNACK {
                return Err(io::Error::other(format!("packet kind {} before CONNACK", p.kind)));
            }
            let (code, rm) = mqtt::parse_connack(v, &buf[p.body])?;
            if code != 0 {
                return Err(io::Error::other(format!("CONNACK code {code}")));
            }
            return Ok(rm);
        }
    }
}

pub async fn open_mqtt(c: &Common, cfg: Arc<ClientConfig>, i: usize) -> io::Result<(Stream, u16)> {
    let mut s = open_tls(c, cfg, i).await?;
    let rm = mqtt_connect(c, &mut s, &format!("{}-{i:06}", c.client_prefix)).await?;
    Ok((s, rm))
}

pub fn spawn_threads<T, F>(n: usize, f: F) -> Vec<std::thread::JoinHandle<T>>
where
    T: Send + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    let f = Arc::new(f);
    (0..n)
        .map(|t| {
            let f = f.clone();
            std::thread::spawn(move || f(t))
        })
        .collect()
}

pub fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub fn sleep(s: f64) {
    std::thread::sleep(Duration::from_secs_f64(s));
}

/// Waits until `n` connections are up (or failed); false after `limit` seconds.
pub fn await_connected(sh: &Shared, n: usize, limit: f64) -> bool {
    let t = Instant::now();
    while sh.connected.load(Relaxed) + sh.failed.load(Relaxed) < n {
        if t.elapsed().as_secs_f64() > limit {
            return false;
        }
        sleep(0.01);
    }
    true
}
