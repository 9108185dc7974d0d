//! Randomness from a seed, the same on every machine and in every version of every library.
//!
//! Not for keys, tokens or anything an attacker must not guess. SplitMix64 (Steele, Lea, Flood 2014): its stream is fixed by these lines, whereas
//! general libraries reserve the right to change theirs, which would change every reproduced run (decision 0031).

/// A stream of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for `purpose`, so that drawing more for one thing does not change another.
    #[must_use]
    pub fn fork(&self, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(self.0 ^ 0x5155_4954_4f42_4855, |so_far, byte| mix(so_far ^ u64::from(byte)));
        Self(mixed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// In `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        to_unit(self.bits())
    }

    /// In `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// In `low..=high`; `low` if that is not below `high`.
    pub fn whole(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let span = high.abs_diff(low).saturating_add(1);
        low.saturating_add_unsigned(self.bits() % span)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential with this mean: the time to the next of rare events.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// Scrambles 64 bits.
#[must_use]
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn to_unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        let mut rng = Rng::new(0);
        // Reference values of SplitMix64 with seed 0.
        assert_eq!([rng.bits(), rng.bits()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn draws_keep_their_range() {
        let mut rng = Rng::new(7).fork("a");
        assert_ne!(rng, Rng::new(7).fork("b"));
        let draws: Vec<f64> = (0..10_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.05, "{mean}");
        assert!((0..1000).all(|_| (-3..=3).contains(&rng.whole(-3, 3))));
        assert_eq!(rng.whole(5, 5), 5);
        assert!((0..1000).all(|_| (2.0..4.0).contains(&rng.between(2.0, 4.0))));
    }
}
