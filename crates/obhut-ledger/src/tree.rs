//! The tree's right edge: takes leaves, gives root and the tiles that are new.
//!
//! Holds only the open tile of each level, at most 8 KiB each. Hashing and proofs are RFC 6962 from `tlog_tiles`.

use crate::leaf::Leaf;
use crate::limits::{ENTRIES_MAX, TILE_WIDTH};
use crate::tile::{Layer, TilePath, push_entry};
use std::collections::BTreeMap;
use tlog_tiles::{EMPTY_HASH, Hash, HashReader as _, Tile, TileHashReader, node_hash, record_hash};

/// Levels that a tree of [`ENTRIES_MAX`] can have.
const LEVELS: usize = 6;

/// Reads the files of a log: `checkpoint`, and those below `tile/`.
pub trait Files {
    /// The bytes of a file, `None` if it is not there.
    ///
    /// # Errors
    /// A sentence saying why it cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;

    /// The paths of all files below `tile/`, in any order.
    ///
    /// # Errors
    /// A sentence saying why they cannot be listed.
    fn list(&self) -> Result<Vec<String>, String>;
}

/// Why a tree could not be read or a proof not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A tile is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A tile has the wrong length.
    #[error("`{0}` has the wrong length")]
    Length(String),
    /// The tiles do not make the root.
    #[error("the tiles do not make the root of the checkpoint")]
    Root,
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {why}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// No such entry or size.
    #[error("the tree has no such entry or size")]
    Range,
}

/// The right edge of a tree.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    published: u64,
    edge: [Vec<Hash>; LEVELS],
    bundle: Vec<u8>,
    full: BTreeMap<TilePath, Vec<u8>>,
}

impl Tree {
    /// Reads the edge of a published tree and checks that it makes `root`.
    ///
    /// # Errors
    /// [`TreeError`]; what is there must then be rebuilt from the leaves.
    pub fn restore(files: &dyn Files, size: u64, root: &Hash) -> Result<Self, TreeError> {
        let mut tree = Self { size, published: size, ..Self::default() };
        if size > ENTRIES_MAX {
            return Err(TreeError::Range);
        }
        for (level, edge) in (0u8..).zip(&mut tree.edge) {
            if let Some(path) = edge_path(Layer::Hashes(level), size) {
                *edge = hashes(&tile(files, path, 32)?);
            }
        }
        if let Some(path) = edge_path(Layer::Entries, size) {
            tree.bundle = tile(files, path, 34)?;
        }
        if tree.root() == *root { Ok(tree) } else { Err(TreeError::Root) }
    }

    /// How many entries it holds.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many entries were given out as tiles.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Adds an entry.
    pub fn push(&mut self, leaf: &Leaf) {
        let number = self.size / TILE_WIDTH as u64;
        push_entry(&mut self.bundle, &leaf.0);
        self.size = self.size.saturating_add(1);
        if self.size.is_multiple_of(TILE_WIDTH as u64) {
            let path = TilePath { layer: Layer::Entries, number, width: TILE_WIDTH };
            self.full.insert(path, std::mem::take(&mut self.bundle));
        }
        let mut up = record_hash(&leaf.0);
        let mut number = number;
        for (level, edge) in (0u8..).zip(&mut self.edge) {
            edge.push(up);
            if edge.len() < TILE_WIDTH {
                return;
            }
            let bytes = bytes(&std::mem::take(edge));
            up = Tile::subtree_hash(&bytes);
            self.full.insert(TilePath { layer: Layer::Hashes(level), number, width: TILE_WIDTH }, bytes);
            number /= TILE_WIDTH as u64;
        }
    }

    /// Root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        edge_root(&self.edge)
    }

    /// The files that are new since [`Tree::published_up_to`] was last told, in the order in which they must become durable.
    #[must_use]
    pub fn new_files(&self) -> Vec<(TilePath, Vec<u8>)> {
        let mut out: Vec<_> = self.full.iter().map(|(path, bytes)| (*path, bytes.clone())).collect();
        let layers = (0u8..).map(Layer::Hashes).zip(&self.edge).map(|(layer, edge)| (layer, bytes(edge)));
        for (layer, bytes) in layers.chain([(Layer::Entries, self.bundle.clone())]) {
            if let Some(path) =
                edge_path(layer, self.size).filter(|path| edge_path(layer, self.published) != Some(*path))
            {
                out.push((path, bytes));
            }
        }
        // Entries before hashes before hashes of hashes: nothing refers to what is not there.
        out.sort_by_key(|(path, _)| match path.layer {
            Layer::Entries => (0, path.number),
            Layer::Hashes(level) => (u64::from(level) + 1, path.number),
        });
        out
    }

    /// Tells that the files of a tree of `size` entries are durable. Gives the paths of tiles that became full: what was partial there may go.
    pub fn published_up_to(&mut self, size: u64) -> Vec<TilePath> {
        if size != self.size {
            return Vec::new();
        }
        self.published = size;
        std::mem::take(&mut self.full).into_keys().collect()
    }
}

/// The partial tile at the edge of a tree of `size`, if the layer has one.
#[must_use]
pub fn edge_path(layer: Layer, size: u64) -> Option<TilePath> {
    let level = match layer {
        Layer::Entries => 0,
        Layer::Hashes(level) => u32::from(level),
    };
    let there = size.checked_shr(8 * level).unwrap_or(0);
    let width = usize::try_from(there % TILE_WIDTH as u64).unwrap_or(0);
    (width > 0).then_some(TilePath { layer, number: there / TILE_WIDTH as u64, width })
}

