//! What people do: acknowledge, pause, set limits, stand by, answer.

use crate::support::*;
use obhut_vitals::Seconds;
use obhut_vitals::alarm::*;

fn desaturate(ward: &mut Ward) {
    ward.hold(SPO2, 85.0, 4);
    assert!(ward.alarm("spo2-low").is_some());
}

// REQ-ALM-006
#[test]
fn acknowledging_one_alarm_silences_no_other() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::LowBattery, "mon-1", true);
    let id = ward.id("spo2-low");
    ward.act(Deed::Acknowledge { alarm: id, judged: None });
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!((alarm.state, alarm.inactivation), (State::Active, Inactivation::Acknowledged));
    assert_eq!(alarm.acknowledged.unwrap().by, person(1));
    assert_eq!(ward.alarm("low-battery").unwrap().inactivation, Inactivation::Enabled);
}

// REQ-ALM-007
#[test]
fn a_pause_ends_by_itself_and_says_how_long_it_still_is() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(60) });
    assert_eq!(ward.alarm("spo2-low").unwrap().inactivation, Inactivation::AudioPaused);
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().audio_paused, Some(Seconds(60)));
    ward.hold(SPO2, 85.0, 59);
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().audio_paused, Some(Seconds(1)));
    let out = ward.hold(SPO2, 85.0, 1);
    assert!(out.iter().any(|o| matches!(o.what, What::Resumed { pause: PauseKind::Audio, cause: Cause::Elapsed })));
    assert_eq!(ward.alarm("spo2-low").unwrap().inactivation, Inactivation::Enabled);
    let out = ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(121) });
    assert_eq!(refused(&out), Some(Refusal::PauseLength { max: 120 }));
}

// REQ-ALM-008
#[test]
fn a_more_urgent_alarm_breaks_an_audio_pause_and_one_as_urgent_does_not() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(60) });
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::LowBattery, "mon-1", true);
    assert_eq!(ward.alarm("low-battery").unwrap().inactivation, Inactivation::AudioPaused);
    let now = ward.now;
    let out = ward.feed(finding(FindingKind::Asystole, now, true, SecondOpinion::Confirmed));
    assert!(matches!(&out[0].what, What::Resumed { pause: PauseKind::Audio, cause: Cause::Alarm(_) }));
    assert_eq!(ward.alarm("asystole").unwrap().inactivation, Inactivation::Enabled);
    ward.hold(SPO2, 85.0, 1);
    assert_eq!(ward.alarm("spo2-low").unwrap().inactivation, Inactivation::Enabled);

    let mut any = profile();
    any.pauses.broken_by = Breaks::Any;
    let mut ward = Ward::with(any);
    ward.act(Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(60) });
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::LowBattery, "mon-1", true);
    assert_eq!(ward.alarm("low-battery").unwrap().inactivation, Inactivation::Enabled);
}

// REQ-ALM-007
#[test]
fn in_an_alarm_pause_alarms_are_there_and_say_that_they_are_paused() {
    let mut ward = Ward::new();
    ward.hold(SPO2, 97.0, 2);
    let pause = Deed::PauseAlarms { bed: bed("bed-1"), length: Seconds(60), reason: "suction".to_owned() };
    ward.act(pause);
    ward.hold(SPO2, 80.0, 10);
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!((alarm.state, alarm.inactivation), (State::Active, Inactivation::AlarmPaused));
    assert_eq!(alarm.calling, None, "nobody is called about what is paused at the bed");
    // Equipment is not paused.
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::LowBattery, "mon-1", true);
    assert_eq!(ward.alarm("low-battery").unwrap().inactivation, Inactivation::Enabled);
    ward.hold(SPO2, 80.0, 51);
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!(alarm.inactivation, Inactivation::Enabled);
    assert!(alarm.calling.is_some());
}

#[test]
fn the_sound_may_be_off_where_the_profile_allows_it() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    let off = Deed::AudioOff { bed: bed("bed-1"), reason: "palliative".to_owned() };
    ward.act(off.clone());
    assert_eq!(ward.alarm("spo2-low").unwrap().inactivation, Inactivation::AudioOff);
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().audio_off.unwrap().reason, "palliative");
    ward.act(Deed::Resume { bed: bed("bed-1") });
    assert_eq!(ward.alarm("spo2-low").unwrap().inactivation, Inactivation::Enabled);
    let mut strict = profile();
    strict.pauses.audio_off_allowed = false;
    assert_eq!(refused(&Ward::with(strict).act(off)), Some(Refusal::NotAllowed));
}

