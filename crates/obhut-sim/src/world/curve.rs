//! The shapes of pulses and breaths.

/// A bell with its own width on each side.
pub(super) fn bell(t: f64, centre: f64, left: f64, right: f64) -> f64 {
    let width = if t < centre { left } else { right };
    let x = (t - centre) / width;
    // Beyond four widths nothing is left that 16 bits would show.
    if x.abs() > 4.0 { 0.0 } else { (-0.5 * x * x).exp() }
}

/// Falls from 1 at 0 to 0 at 1: flat at first, then exponential with steepness `k`. `bend` is how long it stays flat.
pub(super) fn decay(x: f64, k: f64, bend: f64) -> f64 {
    let raw = |x: f64| (-k * x * x / (x + bend)).exp();
    let end = raw(1.0);
    (raw(x.clamp(0.0, 1.0)) - end) / (1.0 - end)
}

/// What a pulse looks like.
pub(super) struct PulseShape {
    /// Seconds from foot to peak.
    pub(super) rise: f64,
    /// Steepness of the fall.
    pub(super) k: f64,
    /// Where the dicrotic notch is, seconds after the foot at a rate of 60.
    pub(super) notch: f64,
    /// Depth of the notch, share of the pulse.
    pub(super) depth: f64,
    /// Height of the wave after the notch, share of the pulse.
    pub(super) rebound: f64,
    /// Width of notch and wave, seconds.
    pub(super) width: f64,
}

/// Radial arterial line.
pub(super) const ARTERIAL: PulseShape =
    PulseShape { rise: 0.115, k: 2.3, notch: 0.355, depth: 0.085, rebound: 0.075, width: 0.024 };
/// Finger plethysmogram: later, rounder, the notch shallow.
pub(super) const FINGER: PulseShape =
    PulseShape { rise: 0.175, k: 2.7, notch: 0.42, depth: 0.06, rebound: 0.10, width: 0.042 };

impl PulseShape {
    /// The pulse, 0 at its foot and 1 at its peak, `t` seconds after the foot, when the next foot comes `length` seconds after it.
    /// Falls to `end` there.
    pub(super) fn at(&self, t: f64, length: f64, end: f64) -> f64 {
        let stretch = length.clamp(0.35, 1.2).sqrt();
        let rise = self.rise * stretch.min(1.0);
        if t < rise {
            let x = (t / rise).clamp(0.0, 1.0);
            return 0.5 - 0.5 * (std::f64::consts::PI * x).cos();
        }
        let x = (t - rise) / (length - rise).max(0.05);
        // In absolute time up to a beat of 1.2 s, so that a pause runs out flat instead of being stretched.
        let fall = end + (1.0 - end) * decay(x, self.k * (length / 0.85).clamp(0.7, 1.8), 0.16);
        let notch = self.notch * stretch;
        let fade = (1.0 - x).clamp(0.0, 0.3) / 0.3;
        let dip = self.depth * bell(t, notch, self.width * 1.4, self.width);
        let bump = self.rebound * bell(t, notch + 2.1 * self.width, self.width, 2.6 * self.width);
        fall + fade * (bump - dip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_begins_ends_and_peaks_where_it_should() {
        for shape in [ARTERIAL, FINGER] {
            for length in [0.4, 0.8, 1.5] {
                let samples: Vec<f64> =
                    (0..=1000).map(|n| shape.at(f64::from(n) / 1000.0 * length, length, 0.1)).collect();
                assert!(samples[0].abs() < 1e-9 && (samples[1000] - 0.1).abs() < 1e-6);
                let peak = samples.iter().cloned().fold(0.0, f64::max);
                assert!((0.999..1.03).contains(&peak), "{peak}");
                assert!(samples.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.025), "no jumps");
            }
        }
    }
}
