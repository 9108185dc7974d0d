//! Admission: each refusal, and exactly what is handed out when there is none.

use crate::support::{device, model_rules};
use obhut_gateway::admit::{Admission, Buffers};
use obhut_gateway::{BindingTable, Limits, Refusal};
use obhut_model::{
    BedId, Code, Decimal, DeviceTime, NO_VALUE, Numeric, Quality, SampleRate, Samples, Scale, ServerTime, Subject, Wave,
};
use obhut_store::{DeviceAtBed, RetentionClass, Sequence, SubjectInBed};
use obhut_wire::{Clock, Header, RawNumeric, RawWave, Topic, encode};

const SECOND: i64 = 1_000_000;
/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600 * SECOND;

fn at(micros: i64) -> DeviceTime {
    DeviceTime::from_micros(micros)
}

fn who(byte: u8) -> Subject {
    Subject::from_random([byte; 16])
}

/// One patient until 100 s ago, nobody for 50 s, another since.
fn bindings() -> BindingTable {
    let bed = BedId::new("bed-01").unwrap();
    let stay = |byte, from, to: Option<i64>| SubjectInBed {
        bed: bed.clone(),
        subject: who(byte),
        from: at(from),
        to: to.map(at),
    };
    BindingTable::new(
        &[DeviceAtBed { device: device("mon-01"), bed: bed.clone(), from: at(0), to: None }],
        &[stay(1, 0, Some(NOW - 100 * SECOND)), stay(2, NOW - 50 * SECOND, None)],
    )
}

fn admission() -> Admission {
    Admission::new(device("mon-01"), model_rules(), bindings().stays(&device("mon-01")), &Limits::default())
}

#[derive(Debug, Default, PartialEq)]
struct Got {
    result: Option<Refusal>,
    refused: Vec<Refusal>,
    parts: Vec<GotPart>,
}

#[derive(Debug, PartialEq)]
struct GotPart {
    subject: Option<Subject>,
    sequence: Option<Sequence>,
    live: usize,
    numerics: Vec<(Numeric, RetentionClass)>,
    waves: Vec<(DeviceTime, Scale, Vec<i16>, Quality)>,
}

fn admit(admission: &mut Admission, topic: Topic, payload: &[u8]) -> Got {
    let (mut refused, mut parts) = (Vec::new(), Vec::new());
    let result = admission.admit(
        ServerTime::from_micros(NOW),
        topic,
        payload,
        &mut Buffers::default(),
        &mut |why| refused.push(why),
        &mut |part| {
            let wave = |wave: &Wave<'_>| (wave.start, wave.scale, wave.samples.iter().collect(), wave.quality);
            parts.push(GotPart {
                subject: part.subject,
                sequence: part.sequence,
                live: part.live_numerics.len() + part.live_waves.len(),
                numerics: part.numerics.to_vec(),
                waves: part.waves.iter().map(|(w, _)| wave(w)).collect(),
            });
        },
    );
    Got { result: result.err(), refused, parts }
}

fn numeric(code: Code, offset: i64, value: &str) -> RawNumeric {
    RawNumeric { code, taken_at: at(NOW + offset), value: Some(value.parse().unwrap()), quality: Quality::GOOD }
}

fn frame(clock: Clock, base: i64, numerics: &[RawNumeric], waves: &[RawWave<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&Header { run: 7, number: 1, base: at(base), clock }, numerics, waves, &mut out).unwrap();
    out
}

#[track_caller]
fn refuses(payload: &[u8], topic: Topic, expected: Refusal) {
    let got = admit(&mut admission(), topic, payload);
    assert_eq!((got.result, got.parts.len()), (Some(expected), 0), "{got:?}");
    assert!(got.refused.contains(&expected));
}

#[test]
fn a_numeric_is_rounded_bound_and_classed() {
    let got = admit(
        &mut admission(),
        Topic::Frame,
        &frame(Clock::Synchronised, NOW, &[numeric(Code::ECG_HEART_RATE, 0, "71.6")], &[]),
    );
    assert_eq!(got.result, None);
    let [part] = got.parts.as_slice() else { panic!("{got:?}") };
    assert_eq!((part.subject, part.sequence, part.live), (Some(who(2)), Some(Sequence { run: 7, number: 1 }), 1));
    let (numeric, class) = part.numerics[0];
    assert_eq!((numeric.steps, numeric.step, class), (Some(72), Decimal::ONE, RetentionClass(1)));
}

