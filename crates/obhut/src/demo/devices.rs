//! The demo's devices: invited, enrolled and running, each an agent with its own state, key and certificate.

use super::progress::Progress;
use crate::cli;
use crate::client::{Client, escape};
use crate::config::Config;
use crate::serve::Running;
use anyhow::{Context, Result};
use http::Method;
use obhut_agent::agent::{Agent, Endpoints, OfferError};
use obhut_agent::est::{self, EstServer};
use obhut_agent::state::{Device as Identity, StateDir};
use obhut_agent::time::ReadingClock;
use obhut_gateway::Clock;
use obhut_model::{DeviceId, DeviceTime};
use obhut_sim::device::{Device, Report};
use obhut_sim::ward::{Bed, Kind};
use obhut_wire::Clock as ClockState;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The server's name as the devices know it; it stands in its certificate.
const HOST: &str = "localhost";
/// Longest pause of a device between two looks at the clock.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How soon a report is offered again that the agent had no room for.
const TAKEN_AGAIN: Duration = Duration::from_millis(10);
/// How often a device that has said everything looks whether all of it was acknowledged.
const ACKNOWLEDGED_AGAIN: Duration = Duration::from_millis(50);
/// A certificate that ends sooner than this is not worth starting with, seconds.
const LEFT_MIN_SECS: i64 = 60;

/// Ward time for devices: the same clock as the server's, as a hospital's time service would give it.
struct WardTime(Arc<dyn Clock>);

impl ReadingClock for WardTime {
    fn steady_micros(&self) -> i64 {
        self.0.now().micros()
    }

    fn wall_micros(&self) -> i64 {
        self.0.now().micros()
    }

    fn state(&self) -> ClockState {
        ClockState::Synchronised
    }
}

/// Every device of the demo.
pub struct Fleet {
    players: Vec<JoinHandle<Agent>>,
    stories: Vec<String>,
    stop: CancellationToken,
    playing: Arc<AtomicUsize>,
}

impl Fleet {
    /// Binds patients, invites and enrols what is new, and starts every device.
    pub async fn start(
        beds: Vec<Bed>,
        began: DeviceTime,
        client: &Client,
        running: &Running,
        config: &Config,
        demo: &cli::Demo,
        progress: &Progress,
    ) -> Result<Self> {
        let count: usize = beds.iter().map(|bed| bed.devices.len()).sum();
        progress.begin("devices enrol and connect", "Geräte melden sich an und verbinden sich");
        let occupied = client.ask(Method::GET, "/v1/beds", None).await?;
        let mut fleet =
            Self { players: Vec::new(), stories: Vec::new(), stop: CancellationToken::new(), playing: Arc::default() };
        for bed in beds {
            bind_patient(client, &bed, &occupied, began).await?;
            fleet.stories.push(format!("{:<7} {}", bed.id.as_str(), bed.story));
            for (kind, device) in bed.devices {
                let state = config.data.join("devices").join(device.nameplate().id.as_str());
                enrol(client, running, &state, &*device, (bed.id.as_str(), began)).await?;
                fleet.launch(kind, device, &state, running, demo)?;
                progress.at(fleet.players.len(), count);
            }
        }
        progress.done(&format!("{count} devices on {} beds", fleet.stories.len()));
        Ok(fleet)
    }

    fn launch(
        &mut self,
        kind: Kind,
        mut device: Box<dyn Device>,
        state: &Path,
        running: &Running,
        demo: &cli::Demo,
    ) -> Result<()> {
        let clock = running.opened.state.clock.clone();
        let endpoints = Endpoints {
            gateway_host: HOST.to_owned(),
            gateway_port: running.gateway.port(),
            enrolment: Some(est_server(running)),
        };
        let agent = Agent::builder(state, endpoints, Arc::new(WardTime(clock.clone())))
            .start()
            .with_context(|| format!("device `{}` cannot start", device.nameplate().id))?;
        if !demo.once {
            device.skip_to(DeviceTime::from_micros(clock.now().micros()));
        }
        let (stop, playing, speed) = (self.stop.clone(), self.playing.clone(), demo.speed);
        // Pumps and sensors never end; they play until the recordings are over.
        let ends = usize::from(kind == Kind::Recording);
        playing.fetch_add(ends, Ordering::Relaxed);
        self.players.push(tokio::spawn(async move {
            play(&mut *device, &agent, &*clock, speed, &stop).await;
            while agent.stats().pending > 0 && !stop.is_cancelled() {
                tokio::time::sleep(ACKNOWLEDGED_AGAIN).await;
            }
            playing.fetch_sub(ends, Ordering::Relaxed);
            agent
        }));
        Ok(())
    }

    /// One line for each bed.
    pub fn stories(&self) -> &[String] {
        &self.stories
    }

