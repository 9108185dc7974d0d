//! Verification of a whole log by someone who has its files and its public key: finds what was changed, removed, moved or cut off, and names it.
//!
//! The entries, the hashes of level 0 and the hashes above say the same thing three times. For each tile the one that disagrees with the other two is
//! the one that was changed, and within it the place is known. Where too much was changed at once for that, both sides are named. Last, the root
//! that the entries make must be the signed one: whoever recomputes all tiles after a change fails there, and only there.
//!
//! Holds one tile of each level. Reads every file once.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::export::Line;
use crate::leaf::Leaf;
use crate::limits::{FINDINGS_MAX, TILE_WIDTH};
use crate::note::{Checked, KeyKind, SignedNote, VerifierKey};
use crate::proof::check_growth;
use crate::tile::{Layer, TilePath, entries};
use crate::tree::{Files, Published, edge_path, edge_root, hashes};
use std::collections::BTreeMap;
use std::fmt;
use tlog_tiles::{Hash, Tile, record_hash};

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// The checkpoint is missing or not signed by the log.
    Checkpoint(String),
    /// A cosignature under the checkpoint does not belong to it, or cannot be checked for want of its key.
    Cosignature(String),
    /// The checkpoint contradicts an older one that is known.
    Older(String),
    /// A file is missing.
    Missing {
        /// Its path.
        path: String,
        /// First entry it covers.
        from: u64,
        /// Entry behind the last it covers.
        to: u64,
    },
    /// A file cannot be read, has the wrong length or is not in its format.
    Broken {
        /// Its path.
        path: String,
        /// Where in it.
        at: usize,
        /// First entry that is not readable because of it.
        entry: u64,
        /// What is wrong.
        why: String,
    },
    /// An entry is not the one the tree was built over.
    Entry {
        /// Its number.
        index: u64,
        /// Its file.
        path: String,
        /// What happened, as far as it can be told.
        how: How,
    },
    /// A hash in a tile is not the one that follows from what is below it.
    Hash {
        /// Its file.
        path: String,
        /// Where in it: offset of the hash.
        at: usize,
        /// First entry below it.
        from: u64,
        /// Entry behind the last below it.
        to: u64,
    },
    /// A file that the checkpoint does not count, or that no log has.
    Beyond {
        /// Its path.
        path: String,
    },
    /// Entries and tiles agree with each other and not with the signed root.
    Root {
        /// The root the entries make.
        found: String,
        /// The root that was signed.
        signed: String,
    },
    /// An exported event is not the one its entry commits to.
    Event {
        /// Number of the entry.
        index: u64,
        /// What is wrong.
        why: String,
    },
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Its bytes were changed, or it was replaced.
    Changed,
    /// What stands here belongs to another place.
    Moved {
        /// Where it belongs.
        from: u64,
    },
    /// It is gone, and what followed moved up.
    Removed,
    /// It is gone with all that follows in its bundle.
    CutOff,
    /// It was put in, and what follows moved down.
    Added,
}

impl Finding {
    /// The file or thing it is about.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Checkpoint(_) | Self::Cosignature(_) | Self::Older(_) | Self::Root { .. } => "checkpoint".to_owned(),
            Self::Missing { path, .. }
            | Self::Broken { path, .. }
            | Self::Entry { path, .. }
            | Self::Hash { path, .. }
            | Self::Beyond { path } => path.clone(),
            Self::Event { index, .. } => format!("event {index}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(why) => write!(f, "checkpoint: {why}"),
            Self::Cosignature(why) => write!(f, "checkpoint: cosignature: {why}"),
            Self::Older(why) => write!(f, "checkpoint: {why}"),
            Self::Missing { path, from, to } => {
                write!(f, "{path}: missing; it covers entries {from} to {}", to.saturating_sub(1))
            }
            Self::Broken { path, at, entry, why } => write!(f, "{path}, byte {at} (entry {entry}): {why}"),
            Self::Entry { index, path, how } => match how {
                How::Changed => write!(f, "entry {index} was changed ({path})"),
                How::Moved { from } => write!(f, "entry {index} was replaced by entry {from} ({path})"),
                How::Removed => write!(f, "entry {index} was removed ({path})"),
                How::CutOff => write!(f, "entry {index} was cut off ({path})"),
                How::Added => write!(f, "something was put in before entry {index} ({path})"),
            },
            Self::Hash { path, at, from, to } if to - from == 1 => {
                write!(f, "{path}, byte {at}: the hash of entry {from} was changed")
            }
            Self::Hash { path, at, from, to } => {
                write!(f, "{path}, byte {at}: the hash over entries {from} to {} was changed", to - 1)
            }
            Self::Beyond { path } => write!(
                f,
                "{path}: not counted by the checkpoint: the log was cut back, something was added, or a server stopped while it published; \
                 start it once and verify again"
            ),
            Self::Root { found, signed } => write!(
                f,
                "checkpoint: the entries make the root {found}, signed is {signed}: entries were replaced and all tiles made again, or this is \
                 not the checkpoint of these tiles; verify with the exported events or an older checkpoint to learn which entries"
            ),
            Self::Event { index, why } => write!(f, "event {index}: {why}"),
        }
    }
}

