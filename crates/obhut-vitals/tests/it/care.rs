//! Bed exit, falls, turning, infusions.

use obhut_model::{Code, DeviceTime, PersonId, Quality};
use obhut_vitals::Seconds;
use obhut_vitals::alarm::FindingKind;
use obhut_vitals::care::*;

fn at(seconds: i64) -> DeviceTime {
    DeviceTime::from_micros(seconds * 1_000_000)
}

fn plan() -> CarePlan {
    CarePlan {
        watch_exit: true,
        exit_after: Seconds(5),
        turn_every: Some(Seconds(7_200)),
        turned_at: 40.0,
        stale_after: Seconds(20),
    }
}

fn occupied(seconds: i64, occupied: Option<bool>) -> MovementEvent {
    MovementEvent::Occupied { at: at(seconds), occupied, quality: Quality::GOOD }
}

// REQ-ALM-040
#[test]
fn leaving_the_bed_is_said_once_after_a_while() {
    let mut watch = Movement::new(plan(), at(0));
    assert_eq!(watch.lying(), Lying::Unknown);
    watch.step(occupied(1, Some(true)));
    assert!(watch.step(occupied(10, Some(false))).is_empty());
    assert!(watch.step(occupied(12, Some(true))).is_empty(), "the sensor flickered");
    watch.step(occupied(20, Some(false)));
    assert_eq!(watch.step(MovementEvent::Tick { at: at(25) }), [(FindingKind::BedExit, true)]);
    assert!(watch.step(occupied(26, Some(false))).is_empty());
    assert_eq!(watch.step(occupied(40, Some(true))), [(FindingKind::BedExit, false)]);
}

// REQ-ALM-040
#[test]
fn a_silent_sensor_knows_nothing() {
    let mut watch = Movement::new(plan(), at(0));
    watch.step(occupied(1, Some(true)));
    assert_eq!(watch.lying(), Lying::InBed);
    watch.step(MovementEvent::Tick { at: at(22) });
    assert_eq!(watch.lying(), Lying::Unknown);
    watch.step(occupied(23, None));
    assert_eq!(watch.lying(), Lying::Unknown);
    let doubtful = MovementEvent::Occupied { at: at(24), occupied: Some(true), quality: Quality::QUESTIONABLE };
    watch.step(doubtful);
    assert_eq!(watch.lying(), Lying::Unknown);
}

// REQ-ALM-040
#[test]
fn a_fall_stays_until_somebody_has_been_there() {
    let mut watch = Movement::new(plan(), at(0));
    let fall = MovementEvent::Fell { at: at(5) };
    assert_eq!(watch.step(fall), [(FindingKind::Fall, true)]);
    assert!(watch.step(fall).is_empty());
    let attended = MovementEvent::Attended { at: at(60), by: PersonId::from_random([1; 16]) };
    assert_eq!(watch.step(attended), [(FindingKind::Fall, false)]);
}

// REQ-ALM-040
#[test]
fn who_does_not_move_is_to_be_turned() {
    let mut watch = Movement::new(plan(), at(0));
    let moved = |seconds, percent| MovementEvent::Moved { at: at(seconds), percent, quality: Quality::GOOD };
    watch.step(moved(3_600, 45.0));
    assert_eq!(watch.turn_due_at(), Some(at(10_800)));
    assert!(watch.step(moved(7_300, 5.0)).is_empty());
    assert_eq!(watch.step(MovementEvent::Tick { at: at(10_800) }), [(FindingKind::RepositioningDue, true)]);
    let turned = MovementEvent::Turned { at: at(10_900), by: PersonId::from_random([1; 16]) };
    assert_eq!(watch.step(turned), [(FindingKind::RepositioningDue, false)]);
}

// REQ-ALM-041
#[test]
fn an_infusion_says_that_it_ends_and_that_it_has() {
    let mut infusion = Infusion::new(InfusionPlan { near: Seconds(600), stale_after: Seconds(15) }, at(0));
    let mut say = |seconds, code, value| infusion.reading(code, at(seconds), Some(value), Quality::GOOD);
    assert!(say(1, Code::FLOW_FLUID_PUMP, 60.0).is_empty());
    assert!(say(1, Code::VOL_FLUID_TBI_REMAIN, 10.5).is_empty());
    assert_eq!(say(2, Code::VOL_FLUID_TBI_REMAIN, 10.0), [(FindingKind::InfusionNearEnd, true)]);
    assert!(say(2, Code::VOL_FLUID_TBI_REMAIN, 10.0).is_empty());
    assert_eq!(
        say(3, Code::VOL_FLUID_TBI_REMAIN, 0.0),
        [(FindingKind::InfusionNearEnd, false), (FindingKind::InfusionEnded, true)]
    );
    assert_eq!(say(4, Code::VOL_FLUID_TBI_REMAIN, 500.0), [(FindingKind::InfusionEnded, false)]);
    assert_eq!(infusion.state().time_left, TimeLeft::Computed(Seconds(30_000)));
    assert!(infusion.elapse(at(60)).is_empty());
    assert_eq!((infusion.state().time_left, infusion.state().rate), (TimeLeft::Unknown, None));
    infusion.reading(Code::TIME_PD_REMAIN, at(61), Some(900.0), Quality::GOOD);
    assert_eq!(infusion.state().time_left, TimeLeft::Device(Seconds(900)));
    infusion.reading(Code::FLOW_FLUID_PUMP, at(61), Some(0.0), Quality::GOOD);
    assert_eq!(infusion.state().time_left, TimeLeft::Stopped);
}