fn set(to: Setting, priority: Priority) -> Deed {
    let reason = "known tachycardia".to_owned();
    Deed::SetLimit { bed: bed("bed-1"), rule: rule_id("hr-high"), priority, to, reason }
}

// REQ-ALM-014
#[test]
fn a_limit_is_set_with_who_and_why_inside_its_bounds() {
    let mut ward = Ward::new();
    ward.hold(HR, 130.0, 12);
    assert!(ward.alarm("hr-high").is_some());
    ward.act(set(Setting::At(140.0), Priority::Medium));
    assert_eq!(ward.alarm("hr-high"), None, "130 is within the new limit");
    let limits = ward.engine.limits(&bed("bed-1"));
    let set_by = limits[0].set.as_ref().unwrap();
    assert_eq!((limits[0].limit, limits[0].profile, set_by.by), (Some(140.0), 120.0, person(1)));
    assert_eq!(refused(&ward.act(set(Setting::At(155.0), Priority::Medium))), Some(Refusal::Limit));
    assert_eq!(refused(&ward.act(set(Setting::At(300.0), Priority::High))), Some(Refusal::Limit));
    let nameless = Deed::SetLimit {
        bed: bed("bed-1"),
        rule: rule_id("hr-high"),
        priority: Priority::Medium,
        to: Setting::Off,
        reason: " ".to_owned(),
    };
    assert_eq!(refused(&ward.act(nameless)), Some(Refusal::Reason));
    ward.act(set(Setting::Profile, Priority::Medium));
    assert_eq!(ward.engine.limits(&bed("bed-1"))[0].limit, Some(120.0));
}

// REQ-ALM-014
#[test]
fn an_alarm_that_still_holds_with_the_new_limit_goes_on() {
    let mut ward = Ward::new();
    ward.hold(HR, 145.0, 12);
    let id = ward.id("hr-high");
    let out = ward.act(set(Setting::At(130.0), Priority::Medium));
    assert_eq!(phases(&out, "hr-high"), []);
    assert_eq!(ward.id("hr-high"), id);
    ward.hold(HR, 145.0, 20);
    assert_eq!(ward.id("hr-high"), id);
    assert_eq!(ward.phases("hr-high").iter().filter(|phase| **phase == Phase::Start).count(), 1);
}

// REQ-ALM-014
#[test]
fn a_step_that_is_switched_off_is_shown_as_off() {
    let mut ward = Ward::new();
    ward.act(set(Setting::Off, Priority::Medium));
    ward.hold(HR, 130.0, 30);
    assert_eq!(ward.alarm("hr-high"), None);
    assert_eq!(ward.engine.limits(&bed("bed-1"))[0].limit, None);
    ward.hold(HR, 160.0, 6);
    assert_eq!(ward.alarm("hr-high").unwrap().priority, Priority::High);
}

// REQ-ALM-009
#[test]
fn standby_is_shown_and_values_in_it_are_an_alarm() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    ward.technical(Place::Bed(bed("bed-1")), TechnicalKind::LowBattery, "mon-1", true);
    ward.act(Deed::Standby { bed: bed("bed-1"), reason: "x-ray".to_owned() });
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().alarms, Vec::<&Alarm>::new());
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().standby.unwrap().reason, "x-ray");
    ward.wait(60);
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().alarms, Vec::<&Alarm>::new());
    // Somebody is back and monitored, and nobody ended standby.
    ward.hold(SPO2, 80.0, 21);
    assert_eq!(ward.alarm("standby-values").unwrap().reason.short(Lang::De), "Werte in Standby");
    assert_eq!(ward.alarm("spo2-low"), None);
    ward.act(Deed::Back { bed: bed("bed-1") });
    ward.hold(SPO2, 80.0, 4);
    assert_eq!(ward.alarm("standby-values"), None);
    assert!(ward.alarm("spo2-low").is_some());
    assert!(ward.alarm("low-battery").is_some(), "the battery is still low");
}

// REQ-ALM-005
#[test]
fn a_code_that_is_no_longer_measured_on_purpose_is_silent_without_alarm() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    ward.wait(10);
    let stop = |expected| Deed::Watch { bed: bed("bed-1"), code: SPO2, expected, reason: "taken off".to_owned() };
    ward.act(stop(false));
    ward.wait(10);
    assert_eq!((ward.alarm("no-signal"), ward.alarm("spo2-low")), (None, None));
    ward.act(stop(true));
    ward.wait(5);
    assert!(ward.alarm("no-signal").is_some());
}

