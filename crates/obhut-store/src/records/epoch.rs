//! The file `epoch`: the store key in force, wrapped by the top key, apart from the keys it wraps.
//!
//! It is apart so that an old copy of `keys.db` opens nothing: when the epoch changes, this file is overwritten, and the key that would open the copy is
//! nowhere any more. See decision 0130. While keys are being wrapped anew it holds two epochs, at any other time one.
//!
//! Layout: `OBHUTEP1`, then for each epoch its number (u32), when it was made (i64), the length of the wrapped key (u16) and the wrapped key, all little-endian;
//! at the end eight bytes of checksum. INVARIANT: what [`EpochFile::write`] replaced is overwritten before it goes.

use crate::api::StoreError;
use crate::bytes::Reader;
use obhut_model::ServerTime;
use obhut_vault::{KeyBytes, KeyProvider, StoreKey};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"OBHUTEP1";
/// An epoch wrapped by any provider is far smaller.
const WRAPPED_BYTES_MAX: usize = 4096;

/// One epoch's store key, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) number: u32,
    pub(crate) made_at: ServerTime,
    wrapped: Vec<u8>,
}

impl Epoch {
    /// What the provider is told an epoch's key is for.
    fn context(number: u32) -> Vec<u8> {
        [StoreKey::CONTEXT, b" epoch ", number.to_string().as_bytes()].concat()
    }

    pub(crate) fn seal(
        number: u32,
        made_at: ServerTime,
        key: &KeyBytes,
        provider: &dyn KeyProvider,
    ) -> Result<Self, StoreError> {
        let wrapped = key.wrap(provider, &Self::context(number)).map_err(|_| StoreError::Key)?;
        Ok(Self { number, made_at, wrapped })
    }

    pub(crate) fn open(&self, provider: &dyn KeyProvider) -> Result<KeyBytes, StoreError> {
        KeyBytes::unwrap(provider, &Self::context(self.number), &self.wrapped).map_err(|_| StoreError::Key)
    }
}

/// Where the epochs lie.
#[derive(Debug)]
pub(crate) struct EpochFile(PathBuf);

impl EpochFile {
    pub(crate) fn of(dir: &Path) -> Self {
        Self(dir.join("epoch"))
    }

    /// The epochs in force, oldest first; empty if there is no file.
    pub(crate) fn read(&self) -> Result<Vec<Epoch>, StoreError> {
        match fs::read(&self.0) {
            Ok(bytes) => decode(&bytes).ok_or(StoreError::Damaged { file: "epoch".into(), offset: 0 }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(StoreError::Io(error)),
        }
    }

    /// Replaces the file, whole or not at all, and overwrites what was there. Durable when it returns.
    pub(crate) fn write(&self, epochs: &[Epoch]) -> Result<(), StoreError> {
        self.replace(&encode(epochs)).map_err(StoreError::Io)
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let old = File::options().write(true).open(&self.0);
        fs::rename(&new, &self.0)?;
        if let Some(dir) = self.0.parent() {
            File::open(dir)?.sync_all()?;
        }
        // The old file has no name any more, but its bytes are still where they were.
        if let Ok(old) = old {
            let length = usize::try_from(old.metadata()?.len()).unwrap_or(0);
            old.write_all_at(&vec![0; length], 0)?;
            old.sync_all()?;
        }
        Ok(())
    }
}

fn encode(epochs: &[Epoch]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for epoch in epochs {
        out.extend_from_slice(&epoch.number.to_le_bytes());
        out.extend_from_slice(&epoch.made_at.micros().to_le_bytes());
        out.extend_from_slice(&u16::try_from(epoch.wrapped.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(&epoch.wrapped);
    }
    let sum = obhut_vault::checksum(&[&out]);
    out.extend_from_slice(&sum);
    out
}

fn decode(bytes: &[u8]) -> Option<Vec<Epoch>> {
    let (body, sum) = bytes.split_last_chunk::<8>()?;
    let mut reader = Reader(body);
    if obhut_vault::checksum(&[body]) != *sum || reader.array::<8>()? != *MAGIC {
        return None;
    }
    let mut out: Vec<Epoch> = Vec::new();
    while !reader.0.is_empty() {
        let (number, made_at) = (reader.u32()?, ServerTime::from_micros(reader.i64()?));
        let length = usize::from(reader.u16()?);
        let wrapped = reader.take(length).filter(|wrapped| wrapped.len() <= WRAPPED_BYTES_MAX)?.to_vec();
        if out.last().is_some_and(|last| last.number >= number) {
            return None;
        }
        out.push(Epoch { number, made_at, wrapped });
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(number: u32) -> Epoch {
        Epoch { number, made_at: ServerTime::from_micros(7), wrapped: vec![number.to_le_bytes()[0]; 60] }
    }

    #[test]
    fn the_file_is_whole_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = EpochFile::of(dir.path());
        assert_eq!(file.read().unwrap(), []);
        file.write(&[epoch(1)]).unwrap();
        let old = File::open(dir.path().join("epoch")).unwrap();
        file.write(&[epoch(1), epoch(2)]).unwrap();
        assert_eq!(file.read().unwrap(), [epoch(1), epoch(2)]);
        let mut was = vec![1; 8];
        old.read_exact_at(&mut was, 8).unwrap();
        assert_eq!(was, [0; 8], "what was replaced is overwritten");
        let good = fs::read(dir.path().join("epoch")).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(decode(&bad), None, "byte {at}");
            assert_eq!(decode(&good[..at]), None, "cut at {at}");
        }
        assert_eq!(decode(&encode(&[epoch(2), epoch(1)])), None, "epochs count up");
    }
}
