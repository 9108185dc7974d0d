//! All channels of one bed, and what they say together.

use crate::beat::Beat;
use crate::channel::{Channel, Sort, View};
use crate::events::{self, Condition};
use crate::limits;
use crate::pressure::{PressureBeat, Pressures};
use crate::quality::SignalQuality;
use crate::respiration::Breathing;
use crate::settings::{PlethZero, Settings};
use crate::verify::{self, Claim, Verdict};
use obhut_model::{Code, DeviceTime, Wave};

/// Why a block was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// This crate has nothing to say about such curves.
    #[error("`{0}` is no curve that is analysed")]
    Code(Code),
    /// Too slow or too fast for what it is.
    #[error("`{0}`: a curve of this sample rate is not analysed")]
    Rate(Code),
    /// A scale that cannot be computed with.
    #[error("`{0}`: the scale cannot be computed with")]
    Scale(Code),
    /// More than [`limits::CHANNELS_MAX`].
    #[error("a bed has at most {} channels", limits::CHANNELS_MAX)]
    Channels,
}

/// A number with the channel it was computed from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured<T> {
    /// The channel.
    pub code: Code,
    /// The number.
    pub value: T,
    /// Quality of the channel; never [`SignalQuality::Unknown`].
    pub quality: SignalQuality,
}

/// How strong the pulse is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Perfusion {
    /// Perfusion index: pulse over constant part, percent.
    Index(f64),
    /// Height of the pulse in the curve's own unit; only comparable with itself, and only while the device does not change its gain.
    Relative(f64),
}

/// One channel at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelReport {
    /// What it is.
    pub code: Code,
    /// What it is taken for.
    pub sort: Sort,
    /// How good it is.
    pub quality: SignalQuality,
    /// Beats or pulses per minute by the median interval of the last ten seconds.
    pub rate: Option<f64>,
    /// Longest stretch without a beat in the last ten seconds. Means nothing where quality is unknown.
    pub pause_s: f64,
    /// Agreement of two detectors (bSQI), percent; ECG only.
    pub agreement_percent: Option<u32>,
    /// Mean correlation of beats with the usual one.
    pub likeness: Option<f64>,
    /// Standard deviation of the intervals over their mean.
    pub variation: Option<f64>,
}

/// Everything known at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The time.
    pub at: DeviceTime,
    /// Every channel, in the order they came.
    pub channels: Vec<ChannelReport>,
    /// Beats per minute, from the best ECG lead: median interval of the last ten seconds.
    pub heart_rate: Option<Measured<f64>>,
    /// Pulses per minute, from the best pulse curve, in the same way.
    pub pulse_rate: Option<Measured<f64>>,
    /// Arterial pressures.
    pub pressures: Option<Measured<Pressures>>,
    /// Breaths per minute.
    pub respiration: Option<Measured<Breathing>>,
    /// Strength of the pulse in the plethysmogram.
    pub perfusion: Option<Measured<Perfusion>>,
    /// What is there now.
    pub conditions: Vec<Condition>,
}

/// The channels of one bed. Feed it blocks as they come; ask it about a time once samples up to that time have come.
#[derive(Debug, Clone)]
pub struct Bed {
    settings: Settings,
    channels: Vec<Channel>,
}

