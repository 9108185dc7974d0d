//! Whole records: real recordings against what wfdb-python reads, and what is written against what is read back.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail loudly")]

mod hostile;
mod recordings;
mod round_trip;

use obhut_wfdb::{ABSENT, Channel, Record, Source, SourceError};
use std::borrow::Cow;
use std::path::PathBuf;

/// Where the recordings are; `None`, with a line saying so, if this machine has none. In CI they must be there.
fn recordings_folder() -> Option<PathBuf> {
    let root = std::env::var_os("OBHUT_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let folder = root.join("wfdb");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no recordings in {}; set OBHUT_DATA", folder.display());
    eprintln!("skipped: no recordings in {}; set OBHUT_DATA", folder.display());
    None
}

/// A folder of files.
struct Folder(PathBuf);

impl Source for Folder {
    fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, SourceError> {
        std::fs::read(self.0.join(name)).map(Cow::Owned).map_err(|error| SourceError(error.to_string()))
    }
}

/// All samples of a channel over the whole record, gaps as [`ABSENT`].
fn whole(record: &Record, channel: &Channel) -> Vec<i32> {
    let mut samples = vec![ABSENT; (record.frames * u64::from(channel.per_frame)) as usize];
    for piece in &channel.pieces {
        samples[piece.start as usize..piece.end() as usize].copy_from_slice(&piece.samples);
    }
    samples
}

/// The lines `digest.py` prints for a record.
fn digest(name: &str, record: &Record) -> Vec<String> {
    let line = |channel: &Channel| {
        let samples = whole(record, channel);
        let absent = samples.iter().filter(|&&sample| sample == ABSENT).count();
        let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
        let fnv = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        format!("{name} {} {} {absent} {fnv:016x}", channel.name, samples.len())
    };
    record.channels.iter().map(line).collect()
}
