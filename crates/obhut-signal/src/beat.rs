//! Beats and pulses as every part of the crate hands them on, and what a run of them says.
//!
//! An interval exists only between neighbours without a gap between them.

use crate::filter::median;
use crate::ring::Ring;
use obhut_model::DeviceTime;

/// A heart beat in an ECG lead, or a pulse in a pulse curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// When: the steepest part of the QRS complex, or the foot of the pulse.
    pub at: DeviceTime,
    /// When the samples were there from which it is known.
    pub found_at: DeviceTime,
    /// Microseconds since the beat before (pulses: from half height to half height); `None` for the first one and after a gap.
    pub interval: Option<i64>,
    /// Height in the unit of the curve: of the filtered complex (mV, a fifth of a usual complex's height), or foot to peak of the pulse.
    pub height: f64,
    /// Correlation with the usual beat of this channel, -1 to 1; `None` where there is no usual beat yet.
    pub likeness: Option<f64>,
}

/// What a run of beats between two times says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// How many beats.
    pub beats: usize,
    /// Beats per minute by the median interval; needs two intervals.
    pub rate: Option<f64>,
    /// Beats per minute by the mean interval; needs two intervals.
    pub mean_rate: Option<f64>,
    /// Longest stretch without a beat, seconds, the open ends included.
    pub pause_s: f64,
    /// Standard deviation of the intervals over their mean; needs three intervals.
    pub variation: Option<f64>,
    /// Mean likeness, where known.
    pub likeness: Option<f64>,
    /// Median height.
    pub height: Option<f64>,
}

/// Beats of `all` in `from..=to`, as known at `known_at`.
pub(crate) fn within(
    all: &Ring<Beat>,
    from: i64,
    to: i64,
    known_at: i64,
) -> impl DoubleEndedIterator<Item = &Beat> + Clone {
    all.iter()
        .filter(move |beat| beat.at.micros() >= from && beat.at.micros() <= to && beat.found_at.micros() <= known_at)
}

impl Rhythm {
    /// Sums up `beats`, oldest first, over `from..=to` in microseconds.
    pub(crate) fn of<'a>(beats: impl Iterator<Item = &'a Beat>, from: i64, to: i64) -> Self {
        let beats: Vec<&Beat> = beats.collect();
        let intervals: Vec<f64> = beats
            .iter()
            .filter_map(|beat| beat.interval.filter(|_| beat.at.micros() > from))
            .map(|interval| interval as f64 / 1e6)
            .filter(|interval| *interval > 0.0)
            .collect();
        let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let enough = |n: usize| intervals.len() >= n;
        let mut before = from;
        let mut pause = 0;
        for at in beats.iter().map(|beat| beat.at.micros()).chain([to]) {
            pause = pause.max(at.saturating_sub(before));
            before = at;
        }
        let likeness: Vec<f64> = beats.iter().filter_map(|beat| beat.likeness).collect();
        let average = mean(&intervals);
        let spread = average.map(|average| {
            let squares: f64 = intervals.iter().map(|interval| (interval - average).powi(2)).sum();
            (squares / intervals.len() as f64).sqrt() / average
        });
        Self {
            beats: beats.len(),
            rate: median(intervals.iter().copied()).filter(|_| enough(2)).map(|interval| 60.0 / interval),
            mean_rate: average.filter(|_| enough(2)).map(|interval| 60.0 / interval),
            pause_s: pause as f64 / 1e6,
            variation: spread.filter(|_| enough(3)),
            likeness: mean(&likeness),
            height: median(beats.iter().map(|beat| beat.height)),
        }
    }
}

/// Points of a beat that are compared.
const POINTS: usize = 32;

/// The usual shape of a channel's beats: an average that forgets (Orphanidou 2015 compares with the mean of a window; a stream forgets instead).
#[derive(Debug, Clone)]
pub(crate) struct Template {
    shape: [f64; POINTS],
    beats: u32,
    strange: u32,
}

/// Beats less alike than this do not change the usual one, or disturbances would soon be what is usual.
const LEARN_MIN: f64 = 0.6;

/// So many strange beats in a row are a new usual one.
const STRANGE_MAX: u32 = 40;

impl Template {
    pub(crate) const fn new() -> Self {
        Self { shape: [0.0; POINTS], beats: 0, strange: 0 }
    }

    /// Compares the curve that `sample` gives for `0..len` with the usual one, then lets it count. `None` while there is no usual one, and
    /// where the curve is incomplete or flat.
    pub(crate) fn compare(&mut self, len: usize, sample: impl Fn(usize) -> Option<i64>) -> Option<f64> {
        let mut points = [0.0; POINTS];
        for (n, point) in points.iter_mut().enumerate() {
            *point = sample(n * len.saturating_sub(1) / (POINTS - 1))? as f64;
        }
        // Breathing tilts pulses; the line from end to end is taken away.
        if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
            for (n, point) in points.iter_mut().enumerate() {
                *point -= first + (last - first) * n as f64 / (POINTS - 1) as f64;
            }
        }
        let mean = points.iter().sum::<f64>() / POINTS as f64;
        points.iter_mut().for_each(|point| *point -= mean);
        let size = points.iter().map(|point| point * point).sum::<f64>().sqrt();
        // Samples are whole steps; what is left of a straight line is rounding.
        if size < 0.5 {
            return None;
        }
        points.iter_mut().for_each(|point| *point /= size);
        let length = self.shape.iter().map(|point| point * point).sum::<f64>().sqrt();
        let along: f64 = points.iter().zip(&self.shape).map(|(a, b)| a * b).sum();
        let likeness = (self.beats >= 3 && length > 0.0).then(|| (along / length).clamp(-1.0, 1.0));
        if likeness.is_some_and(|likeness| likeness < LEARN_MIN) {
            self.strange += 1;
            if self.strange < STRANGE_MAX {
                return likeness;
            }
            (self.shape, self.beats) = ([0.0; POINTS], 0);
        }
        self.strange = 0;
        let weight = (1.0 / (f64::from(self.beats) + 1.0)).max(0.1);
        for (usual, point) in self.shape.iter_mut().zip(points) {
            *usual += (point - *usual) * weight;
        }
        self.beats = self.beats.saturating_add(1);
        likeness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_at_the_end_counts() {
        let beat = |second: i64| Beat {
            at: DeviceTime::from_micros(second * 1_000_000),
            found_at: DeviceTime::from_micros(second * 1_000_000 + 400_000),
            interval: (second > 1).then_some(1_000_000),
            height: 1.0,
            likeness: None,
        };
        let beats: Vec<Beat> = (1..=5).map(beat).collect();
        let rhythm = Rhythm::of(beats.iter(), 0, 10_000_000);
        assert_eq!((rhythm.beats, rhythm.rate, rhythm.pause_s), (5, Some(60.0), 5.0));
        assert_eq!(rhythm.variation, Some(0.0));
        assert_eq!(Rhythm::of([].iter(), 0, 10_000_000).pause_s, 10.0);
    }

    #[test]
    fn another_shape_is_less_alike() {
        let mut template = Template::new();
        let bump = |n: usize| Some(if n == 40 { 1000 } else { n as i64 });
        for _ in 0..5 {
            template.compare(80, |n| bump(n / 4 * 4));
        }
        assert!(template.compare(80, |n| Some((n * n) as i64)).unwrap() < 0.9);
        assert_eq!(template.compare(32, |n| Some(n as i64)), None);
        assert_eq!(template.compare(80, |_| None), None);
    }
}
