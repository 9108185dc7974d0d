//! An alarm's life: delays, steps, latching, doubt, trends, combinations, findings, equipment.

use crate::support::*;
use obhut_model::{DeviceId, Quality};
use obhut_vitals::alarm::*;

// REQ-ALM-001
#[test]
fn a_limit_alarm_comes_after_its_delay_and_goes_past_the_hysteresis() {
    let mut ward = Ward::new();
    ward.hold(HR, 80.0, 3);
    let out = ward.hold(HR, 130.0, 10);
    assert!(out.is_empty(), "the limit has been passed for 9 s only: {out:?}");
    let out = ward.hold(HR, 131.0, 1);
    assert_eq!(phases(&out, "hr-high"), [Phase::Start]);
    let alarm = ward.alarm("hr-high").unwrap();
    assert_eq!(alarm.reason.short(Lang::De), "HF 131 > 120");
    assert_eq!(
        (alarm.priority, alarm.state, alarm.inactivation),
        (Priority::Medium, State::Active, Inactivation::Enabled)
    );
    assert_eq!(alarm.onset.micros(), 4_000_000);
    assert_eq!(alarm.rule_version, "v1");
    // 120 is no longer beyond the limit, but not yet back by the hysteresis.
    ward.hold(HR, 120.0, 3);
    assert_eq!(ward.alarm("hr-high").unwrap().state, State::Active);
    let out = ward.hold(HR, 118.0, 1);
    assert_eq!(phases(&out, "hr-high"), [Phase::End]);
    assert_eq!(ward.alarm("hr-high"), None);
}

// REQ-ALM-001
#[test]
fn a_short_excursion_is_no_alarm_and_the_limit_itself_is_normal() {
    let mut ward = Ward::new();
    ward.hold(HR, 130.0, 9);
    ward.hold(HR, 80.0, 1);
    ward.hold(HR, 120.0, 30);
    assert_eq!(ward.phases("hr-high"), []);
}

// REQ-ALM-001 REQ-ALM-002
#[test]
fn the_more_urgent_step_escalates_the_same_alarm_and_its_latch_keeps_it() {
    let mut ward = Ward::new();
    ward.hold(HR, 130.0, 11);
    let first = ward.id("hr-high");
    let out = ward.hold(HR, 160.0, 6);
    assert_eq!(phases(&out, "hr-high"), [Phase::Escalate]);
    let alarm = ward.alarm("hr-high").unwrap();
    assert_eq!((alarm.id.clone(), alarm.priority), (first.clone(), Priority::High));
    assert_eq!(alarm.reason.limit(), Some(150.0));
    // Back to the first step: the high step is latching, so the priority stays until somebody has seen it.
    ward.hold(HR, 130.0, 2);
    assert_eq!(ward.alarm("hr-high").unwrap().priority, Priority::High);
    ward.act(Deed::Acknowledge { alarm: first.clone(), judged: None });
    ward.hold(HR, 130.0, 1);
    let alarm = ward.alarm("hr-high").unwrap();
    assert_eq!((alarm.priority, alarm.inactivation), (Priority::Medium, Inactivation::Acknowledged));
    assert_eq!(alarm.worst, Some(160.0));
    // More urgent than what was acknowledged: heard again.
    ward.hold(HR, 170.0, 6);
    let alarm = ward.alarm("hr-high").unwrap();
    assert_eq!((alarm.priority, alarm.inactivation), (Priority::High, Inactivation::Enabled));
}

// REQ-ALM-002
#[test]
fn a_latched_alarm_stays_until_acknowledged() {
    let mut ward = Ward::new();
    ward.hold(HR, 160.0, 6);
    let out = ward.hold(HR, 80.0, 1);
    assert_eq!(phases(&out, "hr-high"), [Phase::End]);
    let alarm = ward.alarm("hr-high").unwrap();
    assert_eq!((alarm.state, alarm.priority), (State::Latched, Priority::High));
    ward.hold(HR, 80.0, 100);
    let id = ward.id("hr-high");
    let out = ward.act(Deed::Acknowledge { alarm: id, judged: None });
    assert_eq!(phases(&out, "hr-high"), [Phase::Reset]);
    assert_eq!(ward.alarm("hr-high"), None);
}

#[test]
fn a_new_episode_takes_the_place_of_a_latched_one() {
    let mut ward = Ward::new();
    ward.hold(HR, 160.0, 6);
    ward.hold(HR, 80.0, 5);
    let first = ward.id("hr-high");
    let out = ward.hold(HR, 160.0, 6);
    assert_eq!(phases(&out, "hr-high"), [Phase::Reset, Phase::Start]);
    assert_ne!(ward.id("hr-high"), first);
}

