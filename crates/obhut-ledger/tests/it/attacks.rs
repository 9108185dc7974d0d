//! What someone who owns the disk might do, and what verification says of it.

use crate::log::{Log, MemFiles};
use obhut_ledger::verify::{Events, Finding, How, Report, Wanted, verify};
use obhut_ledger::{Checkpoint, Hash, KeyKind, Leaf, Published, SigningKey, Tree};

fn look(log: &Log, files: &MemFiles) -> Report {
    verify(files, log.key.verifier(), &Wanted::default())
}

fn entries(report: &Report) -> Vec<(u64, How)> {
    report
        .findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::Entry { index, how, .. } => Some((*index, *how)),
            _ => None,
        })
        .collect()
}

fn bundle(files: &mut MemFiles) -> &mut Vec<u8> {
    files.0.get_mut("tile/entries/001.p/244").unwrap()
}

#[test]
fn a_removed_entry_is_named() {
    let log = Log::published_at(&[500]);
    let mut files = log.files.clone();
    bundle(&mut files).drain(34 * 10..34 * 11);
    assert_eq!(entries(&look(&log, &files)), [(266, How::Removed)]);
}

#[test]
fn entries_that_changed_places_are_named_with_where_they_belong() {
    let log = Log::published_at(&[500]);
    let mut files = log.files.clone();
    let bytes = bundle(&mut files);
    let (a, b) = (bytes[34..68].to_vec(), bytes[34 * 7..34 * 8].to_vec());
    bytes[34..68].copy_from_slice(&b);
    bytes[34 * 7..34 * 8].copy_from_slice(&a);
    let found = entries(&look(&log, &files));
    assert_eq!(found, [(257, How::Moved { from: 263 }), (263, How::Moved { from: 257 })]);
}

#[test]
fn entries_that_were_cut_off_are_named() {
    let log = Log::published_at(&[500]);
    let mut files = log.files.clone();
    bundle(&mut files).truncate(34 * 242);
    assert_eq!(entries(&look(&log, &files)), [(498, How::CutOff), (499, How::CutOff)]);
}

#[test]
fn an_entry_that_was_put_in_is_named() {
    let log = Log::published_at(&[500]);
    let mut files = log.files.clone();
    let bytes = bundle(&mut files);
    let forged = [&[0, 32][..], &[9; 32]].concat();
    bytes.splice(34 * 5..34 * 5, forged);
    assert_eq!(entries(&look(&log, &files)), [(261, How::Added)]);
}

#[test]
fn missing_and_additional_files_are_named() {
    let log = Log::published_at(&[500]);
    for path in log.files.0.keys() {
        let mut files = log.files.clone();
        files.0.remove(path);
        let report = look(&log, &files);
        assert!(report.findings.iter().any(|f| f.place() == *path), "{path}: {:?}", report.findings);
    }
    for path in ["tile/entries/002", "tile/0/001.p/250", "tile/0/1", "tile/0/000/other", "tile/entries/001"] {
        let mut files = log.files.clone();
        files.0.insert(path.to_owned(), vec![0; 64]);
        let report = look(&log, &files);
        assert!(report.findings.iter().any(|f| f.place() == path), "{path}: {:?}", report.findings);
    }
}

/// Files of a log over other leaves, with all tiles made anew, under the given checkpoint.
fn remade(leaves: &[Leaf], checkpoint: &[u8]) -> MemFiles {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(leaf));
    let mut files = MemFiles::default();
    for (path, bytes) in tree.new_files() {
        files.0.insert(path.to_string(), bytes);
    }
    files.0.insert("checkpoint".to_owned(), checkpoint.to_vec());
    files
}

#[test]
fn tiles_made_anew_over_a_changed_entry_fail_at_the_root_and_the_events_name_it() {
    let log = Log::published_at(&[500]);
    let mut leaves: Vec<Leaf> = log.rows.0.iter().map(|row| row.leaf).collect();
    leaves[123] = Leaf([1; 32]);
    let files = remade(&leaves, &log.files.0["checkpoint"]);
    let mut report = look(&log, &files);
    assert!(matches!(report.findings[..], [Finding::Root { .. }]), "{:?}", report.findings);
    let export = String::from_utf8(log.export()).unwrap();
    let mut events = Events::new(&files, report.size);
    export.lines().for_each(|line| events.line(line, &mut report));
    events.end(&mut report);
    assert!(matches!(report.findings[1..], [Finding::Event { index: 123, .. }]), "{:?}", report.findings);
}

