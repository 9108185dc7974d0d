//! A log in memory, kept by the real core.

use obhut_ledger::export::Line;
use obhut_ledger::record::Row;
use obhut_ledger::seal::EventKey;
use obhut_ledger::{
    Actor, Book, Channel, Checkpoint, Disk, Draft, Event, EventKind, Files, KeyKind, Origin, ResourceRef, Salt,
    SignedNote, SigningKey, Tree,
};
use obhut_model::{PersonId, RequestId, ServerTime, Subject};
use std::collections::BTreeMap;
use std::convert::Infallible;

#[derive(Debug, Clone, Default)]
pub(crate) struct MemFiles(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files for MemFiles {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self) -> Result<Vec<String>, String> {
        Ok(self.0.keys().filter(|path| path.starts_with("tile/")).cloned().collect())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Disk<Row> for Rows {
    type Error = Infallible;

    fn append(&mut self, rows: &[Row]) -> Result<(), Infallible> {
        self.0.extend_from_slice(rows);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

pub(crate) struct Log {
    pub(crate) files: MemFiles,
    pub(crate) rows: Rows,
    pub(crate) key: SigningKey,
    pub(crate) events: EventKey,
    book: Book,
    pub(crate) tree: Tree,
}

pub(crate) fn event(number: u64) -> Event {
    let id = |salt: u8| {
        let mut bytes = [salt; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    Event {
        role: Some("nurse".into()),
        purpose: Some("treatment".into()),
        resource: ResourceRef::new("patient", Some("readings")),
        subject: Some(Subject::from_random(id(2))),
        categories: vec!["heart-rate".into(), "spo2".into()],
        origin: Origin { address: Some("192.0.2.7".parse().unwrap()), channel: Channel::Web, session: Some([7; 8]) },
        note: number.is_multiple_of(3).then(|| format!("reason {number}")),
        ..Event::new(
            RequestId::from_random(id(1)),
            ServerTime::from_micros(1_700_000_000_000_000 + i64::try_from(number).unwrap() * 1000),
            EventKind::Access,
            Actor::Person(PersonId::from_random(id(3))),
            "readings-view",
        )
    }
}

impl Log {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            files: MemFiles::default(),
            rows: Rows::default(),
            key: SigningKey::from_seed(name, KeyKind::Log, &[42; 32]).unwrap(),
            events: EventKey::new(&[43; 32]).unwrap(),
            book: Book::at(0),
            tree: Tree::default(),
        }
    }

    pub(crate) fn add(&mut self, count: u64) {
        let drafts: Vec<Draft> = (self.book.next()..)
            .take(count as usize)
            .map(|number| {
                let mut salt = [9; 32];
                salt[..8].copy_from_slice(&number.to_be_bytes());
                let mut nonce = [0; 12];
                nonce[..8].copy_from_slice(&number.to_be_bytes());
                Draft { event: event(number), salt: Salt(salt), nonce }
            })
            .collect();
        let (recorded, leaves) = self.book.commit(&mut self.rows, &self.events, &drafts).unwrap();
        assert_eq!(recorded.len(), drafts.len());
        leaves.iter().for_each(|leaf| self.tree.push(leaf));
    }

    pub(crate) fn publish(&mut self) -> SignedNote {
        for (path, bytes) in self.tree.new_files() {
            self.files.0.insert(path.to_string(), bytes);
        }
        let (size, root) = (self.tree.size(), self.tree.root());
        let note = Checkpoint { origin: self.key.verifier().name().to_owned(), size, root }.sign(&self.key);
        self.files.0.insert("checkpoint".to_owned(), note.to_string().into_bytes());
        self.tree.published_up_to(size);
        note
    }

    /// A log that was published at each of these sizes.
    pub(crate) fn published_at(sizes: &[u64]) -> Self {
        let mut log = Self::new("ward.example/ledger");
        let mut before = 0;
        for size in sizes {
            log.add(size - before);
            log.publish();
            before = *size;
        }
        log
    }

    pub(crate) fn export(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for row in &self.rows.0 {
            let entry = self.events.open(row.index, &row.sealed).unwrap();
            out.extend_from_slice(Line::Present { index: row.index, entry }.to_json().to_string().as_bytes());
            out.push(b'\n');
        }
        out
    }
}

/// A generator that needs no seed file: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}
