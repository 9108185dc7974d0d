//! One channel of a bed: puts its blocks on one time line, keeps its state, and shows what it knows at a time.
//!
//! What always holds: the same samples give the same state however they were cut into blocks; a missing sample is never a value, except that
//! filters are carried over at most [`limits::GAP_BRIDGED_MS`]; memory is set when the channel begins.

use crate::beat::{Beat, Rhythm, within};
use crate::ecg::fibrillation::Look;
use crate::ecg::lead::{EcgSecond, Lead};
use crate::filter::samples_in;
use crate::limits;
use crate::pressure::{PressureBeat, Pressures};
use crate::pulse::curve::{Curve, PulseSecond};
use crate::quality::{Second, SignalQuality, Summing, of_samples, unbroken};
use crate::respiration::{Breathing, Breaths};
use crate::ring::Ring;
use crate::settings::Settings;
use crate::timeline::{Clock, Joint};
use obhut_model::{Code, DeviceTime, Quality, SampleRate, Wave};

/// What a curve is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// An ECG lead.
    Ecg,
    /// A plethysmogram.
    Pleth,
    /// An arterial pressure.
    Pressure,
    /// A breathing curve by impedance.
    Respiration,
}

impl Sort {
    /// What `code` stands for; `None` if this crate has nothing to say about it.
    #[must_use]
    pub const fn of(code: Code) -> Option<Self> {
        match code {
            Code::ECG_LEAD_UNKNOWN | Code::ECG_LEAD_I | Code::ECG_LEAD_II | Code::ECG_LEAD_III => Some(Self::Ecg),
            Code::ECG_LEAD_AVR | Code::ECG_LEAD_AVL | Code::ECG_LEAD_AVF => Some(Self::Ecg),
            Code::ECG_LEAD_V1 | Code::ECG_LEAD_V2 | Code::ECG_LEAD_V3 => Some(Self::Ecg),
            Code::ECG_LEAD_V4 | Code::ECG_LEAD_V5 | Code::ECG_LEAD_V6 => Some(Self::Ecg),
            Code::PULS_OXIM_PLETH => Some(Self::Pleth),
            Code::PRESS_BLD_ART_ABP => Some(Self::Pressure),
            Code::RESP => Some(Self::Respiration),
            _ => None,
        }
    }

    const fn rate_min(self) -> u32 {
        match self {
            Self::Ecg => limits::ECG_RATE_MIN,
            Self::Pleth | Self::Pressure => limits::PULSE_RATE_MIN,
            Self::Respiration => limits::RESPIRATION_RATE_MIN,
        }
    }

    /// Whether `rate` is one this crate computes with.
    #[must_use]
    pub fn takes(self, rate: SampleRate) -> bool {
        (self.rate_min()..=limits::RATE_MAX).contains(&rate.microhertz())
    }
}

#[derive(Debug, Clone)]
enum Inner {
    Ecg(Box<Lead>, Ring<Second<EcgSecond>>),
    Pulse(Box<Curve>, Ring<Second<PulseSecond>>),
    Respiration(Box<Breaths>, Ring<Second<Option<Breathing>>>),
}

#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) code: Code,
    pub(crate) sort: Sort,
    rate: SampleRate,
    clock: Clock,
    summing: Summing,
    /// Filters may be carried over so many more samples.
    bridge: usize,
    value: f64,
    settings: Settings,
    inner: Inner,
}

/// What a channel knows at a time.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) code: Code,
    pub(crate) sort: Sort,
    pub(crate) quality: SignalQuality,
    /// Over the last ten seconds.
    pub(crate) rhythm: Rhythm,
    /// Over the window for rates of events.
    pub(crate) recent: Rhythm,
    /// ECG: seconds of quiet on a good signal. Pulse: seconds since the last pulse, if there ever was one and the quality is known.
    pub(crate) quiet_s: f64,
    /// ECG: the largest complex that could hide in the quiet, mV.
    pub(crate) quiet_mv: f64,
    /// Seconds back to the last gap, as far as fifteen.
    pub(crate) unbroken_s: f64,
    /// Pulses or beats were seen at all.
    pub(crate) had_beats: bool,
    pub(crate) agreement: Option<u32>,
    /// ECG: how each of the last seconds looked, newest last.
    pub(crate) looks: Vec<Option<Look>>,
    pub(crate) breathing: Option<Breathing>,
    pub(crate) pressures: Option<Pressures>,
    /// Mean of a pulse curve.
    pub(crate) level: Option<f64>,
}

