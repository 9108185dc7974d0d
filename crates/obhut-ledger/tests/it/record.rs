//! `Recorded` exists only after a sync; seals open only in their place; notes can go alone.

use crate::log::event;
use obhut_ledger::record::Row;
use obhut_ledger::seal::EventKey;
use obhut_ledger::{Book, CommitError, Disk, Draft, Event, Place, Salt};
use std::io;

struct Failing {
    append: bool,
    synced: usize,
    handed: usize,
}

impl Disk<Row> for Failing {
    type Error = io::Error;

    fn append(&mut self, rows: &[Row]) -> io::Result<()> {
        if self.append {
            return Err(io::Error::other("no room"));
        }
        self.handed += rows.len();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.handed > 5 {
            return Err(io::Error::other("the device failed"));
        }
        self.synced = self.handed;
        Ok(())
    }
}

fn drafts(from: u64, count: usize) -> Vec<Draft> {
    (from..).take(count).map(|n| Draft { event: event(n), salt: Salt([1; 32]), nonce: [2; 12] }).collect()
}

#[test]
fn without_a_sync_nothing_is_recorded() {
    let key = EventKey::new(&[1; 32]).unwrap();
    let mut book = Book::at(10);
    let mut disk = Failing { append: false, synced: 0, handed: 0 };
    let (recorded, leaves) = book.commit(&mut disk, &key, &drafts(0, 3)).unwrap();
    assert_eq!((recorded.len(), leaves.len(), book.next()), (3, 3, 13));
    assert_eq!(recorded[2].place(), Place::Ledger { index: 12 });
    assert_eq!(recorded[2].request(), event(2).request);
    assert!(matches!(book.commit(&mut disk, &key, &drafts(3, 3)), Err(CommitError::Disk(_))));
    assert_eq!(book.next(), 13);
    disk.append = true;
    assert!(matches!(book.commit(&mut disk, &key, &drafts(3, 3)), Err(CommitError::Disk(_))));
    let bad = Draft { event: Event { action: "".into(), ..event(1) }, salt: Salt([0; 32]), nonce: [0; 12] };
    assert!(matches!(book.commit(&mut disk, &key, &[bad]), Err(CommitError::Encode(_))));
}

#[test]
fn a_sealed_event_opens_in_its_place_and_nowhere_else() {
    let key = EventKey::new(&[1; 32]).unwrap();
    let mut rows = crate::log::Rows::default();
    Book::at(4).commit(&mut rows, &key, &drafts(0, 1)).unwrap();
    let row = &rows.0[0];
    let entry = key.open(4, &row.sealed).unwrap();
    assert_eq!(entry.leaf(), row.leaf);
    assert_eq!(entry.opened.note.as_deref(), Some("reason 0"));
    assert!(key.open(5, &row.sealed).is_err());
    assert!(EventKey::new(&[2; 32]).unwrap().open(4, &row.sealed).is_err());
    for at in 0..row.sealed.len() {
        let mut changed = row.sealed.clone();
        changed[at] ^= 4;
        assert!(key.open(4, &changed).is_err());
    }
    // Nothing of the event is in what lies on disk or in the tree.
    for secret in [b"reason 0".as_slice(), b"readings-view", event(0).subject.unwrap().as_bytes()] {
        let there = [row.sealed.as_slice(), &row.leaf.0].concat();
        assert!(!there.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn a_note_can_go_and_the_rest_stays_provable() {
    let key = EventKey::new(&[1; 32]).unwrap();
    let mut rows = crate::log::Rows::default();
    Book::at(0).commit(&mut rows, &key, &drafts(0, 1)).unwrap();
    let without = key.open(0, &rows.0[0].sealed).unwrap().without_note();
    assert_eq!(without.leaf(), rows.0[0].leaf);
    let sealed = key.seal_entry(0, [9; 12], &without).unwrap();
    let again = key.open(0, &sealed).unwrap();
    assert_eq!((again.leaf(), again.opened.note), (rows.0[0].leaf, None));
}
