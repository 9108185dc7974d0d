//! The curves and numbers of a patient belong together.

use crate::at;
use obhut_model::DeviceTime;
use obhut_sim::rng::Rng;
use obhut_sim::world::patient::{Curve, Lead};
use obhut_sim::world::{Activity, Artefact, Course, Patient, Person, Rhythm};

const SECOND: i64 = 1_000_000;

fn patient(seed: u64, course: Course) -> Patient {
    Patient::new(seed, Person::draw(&mut Rng::new(seed)), course, at(0))
}

/// `(time, value)` every 2 ms.
fn trace(patient: &mut Patient, curve: Curve, from: i64, seconds: i64) -> Vec<(i64, f64)> {
    (0..seconds * 500)
        .map(|n| {
            let now = from + n * 2000;
            patient.advance(at(now));
            (now, patient.sample(curve, at(now)).unwrap())
        })
        .collect()
}

/// Local maxima above `threshold`, at least 200 ms apart.
fn peaks(trace: &[(i64, f64)], threshold: f64) -> Vec<(i64, f64)> {
    let mut out: Vec<(i64, f64)> = Vec::new();
    for three in trace.windows(3) {
        let (time, value) = three[1];
        if value > threshold && value >= three[0].1 && value > three[2].1 {
            match out.last_mut() {
                Some(last) if time - last.0 < 200_000 => {
                    if value > last.1 {
                        *last = (time, value);
                    }
                }
                _ => out.push((time, value)),
            }
        }
    }
    out
}

#[test]
fn how_one_asks_does_not_matter() {
    let mut often = patient(1, Course::Everyday);
    let mut rarely = often.clone();
    let curves = [Curve::Ecg(Lead::II), Curve::Pleth, Curve::Respiration, Curve::ArterialPressure];
    let mut asked = Vec::new();
    for n in 0..60_000 {
        let now = at(n * 10_000);
        often.advance(now);
        if n > 50_000 {
            asked.push((now, curves.map(|curve| often.sample(curve, now))));
        }
    }
    rarely.advance(at(600 * SECOND));
    for (now, values) in asked {
        assert_eq!(values, curves.map(|curve| rarely.sample(curve, now)), "{now:?}");
    }
    assert_eq!(often.measured(at(590 * SECOND)), rarely.measured(at(590 * SECOND)));
}

#[test]
fn limb_leads_obey_einthoven_and_goldberger() {
    let mut someone = patient(2, Course::Steady(Activity::Exertion));
    for n in 0..5000 {
        let now = at(n * 2000);
        someone.advance(now);
        let lead = |lead| someone.sample(Curve::Ecg(lead), now).unwrap();
        assert!((lead(Lead::I) + lead(Lead::III) - lead(Lead::II)).abs() < 1e-9);
        assert!((lead(Lead::Avr) + lead(Lead::Avl) + lead(Lead::Avf)).abs() < 1e-9);
    }
}

#[test]
fn every_beat_is_followed_by_its_pulse_and_the_numbers_agree() {
    for (seed, activity) in
        [(3, Activity::Awake), (4, Activity::Asleep), (5, Activity::Exertion), (6, Activity::Deteriorating(1.0))]
    {
        let mut someone = patient(seed, Course::Steady(activity));
        let mut again = someone.clone();
        let ecg = trace(&mut someone, Curve::Ecg(Lead::II), 0, 60);
        let pressure = trace(&mut again, Curve::ArterialPressure, 0, 60);
        let beats = peaks(&ecg, 0.6);
        let (low, high) = pressure.iter().fold((f64::MAX, 0f64), |(low, high), (_, p)| (low.min(*p), high.max(*p)));
        let pulses = peaks(&pressure, low + 0.7 * (high - low));
        for (beat, _) in &beats[..beats.len() - 1] {
            let delay = pulses.iter().map(|(pulse, _)| pulse - beat).find(|delay| *delay > 0).unwrap();
            assert!((180_000..340_000).contains(&delay), "{activity:?}: {delay}");
        }
        let measured = someone.measured(at(60 * SECOND - 2000));
        let counted = 60e6 * 8.0 / (beats[beats.len() - 1].0 - beats[beats.len() - 9].0) as f64;
        assert!((measured.heart_rate.unwrap() - counted).abs() < 0.5, "{activity:?}: {counted} {measured:?}");
        let (systolic, diastolic, mean) = measured.pressure.unwrap();
        let last: Vec<f64> = pressure.iter().filter(|(time, _)| *time > 54 * SECOND).map(|(_, p)| *p).collect();
        let top = last.iter().copied().fold(0.0, f64::max);
        let bottom = last.iter().copied().fold(f64::MAX, f64::min);
        assert!(
            (top - systolic).abs() < 6.0 && (bottom - diastolic).abs() < 6.0,
            "{activity:?}: {top} {bottom} {measured:?}"
        );
        assert!(diastolic < mean && mean < systolic);
    }
}

