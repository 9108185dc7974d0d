//! Noise as a function of time, so that it does not matter who asks when.

use crate::rng::{mix, to_unit};

/// White noise in `-1..1`, one value a millisecond.
pub(super) fn white(seed: u64, at: i64) -> f64 {
    to_unit(mix(seed ^ mix(at.div_euclid(1000) as u64))) * 2.0 - 1.0
}

/// Smooth noise in about `-1..1` that changes `hertz` times a second.
pub(super) fn smooth(seed: u64, at: i64, hertz: f64) -> f64 {
    let position = at as f64 / 1e6 * hertz;
    let cell = position.floor();
    let x = position - cell;
    let lattice = |offset: i64| to_unit(mix(seed ^ mix((cell as i64 + offset) as u64))) * 2.0 - 1.0;
    let (a, b, c, d) = (lattice(-1), lattice(0), lattice(1), lattice(2));
    // Catmull–Rom through the lattice: no corners, so it looks like a movement and not like a computer.
    b + 0.5 * x * (c - a + x * (2.0 * a - 5.0 * b + 4.0 * c - d + x * (3.0 * (b - c) + d - a)))
}