/// What else is asked for.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Keys of witnesses whose cosignature must be there. Signatures of keys not named are reported only if [`Wanted::strict`].
    pub witnesses: &'a [VerifierKey],
    /// An older checkpoint of this log that someone kept; the log must have grown out of it.
    pub older: Option<&'a [u8]>,
    /// Whether a signature nobody can check is a finding.
    pub strict: bool,
}

/// The result.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is wrong, in the order of the log; empty if nothing is.
    pub findings: Vec<Finding>,
    /// Findings beyond the most that are kept.
    pub more: u64,
    /// Entries the checkpoint counts.
    pub size: u64,
    /// The signed root.
    pub root: String,
    /// Witnesses whose cosignature is good, with its time in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// Names of keys that signed and are not known here.
    pub unknown: Vec<String>,
    /// Events compared with their entries.
    pub events: u64,
    /// Events that went by their retention rule.
    pub removed: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// Verifies a log: checkpoint, all tiles, all bundles.
#[must_use]
pub fn verify(files: &dyn Files, key: &VerifierKey, wanted: &Wanted<'_>) -> Report {
    let mut report = Report::default();
    let Some(checkpoint) = check_checkpoint(files, key, wanted, &mut report) else { return report };
    report.size = checkpoint.size;
    report.root = checkpoint.root.to_string();
    let mut walk = Walk { files, report: &mut report, size: checkpoint.size };
    let root = walk.all();
    let damaged = !walk.report.is_good();
    if root != Some(checkpoint.root) && !damaged {
        let found = root.map_or_else(|| "none".to_owned(), |root| root.to_string());
        report.add(Finding::Root { found, signed: checkpoint.root.to_string() });
    }
    if let Some(older) = wanted.older {
        check_older(files, key, older, &checkpoint, &mut report);
    }
    report
}

fn check_checkpoint(
    files: &dyn Files,
    key: &VerifierKey,
    wanted: &Wanted<'_>,
    report: &mut Report,
) -> Option<Checkpoint> {
    let bytes = match files.read("checkpoint") {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            report.add(Finding::Checkpoint("missing: without it nothing says what the log must hold".to_owned()));
            return None;
        }
        Err(why) => {
            report.add(Finding::Checkpoint(format!("cannot be read: {why}")));
            return None;
        }
    };
    match Checkpoint::open(&bytes, key) {
        Ok((checkpoint, note)) => {
            check_cosignatures(&note, key, wanted, report);
            Some(checkpoint)
        }
        Err(error) => {
            let cause = match &error {
                CheckpointError::Note(cause) => format!("{error}: {cause}"),
                _ => error.to_string(),
            };
            report.add(Finding::Checkpoint(cause));
            None
        }
    }
}