#[test]
fn a_log_that_was_cut_back_is_caught_by_any_checkpoint_someone_kept() {
    let mut log = Log::published_at(&[400]);
    let old = log.files.clone();
    log.add(100);
    let kept = log.publish().to_string();
    let wanted = Wanted { older: Some(kept.as_bytes()), ..Wanted::default() };
    let report = verify(&old, log.key.verifier(), &wanted);
    assert!(matches!(&report.findings[..], [Finding::Older(why)] if why.contains("cut back")), "{:?}", report.findings);
    // And if the tiles beyond were left behind, they say so themselves.
    let mut half = log.files.clone();
    half.0.insert("checkpoint".to_owned(), old.0["checkpoint"].clone());
    assert!(look(&log, &half).findings.iter().any(|f| matches!(f, Finding::Beyond { .. })));
}

#[test]
fn another_history_under_the_same_key_is_caught_by_an_older_checkpoint() {
    let mut log = Log::published_at(&[400]);
    let kept = log.files.0["checkpoint"].clone();
    log.add(100);
    let mut leaves: Vec<Leaf> = log.rows.0.iter().map(|row| row.leaf).collect();
    leaves[7] = Leaf([1; 32]);
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(leaf));
    let forged =
        Checkpoint { origin: log.key.verifier().name().to_owned(), size: 500, root: tree.root() }.sign(&log.key);
    let files = remade(&leaves, forged.to_string().as_bytes());
    assert!(look(&log, &files).is_good(), "on its own it is a log like any other");
    let wanted = Wanted { older: Some(&kept), ..Wanted::default() };
    let report = verify(&files, log.key.verifier(), &wanted);
    assert!(matches!(&report.findings[..], [Finding::Older(why)] if why.contains("replaced")), "{:?}", report.findings);
}

#[test]
fn another_key_and_another_name_are_refused() {
    let log = Log::published_at(&[10]);
    let other = SigningKey::from_seed("ward.example/ledger", KeyKind::Log, &[1; 32]).unwrap();
    let report = verify(&log.files, other.verifier(), &Wanted::default());
    assert!(matches!(&report.findings[..], [Finding::Checkpoint(why)] if why.contains("did not sign")));
    let renamed = SigningKey::from_seed("other.example", KeyKind::Log, &[42; 32]).unwrap();
    let report = verify(&log.files, renamed.verifier(), &Wanted::default());
    assert!(matches!(&report.findings[..], [Finding::Checkpoint(why)] if why.contains("other.example")));
}

#[test]
fn events_that_are_missing_twice_or_changed_are_named() {
    let log = Log::published_at(&[20]);
    let export = String::from_utf8(log.export()).unwrap();
    let check = |lines: &[&str]| {
        let mut report = look(&log, &log.files);
        let mut events = Events::new(&log.files, report.size);
        lines.iter().for_each(|line| events.line(line, &mut report));
        events.end(&mut report);
        report.findings.iter().map(|f| f.place()).collect::<Vec<_>>()
    };
    let lines: Vec<&str> = export.lines().collect();
    assert!(check(&lines).is_empty());
    assert_eq!(check(&[&lines[..4], &lines[5..]].concat()), ["event 4"]);
    assert_eq!(check(&lines[..18]), ["event 18", "event 19"]);
    assert_eq!(check(&[&lines[..4], &lines[3..]].concat()), ["event 3"]);
    let other = lines[6].replace("reason 6", "reason 7");
    assert_eq!(check(&[&lines[..6], &[other.as_str()], &lines[7..]].concat()), ["event 6"]);
    let removed = "{\"index\":4,\"removed\":true}";
    assert!(check(&[&lines[..4], &[removed], &lines[5..]].concat()).is_empty());
}

#[test]
fn no_proof_comes_out_of_changed_tiles() {
    let log = Log::published_at(&[600]);
    let (size, root) = (log.tree.size(), log.tree.root());
    for path in ["tile/0/000", "tile/1/000.p/2", "tile/0/002.p/88"] {
        let mut files = log.files.clone();
        files.0.get_mut(path).unwrap()[40] ^= 1;
        assert!(Published::new(&files, size, root).prove_entry(3).is_err() || path == "tile/none", "{path}");
    }
    assert!(Published::new(&log.files, size, Hash([0; 32])).prove_entry(3).is_err());
}
