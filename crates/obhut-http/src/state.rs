//! Everything the routers share: the rooms of the house, joined.
//!
//! What is here decides nothing about readings or people; it keeps the gateway's tables and the live ward's plan in step with charter and records.
//!
//! INVARIANT: the tables the gateway decides by are derived from charter and records by [`AppState::refresh`] alone.

use crate::alarms::{self, AlarmWard, Sinks};
use crate::desk::{self, Desk};
use crate::live::{LiveDevice, LiveWard, Plan, PlanBed, SystemState};
use arc_swap::ArcSwap;
use obhut_access::AccessRules;
use obhut_charter::Checked;
use obhut_charter::rules::Rules;
use obhut_gateway::{BindingTable, Clock, Counters, DeviceTable, Door, GatewayContext, Limits, Refusal, Sessions};
use obhut_ledger::{Actor, Event, EventKind, Outcome, ResourceRef};
use obhut_model::{BedId, DeviceId, DeviceTime, ServerTime};
use obhut_pki::est::Enrolment;
use obhut_pki::{Authority, RefusalCounters, Revocations, Serial, UnixTime};
use obhut_register::Register;
use obhut_scribe::Scribe;
use obhut_signin::{SessionRules, SignIn};
use obhut_store::{AlarmHome, DeviceAtBed, DeviceRecord, Health, Readings, Records, StoreError, SubjectInBed};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// The real time, for certificates and invitations; ward time may run faster in a demonstration.
#[must_use]
pub fn real_now() -> ServerTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ServerTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The same as certificates count it.
#[must_use]
pub fn unix(at: ServerTime) -> UnixTime {
    obhut_pki::unix(u64::try_from(at.micros() / 1_000_000).unwrap_or(0))
}

/// The charter in force.
#[derive(Debug)]
pub struct CharterInForce {
    /// File name without directory.
    pub name: String,
    /// As checked.
    pub checked: Checked,
    /// As compiled for readings.
    pub rules: Arc<Rules>,
    /// As compiled for people.
    pub access: Arc<AccessRules>,
    /// Ward identifier and name.
    pub ward: (String, String),
    /// Beds with their labels, in the charter's order.
    pub beds: Vec<(BedId, String)>,
}

/// Where a charter comes from, so that it can be loaded again.
pub type CharterSource = Box<dyn Fn() -> Result<CharterInForce, String> + Send + Sync>;

/// What [`AppState::new`] joins.
pub struct Parts {
    /// Ward time.
    pub clock: Arc<dyn Clock>,
    /// Ward seconds in a real second.
    pub speed: f64,
    /// The charter in force.
    pub charter: CharterInForce,
    /// Loads it again.
    pub charter_source: CharterSource,
    /// Whether the newest charter file was refused and an older one rules from the start.
    pub charter_refused: bool,
    /// Name or address people reach the server by, for links.
    pub public_name: String,
    /// Records.
    pub records: Arc<dyn Records>,
    /// Readings.
    pub readings: Arc<dyn Readings>,
    /// Where the alarms keep what survives a restart.
    pub alarm_home: Arc<dyn AlarmHome>,
    /// Certificate authority.
    pub authority: Arc<Authority>,
    /// Revoked certificates.
    pub revocations: Arc<Revocations>,
    /// Enrolment decisions.
    pub enrolment: Arc<Enrolment>,
    /// What TLS on the HTTPS port refuses.
    pub https_refusals: Arc<RefusalCounters>,
    /// Writes the ledger.
    pub scribe: Arc<Scribe>,
    /// People, consents, cases.
    pub register: Arc<Register>,
    /// How people come in.
    pub signin: Arc<SignIn>,
}

