//! A long stay: what is asked for at once stays small, and what is written goes out as it comes.

use crate::house::*;
use obhut_interop::{Format, Language, Stretch, time, write};
use obhut_model::*;

/// Takes everything and keeps nothing but how much it was.
#[derive(Default)]
struct Drain {
    bytes: usize,
    largest: usize,
}

impl std::io::Write for Drain {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes += bytes.len();
        self.largest = self.largest.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn thirty_days_are_read_hour_by_hour() {
    let values = (0..30 * 24 * 60).map(|n: i64| (device(START + n * 60_000_000), Some(60), Quality::GOOD)).collect();
    let samples = (0..4 * 3_600 * 125).map(|n: i32| (n % 200) as i16).collect();
    let mut store = Store {
        readings: vec![
            (Code::ECG_HEART_RATE, vec![Stretch::Numerics { step: step("1"), values }]),
            (Code::RESP, vec![wave(125, 10.0, 0, samples)]),
        ],
        accesses: (1..5_000).map(access).collect(),
        ..Store::default()
    };
    for format in [Format::Fhir, Format::Csv, Format::Pdf] {
        let mut drain = Drain::default();
        let summary = write(format, &dossier(Language::De, "x"), &mut store, &time::Utc, [1; 16], &mut drain).unwrap();
        assert_eq!((summary.values, summary.samples, summary.accesses), (43_200, 1_800_000, 4_999));
        assert!(store.most <= 3_600 * 125, "{format:?} asked for {} at once", store.most);
        if format != Format::Pdf {
            assert!(drain.largest < 1 << 20, "{format:?} wrote {} bytes at once", drain.largest);
        }
    }
}

#[test]
fn a_reader_who_leaves_ends_it() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in [Format::Fhir, Format::Csv, Format::Pdf] {
        let result = write(format, &dossier(Language::De, "x"), &mut Store::default(), &time::Utc, [1; 16], &mut Gone);
        assert!(result.is_err(), "{format:?}");
    }
}

#[test]
fn a_time_no_format_can_say_is_an_error_and_not_another_time() {
    let values = vec![(device(i64::MAX - 10_000_000_000), Some(1), Quality::GOOD)];
    let mut store =
        Store { readings: vec![(Code::TEMP, vec![Stretch::Numerics { step: step("1"), values }])], ..Store::default() };
    let result = write(Format::Csv, &dossier(Language::De, "x"), &mut store, &time::Utc, [1; 16], &mut Vec::new());
    assert!(matches!(result, Err(obhut_interop::CopyError::Time(Code::TEMP))), "{result:?}");
}
