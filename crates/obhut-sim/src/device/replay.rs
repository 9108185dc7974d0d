//! Plays a recording as a device: its samples, with its own scale, at its own rate. "No value" stays that, a gap stays silence.

use super::{Device, Nameplate, REPORTS_MAX, Report, WaveBlock, first_at_or_after, numeric, skip};
use crate::recordings::{Part, Recording, Track, TrackKind};
use obhut_model::{Code, DeviceTime, NO_VALUE, Quality, Scale};
use obhut_wfdb::ABSENT;
use obhut_wire::frame::RawNumeric;
use std::sync::Arc;

/// Waves go out every 250 ms.
const PERIOD: i64 = 250_000;

/// What happens at the end of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The device falls silent.
    Once,
    /// It begins again, without a pause.
    Forever,
}

/// A recording as a device.
#[derive(Debug, Clone)]
pub struct Replay {
    nameplate: Nameplate,
    recording: Arc<Recording>,
    repeat: Repeat,
    /// When the pass under way began.
    start: DeviceTime,
    next: DeviceTime,
}

impl Replay {
    /// Plays `recording` from its beginning at `start`.
    #[must_use]
    pub fn new(nameplate: Nameplate, recording: Arc<Recording>, start: DeviceTime, repeat: Repeat) -> Self {
        Self { nameplate, recording, repeat, start, next: start.plus_micros(PERIOD) }
    }

    /// Whether everything has been played.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.repeat == Repeat::Once && self.next.plus_micros(-PERIOD).since(self.start) >= self.recording.micros()
    }

    fn report(&self, from: i64, to: i64) -> Report {
        let mut report = Report { due: self.start.plus_micros(to), numerics: Vec::new(), waves: Vec::new() };
        for track in self.recording.tracks() {
            let range = (track.first_at_or_after(from), track.first_at_or_after(to));
            for part in track.parts(range.0, range.1) {
                match track.kind {
                    TrackKind::Waveform => report.waves.extend(self.block(track, &part)),
                    TrackKind::Numeric { zero_is_none } => {
                        report.numerics.extend(self.numbers(track, &part, zero_is_none))
                    }
                }
            }
        }
        report
    }

    fn block(&self, track: &Track, part: &Part<'_>) -> Option<WaveBlock> {
        let start = self.start.plus_micros(track.offset_micros(part.index));
        let samples = part.samples.iter().map(|&sample| narrow(sample));
        let quality = if part.samples.contains(&ABSENT) { Quality::QUESTIONABLE } else { Quality::GOOD };
        let scale = Scale { gain: part.gain, baseline: part.baseline };
        (!part.samples.is_empty()).then(|| WaveBlock::new(track.code, start, track.rate, scale, quality, samples))
    }

    fn numbers<'a>(
        &'a self,
        track: &'a Track,
        part: &'a Part<'_>,
        zero_is_none: bool,
    ) -> impl Iterator<Item = RawNumeric> + 'a {
        let places = part.gain.log10().round().clamp(0.0, 4.0) as i8;
        part.samples.iter().enumerate().map(move |(offset, &sample)| {
            let at = self.start.plus_micros(track.offset_micros(part.index + offset as u64));
            let value = (f64::from(sample) - f64::from(part.baseline)) / part.gain;
            let known = sample != ABSENT && !(zero_is_none && value == 0.0);
            numeric(track.code, at, known.then_some(value), places, Quality::GOOD)
        })
    }
}

/// Recordings of more than 16 bits are rescaled when they are loaded, so this only maps "no value".
fn narrow(sample: i32) -> i16 {
    i16::try_from(sample).unwrap_or(NO_VALUE)
}

impl Device for Replay {
    fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    fn next_due(&self) -> DeviceTime {
        if self.is_over() { DeviceTime::from_micros(i64::MAX) } else { self.next }
    }

    fn produce(&mut self, now: DeviceTime) -> Vec<Report> {
        let mut reports = Vec::new();
        let length = self.recording.micros();
        // Long silent stretches are passed over, but not for ever in one call.
        for _ in 0..REPORTS_MAX * 16 {
            if self.next > now || self.is_over() || reports.len() >= REPORTS_MAX {
                break;
            }
            let to = self.next.since(self.start);
            let report = self.report(to - PERIOD, to.min(length));
            if to >= length && self.repeat == Repeat::Forever {
                self.start = self.start.plus_micros(length.max(PERIOD));
                self.next = self.start;
            }
            self.next = self.next.plus_micros(PERIOD);
            if !report.is_empty() {
                reports.push(report);
            }
        }
        reports
    }