// REQ-ALM-005
#[test]
fn silence_is_an_alarm_and_never_the_end_of_one() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 85.0, 4);
    assert_eq!(ward.alarm("spo2-low").unwrap().evidence, Evidence::Known);
    let out = ward.wait(6);
    assert_eq!(phases(&out, "no-signal"), [Phase::Start]);
    assert_eq!(ward.alarm("no-signal").unwrap().reason.short(Lang::En), "SpO2: no value");
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!((alarm.state, alarm.evidence), (State::Active, Evidence::Unknown));
    // Measured, but without a number: still silence.
    ward.now += 1.0;
    ward.feed(Input::Reading(reading(SPO2, ward.now, None)));
    assert!(ward.alarm("no-signal").is_some());
    ward.hold(SPO2, 96.0, 1);
    assert_eq!((ward.alarm("spo2-low"), ward.alarm("no-signal")), (None, None));
}

// REQ-ALM-005
#[test]
fn a_doubtful_value_may_raise_an_alarm_and_never_ends_one() {
    let mut ward = Ward::new();
    let doubtful = |ward: &mut Ward, value: f64| {
        ward.now += 1.0;
        let quality = Quality::QUESTIONABLE;
        ward.feed(Input::Reading(Reading { quality, ..reading(SPO2, ward.now, Some(value)) }));
    };
    for _ in 0..5 {
        doubtful(&mut ward, 80.0);
    }
    assert_eq!(ward.alarm("spo2-low").unwrap().evidence, Evidence::Unknown);
    assert!(ward.alarm("suspect-data").is_some());
    for _ in 0..3 {
        doubtful(&mut ward, 98.0);
    }
    assert!(ward.alarm("spo2-low").is_some());
    ward.hold(SPO2, 98.0, 1);
    assert_eq!((ward.alarm("spo2-low"), ward.alarm("suspect-data")), (None, None));
}

// REQ-ALM-003
#[test]
fn a_fall_within_the_window_is_a_trend_alarm() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 99.0, 10);
    for fall in 0..9 {
        ward.hold(SPO2, 99.0 - f64::from(fall), 1);
    }
    assert_eq!(ward.alarm("spo2-falls"), None, "a fall of 8 is the limit itself");
    ward.hold(SPO2, 90.5, 1);
    let alarm = ward.alarm("spo2-falls").unwrap();
    assert_eq!((alarm.priority, alarm.reason.value()), (Priority::Low, Some(8.5)));
    // Once the window has left the high values behind, the change is over.
    ward.hold(SPO2, 90.5, 125);
    assert_eq!(ward.alarm("spo2-falls"), None);
}

// REQ-ALM-003
#[test]
fn a_combination_needs_all_its_parts_and_a_lost_part_ends_nothing() {
    let mut ward = Ward::new();
    let both = |ward: &mut Ward, hr: f64, sbp: f64, seconds: u32| {
        for _ in 0..seconds {
            ward.now += 1.0;
            ward.value(HR, hr);
            ward.value(SBP, sbp);
            ward.feed(Input::Tick);
        }
    };
    both(&mut ward, 115.0, 100.0, 5);
    assert_eq!(ward.alarm("shock"), None);
    both(&mut ward, 115.0, 85.0, 4);
    assert_eq!(ward.alarm("shock").unwrap().reason.short(Lang::De), "HF 115 > 110 + ABP sys 85 < 90");
    ward.hold(HR, 115.0, 20);
    assert!(ward.alarm("shock").is_some(), "the pressure is unknown, not normal");
    ward.hold(HR, 90.0, 1);
    assert_eq!(ward.alarm("shock"), None, "without the heart rate the combination cannot hold");
}

// REQ-ALM-010
#[test]
fn a_contradicted_arrhythmia_is_one_step_less_urgent_and_says_why() {
    let mut ward = Ward::new();
    ward.now = 1.0;
    let unclear = SecondOpinion::Unclear { reason: "no pleth".to_owned() };
    let against = SecondOpinion::Contradicted { reason: "pulse 72 in pleth".to_owned() };
    ward.feed(finding(FindingKind::Asystole, 1.0, true, unclear));
    assert_eq!(ward.alarm("asystole").unwrap().priority, Priority::High);
    ward.now = 2.0;
    let out = ward.feed(finding(FindingKind::Asystole, 2.0, true, against));
    assert_eq!(phases(&out, "asystole"), [Phase::Deescalate]);
    let alarm = ward.alarm("asystole").unwrap();
    assert_eq!((alarm.priority, alarm.declared), (Priority::Medium, Priority::High));
    assert_eq!(alarm.downgraded.as_deref(), Some("pulse 72 in pleth"));
    ward.now = 3.0;
    let out = ward.feed(finding(FindingKind::Asystole, 3.0, true, SecondOpinion::Confirmed));
    assert_eq!(phases(&out, "asystole"), [Phase::Escalate]);
    assert_eq!(ward.alarm("asystole").unwrap().downgraded, None);
}

