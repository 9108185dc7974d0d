//! Where tiles and bundles of entries lie: C2SP tlog-tiles, 256 wide.
//!
//! A path is relative to the log's directory or address: `tile/0/x001/234`, `tile/1/000.p/17`, `tile/entries/000`.

use crate::limits::TILE_WIDTH;
use std::fmt;
use std::str::FromStr;

/// What a file below `tile/` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Hashes; level 0 are those of the entries.
    Hashes(u8),
    /// Entries themselves: each its length in two bytes and its bytes.
    Entries,
}

/// One file below `tile/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// Hashes or entries.
    pub layer: Layer,
    /// Its number in its layer, from zero.
    pub number: u64,
    /// How many hashes or entries it holds, `1..=256`.
    pub width: usize,
}

/// A path that no tile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no tile has this path")]
pub struct PathError;

impl TilePath {
    /// Whether it is full and so never changes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full one in its place.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Hashes(level) => write!(f, "tile/{level}/")?,
            Layer::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        while let Some(group) = groups.pop() {
            match groups.is_empty() {
                false => write!(f, "x{group:03}/")?,
                true => write!(f, "{group:03}")?,
            }
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = PathError;

    /// Reads a path; only the one way to write it is accepted.
    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > 64 {
            return Err(PathError);
        }
        let rest = text.strip_prefix("tile/").ok_or(PathError)?;
        let (layer, rest) = rest.split_once('/').ok_or(PathError)?;
        let layer = match layer {
            "entries" => Layer::Entries,
            level => Layer::Hashes(level.parse().ok().filter(|l| *l < 8).ok_or(PathError)?),
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => {
                (groups, width.parse().ok().filter(|w| (1..TILE_WIDTH).contains(w)).ok_or(PathError)?)
            }
            None => (rest, TILE_WIDTH),
        };
        let mut number: u64 = 0;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let group: u64 = digits.parse().ok().filter(|g| *g < 1000).ok_or(PathError)?;
            number = number.checked_mul(1000).and_then(|n| n.checked_add(group)).ok_or(PathError)?;
        }
        let path = Self { layer, number, width };
        if path.to_string() == text { Ok(path) } else { Err(PathError) }
    }
}

/// Splits a bundle into its entries. `Err` gives the offset at which it stops being one.
///
/// # Errors
/// The offset of the first entry that is cut short.
pub fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, usize> {
    let mut out = Vec::with_capacity(TILE_WIDTH);
    let mut rest = bundle;
    while !rest.is_empty() {
        let at = bundle.len() - rest.len();
        let (length, behind) = rest.split_first_chunk::<2>().ok_or(at)?;
        let (entry, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(at)?;
        out.push(entry);
        rest = behind;
    }
    Ok(out)
}

/// Puts one entry behind a bundle.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, entry: &[u8; 32]) {
    bundle.extend_from_slice(&32u16.to_be_bytes());
    bundle.extend_from_slice(entry);
}