fn check_cosignatures(note: &SignedNote, key: &VerifierKey, wanted: &Wanted<'_>, report: &mut Report) {
    for line in &note.signatures {
        if matches!(key.check(&note.text, line), Ok(Checked::Good { .. })) {
            continue;
        }
        let witness = wanted.witnesses.iter().find(|w| w.name() == line.name && w.id() == line.id);
        match witness.map(|witness| witness.check(&note.text, line)) {
            Some(Ok(Checked::Good { at })) => report.cosigned.push((line.name.clone(), at.unwrap_or(0))),
            Some(_) => report.add(Finding::Cosignature(format!("that of `{}` does not belong to the text", line.name))),
            None if wanted.strict => {
                report.add(Finding::Cosignature(format!("that of `{}` cannot be checked without its key", line.name)));
            }
            None => report.unknown.push(line.name.clone()),
        }
    }
    for witness in wanted.witnesses.iter().filter(|witness| witness.kind() == KeyKind::Cosignature) {
        if !report.cosigned.iter().any(|(name, _)| name == witness.name()) {
            let why = format!("`{}` did not cosign this checkpoint", witness.name());
            if !report.findings.iter().any(|f| matches!(f, Finding::Cosignature(w) if w.contains(witness.name()))) {
                report.add(Finding::Cosignature(why));
            }
        }
    }
}

fn check_older(files: &dyn Files, key: &VerifierKey, older: &[u8], now: &Checkpoint, report: &mut Report) {
    let old = match Checkpoint::open(older, key) {
        Ok((old, _)) => old,
        Err(error) => return report.add(Finding::Older(format!("the older checkpoint is none of this log: {error}"))),
    };
    if old.size > now.size {
        let why = format!("{} entries were signed once and {} are now: the log was cut back", old.size, now.size);
        return report.add(Finding::Older(why));
    }
    let grown = Published::new(files, now.size, now.root)
        .prove_growth(old.size)
        .is_ok_and(|proof| check_growth(&proof, &old, now).is_ok());
    if !grown {
        report.add(Finding::Older(format!(
            "the first {} entries are not those that were signed once: entries were replaced",
            old.size
        )));
    }
}

/// One walk over all files.
struct Walk<'a> {
    files: &'a dyn Files,
    report: &'a mut Report,
    size: u64,
}

/// Hashes of one level, tile by tile, as they follow from the entries.
type Level = Vec<Hash>;

