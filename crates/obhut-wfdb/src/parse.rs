//! Reads the text of a header, `header(5)`.

use crate::error::ReadError;
use crate::header::{Body, Format, Header, Segment, Signal};
use crate::instant::{Start, parse_date, parse_time};
use crate::limits;
use obhut_model::SampleRate;

/// WFDB's gain where a header states none.
const GAIN_DEFAULT: f64 = 200.0;
/// WFDB's frequency where a header states none.
const FREQUENCY_DEFAULT: &str = "250";

type Line<'a> = (usize, &'a str);

pub(crate) struct Parser<'a> {
    record: &'a str,
}

impl<'a> Parser<'a> {
    /// `record` names the header in errors.
    pub(crate) fn new(record: &'a str) -> Self {
        Self { record }
    }

    pub(crate) fn header(&self, bytes: &[u8]) -> Result<Header, ReadError> {
        if bytes.len() > limits::HEADER_BYTES_MAX {
            return Err(too_much("header bytes", limits::HEADER_BYTES_MAX as u64));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut comments = Vec::new();
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.len() > limits::LINE_BYTES_MAX {
                return Err(self.wrong(at + 1, "the line is too long"));
            }
            if let Some(comment) = line.strip_prefix('#') {
                comments.push(comment.trim().to_owned());
            } else if !line.is_empty() {
                lines.push((at + 1, line));
            }
        }
        let (&first, rest) = lines.split_first().ok_or_else(|| self.wrong(1, "there is no record line"))?;
        self.record_line(first, rest, comments)
    }