/// Everything the routers share.
pub struct AppState {
    /// Ward time.
    pub clock: Arc<dyn Clock>,
    /// The desk every request for stored or naming data passes.
    pub desk: Arc<Desk>,
    /// How people come in.
    pub signin: Arc<SignIn>,
    /// The live ward.
    pub live: Arc<LiveWard>,
    /// Its alarms.
    pub alarms: Arc<AlarmWard>,
    /// The charter in force.
    pub charter: ArcSwap<CharterInForce>,
    /// Records.
    pub records: Arc<dyn Records>,
    /// Readings.
    pub readings: Arc<dyn Readings>,
    /// Certificate authority.
    pub authority: Arc<Authority>,
    /// Revoked certificates.
    pub revocations: Arc<Revocations>,
    /// Enrolment decisions.
    pub enrolment: Arc<Enrolment>,
    /// What TLS on the HTTPS port refused.
    pub https_refusals: Arc<RefusalCounters>,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
    /// Where pages are served, once they are.
    pub https_address: OnceLock<SocketAddr>,
    /// Where devices connect, once they can.
    pub gateway_address: OnceLock<SocketAddr>,
    /// Who turns keys over; a tool that only looks has none.
    pub keys: OnceLock<Arc<dyn crate::api::KeyRoom>>,
    /// How long things stay, and erasing.
    pub retention: OnceLock<Arc<obhut_retention::Retention>>,
    /// Making backups.
    pub backups: OnceLock<Arc<obhut_backup::Backups>>,
    /// Set when the device door opens; a tool has none.
    door: Arc<OnceLock<DoorView>>,
    charter_source: CharterSource,
    public_name: String,
    reload_refused: Arc<AtomicBool>,
    rules: Arc<ArcSwap<Rules>>,
    bindings: Arc<ArcSwap<BindingTable>>,
    devices: Arc<ArcSwap<DeviceTable>>,
    refreshing: Mutex<Option<Seen>>,
    refresh_wanted: AtomicU64,
    refresh_done: AtomicU64,
}

/// What the records said when the tables were last derived.
type Seen = (Vec<DeviceRecord>, Vec<DeviceAtBed>, Vec<SubjectInBed>);

/// What the pages and the operator see of the device door.
#[derive(Clone)]
struct DoorView {
    sessions: Arc<Sessions>,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").finish_non_exhaustive()
    }
}

impl AppState {
    /// Joins the parts and derives the first tables.
    ///
    /// # Errors
    /// [`StoreError`] if the records cannot be read.
    pub fn new(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let reload_refused = Arc::new(AtomicBool::new(parts.charter_refused));
        let door: Arc<OnceLock<DoorView>> = Arc::default();
        let system = {
            let (readings, door, refused) = (parts.readings.clone(), door.clone(), reload_refused.clone());
            move || system_state(&*readings, door.get(), refused.load(Ordering::Relaxed))
        };
        let rules = Arc::new(ArcSwap::from(parts.charter.rules.clone()));
        let live = LiveWard::new(
            parts.clock.clone(),
            parts.speed,
            Plan::default(),
            parts.charter.rules.clone(),
            Box::new(system),
        );
        let alarms = AlarmWard::open(
            parts.clock.clone(),
            parts.speed,
            live.clone(),
            parts.alarm_home,
            &parts.charter.checked,
            parts.charter.beds.clone(),
        );
        let desk = Desk::new(
            parts.charter.access.clone(),
            desk::Ward::of(&parts.charter),
            parts.scribe,
            parts.register,
            parts.records.clone(),
            parts.clock.clone(),
        );
        let state = Arc::new(Self {
            clock: parts.clock,
            desk,
            signin: parts.signin,
            live,
            alarms,
            charter: ArcSwap::from_pointee(parts.charter),
            records: parts.records,
            readings: parts.readings,
            authority: parts.authority,
            revocations: parts.revocations,
            enrolment: parts.enrolment,
            door,
            https_refusals: parts.https_refusals,
            stopping: CancellationToken::new(),
            https_address: OnceLock::new(),
            gateway_address: OnceLock::new(),
            keys: OnceLock::new(),
            retention: OnceLock::new(),
            backups: OnceLock::new(),
            charter_source: parts.charter_source,
            public_name: parts.public_name,
            reload_refused,
            rules,
            bindings: Arc::new(ArcSwap::from_pointee(BindingTable::default())),
            devices: Arc::new(ArcSwap::from_pointee(DeviceTable::default())),
            refreshing: Mutex::new(None),
            refresh_wanted: AtomicU64::new(0),
            refresh_done: AtomicU64::new(0),
        });
        state.apply_charter();
        let revoked = state.records.revoked_certificates()?;
        state.revocations.revoke_all(revoked.iter().filter_map(|serial| Serial::from_hex(serial)));
        state.refresh()?;
        Ok(state)
    }