#[test]
fn nothing_drifts_and_nothing_leaves_its_range() {
    for seed in 0..6 {
        let mut someone = patient(seed, Course::Everyday);
        let mut sums = [0.0; 2];
        for n in 0..20_000 {
            let now = at(n * 100_000);
            someone.advance(now);
            let value = |curve| someone.sample(curve, now).unwrap_or(0.0);
            let (ecg, pressure) = (value(Curve::Ecg(Lead::II)), value(Curve::ArterialPressure));
            assert!(ecg.abs() < 4.0 && (20.0..300.0).contains(&pressure), "{ecg} {pressure}");
            assert!(value(Curve::Pleth).abs() < 4.0 && value(Curve::Respiration).abs() < 6.0);
            sums[usize::from(n >= 10_000)] += ecg;
        }
        assert!((sums[0] - sums[1]).abs() / 10_000.0 < 0.05);
    }
}

#[test]
fn sepsis_shows_in_every_number() {
    let mut someone = patient(7, Course::Sepsis { onset: 60, rise: 600 });
    let mut measured = |seconds: i64| {
        someone.advance(at(seconds * SECOND));
        let m = someone.measured(at(seconds * SECOND));
        (m.heart_rate.unwrap_or(0.0), m.respiratory_rate.unwrap_or(0.0), m.saturation, m.pressure.map(|p| p.0))
    };
    let well = measured(50);
    let ill = measured(720);
    assert!(ill.0 > well.0 + 35.0 && ill.1 > well.1 + 9.0, "{well:?} {ill:?}");
    assert!(ill.2.unwrap() < well.2.unwrap() - 5.0 && ill.3.unwrap() < well.3.unwrap() - 25.0, "{well:?} {ill:?}");
}

#[test]
fn an_early_ventricular_beat_is_wide_and_hardly_felt() {
    let person = Person { rhythm: Rhythm::Ectopic { ventricular: 0.2, atrial: 0.0 }, ..Person::draw(&mut Rng::new(1)) };
    let mut someone = Patient::new(8, person, Course::Steady(Activity::Awake), at(0));
    someone.advance(at(120 * SECOND));
    let measured = someone.measured(at(120 * SECOND));
    // The monitor counts them in the ECG, the finger does not: a pulse deficit.
    assert!(measured.pulse_rate.unwrap() < measured.heart_rate.unwrap() - 3.0, "{measured:?}");
}

#[test]
fn a_sensor_that_is_off_shows_nothing() {
    let mut someone = patient(9, Course::Steady(Activity::Awake));
    someone.disturb(Artefact::ElectrodeOff, at(10 * SECOND), 5.0);
    someone.disturb(Artefact::ProbeOff, at(20 * SECOND), 5.0);
    someone.advance(at(40 * SECOND));
    let ecg = |time: i64| someone.sample(Curve::Ecg(Lead::II), at(time));
    assert!(ecg(9_999_999).is_some() && ecg(10 * SECOND).is_none() && ecg(15 * SECOND).is_some());
    assert_eq!(someone.measured(at(12 * SECOND)).heart_rate, None);
    assert_eq!(someone.measured(at(22 * SECOND)).saturation, None);
    assert!(someone.measured(at(30 * SECOND)).saturation.is_some());
    assert_eq!(someone.trouble(Curve::Pleth, at(24 * SECOND), at(26 * SECOND)), (true, false));
}

#[test]
fn before_and_after_what_is_known_there_is_no_state() {
    let someone = patient(1, Course::Everyday);
    assert!(someone.state(DeviceTime::from_micros(0)).is_none());
    assert!(someone.state(at(0)).is_some());
}

#[test]
fn breath_stops_take_saturation_below_ninety_and_it_comes_back() {
    let mut someone = patient(3, Course::BreathStops { every: 300, length: 75 });
    let mut saturation = |second: i64| {
        someone.advance(at(second * SECOND));
        someone.state(at(second * SECOND)).unwrap().0.saturation
    };
    let (calm, worst, after) = (saturation(25), saturation(108), saturation(270));
    assert!(calm > 93.0 && worst < 88.0 && after > 93.0, "{calm} {worst} {after}");
}
