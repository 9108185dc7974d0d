use crate::{hex, to_hex};
use obhut_model::{Code, Decimal, DeviceTime, Quality, SampleRate, Samples, Scale};
use obhut_wire::limits::{FRAME_BYTES_MAX, NUMERICS_MAX, OFFSET_MICROS_MAX, SAMPLES_MAX, TIME_MICROS_MAX, WAVES_MAX};
use obhut_wire::{Clock, Frame, FrameError, Header, RawNumeric, RawWave, encode};
use proptest::prelude::*;

/// The example of `docs/protocol.md`, piece by piece.
const GOLDEN: &str = "87 01 1a0badcafe 18 2a 1b0006445941624240 00 \
    82 85 1a00024182 00 18 48 00 00 85 1a00024bb8 39 01f3 f6 00 04 \
    81 87 1a00020102 00 1a0ee6b280 f95a40 00 00 48 0000 0500 0080 fbff";

fn golden() -> (Header, Vec<RawNumeric>, Vec<u8>) {
    let base = DeviceTime::from_micros(1_764_000_000_000_576);
    let header = Header { run: 0x0bad_cafe, number: 42, base, clock: Clock::Synchronised };
    let numerics = vec![
        RawNumeric {
            code: Code::ECG_HEART_RATE,
            taken_at: base,
            value: Some(Decimal::new(72, 0).unwrap()),
            quality: Quality::GOOD,
        },
        RawNumeric {
            code: Code::PULS_OXIM_SAT_O2,
            taken_at: base.plus_micros(-500),
            value: None,
            quality: Quality::SENSOR_OFF,
        },
    ];
    let samples = [0i16, 5, i16::MIN, -5].iter().flat_map(|s| s.to_le_bytes()).collect();
    (header, numerics, samples)
}

fn wave(start: DeviceTime, bytes: &[u8]) -> RawWave<'_> {
    RawWave {
        code: Code::ECG_LEAD_II,
        start,
        rate: SampleRate::from_hertz(250).unwrap(),
        scale: Scale { gain: 200.0, baseline: 0 },
        quality: Quality::GOOD,
        samples: Samples::from_le_bytes(bytes).unwrap(),
    }
}

#[test]
fn the_documented_example_is_what_the_code_writes_and_reads() {
    let (header, numerics, samples) = golden();
    let waves = [wave(header.base, &samples)];
    let mut out = b"before".to_vec();
    encode(&header, &numerics, &waves, &mut out).unwrap();
    let bytes = out.strip_prefix(b"before").unwrap();
    assert_eq!(to_hex(bytes), to_hex(&hex(GOLDEN)));

    let frame = Frame::decode(bytes).unwrap();
    assert_eq!(*frame.header(), header);
    assert_eq!(frame.numerics().collect::<Vec<_>>(), numerics);
    assert_eq!(frame.waves().collect::<Vec<_>>(), waves);
    let read: Vec<i16> = frame.waves().next().unwrap().samples.iter().collect();
    assert_eq!(read, [0, 5, i16::MIN, -5]);

    let documented = include_str!("../../../../docs/protocol.md");
    let block = documented.split("<!-- golden frame -->").nth(1).expect("the example is marked in the document");
    let shown: String = block
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.split(';').next().unwrap())
        .collect();
    assert_eq!(to_hex(&hex(&shown)), to_hex(bytes), "docs/protocol.md shows another frame than the code writes");
}

#[test]
fn a_gain_takes_the_shortest_exact_form() {
    let (header, _, samples) = golden();
    for (gain, bytes) in [
        (200.0, 3),
        (65_504.0, 3),
        (65_536.0, 5),
        (2_049.0, 5),
        (2f64.powi(-14), 3),
        (2f64.powi(-24), 3),
        (90.0 * 2f64.powi(-24), 3),
        (2f64.powi(-25), 5),
        (1.5 * 2f64.powi(-24), 5),
        (0.1, 9),
    ] {
        let mut block = wave(header.base, &samples);
        block.scale.gain = gain;
        let mut out = Vec::new();
        encode(&header, &[], &[block], &mut out).unwrap();
        assert_eq!(out.len() - 44, bytes, "{gain}");
        assert_eq!(Frame::decode(&out).unwrap().waves().next().unwrap().scale.gain.to_bits(), gain.to_bits());
    }
}