impl Walk<'_> {
    fn all(&mut self) -> Option<Hash> {
        let names = match self.files.list() {
            Ok(names) => names,
            Err(why) => {
                self.report.add(Finding::Broken { path: "tile".to_owned(), at: 0, entry: 0, why });
                return None;
            }
        };
        let mut edge: Vec<Level> = Vec::new();
        let mut below = self.leaves(&mut edge);
        let mut level = 1u8;
        while !below.is_empty() {
            below = self.level(level, &below, &mut edge);
            level += 1;
        }
        self.others(&names);
        Some(edge_root(&edge))
    }

    /// Reads a file of the tree: its own name, or the beginning of the full one.
    fn read(&mut self, path: TilePath) -> Option<Vec<u8>> {
        let span = span(path);
        for name in [path.to_string(), path.full().to_string()] {
            match self.files.read(&name) {
                Ok(Some(mut bytes)) => {
                    if name != path.to_string() {
                        bytes.truncate(path.width * item_bytes(path.layer));
                    }
                    return Some(bytes);
                }
                Ok(None) => {}
                Err(why) => {
                    self.report.add(Finding::Broken { path: name, at: 0, entry: span.0, why });
                    return None;
                }
            }
        }
        self.report.add(Finding::Missing { path: path.to_string(), from: span.0, to: span.1.min(self.size) });
        None
    }

    /// Level 0: entries against their hashes against the hash above. Gives the hashes of full tiles.
    fn leaves(&mut self, edge: &mut Vec<Level>) -> Level {
        let mut up = Vec::new();
        let full = self.size / TILE_WIDTH as u64;
        for number in 0..full {
            let (leaf_tile, bundle) = (tile(Layer::Hashes(0), number), tile(Layer::Entries, number));
            let above = self.above(number);
            up.push(self.judge(bundle, leaf_tile, &|found| {
                found.len() == TILE_WIDTH && above == Some(Tile::subtree_hash(&crate::tree::bytes(found)))
            }));
        }
        let (leaf_edge, bundle) = (edge_path(Layer::Hashes(0), self.size), edge_path(Layer::Entries, self.size));
        let mut last = Vec::new();
        if let (Some(leaf_edge), Some(bundle)) = (leaf_edge, bundle) {
            let rest = self.stored_edge(1);
            let signed = self.report.root.clone();
            let fits = |found: &[Hash]| {
                let mut whole = vec![found.to_vec()];
                whole.extend(rest.iter().cloned());
                edge_root(&whole).to_string() == signed
            };
            last = self.judge_all(bundle, leaf_edge, &fits);
        }
        edge.push(last);
        up
    }

    /// The hash that level 1 holds for tile `number` of level 0.
    fn above(&self, number: u64) -> Option<Hash> {
        let (tile_number, place) = (number / TILE_WIDTH as u64, usize::try_from(number % TILE_WIDTH as u64).ok()?);
        let full = tile(Layer::Hashes(1), tile_number);
        let path = edge_path(Layer::Hashes(1), self.size).filter(|edge| edge.number == tile_number).unwrap_or(full);
        let bytes = [path, full].iter().find_map(|path| self.files.read(&path.to_string()).ok().flatten())?;
        hashes(&bytes).get(place).copied()
    }

    /// The open tiles from `level` on, as they are stored.
    fn stored_edge(&self, level: u8) -> Vec<Level> {
        (level..8)
            .map(|level| {
                let Some(path) = edge_path(Layer::Hashes(level), self.size) else { return Vec::new() };
                let found = [path, path.full()].iter().find_map(|p| self.files.read(&p.to_string()).ok().flatten());
                let mut found = hashes(&found.unwrap_or_default());
                found.truncate(path.width);
                found
            })
            .collect()
    }

    fn judge(&mut self, bundle: TilePath, leaf_tile: TilePath, fits: &dyn Fn(&[Hash]) -> bool) -> Hash {
        Tile::subtree_hash(&crate::tree::bytes(&pad(self.judge_all(bundle, leaf_tile, fits))))
    }

    /// Compares a bundle with its tile of hashes and names what is wrong. Gives the hashes that are right as far as can be told.
    fn judge_all(&mut self, bundle: TilePath, leaf_tile: TilePath, fits: &dyn Fn(&[Hash]) -> bool) -> Level {
        let stored = self.read(leaf_tile).map(|bytes| self.tile_hashes(leaf_tile, &bytes));
        let found = self.read(bundle).map(|bytes| (self.bundle_hashes(bundle, &bytes), bytes));
        let Some(stored) = stored else {
            return found.map(|(hashes, _)| hashes).unwrap_or_default();
        };
        let Some((found, bytes)) = found else { return stored };
        if found == stored {
            return stored;
        }
        match (fits(&found), fits(&stored)) {
            // The entries are right: the tile was changed.
            (true, _) => {
                self.name_hashes(leaf_tile, &stored, &found);
                found
            }
            // The tile is right: entries were changed.
            (false, true) => {
                self.name_entries(bundle, &found, &stored, &bytes);
                stored
            }
            (false, false) => {
                self.name_hashes(leaf_tile, &stored, &found);
                self.name_entries(bundle, &found, &stored, &bytes);
                stored
            }
        }
    }

    fn tile_hashes(&mut self, path: TilePath, bytes: &[u8]) -> Level {
        let wanted = path.width * 32;
        if bytes.len() != wanted {
            let entry = span(path).0;
            let what = if bytes.len() < wanted { "cut off" } else { "something was added" };
            let why = format!("{} bytes where {wanted} belong: {what}", bytes.len());
            self.report.add(Finding::Broken { path: path.to_string(), at: bytes.len().min(wanted), entry, why });
        }
        let mut found = hashes(bytes);
        found.truncate(path.width);
        found
    }

    fn bundle_hashes(&mut self, path: TilePath, bytes: &[u8]) -> Level {
        let list = match entries(bytes) {
            Ok(list) => list,
            Err(at) => {
                let whole = bytes.get(..at).and_then(|head| entries(head).ok()).unwrap_or_default();
                let entry = span(path).0 + whole.len() as u64;
                let why = "what follows is no entry: a length was changed, or the bundle was cut off".to_owned();
                self.report.add(Finding::Broken { path: path.to_string(), at, entry, why });
                whole
            }
        };
        // More than belong are kept by one, so that something put in is seen as such.
        list.iter().take(path.width + 1).map(|entry| record_hash(entry)).collect()
    }

    fn name_hashes(&mut self, path: TilePath, stored: &[Hash], right: &[Hash]) {
        let unit = unit(path.layer);
        let first = span(path).0;
        for (place, right) in right.iter().take(path.width).enumerate() {
            if stored.get(place) != Some(right) {
                let from = first.saturating_add(unit.saturating_mul(place as u64));
                let to = from.saturating_add(unit);
                self.report.add(Finding::Hash { path: path.to_string(), at: place * 32, from, to });
            }
        }
    }

    /// Says of each entry what happened to it: changed, moved, removed, cut off or put in.
    fn name_entries(&mut self, path: TilePath, found: &[Hash], right: &[Hash], bytes: &[u8]) {
        let first = span(path).0;
        let name = path.to_string();
        let places: BTreeMap<[u8; 32], u64> = (first..).zip(right).map(|(index, hash)| (hash.0, index)).collect();
        let wrong: Vec<usize> = (0..right.len()).filter(|place| found.get(*place) != right.get(*place)).collect();
        let Some(start) = wrong.first().copied() else {
            // All that belong are there, and something behind them.
            let at = bytes.len();
            let why = "more entries than belong here".to_owned();
            return self.report.add(Finding::Broken { path: name, at, entry: first + right.len() as u64, why });
        };
        let tail = |from: &[Hash], at: usize| from.get(at..).unwrap_or_default().to_vec();
        let shifted = |longer: &[Hash], shorter: &[Hash]| !shorter.is_empty() && longer.starts_with(shorter);
        let index = first + start as u64;
        // One is gone and the rest moved up: the tail found is the right one without its first.
        if found.len() < right.len() && shifted(&tail(right, start + 1), &tail(found, start)) {
            return self.report.add(Finding::Entry { index, path: name, how: How::Removed });
        }
        if found.len() > right.len().min(start) && shifted(&tail(found, start + 1), &tail(right, start)) {
            return self.report.add(Finding::Entry { index, path: name, how: How::Added });
        }
        for place in wrong {
            let index = first + place as u64;
            let how = match found.get(place) {
                None => How::CutOff,
                Some(hash) => match places.get(&hash.0) {
                    Some(from) => How::Moved { from: *from },
                    None => How::Changed,
                },
            };
            self.report.add(Finding::Entry { index, path: name.clone(), how });
        }
    }

    /// A level above: stored hashes against what follows from below. Gives the hashes of full tiles.
    fn level(&mut self, level: u8, below: &[Hash], edge: &mut Vec<Level>) -> Level {
        let layer = Layer::Hashes(level);
        let mut up = Vec::new();
        let mut last = Vec::new();
        for (number, right) in (0u64..).zip(below.chunks(TILE_WIDTH)) {
            let path = TilePath { layer, number, width: right.len() };
            if let Some(bytes) = self.read(path) {
                let stored = self.tile_hashes(path, &bytes);
                if stored != right {
                    self.name_hashes(path, &stored, right);
                }
            }
            if right.len() == TILE_WIDTH {
                up.push(Tile::subtree_hash(&crate::tree::bytes(right)));
            } else {
                last = right.to_vec();
            }
        }
        edge.push(last);
        up
    }

    /// Files that are there beside those the tree needs: partial tiles must be the beginning of what took their place, everything else is beyond.
    fn others(&mut self, names: &[String]) {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        for name in names {
            let Ok(path) = name.parse::<TilePath>() else {
                self.report.add(Finding::Beyond { path: name.clone() });
                continue;
            };
            let (from, to) = span(path);
            let unit = unit(path.layer);
            let counted = self.size / unit * unit;
            if to > counted {
                self.report.add(Finding::Beyond { path: name.clone() });
                continue;
            }
            if !path.is_full() && edge_path(path.layer, self.size) != Some(path) {
                self.compare_partial(path, from);
            }
        }
    }

    fn compare_partial(&mut self, path: TilePath, from: u64) {
        let name = path.to_string();
        let bytes = match self.files.read(&name) {
            Ok(Some(bytes)) => bytes,
            _ => return,
        };
        let edge = edge_path(path.layer, self.size).filter(|edge| edge.number == path.number);
        let full = self.files.read(&edge.unwrap_or(path.full()).to_string()).ok().flatten().unwrap_or_default();
        let each = item_bytes(path.layer);
        let right = full.get(..path.width * each).unwrap_or(&full);
        if bytes != right {
            let at = bytes.iter().zip(right).position(|(a, b)| a != b).unwrap_or(bytes.len().min(right.len()));
            let entry = from + unit(path.layer) * (at / each) as u64;
            let why = "it differs from the tile that took its place".to_owned();
            self.report.add(Finding::Broken { path: name, at, entry, why });
        }
    }
}

