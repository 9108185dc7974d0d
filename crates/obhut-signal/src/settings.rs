//! What a ward sets. Every threshold of a judgement comes in here; constants elsewhere belong to a published method.

use crate::pressure::Gate;
use crate::quality::QualityLimits;

/// Whether the plethysmogram's zero means darkness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlethZero {
    /// No: the device took the constant part away, as nearly all do. Perfusion is then only relative.
    #[default]
    Unknown,
    /// Yes: pulse over constant part is the perfusion index.
    Absolute,
}

/// When a condition is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventLimits {
    /// Seconds without a beat that are an asystole.
    pub asystole_s: f64,
    /// Beats per minute below which the rate is an extreme bradycardia.
    pub bradycardia_below: f64,
    /// Beats per minute above which the rate is an extreme tachycardia.
    pub tachycardia_above: f64,
    /// Over how many seconds the two rates are averaged.
    pub rate_window_s: f64,
    /// Seconds without a pulse, after there were pulses, that are a loss of pulse.
    pub pulse_lost_s: f64,
    /// Seconds in a row that must look like fibrillation.
    pub fibrillation_s: u32,
    /// Largest VF-filter leakage that looks like fibrillation.
    pub leakage_max: f64,
    /// Smallest share of samples beyond a fifth of the maximum, percent, that looks like fibrillation.
    pub crossing_min_percent: f64,
    /// Lowest mean frequency that looks like fibrillation, hertz: wide paced beats and compressions of the chest are slower.
    pub fibrillation_hertz_min: f64,
    /// Smallest peak-to-peak height, mV; below it is no fibrillation but nothing.
    pub fibrillation_min_mv: f64,
}

impl EventLimits {
    /// Definitions of the PhysioNet/CinC Challenge 2015 (Clifford GD et al., "The PhysioNet/Computing in Cardiology Challenge 2015: reducing
    /// false arrhythmia alarms in the ICU", CinC 42 (2015) 273–276): asystole 4 s, below 40, above 140; leakage and crossings as in
    /// [`crate::ecg`]'s sources. For adults.
    #[must_use]
    pub const fn challenge_2015() -> Self {
        Self {
            asystole_s: 4.0,
            bradycardia_below: 40.0,
            tachycardia_above: 140.0,
            rate_window_s: 8.0,
            pulse_lost_s: 6.0,
            fibrillation_s: 3,
            leakage_max: 0.625,
            crossing_min_percent: 48.0,
            fibrillation_hertz_min: 2.5,
            fibrillation_min_mv: 0.1,
        }
    }
}

/// Everything the crate is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Smallest QRS complex, mV.
    pub qrs_min_mv: f64,
    /// Smallest pulse in a plethysmogram, in its unit.
    pub pleth_min: f64,
    /// Smallest pulse in a pressure curve, mmHg.
    pub pressure_min: f64,
    /// What the plethysmogram's zero means.
    pub pleth_zero: PlethZero,
    /// Which pressure beats are believed.
    pub gate: Gate,
    /// When quality is doubtful or unknown.
    pub quality: QualityLimits,
    /// When a condition is there.
    pub events: EventLimits,
}

impl Settings {
    /// Published numbers, for adults; 0.15 mV as IEC 60601-2-27 sets it.
    #[must_use]
    pub const fn published() -> Self {
        Self {
            qrs_min_mv: 0.15,
            pleth_min: 0.005,
            pressure_min: 4.0,
            pleth_zero: PlethZero::Unknown,
            gate: Gate::sun_2006(),
            quality: QualityLimits::published(),
            events: EventLimits::challenge_2015(),
        }
    }
}
