//! The buffer against a simulated disk that loses power between and inside writes.

use super::*;
use crate::limits::BUFFER_BYTES_MIN;
use obhut_model::{Code, Decimal, DeviceTime, Quality, SampleRate, Samples, Scale};
use obhut_wire::{Clock, Header, RawNumeric, RawWave};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    /// Whether its directory entry is durable.
    entered: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Removed, but not yet durably.
    removed: BTreeMap<String, File>,
    /// Writing operations left until the power goes.
    fuse: Option<usize>,
    full: bool,
}

#[derive(Debug, Clone, Default)]
struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// Burns one operation; in the one during which the power goes, `partly` happens.
    fn burn(state: &mut State, partly: impl FnOnce(&mut State)) -> io::Result<()> {
        match &mut state.fuse {
            None => Ok(()),
            Some(0) => Err(io::Error::other("no power")),
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    partly(state);
                    return Err(io::Error::other("the power went"));
                }
                Ok(())
            }
        }
    }

    /// What is left after the power came back. `keep` decides for each file how much of what was not flushed survived.
    fn after_power_cut(&self, mut keep: impl FnMut() -> usize, garbage: bool) -> Self {
        let state = self.0.lock();
        let mut files = BTreeMap::new();
        for (name, file) in &state.files {
            let loose = file.bytes.len() - file.synced;
            let survived = keep() % (loose + 1);
            if !file.entered && survived == 0 {
                continue;
            }
            let mut bytes = file.bytes[..file.synced + survived].to_vec();
            if garbage && survived > 0 && loose > survived {
                // A block that was allocated but never written.
                bytes.extend(vec![0; loose - survived]);
            }
            files.insert(name.clone(), File { synced: bytes.len(), entered: true, bytes });
        }
        for (name, file) in &state.removed {
            if keep().is_multiple_of(2) {
                files.entry(name.clone()).or_insert_with(|| file.clone());
            }
        }
        Self(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    fn total(&self) -> u64 {
        self.0.lock().files.iter().filter(|(name, _)| name.starts_with(PREFIX)).map(|(_, f)| f.bytes.len() as u64).sum()
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.lock().files.get(name).map(|f| f.bytes.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(name)?;
        bytes
            .get(offset as usize..offset as usize + len)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.full {
            state.files.entry(name.to_owned()).or_default().bytes.extend_from_slice(&bytes[..bytes.len() / 3]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Self::burn(&mut state, |s| {
            s.files.entry(name.to_owned()).or_default().bytes.extend_from_slice(&bytes[..bytes.len() / 2])
        })?;
        state.files.entry(name.to_owned()).or_default().bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        Self::burn(&mut state, |_| ())?;
        let file = state.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.bytes.truncate(len as usize);
        file.synced = file.bytes.len();
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let temporary = format!("{name}{TEMPORARY}");
        Self::burn(&mut state, |s| {
            s.files.insert(temporary.clone(), File { bytes: bytes[..bytes.len() / 2].to_vec(), ..File::default() });
        })?;
        let whole = File { bytes: bytes.to_vec(), synced: bytes.len(), entered: true };
        Self::burn(&mut state, |s| {
            s.files.insert(name.to_owned(), whole.clone());
        })?;
        state.files.insert(name.to_owned(), whole);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        Self::burn(&mut state, |_| ())?;
        let file = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        if file.entered {
            state.removed.insert(name.to_owned(), file);
        }
        Ok(())
    }

    fn syncer(&self, name: &str) -> io::Result<Syncer> {
        let (disk, name) = (self.0.clone(), name.to_owned());
        Ok(Box::new(move || {
            let mut state = disk.lock();
            Self::burn(&mut state, |_| ())?;
            state.removed.clear();
            state.files.values_mut().for_each(|file| file.entered = true);
            let file = state.files.get_mut(&name).ok_or(io::ErrorKind::NotFound)?;
            file.synced = file.bytes.len();
            Ok(())
        }))
    }
}

fn key() -> BufferKey {
    BufferKey::new(&[7; 32]).unwrap()
}

/// A frame with this number, `numerics` numbers and `samples` samples.
fn frame(number: u64, numerics: usize, samples: usize) -> Vec<u8> {
    let base = DeviceTime::from_micros(1_764_000_000_000_000 + number as i64);
    let header = Header { run: 1, number, base, clock: Clock::Synchronised };
    let numeric = RawNumeric {
        code: Code::ECG_HEART_RATE,
        taken_at: base,
        value: Decimal::new(number as i32, 0).ok(),
        quality: Quality::GOOD,
    };
    let bytes: Vec<u8> = (0..samples).flat_map(|s| (s as i16).to_le_bytes()).collect();
    let wave = RawWave {
        code: Code::ECG_LEAD_II,
        start: base,
        rate: SampleRate::from_hertz(250).unwrap(),
        scale: Scale { gain: 200.0, baseline: 0 },
        quality: Quality::GOOD,
        samples: Samples::from_le_bytes(&bytes).unwrap(),
    };
    let mut out = Vec::new();
    encode(&header, &vec![numeric; numerics], if samples > 0 { std::slice::from_ref(&wave) } else { &[] }, &mut out)
        .unwrap();
    out
}

fn all<D: Disk>(buffer: &mut Buffer<D>) -> Vec<(u64, Vec<u8>)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(number) = buffer.next_after(at) {
        at = number;
        out.push((number, buffer.read(number).unwrap().unwrap()));
    }
    out
}

#[test]
fn frames_come_back_in_order_and_removed_ones_do_not() {
    let disk = SimDisk::default();
    let mut buffer = Buffer::open(disk.clone(), key(), 1 << 20).unwrap();
    for number in [3, 1, 2, 5, 4] {
        buffer.append(number, &frame(number, 1, 10)).unwrap();
    }
    buffer.remove(2);
    buffer.syncer().unwrap()().unwrap();
    drop(buffer);
    let mut buffer = Buffer::open(disk.after_power_cut(|| 1, false), key(), 1 << 20).unwrap();
    assert_eq!(all(&mut buffer), [1, 3, 4, 5].map(|n| (n, frame(n, 1, 10))));
    for number in [1, 3, 4, 5] {
        buffer.remove(number);
    }
    buffer.syncer().unwrap()().unwrap();
    assert_eq!((buffer.bytes(), disk.0.lock().files.is_empty()), (0, false));
    assert!(buffer.disk().0.lock().files.is_empty(), "an empty buffer takes no room");
}

#[test]
fn nothing_readable_lies_on_disk() {
    let disk = SimDisk::default();
    let mut buffer = Buffer::open(disk.clone(), key(), 1 << 20).unwrap();
    let plain = frame(1, 1, 200);
    buffer.append(1, &plain).unwrap();
    let stored = disk.0.lock().files.values().next().unwrap().bytes.clone();
    for window in plain.windows(8) {
        assert!(!stored.windows(8).any(|w| w == window));
    }
    let other = BufferKey::new(&[8; 32]).unwrap();
    let mut buffer = Buffer::open(disk, other, 1 << 20).unwrap();
    assert_eq!((all(&mut buffer).len(), buffer.losses().damaged), (0, 1), "another key opens nothing");
}

#[test]
fn a_record_moved_within_or_between_files_is_refused() {
    let disk = SimDisk::default();
    let mut buffer = Buffer::open(disk.clone(), key(), 1 << 20).unwrap();
    buffer.append(1, &frame(1, 1, 0)).unwrap();
    buffer.append(2, &frame(2, 1, 0)).unwrap();
    drop(buffer);
    {
        let mut state = disk.0.lock();
        let file = state.files.values_mut().next().unwrap();
        let half = file.bytes.len() / 2;
        assert_eq!(file.bytes.len(), 2 * half);
        file.bytes.rotate_left(half);
    }
    assert!(all(&mut Buffer::open(disk, key(), 1 << 20).unwrap()).is_empty());

    let disk = SimDisk::default();
    Buffer::open(disk.clone(), key(), 1 << 20).unwrap().append(1, &frame(1, 1, 0)).unwrap();
    {
        let mut state = disk.0.lock();
        let file = state.files.pop_first().unwrap().1;
        state.files.insert(name_of(9), file);
    }
    assert!(all(&mut Buffer::open(disk, key(), 1 << 20).unwrap()).is_empty());
}

#[test]
fn when_full_the_oldest_waveforms_go_first_and_numerics_last() {
    let disk = SimDisk::default();
    let mut buffer = Buffer::open(disk.clone(), key(), BUFFER_BYTES_MIN).unwrap();
    let mut number = 0;
    while buffer.losses() == Losses::default() {
        number += 1;
        buffer.append(number, &frame(number, 2, 500)).unwrap();
    }
    assert_eq!(buffer.losses().dropped, 0);
    let kept = all(&mut buffer);
    assert_eq!(kept.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (1..=number).collect::<Vec<_>>(), "no frame is gone");
    let stripped: Vec<u64> = kept.iter().filter(|(_, f)| !has_waves(f)).map(|(n, _)| *n).collect();
    assert_eq!(stripped, (1..=stripped.len() as u64).collect::<Vec<_>>(), "the oldest lost their waveforms");
    assert!(kept.iter().all(|(n, f)| *f == frame(*n, 2, 500) || *f == frame(*n, 2, 0)));

    // Numerics alone until nothing of a waveform is left, then further: only now numerics go, the oldest first.
    while buffer.losses().dropped == 0 {
        number += 1;
        buffer.append(number, &frame(number, 2, 0)).unwrap();
    }
    let kept = all(&mut buffer);
    assert!(kept.iter().all(|(_, f)| !has_waves(f)));
    assert_eq!(kept.last().unwrap().0, number);
    let first = kept.first().unwrap().0;
    assert_eq!(kept.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (first..=number).collect::<Vec<_>>());

    // A new waveform never pushes a numeric out: it goes itself, its numerics stay.
    let before = buffer.losses();
    number += 1;
    buffer.append(number, &frame(number, 0, 30_000 / 2)).unwrap();
    assert_eq!((buffer.losses().dropped, buffer.holds(number)), (before.dropped + 1, false));
    assert!(buffer.bytes() <= BUFFER_BYTES_MIN && disk.total() <= BUFFER_BYTES_MIN);
}

#[test]
fn a_full_disk_costs_the_frame_and_nothing_else() {
    let disk = SimDisk::default();
    let mut buffer = Buffer::open(disk.clone(), key(), 1 << 20).unwrap();
    buffer.append(1, &frame(1, 1, 10)).unwrap();
    disk.0.lock().full = true;
    assert!(buffer.append(2, &frame(2, 1, 10)).is_err());
    disk.0.lock().full = false;
    buffer.append(3, &frame(3, 1, 10)).unwrap();
    assert_eq!(all(&mut buffer).len(), 2);
    drop(buffer);
    assert_eq!(all(&mut Buffer::open(disk, key(), 1 << 20).unwrap()), [1, 3].map(|n| (n, frame(n, 1, 10))));
}

#[derive(Debug, Clone)]
enum Step {
    Append { numerics: usize, samples: usize },
    RemoveOldest,
    RemoveAny(prop::sample::Index),
    Sync,
    Reopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..3, prop_oneof![Just(0), 1usize..2_000, Just(9_000)]).prop_filter("not empty", |(n, s)| n + s > 0).prop_map(|(numerics, samples)| Step::Append { numerics, samples }),
        2 => Just(Step::RemoveOldest),
        1 => any::<prop::sample::Index>().prop_map(Step::RemoveAny),
        2 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens and wherever the power goes: what was flushed and neither removed nor pushed out is there, as it was or without its waveform;
    /// nothing else is; the bound holds; numbers handed out never repeat.
    #[test]
    fn the_power_may_go_at_any_write(
        steps in proptest::collection::vec(any_step(), 1..120),
        fuse in 1usize..400,
        survivors in proptest::collection::vec(any::<usize>(), 64),
        garbage: bool,
    ) {
        let disk = SimDisk::default();
        disk.0.lock().fuse = Some(fuse);
        let mut made: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut removed = BTreeSet::new();
        let mut safe: BTreeSet<u64> = BTreeSet::new();
        let mut number = 0u64;
        let making_room = std::cell::Cell::new(false);
        let open = |disk: &SimDisk| -> Result<(Buffer<SimDisk>, crate::sequence::Sequence), BufferError> {
            let mut buffer = Buffer::open(disk.clone(), key(), BUFFER_BYTES_MIN)?;
            let above = buffer.last();
            let sequence = crate::sequence::Sequence::open(buffer.disk(), 1, above)?;
            Ok((buffer, sequence))
        };
        let run = |number: &mut u64, made: &mut BTreeMap<u64, Vec<u8>>, removed: &mut BTreeSet<u64>, safe: &mut BTreeSet<u64>| -> Result<(), BufferError> {
            let (mut buffer, mut sequence) = open(&disk)?;
            for step in steps {
                match step {
                    Step::Append { numerics, samples } => {
                        let Some(next) = sequence.peek() else { sequence.reserve(buffer.disk())?; continue };
                        assert!(next > *number, "number {next} is used twice");
                        sequence.advance();
                        *number = next;
                        let bytes = frame(next, numerics, samples);
                        made.insert(next, bytes.clone());
                        making_room.set(buffer.bytes() + record::frame_bytes(bytes.len()) > BUFFER_BYTES_MIN);
                        buffer.append(next, &bytes)?;
                        making_room.set(false);
                        assert!(buffer.bytes() <= BUFFER_BYTES_MIN);
                        // Pushed out is pushed out.
                        safe.retain(|n| buffer.holds(*n));
                    }
                    Step::RemoveOldest => if let Some(oldest) = buffer.next_after(0) {
                        buffer.remove(oldest);
                        removed.insert(oldest);
                        safe.remove(&oldest);
                    },
                    Step::RemoveAny(index) => {
                        let held: Vec<u64> = made.keys().copied().filter(|n| buffer.holds(*n)).collect();
                        if !held.is_empty() {
                            let one = held[index.index(held.len())];
                            buffer.remove(one);
                            removed.insert(one);
                            safe.remove(&one);
                        }
                    }
                    Step::Sync => {
                        let held: Vec<u64> = made.keys().copied().filter(|n| buffer.holds(*n)).collect();
                        buffer.syncer()?()?;
                        safe.extend(held);
                    }
                    Step::Reopen => {
                        // The process was killed: what the operating system has stays.
                        drop(buffer);
                        (buffer, sequence) = open(&disk)?;
                        let held: BTreeSet<u64> = made.keys().copied().filter(|n| buffer.holds(*n)).collect();
                        for one in safe.iter() {
                            assert!(held.contains(one), "{one} got lost when the process was killed");
                        }
                    }
                }
            }
            Ok(())
        };
        // An eviction that was under way when the power went may have pushed frames out without being able to say so.
        let outcome = run(&mut number, &mut made, &mut removed, &mut safe);
        let evicting = outcome.is_err() && making_room.get();
        let mut left = survivors.iter().copied().cycle();
        let after = disk.after_power_cut(|| left.next().unwrap(), garbage);
        let (mut buffer, sequence) = open(&after).unwrap();
        prop_assert!(sequence.peek().unwrap() > number, "a number is used twice after the crash");
        let kept = all(&mut buffer);
        for (number, bytes) in &kept {
            let original = made.get(number).expect("a frame nobody made");
            prop_assert!(bytes == original || without_waves(original).as_ref() == Some(bytes));
        }
        if !evicting {
            for number in &safe {
                prop_assert!(kept.iter().any(|(n, _)| n == number), "frame {} was flushed and is lost", number);
            }
        }
        // A file whose removal was not flushed may come back, once each.
        prop_assert!(buffer.bytes() <= 2 * BUFFER_BYTES_MIN);
        // And it goes on.
        let next = sequence.peek().unwrap();
        buffer.append(next, &frame(next, 1, 1)).unwrap();
        buffer.syncer().unwrap()().unwrap();
        prop_assert!(buffer.holds(next) && buffer.bytes() <= BUFFER_BYTES_MIN);
    }
}
