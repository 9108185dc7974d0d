//! What one curve can testify about the last seconds, and whether it is to be believed.

use crate::beat::Rhythm;
use crate::bed::is_pulse;
use crate::channel::{Channel, Sort, View};
use crate::quality::{Doubt, SignalQuality};

/// How far back is looked: an alarm must sound within ten seconds, so its cause began within that and its own length.
const LOOK_BACK: i64 = 14_000_000;

/// A pulse may be known this late; what is younger is not missed.
const PULSE_LATE: i64 = 1_000_000;

/// Beats whose intervals vary more do not contradict. Movement of a finger looks like pulses, but seldom as even as this.
const VARIATION_MAX: f64 = 0.2;

/// The same where a good ECG says that there are none.
const VARIATION_STRICT: f64 = 0.12;

/// Beats less alike are no witness.
const LIKENESS_MIN: f64 = 0.6;

/// Pulses less alike do not contradict a good ECG.
const LIKENESS_STRICT: f64 = 0.8;

/// Pulses that contradict have about the rate and the height of those before the time looked at.
const CHANGE_MAX: f64 = 1.25;
const HEIGHT_CHANGE_MAX: f64 = 2.5;

/// How far back "before" reaches.
const BEFORE: i64 = 30_000_000;

/// Intervals over which the most extreme rate is looked for.
const INTERVALS: usize = 4;

/// Intervals for the fastest rate (the challenge asks for 17 beats; what is shorter is no lasting tachycardia).
const INTERVALS_FAST: usize = 8;

/// A curve with beats or pulses, and what it saw in the last seconds.
pub(super) struct Witness<'a> {
    pub(super) view: &'a View,
    pub(super) rhythm: Rhythm,
    pub(super) slowest: Option<f64>,
    pub(super) fastest: Option<f64>,
    /// Before the time looked at.
    before: Rhythm,
    /// Seconds since the last beat; endless if there was none in the time looked at.
    pub(super) since_s: f64,
}

impl Witness<'_> {
    pub(super) fn is_pulse(&self) -> bool {
        is_pulse(self.view.sort)
    }

    pub(super) fn is_ecg(&self) -> bool {
        self.view.sort == Sort::Ecg
    }

    /// Whether its beats can be believed: known quality, enough of them, alike.
    pub(super) fn is_trusted(&self) -> bool {
        let trusted = match self.view.quality {
            SignalQuality::Good => true,
            SignalQuality::Doubtful(doubt) => self.is_pulse() && matches!(doubt, Doubt::Shape | Doubt::Implausible),
            SignalQuality::Unknown(_) => false,
        };
        trusted && self.rhythm.beats >= 5 && self.rhythm.likeness.is_some_and(|likeness| likeness >= LIKENESS_MIN)
    }

    /// Whether there was no beat for `seconds`: until now, or before, if nothing of that time is missing.
    pub(super) fn paused(&self, seconds: f64) -> bool {
        let whole = self.view.unbroken_s * 1e6 >= LOOK_BACK as f64;
        self.view.quiet_s >= seconds || (whole && self.rhythm.pause_s >= seconds)
    }

    /// Whether its beats go on as they did: even, alike, and with the rate and height they had. Noise in a pulse curve does not. `strictly`:
    /// against a good ECG.
    pub(super) fn is_regular(&self, strictly: bool) -> bool {
        let (variation, likeness) =
            if strictly { (VARIATION_STRICT, LIKENESS_STRICT) } else { (VARIATION_MAX, LIKENESS_MIN) };
        let near = |now: Option<f64>, before: Option<f64>, most: f64| match (now, before) {
            (Some(now), Some(before)) => now <= before * most && before <= now * most,
            _ => true,
        };
        self.is_trusted()
            && self.rhythm.variation.is_some_and(|value| value <= variation)
            && self.rhythm.likeness.is_some_and(|value| value >= likeness)
            && near(self.rhythm.rate, self.before.rate, CHANGE_MAX)
            && near(self.rhythm.height, self.before.height, HEIGHT_CHANGE_MAX)
    }
}

pub(super) fn witnesses<'a>(channels: &[Channel], views: &'a [View], at: i64) -> Vec<Witness<'a>> {
    channels
        .iter()
        .zip(views)
        .filter(|(_, view)| view.sort == Sort::Ecg || is_pulse(view.sort))
        .map(|(channel, view)| {
            let to = at.saturating_sub(PULSE_LATE);
            let from = at.saturating_sub(LOOK_BACK).max(channel.begun().saturating_add(2_500_000)).min(to);
            let last = channel.beats().rfind(|beat| beat.at.micros() >= from && beat.found_at.micros() <= at);
            let since = last.map(|beat| at.saturating_sub(beat.at.micros()));
            let (slowest, fastest) = extremes(channel, from, at, since);
            let since_s = since.map_or(f64::INFINITY, |since| since as f64 / 1e6);
            let before = channel.rhythm(at.saturating_sub(BEFORE), from, at);
            Witness { view, rhythm: channel.rhythm(from, to, at), slowest, fastest, before, since_s }
        })
        .collect()
}

/// Slowest and fastest mean rate over a few neighbouring intervals. The one that is still open counts as far as it certainly goes, for the slowest.
fn extremes(channel: &Channel, from: i64, at: i64, since: Option<i64>) -> (Option<f64>, Option<f64>) {
    let seconds = |micros: i64| (micros as f64 / 1e6).max(1e-3);
    let closed: Vec<f64> = channel
        .beats()
        .filter(|beat| beat.at.micros() >= from && beat.found_at.micros() <= at)
        .filter_map(|beat| beat.interval)
        .map(seconds)
        .collect();
    let open = since.map(|since| seconds(since.saturating_sub(PULSE_LATE)));
    let mut all = closed.clone();
    all.extend(open.filter(|open| closed.last().is_some_and(|last| open > last)));
    let rates = |of: &[f64], n: usize| -> Vec<f64> {
        of.windows(n).map(|some| 60.0 * n as f64 / some.iter().sum::<f64>()).collect()
    };
    (rates(&all, INTERVALS).into_iter().reduce(f64::min), rates(&closed, INTERVALS_FAST).into_iter().reduce(f64::max))
}