#[test]
fn senml_is_admitted_the_same_way() {
    let pack = br#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":71.6}]"#;
    let got = admit(&mut admission(), Topic::Senml, pack);
    assert_eq!(got.parts[0].numerics[0].0.steps, Some(72));
    assert_eq!(got.parts[0].sequence, None);
    refuses(br#"[{"n":"MDC_ECG_HEART_RATE","u":"Cel","v":71.6}]"#, Topic::Senml, Refusal::Unit);
    refuses(br#"[{"n":"MDC_ECG_HEART_RATE","v":71.6}]"#, Topic::Senml, Refusal::Unit);
    refuses(br#"[{"n":"MDC_PULS_RATE","u":"/min","v":71}]"#, Topic::Senml, Refusal::UndeclaredCode);
    refuses(br#"[{"n":"MDC_NO_SUCH","u":"/min","v":71}]"#, Topic::Senml, Refusal::UndeclaredCode);
    refuses(
        br#"[{"n":"urn:obhut:device:mon-02:MDC_ECG_HEART_RATE","u":"/min","v":71}]"#,
        Topic::Senml,
        Refusal::OtherDevice,
    );
    refuses(br#"[{"n":"MDC_ECG_ELEC_POTL_II","u":"mV","v":1}]"#, Topic::Senml, Refusal::Kind);
    refuses(br#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","vs":"71"}]"#, Topic::Senml, Refusal::Payload);
    refuses(b"{}", Topic::Senml, Refusal::Payload);
    refuses(b"", Topic::Frame, Refusal::Payload);
}

#[test]
fn each_refusal_of_a_frame() {
    let one = |numeric| frame(Clock::Synchronised, NOW, &[numeric], &[]);
    refuses(&one(numeric(Code::PULS_RATE, 0, "1")), Topic::Frame, Refusal::UndeclaredCode);
    refuses(&one(numeric(Code::ECG_LEAD_II, 0, "1")), Topic::Frame, Refusal::Kind);
    refuses(&one(numeric(Code::ECG_HEART_RATE, -70 * SECOND, "1")), Topic::Frame, Refusal::Unbound);
    let old = NOW - 8 * 24 * 3_600 * SECOND;
    let late = RawNumeric { taken_at: at(old), ..numeric(Code::ECG_HEART_RATE, 0, "1") };
    refuses(&frame(Clock::Synchronised, old, &[late], &[]), Topic::Frame, Refusal::Clock);
    let huge = RawNumeric { value: Some(Decimal::new(i32::MAX, 9).unwrap()), ..numeric(Code::ECG_HEART_RATE, 0, "1") };
    refuses(&one(huge), Topic::Frame, Refusal::Value);
    refuses(&vec![0; 33 * 1024], Topic::Frame, Refusal::Payload);
}

#[test]
fn what_is_refused_is_dropped_and_the_rest_is_kept() {
    let numerics = [numeric(Code::PULS_RATE, 0, "1"), numeric(Code::ECG_HEART_RATE, 0, "60")];
    let got = admit(&mut admission(), Topic::Frame, &frame(Clock::Synchronised, NOW, &numerics, &[]));
    assert_eq!((got.result, got.refused, got.parts[0].numerics.len()), (None, vec![Refusal::UndeclaredCode], 1));
}

#[test]
fn what_needs_no_patient_is_live_only() {
    for (offset, subject) in [(0, Some(who(2))), (-70 * SECOND, None)] {
        let payload = frame(Clock::Synchronised, NOW, &[numeric(Code::TEMP, offset, "21.53")], &[]);
        let got = admit(&mut admission(), Topic::Frame, &payload);
        assert_eq!((got.parts[0].live, got.parts[0].numerics.len(), got.parts[0].subject), (1, 0, subject));
    }
}

#[test]
fn a_late_value_is_on_the_patient_of_its_time() {
    let numerics = [numeric(Code::ECG_HEART_RATE, -200 * SECOND, "50"), numeric(Code::ECG_HEART_RATE, 0, "70")];
    let got = admit(&mut admission(), Topic::Frame, &frame(Clock::Synchronised, NOW, &numerics, &[]));
    let subjects: Vec<_> = got.parts.iter().map(|part| (part.subject, part.numerics[0].0.steps)).collect();
    assert_eq!(subjects, [(Some(who(1)), Some(50)), (Some(who(2)), Some(70))]);
    assert_ne!(
        got.parts[0].sequence, got.parts[1].sequence,
        "the store must not take one for a repetition of the other"
    );
}

#[test]
fn times_ahead_and_clocks_never_set_become_the_servers() {
    let ahead = frame(Clock::Synchronised, NOW, &[numeric(Code::ECG_HEART_RATE, 6 * SECOND, "60")], &[]);
    let unset = frame(
        Clock::Unset,
        5 * SECOND,
        &[RawNumeric { taken_at: at(5 * SECOND), ..numeric(Code::ECG_HEART_RATE, 0, "60") }],
        &[],
    );
    for payload in [ahead, unset] {
        let got = admit(&mut admission(), Topic::Frame, &payload);
        let kept = got.parts[0].numerics[0].0;
        assert_eq!(kept.taken_at, at(NOW));
        assert!(kept.quality.has(Quality::CLOCK_SUSPECT));
    }
    let near = frame(Clock::FreeRunning, NOW, &[numeric(Code::ECG_HEART_RATE, 4 * SECOND, "60")], &[]);
    let kept = admit(&mut admission(), Topic::Frame, &near).parts[0].numerics[0].0;
    assert_eq!((kept.taken_at, kept.quality), (at(NOW + 4 * SECOND), Quality::GOOD));
}

#[test]
fn no_value_and_invalid_are_no_number() {
    let none = RawNumeric { value: None, ..numeric(Code::ECG_HEART_RATE, -SECOND, "0") };
    let invalid = RawNumeric { quality: Quality::INVALID, ..numeric(Code::ECG_HEART_RATE, 0, "60") };
    let got = admit(&mut admission(), Topic::Frame, &frame(Clock::Synchronised, NOW, &[none, invalid], &[]));
    assert!(got.parts[0].numerics.iter().all(|(numeric, _)| numeric.steps.is_none()));
    assert_eq!(got.parts[0].numerics[1].0.quality, Quality::INVALID);
}

#[test]
fn values_faster_than_the_charter_says_are_refused_by_time_of_measurement() {
    let mut admission = admission();
    let numerics: Vec<_> =
        (0..100).map(|n| numeric(Code::ECG_HEART_RATE, (n - 100) * SECOND / 10 - 10 * SECOND, "60")).collect();
    let got = admit(&mut admission, Topic::Frame, &frame(Clock::Synchronised, NOW, &numerics, &[]));
    assert!((9..=13).contains(&got.parts[0].numerics.len()), "{}", got.parts[0].numerics.len());
    assert!(got.refused.iter().all(|why| *why == Refusal::RateValues));
}

fn le(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn wave(bytes: &[u8], start: i64, hertz: u16, gain: f64, baseline: i32) -> RawWave<'_> {
    RawWave {
        code: Code::ECG_LEAD_II,
        start: at(start),
        rate: SampleRate::from_hertz(hertz).unwrap(),
        scale: Scale { gain, baseline },
        quality: Quality::GOOD,
        samples: Samples::from_le_bytes(bytes).unwrap(),
    }
}

#[test]
fn a_waveform_as_coarse_as_the_charter_is_kept_as_it_is() {
    let samples = [1, -2, NO_VALUE, 30_000];
    let bytes = le(&samples);
    let payload = frame(Clock::Synchronised, NOW, &[], &[wave(&bytes, NOW, 250, 100.0, 5)]);
    let got = admit(&mut admission(), Topic::Frame, &payload);
    assert_eq!(got.parts[0].waves, [(at(NOW), Scale { gain: 100.0, baseline: 5 }, samples.to_vec(), Quality::GOOD)]);
}

#[test]
fn a_finer_waveform_is_requantised() {
    let samples = [1024, 1029, 1024 + 200, NO_VALUE, -32_767];
    let bytes = le(&samples);
    let payload = frame(Clock::Synchronised, NOW, &[], &[wave(&bytes, NOW, 250, 200.0, 1024)]);
    let got = admit(&mut admission(), Topic::Frame, &payload);
    let (_, scale, kept, _) = &got.parts[0].waves[0];
    assert_eq!((scale.gain, scale.baseline), (100.0, 0));
    assert_eq!(kept, &[0, 3, 100, NO_VALUE, -16_896]);
    let fine = Scale { gain: 200.0, baseline: 1024 };
    for (before, after) in samples.iter().zip(kept) {
        match (fine.value(*before), scale.value(*after)) {
            (None, None) => {}
            (Some(before), Some(after)) => assert!((before - after).abs() <= 0.005 + 1e-9, "{before} {after}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_waveform_across_a_change_of_patient_is_cut_there() {
    // 250 Hz from half a second before the end of the first stay; the second half is nobody's.
    let samples: Vec<i16> = (0..250).collect();
    let bytes = le(&samples);
    let change = NOW - 100 * SECOND;
    let payload = frame(Clock::Synchronised, NOW, &[], &[wave(&bytes, change - SECOND / 2, 250, 100.0, 0)]);
    let got = admit(&mut admission(), Topic::Frame, &payload);
    assert_eq!(got.refused, [Refusal::Unbound]);
    assert_eq!(got.parts.len(), 1);
    assert_eq!(got.parts[0].subject, Some(who(1)));
    assert_eq!(got.parts[0].waves[0].2, (0..125).collect::<Vec<i16>>());
    // And at the beginning of the second: the sample at that instant is the new patient's.
    let begin = NOW - 50 * SECOND;
    let payload = frame(Clock::Synchronised, NOW, &[], &[wave(&bytes, begin - SECOND / 2, 250, 100.0, 0)]);
    let got = admit(&mut admission(), Topic::Frame, &payload);
    let (start, _, kept, _) = &got.parts[0].waves[0];
    assert_eq!((*start, kept.as_slice(), got.parts[0].subject), (at(begin), &samples[125..], Some(who(2))));
}

#[test]
fn too_many_samples_a_second_are_refused() {
    let bytes = le(&vec![0; 500]);
    refuses(
        &frame(Clock::Synchronised, NOW, &[], &[wave(&bytes, NOW - SECOND, 500, 100.0, 0)]),
        Topic::Frame,
        Refusal::RateValues,
    );
    // Overlapping blocks at the right rate are too many as well.
    let bytes = le(&vec![0; 250]);
    let mut admission = admission();
    let mut kept = 0;
    for block in 0..40 {
        let start = NOW - 20 * SECOND + block * SECOND / 2;
        let got = admit(
            &mut admission,
            Topic::Frame,
            &frame(Clock::Synchronised, NOW, &[], &[wave(&bytes, start, 250, 100.0, 0)]),
        );
        kept += usize::from(got.result.is_none());
    }
    assert!((20..=22).contains(&kept), "{kept}");
}

#[test]
fn messages_are_limited_by_arrival() {
    let mut admission = admission();
    let now = ServerTime::from_micros(NOW);
    let passed = (0..2_000).filter(|_| admission.arrive(now)).count();
    assert!((1_000..=1_002).contains(&passed), "{passed}");
}

#[test]
fn a_reload_takes_effect_and_keeps_the_count() {
    let mut admission = admission();
    let payload = frame(Clock::Synchronised, NOW, &[numeric(Code::ECG_HEART_RATE, 0, "60")], &[]);
    assert_eq!(admit(&mut admission, Topic::Frame, &payload).result, None);
    admission.set_rules(model_rules());
    let soon = frame(Clock::Synchronised, NOW, &[numeric(Code::ECG_HEART_RATE, SECOND / 10, "60")], &[]);
    assert_eq!(admit(&mut admission, Topic::Frame, &soon).result, Some(Refusal::RateValues));
    let mut fewer = std::sync::Arc::into_inner(model_rules()).unwrap();
    fewer.streams.retain(|rule| rule.code != Code::ECG_HEART_RATE);
    admission.set_rules(std::sync::Arc::new(fewer));
    assert_eq!(admit(&mut admission, Topic::Frame, &payload).result, Some(Refusal::UndeclaredCode));
}
