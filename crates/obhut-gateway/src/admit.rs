//! Admission: what of a payload the charter lets in, for whom, and how exactly.
//!
//! Decodes a payload and judges each value: declared for the model, of the declared kind and unit, not too fast, not too old, bound to a
//! patient if the rule says so. Numerics become steps of the charter's resolution; a waveform finer than that is re-quantised. What passes is
//! handed out in parts, one per stay, so that a change of patient splits a message. Duplicates are the store's to recognise.
//!
//! Pure: no clock, no store. What always holds: what is not declared is not handed out; a value's subject is who was bound when it was
//! measured; nothing is allocated per message once the buffers have grown (a split message excepted). Choices: decisions 0072 and 0073.

use crate::bindings::Stay;
use crate::limits::Limits;
use crate::rate::{Arrivals, Measured};
use crate::refusal::Refusal;
use obhut_charter::rules::{ModelRules, StreamRule};
use obhut_model::{
    BedId, Code, Decimal, DeviceId, DeviceTime, Kind, NO_VALUE, Numeric, Quality, Samples, Scale, ServerTime, Subject,
    Wave,
};
use obhut_store::{RetentionClass, Sequence};
use obhut_wire::{Clock, Frame, RawNumeric, RawWave, RecordError, Topic, senml};
use std::cell::Cell;
use std::sync::Arc;

/// What one session may send, and how much it has.
#[derive(Debug)]
pub struct Admission {
    device: DeviceId,
    rules: Arc<ModelRules>,
    stays: Arc<[Stay]>,
    /// One per stream rule, in the same order.
    measured: Box<[Measured]>,
    arrivals: Arrivals,
    /// The stay looked up last; nearly always right again.
    stay_hint: Cell<usize>,
    ahead_micros_max: i64,
    late_micros_max: i64,
}

/// What was admitted of one message for one stay.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Where the device stood.
    pub bed: Option<&'a BedId>,
    /// Who was bound; `None` if what is here is live only.
    pub subject: Option<Subject>,
    /// The message's name, different for each part.
    pub sequence: Option<Sequence>,
    /// For the screens: everything admitted.
    pub live_numerics: &'a [Numeric],
    /// Likewise.
    pub live_waves: &'a [Wave<'a>],
    /// To be kept: what needs a patient and has one.
    pub numerics: &'a [(Numeric, RetentionClass)],
    /// Likewise.
    pub waves: &'a [(Wave<'a>, RetentionClass)],
}

/// Buffers for one message at a time; share them between sessions on a thread.
#[derive(Debug, Default)]
pub struct Buffers {
    raw: Vec<Result<RawNumeric, RecordError>>,
    numerics: Vec<HeldNumeric>,
    waves: Vec<HeldWave<'static>>,
    requantised: Vec<u8>,
    live_numerics: Vec<Numeric>,
    live_waves: Vec<Wave<'static>>,
    kept_numerics: Vec<(Numeric, RetentionClass)>,
    kept_waves: Vec<(Wave<'static>, RetentionClass)>,
}

#[derive(Debug, Clone, Copy)]
struct HeldNumeric {
    numeric: Numeric,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
struct HeldWave<'a> {
    wave: Wave<'a>,
    /// Where the samples are in [`Buffers::requantised`], if not those of `wave`.
    requantised: Option<(usize, usize)>,
    place: Place,
}

/// Which stay something belongs to, and whether it is kept.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// One more than the index of the stay; zero for nowhere.
    stay: usize,
    kept: Option<RetentionClass>,
}

/// What was admitted of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Admitted {
    /// Numerics.
    pub numerics: usize,
    /// Samples of waveforms.
    pub samples: usize,
}

impl Admission {
    /// For `device`, under `rules`, standing where `stays` says.
    #[must_use]
    pub fn new(device: DeviceId, rules: Arc<ModelRules>, stays: Arc<[Stay]>, limits: &Limits) -> Self {
        let measured = rules.streams.iter().map(measure).collect();
        let arrivals = Arrivals::new(rules.messages_per_second_max);
        let (ahead_micros_max, late_micros_max) = (limits.ahead_micros_max, limits.late_micros_max);
        Self { device, rules, stays, measured, arrivals, stay_hint: Cell::new(0), ahead_micros_max, late_micros_max }
    }