fn tile(layer: Layer, number: u64) -> TilePath {
    TilePath { layer, number, width: TILE_WIDTH }
}

/// A full tile needs all its hashes; what is missing was named already.
fn pad(mut hashes: Level) -> Level {
    hashes.resize(TILE_WIDTH, Hash([0; 32]));
    hashes
}

/// Bytes of one hash, or of one entry with its length: our entries are commitments of 32 bytes.
fn item_bytes(layer: Layer) -> usize {
    if layer == Layer::Entries { 34 } else { 32 }
}

/// How many entries lie below one hash of a layer.
fn unit(layer: Layer) -> u64 {
    match layer {
        Layer::Entries => 1,
        Layer::Hashes(level) => (TILE_WIDTH as u64).saturating_pow(u32::from(level)),
    }
}

/// The entries a file covers.
fn span(path: TilePath) -> (u64, u64) {
    let unit = unit(path.layer);
    let from = path.number.saturating_mul(TILE_WIDTH as u64).saturating_mul(unit);
    (from, from.saturating_add(unit.saturating_mul(path.width as u64)))
}

/// Compares exported events with the entries of the log, line by line. Ask it for the end, so that missing ones are named.
pub struct Events<'a> {
    files: &'a dyn Files,
    size: u64,
    next: u64,
    bundle: Option<(u64, Vec<Leaf>)>,
}

