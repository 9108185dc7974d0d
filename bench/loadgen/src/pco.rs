//! What pco makes of bare samples: the measure for what the store makes of sealed ones.

use crate::cli::Pco;
use crate::link::Res;
use crate::signal::Signals;
use serde_json::json;
use std::time::{Duration, Instant};

pub fn run(p: &Pco) -> Res<()> {
    let columns: Vec<Vec<i16>> = match &p.file {
        Some(file) => {
            let raw = std::fs::read(file)?;
            let all: Vec<i16> = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            (0..p.channels).map(|c| all.iter().skip(c).step_by(p.channels).copied().collect()).collect()
        }
        None => {
            let signals = Signals::synthetic();
            (0..4).map(|wave| signals.whole(wave).to_vec()).collect()
        }
    };
    let config = pco::ChunkConfig::default().with_compression_level(p.level);
    let (mut bytes, mut samples, mut spent) = (0usize, 0usize, Duration::ZERO);
    for column in &columns {
        for part in column.chunks(if p.chunk == 0 { column.len().max(1) } else { p.chunk }) {
            let began = Instant::now();
            let packed = pco::standalone::simple_compress(part, &config).map_err(|e| e.to_string())?;
            spent += began.elapsed();
            bytes += packed.len();
            samples += part.len();
        }
    }
    println!(
        "{}",
        json!({
            "mode": "pco", "level": p.level, "chunk": p.chunk, "samples": samples, "bytes": bytes,
            "bytes_per_sample": bytes as f64 / samples as f64, "msamples_per_s": samples as f64 / spent.as_secs_f64() / 1e6,
        })
    );
    Ok(())
}
