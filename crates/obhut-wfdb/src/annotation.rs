//! Annotation files in MIT format: where somebody or some program saw which kind of beat or event.
//!
//! For scoring detectors. Only times and codes are kept; notes are skipped, except that which states the time resolution.
//!
//! Standard: WFDB Applications Guide, `annot(5)`.

use crate::error::ReadError;
use crate::limits;

/// One annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation {
    /// Sample it belongs to, at [`Annotations::resolution`] or the record's rate.
    pub at: i64,
    /// The code, as in `ecgcodes.h`: 1 is a normal beat.
    pub code: u8,
}

/// A file of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Annotations {
    /// Ticks a second, if the file states them; else the record's rate.
    pub resolution: Option<f64>,
    /// In the order of the file.
    pub all: Vec<Annotation>,
}

impl Annotation {
    /// Whether it marks a heart beat (`isqrs` in `ecgmap.h`).
    #[must_use]
    pub const fn is_beat(self) -> bool {
        matches!(self.code, 1..=13 | 25 | 30 | 34 | 35 | 38 | 41)
    }
}

const NOTE: u8 = 22;
const SKIP: u8 = 59;
const AUX: u8 = 63;

/// Reads annotations from the contents of their file.
///
/// # Errors
/// [`ReadError::TooMuch`] if there are more than [`limits::ANNOTATIONS_MAX`]; a file that ends early ends the list.
pub fn annotations(bytes: &[u8]) -> Result<Annotations, ReadError> {
    let mut words = bytes.chunks_exact(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    });
    let mut read = Annotations::default();
    let mut at = 0i64;
    let mut last = 0;
    while let Some(word) = words.next() {
        let (code, value) = ((word >> 10) as u8, word & 0x3ff);
        match code {
            0 if value == 0 => break,
            SKIP => {
                // The higher half comes first, as on a PDP-11.
                let (Some(high), Some(low)) = (words.next(), words.next()) else { break };
                let skip = (u32::from(high) << 16 | u32::from(low)) as i32;
                at = at.saturating_add(i64::from(skip));
            }
            AUX => {
                let text: Vec<u8> =
                    words.by_ref().take(usize::from(value).div_ceil(2)).flat_map(u16::to_le_bytes).collect();
                let stated = text.strip_prefix(b"## time resolution:").filter(|_| last == NOTE);
                if let Some(stated) = stated.and_then(|rest| std::str::from_utf8(rest).ok()) {
                    read.resolution =
                        stated.trim_matches(['\0', ' ']).parse().ok().filter(|r: &f64| r.is_finite() && *r > 0.0);
                    read.all.pop();
                }
            }
            // Number, subtype and channel of the annotation before.
            60..=62 => {}
            _ => {
                at = at.saturating_add(i64::from(value));
                if read.all.len() >= limits::ANNOTATIONS_MAX {
                    return Err(ReadError::TooMuch { what: "annotations", max: limits::ANNOTATIONS_MAX as u64 });
                }
                read.all.push(Annotation { at, code });
                last = code;
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_add_up_across_skips_and_notes() {
        let word = |code: u16, value: u16| (code << 10 | value).to_le_bytes();
        let mut bytes = Vec::new();
        bytes.extend(word(22, 0));
        bytes.extend(word(63, 23));
        bytes.extend(b"## time resolution: 250\0");
        bytes.extend(word(1, 77));
        bytes.extend(word(59, 0));
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(word(28, 5));
        bytes.extend(word(0, 0));
        bytes.extend(word(1, 5));
        let read = annotations(&bytes).unwrap();
        assert_eq!(read.resolution, Some(250.0));
        assert_eq!(read.all, [Annotation { at: 77, code: 1 }, Annotation { at: 77 + 65536 + 5, code: 28 }]);
        assert_eq!(read.all.iter().filter(|a| a.is_beat()).count(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(annotations(&bytes).unwrap().all.len() <= bytes.len() / 2);
        }
    }
}
