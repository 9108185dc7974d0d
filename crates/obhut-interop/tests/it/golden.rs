//! The bundle as a file that people and an independent judge read: `cargo run --manifest-path judge/Cargo.toml -- FILE`.

use crate::house::*;
use obhut_interop::{Format, Language};
use obhut_model::{Code, Quality};

#[test]
fn the_example_has_not_changed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/copy.fhir.json");
    let mut numbers: Vec<Option<i32>> = (60..72).map(Some).collect();
    numbers[5] = None;
    let temperature = obhut_interop::Stretch::Numerics {
        step: step("0.1"),
        values: vec![
            (device(START), Some(367), Quality::GOOD),
            (device(START + 77_000_001), None, Quality::SENSOR_OFF),
        ],
    };
    let mut store = Store {
        readings: vec![
            (Code::ECG_HEART_RATE, vec![seconds("1", &numbers)]),
            (Code::TEMP_BODY, vec![temperature]),
            (Code::ECG_LEAD_II, vec![wave(250, 200.0, 10, vec![0, 1, -5, obhut_model::NO_VALUE, 300])]),
            (Code::BED_MOVEMENT, vec![seconds("1", &[Some(3)])]),
        ],
        accesses: vec![access(1)],
        ..Store::default()
    };
    let (bytes, _) = written(Format::Fhir, &dossier(Language::De, "Gräfin \u{1b}=1+1 Щука 李"), &mut store);
    if std::env::var_os("OBHUT_GOLDEN").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")).unwrap();
        std::fs::write(path, &bytes).unwrap();
        for (format, name) in [(Format::Pdf, "copy.pdf"), (Format::Csv, "copy.zip")] {
            let (bytes, _) = written(format, &dossier(Language::De, "Gräfin Щука 李 Þórðarson"), &mut store);
            std::fs::write(std::env::temp_dir().join(name), bytes).unwrap();
        }
    }
    let golden = std::fs::read(path).expect("run with OBHUT_GOLDEN=1 to write it");
    // As JSON: the order of an object's members means nothing, and differs with what else is built beside this crate.
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    assert!(
        json(&golden) == json(&bytes),
        "the bundle changed: look at it, judge it, and write it anew with OBHUT_GOLDEN=1"
    );
}
