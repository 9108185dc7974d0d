//! Ten thousand single bytes changed, anywhere in tiles, bundles, checkpoint and exported events: each is found, and the right file or entry is named.

use crate::log::{Log, MemFiles, Random};
use obhut_ledger::verify::{Events, Finding, Report, Wanted, verify};
use obhut_ledger::{KeyKind, SigningKey, VerifierKey, witness};

fn check(files: &MemFiles, key: &VerifierKey, witnesses: &[VerifierKey], events: Option<&[u8]>) -> Report {
    let mut report = verify(files, key, &Wanted { witnesses, strict: true, ..Wanted::default() });
    if let Some(lines) = events {
        let mut compare = Events::new(files, report.size);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            compare.line(String::from_utf8_lossy(line).trim_end_matches('\n'), &mut report);
        }
        compare.end(&mut report);
    }
    report
}

/// Which entry a byte of the export belongs to.
fn line_of(export: &[u8], at: usize) -> u64 {
    export[..at].iter().filter(|byte| **byte == b'\n').count() as u64
}

fn names(report: &Report, path: &str) -> bool {
    report.findings.iter().any(|finding| finding.place() == path)
}

#[test]
fn ten_thousand_changed_bytes_are_found_and_named() {
    let mut log = Log::published_at(&[3, 100, 256, 300, 340]);
    let seen_by = SigningKey::from_seed("witness.example/w1", KeyKind::Cosignature, &[5; 32]).unwrap();
    let mut note = log.publish();
    let line = seen_by.sign(&note.text, 1_700_000_000).to_string();
    assert!(witness::merge(&mut note, seen_by.verifier(), &line));
    log.files.0.insert("checkpoint".to_owned(), note.to_string().into_bytes());
    let (key, witnesses, export) = (log.key.verifier().clone(), [seen_by.verifier().clone()], log.export());
    let clean = check(&log.files, &key, &witnesses, Some(&export));
    assert!(clean.is_good(), "{:?}", clean.findings);
    assert_eq!((clean.events, clean.cosigned.len()), (340, 1));

    let paths: Vec<String> = log.files.0.keys().cloned().collect();
    let mut random = Random(1);
    let mut by_kind = std::collections::BTreeMap::<&str, u32>::new();
    for round in 0..10_000 {
        let flip = u8::try_from(random.below(255) + 1).unwrap();
        // One in five in the export, one in ten in the checkpoint, the rest anywhere below `tile/`.
        match round % 10 {
            0 | 1 => {
                let at = random.below(export.len());
                let mut changed = export.clone();
                changed[at] ^= flip;
                let report = check(&log.files, &key, &witnesses, Some(&changed));
                let entry = line_of(&export, at);
                let named =
                    report.findings.iter().any(|f| matches!(f, Finding::Event { index, .. } if *index == entry));
                assert!(named, "event byte {at} (entry {entry}) with {flip:02x}: {:?}", report.findings);
                *by_kind.entry("event").or_default() += 1;
            }
            kind => {
                let path = if kind == 2 { "checkpoint" } else { &paths[random.below(paths.len())] };
                let mut files = log.files.clone();
                let bytes = files.0.get_mut(path).unwrap();
                let at = random.below(bytes.len());
                bytes[at] ^= flip;
                let report = check(&files, &key, &witnesses, None);
                assert!(names(&report, path), "`{path}` byte {at} with {flip:02x}: {:?}", report.findings);
                let kind = if path == "checkpoint" {
                    "checkpoint"
                } else if path.starts_with("tile/entries") {
                    "entries"
                } else {
                    "tile"
                };
                *by_kind.entry(kind).or_default() += 1;
            }
        }
    }
    println!("10000 single-byte changes, all found and named: {by_kind:?}");
}

#[test]
fn a_changed_byte_in_an_entry_names_that_entry() {
    let log = Log::published_at(&[300]);
    for (path, first, entries) in [("tile/entries/000", 0, 256), ("tile/entries/001.p/44", 256, 44)] {
        for entry in 0..entries {
            let mut files = log.files.clone();
            files.0.get_mut(path).unwrap()[entry * 34 + 2 + entry % 32] ^= 0x10;
            let report = check(&files, log.key.verifier(), &[], None);
            let wanted = format!("entry {} was changed ({path})", first + entry);
            assert_eq!(report.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [wanted]);
        }
    }
}
