//! Whatever the samples are and however they are cut.

use obhut_model::{Code, DeviceTime, NO_VALUE, Quality, SampleRate, Samples, Scale, Wave};
use obhut_signal::{Assessment, Bed, Claim, Refused, Settings, limits};
use proptest::prelude::*;

const CODES: [Code; 4] = [Code::ECG_LEAD_II, Code::PULS_OXIM_PLETH, Code::PRESS_BLD_ART_ABP, Code::RESP];

fn push(bed: &mut Bed, code: Code, rate: SampleRate, gain: f64, start: i64, samples: &[i16]) -> Result<(), Refused> {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    bed.push(&Wave {
        code,
        start: DeviceTime::from_micros(start),
        rate,
        scale: Scale { gain, baseline: 0 },
        quality: Quality::GOOD,
        samples: Samples::from_le_bytes(&bytes).unwrap(),
    })
}

/// Samples of all kinds: noise, constants, ramps, beats, nothing.
fn curve() -> impl Strategy<Value = Vec<i16>> {
    let stretch = prop_oneof![
        prop::collection::vec(any::<i16>(), 1..400),
        (any::<i16>(), 1..800usize).prop_map(|(value, n)| vec![value; n]),
        (1..1500usize).prop_map(|n| vec![NO_VALUE; n]),
        (any::<i16>(), -50..50i16, 1..800usize)
            .prop_map(|(from, step, n)| { (0..n).map(|k| from.wrapping_add(step.wrapping_mul(k as i16))).collect() }),
        (20..300usize, 50..8000i16, 200..1500usize).prop_map(|(every, height, n)| (0..n)
            .map(|k| if k % every < 8 { height } else { (k % 3) as i16 })
            .collect()),
    ];
    prop::collection::vec(stretch, 1..10).prop_map(|stretches| stretches.concat())
}

fn all_numbers_are_numbers(known: &Assessment) -> bool {
    let plain = |value: f64| value.is_finite();
    known.heart_rate.is_none_or(|m| plain(m.value) && m.quality.is_known())
        && known.pulse_rate.is_none_or(|m| plain(m.value) && m.quality.is_known())
        && known.respiration.is_none_or(|m| plain(m.value.rate))
        && known.pressures.is_none_or(|m| plain(m.value.systolic) && plain(m.value.diastolic) && plain(m.value.mean))
        && known.channels.iter().all(|c| plain(c.pause_s) && c.rate.is_none_or(plain) && c.likeness.is_none_or(plain))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn however_it_is_cut_the_result_is_the_same(
        samples in curve(),
        cuts in prop::collection::vec(1..700usize, 1..12),
        micro in prop_oneof![Just(100_000_000u32), Just(249_890_000), Just(360_000_000), Just(1_000_000_000)],
        gain in prop_oneof![Just(200.0), Just(1.0), Just(1e-3), Just(1e9)],
    ) {
        let rate = SampleRate::from_microhertz(micro).unwrap();
        let (mut whole, mut cut) = (Bed::new(Settings::published()), Bed::new(Settings::published()));
        for code in CODES {
            push(&mut whole, code, rate, gain, 0, &samples).unwrap();
            let (mut from, mut lengths) = (0, cuts.iter().cycle());
            while from < samples.len() {
                let to = (from + lengths.next().unwrap()).min(samples.len());
                push(&mut cut, code, rate, gain, rate.offset_micros(from as u64), &samples[from..to]).unwrap();
                from = to;
            }
        }
        let end = rate.offset_micros(samples.len() as u64);
        for at in [end / 2, end, end + 1_000_000, end + 30_000_000] {
            let at = DeviceTime::from_micros(at);
            let known = whole.assess(at);
            prop_assert_eq!(&known, &cut.assess(at));
            prop_assert!(all_numbers_are_numbers(&known), "{:?}", known);
            for claim in [Claim::Asystole, Claim::ExtremeBradycardia, Claim::ExtremeTachycardia, Claim::VentricularFibrillation] {
                prop_assert_eq!(whole.verify(claim, at), cut.verify(claim, at));
            }
        }
        for code in CODES {
            prop_assert!(whole.beats(code).eq(cut.beats(code)));
            prop_assert!(whole.pressure_beats(code).eq(cut.pressure_beats(code)));
            prop_assert!(whole.beats(code).all(|beat| beat.interval.is_none_or(|interval| interval > 0)));
        }
    }

    #[test]
    fn blocks_from_anywhere_change_no_bound(
        blocks in prop::collection::vec((any::<i64>(), prop_oneof![Just(0i64), -20_000_000..20_000_000i64], 0..4usize, 1_000_000..2_000_000_000u32, any::<f64>(), prop::collection::vec(any::<i16>(), 0..300)), 1..25),
    ) {
        let mut bed = Bed::new(Settings::published());
        let mut near = 0i64;
        for (far, step, code, micro, gain, samples) in blocks {
            near = if far % 7 == 0 { far } else { near.saturating_add(step) };
            let _ = push(&mut bed, CODES[code], SampleRate::from_microhertz(micro).unwrap(), gain, near, &samples);
            let known = bed.assess(DeviceTime::from_micros(near));
            prop_assert!(all_numbers_are_numbers(&known), "{:?}", known);
        }
        prop_assert!(bed.bytes() <= 4 * limits::CHANNEL_BYTES_MAX);
    }
}

#[test]
fn memory_is_set_at_the_beginning() {
    let rate = SampleRate::from_hertz(1000).unwrap();
    let mut bed = Bed::new(Settings::published());
    let beats: Vec<i16> = (0..10_000).map(|n| if n % 300 < 40 { 2000 } else { (n % 5) as i16 }).collect();
    for n in 0..60 {
        for code in CODES {
            push(&mut bed, code, rate, 200.0, n * 10_000_000, &beats).unwrap();
        }
        assert!(bed.bytes() <= CODES.len() * limits::CHANNEL_BYTES_MAX, "{}", bed.bytes());
    }
    let before = bed.bytes();
    push(&mut bed, CODES[0], rate, 200.0, 600_000_000, &beats).unwrap();
    assert_eq!(bed.bytes(), before);
}

#[test]
fn what_is_not_analysed_is_refused() {
    let mut bed = Bed::new(Settings::published());
    let slow = SampleRate::from_hertz(60).unwrap();
    let fine = SampleRate::from_hertz(250).unwrap();
    assert_eq!(push(&mut bed, Code::TEMP, fine, 1.0, 0, &[1]), Err(Refused::Code(Code::TEMP)));
    assert_eq!(push(&mut bed, Code::ECG_LEAD_II, slow, 1.0, 0, &[1]), Err(Refused::Rate(Code::ECG_LEAD_II)));
    assert_eq!(push(&mut bed, Code::ECG_LEAD_II, fine, f64::NAN, 0, &[1]), Err(Refused::Scale(Code::ECG_LEAD_II)));
    assert!(bed.assess(DeviceTime::from_micros(0)).channels.is_empty());
}
