//! Any bytes as annotations, as a header, or under a header as signals in every format we read: refused, or a record that keeps its own promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obhut_wfdb::{Record, Source, SourceError, read};
use std::borrow::Cow;

/// Headers under which the bytes are signals; the first byte chooses. The zeroth stands for a header that is fuzzed itself.
const HEADERS: [&str; 7] = [
    "",
    "r 2 250 64\nr.dat 16 200 12 0 0 0 0 ECG\nr.dat 16 200 12 0 0 0 0 ABP\n",
    "r 2 360\nr.dat 212 200 11 1024 0 0 0 MLII\nr.dat 212 200 11 1024 0 0 0 V5\n",
    "r 1 125\nr.dat 80 100 8 0 0 0 0 RESP\n",
    "r 1 250\nr.dat 516 200 16 0 0 0 0 ECG\n",
    "r 2 250 32\nr.dat 508 200 8 0 0 0 0 A\nr.dat 508 200 8 0 0 0 0 B\n",
    "r 1 250 16\nr.dat 524 200 24 0 0 0 0 A\n",
];

struct Files<'a> {
    header: &'a [u8],
    data: &'a [u8],
}

impl Source for Files<'_> {
    fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, SourceError> {
        Ok(Cow::Borrowed(if name.ends_with(".hea") { self.header } else { self.data }))
    }
}

fuzz_target!(|input: &[u8]| {
    let [choice, rest @ ..] = input else { return };
    if let Ok(annotations) = obhut_wfdb::annotations(rest) {
        assert!(annotations.all.len() <= rest.len() / 2, "an annotation takes two bytes");
    }
    let files = match HEADERS.get(usize::from(*choice) % HEADERS.len()) {
        Some(header) if !header.is_empty() => Files { header: header.as_bytes(), data: rest },
        _ => {
            let split = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            let (header, data) = rest.split_at(split);
            Files { header, data }
        }
    };
    let Ok(Record { frames, channels, .. }) = read(&files, "r") else { return };
    for channel in &channels {
        let mut end = 0;
        for piece in &channel.pieces {
            assert!(piece.start >= end && (frames == 0 || !piece.samples.is_empty()), "pieces are in order and hold something");
            end = piece.end();
        }
        assert!(end <= frames.saturating_mul(u64::from(channel.per_frame)), "nothing lies behind the end");
    }
});