const WINDOW: i64 = 10_000_000;

impl Channel {
    pub(crate) fn new(code: Code, sort: Sort, rate: SampleRate, start: DeviceTime, settings: &Settings) -> Self {
        let inner = match sort {
            Sort::Ecg => Inner::Ecg(Box::new(Lead::new(rate, settings.qrs_min_mv)), Ring::new(limits::SECONDS_KEPT)),
            Sort::Pleth => {
                Inner::Pulse(Box::new(Curve::pleth(rate, settings.pleth_min)), Ring::new(limits::SECONDS_KEPT))
            }
            Sort::Pressure => Inner::Pulse(
                Box::new(Curve::pressure(rate, settings.pressure_min, settings.gate)),
                Ring::new(limits::SECONDS_KEPT),
            ),
            Sort::Respiration => Inner::Respiration(Box::new(Breaths::new(rate)), Ring::new(limits::SECONDS_KEPT)),
        };
        Self {
            code,
            sort,
            rate,
            clock: Clock::new(start, rate),
            summing: Summing::new(samples_in(rate, 1000), samples_in(rate, 100)),
            bridge: 0,
            value: 0.0,
            settings: *settings,
            inner,
        }
    }

    /// Takes a block; begins anew after a long gap, a step back or a change of rate.
    pub(crate) fn push(&mut self, wave: &Wave<'_>) {
        let (before, skip) = match self.clock.joint(wave.start) {
            Joint::After(samples) if wave.rate == self.rate => (samples, 0),
            Joint::Again(samples) if wave.rate == self.rate => (0, samples),
            _ => {
                *self = Self::new(self.code, self.sort, wave.rate, wave.start, &self.settings);
                (0, 0)
            }
        };
        for _ in 0..before {
            self.sample(None, 0.0, false, false);
        }
        let quality = wave.quality;
        let off = [Quality::INVALID, Quality::SENSOR_OFF, Quality::CALIBRATING].iter().any(|flag| quality.has(*flag));
        let doubted = quality.has(Quality::QUESTIONABLE);
        for sample in wave.samples.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)) {
            let value = wave.scale.value(sample).filter(|value| value.is_finite() && !off);
            self.sample(value.map(|_| sample), value.unwrap_or(0.0), off, doubted);
        }
    }

    fn sample(&mut self, raw: Option<i16>, value: f64, off: bool, doubted: bool) {
        self.clock.tick();
        match raw {
            Some(_) => {
                self.bridge = samples_in(self.rate, limits::GAP_BRIDGED_MS);
                self.value = value;
                self.feed(value);
            }
            None if self.bridge > 0 => {
                self.bridge -= 1;
                self.feed(self.value);
            }
            None => match &mut self.inner {
                Inner::Ecg(lead, _) => lead.gap(),
                Inner::Pulse(curve, _) => curve.gap(),
                Inner::Respiration(breaths, _) => breaths.gap(),
            },
        }
        if self.summing.push(raw, off, doubted) {
            let end = self.clock.at(self.clock.index().saturating_add(1)).micros();
            match &mut self.inner {
                Inner::Ecg(lead, seconds) => drop(seconds.push(self.summing.take(end, lead.second()))),
                Inner::Pulse(curve, seconds) => drop(seconds.push(self.summing.take(end, curve.second()))),
                Inner::Respiration(breaths, seconds) => drop(seconds.push(self.summing.take(end, breaths.rate()))),
            }
        }
    }

    fn feed(&mut self, value: f64) {
        match &mut self.inner {
            Inner::Ecg(lead, _) => lead.push(value, &self.clock),
            Inner::Pulse(curve, _) => curve.push(value, &self.clock),
            Inner::Respiration(breaths, _) => breaths.push(value),
        }
    }

    fn all_beats(&self) -> Option<&Ring<Beat>> {
        match &self.inner {
            Inner::Ecg(lead, _) => Some(&lead.beats),
            Inner::Pulse(curve, _) => Some(&curve.beats),
            Inner::Respiration(..) => None,
        }
    }

    /// Beats or pulses remembered, oldest first.
    pub(crate) fn beats(&self) -> impl DoubleEndedIterator<Item = &Beat> {
        self.all_beats().into_iter().flat_map(Ring::iter)
    }

    pub(crate) fn pressures(&self) -> impl Iterator<Item = &PressureBeat> {
        let pulse = if let Inner::Pulse(curve, _) = &self.inner { Some(&curve.pressures) } else { None };
        pulse.into_iter().flat_map(Ring::iter)
    }

    /// The run of beats in `from..=to`, as known at `to`.
    pub(crate) fn rhythm(&self, from: i64, to: i64, known_at: i64) -> Rhythm {
        match self.all_beats() {
            Some(beats) => Rhythm::of(within(beats, from, to, known_at), from, to),
            None => Rhythm::of([].iter(), from, to),
        }
    }

    /// When its first sample was taken.
    pub(crate) fn begun(&self) -> i64 {
        self.clock.at(0).micros()
    }

    /// Everything known from samples up to `at`.
    pub(crate) fn view(&self, at: DeviceTime) -> View {
        let at = at.micros();
        let from = at.saturating_sub(WINDOW);
        let recent = at.saturating_sub((self.settings.events.rate_window_s.clamp(0.0, 30.0) * 1e6) as i64);
        let limits = &self.settings.quality;
        let mut view = View {
            code: self.code,
            sort: self.sort,
            quality: SignalQuality::Unknown(crate::quality::Lack::Starting),
            rhythm: self.rhythm(from, at, at),
            recent: self.rhythm(recent, at, at),
            quiet_s: 0.0,
            quiet_mv: 0.0,
            unbroken_s: 0.0,
            had_beats: false,
            agreement: None,
            looks: Vec::new(),
            breathing: None,
            pressures: None,
            level: None,
        };
        match &self.inner {
            Inner::Ecg(lead, seconds) => {
                let all = seconds;
                view.unbroken_s = unbroken_s(all, at);
                let seconds = recent_seconds(all, from, at);
                let judged = lead.judge(all, &seconds, at, limits);
                (view.quality, view.agreement) = (judged.quality, judged.agreement);
                (view.quiet_s, view.quiet_mv) = (judged.quiet_s, judged.quiet_mv);
                view.looks = seconds.iter().map(|second| second.more.look).collect();
            }
            Inner::Pulse(curve, seconds) => {
                view.unbroken_s = unbroken_s(seconds, at);
                let seconds = recent_seconds(seconds, from, at);
                view.quality = curve.judge(&seconds, at, limits);
                view.level = Curve::level(&seconds);
                let last = within(&curve.beats, i64::MIN, at, at).next_back();
                if let (Some(last), true) = (last, view.quality.is_known()) {
                    // A gap is no quiet.
                    view.quiet_s = (at.saturating_sub(last.at.micros()) as f64 / 1e6).min(view.unbroken_s);
                }
                view.pressures = Pressures::of(curve.pressures_in(from, at)).filter(|_| view.quality.is_known());
            }
            Inner::Respiration(_, seconds) => {
                let seconds = recent_seconds(seconds, from, at);
                view.quality = of_samples(&seconds, at, limits);
                view.breathing = seconds.last().and_then(|second| second.more).filter(|_| view.quality.is_known());
            }
        }
        view.had_beats = self.all_beats().is_some_and(|beats| within(beats, i64::MIN, at, at).nth(2).is_some());
        view
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.inner {
                Inner::Ecg(lead, seconds) => size_of::<Lead>() + lead.bytes() + seconds.bytes(),
                Inner::Pulse(curve, seconds) => size_of::<Curve>() + curve.bytes() + seconds.bytes(),
                Inner::Respiration(breaths, seconds) => size_of::<Breaths>() + breaths.bytes() + seconds.bytes(),
            }
    }
}

fn unbroken_s<X>(seconds: &Ring<Second<X>>, at: i64) -> f64 {
    unbroken(&recent_seconds(seconds, at.saturating_sub(16_000_000), at), at) as f64 / 1e6
}

fn recent_seconds<X>(seconds: &Ring<Second<X>>, from: i64, at: i64) -> Vec<&Second<X>> {
    seconds.iter().filter(|second| second.end > from && second.end <= at).collect()
}
