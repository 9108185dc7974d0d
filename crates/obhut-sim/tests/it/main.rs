//! Whole ways through the simulated ward.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail loudly")]

mod chain;
mod devices;
mod replay;
mod virtual_time;
mod world;

use obhut_model::{DeviceId, DeviceTime, ModelId};
use obhut_sim::device::Nameplate;
use std::path::PathBuf;

/// 2025-11-24 16:00:00 UTC.
const START: i64 = 1_764_000_000_000_000;

fn at(micros: i64) -> DeviceTime {
    DeviceTime::from_micros(START + micros)
}

fn nameplate(id: &str) -> Nameplate {
    Nameplate {
        id: DeviceId::new(id).unwrap(),
        model: ModelId::new("monitor-m1").unwrap(),
        serial: format!("SIM-{id}"),
    }
}

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
