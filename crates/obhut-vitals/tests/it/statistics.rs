//! Counts from records.

use crate::support::*;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::statistics::*;
use obhut_vitals::alarm::*;

fn yardstick() -> Yardstick {
    Yardstick { short: Seconds(10), share: 0.5, delay_more_max: Seconds(30), alarms_min: 4, day_offset_minutes: 60 }
}

// REQ-ALM-019
#[test]
fn a_rule_whose_alarms_end_by_themselves_would_be_quieter_with_a_longer_delay() {
    let mut ward = Ward::new();
    for _ in 0..6 {
        ward.hold(SPO2, 97.0, 5);
        ward.hold(SPO2, 85.0, 8);
    }
    ward.hold(SPO2, 97.0, 5);
    let statistics = Statistics::of(&ward.said, &yardstick());
    assert_eq!((statistics.alarms, statistics.noise[0].short), (12, 6));
    let low = statistics.noise.iter().find(|noise| noise.rule.as_str() == "spo2-low").unwrap();
    let Some(Suggestion::LongerDelay { by, avoids }) = low.suggestion else { panic!("{low:?}") };
    // It is true: played again with that delay, nothing comes.
    assert_eq!(avoids, 6);
    let mut longer = profile();
    for rule in &mut longer.rules {
        if let (true, Condition::Limit { steps, .. }) = (rule.id.as_str() == "spo2-low", &mut rule.condition) {
            steps[0].signal.delays.condition = steps[0].signal.delays.condition.plus(by);
        }
    }
    let mut again = Ward::with(longer);
    for _ in 0..6 {
        again.hold(SPO2, 97.0, 5);
        again.hold(SPO2, 85.0, 8);
    }
    assert_eq!(again.phases("spo2-low"), []);
}

// REQ-ALM-019
#[test]
fn a_rule_that_is_passed_by_little_for_long_would_be_quieter_with_another_limit() {
    let mut ward = Ward::new();
    for worst in [89.0, 89.0, 89.0, 88.0, 70.0] {
        ward.hold(SPO2, 97.0, 5);
        ward.hold(SPO2, worst, 60);
    }
    ward.hold(SPO2, 97.0, 5);
    let statistics = Statistics::of(&ward.said, &yardstick());
    let low = statistics.noise.iter().find(|noise| noise.rule.as_str() == "spo2-low").unwrap();
    assert_eq!(low.suggestion, Some(Suggestion::ShiftLimit { to: 89.0, avoids: 3 }));
}

// REQ-ALM-019
#[test]
fn days_shares_and_waits_are_counted_from_what_people_did() {
    let mut ward = Ward::new();
    ward.now = 23.0 * 3_600.0 - 30.0;
    for judged in [Some(Judgement::Actionable), Some(Judgement::NotActionable), None] {
        ward.hold(SPO2, 97.0, 200);
        ward.hold(SPO2, 91.0, 1);
        ward.hold(SPO2, 89.5, 24);
        let id = ward.id("spo2-low");
        ward.act(Deed::Acknowledge { alarm: id, judged });
    }
    ward.hold(SPO2, 97.0, 1);
    let low: Vec<Output> = ward
        .said
        .iter()
        .filter(|o| matches!(&o.what, What::Alarm { alarm, .. } if alarm.id.rule().as_str() == "spo2-low"))
        .cloned()
        .collect();
    let statistics = Statistics::of(low.iter().rev(), &yardstick());
    assert_eq!((statistics.alarms, statistics.acknowledged), (3, 3));
    assert_eq!(statistics.actionable_share(), Some(0.5));
    assert_eq!(statistics.acknowledged_median, Some(Seconds(20)));
    // 23:00 UTC is midnight one hour further east.
    let days: Vec<(i64, u32)> = statistics.days.iter().map(|(_, day, counts)| (*day, counts.medium)).collect();
    assert_eq!(days, [(1, 3)]);
    assert_eq!(Statistics::of([], &yardstick()).actionable_share(), None);
}

// REQ-ALM-019
#[test]
fn a_sensor_that_keeps_falling_off_is_to_be_checked() {
    let mut ward = Ward::new();
    for _ in 0..5 {
        ward.hold(HR, 80.0, 2);
        ward.now += 1.0;
        let quality = obhut_model::Quality::SENSOR_OFF;
        ward.feed(Input::Reading(Reading { quality, ..reading(HR, ward.now, None) }));
    }
    let statistics = Statistics::of(&ward.said, &yardstick());
    assert_eq!(statistics.noise[0].suggestion, Some(Suggestion::CheckSensor { alarms: 5 }));
}
