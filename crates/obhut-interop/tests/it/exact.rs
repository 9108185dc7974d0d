//! The difference between store and export is nothing: both machine formats are read back with an independent, simple reader and compared.

use crate::house::*;
use obhut_interop::time::utc;
use obhut_interop::{Format, Language, Stretch, exact};
use obhut_model::*;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// One value as text: code, time, digits (or nothing), quality.
type Line = (u32, String, String, u8);

/// What the store holds, sample by sample; waveforms as the stored whole number.
fn stored(store: &Store) -> BTreeSet<Line> {
    let mut lines = BTreeSet::new();
    for (code, stretches) in &store.readings {
        for stretch in stretches {
            match stretch {
                Stretch::Numerics { step, values } => {
                    for (at, steps, quality) in values {
                        let digits = steps.map_or_else(String::new, |steps| exact(*step, steps));
                        lines.insert((code.number(), utc(at.micros()), digits, quality.bits()));
                    }
                }
                Stretch::Waveform { start, rate, quality, samples, .. } => {
                    for (index, sample) in samples.iter().enumerate() {
                        let at = start.plus_micros(rate.offset_micros(index as u64));
                        let digits = if *sample == NO_VALUE { String::new() } else { sample.to_string() };
                        lines.insert((code.number(), utc(at.micros()), digits, quality.bits()));
                    }
                }
            }
        }
    }
    lines
}

fn from_csv(bytes: &[u8]) -> BTreeSet<Line> {
    let files = files(bytes);
    let mut lines = BTreeSet::new();
    for (name, value, quality) in [("numerics.csv", 4, 5), ("waveforms.csv", 4, 8)] {
        for line in files[name].lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            lines.insert((
                fields[1].parse().unwrap(),
                fields[0].to_owned(),
                fields[value].to_owned(),
                fields[quality].parse().unwrap(),
            ));
        }
    }
    lines
}

fn micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// Digits of a number as they stand in the file: the test reads JSON with exact numbers by hand, because a float would hide a lost digit.
fn digits<'a>(resource: &'a str, path: &str) -> &'a str {
    let after = resource.split_once(path).unwrap().1;
    &after[..after.find([',', '}']).unwrap()]
}

fn quality(resource: &Value) -> u8 {
    let words = ["questionable", "invalid", "sensor-off", "calibrating", "test", "clock-suspect", "late"];
    resource["extension"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|e| e["url"] == "urn:obhut:fhir:quality")
        .map(|e| 1 << words.iter().position(|w| e["valueCode"] == **w).unwrap())
        .sum()
}

fn from_fhir(bytes: &[u8]) -> BTreeSet<Line> {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut lines = BTreeSet::new();
    // One entry a line; that the whole is JSON is checked by parsing it.
    let _: Value = serde_json::from_str(text).unwrap();
    for entry in text.lines().map(|line| line.trim_end_matches(',')).filter(|line| line.starts_with("{\"fullUrl")) {
        let whole: Value = serde_json::from_str(entry).unwrap();
        let resource = &whole["resource"];
        if resource["resourceType"] != "Observation" {
            continue;
        }
        let code: u32 = resource["code"]["coding"][0]["code"].as_str().unwrap().parse().unwrap();
        let quality = quality(resource);
        if let Some(data) = resource["valueSampledData"]["data"].as_str() {
            let start = micros(resource["effectivePeriod"]["start"].as_str().unwrap());
            let end = micros(resource["effectivePeriod"]["end"].as_str().unwrap());
            let samples: Vec<&str> = data.split(' ').collect();
            let wave = entry.contains("urn:obhut:fhir:samples");
            for (index, sample) in samples.iter().enumerate() {
                let offset = if wave {
                    let hertz = digits(entry, "\"hertz\",\"valueDecimal\":").replace('.', "");
                    SampleRate::from_microhertz(hertz.parse().unwrap()).unwrap().offset_micros(index as u64)
                } else {
                    (end - start) / (samples.len() as i64 - 1) * index as i64
                };
                let value = match (*sample, wave) {
                    ("E", _) => String::new(),
                    (sample, true) => sample.to_owned(),
                    (sample, false) => exact(digits(entry, "\"factor\":").parse().unwrap(), sample.parse().unwrap()),
                };
                lines.insert((code, utc(start + offset), value, quality));
            }
            if !wave {
                let period: f64 = digits(entry, "\"period\":").parse().unwrap();
                assert!((period * 1_000.0 * (samples.len() as f64 - 1.0) - (end - start) as f64).abs() < 1.0);
            }
        } else {
            let value = match resource.get("valueQuantity") {
                Some(_) => {
                    assert!(resource.get("dataAbsentReason").is_none(), "obs-6");
                    digits(entry, "\"valueQuantity\":{\"value\":").to_owned()
                }
                None => {
                    assert!(resource.get("dataAbsentReason").is_some(), "an absent value says so");
                    String::new()
                }
            };
            lines.insert((code, utc(micros(resource["effectiveDateTime"].as_str().unwrap())), value, quality));
        }
    }
    lines
}

