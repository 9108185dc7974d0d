//! The door with a real store behind it and nothing else, for measuring: makes an authority, certificates for `N` devices in the layout the load
//! generator reads (`ca.pem`, `c/000000.pem`, `c/000000.key`, …), sealed embedded storage below the same directory, and serves until killed.
//!
//! `cargo run --release -p obhut-gateway --example door -- DIR N [ADDRESS] [embedded|memory]`, then for example
//! `loadgen pub --addr ADDRESS --tls-dir DIR --cert each --client-prefix dev --topic 'obhut/dev-{client}/senml' --payload senml:200 --conns 50`.
//! `memory` acknowledges at once and keeps nothing: what the door itself costs.

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use obhut_charter::rules::{ModelRules, Rules, StreamRule};
use obhut_gateway::{BindingTable, Clock, DeviceTable, Door, GatewayContext, Limits, LiveSink, SessionEvent};
use obhut_model::{
    BedId, Code, DeviceId, DeviceTime, Kind, ModelId, Numeric, SampleRate, ServerTime, Subject, TimeRange, Wave,
};
use obhut_pki::{Authority, ClientAuth, ProviderSpec, Revocations, ServerNames, provider, server_config, unix};
use obhut_store::{
    Admitted, AppendError, Appended, DeviceAtBed, DeviceRecord, DeviceState, EmbeddedStore, Erased, Health, Identity,
    Options, Position, Readings, Records as _, Run, StoreError, SubjectInBed, Waiter,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

type Res<T> = Result<T, Box<dyn Error>>;

const BEDS: usize = 64;

struct Machine;

impl Clock for Machine {
    fn now(&self) -> ServerTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ServerTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Looks at everything, as a ward page's sink must, and shows nothing.
#[derive(Default)]
struct Blind(AtomicU64);

impl LiveSink for Blind {
    fn readings(&self, _: &DeviceId, _: Option<&BedId>, _: Option<Subject>, numerics: &[Numeric], waves: &[Wave<'_>]) {
        self.0.fetch_add((numerics.len() + waves.len()) as u64, Ordering::Relaxed);
    }

    fn session(&self, _: &DeviceId, _: SessionEvent) {}
}

#[derive(Default)]
struct Forgetful(AtomicU64);

impl Readings for Forgetful {
    fn append(&self, _: &Admitted<'_>, _: &Arc<Waiter>) -> Result<Appended, AppendError> {
        Ok(Appended::At(Position(self.0.fetch_add(1, Ordering::Relaxed) + 1)))
    }

    fn durable(&self) -> Position {
        Position(self.0.load(Ordering::Relaxed))
    }

    fn health(&self) -> Health {
        Health::Good
    }

    fn read(&self, subject: Subject, _: Code, _: TimeRange) -> Result<obhut_store::Sealed<Vec<Run>>, StoreError> {
        Ok(obhut_store::Sealed::about(Some(subject), &[], Vec::new()))
    }

    fn codes(&self, _: Subject) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, StoreError> {
        Ok(Vec::new())
    }

    fn set_retention(&self, _: &[(String, u64)]) {}

    fn expire(&self, _: ServerTime) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn erase(&self, _: Subject) -> Result<Erased, StoreError> {
        Err(StoreError::Unknown("the subject"))
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Five numerics at up to 4,200 a second: a device that works off a backlog, as the load generator's `{tsec}` does.
fn rules(model: &ModelId) -> Res<Rules> {
    let codes = [
        Code::ECG_HEART_RATE,
        Code::PULS_OXIM_SAT_O2,
        Code::RESP_RATE,
        Code::PRESS_BLD_ART_ABP_SYS,
        Code::PRESS_BLD_ART_ABP_DIA,
    ];
    let rule = |code| {
        Some(StreamRule {
            code,
            kind: Kind::Numeric,
            rate_max: SampleRate::from_hertz(4_200)?,
            period_micros: 1_000_000,
            resolution: obhut_model::Decimal::ONE,
            needs_patient: true,
            retention: 0,
            purpose: 0,
        })
    };
    let mut streams = codes.into_iter().map(rule).collect::<Option<Vec<_>>>().ok_or("a rate is out of range")?;
    streams.sort_by_key(|rule| rule.code);
    let model_rules = ModelRules {
        model: model.clone(),
        streams,
        messages_per_second_max: 1_000_000,
        payload_bytes_max: 64 * 1024,
        life_supporting: false,
    };
    let models = std::iter::once((model.clone(), Arc::new(model_rules))).collect();
    Ok(Rules { fingerprint: "bench".to_owned(), models, retention: Vec::new(), purposes: Vec::new() })
}

fn device(number: usize, model: &ModelId) -> Res<DeviceRecord> {
    Ok(DeviceRecord {
        id: DeviceId::new(&format!("dev-{number:06}"))?,
        model: model.clone(),
        serial: format!("{number}"),
        state: DeviceState::Enrolled,
        invited_at: ServerTime::from_micros(0),
        enrolled_at: None,
        certificate: None,
        certificate_ends: None,
    })
}

fn write_papers(dir: &Path, authority: &Authority, devices: &[DeviceRecord], now: u64) -> Res<()> {
    std::fs::create_dir_all(dir.join("c"))?;
    std::fs::write(dir.join("ca.pem"), authority.root_pem())?;
    for (number, device) in devices.iter().enumerate() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, device.id.as_str());
        let request = params.serialize_request(&key)?;
        let issued = authority.issue_device(request.der(), &device.id, &device.model, unix(now))?;
        std::fs::write(dir.join(format!("c/{number:06}.pem")), pem("CERTIFICATE", &issued.leaf_der))?;
        std::fs::write(dir.join(format!("c/{number:06}.key")), pem("PRIVATE KEY", &key.serialize_der()))?;
    }
    Ok(())
}

fn main() -> Res<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("usage: door DIR N [ADDRESS] [embedded|memory]")?;
    let count: usize = arguments.next().ok_or("how many devices?")?.parse()?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8883".to_owned()).parse()?;
    let embedded = arguments.next().is_none_or(|home| home == "embedded");
    let dir = Path::new(&dir);
    std::fs::create_dir_all(dir)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();

    let keys = provider::open(&ProviderSpec::File { path: dir.join("top.key"), create: provider::Create::IfMissing })?;
    let authority =
        Arc::new(Authority::open_or_create(dir.join("pki"), keys.clone(), ServerNames::localhost(), unix(now))?);
    let model = ModelId::new("bench-m1")?;
    let devices = (0..count).map(|number| device(number, &model)).collect::<Res<Vec<_>>>()?;
    write_papers(dir, &authority, &devices, now)?;

    let from = DeviceTime::from_micros(0);
    let mut at_beds = Vec::new();
    for (number, device) in devices.iter().enumerate() {
        at_beds.push(DeviceAtBed {
            device: device.id.clone(),
            bed: BedId::new(&format!("bed-{}", number % BEDS))?,
            from,
            to: None,
        });
    }
    let mut in_beds = Vec::new();
    let readings: Arc<dyn Readings> = if embedded {
        let store = EmbeddedStore::open(&dir.join("store"), keys, Options::default())?;
        store.set_retention(&[("bench".to_owned(), 3_600)]);
        for number in 0..BEDS {
            let bed = BedId::new(&format!("bed-{number}"))?;
            let identity = Identity::of(&format!("Bench {number}"), "1970-01-01", &format!("B{number}"));
            let subject = store.bind_patient(&identity, &bed, from)?;
            in_beds.push(SubjectInBed { bed, subject, from, to: None });
        }
        Arc::new(store)
    } else {
        for number in 0..BEDS {
            let subject = Subject::from_random([u8::try_from(number)?; 16]);
            in_beds.push(SubjectInBed { bed: BedId::new(&format!("bed-{number}"))?, subject, from, to: None });
        }
        Arc::new(Forgetful::default())
    };
    let context = GatewayContext {
        rules: Arc::new(ArcSwap::from_pointee(rules(&model)?)),
        readings,
        bindings: Arc::new(ArcSwap::from_pointee(BindingTable::new(&at_beds, &in_beds))),
        devices: Arc::new(ArcSwap::from_pointee(DeviceTable::new(&devices))),
        live: Arc::new(Blind::default()),
        clock: Arc::new(Machine),
        tls: server_config(&authority, &Arc::new(Revocations::new()), &Arc::default(), ClientAuth::Required, &[])?,
        limits: Arc::new(Limits::default()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let door = Door::open(context, &[address])?;
        println!("listening on {:?}, process {}", door.addresses(), std::process::id());
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            let counters = door.counters();
            let refused: Vec<_> = counters.refusals().filter(|(_, count)| *count > 0).collect();
            let (messages, acknowledged) =
                (counters.messages.load(Ordering::Relaxed), counters.acknowledged.load(Ordering::Relaxed));
            println!(
                "connections {} messages {messages} acknowledged {acknowledged} refused {refused:?}",
                door.connections()
            );
        }
    })
}
