//! Recordings, spliced events, and any samples at all.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail loudly"
)]

#[path = "../../examples/record/mod.rs"]
mod record;

mod beats;
mod made;
mod properties;
mod recordings;
mod spliced;
mod synthetic;

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

fn seconds(seconds: usize) -> obhut_model::DeviceTime {
    obhut_model::DeviceTime::from_micros(seconds as i64 * 1_000_000)
}