    fn record_line(&self, (at, line): Line<'_>, rest: &[Line<'_>], comments: Vec<String>) -> Result<Header, ReadError> {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next().unwrap_or_default();
        let (name, segments) = match name.split_once('/') {
            Some((name, count)) => (name, Some(self.number(at, count, limits::SEGMENTS_MAX as u64, "segments")?)),
            None => (name, None),
        };
        let count = self.number(at, fields.next().unwrap_or_default(), limits::SIGNALS_MAX as u64, "signals")?;
        let frequency_text = fields.next().unwrap_or(FREQUENCY_DEFAULT);
        // The counter frequency and base value after `/` number the frames for other systems; nothing here depends on them.
        let frequency_text = frequency_text.split(['/', '(']).next().unwrap_or_default();
        let (frequency, rate) =
            frequency_of(frequency_text).ok_or_else(|| self.wrong(at, "the sampling frequency is not usable"))?;
        let frames = match fields.next() {
            Some(text) => Some(self.number(at, text, limits::SAMPLES_MAX, "frames")?)
                .filter(|&frames| frames > 0 || segments.is_some()),
            None => None,
        };
        let start = match fields.next() {
            Some(time) => {
                let time_micros = parse_time(time).ok_or_else(|| self.wrong(at, "the start time is not `HH:MM:SS`"))?;
                let date = match fields.next() {
                    Some(date) => {
                        Some(parse_date(date).ok_or_else(|| self.wrong(at, "the start date is not `DD/MM/YYYY`"))?)
                    }
                    None => None,
                };
                Some(Start { time_micros, date })
            }
            None => None,
        };
        let body = match segments {
            Some(segments) => Body::Segments(self.segments(at, segments, rest)?),
            None => Body::Signals(self.signals(at, count, rest)?),
        };
        Ok(Header { name: name.to_owned(), frequency, rate, frames, start, body, comments })
    }

    fn segments(&self, at: usize, count: u64, rest: &[Line<'_>]) -> Result<Vec<Segment>, ReadError> {
        if rest.len() as u64 != count || count == 0 {
            return Err(self.wrong(at, "the number of segment lines is not the one stated"));
        }
        rest.iter()
            .map(|&(at, line)| {
                let mut fields = line.split_ascii_whitespace();
                let name = fields.next().unwrap_or_default();
                let frames = self.number(at, fields.next().unwrap_or_default(), limits::SAMPLES_MAX, "frames")?;
                let name = if name == "~" { None } else { Some(self.file_name(at, name)?) };
                Ok(Segment { name, frames })
            })
            .collect()
    }

    fn signals(&self, at: usize, count: u64, rest: &[Line<'_>]) -> Result<Vec<Signal>, ReadError> {
        if rest.len() as u64 != count {
            return Err(self.wrong(at, "the number of signal lines is not the one stated"));
        }
        rest.iter().map(|&line| self.signal(line)).collect()
    }

    fn signal(&self, (at, line): Line<'_>) -> Result<Signal, ReadError> {
        let mut rest = line;
        let mut next = || {
            let trimmed = rest.trim_start();
            let (field, after) = trimmed.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((trimmed, ""));
            rest = after;
            (!field.is_empty()).then_some(field)
        };
        let file = next().unwrap_or_default();
        let file = if file == "~" { file.to_owned() } else { self.file_name(at, file)? };
        let storage = self.storage(at, next().unwrap_or_default())?;
        let gain_text = next();
        let _resolution = next();
        let zero = self.optional(at, next())?;
        let initial = self.optional(at, next())?;
        let checksum = self.optional(at, next())?;
        let _block_size = next();
        let description = rest.trim().to_owned();
        let (gain, baseline, unit) = self.gain(at, gain_text.unwrap_or_default())?;
        Ok(Signal {
            file,
            format: storage.0,
            per_frame: storage.1,
            skew: storage.2,
            offset: storage.3,
            gain,
            baseline: baseline.or(zero).unwrap_or(0),
            unit,
            initial,
            checksum: checksum.map(|sum| sum as u16),
            description,
        })
    }

    /// `212x4:4+24`: format, samples per frame, skew, byte offset.
    fn storage(&self, at: usize, text: &str) -> Result<(Format, u32, u32, u64), ReadError> {
        let end = text.find(['x', ':', '+']).unwrap_or(text.len());
        let (number, mut rest) = text.split_at(end);
        let number = self.number(at, number, 100_000, "in a storage format")? as u32;
        let format = Format::from_number(number).ok_or_else(|| ReadError::Format {
            record: self.record.to_owned(),
            line: at,
            format: number,
        })?;
        let (mut per_frame, mut skew, mut offset) = (1, 0, 0);
        while let Some(mark) = rest.chars().next() {
            let tail = rest.get(1..).unwrap_or_default();
            let end = tail.find(['x', ':', '+']).unwrap_or(tail.len());
            let (value, after) = tail.split_at(end);
            match mark {
                'x' => {
                    per_frame =
                        self.number(at, value, u64::from(limits::SAMPLES_PER_FRAME_MAX), "samples in a frame")? as u32
                }
                ':' => skew = self.number(at, value, u64::from(limits::SKEW_MAX), "frames of skew")? as u32,
                _ => offset = self.number(at, value, limits::SAMPLES_MAX * 4, "bytes before the samples")?,
            }
            rest = after;
        }
        if per_frame == 0 {
            return Err(self.wrong(at, "a frame needs at least one sample of each signal"));
        }
        Ok((format, per_frame, skew, offset))
    }

    /// `12.84(-1605)/mmHg`: gain, baseline, unit.
    fn gain(&self, at: usize, text: &str) -> Result<(f64, Option<i32>, String), ReadError> {
        let (number, unit) = text.split_once('/').unwrap_or((text, "mV"));
        let (number, baseline) = match number.split_once('(') {
            Some((number, rest)) => {
                let inner =
                    rest.strip_suffix(')').ok_or_else(|| self.wrong(at, "the baseline has no closing bracket"))?;
                (number, self.optional(at, Some(inner))?)
            }
            None => (number, None),
        };
        let gain = if number.is_empty() { 0.0 } else { number.parse().unwrap_or(f64::NAN) };
        if !f64::is_finite(gain) || gain < 0.0 {
            return Err(self.wrong(at, "the gain is not a positive number"));
        }
        Ok((if gain == 0.0 { GAIN_DEFAULT } else { gain }, baseline, unit.to_owned()))
    }

    fn optional(&self, at: usize, text: Option<&str>) -> Result<Option<i32>, ReadError> {
        match text {
            Some(text) => text.parse().map(Some).map_err(|_| self.wrong(at, "a field is not a whole number")),
            None => Ok(None),
        }
    }

    fn number(&self, at: usize, text: &str, max: u64, what: &'static str) -> Result<u64, ReadError> {
        let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !good {
            return Err(self.wrong(at, "a count is missing or not a whole number"));
        }
        text.parse().ok().filter(|&n| n <= max).ok_or(too_much(what, max))
    }

    fn file_name(&self, at: usize, name: &str) -> Result<String, ReadError> {
        check_name(name).map_err(|why| self.wrong(at, why))
    }

    fn wrong(&self, line: usize, why: &'static str) -> ReadError {
        ReadError::Header { record: self.record.to_owned(), line, why }
    }
}

/// SECURITY: a header must not lead its reader into another folder.
pub(crate) fn check_name(name: &str) -> Result<String, &'static str> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if name.is_empty() || name.len() > limits::NAME_BYTES_MAX || name.starts_with('.') || !letters {
        return Err("a name is letters, digits, `_`, `-` and `.`, without folders");
    }
    Ok(name.to_owned())
}

