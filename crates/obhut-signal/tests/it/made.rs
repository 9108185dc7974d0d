//! Curves made by formula, after the tests IEC 60601-2-27 (and ANSI/AAMI EC13 before it) sets for heart rate meters: range, small complexes, tall
//! T waves, drift and hum.

use crate::record::{Track, play};
use crate::seconds;
use obhut_model::{Code, SampleRate, Scale};
use obhut_signal::{Assessment, Bed, Settings};

/// A triangle of height one, `width` wide around `at`.
fn triangle(t: f64, at: f64, width: f64) -> f64 {
    (1.0 - (t - at).abs() / (width / 2.0)).max(0.0)
}

/// What is known after half a minute of `curve` (mV at a time in seconds).
fn known(hertz: u16, curve: impl Fn(f64) -> f64) -> Assessment {
    let samples = (0..u32::from(hertz) * 30)
        .map(|n| (curve(f64::from(n) / f64::from(hertz)) * 1000.0).round() as i16 + (n % 3) as i16)
        .collect();
    let track = Track {
        name: "made".to_owned(),
        code: Code::ECG_LEAD_II,
        rate: SampleRate::from_hertz(hertz).unwrap(),
        scale: Scale { gain: 1000.0, baseline: 0 },
        samples,
    };
    let mut last = None;
    play(&[track], &mut Bed::new(Settings::published()), |bed, second| last = Some(bed.assess(seconds(second))));
    last.unwrap()
}

fn rate(hertz: u16, curve: impl Fn(f64) -> f64) -> Option<f64> {
    known(hertz, curve).heart_rate.map(|rate| rate.value)
}

/// A complex of `height` mV and 80 ms, `per_minute` times.
fn beats(t: f64, per_minute: f64, height: f64) -> f64 {
    let length = 60.0 / per_minute;
    height * triangle(t % length, length / 2.0, 0.08)
}

#[test]
fn rates_from_30_to_250_at_any_sample_rate() {
    for hertz in [100, 125, 250, 360, 500, 1000] {
        for per_minute in [30.0, 45.0, 60.0, 90.0, 120.0, 160.0, 200.0, 250.0] {
            let found = rate(hertz, |t| beats(t, per_minute, 1.0)).unwrap();
            assert!((found - per_minute).abs() <= per_minute * 0.02, "{per_minute} a minute at {hertz} Hz: {found}");
        }
    }
}

#[test]
fn complexes_count_from_a_fifth_of_a_millivolt_and_not_below_a_tenth() {
    for hertz in [125, 250, 500] {
        assert_eq!(rate(hertz, |t| beats(t, 80.0, 0.1)), None);
        for height in [0.25, 0.5, 5.0] {
            let found = rate(hertz, |t| beats(t, 80.0, height)).unwrap();
            assert!((found - 80.0).abs() < 2.0, "{height} mV at {hertz} Hz: {found}");
        }
    }
}

#[test]
fn tall_t_waves_are_no_beats() {
    // As tall as the complex: 180 ms wide, 300 ms behind it.
    for height in [0.3, 0.6, 1.0] {
        let curve = |t: f64| beats(t, 80.0, 1.0) + height * triangle(t % 0.75, 0.675, 0.18);
        let found = rate(250, curve).unwrap();
        assert!((found - 80.0).abs() < 2.0, "T wave of {height}: {found}");
    }
}

#[test]
fn drift_and_hum_change_nothing() {
    let drift = |t: f64| 4.0 * (t * 0.1 * std::f64::consts::TAU).sin();
    let hum = |t: f64| 0.1 * (t * 50.0 * std::f64::consts::TAU).sin();
    for hertz in [125, 250, 500] {
        let found = rate(hertz, |t| beats(t, 80.0, 0.5) + drift(t) + hum(t)).unwrap();
        assert!((found - 80.0).abs() < 2.0, "{hertz} Hz: {found}");
        // Nothing but drift and hum is no heart.
        assert_eq!(rate(hertz, |t| drift(t) + hum(t)), None);
    }
}
