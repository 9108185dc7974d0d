//! `obhut witness`: be a witness for another site's ledger. Needs no installation: a directory with a key and what was seen.

use anyhow::{Context as _, Result};
use clap::Args;
use obhut_scribe::witness::server::{self, ServerTls, serve};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  obhut witness --state witness --name witness.example/w1 --listen 0.0.0.0:8444 \\\n    --log 'ward.example/ledger+1a2b3c4d+AZ…' --cert chain.pem --cert-key key.pem\n\n\
    Next: put the printed key and this address into the configuration of the site whose ledger is witnessed.\n\
    Keep the directory: a witness that forgets what it saw can be shown anything."
)]
pub struct Witness {
    /// Directory of the witness: its key, made at first start, and what it saw.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Name of the witness, best an address without scheme.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Public key of a ledger to witness, from `obhut ledger key`; may be repeated. Those of earlier starts stay.
    #[arg(long = "log", value_name = "KEY")]
    pub logs: Vec<String>,
    /// Address to listen at.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8444")]
    pub listen: SocketAddr,
    /// Certificate chain, PEM; without it plain HTTP, behind a proxy or on a protected network. What is exchanged is signed either way.
    #[arg(long, value_name = "FILE", requires = "cert_key")]
    pub cert: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub cert_key: Option<PathBuf>,
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// Whatever stands in the way.
pub async fn run(args: &Witness) -> Result<()> {
    let logs = args
        .logs
        .iter()
        .map(|key| key.parse().with_context(|| format!("the key `{key}`")))
        .collect::<Result<Vec<obhut_ledger::VerifierKey>>>()?;
    let witness = Arc::new(server::Witness::open(&args.state, &args.name, &logs)?);
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen at {}", args.listen))?;
    let mut said = format!("key    {}\nlisten {}\n", witness.public_key(), listener.local_addr()?);
    for (name, _, seen) in witness.logs() {
        said.push_str(&format!("log    {name}, {seen} entries seen\n"));
    }
    // Whoever started it may have gone after reading; that is no reason to end.
    let _ = std::io::stdout().write_all(said.as_bytes());
    let tls = match (&args.cert, &args.cert_key) {
        (Some(certificate), Some(key)) => Some(ServerTls { certificate: certificate.clone(), key: key.clone() }),
        _ => None,
    };
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        done = serve(witness, listener, tls.as_ref(), now) => done.context("the witness ended")?,
        _ = tokio::signal::ctrl_c() => {}
        _ = ended.recv() => {}
    }
    Ok(())
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
