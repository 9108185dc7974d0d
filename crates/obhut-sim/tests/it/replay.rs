//! A recording that is played, encoded, sent and decoded is the recording, sample for sample; "no value" stays, gaps stay.

use crate::{at, nameplate, recordings_folder};
use obhut_model::{Code, DeviceTime, NO_VALUE, Quality};
use obhut_sim::device::{Device, Repeat, Replay};
use obhut_sim::recordings::{Recording, TrackKind, find};
use obhut_wfdb::ABSENT;
use obhut_wire::{Clock, Frame, Header, encode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What came through the wire: samples by code and time, and numbers by code and time.
#[derive(Default)]
struct Heard {
    waves: BTreeMap<Code, BTreeMap<DeviceTime, (i16, f64, i32)>>,
    numbers: BTreeMap<Code, BTreeMap<DeviceTime, Option<f64>>>,
}

fn through_the_wire(device: &mut dyn Device, until: DeviceTime) -> Heard {
    let mut heard = Heard::default();
    let mut number = 0;
    while device.next_due() <= until {
        for report in device.produce(until) {
            number += 1;
            let header = Header { run: 7, number, base: report.base(), clock: Clock::Synchronised };
            let mut payload = Vec::new();
            encode(&header, &report.numerics, &report.raw_waves(), &mut payload).unwrap();
            let frame = Frame::decode(&payload).unwrap();
            for wave in frame.waves() {
                assert!(wave.quality == Quality::GOOD || wave.samples.iter().any(|sample| sample == NO_VALUE));
                let times = heard.waves.entry(wave.code).or_default();
                for (index, sample) in wave.samples.iter().enumerate() {
                    let time = wave.start.plus_micros(wave.rate.offset_micros(index as u64));
                    let before = times.insert(time, (sample, wave.scale.gain, wave.scale.baseline));
                    assert_eq!(before, None, "a sample came twice");
                }
            }
            for numeric in frame.numerics() {
                heard
                    .numbers
                    .entry(numeric.code)
                    .or_default()
                    .insert(numeric.taken_at, numeric.value.map(|value| value.to_f64()));
            }
        }
    }
    heard
}

/// Plays `name` once and compares everything; gives the recording back.
fn check(subfolder: &str, name: &str) -> Option<Recording> {
    let folder = recordings_folder()?.join(subfolder);
    let recording = Arc::new(Recording::load(&folder, name).unwrap());
    let mut device = Replay::new(nameplate("mon-01"), recording.clone(), at(0), Repeat::Once);
    let heard = through_the_wire(&mut device, at(recording.micros() + 10_000_000));
    assert!(device.is_over());
    for track in recording.tracks() {
        let recorded: usize = track.channel().pieces.iter().map(|piece| piece.samples.len()).sum();
        match track.kind {
            TrackKind::Waveform => {
                let heard = &heard.waves[&track.code];
                assert_eq!(heard.len(), recorded, "{name} {:?}", track.code);
                let expected = track.channel().pieces.iter().flat_map(|piece| {
                    piece
                        .samples
                        .iter()
                        .enumerate()
                        .map(|(index, &sample)| (piece.start + index as u64, sample, piece.gain, piece.baseline))
                });
                for ((time, heard), (index, sample, gain, baseline)) in heard.iter().zip(expected) {
                    let sample = if sample == ABSENT { NO_VALUE } else { sample as i16 };
                    assert_eq!(*heard, (sample, gain, baseline));
                    // The start of a block and the offset in it are each rounded to a microsecond.
                    let due = at(track.rate.offset_micros(index));
                    assert!(time.since(due).abs() <= 1, "{name} {:?} {index}: {}", track.code, time.since(due));
                }
            }
            TrackKind::Numeric { .. } => {
                let heard = &heard.numbers[&track.code];
                assert_eq!(heard.len(), recorded);
                let samples = track
                    .channel()
                    .pieces
                    .iter()
                    .flat_map(|piece| piece.samples.iter().map(|&sample| (sample, piece.gain)));
                for (heard, (sample, gain)) in heard.values().zip(samples) {
                    let expected = (sample != ABSENT && sample != 0).then(|| f64::from(sample) / gain);
                    assert_eq!(*heard, expected);
                }
            }
        }
    }
    Arc::into_inner(recording).or_else(|| Recording::load(&folder, name).ok())
}

#[test]
fn record_100() {
    let Some(recording) = check(".", "100") else { return };
    assert_eq!(
        recording.tracks().iter().map(|track| track.code).collect::<Vec<_>>(),
        [Code::ECG_LEAD_II, Code::ECG_LEAD_V5]
    );
}

#[test]
fn record_03700181() {
    let Some(recording) = check(".", "03700181") else { return };
    let codes: Vec<Code> = recording.tracks().iter().map(|track| track.code).collect();
    assert_eq!(codes, [Code::ECG_LEAD_UNKNOWN, Code::PRESS_BLD_ART_ABP, Code::RESP]);
}

#[test]
fn a_record_with_no_values() {
    let Some(recording) = check(".", "mixedsignals") else { return };
    let absent = |code| {
        let track = recording.tracks().iter().find(|track| track.code == code).unwrap();
        track.channel().pieces.iter().flat_map(|piece| &piece.samples).filter(|&&sample| sample == ABSENT).count()
    };
    assert_eq!((absent(Code::ECG_LEAD_II), absent(Code::PRESS_BLD_ART_ABP)), (1024, 192));
}

#[test]
fn a_record_with_gaps_changing_scales_and_numbers() {
    let Some(recording) = check("s25047", "s25047-2704-05-04-10-44") else { return };
    assert!(recording.tracks().iter().any(|track| track.code == Code::PRESS_BLD_NONINV_SYS));
    assert!(recording.tracks()[0].channel().pieces.len() > 1);
}

#[test]
fn silence_where_nothing_was_recorded() {
    let Some(folder) = recordings_folder() else { return };
    let recording = Arc::new(Recording::load(&folder.join("s25047"), "s25047-2704-05-04-10-44").unwrap());
    let mut device = Replay::new(nameplate("mon-01"), recording, at(0), Repeat::Once);
    // The curves begin after 205.92 s; the numbers of the first three minutes come before.
    let early = device.produce(at(205_900_000));
    assert!(early.iter().all(|report| report.waves.is_empty()));
    assert_eq!(early.len(), 4);
    assert!(!device.produce(at(206_250_000)).is_empty());
}

#[test]
fn the_end_joins_the_beginning() {
    let Some(folder) = recordings_folder() else { return };
    let recording = Arc::new(Recording::load(&folder.join("s00001"), "3975656_0012").unwrap());
    let length = recording.micros();
    assert_eq!(length, 35_400_000);
    let mut device = Replay::new(nameplate("mon-01"), recording.clone(), at(0), Repeat::Forever);
    let heard = through_the_wire(&mut device, at(3 * length + 100_000));
    assert_eq!(heard.waves[&Code::ECG_LEAD_II].len(), 3 * 4425);
    // Switched on later, it is where it would have been.
    let mut late = Replay::new(nameplate("mon-01"), recording, at(0), Repeat::Forever);
    late.skip_to(at(2 * length + 1_000_000));
    assert_eq!(late.next_due(), at(2 * length + 1_000_000));
}

#[test]
fn a_folder_is_searched() {
    let Some(folder) = recordings_folder() else { return };
    let names: Vec<String> = find(&folder).unwrap().into_iter().map(|recording| recording.name).collect();
    assert_eq!(
        names,
        [
            "03700181",
            "100",
            "a103l",
            "mixedsignals",
            "3975656_0012",
            "3975656_0013",
            "3975656_0015",
            "s00001-2896-10-10-00-31n",
            "s25047-2704-05-04-10-44"
        ]
    );
    assert!(find(&folder.join("nowhere")).is_err());
}