    fn skip_to(&mut self, now: DeviceTime) {
        let length = self.recording.micros().max(PERIOD);
        if self.repeat == Repeat::Forever {
            let passes = now.since(self.start).max(0) / length;
            if passes > 0 {
                self.start = self.start.plus_micros(passes * length);
                self.next = self.start.plus_micros(PERIOD);
            }
        }
        self.next = skip(self.next, PERIOD, now);
    }
}

impl Track {
    /// The first sample taken at or after `micros` from the start.
    fn first_at_or_after(&self, micros: i64) -> u64 {
        match self.period_micros {
            // One a minute is not a whole number of microhertz; its period is.
            Some(period) => micros.max(0).unsigned_abs().div_ceil(period),
            None => first_at_or_after(self.rate, micros),
        }
    }

    fn offset_micros(&self, index: u64) -> i64 {
        match self.period_micros {
            Some(period) => i64::try_from(index.saturating_mul(period)).unwrap_or(i64::MAX),
            None => self.rate.offset_micros(index),
        }
    }
}

/// What a signal of this name is, and whether a zero in it means "not measured".
#[must_use]
pub(crate) fn code_of(name: &str, unit: &str) -> Option<(Code, TrackKind)> {
    let name = name.trim().to_ascii_uppercase();
    let wave = |code| Some((code, TrackKind::Waveform));
    let number = |code| Some((code, TrackKind::Numeric { zero_is_none: true }));
    match name.as_str() {
        "I" => wave(Code::ECG_LEAD_I),
        "II" | "MLII" => wave(Code::ECG_LEAD_II),
        "III" | "MLIII" => wave(Code::ECG_LEAD_III),
        "AVR" => wave(Code::ECG_LEAD_AVR),
        "AVL" => wave(Code::ECG_LEAD_AVL),
        "AVF" => wave(Code::ECG_LEAD_AVF),
        "V1" => wave(Code::ECG_LEAD_V1),
        "V2" => wave(Code::ECG_LEAD_V2),
        "V3" => wave(Code::ECG_LEAD_V3),
        "V4" => wave(Code::ECG_LEAD_V4),
        "V5" => wave(Code::ECG_LEAD_V5),
        "V6" => wave(Code::ECG_LEAD_V6),
        // "V" is a chest lead somewhere, MCL1 a modified one: neither is one of the standard twelve.
        "V" | "MCL1" | "MCL" | "ECG" => wave(Code::ECG_LEAD_UNKNOWN),
        "ABP" | "ART" => wave(Code::PRESS_BLD_ART_ABP),
        "CVP" => wave(Code::PRESS_BLD_VEN_CENT),
        "PLETH" => wave(Code::PULS_OXIM_PLETH),
        "CO2" => wave(Code::CONC_AWAY_CO2),
        // The same name is the curve in ohms or millivolts and the rate in breaths a minute.
        "RESP" if matches!(unit, "pm" | "bpm" | "/min") => number(Code::TTHOR_RESP_RATE),
        "RESP" => wave(Code::RESP),
        "HR" => number(Code::ECG_HEART_RATE),
        "PULSE" | "PR" => number(Code::PULS_OXIM_PULS_RATE),
        "SPO2" => number(Code::PULS_OXIM_SAT_O2),
        "RR" => number(Code::TTHOR_RESP_RATE),
        "ABPSYS" => number(Code::PRESS_BLD_ART_ABP_SYS),
        "ABPDIAS" | "ABPDIA" => number(Code::PRESS_BLD_ART_ABP_DIA),
        "ABPMEAN" => number(Code::PRESS_BLD_ART_ABP_MEAN),
        "NBPSYS" => number(Code::PRESS_BLD_NONINV_SYS),
        "NBPDIAS" | "NBPDIA" => number(Code::PRESS_BLD_NONINV_DIA),
        "NBPMEAN" => number(Code::PRESS_BLD_NONINV_MEAN),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_signals() {
        assert_eq!(code_of("MLII", "mV"), Some((Code::ECG_LEAD_II, TrackKind::Waveform)));
        assert_eq!(code_of("RESP", "mV").map(|found| found.0), Some(Code::RESP));
        assert_eq!(code_of("RESP", "pm").map(|found| found.0), Some(Code::TTHOR_RESP_RATE));
        assert_eq!(code_of("Pleth", "NU").map(|found| found.0), Some(Code::PULS_OXIM_PLETH));
        assert_eq!(code_of("EEG Fpz", "uV"), None);
    }
}