    /// Puts other rules in force, keeping what has been counted under the same codes.
    pub fn set_rules(&mut self, rules: Arc<ModelRules>) {
        let measured = rules.streams.iter().map(|rule| {
            let mut measured = measure(rule);
            let old = self.rules.streams.binary_search_by_key(&rule.code, |old| old.code).ok();
            if let Some(old) = old.and_then(|at| self.measured.get(at)) {
                measured.adopt(old);
            }
            measured
        });
        self.measured = measured.collect();
        self.arrivals.set(rules.messages_per_second_max);
        self.rules = rules;
    }

    /// Forgets how fast values were measured. Call when the store did not take what was admitted: the device keeps it and sends it again, and a value
    /// must not count against itself.
    pub fn forget_measured(&mut self) {
        self.measured = self.rules.streams.iter().map(measure).collect();
    }

    /// Puts other stays in force.
    pub fn set_stays(&mut self, stays: Arc<[Stay]>) {
        self.stays = stays;
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Arc<ModelRules> {
        &self.rules
    }

    /// Counts one packet at `now`; false if the model's message rate is exceeded.
    pub fn arrive(&mut self, now: ServerTime) -> bool {
        self.arrivals.take(now.micros())
    }

    /// Judges one payload that came at `now`. `refused` hears of each value that is refused, `part` gets what passed.
    ///
    /// # Errors
    /// The first [`Refusal`] if nothing passed. It has been given to `refused` already.
    pub fn admit(
        &mut self,
        now: ServerTime,
        topic: Topic,
        payload: &[u8],
        buffers: &mut Buffers,
        refused: &mut dyn FnMut(Refusal),
        part: &mut dyn FnMut(&Part<'_>),
    ) -> Result<Admitted, Refusal> {
        let mut first = None;
        let mut refused = |why: Refusal| {
            first.get_or_insert(why);
            refused(why);
        };
        buffers.numerics.clear();
        buffers.requantised.clear();
        let mut waves = recycle(std::mem::take(&mut buffers.waves));
        let sequence = if u32::try_from(payload.len()).is_ok_and(|bytes| bytes <= self.rules.payload_bytes_max) {
            match topic {
                Topic::Frame => self.frame(now, payload, buffers, &mut waves, &mut refused),
                _ => self.senml(now, payload, buffers, &mut refused),
            }
        } else {
            refused(Refusal::Payload);
            None
        };
        let admitted = Admitted {
            numerics: buffers.numerics.len(),
            samples: waves.iter().map(|held| held.wave.samples.len()).sum(),
        };
        hand_out(&self.stays, sequence, buffers, &waves, part);
        buffers.waves = recycle(waves);
        match first {
            Some(why) if admitted == Admitted::default() => Err(why),
            _ => Ok(admitted),
        }
    }

    fn senml(
        &mut self,
        now: ServerTime,
        payload: &[u8],
        buffers: &mut Buffers,
        refused: &mut dyn FnMut(Refusal),
    ) -> Option<Sequence> {
        let mut raw = std::mem::take(&mut buffers.raw);
        raw.clear();
        match senml::decode(payload, &self.device, now.stand_in_for_device(), |record| raw.push(record)) {
            Err(_) => refused(Refusal::Payload),
            Ok(_) => {
                for record in &raw {
                    let held = record.map_err(refusal_of).and_then(|raw| self.numeric(now, 0, Quality::GOOD, &raw));
                    match held {
                        Ok(held) => buffers.numerics.push(held),
                        Err(why) => refused(why),
                    }
                }
            }
        }
        buffers.raw = raw;
        None
    }

    fn frame<'p>(
        &mut self,
        now: ServerTime,
        payload: &'p [u8],
        buffers: &mut Buffers,
        waves: &mut Vec<HeldWave<'p>>,
        refused: &mut dyn FnMut(Refusal),
    ) -> Option<Sequence> {
        let Ok(frame) = Frame::decode(payload) else {
            refused(Refusal::Payload);
            return None;
        };
        let header = frame.header();
        // A clock that was never set still orders what is inside one frame: all of it is moved by the same amount.
        let (shift, doubt) = match header.clock {
            Clock::Unset => (now.stand_in_for_device().since(header.base), Quality::CLOCK_SUSPECT),
            Clock::Synchronised | Clock::FreeRunning => (0, Quality::GOOD),
        };
        for raw in frame.numerics() {
            match self.numeric(now, shift, doubt, &raw) {
                Ok(held) => buffers.numerics.push(held),
                Err(why) => refused(why),
            }
        }
        for raw in frame.waves() {
            if let Err(why) = self.wave(now, shift, doubt, &raw, &mut buffers.requantised, waves, refused) {
                refused(why);
            }
        }
        Some(Sequence { run: header.run, number: header.number })
    }

    fn numeric(
        &mut self,
        now: ServerTime,
        shift: i64,
        doubt: Quality,
        raw: &RawNumeric,
    ) -> Result<HeldNumeric, Refusal> {
        let (at, rule) = find(&self.rules, raw.code, Kind::Numeric)?;
        let (taken_at, doubt) = self.measured_at(now, raw.taken_at.plus_micros(shift), doubt)?;
        let place = self.place(rule, taken_at)?;
        let quality = raw.quality.with(doubt);
        let steps = match raw.value {
            Some(value) if !quality.has(Quality::INVALID) => {
                Some(value.in_steps_of(rule.resolution).ok_or(Refusal::Value)?)
            }
            _ => None,
        };
        let numeric = Numeric { code: raw.code, taken_at, steps, step: rule.resolution, quality };
        let fast = self.measured.get_mut(at).is_none_or(|rate| !rate.take(taken_at.micros(), 1, now.micros()));
        if fast { Err(Refusal::RateValues) } else { Ok(HeldNumeric { numeric, place }) }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one message in the making; a struct would only rename them"
    )]
    fn wave<'p>(
        &mut self,
        now: ServerTime,
        shift: i64,
        doubt: Quality,
        raw: &RawWave<'p>,
        requantised: &mut Vec<u8>,
        waves: &mut Vec<HeldWave<'p>>,
        refused: &mut dyn FnMut(Refusal),
    ) -> Result<(), Refusal> {
        let (at, rule) = find(&self.rules, raw.code, Kind::Waveform)?;
        // The last sample decides whether the block lies ahead of time.
        let length = raw.rate.offset_micros(raw.samples.len() as u64);
        let (end, doubt) = self.measured_at(now, raw.start.plus_micros(shift).plus_micros(length), doubt)?;
        let start = end.plus_micros(-length);
        let count = u32::try_from(raw.samples.len()).unwrap_or(u32::MAX);
        let slower = u64::from(raw.rate.microhertz()) * 100 <= u64::from(rule.rate_max.microhertz()) * 102;
        let paced =
            slower && self.measured.get_mut(at).is_some_and(|rate| rate.take(start.micros(), count, now.micros()));
        if !paced {
            return Err(Refusal::RateValues);
        }
        let mut rest = Wave {
            code: raw.code,
            start,
            rate: raw.rate,
            scale: raw.scale,
            quality: raw.quality.with(doubt),
            samples: raw.samples,
        };
        // A block that spans a change of patient is cut there; samples at the very instant of the change are the next one's.
        while !rest.samples.is_empty() {
            let until = self.valid_until(rest.start);
            let count = samples_before(&rest, until);
            let (head, tail) = rest.samples.split_at(count);
            match self.place(rule, rest.start) {
                Ok(place) => waves.push(hold(Wave { samples: head, ..rest }, rule.resolution, place, requantised)),
                Err(why) => refused(why),
            }
            rest = Wave { start: rest.start.plus_micros(rest.rate.offset_micros(count as u64)), samples: tail, ..rest };
        }
        Ok(())
    }

    /// The time to record: the device's, unless it lies ahead of ours.
    fn measured_at(&self, now: ServerTime, at: DeviceTime, doubt: Quality) -> Result<(DeviceTime, Quality), Refusal> {
        let here = now.stand_in_for_device();
        let ahead = at.since(here);
        if ahead > self.ahead_micros_max {
            Ok((here, doubt.with(Quality::CLOCK_SUSPECT)))
        } else if ahead < -self.late_micros_max {
            Err(Refusal::Clock)
        } else {
            Ok((at, doubt))
        }
    }

    fn place(&self, rule: &StreamRule, at: DeviceTime) -> Result<Place, Refusal> {
        let stay = self.stay_at(at);
        let bound =
            stay.checked_sub(1).and_then(|index| self.stays.get(index)).is_some_and(|stay| stay.subject.is_some());
        match (rule.needs_patient, bound) {
            (true, false) => Err(Refusal::Unbound),
            (true, true) => Ok(Place { stay, kept: Some(RetentionClass(rule.retention)) }),
            (false, _) => Ok(Place { stay, kept: None }),
        }
    }

    /// One more than the index of the stay at `at`; zero if there is none.
    fn stay_at(&self, at: DeviceTime) -> usize {
        let covers = |stay: &Stay| stay.from <= at && at < stay.to;
        if !self.stays.get(self.stay_hint.get()).is_some_and(covers) {
            self.stay_hint.set(self.stays.partition_point(|stay| stay.to <= at));
        }
        if self.stays.get(self.stay_hint.get()).is_some_and(covers) { self.stay_hint.get() + 1 } else { 0 }
    }

    /// The first instant after `at` at which another stay, or none, may hold.
    fn valid_until(&self, at: DeviceTime) -> DeviceTime {
        let next = self.stays.partition_point(|stay| stay.to <= at);
        match self.stays.get(next) {
            Some(stay) if stay.from <= at => stay.to,
            Some(stay) => stay.from,
            None => DeviceTime::from_micros(i64::MAX),
        }
    }
}

