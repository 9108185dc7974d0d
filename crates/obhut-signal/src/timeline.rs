//! Where in time a sample stands: blocks with their own start times become one count of samples, gaps included.

use crate::limits;
use obhut_model::{DeviceTime, SampleRate};

/// Counts samples from an anchor.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    anchor: DeviceTime,
    rate: SampleRate,
    /// Samples counted so far.
    count: i64,
}

/// What a block means for the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// So many samples are missing before the block; usually none.
    After(u64),
    /// So many samples of it were there before and are left out.
    Again(u64),
    /// Too far away: begin anew.
    Anew,
}

impl Clock {
    pub(crate) fn new(anchor: DeviceTime, rate: SampleRate) -> Self {
        Self { anchor, rate, count: 0 }
    }

    /// How a block that starts at `start` joins on. Up to half a sample is rounding.
    pub(crate) fn joint(&self, start: DeviceTime) -> Joint {
        let due = self.at(self.count);
        let off = start.since(due);
        if off.unsigned_abs() > limits::GAP_COUNTED_MICROS.unsigned_abs() {
            return Joint::Anew;
        }
        let samples = self.rate.index_at(off.abs());
        if off >= 0 { Joint::After(samples) } else { Joint::Again(samples) }
    }

    /// Counts a sample.
    pub(crate) fn tick(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    /// Index of the newest sample.
    pub(crate) fn index(&self) -> i64 {
        self.count.saturating_sub(1)
    }

    /// When sample `index` was taken.
    pub(crate) fn at(&self, index: i64) -> DeviceTime {
        let offset = self.rate.offset_micros(index.unsigned_abs());
        self.anchor.plus_micros(if index < 0 { offset.saturating_neg() } else { offset })
    }

    /// When the newest sample was taken.
    pub(crate) fn now(&self) -> DeviceTime {
        self.at(self.index())
    }
}