pub(crate) fn too_much(what: &'static str, max: u64) -> ReadError {
    ReadError::TooMuch { what, max }
}

/// The number, and the same in microhertz: exactly where it has at most six digits after the point.
fn frequency_of(text: &str) -> Option<(f64, SampleRate)> {
    let frequency: f64 = text.parse().ok()?;
    let micro = (frequency * 1e6).round();
    if !(1.0..=f64::from(u32::MAX)).contains(&micro) {
        return None;
    }
    Some((frequency, SampleRate::from_microhertz(micro as u32)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Header, ReadError> {
        Parser::new("r").header(text.as_bytes())
    }

    #[test]
    fn a_header_with_everything() {
        let header = parse(
            "# first\nr 3 62.4725/999.56(12) 14400 10:44:18.529 04/05/2704\n\nr.dat 212x4 200 11 1024 995 -22131 0 MLII\n\
             r.dat 212:4+24 12.84(-1605)/mmHg 12 0 -943 -23651 0 left ABP\nr.dat 516x2\n# last",
        )
        .unwrap();
        assert_eq!(header.rate.microhertz(), 62_472_500);
        assert_eq!((header.frames, header.comments), (Some(14400), vec!["first".to_owned(), "last".to_owned()]));
        let Body::Signals(signals) = header.body else { panic!("segments") };
        assert_eq!(
            (signals[0].gain, signals[0].baseline, signals[0].unit.as_str(), signals[0].per_frame),
            (200.0, 1024, "mV", 4)
        );
        assert_eq!((signals[1].skew, signals[1].offset, signals[1].baseline), (4, 24, -1605));
        assert_eq!((signals[1].description.as_str(), signals[1].checksum), ("left ABP", Some(41885)));
        assert_eq!((signals[2].gain, signals[2].checksum, signals[2].format), (200.0, None, Format::F516));
    }

    #[test]
    fn segments_and_gaps() {
        let header = parse("r/3 2 125 100\nlayout 0\n~ 60\nr_0001 40").unwrap();
        let Body::Segments(segments) = header.body else { panic!("signals") };
        assert_eq!(segments[1], Segment { name: None, frames: 60 });
        assert_eq!(segments[2], Segment { name: Some("r_0001".to_owned()), frames: 40 });
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("# only\n", 1),
            ("r", 1),
            ("r x", 1),
            ("r 1 0\na.dat 16", 1),
            ("r 1 nan\na.dat 16", 1),
            ("r 1 250\n", 1),
            ("r 1 250 10 25:00:00\na.dat 16", 1),
            ("r 1 250\n../a.dat 16", 2),
            ("r 1 250\n.hidden 16", 2),
            ("r 1 250\na.dat 16x0", 2),
            ("r 1 250\na.dat 16 -5", 2),
            ("r 1 250\na.dat 16 5(3", 2),
            ("r 1 250\na.dat 16 5 x y", 2),
            ("r/2 1 250 10\na 10", 1),
        ] {
            match parse(text) {
                Err(ReadError::Header { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert!(matches!(parse("r 1 250\na.dat 8"), Err(ReadError::Format { format: 8, line: 2, .. })));
        assert!(matches!(parse("r 1000 250"), Err(ReadError::TooMuch { .. })));
        assert!(matches!(parse("r 1 250\na.dat 16x99999999"), Err(ReadError::TooMuch { .. })));
    }

    proptest! {
        #[test]
        fn no_text_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Parser::new("r").header(&bytes);
        }

        #[test]
        fn no_nearly_right_text_panics(text in "r(/[0-9]{1,3})? [0-9]{1,2}( [0-9./()]{1,9}){0,4}\n([a-z~.]{1,4} [0-9x:+]{1,8}( [0-9()/.a-z-]{1,8}){0,7}\n){0,4}") {
            let _ = Parser::new("r").header(text.as_bytes());
        }
    }
}
