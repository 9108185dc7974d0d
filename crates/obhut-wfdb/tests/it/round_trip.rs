//! What is written is read back as it was, by this crate and, where it is installed, by wfdb-python.

use crate::{Folder, digest};
use obhut_model::{Code, DeviceTime, SampleRate};
use obhut_wfdb::{ABSENT, Export, ExportChannel, ExportRun, File, Record, WriteError, read, write};
use proptest::prelude::*;
use std::process::Command;

fn source(files: &[File]) -> impl Fn(&str) -> Option<Vec<u8>> {
    let files = files.to_vec();
    move |name: &str| files.iter().find(|file| file.name == name).map(|file| file.bytes.clone())
}

fn run(start: i64, gain: f64, baseline: i32, samples: Vec<i32>) -> ExportRun {
    ExportRun { start: DeviceTime::from_micros(start), gain, baseline, samples }
}

const START: i64 = 1_764_000_000_123_456;

fn ward() -> Export {
    let hertz = |hertz| SampleRate::from_hertz(hertz).unwrap();
    let mut ecg = ExportChannel::of(Code::ECG_LEAD_II, hertz(250));
    ecg.runs.push(run(START, 200.0, 1024, (0..1000).map(|n| n % 300).collect()));
    // A drop-out inside, then 6 s of nothing, then another gain.
    ecg.runs.push(run(START + 4_000_000, 200.0, 1024, vec![5, ABSENT, ABSENT, 7]));
    ecg.runs.push(run(START + 10_016_000, 100.0, 0, (0..500).collect()));
    let mut abp = ExportChannel::of(Code::PRESS_BLD_ART_ABP, hertz(125));
    abp.runs.push(run(START, 12.84, -1605, (0..500).map(|n| n - 900).collect()));
    abp.runs.push(run(START + 10_016_000, 12.84, -1605, vec![-700; 250]));
    Export { name: "ward".to_owned(), channels: vec![ecg, abp], comments: vec!["made by a test".to_owned()] }
}

#[test]
fn a_gap_and_a_new_scale_become_segments() {
    let files = write(&ward()).unwrap();
    let header = String::from_utf8(source(&files)("ward.hea").unwrap()).unwrap();
    assert_eq!(
        header,
        "ward/4 2 125 1502 16:00:00.123456 24/11/2025\nward_layout 0\nward_0001s 502\n~ 750\nward_0002s 250\n# made by a test\n"
    );
    let record = read(&source(&files), "ward").unwrap();
    let ecg = &record.channels[0];
    assert_eq!((ecg.name.as_str(), ecg.unit.as_str(), ecg.rate.microhertz()), ("II", "mV", 250_000_000));
    assert_eq!(ecg.pieces[0].samples[..3], [0, 1, 2]);
    assert_eq!(ecg.pieces[0].samples[998..], [98, 99, 5, ABSENT, ABSENT, 7]);
    assert_eq!((ecg.pieces[1].start, ecg.pieces[1].gain, ecg.pieces[1].samples.len()), (2504, 100.0, 500));
    assert_eq!(record.channels[1].unit, "mmHg");
}

#[test]
fn numerics_have_their_own_rate_and_may_be_wide() {
    let mut left = ExportChannel::of(Code::TIME_PD_REMAIN, SampleRate::from_microhertz(200_000).unwrap());
    left.push_numerics(
        1.0,
        (0..4).map(|n| (DeviceTime::from_micros(START + n * 5_000_000), (n != 2).then_some(86_400 - 5 * n as i32))),
    );
    let mut temperature = ExportChannel::of(Code::TEMP_CORE, SampleRate::from_microhertz(200_000).unwrap());
    temperature.push_numerics(10.0, [(DeviceTime::from_micros(START), Some(371))]);
    let files =
        write(&Export { name: "n".to_owned(), channels: vec![left, temperature], comments: Vec::new() }).unwrap();
    let record = read(&source(&files), "n").unwrap();
    let by_name = |name: &str| record.channels.iter().find(|channel| channel.name == name).unwrap().pieces[0].clone();
    assert_eq!(by_name("Time left").samples, [86_400, 86_395, ABSENT, 86_385]);
    assert_eq!(by_name("T core").samples, [371, ABSENT, ABSENT, ABSENT]);
}

#[test]
fn rates_without_a_common_frame_become_records() {
    let mut channels = Vec::new();
    for (code, micro) in [(Code::ECG_LEAD_II, 360_000_000), (Code::RESP, 62_472_500)] {
        let mut channel = ExportChannel::of(code, SampleRate::from_microhertz(micro).unwrap());
        channel.runs.push(run(START, 1.0, 0, vec![1, 2, 3]));
        channels.push(channel);
    }
    let files = write(&Export { name: "x".to_owned(), channels, comments: Vec::new() }).unwrap();
    assert_eq!(read(&source(&files), "x").unwrap().channels[0].rate.microhertz(), 360_000_000);
    assert_eq!(read(&source(&files), "x_2").unwrap().channels[0].rate.microhertz(), 62_472_500);
}

#[test]
fn what_cannot_be_written_is_refused() {
    assert_eq!(write(&Export { name: "x".to_owned(), ..ward() }).map(|files| files.len()), Ok(6));
    assert_eq!(write(&Export { name: "../x".to_owned(), ..ward() }), Err(WriteError::Name("../x".to_owned())));
    assert_eq!(write(&Export { channels: Vec::new(), ..ward() }), Err(WriteError::Empty));
    let mut bad = ward();
    bad.channels[0].runs[0].gain = 0.0;
    assert_eq!(write(&bad), Err(WriteError::Scale("II".to_owned())));
}

#[test]
fn wfdb_python_reads_what_is_written() {
    let python = std::env::var("OBHUT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_wfdb =
        Command::new(&python).args(["-c", "import wfdb"]).output().is_ok_and(|output| output.status.success());
    if !has_wfdb {
        eprintln!("skipped: `{python}` has no module wfdb; set OBHUT_PYTHON");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for file in write(&ward()).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/digest.py");
    let output = Command::new(&python).arg(script).arg(folder.path()).arg("ward").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let ours = digest("ward", &read(&Folder(folder.path().to_owned()), "ward").unwrap());
    assert_eq!(printed.lines().collect::<Vec<_>>(), ours, "{}", String::from_utf8_lossy(&output.stderr));
}

fn first_channel(record: &Record) -> Vec<(u64, Vec<i32>)> {
    record.channels[0].pieces.iter().map(|piece| (piece.start, piece.samples.clone())).collect()
}

proptest! {
    #[test]
    fn samples_come_back_as_they_were(
        samples in prop::collection::vec(prop_oneof![9 => -32767i32..=32767, 1 => Just(ABSENT), 1 => any::<i32>()], 1..300),
        micro in 1_000_000u32..1_000_000_000,
        start in 0i64..4_000_000_000_000_000,
    ) {
        let mut channel = ExportChannel::of(Code::RESP, SampleRate::from_microhertz(micro).unwrap());
        channel.runs.push(run(start, 3.5, -7, samples.clone()));
        let files = write(&Export { name: "p".to_owned(), channels: vec![channel], comments: Vec::new() }).unwrap();
        let record = read(&source(&files), "p").unwrap();
        prop_assert_eq!(first_channel(&record), vec![(0, samples)]);
        prop_assert_eq!(record.header.start.unwrap().micros(), Some(start));
    }
}
