//! The second detector: two moving averages related to the event.
//!
//! Source: Elgendi M, "Fast QRS detection with an optimized knowledge-based method", PLOS ONE 8 (2013) e73557: squared band-pass, mean over
//! 97 ms against mean over 611 ms plus 8 % of the overall mean; a block of at least 97 ms is a complex. Ours: the overall mean is that of the
//! last 2.5 s, because a stream has no end. It has no memory of heights, so it finds "beats" in noise where the first detector finds none:
//! that makes it worth asking.

use crate::filter::{MovingSum, samples_in};
use crate::ring::Ring;
use obhut_model::SampleRate;

#[derive(Debug, Clone)]
pub(crate) struct Elgendi {
    event: MovingSum,
    cycle: MovingSum,
    whole: MovingSum,
    /// Event means, held back until the cycle mean is centred on the same sample.
    waiting: Ring<i64>,
    squares: Ring<i64>,
    back: usize,
    refractory: i64,
    delay: i64,
    index: i64,
    block: i64,
    top: (i64, i64),
    last: Option<i64>,
}

impl Elgendi {
    pub(crate) fn new(rate: SampleRate, delay: usize) -> Self {
        let (event, cycle) = (MovingSum::new(samples_in(rate, 97)), MovingSum::new(samples_in(rate, 611)));
        let back = (cycle.len() - cycle.len().min(event.len())) / 2;
        Self {
            whole: MovingSum::new(samples_in(rate, 2500)),
            waiting: Ring::new(back + 1),
            squares: Ring::new(cycle.len()),
            back,
            refractory: samples_in(rate, 200) as i64,
            delay: delay as i64,
            index: -1,
            block: 0,
            top: (0, 0),
            last: None,
            event,
            cycle,
        }
    }

    pub(crate) fn gap(&mut self) {
        self.index = self.index.saturating_add(1);
        if self.waiting.len() > 0 {
            self.event.restart(0);
            self.cycle.restart(0);
            self.whole.restart(0);
            self.waiting.clear();
            self.squares.clear();
            self.block = 0;
        }
    }

    /// The next band-passed sample; the sample of a beat, when one has ended.
    pub(crate) fn push(&mut self, band: i64) -> Option<i64> {
        self.index = self.index.saturating_add(1);
        // Whole microvolts, and no more than 33 V, so that the sum of 2.5 s at 1000 Hz fits.
        let small = (band >> 2).clamp(-(1 << 25), 1 << 25);
        let square = small.saturating_mul(small);
        self.squares.push(square);
        let event = self.event.mean(square);
        let cycle = self.cycle.mean(square);
        let whole = self.whole.mean(square);
        self.waiting.push(event);
        let event = *self.waiting.back(self.back)?;
        let middle = self.cycle.len() / 2;
        if event > cycle.saturating_add(whole / 25 * 2) {
            if self.block == 0 {
                self.top = (-1, 0);
            }
            self.block += 1;
            let here = self.squares.back(middle).copied().unwrap_or(0);
            if here > self.top.0 {
                self.top = (here, self.index - middle as i64 - self.delay);
            }
            return None;
        }
        let block = std::mem::take(&mut self.block);
        let apart = self.last.is_none_or(|last| self.top.1 - last >= self.refractory);
        if block >= self.event.len() as i64 && apart {
            self.last = Some(self.top.1);
            return Some(self.top.1);
        }
        None
    }

    pub(crate) fn bytes(&self) -> usize {
        self.event.bytes() + self.cycle.bytes() + self.whole.bytes() + self.waiting.bytes() + self.squares.bytes()
    }
}
