//! The electrocardiogram: each beat a few bells, seen by all leads at once.
//!
//! Limb leads follow from I and II alone (Einthoven, Goldberger), so they always agree with each other.

use super::beat::{Beat, Origin};
use super::curve::bell;

/// A lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lead {
    /// I.
    I,
    /// II.
    II,
    /// III.
    III,
    /// aVR.
    Avr,
    /// aVL.
    Avl,
    /// aVF.
    Avf,
    /// V1.
    V1,
    /// V5.
    V5,
}

/// Millivolts in leads I, II, V1 and V5, from which all leads follow.
type Basis = [f64; 4];

/// One bell: seconds after the R peak, widths, millivolts.
struct Wave {
    centre: f64,
    left: f64,
    right: f64,
    millivolts: Basis,
}

/// P, PR, Q, R, S, T of a beat that comes down the ordinary way.
const NARROW: [Wave; 6] = [
    Wave { centre: -0.160, left: 0.024, right: 0.022, millivolts: [0.075, 0.135, 0.05, 0.080] },
    Wave { centre: -0.128, left: 0.014, right: 0.016, millivolts: [0.0, 0.0, -0.04, 0.0] },
    Wave { centre: -0.031, left: 0.0085, right: 0.0085, millivolts: [-0.06, -0.095, 0.20, -0.10] },
    Wave { centre: 0.0, left: 0.0105, right: 0.0110, millivolts: [0.62, 1.12, -0.80, 1.32] },
    Wave { centre: 0.031, left: 0.0100, right: 0.0120, millivolts: [-0.12, -0.21, -0.08, -0.30] },
    Wave { centre: 0.275, left: 0.062, right: 0.038, millivolts: [0.16, 0.29, -0.06, 0.33] },
];
/// A beat from the ventricles: wide, no P, T the other way.
const WIDE: [Wave; 3] = [
    Wave { centre: 0.010, left: 0.030, right: 0.032, millivolts: [0.35, 1.45, -1.30, 1.05] },
    Wave { centre: 0.098, left: 0.028, right: 0.034, millivolts: [-0.20, -0.55, 0.25, -0.40] },
    Wave { centre: 0.315, left: 0.075, right: 0.060, millivolts: [-0.16, -0.50, 0.40, -0.42] },
];
const P_WAVES: usize = 2;
const T_WAVE: usize = 5;

/// What one beat adds at `t` seconds after its R peak.
pub(super) fn beat(beat: &Beat, t: f64, build: &[f64; 6]) -> Basis {
    let mut sum = [0.0; 4];
    let quicker = beat.before.clamp(0.35, 1.2).sqrt().min(1.05);
    let mut add = |wave: &Wave, centre: f64, stretch: f64, size: f64| {
        let height = size * bell(t, centre, wave.left * stretch, wave.right * stretch);
        for (total, millivolts) in sum.iter_mut().zip(&wave.millivolts) {
            *total += height * millivolts;
        }
    };
    if beat.origin == Origin::Ventricular {
        WIDE.iter().for_each(|wave| add(wave, wave.centre, 1.0, 1.0));
        return sum;
    }
    for (index, (wave, size)) in NARROW.iter().zip(build).enumerate() {
        let is_p = index < P_WAVES;
        match beat.origin {
            Origin::Fibrillation if is_p => continue,
            // From low in the atria: closer, flatter, upside down.
            Origin::Atrial if is_p => add(wave, wave.centre * 0.75, 0.9, -0.5 * size),
            _ if is_p => add(wave, wave.centre * (0.6 + 0.4 * quicker), 1.0, *size),
            _ if index == T_WAVE => add(wave, wave.centre * quicker, 0.35 + 0.65 * quicker, *size),
            _ => add(wave, wave.centre, 1.0, size * (1.0 - 0.07 * beat.lungs)),
        }
    }
    sum
}

/// The fibrillating atria, seen best in V1.
pub(super) const FLICKER: Basis = [0.02, 0.045, 0.085, 0.02];

/// What `lead` shows of the basis.
pub(super) fn project(lead: Lead, [one, two, v1, v5]: Basis) -> f64 {
    match lead {
        Lead::I => one,
        Lead::II => two,
        Lead::III => two - one,
        Lead::Avr => -(one + two) / 2.0,
        Lead::Avl => one - two / 2.0,
        Lead::Avf => two - one / 2.0,
        Lead::V1 => v1,
        Lead::V5 => v5,
    }
}
