//! What a patient does, and in what order.

use crate::rng::Rng;

/// What a patient is doing, or what is happening to them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activity {
    /// Lying awake.
    Awake,
    /// Asleep.
    Asleep,
    /// Moving about in bed, physiotherapy.
    Exertion,
    /// Up; the bed is empty.
    OutOfBed,
    /// Asleep and hardly getting air: the airway falls shut, saturation drops.
    Obstructed,
    /// Getting worse as in sepsis: 0 is well, 1 is shock.
    Deteriorating(f64),
}

/// Which activities follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Course {
    /// Always the same. Without artefacts unless put in.
    Steady(Activity),
    /// Awake, asleep, moving, sometimes up, at random.
    Everyday,
    /// Asleep; once in every `every` seconds hardly any breath for `length` seconds, the first time after a minute.
    BreathStops {
        /// Seconds from one to the next.
        every: u32,
        /// Seconds each lasts.
        length: u32,
    },
    /// As everyday, but from `onset` seconds on worse and worse for `rise` seconds; then as bad for half of that, then better; again and again.
    Sepsis {
        /// Seconds of calm before.
        onset: u32,
        /// Seconds from well to worst.
        rise: u32,
    },
}

/// Seconds of quiet before the first stop of breath.
const FIRST_STOP: u64 = 60;

/// Follows a [`Course`], second by second.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    course: Course,
    rng: Rng,
    second: u64,
    current: Activity,
    until: u64,
}

impl Timeline {
    pub(super) fn new(course: Course, rng: Rng) -> Self {
        let current = match course {
            Course::Steady(activity) => activity,
            Course::BreathStops { .. } => Activity::Asleep,
            Course::Everyday | Course::Sepsis { .. } => Activity::Awake,
        };
        let mut timeline = Self { course, rng, second: 0, current, until: 0 };
        timeline.until = timeline.rng.whole(60, 400) as u64;
        timeline
    }

    /// Whether things go wrong by themselves: a sensor falls off, an arm moves.
    pub(super) const fn is_steady(&self) -> bool {
        matches!(self.course, Course::Steady(_))
    }

    /// The activity of the next second.
    pub(super) fn next(&mut self) -> Activity {
        let second = self.second;
        self.second += 1;
        match self.course {
            Course::Steady(activity) => activity,
            Course::Everyday => self.everyday(second),
            Course::BreathStops { every, length } => {
                let t = second % u64::from(every.max(1));
                let stops = FIRST_STOP..FIRST_STOP + u64::from(length);
                if stops.contains(&t) { Activity::Obstructed } else { Activity::Asleep }
            }
            Course::Sepsis { onset, rise } => {
                let (onset, rise) = (f64::from(onset), f64::from(rise.max(1)));
                let t = second as f64 % (onset + rise * 2.5);
                let stage = if t < onset {
                    0.0
                } else if t < onset + rise {
                    (t - onset) / rise
                } else if t < onset + rise * 1.5 {
                    1.0
                } else {
                    (1.0 - (t - onset - rise * 1.5) / rise).max(0.0)
                };
                if stage > 0.0 { Activity::Deteriorating(stage) } else { Activity::Awake }
            }
        }
    }

    fn everyday(&mut self, second: u64) -> Activity {
        if second >= self.until {
            let (next, shortest, longest) = match self.current {
                Activity::Awake => match self.rng.whole(0, 9) {
                    0..=4 => (Activity::Asleep, 600, 2400),
                    5..=8 => (Activity::Exertion, 60, 180),
                    _ => (Activity::OutOfBed, 120, 300),
                },
                _ => (Activity::Awake, 240, 900),
            };
            self.current = next;
            self.until = second + self.rng.whole(shortest, longest) as u64;
        }
        self.current
    }
}