#[test]
fn every_early_end_and_every_tail_is_refused() {
    let bytes = hex(GOLDEN);
    for end in 0..bytes.len() {
        assert!(Frame::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(Frame::decode(&longer).unwrap_err(), FrameError::Trailing { bytes: 1 });
}

#[test]
fn what_is_out_of_bounds_is_refused_with_its_name() {
    let head = "87 01 01 01 00 00";
    let numeric = |fields: &str| format!("{head} 81 85 {fields} 80");
    let block = |fields: &str| format!("{head} 80 81 87 {fields}");
    let range = |what| FrameError::Range { what };
    let cases: Vec<(&str, String, FrameError)> = vec![
        ("no array", "01".into(), FrameError::Malformed { at: 0 }),
        ("six places", "86 01 01 01 00 00 80".into(), FrameError::Malformed { at: 0 }),
        ("indefinite frame", "9f 01 01 01 00 00 80 80 ff".into(), FrameError::Malformed { at: 0 }),
        ("indefinite list", format!("{head} 9f ff 80"), FrameError::Malformed { at: 6 }),
        ("version 2", "87 02 01 01 00 00 80 80".into(), FrameError::Version { found: 2 }),
        ("run beyond 32 bits", "87 01 1b0000000100000000 01 00 00 80 80".into(), FrameError::Malformed { at: 2 }),
        ("number zero", "87 01 01 00 00 00 80 80".into(), range("the sequence number")),
        ("number beyond 63 bits", "87 01 01 1b8000000000000000 00 00 80 80".into(), range("the sequence number")),
        ("base before 1970", "87 01 01 01 20 00 80 80".into(), range("a time")),
        ("base after 9999", format!("87 01 01 01 1b{:016x} 00 80 80", TIME_MICROS_MAX + 1), range("a time")),
        ("clock 3", "87 01 01 01 00 03 80 80".into(), range("the clock state")),
        ("nothing inside", format!("{head} 80 80"), FrameError::Empty),
        ("a million numerics", format!("{head} 9a000f4240"), FrameError::TooMany { what: "numerics" }),
        ("2^64-1 blocks", format!("{head} 80 9bffffffffffffffff"), FrameError::TooMany { what: "waveform blocks" }),
        ("time before 1970", numeric("01 20 01 00 00"), range("a time")),
        (
            "offset over a day",
            numeric(&format!("01 1b{:016x} 01 00 00", OFFSET_MICROS_MAX + 1)),
            range("a time offset"),
        ),
        ("float value", numeric("01 00 f93c00 00 00"), FrameError::Malformed { at: 10 }),
        ("mantissa beyond 32 bits", numeric("01 00 1a80000000 00 00"), FrameError::Malformed { at: 10 }),
        ("exponent 10", numeric("01 00 01 0a 00"), range("an exponent")),
        ("no value with exponent", numeric("01 00 f6 01 00"), range("an exponent")),
        ("unknown quality bit", numeric("01 00 01 00 18 80"), range("a quality")),
        ("rate zero", block("01 00 00 01 00 00 42 0000"), range("a sample rate")),
        ("rate below bound", block("01 00 01 f93c00 00 00 42 0000"), range("a sample rate")),
        ("integer gain", block("01 00 1a000f4240 01 00 00 42 0000"), FrameError::Malformed { at: 16 }),
        ("gain zero", block("01 00 1a000f4240 f90000 00 00 42 0000"), range("a gain")),
        ("gain negative", block("01 00 1a000f4240 f9bc00 00 00 42 0000"), range("a gain")),
        ("gain NaN", block("01 00 1a000f4240 f97e00 00 00 42 0000"), range("a gain")),
        ("gain infinite", block("01 00 1a000f4240 f97c00 00 00 42 0000"), range("a gain")),
        ("no samples", block("01 00 1a000f4240 f93c00 00 00 40"), range("the length of a waveform block")),
        ("half a sample", block("01 00 1a000f4240 f93c00 00 00 41 00"), range("the length of a waveform block")),
        ("indefinite samples", block("01 00 1a000f4240 f93c00 00 00 5f 42 0000 ff"), FrameError::Malformed { at: 21 }),
        (
            "more samples than there are bytes",
            block("01 00 1a000f4240 f93c00 00 00 5bffffffffffffffff"),
            FrameError::Malformed { at: 21 },
        ),
    ];
    for (name, text, expected) in cases {
        assert_eq!(Frame::decode(&hex(&text)).unwrap_err(), expected, "{name}");
    }
    let end = TIME_MICROS_MAX - 1;
    let late = format!("87 01 01 01 1b{end:016x} 00 80 81 87 01 00 1903e8 f93c00 00 00 42 0000");
    assert_eq!(Frame::decode(&hex(&late)).unwrap_err(), range("a time"), "the end of the block lies beyond all time");
    assert_eq!(Frame::decode(&vec![0; FRAME_BYTES_MAX + 1]).unwrap_err(), FrameError::TooLong);
}

#[test]
fn the_writer_refuses_what_the_reader_would_and_leaves_the_buffer() {
    let (header, numerics, samples) = golden();
    let check = |header: &Header, numerics: &[RawNumeric], waves: &[RawWave<'_>], expected: FrameError| {
        let mut out = vec![7];
        assert_eq!(encode(header, numerics, waves, &mut out), Err(expected));
        assert_eq!(out, [7]);
    };
    check(&header, &[], &[], FrameError::Empty);
    check(&Header { number: 0, ..header }, &numerics, &[], FrameError::Range { what: "the sequence number" });
    check(&header, &vec![numerics[0]; NUMERICS_MAX + 1], &[], FrameError::TooMany { what: "numerics" });
    check(
        &header,
        &[],
        &vec![wave(header.base, &samples); WAVES_MAX + 1],
        FrameError::TooMany { what: "waveform blocks" },
    );
    let long = vec![0; 2 * (SAMPLES_MAX + 1)];
    check(&header, &[], &[wave(header.base, &long)], FrameError::TooMany { what: "samples in a waveform block" });
    let half = vec![0; 2 * SAMPLES_MAX];
    check(&header, &[], &[wave(header.base, &half); 3], FrameError::TooLong);
    let mut odd = wave(header.base, &samples);
    odd.scale.gain = f64::NAN;
    check(&header, &[], &[odd], FrameError::Range { what: "a gain" });
    let far = RawNumeric { taken_at: header.base.plus_micros(OFFSET_MICROS_MAX + 1), ..numerics[0] };
    check(&header, &[far], &[], FrameError::Range { what: "a time offset" });
}

prop_compose! {
    fn any_numeric(base: i64)(
        code: u32, offset in -1_000_000_000i64..=1_000_000_000, value in proptest::option::of((any::<i32>(), -9i8..=9)), bits in 0u8..=Quality::KNOWN,
    ) -> RawNumeric {
        RawNumeric {
            code: Code::new(code),
            taken_at: DeviceTime::from_micros(base + offset),
            value: value.map(|(mantissa, exponent)| Decimal::new(mantissa, exponent).unwrap()),
            quality: Quality::from_bits(bits).unwrap(),
        }
    }
}

type OwnedWave = (u32, i64, u32, f64, i32, u8, Vec<i16>);

fn any_gain() -> impl Strategy<Value = f64> {
    prop_oneof![
        (1u16..=60_000).prop_map(f64::from),
        (1e-12f64..1e12),
        (1e-9f32..1e9).prop_map(f64::from),
        Just(65_504.0),
        Just(65_536.0),
        Just(6.103_515_625e-5),
        Just(6.1e-5),
        Just(200.0),
        Just(0.1),
        Just(2049.0),
        Just(2050.0),
        (1u16..1_024).prop_map(|k| f64::from(k) / 16_777_216.0),
    ]
}

fn any_wave() -> impl Strategy<Value = OwnedWave> {
    (
        any::<u32>(),
        -1_000_000_000i64..=1_000_000_000,
        1_000u32..=4_000_000_000,
        any_gain(),
        any::<i32>(),
        0u8..=Quality::KNOWN,
        proptest::collection::vec(any::<i16>(), 1..300),
    )
}

proptest! {
    #[test]
    fn any_frame_comes_back_and_is_written_the_same(
        run: u32,
        number in 1..=i64::MAX as u64,
        (base, numerics) in (10_000_000_000i64..=200_000_000_000_000_000).prop_flat_map(|base| (Just(base), proptest::collection::vec(any_numeric(base), 1..20))),
        waves in proptest::collection::vec(any_wave(), 0..6),
        clock in prop_oneof![Just(Clock::Synchronised), Just(Clock::FreeRunning), Just(Clock::Unset)],
    ) {
        let header = Header { run, number, base: DeviceTime::from_micros(base), clock };
        let bytes: Vec<Vec<u8>> = waves.iter().map(|w| w.6.iter().flat_map(|s| s.to_le_bytes()).collect()).collect();
        let waves: Vec<RawWave<'_>> = waves.iter().zip(&bytes).map(|(w, bytes)| RawWave {
            code: Code::new(w.0),
            start: header.base.plus_micros(w.1),
            rate: SampleRate::from_microhertz(w.2).unwrap(),
            scale: Scale { gain: w.3, baseline: w.4 },
            quality: Quality::from_bits(w.5).unwrap(),
            samples: Samples::from_le_bytes(bytes).unwrap(),
        }).collect();
        let mut out = Vec::new();
        encode(&header, &numerics, &waves, &mut out).unwrap();
        let frame = Frame::decode(&out).unwrap();
        prop_assert_eq!(frame.header(), &header);
        prop_assert_eq!(frame.numerics().len(), numerics.len());
        prop_assert_eq!(&frame.numerics().collect::<Vec<_>>(), &numerics);
        prop_assert_eq!(&frame.waves().collect::<Vec<_>>(), &waves);
        let mut again = Vec::new();
        encode(frame.header(), &frame.numerics().collect::<Vec<_>>(), &frame.waves().collect::<Vec<_>>(), &mut again).unwrap();
        prop_assert_eq!(again, out);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frame::decode(&bytes);
    }

    #[test]
    fn a_changed_frame_is_read_whole_or_not_at_all(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = hex(GOLDEN);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.numerics().count(), frame.numerics().len());
            prop_assert_eq!(frame.waves().count(), frame.waves().len());
        }
    }
}
