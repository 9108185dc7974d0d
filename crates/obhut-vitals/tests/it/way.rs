//! The patient's way: limits, alarms and history go along; nothing lands on another patient.

use crate::support::*;
use obhut_vitals::alarm::*;

fn admit(ward: &mut Ward, who: u8, where_to: &str) -> Vec<Output> {
    ward.feed(Input::Move(Move::Admit { subject: subject(who), bed: bed(where_to) }))
}

fn alarms_of(ward: &Ward, place: &str) -> Vec<String> {
    let view = ward.engine.bed(&bed(place)).unwrap();
    view.alarms.iter().map(|alarm| alarm.id.rule().to_string()).collect()
}

fn limit_140() -> Deed {
    Deed::SetLimit {
        bed: bed("bed-1"),
        rule: rule_id("hr-high"),
        priority: Priority::Medium,
        to: Setting::At(140.0),
        reason: "known tachycardia".to_owned(),
    }
}

// REQ-ALM-016
#[test]
fn limits_alarms_and_history_follow_the_patient_and_equipment_stays() {
    let mut ward = Ward::new();
    admit(&mut ward, 7, "bed-1");
    ward.act(limit_140());
    ward.hold(SPO2, 85.0, 4);
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::LowBattery, "mon-1", true);
    let id = ward.id("spo2-low");
    let out = ward.feed(Input::Move(Move::Transfer { subject: subject(7), to: bed("bed-2") }));
    assert_eq!(phases(&out, "spo2-low"), [Phase::Continue], "said again at the new bed");
    assert_eq!(alarms_of(&ward, "bed-1"), ["low-battery"]);
    assert_eq!(alarms_of(&ward, "bed-2"), ["spo2-low"]);
    assert_eq!(ward.engine.bed(&bed("bed-2")).unwrap().alarms[0].id, id);
    assert_eq!(ward.engine.limits(&bed("bed-2"))[0].limit, Some(140.0));
    assert_eq!(ward.engine.limits(&bed("bed-1"))[0].limit, Some(120.0));
    let told =
        |place: &str| ward.engine.history(&bed(place)).filter(|o| matches!(o.what, What::LimitSet { .. })).count();
    assert_eq!((told("bed-1"), told("bed-2")), (0, 1));
    // A value measured at the old bed, but hers: it counts where she lies now.
    ward.now += 1.0;
    let hers = Reading { subject: Some(subject(7)), ..reading(SPO2, ward.now, Some(97.0)) };
    ward.feed(Input::Reading(hers));
    assert_eq!(alarms_of(&ward, "bed-2"), Vec::<String>::new());
}

// REQ-ALM-016
#[test]
fn a_late_value_of_the_patient_before_counts_for_nobody_else() {
    let mut ward = Ward::new();
    admit(&mut ward, 7, "bed-1");
    ward.now = 100.0;
    ward.feed(Input::Move(Move::Discharge { subject: subject(7) }));
    admit(&mut ward, 8, "bed-1");
    for second in 50..60 {
        ward.feed(Input::Reading(reading(SPO2, f64::from(second), Some(70.0))));
        let named = Reading { subject: Some(subject(7)), ..reading(SPO2, f64::from(second), Some(70.0)) };
        assert_eq!(refused(&ward.feed(Input::Reading(named))), Some(Refusal::NotHere));
    }
    assert_eq!(alarms_of(&ward, "bed-1"), Vec::<String>::new());
}

// REQ-ALM-016
#[test]
fn who_comes_back_finds_limits_and_history() {
    let mut ward = Ward::new();
    admit(&mut ward, 7, "bed-1");
    ward.act(limit_140());
    ward.hold(SPO2, 85.0, 4);
    let out = ward.feed(Input::Move(Move::Discharge { subject: subject(7) }));
    assert_eq!(phases(&out, "spo2-low"), [Phase::End]);
    assert_eq!(ward.engine.limits(&bed("bed-1"))[0].limit, Some(120.0));
    ward.now += 10.0;
    admit(&mut ward, 7, "bed-2");
    assert_eq!(ward.engine.limits(&bed("bed-2"))[0].limit, Some(140.0));
    assert!(ward.engine.history(&bed("bed-2")).any(|o| matches!(o.what, What::LimitSet { .. })));
}

