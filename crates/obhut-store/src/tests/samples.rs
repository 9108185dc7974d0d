//! Real recordings, block by block through the store: every sample comes back, and the sealed bytes on disk are few.

use super::*;
use std::path::PathBuf;

fn data() -> Option<PathBuf> {
    let dir = std::env::var_os("OBHUT_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(std::env::var_os("CI").is_none(), "recordings are needed: set OBHUT_DATA");
    eprintln!("skipped: no recordings at {}; set OBHUT_DATA", dir.display());
    None
}

/// WFDB format 212: two 12-bit samples in three bytes; -2048 is "no value".
fn format_212(bytes: &[u8]) -> Vec<i16> {
    let wide = |low: u8, high: u8| match ((i16::from(high) << 12) >> 4) | i16::from(low) {
        -2048 => NO_VALUE,
        sample => sample,
    };
    bytes.chunks_exact(3).flat_map(|b| [wide(b[0], b[1] & 15), wide(b[2], b[1] >> 4)]).collect()
}

/// Channels of a record whose frames hold so many samples of each.
fn channels(name: &str, frame: &[usize]) -> Option<Vec<Vec<i16>>> {
    let all = format_212(&std::fs::read(data()?.join("wfdb").join(name)).unwrap());
    let mut out = vec![Vec::new(); frame.len()];
    for frame_samples in all.chunks_exact(frame.iter().sum()) {
        let mut rest = frame_samples;
        for (channel, count) in out.iter_mut().zip(frame) {
            let (head, tail) = rest.split_at(*count);
            channel.extend_from_slice(head);
            rest = tail;
        }
    }
    Some(out)
}

const CODES: [Code; 3] = [Code::ECG_LEAD_II, Code::PRESS_BLD_ART_ABP, Code::RESP];

fn check(name: &str, frame: &[usize], frames_per_second: u16) {
    let Some(channels) = channels(name, frame) else { return };
    let dir = tempdir();
    // A generation is a minute of data: the journal is cut by size here, because the data comes faster than it was recorded.
    let store = open(dir.path());
    let (subject, monitor) = (bind(&store, 1), device("mon-1"));
    let rates: Vec<SampleRate> =
        frame.iter().map(|n| SampleRate::from_hertz(frames_per_second * *n as u16).unwrap()).collect();
    let seconds = channels[0].len() / (usize::from(frames_per_second) * frame[0]);
    let mut store = Some(store);
    for second in 0..seconds {
        let blocks: Vec<Vec<u8>> = channels
            .iter()
            .zip(frame)
            .map(|(c, n)| {
                let length = usize::from(frames_per_second) * n;
                bytes(&c[second * length..(second + 1) * length])
            })
            .collect();
        let waves: Vec<_> = blocks
            .iter()
            .zip(CODES)
            .zip(&rates)
            .map(|((raw, code), rate)| {
                let (wave, class) = wave(code, second as i64 * 1_000_000, raw);
                (Wave { rate: *rate, ..wave }, class)
            })
            .collect();
        let open_store = store.as_ref().unwrap();
        put(open_store, &message(&monitor, subject, second as u64 + 1, &[], &waves));
        if second % 60 == 59 {
            store.take().unwrap().close().unwrap();
            store = Some(open(dir.path()));
        }
    }
    store.take().unwrap().close().unwrap();
    let store = open(dir.path());
    let (mut samples, mut bare) = (0, 0);
    for ((channel, code), rate) in channels.iter().zip(CODES).zip(&rates) {
        let whole = seconds * usize::try_from(rate.microhertz() / 1_000_000).unwrap();
        let runs = store.runs(subject, code, TimeRange::ALL).unwrap();
        let [Run::Waveform { start, samples: back, .. }] = &runs[..] else { panic!("{name}: {} runs", runs.len()) };
        assert!(*start == at(0) && back[..] == channel[..whole], "{name} {code}: not what was sent");
        let config = pco::ChunkConfig::default().with_compression_level(8);
        let ten_seconds = 10 * usize::try_from(rate.microhertz() / 1_000_000).unwrap();
        bare += channel[..whole]
            .chunks(ten_seconds)
            .map(|c| pco::standalone::simple_compress(c, &config).unwrap().len())
            .sum::<usize>();
        samples += whole;
    }
    let stored: u64 = crate::records::index::segments(&store.inner.records.lock())
        .unwrap()
        .iter()
        .map(|segment| segment.length)
        .sum();
    let bits = |bytes: f64| bytes * 8.0 / samples as f64;
    println!(
        "{name}: sealed on disk {:.3} bits/sample, pco alone in 10 s chunks {:.3}, of 16",
        bits(stored as f64),
        bits(bare as f64)
    );
    assert!(stored as f64 <= bare as f64 * 1.1, "{stored} against {bare}");
}

#[test]
fn record_100_comes_back_and_is_small() {
    check("100.dat", &[1, 1], 360);
}

#[test]
fn record_03700181_comes_back_and_is_small() {
    check("03700181.dat", &[4, 1, 1], 125);
}
