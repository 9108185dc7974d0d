//! Across a restart, and late or doubled inputs, one by one. The large runs are in `injected` and `model`.

use crate::support::*;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::*;

/// Through the form a shell would write to disk.
fn through_disk(engine: &Engine) -> Snapshot {
    serde_json::from_str(&serde_json::to_string(&engine.snapshot()).unwrap()).unwrap()
}

// REQ-ALM-017
#[test]
fn everything_is_said_again_once_under_its_old_name() {
    let mut ward = Ward::new();
    ward.hold(HR, 160.0, 6);
    ward.hold(HR, 80.0, 1);
    ward.hold(SPO2, 85.0, 4);
    let acknowledged = ward.id("spo2-low");
    ward.act(Deed::Acknowledge { alarm: acknowledged.clone(), judged: None });
    ward.technical(Place::Ward, TechnicalKind::StoreLost, "store", true);
    ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(60) });
    let before: Vec<Alarm> = ward.engine.alarms().map(|(_, alarm)| alarm.clone()).collect();
    let (engine, out) = Engine::restore(through_disk(&ward.engine), at(ward.now)).unwrap();
    let after: Vec<Alarm> = engine.alarms().map(|(_, alarm)| alarm.clone()).collect();
    assert_eq!(before, after);
    let said: Vec<Alarm> = out
        .iter()
        .filter_map(|output| match &output.what {
            What::Alarm { phase: Phase::Continue, cause: Cause::Restart, alarm } => Some((**alarm).clone()),
            _ => None,
        })
        .collect();
    assert_eq!(said.len(), before.len());
    assert!(before.iter().all(|alarm| said.contains(alarm)));
    assert!(out.iter().any(|output| matches!(output.what, What::Paused { pause: PauseKind::Audio, .. })));
    let states: Vec<State> = said.iter().map(|alarm| alarm.state).collect();
    assert!(states.contains(&State::Latched) && states.contains(&State::Active));
    assert!(said.iter().any(|alarm| alarm.inactivation == Inactivation::Acknowledged));
}

// REQ-ALM-007 REQ-ALM-017
#[test]
fn a_pause_that_ended_while_the_engine_was_down_is_over() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 85.0, 4);
    ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(60) });
    let (mut engine, _) = Engine::restore(through_disk(&ward.engine), at(ward.now + 90.0)).unwrap();
    let out = engine.step(Input::Tick, at(ward.now + 90.0));
    assert!(out.iter().any(|output| matches!(output.what, What::Resumed { .. })));
    assert!(engine.alarms().all(|(_, alarm)| alarm.inactivation != Inactivation::AudioPaused));
}

// REQ-ALM-017
#[test]
fn a_snapshot_of_another_version_is_refused() {
    let ward = Ward::new();
    let mut value = serde_json::to_value(ward.engine.snapshot()).unwrap();
    value["version"] = 99.into();
    let snapshot: Snapshot = serde_json::from_value(value).unwrap();
    assert_eq!(Engine::restore(snapshot, at(0.0)).unwrap_err(), EngineError::Version { got: 99 });
}

// REQ-ALM-015
#[test]
fn an_episode_that_arrives_after_it_was_over_is_latched_until_seen() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 97.0, 2);
    // The link is down for a minute; the live values come first, then the buffer.
    ward.now = 62.0;
    ward.value(SPO2, 97.0);
    for second in 20..40 {
        ward.feed(Input::Reading(reading(SPO2, f64::from(second), Some(80.0))));
    }
    for second in 40..60 {
        ward.feed(Input::Reading(reading(SPO2, f64::from(second), Some(97.0))));
    }
    assert_eq!(ward.phases("spo2-low"), [Phase::Start]);
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!((alarm.state, alarm.late, alarm.onset.micros()), (State::Latched, true, 20_000_000));
    let out = ward.act(Deed::Acknowledge { alarm: alarm.id, judged: None });
    assert_eq!(phases(&out, "spo2-low"), [Phase::Reset]);
    // All of it once more: nothing new.
    for second in 20..40 {
        assert!(ward.feed(Input::Reading(reading(SPO2, f64::from(second), Some(80.0)))).is_empty());
    }
}

// REQ-ALM-015
#[test]
fn a_late_calm_value_makes_two_episodes_of_one_as_in_order() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 85.0, 10);
    let first = ward.id("spo2-low");
    ward.act(Deed::Acknowledge { alarm: first.clone(), judged: None });
    let out = ward.feed(Input::Reading(reading(SPO2, 5.5, Some(97.0))));
    assert_eq!(phases(&out, "spo2-low"), [Phase::End, Phase::Start]);
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!(alarm.inactivation, Inactivation::Enabled, "what was acknowledged was another episode");
    assert!(alarm.id != first && alarm.onset.micros() > 5_500_000);
}
