//! Simulated devices: what a device says and when, without saying how it gets out.
//!
//! A [`Device`] is asked when it is next due and, once that time has come, for what it has to say. It knows no network and no clock of its own;
//! the demonstration hands its reports to an agent, the tests to the gateway's core. Skewed clocks come from [`crate::faults`].

mod monitor;
mod movement;
mod pump;
mod replay;

pub use monitor::{Monitor, Setup};
pub use movement::MovementSensor;
pub use pump::PumpDevice;
pub(crate) use replay::code_of;
pub use replay::{Repeat, Replay};

use obhut_model::{Code, Decimal, DeviceId, DeviceTime, ModelId, NO_VALUE, Quality, SampleRate, Samples, Scale};
use obhut_wire::frame::{RawNumeric, RawWave};

/// Most reports one call of [`Device::produce`] returns: a minute of a monitor. Call again for more.
pub const REPORTS_MAX: usize = 240;

/// What a device is, as its nameplate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameplate {
    /// Its name; also in its certificate.
    pub id: DeviceId,
    /// Its model in the charter.
    pub model: ModelId,
    /// The maker's serial number.
    pub serial: String,
}

/// A simulated device.
pub trait Device: Send {
    /// What it is.
    fn nameplate(&self) -> &Nameplate;

    /// When it next has something to say.
    fn next_due(&self) -> DeviceTime;

    /// What it says up to and including `now`, in order; at most [`REPORTS_MAX`] reports. Empty before [`Device::next_due`].
    fn produce(&mut self, now: DeviceTime) -> Vec<Report>;

    /// Leaves out everything due before `now`, as a device that was switched off.
    fn skip_to(&mut self, now: DeviceTime);
}

/// What a device says at one instant: the contents of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When it is said; not before the newest value in it.
    pub due: DeviceTime,
    /// Numbers.
    pub numerics: Vec<RawNumeric>,
    /// Waveform blocks.
    pub waves: Vec<WaveBlock>,
}

/// A waveform block that owns its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveBlock {
    /// What.
    pub code: Code,
    /// When the first sample was taken.
    pub start: DeviceTime,
    /// How often.
    pub rate: SampleRate,
    /// What a sample means.
    pub scale: Scale,
    /// How good.
    pub quality: Quality,
    /// Two bytes a sample, little-endian, as frames carry them.
    bytes: Vec<u8>,
}

impl WaveBlock {
    /// A block of `samples`.
    #[must_use]
    pub fn new(
        code: Code,
        start: DeviceTime,
        rate: SampleRate,
        scale: Scale,
        quality: Quality,
        samples: impl IntoIterator<Item = i16>,
    ) -> Self {
        let bytes = samples.into_iter().flat_map(i16::to_le_bytes).collect();
        Self { code, start, rate, scale, quality, bytes }
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> Samples<'_> {
        // A block is built from whole samples, so the number of bytes is even.
        Samples::from_le_bytes(&self.bytes).unwrap_or(EMPTY)
    }

    /// As a frame borrows it.
    #[must_use]
    pub fn raw(&self) -> RawWave<'_> {
        RawWave {
            code: self.code,
            start: self.start,
            rate: self.rate,
            scale: self.scale,
            quality: self.quality,
            samples: self.samples(),
        }
    }
}

const EMPTY: Samples<'static> = match Samples::from_le_bytes(&[]) {
    Some(empty) => empty,
    None => unreachable!(),
};

impl Report {
    /// The waveform blocks as a frame borrows them.
    #[must_use]
    pub fn raw_waves(&self) -> Vec<RawWave<'_>> {
        self.waves.iter().map(WaveBlock::raw).collect()
    }

    /// Earliest time in it: a good base for the frame.
    #[must_use]
    pub fn base(&self) -> DeviceTime {
        let numerics = self.numerics.iter().map(|numeric| numeric.taken_at);
        numerics.chain(self.waves.iter().map(|wave| wave.start)).min().unwrap_or(self.due)
    }

    /// All times moved by `micros`: what a device with a wrong clock says.
    pub fn shift(&mut self, micros: i64) {
        self.due = self.due.plus_micros(micros);
        for numeric in &mut self.numerics {
            numeric.taken_at = numeric.taken_at.plus_micros(micros);
        }
        for wave in &mut self.waves {
            wave.start = wave.start.plus_micros(micros);
        }
    }

    fn is_empty(&self) -> bool {
        self.numerics.is_empty() && self.waves.is_empty()
    }
}

/// A number with `places` digits after the point.
fn numeric(code: Code, taken_at: DeviceTime, value: Option<f64>, places: i8, quality: Quality) -> RawNumeric {
    let value = value.and_then(|value| decimal(value, places));
    RawNumeric { code, taken_at, value, quality }
}

fn decimal(value: f64, places: i8) -> Option<Decimal> {
    let mantissa = (value * 10f64.powi(i32::from(places))).round();
    let fits = mantissa.is_finite() && mantissa.abs() <= f64::from(i32::MAX);
    fits.then(|| Decimal::new(mantissa as i32, -places).ok()).flatten()
}

/// A physical value as a sample; out of range stops at the ends, as an amplifier does.
fn quantise(value: Option<f64>, scale: Scale) -> i16 {
    match value {
        Some(value) if value.is_finite() => {
            let sample = (value * scale.gain + f64::from(scale.baseline)).round();
            sample.clamp(f64::from(-i16::MAX), f64::from(i16::MAX)) as i16
        }
        _ => NO_VALUE,
    }
}

/// The first sample taken at or after `micros` from sample 0.
fn first_at_or_after(rate: SampleRate, micros: i64) -> u64 {
    let near = rate.index_at(micros);
    if rate.offset_micros(near) >= micros { near } else { near + 1 }
}

/// Runs `step` for each instant due by `now`, one every `period` microseconds, and collects what is not empty.
fn due_reports(
    next: &mut DeviceTime,
    period: i64,
    now: DeviceTime,
    mut step: impl FnMut(DeviceTime) -> Report,
) -> Vec<Report> {
    let mut reports = Vec::new();
    while *next <= now && reports.len() < REPORTS_MAX {
        let report = step(*next);
        *next = next.plus_micros(period);
        if !report.is_empty() {
            reports.push(report);
        }
    }
    reports
}

/// The first of the instants `from`, `from + period`, … that is not before `to`.
fn skip(from: DeviceTime, period: i64, to: DeviceTime) -> DeviceTime {
    let behind = to.since(from).max(0);
    from.plus_micros(behind.saturating_add(period - 1) / period * period)
}
