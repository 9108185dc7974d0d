//! A bedside monitor: ECG, plethysmogram, respiration, perhaps an arterial line and a cuff.

use super::{Device, Nameplate, Report, WaveBlock, due_reports, first_at_or_after, numeric, quantise, skip};
use crate::world::patient::{Curve, Lead, Measured, Patient};
use obhut_model::{Code, DeviceTime, Quality, SampleRate, Scale};
use obhut_wire::frame::RawNumeric;

/// Waves go out every 250 ms.
const PERIOD: i64 = 250_000;
/// Numbers go out every second.
const NUMERICS: i64 = 1_000_000;
/// The cuff inflates every 15 minutes, the first time half a minute after the start.
const CUFF: i64 = 15 * 60_000_000;
const CUFF_FIRST: i64 = 30_000_000;

/// What is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Samples a second of the ECG: 250 or 500.
    pub ecg_hertz: u16,
    /// Whether there is an arterial line.
    pub arterial_line: bool,
    /// Whether there is a cuff.
    pub cuff: bool,
    /// Whether there is a core temperature sensor.
    pub temperature: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { ecg_hertz: 250, arterial_line: true, cuff: true, temperature: true }
    }
}

/// One connected curve.
#[derive(Debug, Clone)]
struct Channel {
    code: Code,
    curve: Curve,
    rate: SampleRate,
    scale: Scale,
}

/// The monitor.
#[derive(Debug, Clone)]
pub struct Monitor {
    nameplate: Nameplate,
    patient: Patient,
    setup: Setup,
    channels: Vec<Channel>,
    start: DeviceTime,
    next: DeviceTime,
}

impl Monitor {
    /// A monitor on `patient` from `start` on.
    #[must_use]
    pub fn new(nameplate: Nameplate, patient: Patient, setup: Setup, start: DeviceTime) -> Self {
        let channel = |code, curve, microhertz, gain| {
            let rate = SampleRate::from_microhertz(microhertz)?;
            Some(Channel { code, curve, rate, scale: Scale { gain, baseline: 0 } })
        };
        let ecg = u32::from(setup.ecg_hertz.clamp(1, 1000)) * 1_000_000;
        let mut channels = vec![
            channel(Code::ECG_LEAD_II, Curve::Ecg(Lead::II), ecg, 200.0),
            channel(Code::ECG_LEAD_V5, Curve::Ecg(Lead::V5), ecg, 200.0),
            channel(Code::PULS_OXIM_PLETH, Curve::Pleth, 125_000_000, 1000.0),
            channel(Code::RESP, Curve::Respiration, 62_500_000, 1000.0),
        ];
        if setup.arterial_line {
            channels.push(channel(Code::PRESS_BLD_ART_ABP, Curve::ArterialPressure, 125_000_000, 10.0));
        }
        let channels = channels.into_iter().flatten().collect();
        Self { nameplate, patient, setup, channels, start, next: start.plus_micros(PERIOD) }
    }

    /// The patient, for putting disturbances in.
    pub fn patient(&mut self) -> &mut Patient {
        &mut self.patient
    }

    fn report(&mut self, due: DeviceTime) -> Report {
        self.patient.advance(due);
        let from = due.plus_micros(-PERIOD);
        let waves = self.channels.iter().filter_map(|channel| self.block(channel, from, due)).collect();
        let age = due.since(self.start);
        let mut numerics = if age % NUMERICS == 0 { self.numerics(due) } else { Vec::new() };
        if self.setup.cuff && age % CUFF == CUFF_FIRST {
            numerics.extend(self.cuff(due));
        }
        Report { due, numerics, waves }
    }