#[test]
fn two_patients_never_lie_in_one_bed_and_one_never_in_two() {
    let mut ward = Ward::new();
    admit(&mut ward, 7, "bed-1");
    assert!(admit(&mut ward, 7, "bed-1").is_empty(), "a second copy changes nothing");
    assert_eq!(refused(&admit(&mut ward, 8, "bed-1")), Some(Refusal::Occupied));
    assert_eq!(refused(&admit(&mut ward, 7, "bed-2")), Some(Refusal::Elsewhere));
    admit(&mut ward, 8, "bed-2");
    let transfer = Input::Move(Move::Transfer { subject: subject(7), to: bed("bed-2") });
    assert_eq!(refused(&ward.feed(transfer)), Some(Refusal::Occupied));
    assert_eq!(refused(&admit(&mut ward, 9, "bed-3")), Some(Refusal::UnknownBed));
}

#[test]
fn whoever_was_monitored_without_a_name_keeps_the_alarm_when_named() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 85.0, 4);
    let id = ward.id("spo2-low");
    let out = admit(&mut ward, 7, "bed-1");
    assert_eq!(phases(&out, "spo2-low"), []);
    assert_eq!(ward.id("spo2-low"), id);
}

// REQ-ALM-018
#[test]
fn another_profile_ends_what_its_rules_no_longer_say_and_keeps_the_rest() {
    let mut ward = Ward::new();
    ward.hold(HR, 130.0, 11);
    for _ in 0..5 {
        ward.hold(SPO2, 85.0, 1);
        ward.value(HR, 130.0);
    }
    let kept = ward.id("hr-high");
    let mut other = profile();
    other.version = "v2".to_owned();
    other.rules.retain(|rule| rule.id.as_str() != "spo2-low");
    let now = at(ward.now);
    let out = ward.engine.reload(vec![other.clone()], other.id.clone(), now).unwrap();
    let causes: Vec<&Cause> = out
        .iter()
        .filter_map(|output| match &output.what {
            What::Alarm { cause, .. } => Some(cause),
            _ => None,
        })
        .collect();
    assert_eq!(causes, [&Cause::Profile], "{out:?}");
    assert_eq!(ward.alarm("spo2-low"), None);
    assert_eq!(ward.id("hr-high"), kept);
    // A wrong profile leaves the old one in force.
    other.rules.clear();
    assert!(ward.engine.reload(vec![other.clone()], other.id.clone(), now).is_err());
    assert_eq!(ward.engine.profiles()[0].version, "v2");
}

// REQ-ALM-018
#[test]
fn a_profile_is_chosen_for_one_bed_with_who_and_why() {
    let mut loose = profile();
    loose.id = ProfileId::new("palliative").unwrap();
    for rule in &mut loose.rules {
        if let Condition::Limit { steps, .. } = &mut rule.condition {
            steps.iter_mut().for_each(|step| step.limit = if step.limit < 100.0 { 60.0 } else { step.limit + 50.0 });
        }
    }
    let ward_profile = profile();
    let id = ward_profile.id.clone();
    let engine = Engine::new(["bed-1", "bed-2"].map(bed), vec![ward_profile, loose.clone()], id, at(0.0)).unwrap();
    let mut ward = Ward { engine, ..Ward::new() };
    ward.hold(SPO2, 85.0, 4);
    let choose = |profile: &ProfileId| Deed::UseProfile {
        bed: bed("bed-1"),
        profile: profile.clone(),
        reason: "palliative care".to_owned(),
    };
    ward.act(choose(&loose.id));
    assert_eq!(ward.alarm("spo2-low"), None);
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().profile, &loose.id);
    assert_eq!(ward.engine.bed(&bed("bed-2")).unwrap().profile.as_str(), "ward");
    let unknown = ProfileId::new("nothing").unwrap();
    assert_eq!(refused(&ward.act(choose(&unknown))), Some(Refusal::UnknownProfile));
}