// REQ-ALM-010
#[test]
fn a_contradicted_alarm_is_there_from_the_start() {
    let mut ward = Ward::new();
    let against = SecondOpinion::Contradicted { reason: "arterial pulse".to_owned() };
    let out = ward.feed(finding(FindingKind::Asystole, 0.0, true, against));
    assert_eq!(phases(&out, "asystole"), [Phase::Start]);
    assert_eq!(ward.alarm("asystole").unwrap().priority, Priority::Medium);
}

// REQ-ALM-011
#[test]
fn equipment_that_fails_is_an_alarm_until_it_is_back() {
    let mut ward = Ward::new();
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::DeviceLost, "mon-1", true);
    assert_eq!(ward.phases("device-lost"), []);
    ward.wait(2);
    let alarm = ward.alarm("device-lost").unwrap();
    assert_eq!((alarm.kind, alarm.id.to_string()), (AlarmType::Technical, "bed-1.device-lost._.mon-1.0.1".to_owned()));
    assert_eq!(alarm.id.to_string().parse(), Ok(alarm.id));
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::DeviceLost, "mon-1", false);
    assert_eq!(ward.phases("device-lost"), [Phase::Start, Phase::End]);
}

// REQ-ALM-011
#[test]
fn a_sensor_that_is_off_is_told_by_the_flag_of_its_value() {
    let mut ward = Ward::new();
    ward.hold(HR, 80.0, 1);
    ward.now += 1.0;
    let quality = Quality::SENSOR_OFF;
    ward.feed(Input::Reading(Reading { quality, ..reading(HR, ward.now, Some(0.0)) }));
    assert_eq!(ward.alarm("lead-off").unwrap().reason.short(Lang::De), "HF: Sensor ab");
    ward.hold(HR, 80.0, 1);
    assert_eq!(ward.alarm("lead-off"), None);
}

// REQ-ALM-011
#[test]
fn a_clock_that_runs_ahead_keeps_nothing_young_and_is_said() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 97.0, 1);
    ward.feed(Input::Reading(reading(SPO2, ward.now + 3_600.0, Some(97.0))));
    assert!(ward.alarm("clock-off").is_some());
    let out = ward.wait(6);
    assert_eq!(phases(&out, "no-signal"), [Phase::Start]);
}

// REQ-ALM-012
#[test]
fn the_loss_of_a_part_of_the_system_is_said_within_five_seconds() {
    for kind in TechnicalKind::ALL.iter().copied().filter(|kind| kind.is_loss()) {
        let mut ward = Ward::new();
        ward.technical(Place::Ward, kind, "part-1", true);
        let mut waited = 0;
        while !ward
            .engine
            .alarms()
            .any(|(place, alarm)| place == Place::Ward && alarm.id.rule().as_str() == kind.word())
        {
            ward.wait(1);
            waited += 1;
            assert!(waited <= 5, "{kind:?}");
        }
        let mut late = profile();
        let rule = late.rules.iter_mut().find(|rule| rule.id.as_str() == kind.word()).unwrap();
        rule.condition = Condition::Technical { kind, signal: signal(Priority::High, 6, false) };
        let errors = late.check().unwrap_err().errors;
        assert!(matches!(errors.as_slice(), [ProfileError::LossTooLate { seconds: 6, .. }]), "{errors:?}");
    }
}

// REQ-ALM-015
#[test]
fn two_devices_that_measure_the_same_make_one_alarm() {
    let mut ward = Ward::new();
    let other = |ward: &Ward, value| {
        Input::Reading(Reading { source: DeviceId::new("mon-2").unwrap(), ..reading(SPO2, ward.now, Some(value)) })
    };
    for _ in 0..6 {
        ward.hold(SPO2, 85.0, 1);
        let input = other(&ward, 84.0);
        ward.feed(input);
    }
    assert_eq!(ward.phases("spo2-low"), [Phase::Start]);
    // One of them says that it is over: not for the other.
    ward.hold(SPO2, 97.0, 1);
    let input = other(&ward, 84.0);
    ward.feed(input);
    assert!(ward.alarm("spo2-low").is_some());
    // The other falls silent: the one that still measures decides.
    ward.hold(SPO2, 97.0, 6);
    assert_eq!(ward.alarm("spo2-low"), None);
}