fn measure(rule: &StreamRule) -> Measured {
    Measured::new(rule.rate_max.microhertz(), rule.kind == Kind::Waveform)
}

fn find(rules: &ModelRules, code: Code, kind: Kind) -> Result<(usize, &StreamRule), Refusal> {
    let at = rules.streams.binary_search_by_key(&code, |rule| rule.code).map_err(|_| Refusal::UndeclaredCode)?;
    let rule = rules.streams.get(at).ok_or(Refusal::UndeclaredCode)?;
    if rule.kind == kind { Ok((at, rule)) } else { Err(Refusal::Kind) }
}

fn refusal_of(error: RecordError) -> Refusal {
    match error {
        RecordError::OtherDevice => Refusal::OtherDevice,
        RecordError::UnknownCode => Refusal::UndeclaredCode,
        RecordError::NotNumeric => Refusal::Kind,
        RecordError::UnitMissing | RecordError::Unit => Refusal::Unit,
        RecordError::Value => Refusal::Value,
        RecordError::Time => Refusal::Clock,
        _ => Refusal::Payload,
    }
}

/// How many samples of `wave` were taken before `until`; at least one, so that cutting ends.
fn samples_before(wave: &Wave<'_>, until: DeviceTime) -> usize {
    if wave.end() <= until {
        return wave.samples.len();
    }
    let room = until.since(wave.start);
    let mut count = wave.rate.index_at(room);
    while count > 0 && wave.rate.offset_micros(count - 1) >= room {
        count -= 1;
    }
    while wave.rate.offset_micros(count) < room {
        count += 1;
    }
    usize::try_from(count).unwrap_or(usize::MAX).clamp(1, wave.samples.len())
}