impl<'a> Events<'a> {
    /// Begins with the first entry of a log of `size` entries, as [`Report::size`] says.
    #[must_use]
    pub fn new(files: &'a dyn Files, size: u64) -> Self {
        Self { files, size, next: 0, bundle: None }
    }

    /// One line.
    pub fn line(&mut self, text: &str, report: &mut Report) {
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(error) => {
                report.add(Finding::Event { index: self.next, why: error.to_string() });
                self.next += 1;
                return;
            }
        };
        let index = line.index();
        if index >= self.size {
            return report.add(Finding::Event { index, why: "the log has no such entry yet".to_owned() });
        }
        if index < self.next {
            return report.add(Finding::Event { index, why: "it stands twice, or out of order".to_owned() });
        }
        self.gap(index, report);
        self.next = index + 1;
        match line.leaf() {
            None => report.removed += 1,
            Some(leaf) if self.leaf(index) == Some(leaf) => report.events += 1,
            Some(_) => {
                let why = "it is not what the entry commits to: event, note or salt was changed".to_owned();
                report.add(Finding::Event { index, why });
            }
        }
    }

    /// The end of the lines.
    pub fn end(mut self, report: &mut Report) {
        self.gap(self.size, report);
    }

    fn gap(&mut self, to: u64, report: &mut Report) {
        for index in self.next..to {
            report.add(Finding::Event { index, why: "it is missing: neither there nor marked as removed".to_owned() });
        }
        self.next = self.next.max(to);
    }

    fn leaf(&mut self, index: u64) -> Option<Leaf> {
        let number = index / TILE_WIDTH as u64;
        if self.bundle.as_ref().is_none_or(|(loaded, _)| *loaded != number) {
            let full = tile(Layer::Entries, number);
            let edge = edge_path(Layer::Entries, self.size).filter(|edge| edge.number == number).unwrap_or(full);
            let bytes = [edge, full].iter().find_map(|path| self.files.read(&path.to_string()).ok().flatten())?;
            let leaves = entries(&bytes)
                .ok()?
                .iter()
                .map(|entry| <[u8; 32]>::try_from(*entry).map(Leaf))
                .collect::<Result<_, _>>();
            self.bundle = Some((number, leaves.ok()?));
        }
        let place = usize::try_from(index % TILE_WIDTH as u64).ok()?;
        self.bundle.as_ref().and_then(|(_, leaves)| leaves.get(place)).copied()
    }
}