    fn block(&self, channel: &Channel, from: DeviceTime, to: DeviceTime) -> Option<WaveBlock> {
        let first = first_at_or_after(channel.rate, from.since(self.start));
        let last = first_at_or_after(channel.rate, to.since(self.start));
        let at = |index| self.start.plus_micros(channel.rate.offset_micros(index));
        let samples = (first..last).map(|index| quantise(self.patient.sample(channel.curve, at(index)), channel.scale));
        let (off, disturbed) = self.patient.trouble(channel.curve, from, to);
        let quality = match (off, disturbed) {
            (true, _) => Quality::SENSOR_OFF,
            (_, true) if channel.curve == Curve::ArterialPressure => Quality::CALIBRATING,
            (_, true) => Quality::QUESTIONABLE,
            _ => Quality::GOOD,
        };
        (first < last).then(|| WaveBlock::new(channel.code, at(first), channel.rate, channel.scale, quality, samples))
    }

    fn numerics(&self, at: DeviceTime) -> Vec<RawNumeric> {
        let Measured { heart_rate, pulse_rate, saturation, respiratory_rate, pressure, temperature } =
            self.patient.measured(at);
        let (_, moving) = self.patient.trouble(Curve::Pleth, at.plus_micros(-NUMERICS), at);
        let doubtful = if moving { Quality::QUESTIONABLE } else { Quality::GOOD };
        let mut out = vec![
            numeric(Code::ECG_HEART_RATE, at, heart_rate, 0, missing(heart_rate, Quality::GOOD)),
            numeric(Code::PULS_OXIM_PULS_RATE, at, pulse_rate, 0, missing(pulse_rate, doubtful)),
            numeric(Code::PULS_OXIM_SAT_O2, at, saturation, 0, missing(saturation, doubtful)),
            numeric(Code::TTHOR_RESP_RATE, at, respiratory_rate, 0, missing(respiratory_rate, doubtful)),
        ];
        if self.setup.arterial_line {
            // While the line is flushed there is no pressure; the sensor itself is on.
            let quality = if pressure.is_some() { Quality::GOOD } else { Quality::CALIBRATING };
            let [systolic, diastolic, mean] = split(pressure);
            out.push(numeric(Code::PRESS_BLD_ART_ABP_SYS, at, systolic, 0, quality));
            out.push(numeric(Code::PRESS_BLD_ART_ABP_DIA, at, diastolic, 0, quality));
            out.push(numeric(Code::PRESS_BLD_ART_ABP_MEAN, at, mean, 0, quality));
        }
        if self.setup.temperature {
            out.push(numeric(Code::TEMP_CORE, at, Some(temperature), 1, Quality::GOOD));
        }
        out
    }

    fn cuff(&self, at: DeviceTime) -> [RawNumeric; 3] {
        let [systolic, diastolic, mean] = split(self.patient.cuff(at));
        [
            numeric(Code::PRESS_BLD_NONINV_SYS, at, systolic, 0, Quality::GOOD),
            numeric(Code::PRESS_BLD_NONINV_DIA, at, diastolic, 0, Quality::GOOD),
            numeric(Code::PRESS_BLD_NONINV_MEAN, at, mean, 0, Quality::GOOD),
        ]
    }
}

fn missing(value: Option<f64>, otherwise: Quality) -> Quality {
    if value.is_some() { otherwise } else { Quality::SENSOR_OFF }
}

fn split(pressure: Option<(f64, f64, f64)>) -> [Option<f64>; 3] {
    [pressure.map(|p| p.0), pressure.map(|p| p.1), pressure.map(|p| p.2)]
}

impl Device for Monitor {
    fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    fn next_due(&self) -> DeviceTime {
        self.next
    }

    fn produce(&mut self, now: DeviceTime) -> Vec<Report> {
        let mut next = self.next;
        let reports = due_reports(&mut next, PERIOD, now, |due| self.report(due));
        self.next = next;
        reports
    }

    fn skip_to(&mut self, now: DeviceTime) {
        self.next = skip(self.next, PERIOD, now);
        self.patient.advance(self.next.plus_micros(-PERIOD));
    }
}
