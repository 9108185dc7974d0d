//! Curves that are put into recordings.

/// Small numbers that look random, the same every time.
#[derive(Debug, Clone)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly in -1 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }
}

/// Ventricular fibrillation as narrow-band noise: sine waves between 4 and 6 Hz with phases at random, so that height and shape wander (the
/// model used by Clayton et al. 1994 and others to test detectors). Height about 1.
pub(crate) fn fibrillation(seed: u64) -> impl Fn(f64) -> f64 {
    narrow_band(seed, 4.0, 6.0)
}

/// Noise between two frequencies: twelve sine waves at random frequencies and phases.
pub(crate) fn narrow_band(seed: u64, low: f64, high: f64) -> impl Fn(f64) -> f64 {
    let mut noise = Noise::new(seed);
    let waves: Vec<(f64, f64)> = (0..12)
        .map(|_| (low + (high - low) * (noise.next() + 1.0) / 2.0, noise.next() * std::f64::consts::PI))
        .collect();
    move |t| waves.iter().map(|(hertz, phase)| (t * hertz * std::f64::consts::TAU + phase).sin()).sum::<f64>() / 3.5
}
