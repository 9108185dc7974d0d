//! The spool against a model: whatever the disk forgets or tears, what was acknowledged is read back in order, once, and nothing else is taken for damage.

use crate::log::{Random, event};
use obhut_ledger::seal::EventKey;
use obhut_ledger::spool::{Frame, SECTOR, Spool, header, read};
use obhut_ledger::{Disk, Event};
use proptest::prelude::*;
use std::io;

/// A file that forgets what was not synced, sector by sector.
struct Torn {
    durable: Vec<u8>,
    pending: Vec<Vec<u8>>,
    syncs_left: usize,
}

impl Disk<Frame> for Torn {
    type Error = io::Error;

    fn append(&mut self, frames: &[Frame]) -> io::Result<()> {
        self.pending.extend(frames.iter().map(|frame| frame.bytes.clone()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.syncs_left == 0 {
            return Err(io::Error::other("the power is off"));
        }
        self.syncs_left -= 1;
        self.pending.drain(..).for_each(|bytes| self.durable.extend(bytes));
        Ok(())
    }
}

impl Torn {
    /// What is found when the power is back: of what was not synced any subset of sectors, perhaps cut short.
    fn found(&self, random: &mut Random) -> Vec<u8> {
        let mut out = self.durable.clone();
        for sector in self.pending.concat().chunks(SECTOR) {
            match random.below(3) {
                0 => out.extend(vec![0; sector.len()]),
                1 => out.extend_from_slice(&sector[..random.below(sector.len())]),
                _ => out.extend_from_slice(sector),
            }
            out.resize(out.len().next_multiple_of(SECTOR), 0);
        }
        let keep = self.durable.len() + random.below(out.len() - self.durable.len() + 1);
        out.truncate(keep);
        out
    }
}

fn written(batches: &[usize], syncs: usize) -> (Torn, Vec<Event>, EventKey) {
    let key = EventKey::new(&[3; 32]).unwrap();
    let mut disk = Torn { durable: header([8; 16]), pending: vec![], syncs_left: syncs };
    let mut spool = Spool::new([8; 16]);
    let (mut acknowledged, mut number) = (Vec::new(), 0);
    for (batch, count) in batches.iter().enumerate() {
        let events: Vec<Event> = (number..).take(*count).map(event).collect();
        number += *count as u64;
        match spool.commit(&mut disk, &key, [u8::try_from(batch).unwrap(); 12], &events) {
            Ok(recorded) => {
                assert_eq!(recorded.len(), *count);
                acknowledged.extend(events);
            }
            Err(_) => break,
        }
    }
    (disk, acknowledged, key)
}

proptest! {
    #[test]
    fn what_was_acknowledged_is_read_back(
        batches in prop::collection::vec(1usize..9, 1..9), syncs in 0usize..9, seed in any::<u64>()
    ) {
        let (disk, acknowledged, key) = written(&batches, syncs);
        let found = read(&key, &disk.found(&mut Random(seed)));
        prop_assert!(found.events.len() >= acknowledged.len());
        prop_assert_eq!(&found.events[..acknowledged.len()], &acknowledged[..]);
        // More than that only if the one batch under way happened to be whole.
        let more = batches.get(syncs).copied().unwrap_or(0);
        prop_assert!(found.events.len() == acknowledged.len() || found.events.len() == acknowledged.len() + more);
        prop_assert_eq!(found.damage, None);
        prop_assert_eq!(found.id, Some([8; 16]));
    }

    #[test]
    fn damage_before_the_last_batch_is_named(
        batches in prop::collection::vec(1usize..6, 2..8), at in any::<prop::sample::Index>(), flip in 1u8..
    ) {
        let (disk, acknowledged, key) = written(&batches, 9);
        let whole = read(&key, &disk.durable);
        prop_assert_eq!(&whole.events, &acknowledged);
        // Everything up to the last frame; what is zero between frames means nothing.
        let last = read(&key, &written(&batches[..batches.len() - 1], 9).0.durable).end;
        let at = SECTOR + at.index(last - SECTOR);
        let mut bytes = disk.durable.clone();
        bytes[at] ^= flip;
        let found = read(&key, &bytes);
        if found.events != whole.events {
            let damage = found.damage.expect("a lost event is damage");
            prop_assert!(damage.at <= at);
            prop_assert_eq!(damage.event, found.events.len() as u64);
            prop_assert_eq!(&acknowledged[..found.events.len()], &found.events[..]);
        }
    }
}

#[test]
fn events_keep_their_notes_and_mean_nothing_without_the_key() {
    let (disk, acknowledged, _) = written(&[4], 1);
    assert_eq!(acknowledged[3].note.as_deref(), Some("reason 3"));
    assert!(!disk.durable.windows(8).any(|window| window == b"reason 3"));
    let other = read(&EventKey::new(&[4; 32]).unwrap(), &disk.durable);
    assert!(other.events.is_empty() && other.damage.is_some());
}

#[test]
fn a_spool_that_broke_off_before_its_header_holds_nothing() {
    let key = EventKey::new(&[3; 32]).unwrap();
    for bytes in [vec![], vec![0; 100], vec![0; SECTOR], header([1; 16])[..300].to_vec()] {
        let found = read(&key, &bytes);
        assert!(found.events.is_empty() && found.damage.is_none());
    }
    assert_eq!(read(&key, &header([1; 16])).id, Some([1; 16]));
}