#[test]
fn an_act_that_arrives_twice_is_done_once() {
    let mut ward = Ward::new();
    let act = Act {
        id: obhut_model::RequestId::from_random([9; 16]),
        who: person(1),
        what: Deed::PauseAudio { bed: bed("bed-1"), length: Seconds(60) },
    };
    ward.feed(Input::Act(act.clone()));
    ward.wait(30);
    assert!(ward.feed(Input::Act(act)).is_empty());
    assert_eq!(ward.engine.bed(&bed("bed-1")).unwrap().audio_paused, Some(Seconds(30)));
}

fn called(said: &[Output]) -> Vec<(u8, Callee)> {
    said.iter()
        .filter_map(|output| match &output.what {
            What::Called { step, to, .. } => Some((*step, to.clone())),
            _ => None,
        })
        .collect()
}

fn role(name: &str) -> Callee {
    Callee::Role(RoleId::new(name).unwrap())
}

// REQ-ALM-013
#[test]
fn an_unanswered_alarm_goes_from_one_to_the_next() {
    let mut ward = Ward::new();
    ward.act(Deed::Take { bed: bed("bed-1") });
    desaturate(&mut ward);
    assert_eq!(called(&ward.said), [(0, Callee::Responsible)]);
    ward.hold(SPO2, 85.0, 29);
    assert_eq!(called(&ward.said).len(), 1);
    ward.hold(SPO2, 85.0, 1);
    assert_eq!(called(&ward.said).last(), Some(&(1, role("nurse"))));
    let id = ward.id("spo2-low");
    let reject = Deed::Reject { alarm: id.clone(), reason: "with another patient".to_owned() };
    assert_eq!(called(&ward.act_by(2, reject)), [(2, role("physician"))]);
    let out = ward.hold(SPO2, 85.0, 60);
    assert!(out.iter().any(|output| matches!(output.what, What::Unanswered { .. })));
    ward.wait(1);
    assert!(ward.alarm("unanswered").is_some(), "that nobody answers is an alarm itself");
    ward.act_by(3, Deed::Accept { alarm: id.clone() });
    ward.hold(SPO2, 85.0, 1);
    assert_eq!(ward.alarm("unanswered"), None);
    let alarm = ward.alarm("spo2-low").unwrap();
    assert_eq!(alarm.inactivation, Inactivation::Enabled, "accepting silences nothing");
    assert_eq!(alarm.calling.unwrap().accepted, Some(person(3)));
    let before = called(&ward.said).len();
    ward.hold(SPO2, 85.0, 300);
    assert_eq!(called(&ward.said).len(), before);
}

// REQ-ALM-013
#[test]
fn where_nobody_is_responsible_the_next_in_line_is_called_at_once() {
    let mut ward = Ward::new();
    desaturate(&mut ward);
    assert_eq!(called(&ward.said), [(1, role("nurse"))]);
    let id = ward.id("spo2-low");
    ward.act(Deed::Acknowledge { alarm: id, judged: None });
    ward.hold(SPO2, 85.0, 200);
    assert_eq!(called(&ward.said).len(), 1, "who has seen an alarm is not called about it");
}

// REQ-ALM-013
#[test]
fn a_bed_is_handed_over_only_when_the_other_takes_it() {
    let mut ward = Ward::new();
    let here = bed("bed-1");
    ward.act_by(1, Deed::Take { bed: here.clone() });
    ward.act_by(1, Deed::Offer { bed: here.clone(), to: person(2) });
    assert_eq!(ward.engine.bed(&here).unwrap().responsible, Some(person(1)));
    assert_eq!(refused(&ward.act_by(3, Deed::AcceptBed { bed: here.clone() })), Some(Refusal::NotOffered));
    ward.act_by(2, Deed::RejectBed { bed: here.clone(), reason: "six beds already".to_owned() });
    assert_eq!(ward.engine.bed(&here).unwrap().responsible, Some(person(1)));
    ward.act_by(1, Deed::Offer { bed: here.clone(), to: person(3) });
    ward.act_by(3, Deed::AcceptBed { bed: here.clone() });
    assert_eq!(ward.engine.bed(&here).unwrap().responsible, Some(person(3)));
}