fn hold<'p>(wave: Wave<'p>, resolution: Decimal, place: Place, requantised: &mut Vec<u8>) -> HeldWave<'p> {
    match requantise(&wave, resolution, requantised) {
        None => HeldWave { wave, requantised: None, place },
        Some((scale, range)) => HeldWave { wave: Wave { scale, ..wave }, requantised: Some(range), place },
    }
}

/// If the device's step is finer than `resolution`: appends the samples in steps of `resolution` to `out`, with "no value" kept, and says
/// their scale and where they are. A coarser step keeps every number in 16 bits; one that would not (a zero far off the range) is clamped.
fn requantise(wave: &Wave<'_>, resolution: Decimal, out: &mut Vec<u8>) -> Option<(Scale, (usize, usize))> {
    let resolution = resolution.to_f64();
    let ratio = wave.scale.gain * resolution;
    // Equal up to rounding in the last places is equal.
    if ratio <= 1.0 + 1e-9 {
        return None;
    }
    let baseline = f64::from(wave.scale.baseline);
    let start = out.len();
    out.reserve(wave.samples.len() * 2);
    for sample in wave.samples.iter() {
        let steps = if sample == NO_VALUE { sample } else { round_i16((f64::from(sample) - baseline) / ratio) };
        out.extend_from_slice(&steps.to_le_bytes());
    }
    Some((Scale { gain: 1.0 / resolution, baseline: 0 }, (start, out.len())))
}

