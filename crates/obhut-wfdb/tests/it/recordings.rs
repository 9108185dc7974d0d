//! The recordings decode to exactly what wfdb-python 4.3.1 makes of them. `expected.txt` was printed by `digest.py`, each line with the
//! folder put before it.

use crate::{Folder, digest, recordings_folder};
use obhut_wfdb::read;
use std::collections::BTreeMap;

#[test]
fn every_recording_decodes_as_wfdb_python_does() {
    let Some(folder) = recordings_folder() else { return };
    let mut expected: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for line in include_str!("expected.txt").lines() {
        let (subfolder, line) = line.split_once(' ').unwrap();
        let (record, _) = line.split_once(' ').unwrap();
        expected.entry((subfolder, record)).or_default().push(line);
    }
    assert_eq!(expected.len(), 10);
    for ((subfolder, name), lines) in expected {
        let record = read(&Folder(folder.join(subfolder)), name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(digest(name, &record), lines);
    }
}

#[test]
fn headers_say_when_and_how_fast() {
    let Some(folder) = recordings_folder() else { return };
    let start = |subfolder: &str, name: &str| {
        let record = read(&Folder(folder.join(subfolder)), name).unwrap();
        (record.header.start.and_then(|start| start.micros()), record.channels[0].rate.microhertz(), record.frames)
    };
    assert_eq!(start(".", "100"), (None, 360_000_000, 650_000));
    assert_eq!(start(".", "03700181"), (Some(776_971_665_000_000), 500_000_000, 75_000));
    assert_eq!(start(".", "mixedsignals"), (None, 249_890_000, 14_400));
    assert_eq!(start("s25047", "s25047-2704-05-04-10-44").2, 543_240);
}

#[test]
fn a_gap_stays_a_gap_and_a_changed_scale_a_new_piece() {
    let Some(folder) = recordings_folder() else { return };
    let record = read(&Folder(folder.join("s25047")), "s25047-2704-05-04-10-44").unwrap();
    let abp = record.channels.iter().find(|channel| channel.name == "ABP").unwrap();
    // The pressure begins with segment 17, after everything else.
    assert_eq!(
        abp.pieces.iter().map(|piece| (piece.start, piece.gain)).collect::<Vec<_>>(),
        [(445_740, 1.0), (449_265, 1.25)]
    );
    assert_eq!(record.channels[0].pieces[0].start, 25_740);
}

#[test]
fn a_changed_sample_is_noticed() {
    let Some(folder) = recordings_folder() else { return };
    let source = |name: &str| {
        let mut bytes = std::fs::read(folder.join(name)).ok()?;
        if name == "100.dat" {
            bytes[1000] ^= 1;
        }
        Some(bytes)
    };
    assert!(matches!(read(&source, "100"), Err(obhut_wfdb::ReadError::Checksum { .. })));
}
