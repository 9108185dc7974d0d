//! A disk in memory that forgets what was not synced, tears writes into sectors, runs full and fails: at any chosen operation, from a seed.
//!
//! Only what changes something counts as an operation. A power cut at operation *n* makes that one and all later ones fail; then [`SimDisk::after_power_cut`]
//! is the disk as it is found: of every unsynced write any subset of its sectors, of the unsynced names of a directory the first few changes.

use super::{Disk, DiskFile};
use crate::limits::SECTOR_BYTES;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes at this operation.
    PowerCut {
        /// Operation number, from zero.
        at: u64,
    },
    /// There is no room from this operation on, for so many operations.
    Full {
        /// Operation number, from zero.
        at: u64,
        /// How many operations fail.
        operations: u64,
    },
    /// This one operation fails with an input/output error.
    Error {
        /// Operation number, from zero.
        at: u64,
    },
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct Node {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, usize),
    Remove(String),
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    operations: u64,
    fault: Option<Fault>,
    random: u64,
}

/// The disk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct SimFile {
    state: Arc<Mutex<State>>,
    node: usize,
}

impl State {
    /// xorshift64*, good enough to choose which sectors survive.
    fn next(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Counts an operation; `Err` if it must fail.
    fn operate(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fault {
            Some(Fault::PowerCut { at }) if number >= at => Err(io::Error::other("the power is off")),
            Some(Fault::Full { at, operations }) if number >= at && number < at + operations => {
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(Fault::Error { at }) if number == at => Err(io::Error::other("the device failed")),
            _ => Ok(()),
        }
    }

    fn node(&mut self, number: usize) -> io::Result<&mut Node> {
        self.nodes.get_mut(number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length, 0),
        Change::Write { offset, data } => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(place) = bytes.get_mut(*offset..end) {
                place.copy_from_slice(data);
            }
        }
    }
}

impl SimDisk {
    /// An empty disk with a fault to come.
    #[must_use]
    pub fn new(seed: u64, fault: Option<Fault>) -> Self {
        let state =
            State { random: seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15), fault, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Changing operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Sets the fault to come.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().fault = fault;
    }

    /// Flips one bit of what a file holds, synced or not.
    ///
    /// # Errors
    /// If there is no such file or byte.
    pub fn flip_bit(&self, path: &str, offset: usize) -> io::Result<()> {
        let mut state = self.state.lock();
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let node = state.node(number)?;
        for bytes in [&mut node.now, &mut node.synced] {
            *bytes.get_mut(offset).ok_or(io::ErrorKind::UnexpectedEof)? ^= 1;
        }
        Ok(())
    }

    /// All bytes of all files, for a search.
    #[must_use]
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state.lock();
        state
            .names
            .iter()
            .filter_map(|(name, node)| Some((name.clone(), state.nodes.get(*node)?.now.clone())))
            .collect()
    }

    /// What is found when the power is back.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        let mut state = self.state.lock();
        let mut names = state.synced_names.clone();
        let changes = std::mem::take(&mut state.unsynced_names);
        let kept = usize::try_from(state.next()).unwrap_or(0) % (changes.len() + 1);
        for change in changes.iter().take(kept) {
            match change {
                NameChange::Add(name, node) => drop(names.insert(name.clone(), *node)),
                NameChange::Remove(name) => drop(names.remove(name)),
            }
        }
        let mut nodes = Vec::new();
        for mut node in std::mem::take(&mut state.nodes) {
            for change in &node.unsynced {
                tear(&mut node.synced, change, || state.next());
            }
            nodes.push(Node { now: node.synced.clone(), synced: node.synced, unsynced: Vec::new() });
        }
        let random = state.next() | 1;
        let after = State { nodes, synced_names: names.clone(), names, random, ..State::default() };
        Self { state: Arc::new(Mutex::new(after)) }
    }
}

/// Applies some sectors of a change, or none.
fn tear(bytes: &mut Vec<u8>, change: &Change, mut random: impl FnMut() -> u64) {
    let Change::Write { offset, data } = change else {
        if random().is_multiple_of(2) {
            apply(bytes, change);
        }
        return;
    };
    // All, nothing, or any mixture, so that each is common.
    let mode = random() % 4;
    let mut at = 0;
    while at < data.len() {
        let end = ((offset + at) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset;
        let part = data.get(at..end.min(data.len())).unwrap_or_default();
        let keep = match mode {
            0 => true,
            1 => false,
            _ => random().is_multiple_of(2),
        };
        if keep {
            apply(bytes, &Change::Write { offset: offset + at, data: part.to_vec() });
        }
        at = end;
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.operate()?;
        state.nodes.push(Node::default());
        let node = state.nodes.len() - 1;
        state.names.insert(path.to_owned(), node);
        state.unsynced_names.push(NameChange::Add(path.to_owned(), node));
        Ok(Box::new(SimFile { state: self.state.clone(), node }))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let node = *self.state.lock().names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { state: self.state.clone(), node }))
    }

    fn create_dir(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operate()?;
        let inside = |name: &str| name.rsplit_once('/').map_or("", |(directory, _)| directory) == path;
        for change in std::mem::take(&mut state.unsynced_names) {
            match change {
                NameChange::Add(name, node) if inside(&name) => drop(state.synced_names.insert(name, node)),
                NameChange::Remove(name) if inside(&name) => drop(state.synced_names.remove(&name)),
                other => state.unsynced_names.push(other),
            }
        }
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        let below = state.names.keys().filter_map(|name| name.strip_prefix(path)?.strip_prefix('/')?.split('/').next());
        let mut out: Vec<String> = below.map(str::to_owned).collect();
        out.dedup();
        Ok(out)
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operate()?;
        if state.names.remove(path).is_some() {
            state.unsynced_names.push(NameChange::Remove(path.to_owned()));
        }
        Ok(())
    }
}

impl SimFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.state.lock();
        let allowed = state.operate();
        // A write that fails may still have reached some sectors.
        let torn = if allowed.is_err() { Some([state.next(), state.next()]) } else { None };
        let node = state.node(self.node)?;
        match torn {
            None => {
                apply(&mut node.now, &change);
                node.unsynced.push(change);
            }
            Some([mode, mask]) => {
                let mut turn = 0u32;
                tear(&mut node.now, &change, || {
                    turn += 1;
                    if turn == 1 { mode } else { mask.rotate_left(turn) }
                });
                node.unsynced.push(change);
            }
        }
        allowed
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut state = self.state.lock();
        let bytes =
            state.node(self.node)?.now.get(from..from.saturating_add(out.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write { offset: usize::try_from(offset).unwrap_or(usize::MAX), data: data.to_vec() })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let allowed = state.operate();
        let node = state.node(self.node)?;
        allowed?;
        node.synced = node.now.clone();
        node.unsynced.clear();
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let mut state = self.state.lock();
        Ok(state.node(self.node)?.now.len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(length).unwrap_or(usize::MAX)))
    }
}