    /// Returns when every recording has been played and acknowledged; those that are repeated never are.
    pub async fn all_played(&self) {
        while self.playing.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends every device in order: what is not yet acknowledged is sent or kept in its buffer.
    pub async fn stop(self) {
        self.stop.cancel();
        let mut ending = tokio::task::JoinSet::new();
        for player in self.players {
            ending.spawn(async move {
                if let Ok(agent) = player.await {
                    agent.shutdown().await;
                }
            });
        }
        while ending.join_next().await.is_some() {}
    }
}

fn est_server(running: &Running) -> EstServer {
    EstServer { host: HOST.to_owned(), port: running.https.port() }
}

async fn bind_patient(client: &Client, bed: &Bed, occupied: &Value, began: DeviceTime) -> Result<()> {
    let rows = occupied.get("beds").and_then(Value::as_array).into_iter().flatten();
    let taken = rows
        .filter(|row| row.get("id").and_then(Value::as_str) == Some(bed.id.as_str()))
        .any(|row| row.get("subject").is_some_and(Value::is_string));
    if taken {
        return Ok(());
    }
    let who = &bed.identity;
    let body = json!({"name": who.name, "birth_date": who.birth_date, "record_number": who.record_number, "from": began.micros()});
    client.ask(Method::PUT, &format!("/v1/beds/{}/patient", escape(bed.id.as_str())), Some(&body)).await?;
    Ok(())
}

/// Whether the device has an identity that will last a while.
fn is_ready(state: &StateDir) -> bool {
    let now = crate::clock::machine_now() / 1_000_000;
    state.is_enrolled()
        && state
            .identity()
            .ok()
            .and_then(|identity| identity.validity())
            .is_some_and(|validity| validity.to > now + LEFT_MIN_SECS)
}

/// Enrols a device as a technician would: invite, bed, token, certificate.
async fn enrol(
    client: &Client,
    running: &Running,
    state: &Path,
    device: &dyn Device,
    (bed, began): (&str, DeviceTime),
) -> Result<()> {
    let plate = device.nameplate();
    let state = StateDir::open(state)?;
    if is_ready(&state) {
        return Ok(());
    }
    let wanted = json!({"devices": [{"id": plate.id.as_str(), "model": plate.model.as_str(), "serial": plate.serial}]});
    let answer = client.ask(Method::POST, "/v1/devices", Some(&wanted)).await?;
    let token = answer.pointer("/devices/0/token").and_then(Value::as_str).context("no token was given")?;
    let pin = answer.get("ca_sha256").and_then(Value::as_str).context("no fingerprint was given")?.parse()?;
    let placed = client.ask(Method::GET, &format!("/v1/devices/{}", escape(plate.id.as_str())), None).await?;
    if placed.get("bed").and_then(Value::as_str) != Some(bed) {
        client
            .ask(
                Method::PUT,
                &format!("/v1/devices/{}/bed", escape(plate.id.as_str())),
                Some(&json!({"bed": bed, "from": began.micros()})),
            )
            .await?;
    }
    let server = est_server(running);
    let identity = Identity {
        id: plate.id.clone(),
        serial: plate.serial.clone(),
        enrolment_host: server.host.clone(),
        enrolment_port: server.port,
    };
    let enrolled = est::enrol(&server, pin, &identity, token)
        .await
        .with_context(|| format!("device `{}` could not enrol", plate.id))?;
    state.enrol(&identity, &enrolled.root, enrolled.identity_pem.as_bytes())?;
    Ok(())
}

/// Lets a device measure until it has nothing more to say or the demo stops.
async fn play(device: &mut dyn Device, agent: &Agent, clock: &dyn Clock, speed: f64, stop: &CancellationToken) {
    let name = device.nameplate().id.clone();
    loop {
        let now = DeviceTime::from_micros(clock.now().micros());
        let due = device.next_due();
        if due == DeviceTime::from_micros(i64::MAX) {
            return;
        }
        if due <= now {
            for report in device.produce(now) {
                tokio::select! {
                    () = offer(&name, agent, &report) => {}
                    () = stop.cancelled() => return,
                }
            }
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "a pause of less than hours")]
        let pause = Duration::from_secs_f64((due.since(now) as f64 / 1e6 / speed).clamp(0.0, LOOK_AGAIN.as_secs_f64()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Hands a report over. At a high speed the agent may be behind; nothing is dropped then, the device waits.
async fn offer(name: &DeviceId, agent: &Agent, report: &Report) {
    let waves = report.raw_waves();
    loop {
        match agent.offer(&report.numerics, &waves) {
            Ok(_) | Err(OfferError::Stopped) => return,
            Err(OfferError::Full) => tokio::time::sleep(TAKEN_AGAIN).await,
            Err(error) => {
                tracing::warn!(device = %name, %error, "a report was not taken");
                return;
            }
        }
    }
}
