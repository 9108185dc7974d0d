//! Looking for what should be gone: the pseudonym, byte by byte, in every database file.
//!
//! Segments and journals name patients by key number only; what they held of him was overwritten in place and is not searched for here.

use crate::api::StoreError;
use crate::embedded::Inner;
use obhut_model::Subject;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How much of a file is looked at in one go.
const PIECE_BYTES: usize = 1 << 20;

pub(super) fn search(inner: &Inner, subject: Subject) -> Result<Vec<String>, StoreError> {
    let text = subject.to_string();
    let needles = [subject.as_bytes().to_vec(), text.as_bytes().to_vec(), text.to_uppercase().into_bytes()];
    let mut files = Vec::new();
    databases(&inner.dir, &mut files).map_err(StoreError::Io)?;
    let mut out = Vec::new();
    for path in files {
        if holds(&path, &needles).map_err(StoreError::Io)? {
            out.push(path.strip_prefix(&inner.dir).unwrap_or(&path).display().to_string());
        }
    }
    Ok(out)
}

/// Every database with its log, also in directories below, but not in those of journal and segments.
fn databases(dir: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type()?.is_dir() {
            if name != crate::journal::DIRECTORY && name != crate::segment::DIRECTORY {
                databases(&path, out)?;
            }
        } else if name.contains(".db") {
            out.push(path);
        }
    }
    Ok(())
}

fn holds(path: &Path, needles: &[Vec<u8>]) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let overlap = needles.iter().map(Vec::len).max().unwrap_or(0);
    let mut buffer = Vec::with_capacity(PIECE_BYTES + overlap);
    loop {
        let before = buffer.len();
        (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut buffer)?;
        if needles.iter().any(|needle| contains(&buffer, needle)) {
            return Ok(true);
        }
        if buffer.len() == before {
            return Ok(false);
        }
        buffer.drain(..buffer.len().saturating_sub(overlap));
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let Some(from) = rest.get(at..) else { return false };
        if from.starts_with(needle) {
            return true;
        }
        rest = from.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_across_two_pieces_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let mut bytes = vec![b'p'; PIECE_BYTES - 3];
        bytes.extend_from_slice(b"pseudonym");
        bytes.extend_from_slice(&vec![b'p'; PIECE_BYTES]);
        std::fs::write(&path, &bytes).unwrap();
        assert!(holds(&path, &[b"pseudonym".to_vec()]).unwrap());
        assert!(!holds(&path, &[b"pseudonyms".to_vec()]).unwrap());
    }
}