/// The root that the open tiles of all levels make, lowest level first.
#[must_use]
pub(crate) fn edge_root(edge: &[Vec<Hash>]) -> Hash {
    let mut right: Option<Hash> = None;
    for hashes in edge {
        let mut rest = hashes.as_slice();
        let mut run = 1;
        while !rest.is_empty() {
            if rest.len() & run != 0 {
                let (left, last) = rest.split_at(rest.len() - run);
                let hash = Tile::subtree_hash(&bytes(last));
                right = Some(right.map_or(hash, |right| node_hash(hash, right)));
                rest = left;
            }
            run *= 2;
        }
    }
    right.unwrap_or(EMPTY_HASH)
}

pub(crate) fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks_exact(32).map(|chunk| Hash(crate::leaf::array(chunk))).collect()
}

pub(crate) fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads a tile of the width asked for, from its own file or from the beginning of the full one.
fn tile(files: &dyn Files, path: TilePath, item: usize) -> Result<Vec<u8>, TreeError> {
    let wanted = path.width * item;
    for name in [path.to_string(), path.full().to_string()] {
        match files.read(&name) {
            Ok(Some(mut bytes)) if bytes.len() >= wanted => {
                bytes.truncate(wanted);
                return Ok(bytes);
            }
            Ok(Some(_)) => return Err(TreeError::Length(name)),
            Ok(None) => {}
            Err(why) => return Err(TreeError::Read { path: name, why }),
        }
    }
    Err(TreeError::Missing(path.to_string()))
}

/// A published tree, read with every tile checked against its root.
pub struct Published<'a> {
    files: &'a dyn Files,
    size: u64,
    root: Hash,
}

impl<'a> Published<'a> {
    /// The tree of a checkpoint.
    #[must_use]
    pub fn new(files: &'a dyn Files, size: u64, root: Hash) -> Self {
        Self { files, size, root }
    }

    /// Proof that entry `index` is in the tree.
    ///
    /// # Errors
    /// [`TreeError`] if there is no such entry or the tiles do not make the root.
    pub fn prove_entry(&self, index: u64) -> Result<Vec<Hash>, TreeError> {
        if index >= self.size {
            return Err(TreeError::Range);
        }
        self.with(|reader| {
            let proof = tlog_tiles::prove_record(self.size, index, reader)?;
            let leaf = reader.read_hashes(&[tlog_tiles::stored_hash_index(0, index)])?;
            let leaf = leaf.first().ok_or(tlog_tiles::Error::BadMath)?;
            // SECURITY: the reader does not check every tile against the one above it when the edge shares tiles; the proof itself is checked.
            tlog_tiles::check_record(&proof, self.size, self.root, index, *leaf)?;
            Ok(proof)
        })
    }

    /// Proof that the tree of `old` entries is the beginning of this one.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn prove_growth(&self, old: u64) -> Result<Vec<Hash>, TreeError> {
        self.grown_from(old).map(|(_, proof)| proof)
    }

    /// Root of the tree of the first `old` entries.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn old_root(&self, old: u64) -> Result<Hash, TreeError> {
        self.grown_from(old).map(|(root, _)| root)
    }

    /// The older root and the proof from it, checked against each other.
    fn grown_from(&self, old: u64) -> Result<(Hash, Vec<Hash>), TreeError> {
        match old {
            0 => return Ok((EMPTY_HASH, Vec::new())),
            old if old > self.size => return Err(TreeError::Range),
            _ => {}
        }
        self.with(|reader| {
            let hashes = reader.read_hashes(&tlog_tiles::sub_tree_index(0, old, Vec::new()))?;
            let mut hashes = hashes.into_iter().rev();
            let last = hashes.next().ok_or(tlog_tiles::Error::BadMath)?;
            let root = hashes.fold(last, |right, left| node_hash(left, right));
            let proof = tlog_tiles::prove_tree(self.size, old, reader)?;
            tlog_tiles::check_tree(&proof, self.size, self.root, old, root)?;
            Ok((root, proof))
        })
    }

    fn with<T>(&self, work: impl FnOnce(&TileHashReader<'_>) -> Result<T, tlog_tiles::Error>) -> Result<T, TreeError> {
        let tiles = TileFiles { files: self.files, failed: std::cell::RefCell::new(None) };
        let result = work(&TileHashReader::new(self.size, self.root, &tiles));
        result.map_err(|_| tiles.failed.take().unwrap_or(TreeError::Root))
    }
}

/// The library's way to read tiles.
struct TileFiles<'a> {
    files: &'a dyn Files,
    failed: std::cell::RefCell<Option<TreeError>>,
}

impl tlog_tiles::TileReader for TileFiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |one: &Tile| {
            let width = usize::try_from(one.width()).unwrap_or(0);
            let path = TilePath { layer: Layer::Hashes(one.level()), number: one.level_index(), width };
            tile(self.files, path, 32)
        };
        tiles.iter().map(read).collect::<Result<_, _>>().map_err(|error| {
            *self.failed.borrow_mut() = Some(error);
            tlog_tiles::Error::InvalidTile
        })
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}
