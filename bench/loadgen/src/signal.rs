//! Synthetic waveforms with the texture of real ones: beats with their own length and height, breathing, and the noise of a 12-bit sensor.
//!
//! Good enough to load a compressor the way patients do; what is printed as bytes per sample comes from recordings where there are any.

use crate::payload::Rng;
use std::io;
use std::path::Path;

/// Waveforms that all beds share, each from another place on: a list of rates, each with its waveforms.
pub struct Signals(Vec<(u32, Vec<Vec<i16>>)>);

/// Seconds before it repeats: longer than any chunk, so that no compressor sees it twice.
const SECONDS: usize = 120;

fn bump(x: f64, at: f64, width: f64, height: f64) -> f64 {
    height * (-((x - at) / width).powi(2) / 2.0).exp()
}

fn noise(rng: &mut Rng, size: f64) -> f64 {
    // The sum of four is close enough to a bell curve.
    let sum: f64 = (0..4).map(|_| (rng.next() >> 11) as f64 / (1u64 << 53) as f64 - 0.5).sum();
    sum * size * 1.73
}

/// Waveforms there are; a bed with more of them begins again with the first.
const KINDS: usize = 4;
/// Rates at which monitors sample; a synthetic signal exists at each.
const RATES: [u32; 3] = [125, 250, 500];

impl Signals {
    /// ECG, pleth, pressure and respiration, at each of [`RATES`].
    pub fn synthetic() -> Self {
        Self(RATES.iter().map(|hertz| (*hertz, synthesise(*hertz))).collect())
    }

    /// Raw little-endian samples from a file, for every waveform and rate.
    pub fn recorded(file: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(file)?;
        let all: Vec<i16> = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        if all.len() < 1000 {
            return Err(io::Error::other("too few samples"));
        }
        Ok(Self(vec![(0, vec![all])]))
    }

    /// All of one waveform at the highest rate.
    pub fn whole(&self, wave: usize) -> &[i16] {
        self.at(wave, f64::INFINITY)
    }

    fn at(&self, wave: usize, hertz: f64) -> &[i16] {
        let (_, kinds) = self.0.iter().find(|(rate, _)| f64::from(*rate) >= hertz).unwrap_or(&self.0[self.0.len() - 1]);
        &kinds[wave % kinds.len()]
    }

    /// Appends `count` samples of `wave` from `from` on, as little-endian bytes.
    pub fn cut(&self, wave: usize, hertz: f64, from: usize, count: usize, out: &mut Vec<u8>) {
        let source = self.at(wave, hertz);
        for i in 0..count {
            out.extend_from_slice(&source[(from + i) % source.len()].to_le_bytes());
        }
    }
}

fn synthesise(hertz: u32) -> Vec<Vec<i16>> {
    let mut rng = Rng(0x0b4_0000_5eed);
    let n = SECONDS * hertz as usize;
    let (mut phase, mut beat, mut height) = (0.0, 0.85, 1.0);
    let mut out = vec![Vec::with_capacity(n); KINDS];
    for i in 0..n {
        let t = i as f64 / f64::from(hertz);
        phase += 1.0 / (beat * f64::from(hertz));
        if phase >= 1.0 {
            phase -= 1.0;
            beat = 0.85 + noise(&mut rng, 0.03);
            height = 1.0 + noise(&mut rng, 0.05);
        }
        let breath = (t * std::f64::consts::TAU / 4.1).sin();
        let ecg = bump(phase, 0.18, 0.025, 0.15)
            + bump(phase, 0.30, 0.008, -0.12)
            + bump(phase, 0.32, 0.011, 1.1 * height)
            + bump(phase, 0.345, 0.010, -0.25)
            + bump(phase, 0.58, 0.045, 0.3)
            + 0.05 * breath;
        let pulse = height * (bump(phase, 0.42, 0.07, 40.0) + bump(phase, 0.62, 0.10, 16.0)) + 3.0 * breath;
        out[0].push((ecg * 200.0 + noise(&mut rng, 1.5)) as i16);
        out[1].push((pulse * 30.0 + noise(&mut rng, 3.0)) as i16);
        out[2].push(((78.0 + pulse) * 20.0 + noise(&mut rng, 2.0)) as i16);
        out[3].push((breath * 400.0 + noise(&mut rng, 1.0)) as i16);
    }
    out
}