    /// What the device door needs, sharing the tables this state keeps.
    #[must_use]
    pub fn gateway_context(&self, tls: Arc<rustls::ServerConfig>, limits: Limits) -> GatewayContext {
        GatewayContext {
            rules: self.rules.clone(),
            readings: self.readings.clone(),
            bindings: self.bindings.clone(),
            devices: self.devices.clone(),
            live: Arc::new(Sinks { alarms: self.alarms.clone(), live: self.live.clone() }),
            clock: self.clock.clone(),
            tls,
            limits: Arc::new(limits),
        }
    }

    /// Derives the gateway's tables and the live plan anew from charter and records. Call after every change to the records.
    ///
    /// # Errors
    /// [`StoreError`]; the old tables stay in force.
    pub fn refresh(&self) -> Result<(), StoreError> {
        // One at a time, so that an older reading of the records never replaces a newer one; and one for all who wait meanwhile, so that ten
        // thousand devices that enrol together do not read all devices ten thousand times.
        let mine = self.refresh_wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let mut last = self.refreshing.lock();
        if self.refresh_done.load(Ordering::Acquire) >= mine {
            return Ok(());
        }
        let covered = self.refresh_wanted.load(Ordering::Acquire);
        let records = self.records.devices()?;
        let (at_beds, in_beds) = self.records.bindings()?;
        let seen = (records, at_beds, in_beds);
        if last.as_ref() != Some(&seen) {
            self.bindings.store(Arc::new(BindingTable::new(&seen.1, &seen.2)));
            self.devices.store(Arc::new(DeviceTable::new(&seen.0)));
        }
        let (records, at_beds, in_beds) = last.insert(seen).clone();

        let charter = self.charter.load();
        let now = DeviceTime::from_micros(self.clock.now().micros());
        let open = |from: DeviceTime, to: Option<DeviceTime>| from <= now && to.is_none_or(|to| now < to);
        let beds = charter
            .beds
            .iter()
            .map(|(id, label)| {
                let lies = in_beds.iter().find(|stay| stay.bed == *id && open(stay.from, stay.to));
                let left = in_beds.iter().filter(|stay| stay.bed == *id).filter_map(|stay| stay.to).max();
                PlanBed {
                    id: id.clone(),
                    label: label.clone(),
                    occupied: lies.is_some(),
                    since: lies.map(|stay| stay.from).or(left),
                }
            })
            .collect();
        let devices = records
            .into_iter()
            .map(|record| {
                let stands = at_beds.iter().find(|stay| stay.device == record.id && open(stay.from, stay.to));
                LiveDevice {
                    kind: charter
                        .checked
                        .model_kind(&record.model)
                        .map_or_else(|| "device".to_owned(), |kind| kind.as_str().to_owned()),
                    life_supporting: charter.rules.models.get(&record.model).is_some_and(|model| model.life_supporting),
                    bed: stands.map(|stay| stay.bed.clone()),
                    placed: stands.map(|stay| stay.from),
                    id: record.id,
                    model: record.model,
                    state: record.state,
                }
            })
            .collect();
        let (ward, name) = charter.ward.clone();
        let plan = Plan { ward, name, charter: charter.name.clone(), beds, devices };
        let lying = in_beds
            .iter()
            .filter(|stay| open(stay.from, stay.to) && charter.beds.iter().any(|(bed, _)| *bed == stay.bed))
            .map(|stay| (stay.bed.clone(), stay.subject))
            .collect();
        self.alarms.set_plan(&plan, &lying, &charter.rules);
        self.live.set_plan(plan);
        self.refresh_done.store(covered, Ordering::Release);
        Ok(())
    }

    /// Revokes a device: durable first, then refused at the door, then its session is cut. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is revoked then.
    pub fn revoke(&self, device: &DeviceId, reason: &str) -> Result<bool, StoreError> {
        self.records.revoke(device, reason, real_now())?;
        let revoked = self.records.revoked_certificates()?;
        self.revocations.revoke_all(revoked.iter().filter_map(|serial| Serial::from_hex(serial)));
        self.refresh()?;
        tracing::warn!(device = %device, "a device was revoked");
        Ok(self.door.get().is_some_and(|door| door.sessions.cut(device, Refusal::Revoked)))
    }

