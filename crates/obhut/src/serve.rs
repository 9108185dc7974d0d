//! The server: opens an installation, listens, and stops gracefully.

use crate::cli;
use crate::config::Config;
use crate::logging::{self, Quiet};
use crate::open::{self, Opened};
use anyhow::{Context, Result};
use obhut_gateway::{Door, Limits};
use obhut_http::api::{keep_register, keep_sessions, people};
use obhut_http::server::{AdminSocket, serve_https};
use obhut_http::{AppState, admin, page};
use obhut_pki::{ClientAuth, server_config};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// How often the deletion job runs, real time.
const EXPIRE_EVERY: Duration = Duration::from_secs(300);
/// How often stays that begin or end at a set time are looked at, real time.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// How long devices may take to hear that the server stops.
const DOOR_GRACE: Duration = Duration::from_secs(5);

/// A server that listens.
pub struct Running {
    pub opened: Opened,
    pub https: SocketAddr,
    pub gateway: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

/// Runs the server until it is told to stop.
pub async fn run(mut config: Config, arguments: &cli::Serve) -> Result<()> {
    logging::start(arguments.log_json || config.log_json, Quiet::No);
    if let Some(charter) = &arguments.charter {
        config.charter = Some(charter.clone());
    }
    if let Some(https) = arguments.https {
        config.listen.https = https;
    }
    if let Some(gateway) = arguments.gateway {
        config.listen.gateway = gateway;
    }
    if !arguments.names.is_empty() {
        config.names.clone_from(&arguments.names);
    }
    let opened = open::open_all(&config, &open::Options::default()).await?;
    let told = Told::listen()?;
    let running = start(&config, opened).await?;
    let state = running.opened.state.clone();
    print_way_in(&state).await?;
    told.stop(&running).await;
    running.stop().await
}

/// Says how people come in: with the first link while nobody looks after people, with their passkeys from then on.
async fn print_way_in(state: &Arc<AppState>) -> Result<()> {
    match people::first_link(state).await.context("the first one-time link could not be made")? {
        Some(first) => {
            println!("{}", first.link);
            println!(
                "one-time link for the first administrator (role `{}`), valid for an hour: open it and register a passkey",
                first.role
            );
        }
        None => println!("people sign in at {}", state.address()),
    }
    Ok(())
}

/// What an operator tells the program. Listened for before anything else is offered, so that a stop right after the start is graceful, too.
pub struct Told {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Told {
    pub fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for Ctrl-C or SIGTERM; SIGHUP reloads the charter.
    pub async fn stop(mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let state = running.opened.state.clone();
                    // A refusal is logged and shown; the charter in force stays.
                    let _ = tokio::task::spawn_blocking(move || state.reload_charter()).await;
                }
            }
        }
    }
}

/// Listens on everything `config` names.
///
/// # Errors
/// If an address is taken or may not be used; nothing listens then.
pub async fn start(config: &Config, opened: Opened) -> Result<Running> {
    let state = opened.state.clone();
    let https = bind(config.listen.https).await?;
    let socket = config.socket();
    let admin_socket = AdminSocket::bind(&socket)
        .with_context(|| format!("the operator's socket `{}` cannot be made", socket.display()))?;

    let tls = server_config(
        &state.authority,
        &state.revocations,
        &state.https_refusals,
        ClientAuth::Optional,
        &[b"h2", b"http/1.1"],
    )?;
    // The door counts its own refusals, from what TLS answers it.
    let door_tls = server_config(&state.authority, &state.revocations, &Arc::default(), ClientAuth::Required, &[])?;
    let door = Door::open(state.gateway_context(door_tls, Limits::default()), &[config.listen.gateway]).with_context(
        || format!("cannot listen on {} for devices; is another server running?", config.listen.gateway),
    )?;
    state.door_opened(&door);

    let https_address = https.local_addr()?;
    let gateway_address = door.addresses().first().copied().context("the device door has no address")?;
    let _ = state.https_address.set(https_address);
    let _ = state.gateway_address.set(gateway_address);
    let stop = state.stopping.clone();
    let mut tasks = vec![
        tokio::spawn(keep_live(state.clone())),
        tokio::spawn(keep_alarms(state.clone())),
        tokio::spawn(keep_sessions(state.clone())),
        tokio::spawn(keep_register(state.clone())),
        tokio::spawn(housekeeping(state.clone())),
        tokio::spawn(admin_socket.serve(admin::router(state.clone()), stop.clone())),
    ];
    let pages = page::router(state.clone());
    let stop_https = stop.clone();
    tasks.push(tokio::spawn(async move {
        if let Err(error) = serve_https(https, tls, pages, stop_https).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the HTTPS port failed");
        }
    }));
    tasks.push(tokio::spawn(async move {
        stop.cancelled().await;
        door.stop(DOOR_GRACE).await;
    }));
    tracing::info!(https = %https_address, gateway = %gateway_address, charter = %state.charter.load().rules.fingerprint, "listening");
    Ok(Running { opened, https: https_address, gateway: gateway_address, tasks })
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for pages; is another server running, or is the port reserved?")
    })
}

/// Keeps the live pages fed until the server stops.
async fn keep_live(state: Arc<AppState>) {
    tokio::select! {
        () = state.live.clone().run() => {}
        () = state.stopping.cancelled() => {}
    }
}

/// Keeps the alarms ticking until the server stops.
async fn keep_alarms(state: Arc<AppState>) {
    let (parts, stopping) = (state.clone(), state.stopping.clone());
    state.alarms.clone().run(move || parts.parts_lost(), stopping).await;
}

/// Expires what is past its retention, and notices stays that begin or end by the clock.
async fn housekeeping(state: Arc<AppState>) {
    let mut refresh = tokio::time::interval(REFRESH_EVERY);
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
    loop {
        let for_work = state.clone();
        let work = tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = refresh.tick() => tokio::task::spawn_blocking(move || for_work.refresh()),
            _ = expire.tick() => {
                crate::retention::run(for_work).await;
                continue;
            }
        };
        match work.await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "housekeeping failed"),
        }
    }
}

impl Running {
    /// Stops: no new connections, acknowledgements flushed, store closed.
    ///
    /// # Errors
    /// If the store could not be closed cleanly; nothing acknowledged is lost even then.
    pub async fn stop(self) -> Result<()> {
        tracing::info!("stopping");
        self.opened.state.stopping.cancel();
        for task in self.tasks {
            let _ = tokio::time::timeout(Duration::from_secs(10), task).await;
        }
        let (store, scribe) = (self.opened.store.clone(), self.opened.state.desk.scribe.clone());
        // Whatever was recorded gets its checkpoint before the process goes.
        tokio::task::spawn_blocking(move || {
            scribe.close();
            store.close()
        })
        .await?
        .context("the store could not be closed cleanly; nothing acknowledged is lost")?;
        tracing::info!("stopped");
        Ok(())
    }
}
