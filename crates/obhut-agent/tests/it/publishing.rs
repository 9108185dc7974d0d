use crate::enrolment::{DAY, enrolled};
use crate::ward::{Authority, Est, Gateway, Mood, wait_for};
use obhut_agent::{Agent, Endpoints, OfferError, ReadingClock, StartError, StateDir, SystemClock};
use obhut_model::{Code, Decimal, Quality};
use obhut_wire::{Clock, FrameError, RawNumeric};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn endpoints(port: u16) -> Endpoints {
    Endpoints { gateway_host: "localhost".into(), gateway_port: port, enrolment: None }
}

fn start(dir: &Path, port: u16) -> Agent {
    Agent::builder(dir, endpoints(port), Arc::new(SystemClock::default())).seed(1).start().unwrap()
}

fn offer(agent: &Agent) -> u64 {
    let taken_at = agent.stamp().at;
    let numeric = RawNumeric { code: Code::TEMP, taken_at, value: Decimal::new(367, -1).ok(), quality: Quality::GOOD };
    agent.offer(&[numeric], &[]).unwrap()
}

#[tokio::test]
async fn frames_are_acknowledged_and_survive_outage_and_restart() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = enrolled(&authority, &est).await;
    let gateway = Gateway::start(&authority).await;
    let log = Arc::clone(&gateway.log);
    let agent = start(dir.path(), gateway.port);
    assert!(matches!(
        Agent::builder(dir.path(), endpoints(1), Arc::new(SystemClock::default())).start().err(),
        Some(StartError::State(obhut_agent::state::StateError::InUse))
    ));
    (0..50).for_each(|_| drop(offer(&agent).to_string()));
    wait_for("50 acknowledgements", || agent.stats().counters.acknowledged == 50).await;
    assert_eq!(log.lock().groups[0], rustls::NamedGroup::X25519MLKEM768, "hybrid key exchange where the server has it");

    // Outage: the gateway is gone, readings go on.
    let port = gateway.port;
    drop(gateway);
    wait_for("the link to be down", || !agent.stats().up).await;
    (0..30).for_each(|_| drop(offer(&agent).to_string()));
    wait_for("30 frames on disk", || agent.stats().pending == 30 && agent.stats().buffer_bytes > 0).await;

    // The device is switched off in order and on again, still without a gateway.
    let stats = agent.shutdown().await;
    assert_eq!((stats.pending, stats.counters.lost), (30, 0));
    let agent = start(dir.path(), port);
    assert_eq!(offer(&agent), 81, "an orderly end leaves no gap");
    assert_eq!(agent.stats().pending, 31);

    let gateway = Gateway::start_on(&authority, port, Arc::clone(&log)).await;
    wait_for("the backlog to be sent", || agent.stats().counters.acknowledged == 31).await;
    let seen: std::collections::BTreeSet<u64> = log.lock().numbers.iter().copied().collect();
    assert_eq!(seen, (1..=81).collect());
    let runs = log.lock().runs.clone();
    assert!(runs.iter().all(|run| *run == runs[0]), "one run");
    wait_for("the buffer to be empty", || agent.stats().buffer_bytes == 0).await;
    agent.shutdown().await;
    drop(gateway);
}

#[tokio::test]
async fn a_cut_connection_loses_nothing() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = enrolled(&authority, &est).await;
    let gateway = Gateway::start(&authority).await;
    let agent = start(dir.path(), gateway.port);
    wait_for("the link", || agent.stats().up).await;
    gateway.log.lock().silent = true;
    (0..10).for_each(|_| drop(offer(&agent).to_string()));
    wait_for("10 frames to arrive", || gateway.log.lock().numbers.len() == 10).await;
    gateway.log.lock().silent = false;
    gateway.cut();
    wait_for("10 acknowledgements", || agent.stats().counters.acknowledged == 10).await;
    assert_eq!(gateway.log.lock().numbers.iter().filter(|n| **n == 1).count(), 2, "sent again, under the same number");
    agent.shutdown().await;
}

#[tokio::test]
async fn the_certificate_is_renewed_at_half_life_and_used() {
    let authority = Arc::new(Authority::new(Duration::from_secs(8)));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = enrolled(&authority, &est).await;
    let before = StateDir::open(dir.path()).unwrap().identity().unwrap().validity().unwrap();
    let gateway = Gateway::start(&authority).await;
    let agent = start(dir.path(), gateway.port);
    wait_for("a renewal", || agent.stats().renewed == 1).await;
    let log = Arc::clone(&gateway.log);
    wait_for("a second connection", || log.lock().serials.len() == 2).await;
    let serials = log.lock().serials.clone();
    assert_eq!(serials[0], before.serial);
    let after = StateDir::open(dir.path()).unwrap().identity().unwrap().validity().unwrap();
    assert_eq!(serials[1], after.serial, "the new certificate is in use");
    assert!(after.to >= before.to);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_gateway_of_another_authority_gets_nothing() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = enrolled(&authority, &est).await;
    let gateway = Gateway::start(&Authority::new(DAY)).await;
    let agent = start(dir.path(), gateway.port);
    offer(&agent);
    wait_for("a refusal", || agent.stats().last_down == Some(obhut_agent::link::Down::Tls)).await;
    assert_eq!((gateway.log.lock().connections, agent.stats().pending), (0, 1));
    agent.shutdown().await;
}

struct HandClock(Mutex<(i64, i64, Clock)>);

impl ReadingClock for HandClock {
    fn steady_micros(&self) -> i64 {
        self.0.lock().0
    }

    fn wall_micros(&self) -> i64 {
        self.0.lock().1
    }

    fn state(&self) -> Clock {
        self.0.lock().2
    }
}

#[tokio::test]
async fn a_jump_of_the_clock_is_flagged_and_offers_are_checked() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = enrolled(&authority, &est).await;
    let clock = Arc::new(HandClock(Mutex::new((0, 1_764_000_000_000_000, Clock::Synchronised))));
    let agent = Agent::builder(dir.path(), endpoints(1), Arc::clone(&clock) as Arc<dyn ReadingClock>).start().unwrap();
    assert_eq!(agent.stamp().quality, Quality::GOOD);
    *clock.0.lock() = (1_000_000, 1_764_003_600_000_000, Clock::Synchronised);
    let stamp = agent.stamp();
    assert_eq!((stamp.quality, stamp.clock), (Quality::CLOCK_SUSPECT, Clock::FreeRunning));
    assert_eq!(agent.stats().clock_jumps, 1);
    assert_eq!(agent.offer(&[], &[]), Err(OfferError::Frame(FrameError::Empty)));
    assert_eq!(offer(&agent), 1, "a refused offer uses no number");
    agent.shutdown().await;
    assert!(matches!(
        Agent::builder(tempfile::tempdir().unwrap().path(), endpoints(1), clock).start().err(),
        Some(StartError::State(obhut_agent::state::StateError::NotEnrolled))
    ));
}
