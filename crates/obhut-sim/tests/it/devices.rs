//! Devices say everything once, in order, however they are asked.

use crate::{at, nameplate};
use obhut_model::{Code, DeviceId, DeviceTime, ModelId, NO_VALUE, Quality};
use obhut_sim::device::{Device, Monitor, MovementSensor, PumpDevice, Repeat, Report, Setup, WaveBlock};
use obhut_sim::rng::Rng;
use obhut_sim::ward::{Kind, Models, Options, build};
use obhut_sim::world::{Activity, Artefact, Course, Patient, Person};
use std::collections::{BTreeMap, BTreeSet};

fn patient() -> Patient {
    Patient::new(1, Person::draw(&mut Rng::new(1)), Course::Steady(Activity::Awake), at(0))
}

fn monitor() -> Monitor {
    Monitor::new(nameplate("mon-01"), patient(), Setup::default(), at(0))
}

fn all(device: &mut dyn Device, until: DeviceTime) -> Vec<Report> {
    let mut out = Vec::new();
    while device.next_due() <= until {
        out.extend(device.produce(until));
    }
    out
}

#[test]
fn a_monitor_sends_every_sample_once() {
    let reports = all(&mut monitor(), at(60_000_000));
    assert_eq!(reports.len(), 240);
    let mut ends: BTreeMap<Code, (DeviceTime, u64)> = BTreeMap::new();
    for block in reports.iter().flat_map(|report| &report.waves) {
        let n = block.samples().len() as u64;
        let (end, count) = ends.entry(block.code).or_insert((at(0), 0));
        // Each block begins where the last one ended, to the rounding of a microsecond.
        assert!(block.start.since(*end).abs() <= 1, "{:?}", block.code);
        *count += n;
        *end = at(block.rate.offset_micros(*count));
    }
    let counts: Vec<(Code, u64)> = ends.into_iter().map(|(code, (_, count))| (code, count)).collect();
    assert_eq!(
        counts,
        [
            (Code::ECG_LEAD_II, 15_000),
            (Code::ECG_LEAD_V5, 15_000),
            (Code::PRESS_BLD_ART_ABP, 7_500),
            (Code::PULS_OXIM_PLETH, 7_500),
            (Code::RESP, 3_750)
        ]
    );
    let of = |code| reports.iter().flat_map(|report| &report.numerics).filter(|numeric| numeric.code == code).count();
    assert_eq!((of(Code::ECG_HEART_RATE), of(Code::PRESS_BLD_NONINV_SYS)), (60, 1));
    assert!(reports.iter().all(|report| report.numerics.iter().all(|numeric| numeric.taken_at <= report.due)));
}

#[test]
fn it_does_not_matter_how_often_it_is_asked() {
    let whole = all(&mut monitor(), at(30_000_000));
    let mut device = monitor();
    let pieces: Vec<Report> = (0..=3000).flat_map(|n| device.produce(at(n * 10_000))).collect();
    assert_eq!(whole, pieces);
    assert!(device.produce(at(0)).is_empty());
}

#[test]
fn a_monitor_that_was_off_says_nothing_about_that_time() {
    let mut device = monitor();
    device.skip_to(at(600_000_100));
    let reports = device.produce(at(601_000_000));
    assert_eq!(reports[0].due, at(600_250_000));
    // The same as if it had been on all the time.
    let mut other = monitor();
    other.skip_to(at(1_000_000));
    let mut rest = all(&mut other, at(601_000_000));
    assert_eq!(rest.split_off(rest.len() - reports.len()), reports);
}

#[test]
fn an_electrode_that_is_off_is_no_value_with_its_reason() {
    let mut device = monitor();
    device.patient().disturb(Artefact::ElectrodeOff, at(10_000_000), 5.0);
    let reports = all(&mut device, at(20_000_000));
    let block = |due| -> &WaveBlock { &reports.iter().find(|report| report.due == at(due)).unwrap().waves[0] };
    assert!(block(12_000_000).samples().iter().all(|sample| sample == NO_VALUE));
    assert_eq!(block(12_000_000).quality, Quality::SENSOR_OFF);
    assert_eq!(block(9_000_000).quality, Quality::GOOD);
    let rate = reports
        .iter()
        .flat_map(|report| &report.numerics)
        .find(|n| n.code == Code::ECG_HEART_RATE && n.taken_at == at(12_000_000));
    assert_eq!(rate.map(|n| (n.value, n.quality)), Some((None, Quality::SENSOR_OFF)));
}

#[test]
fn pump_and_mattress_speak_in_their_own_time() {
    let pump = all(&mut PumpDevice::new(nameplate("pump-01"), 1, at(0)), at(60_000_000));
    assert_eq!((pump.len(), pump[0].numerics.len()), (12, 4));
    let bed = all(&mut MovementSensor::new(nameplate("move-01"), patient(), at(0)), at(60_000_000));
    assert_eq!((bed.len(), bed[0].numerics.len()), (6, 2));
    assert_eq!(bed[0].numerics[1].value.map(|value| value.to_f64()), Some(1.0));
}

fn options(beds: u16) -> Options {
    let model = |text| ModelId::new(text).unwrap();
    Options {
        beds,
        seed: 1,
        start: at(0),
        models: Models { monitor: model("monitor-m1"), pump: model("pump-p1"), movement: model("movement-s1") },
        recordings: Vec::new(),
        ecg_hertz: 250,
        repeat: Repeat::Forever,
    }
}

#[test]
fn a_ward_has_everything_once() {
    let beds = build(&options(500)).unwrap();
    assert_eq!((beds.len(), beds[0].id.as_str(), beds[499].id.as_str()), (500, "bed-01", "bed-500"));
    let ids: Vec<DeviceId> =
        beds.iter().flat_map(|bed| &bed.devices).map(|(_, device)| device.nameplate().id.clone()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(beds.iter().map(|bed| &bed.identity.record_number).collect::<BTreeSet<_>>().len(), 500);
    assert_eq!(beds[..256].iter().map(|bed| &bed.identity.name).collect::<BTreeSet<_>>().len(), 256);
    assert!(beds.iter().all(|bed| bed.devices[0].0 == Kind::Monitor));
}

#[test]
fn the_same_seed_makes_the_same_ward() {
    let sound = |seed| {
        let mut beds = build(&Options { seed, ..options(3) }).unwrap();
        beds.iter_mut()
            .flat_map(|bed| &mut bed.devices)
            .flat_map(|(_, device)| all(device.as_mut(), at(15_000_000)))
            .collect::<Vec<_>>()
    };
    assert_eq!(sound(1), sound(1));
    assert_ne!(sound(1), sound(2));
}