fn round_i16(value: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range just before; -32768 is not a value")]
    let rounded = value.round().clamp(f64::from(i16::MIN + 1), f64::from(i16::MAX)) as i16;
    rounded
}

/// An empty vector that keeps its room, for elements of another lifetime. The standard library collects in place here.
fn recycle<A, B>(mut spent: Vec<A>) -> Vec<B> {
    spent.clear();
    spent.into_iter().filter_map(|_| None).collect()
}

fn hand_out(
    stays: &[Stay],
    sequence: Option<Sequence>,
    buffers: &mut Buffers,
    waves: &[HeldWave<'_>],
    part: &mut dyn FnMut(&Part<'_>),
) {
    let places = || buffers.numerics.iter().map(|held| held.place.stay).chain(waves.iter().map(|held| held.place.stay));
    let (Some(low), Some(high)) = (places().min(), places().max()) else { return };
    let mut live_waves: Vec<Wave<'_>> = recycle(std::mem::take(&mut buffers.live_waves));
    let mut kept_waves: Vec<(Wave<'_>, RetentionClass)> = recycle(std::mem::take(&mut buffers.kept_waves));
    let mut number = 0;
    for place in low..=high {
        if low != high && !places().any(|other| other == place) {
            continue;
        }
        buffers.live_numerics.clear();
        buffers.kept_numerics.clear();
        live_waves.clear();
        kept_waves.clear();
        for held in buffers.numerics.iter().filter(|held| held.place.stay == place) {
            buffers.live_numerics.push(held.numeric);
            buffers.kept_numerics.extend(held.place.kept.map(|class| (held.numeric, class)));
        }
        for held in waves.iter().filter(|held| held.place.stay == place) {
            let own =
                held.requantised.and_then(|(from, to)| Samples::from_le_bytes(buffers.requantised.get(from..to)?));
            let wave = Wave { samples: own.unwrap_or(held.wave.samples), ..held.wave };
            live_waves.push(wave);
            kept_waves.extend(held.place.kept.map(|class| (wave, class)));
        }
        let stay = place.checked_sub(1).and_then(|index| stays.get(index));
        part(&Part {
            bed: stay.map(|stay| &stay.bed),
            subject: stay.and_then(|stay| stay.subject),
            sequence: sequence.map(|sequence| name_part(sequence, number)),
            live_numerics: &buffers.live_numerics,
            live_waves: &live_waves,
            numerics: &buffers.kept_numerics,
            waves: &kept_waves,
        });
        number += 1;
    }
    buffers.live_waves = recycle(live_waves);
    buffers.kept_waves = recycle(kept_waves);
}

/// The second and later parts of a split message get a run of their own, made from the message's: the store knows messages by run and
/// number and would take the second part for a repetition of the first. Sent again, the message splits the same way and is recognised.
fn name_part(sequence: Sequence, part: u32) -> Sequence {
    Sequence { run: sequence.run ^ part.wrapping_mul(0x9e37_79b9), ..sequence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_buffer_keeps_its_room() {
        let buffer: Vec<HeldWave<'static>> = Vec::with_capacity(7);
        let place = buffer.as_ptr().addr();
        let again: Vec<HeldWave<'_>> = recycle(buffer);
        assert_eq!((again.capacity(), again.as_ptr().addr()), (7, place));
    }
}