impl Bed {
    /// A bed without channels.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, channels: Vec::new() }
    }

    /// What it was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a block. Blocks of one channel come in order; those of different channels need not.
    ///
    /// # Errors
    /// [`Refused`]; nothing was taken.
    pub fn push(&mut self, wave: &Wave<'_>) -> Result<(), Refused> {
        let sort = Sort::of(wave.code).ok_or(Refused::Code(wave.code))?;
        if !sort.takes(wave.rate) {
            return Err(Refused::Rate(wave.code));
        }
        if !wave.scale.is_usable() {
            return Err(Refused::Scale(wave.code));
        }
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.code == wave.code) {
            channel.push(wave);
            return Ok(());
        }
        if self.channels.len() >= limits::CHANNELS_MAX {
            return Err(Refused::Channels);
        }
        let mut channel = Channel::new(wave.code, sort, wave.rate, wave.start, &self.settings);
        channel.push(wave);
        self.channels.push(channel);
        Ok(())
    }

    /// Forgets a channel, for instance because its device was taken away.
    pub fn remove(&mut self, code: Code) {
        self.channels.retain(|channel| channel.code != code);
    }

    /// Beats or pulses of a channel that are remembered, oldest first.
    pub fn beats(&self, code: Code) -> impl Iterator<Item = &Beat> {
        self.channels.iter().filter(move |channel| channel.code == code).flat_map(Channel::beats)
    }

    /// Pressure beats of a channel that are remembered, oldest first.
    pub fn pressure_beats(&self, code: Code) -> impl Iterator<Item = &PressureBeat> {
        self.channels.iter().filter(move |channel| channel.code == code).flat_map(Channel::pressures)
    }

    /// What is known at `at`, from what was found in samples up to then.
    #[must_use]
    pub fn assess(&self, at: DeviceTime) -> Assessment {
        let views: Vec<View> = self.channels.iter().map(|channel| channel.view(at)).collect();
        let heart = best(&views, |view| view.sort == Sort::Ecg && view.rhythm.rate.is_some());
        let pulse = best(&views, |view| is_pulse(view.sort) && view.rhythm.rate.is_some());
        let rate =
            |view: &View| view.rhythm.rate.map(|value| Measured { code: view.code, value, quality: view.quality });
        let heart_rate = heart.and_then(rate);
        let pulse_rate = pulse.and_then(rate);
        let beat_rate = heart_rate.or(pulse_rate).map(|rate| rate.value);
        Assessment {
            at,
            channels: views.iter().map(report).collect(),
            heart_rate,
            pulse_rate,
            pressures: best(&views, |view| view.pressures.is_some())
                .and_then(|view| Some(Measured { code: view.code, value: view.pressures?, quality: view.quality })),
            respiration: best(&views, |view| view.breathing.is_some())
                .and_then(|view| Some(Measured { code: view.code, value: view.breathing?, quality: view.quality }))
                // What keeps time with the heart is the heart, seen in the breathing curve.
                .filter(|breathing| beat_rate.is_none_or(|beats| (breathing.value.rate - beats).abs() > beats * 0.05)),
            perfusion: best(&views, |view| view.sort == Sort::Pleth && view.rhythm.beats >= 3)
                .and_then(|view| self.perfusion(view)),
            conditions: events::conditions(&self.settings.events, &self.channels, &views, at),
        }
    }

    /// A second opinion: was there, in the last seconds before `at`, what somebody claims?
    #[must_use]
    pub fn verify(&self, claim: Claim, at: DeviceTime) -> Verdict {
        let views: Vec<View> = self.channels.iter().map(|channel| channel.view(at)).collect();
        verify::verify(claim, &self.settings.events, &self.channels, &views, at)
    }

    fn perfusion(&self, view: &View) -> Option<Measured<Perfusion>> {
        let height = view.rhythm.height?;
        let value = match (self.settings.pleth_zero, view.level) {
            (PlethZero::Absolute, Some(level)) if level > 0.0 => Perfusion::Index(height * 100.0 / level),
            _ => Perfusion::Relative(height),
        };
        Some(Measured { code: view.code, value, quality: view.quality })
    }

    /// Bytes it takes, all together; at most [`limits::CHANNELS_MAX`] times [`limits::CHANNEL_BYTES_MAX`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.channels.iter().map(Channel::bytes).sum()
    }
}

pub(crate) const fn is_pulse(sort: Sort) -> bool {
    matches!(sort, Sort::Pleth | Sort::Pressure)
}

/// The best known channel that has what is wanted: good before doubtful, then detectors that agree, then likeness.
fn best(views: &[View], wanted: impl Fn(&View) -> bool) -> Option<&View> {
    let rank = |view: &View| {
        (view.quality.is_good(), view.agreement, view.rhythm.likeness.map(|likeness| (likeness * 100.0) as i64))
    };
    // The first of equals, so that the number does not wander from lead to lead.
    views.iter().filter(|view| view.quality.is_known() && wanted(view)).rev().max_by_key(|view| rank(view))
}

fn report(view: &View) -> ChannelReport {
    ChannelReport {
        code: view.code,
        sort: view.sort,
        quality: view.quality,
        rate: view.rhythm.rate.filter(|_| view.quality.is_known()),
        pause_s: view.rhythm.pause_s,
        agreement_percent: view.agreement,
        likeness: view.rhythm.likeness,
        variation: view.rhythm.variation,
    }
}
