//! Readings as lines of text, for `obhut-agent run`: a SenML record or pack per line for numerics, a small object for a stretch of waveform.
//!
//! `{"n":"MDC_TEMP","u":"Cel","v":36.7}` · `[{"bn":"MDC_TEMP","bu":"Cel","v":36.7}]` ·
//! `{"wave":"MDC_ECG_ELEC_POTL_II","rate":250,"gain":200,"baseline":0,"t":1764000000.5,"samples":[0,5,null,-5]}`

use obhut_model::{Code, DeviceId, DeviceTime, Kind, NO_VALUE, Quality, SampleRate, Samples, Scale};
use obhut_wire::{PackError, RawNumeric, RawWave, RecordError, senml};
use serde::Deserialize;
use std::borrow::Cow;

/// Why a line is no reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The SenML is not.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A record is not.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The waveform object is not.
    #[error("the waveform cannot be read")]
    Wave(#[source] serde_json::Error),
    /// No waveform has this name.
    #[error("`{0}` is not the name of a waveform")]
    UnknownWave(String),
    /// A number of the waveform is out of range.
    #[error("{0} is out of range")]
    Range(&'static str),
}

/// One line, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Numerics.
    Numerics(Vec<RawNumeric>),
    /// A stretch of waveform.
    Wave(OwnedWave),
}

/// A waveform block with its own samples.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedWave {
    code: Code,
    start: DeviceTime,
    rate: SampleRate,
    scale: Scale,
    bytes: Vec<u8>,
}

impl OwnedWave {
    /// As the agent takes it.
    #[must_use]
    pub fn as_raw(&self) -> Option<RawWave<'_>> {
        let samples = Samples::from_le_bytes(&self.bytes)?;
        Some(RawWave {
            code: self.code,
            start: self.start,
            rate: self.rate,
            scale: self.scale,
            quality: Quality::GOOD,
            samples,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaveLine<'a> {
    #[serde(borrow)]
    wave: Cow<'a, str>,
    rate: f64,
    gain: f64,
    #[serde(default)]
    baseline: i32,
    t: Option<f64>,
    samples: Vec<Option<i16>>,
}

/// Reads one line. `now`: when a reading without a time was taken.
///
/// # Errors
/// [`LineError`].
pub fn read(line: &str, device: &DeviceId, now: DeviceTime) -> Result<Line, LineError> {
    let line = line.trim();
    if line.starts_with('{') && line.contains("\"wave\"") {
        return wave(line, now).map(Line::Wave);
    }
    let pack = if line.starts_with('{') { Cow::Owned(format!("[{line}]")) } else { Cow::Borrowed(line) };
    let mut numerics = Vec::new();
    let mut fault = None;
    senml::decode(pack.as_bytes(), device, now, |record| match record {
        Ok(numeric) => numerics.push(numeric),
        Err(error) => fault = Some(error),
    })?;
    match fault {
        Some(error) => Err(error.into()),
        None if numerics.is_empty() => Err(PackError::Empty.into()),
        None => Ok(Line::Numerics(numerics)),
    }
}

fn wave(line: &str, now: DeviceTime) -> Result<OwnedWave, LineError> {
    let line: WaveLine<'_> = serde_json::from_str(line).map_err(LineError::Wave)?;
    let code =
        Code::by_reference_id(&line.wave).filter(|code| code.info().is_some_and(|info| info.kind == Kind::Waveform));
    let code = code.ok_or_else(|| LineError::UnknownWave(line.wave.chars().take(64).collect()))?;
    let microhertz = (line.rate * 1e6).round();
    let in_range = microhertz >= 1.0 && microhertz <= f64::from(u32::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    let rate = if in_range { SampleRate::from_microhertz(microhertz as u32) } else { None };
    let start = match line.t {
        None => now,
        Some(seconds) if (0.0..=253_402_300_799.0).contains(&seconds) =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
            DeviceTime::from_micros((seconds * 1e6).round() as i64)
        }
        Some(_) => return Err(LineError::Range("the time")),
    };
    Ok(OwnedWave {
        code,
        start,
        rate: rate.ok_or(LineError::Range("the sample rate"))?,
        scale: Scale { gain: line.gain, baseline: line.baseline },
        bytes: line.samples.iter().flat_map(|sample| sample.unwrap_or(NO_VALUE).to_le_bytes()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_records_packs_or_waves() {
        let device = DeviceId::new("mon-01").unwrap();
        let now = DeviceTime::from_micros(1_764_000_000_000_000);
        let read = |line| read(line, &device, now);
        for line in [r#" {"n":"MDC_TEMP","u":"Cel","v":36.7} "#, r#"[{"bn":"MDC_TEMP","bu":"Cel","v":36.7}]"#] {
            let Line::Numerics(numerics) = read(line).unwrap() else { panic!("{line}") };
            assert_eq!(
                (numerics[0].code, numerics[0].taken_at, numerics[0].value.unwrap().to_string()),
                (Code::TEMP, now, "36.7".into())
            );
        }
        let line =
            r#"{"wave":"MDC_ECG_ELEC_POTL_II","rate":62.4725,"gain":200,"t":1764000000.5,"samples":[0,5,null,-5]}"#;
        let Line::Wave(wave) = read(line).unwrap() else { panic!("{line}") };
        let raw = wave.as_raw().unwrap();
        assert_eq!((raw.rate.microhertz(), raw.start.micros()), (62_472_500, 1_764_000_000_500_000));
        assert_eq!(raw.samples.iter().collect::<Vec<_>>(), [0, 5, NO_VALUE, -5]);
        for line in [
            "",
            "x",
            "{}",
            r#"{"n":"MDC_TEMP","u":"K","v":1}"#,
            r#"{"wave":"MDC_TEMP","rate":1,"gain":1,"samples":[1]}"#,
            r#"{"wave":"MDC_RESP","rate":0,"gain":1,"samples":[1]}"#,
            r#"{"wave":"MDC_RESP","rate":1,"gain":1,"samples":[40000]}"#,
            r#"{"wave":"MDC_RESP","rate":1,"gain":1,"t":-1,"samples":[1]}"#,
            r#"{"wave":"MDC_RESP","rate":1,"gain":1,"samples":[1],"x":1}"#,
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