fn check(store: &Store) {
    let expected = stored(store);
    let dossier = dossier(Language::De, "Æsa Öztürk");
    let (fhir, summary) = written(Format::Fhir, &dossier, &mut store.clone());
    let (csv, again) = written(Format::Csv, &dossier, &mut store.clone());
    assert_eq!(summary, again);
    assert_eq!(from_csv(&csv), expected, "CSV");
    assert_eq!(from_fhir(&fhir), expected, "FHIR");
    assert_eq!(summary.values + summary.samples, expected.len() as u64);
}

#[test]
fn one_of_each() {
    let mut good: Vec<Option<i32>> = (60..180).map(Some).collect();
    good[17] = None;
    let irregular = Stretch::Numerics {
        step: step("0.1"),
        values: vec![
            (device(START), Some(367), Quality::GOOD),
            (device(START + 1), None, Quality::SENSOR_OFF),
            (device(START + 900_000_001), Some(-5), Quality::QUESTIONABLE.with(Quality::CLOCK_SUSPECT)),
        ],
    };
    let curve: Vec<i16> =
        (0..40_000).map(|n: i32| if n % 1_000 == 3 { NO_VALUE } else { (n % 4_001 - 2_000) as i16 }).collect();
    check(&Store {
        readings: vec![
            (Code::ECG_HEART_RATE, vec![seconds("1", &good)]),
            (Code::TEMP, vec![irregular]),
            (Code::ECG_LEAD_II, vec![wave(360, 199.999, -17, curve)]),
            (Code::new(4_242), vec![seconds("0.00005", &[Some(1), None, Some(i32::MAX)])]),
        ],
        ..Store::default()
    });
}

#[test]
fn nothing_is_lost_or_doubled_at_the_edges_of_windows() {
    // Two hours at odd distances across the full hours, and a waveform whose samples fall beside them.
    let values = (0..2_400).map(|n: i64| (device(START + n * 3_000_017), Some(n as i32), Quality::GOOD)).collect();
    let samples = (0..9_000).map(|n: i32| (n % 300) as i16).collect();
    check(&Store {
        readings: vec![
            (Code::RESP_RATE, vec![Stretch::Numerics { step: step("1"), values }]),
            (Code::RESP, vec![wave(1, 7.3, 4, samples)]),
        ],
        ..Store::default()
    });
}

#[test]
fn factor_and_origin_give_the_value_of_the_store() {
    let mut store = Store {
        readings: vec![(Code::ECG_LEAD_II, vec![wave(250, 211.7, 1_024, vec![0, 1_024, -2_000])])],
        ..Store::default()
    };
    let (fhir, _) = written(Format::Fhir, &dossier(Language::En, "x"), &mut store);
    let bundle: Value = serde_json::from_slice(&fhir).unwrap();
    let sampled = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .find(|resource| resource["resourceType"] == "Observation")
        .map(|resource| &resource["valueSampledData"])
        .unwrap();
    let (origin, factor) = (sampled["origin"]["value"].as_f64().unwrap(), sampled["factor"].as_f64().unwrap());
    let scale = Scale { gain: 211.7, baseline: 1_024 };
    for sample in [0i16, 1_024, -2_000] {
        let value = scale.value(sample).unwrap();
        assert!((f64::from(sample) * factor + origin - value).abs() <= 1e-12 * value.abs().max(1.0));
    }
    assert_eq!(sampled["origin"]["code"], "mV");
}

fn numerics() -> impl Strategy<Value = Stretch> {
    let value = (1i64..5_000_000, prop::option::of(any::<i32>()), 0u8..=Quality::KNOWN, any::<bool>());
    (1i32..1_000_000, -9i8..=3, prop::collection::vec(value, 1..200)).prop_map(|(mantissa, exponent, rows)| {
        let mut now = START;
        let values = rows
            .into_iter()
            .map(|(gap, steps, quality, even)| {
                now += if even { 1_000_000 } else { gap };
                let quality = if even { Quality::GOOD } else { Quality::from_bits(quality).unwrap() };
                (device(now), steps, quality)
            })
            .collect();
        Stretch::Numerics { step: Decimal::new(mantissa, exponent).unwrap(), values }
    })
}

fn curve() -> impl Strategy<Value = Stretch> {
    (1_000u32..2_000_000_000, 1e-3f64..1e6, any::<i16>(), prop::collection::vec(any::<i16>(), 1..2_000)).prop_map(
        |(rate, gain, baseline, samples)| Stretch::Waveform {
            start: device(START),
            rate: SampleRate::from_microhertz(rate).unwrap(),
            scale: Scale { gain, baseline: i32::from(baseline) },
            quality: Quality::GOOD,
            samples,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_stored_comes_out(numerics in numerics(), curve in curve()) {
        // A slow curve would be cut into thousands of windows by its length alone; the windows have a test of their own.
        let Stretch::Waveform { rate, samples, .. } = &curve else { unreachable!() };
        prop_assume!(rate.offset_micros(samples.len() as u64) < 40 * 3_600_000_000);
        check(&Store {
            readings: vec![(Code::TEMP, vec![numerics]), (Code::PRESS_BLD_ART_ABP, vec![curve])],
            ..Store::default()
        });
    }
}