    /// Loads the charter again. A bad one changes nothing but what is shown of it. Either way it stands in the ledger. Call within a runtime.
    ///
    /// # Errors
    /// The problems, ready to print.
    pub fn reload_charter(&self) -> Result<String, String> {
        match (self.charter_source)() {
            Ok(charter) => {
                let fingerprint = charter.rules.fingerprint.clone();
                self.charter.store(Arc::new(charter));
                self.apply_charter();
                self.reload_refused.store(false, Ordering::Relaxed);
                tracing::info!(%fingerprint, "another charter is in force");
                self.desk.tell(self.charter_event(Outcome::Success, Some(&fingerprint)));
                self.refresh().map_err(|error| error.to_string())?;
                Ok(fingerprint)
            }
            Err(problems) => {
                self.reload_refused.store(true, Ordering::Relaxed);
                tracing::error!("the charter file was refused; the charter in force stays:\n{problems}");
                self.desk.tell(self.charter_event(Outcome::Failed("charter_refused".into()), None));
                Err(problems)
            }
        }
    }

    /// The entry for a charter that was loaded again: which one rules now, by fingerprint, or that one was refused.
    fn charter_event(&self, outcome: Outcome, fingerprint: Option<&str>) -> Event {
        let (request, at) = (self.desk.new_request(), real_now());
        let mut event = Event::new(request, at, EventKind::Charter, Actor::System, "charter-reload");
        event.resource = ResourceRef::new("charter", fingerprint);
        event.outcome = outcome;
        event
    }

    fn apply_charter(&self) {
        let charter = self.charter.load();
        let classes: Vec<(String, u64)> =
            charter.rules.retention.iter().map(|class| (class.id.clone(), class.seconds)).collect();
        self.readings.set_retention(&classes);
        self.rules.store(charter.rules.clone());
        self.desk.set_rules(charter.access.clone(), desk::Ward::of(&charter));
        let access = charter.checked.access();
        self.signin.sessions.set_rules(SessionRules::new(
            Duration::from_secs(access.session_max.seconds()),
            Duration::from_secs(access.idle_lock.seconds()),
        ));
        self.live.set_rules(charter.rules.clone());
        self.alarms.set_charter(&charter.checked, charter.beds.clone());
    }

    /// The address of a page of this server, for links.
    #[must_use]
    pub fn address(&self) -> String {
        let port = self.https_address.get().map_or(8443, SocketAddr::port);
        format!("https://{}:{port}", self.public_name)
    }

    /// Lets pages and operator see the device door, once it is open.
    pub fn door_opened(&self, door: &Door) {
        let view = DoorView { sessions: door.sessions().clone(), counters: door.counters().clone() };
        let _ = self.door.set(view);
    }

    /// Whether `device` has a session now.
    #[must_use]
    pub fn is_connected(&self, device: &DeviceId) -> bool {
        self.door.get().is_some_and(|door| door.sessions.is_connected(device))
    }

    /// How many devices have a session now.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.door.get().map_or(0, |door| door.sessions.len())
    }

    /// Every reason of refusal with its count, zeros included.
    #[must_use]
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        self.door.get().map_or_else(Vec::new, |door| door.counters.refusals().collect())
    }

    /// Messages acknowledged as durable, numerics and samples admitted.
    #[must_use]
    pub fn admitted(&self) -> (u64, u64, u64) {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        self.door.get().map_or((0, 0, 0), |door| {
            (load(&door.counters.acknowledged), load(&door.counters.numerics), load(&door.counters.samples))
        })
    }

    /// Whether readings are taken and kept.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.readings.health(), Health::Good) && !self.stopping.is_cancelled()
    }

    /// Parts whose loss is an alarm.
    #[must_use]
    pub fn parts_lost(&self) -> alarms::Parts {
        alarms::Parts {
            store: !matches!(self.readings.health(), Health::Good),
            ledger: self.desk.ledger_word() != "good",
        }
    }

    /// What the ticks of the live stream say of the whole.
    #[must_use]
    pub fn system_state(&self) -> SystemState {
        system_state(&*self.readings, self.door.get(), self.reload_refused.load(Ordering::Relaxed))
    }
}

fn system_state(readings: &dyn Readings, door: Option<&DoorView>, reload_refused: bool) -> SystemState {
    let counters = door.map(|door| &door.counters);
    SystemState {
        store: match readings.health() {
            Health::Good => "good",
            Health::DiskFull => "disk_full",
            Health::Failed(_) => "failed",
        },
        charter: if reload_refused { "reload_refused" } else { "in_force" },
        refused: counters.into_iter().flat_map(|c| c.refusals()).filter(|(_, count)| *count > 0).collect(),
        frames: counters.map_or(0, |c| c.messages.load(Ordering::Relaxed)),
    }
}
