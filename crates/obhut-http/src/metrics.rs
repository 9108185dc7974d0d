//! Prometheus metrics (OpenMetrics text). Labels name reasons, stores and states; never a device, a bed or a person.

use crate::state::AppState;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// Answers a scrape. The numbers are read once, here; nobody keeps them in two places.
pub(crate) fn answer(state: &AppState) -> Response {
    let mut registry = Registry::with_prefix("obhut");
    gather(state, &mut registry);
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn gather(state: &AppState, registry: &mut Registry) {
    let system = state.system_state();
    let refused = Family::<Reason, Counter>::default();
    for (reason, count) in state.refusals() {
        refused.get_or_create(&Reason { reason }).inc_by(count);
    }
    registry.register("refusals", "What was refused, by reason; see docs/protocol.md", refused);

    let https = Family::<Reason, Counter>::default();
    for reason in obhut_pki::Refusal::ALL {
        https.get_or_create(&Reason { reason: reason.name() }).inc_by(state.https_refusals.get(reason));
    }
    registry.register("https_refusals", "Client certificates refused on the HTTPS port, by reason", https);

    let enrolments = Family::<Outcome, Counter>::default();
    for outcome in obhut_pki::est::Outcome::ALL {
        enrolments.get_or_create(&Outcome { outcome: outcome.name() }).inc_by(state.enrolment.counters().get(*outcome));
    }
    registry.register("enrolments", "Attempts to enrol or renew, by how they ended", enrolments);

    let frames = Counter::<u64>::default();
    frames.inc_by(system.frames);
    registry.register("messages_received", "Messages received from devices", frames);

    let (acknowledged, numerics, samples) = state.admitted();
    for (name, help, value) in [
        ("messages_acknowledged", "Messages acknowledged as durable", acknowledged),
        ("numerics_admitted", "Numbers admitted", numerics),
        ("samples_admitted", "Waveform samples admitted", samples),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }

    let counts = state.alarms.curve_counts();
    for (name, help, value) in [
        ("curve_blocks_judged", "Blocks of curves looked at for signal quality and second opinions", &counts.taken),
        ("curve_blocks_dropped", "Blocks of curves not looked at because too much was waiting", &counts.dropped),
        ("curve_blocks_refused", "Blocks of curves that detectors can do nothing with", &counts.refused),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(value.load(std::sync::atomic::Ordering::Relaxed));
        registry.register(name, help, counter);
    }

    gauge(registry, "device_sessions", "Devices connected", state.connected());
    gauge(registry, "pages", "Ward pages connected", state.live.clients());
    if let Some(report) = state.retention.get().and_then(|room| room.last_run()) {
        let overdue = usize::try_from(report.overdue()).unwrap_or(usize::MAX);
        gauge(
            registry,
            "overdue_objects",
            "Stored objects past their retention for more than a day; 0 expected",
            overdue,
        );
    }
    gauge(registry, "ready", "Whether the server takes and keeps readings", usize::from(state.is_ready()));

    let store = Family::<State, Gauge>::default();
    for name in ["good", "disk_full", "failed"] {
        store.get_or_create(&State { state: name }).set(i64::from(system.store == name));
    }
    registry.register("store", "State of storage; one of them is 1", store);

    let charter = Family::<State, Gauge>::default();
    for name in ["in_force", "reload_refused"] {
        charter.get_or_create(&State { state: name }).set(i64::from(system.charter == name));
    }
    registry.register("charter", "Whether the newest charter file is in force", charter);
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: usize) {
    let gauge = Gauge::<i64>::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}
